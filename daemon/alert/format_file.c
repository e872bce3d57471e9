/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "alert/format.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"

enum { LIBRARY_FILE_BYTES = 512 << 10, LIBRARY_MAX_FILES = 200 };

char *format_path(const char *lua_dir, const char *name)
{
	return name[0] == '/' ? strdup(name) : str_printf("%s/formats/%s.lua", lua_dir, name);
}

int format_read(const char *path, char **ret_source, struct tend_error *err)
{
	auto_free char *source = NULL;
	size_t len = 0;
	int r = fs_read_file(path, FORMAT_FILE_BYTES, &source, &len);

	if (r < 0)
		return tend_error_set(err, r, "%s: %s", path, strerror(-r));
	if (strlen(source) != len || !str_utf8_valid(source, len))
		return tend_error_set(err, -EILSEQ, "%s: it is not UTF-8 text", path);
	*ret_source = TAKE(source);
	return 0;
}

static int lua_files_only(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua");
}

static void add_file(json_t *library, const char *folder, const char *name)
{
	auto_free char *path = str_printf("%s/%s", folder, name);
	auto_free char *key = str_printf("tend/%s", name), *text = NULL;
	size_t len;
	int r = path && key ? fs_read_file(path, LIBRARY_FILE_BYTES, &text, &len) : -ENOMEM;

	if (r == 0 && json_object_set_new(library, key, json_stringn(text, len)) < 0)
		r = -EILSEQ;
	if (r < 0)
		log_error("formats: library '%s/%s': %s, formats that require it fail", folder,
			name, strerror(-r));
}

int format_read_library(const char *lua_dir, json_t **ret_library)
{
	auto_free char *folder = str_printf("%s/tend", lua_dir);
	struct dirent **entries = NULL;
	json_t *library = json_object();
	int n = folder && library ? scandir(folder, &entries, lua_files_only, alphasort) : -1;

	for (int i = 0; i < n; i++) {
		if (i < LIBRARY_MAX_FILES)
			add_file(library, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (!library)
		return -ENOMEM;
	*ret_library = library;
	return 0;
}
