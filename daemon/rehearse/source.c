/* SPDX-License-Identifier: MIT */
#include "rehearse/source.h"
#include <dirent.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"
#include "rehearse/tokens.h"

/* The name of the first declaration that is `name`, or of the first one of all (NULL). */
static char *find_declared(const char *path, const char *name)
{
	auto_free char *source = NULL;
	struct tokens tokens = {0};
	char *found = NULL;
	size_t len;

	if (fs_read_file(path, 1 << 20, &source, &len) < 0 || tokens_read(source, &tokens) < 0)
		return NULL;
	for (size_t i = 0; i + 1 < tokens.n && !found; i++) {
		/* policy "x", policy("x", ...) */
		const struct token *next = &tokens.list[i + 1];

		if (!token_is(&tokens.list[i], "policy"))
			continue;
		if (token_is(next, "(") && i + 3 < tokens.n && token_is(next + 2, ")"))
			next++;
		if (next->kind == TOKEN_STRING && (!name || strcmp(next->text, name) == 0))
			found = strdup(next->text);
	}
	tokens_clear(&tokens);
	return found;
}

bool policy_declares(const char *path, const char *name)
{
	auto_free char *found = find_declared(path, name);

	return found != NULL;
}

char *policy_first(const char *path)
{
	return find_declared(path, NULL);
}

char *policy_find(const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char *found = NULL;

	while (dir && !found && (entry = readdir(dir))) {
		auto_free char *path = str_printf("%s/%s", folder, entry->d_name);

		if (entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua") && path &&
			policy_declares(path, name))
			found = TAKE(path);
	}
	if (dir)
		(void)closedir(dir);
	return found;
}
