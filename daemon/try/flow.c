/* SPDX-License-Identifier: MIT */
#include "try/flow.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/plugins.h"
#include "conf/rows.h"
#include "flow/describe.h"
#include "watch/host.h"

enum { MAX_WORDS = 256 };

/* ---- what a file declares ------------------------------------------------------------------- */

/* A name of a shipped one, or a path from wherever we are. */
static int find(const char *file, char path[PATH_MAX])
{
	if (!strchr(file, '/') && !str_endswith(file, ".lua")) {
		(void)snprintf(path, PATH_MAX, "%s", file);
		return 0;
	}
	if (realpath(file, path))
		return 0;
	(void)fprintf(stderr, "tend-try: %s: %s\n", file, strerror(errno));
	return -errno;
}

static int describe(const struct try_options *o, const char *file, json_t **ret_declared)
{
	char path[PATH_MAX];
	struct tend_error err = {0};
	int r = find(file, path);

	if (r < 0)
		return r;
	r = flow_describe(o->places.libexec_dir, o->places.lua_dir, path, ret_declared, &err);
	if (r < 0)
		(void)fprintf(
			stderr, "tend-try: %s: %s\n", file, err.text[0] ? err.text : strerror(-r));
	return r;
}

static const char *get(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

static void print_clean(const char *text)
{
	char clean[512];

	str_sanitize(clean, sizeof(clean), text, strlen(text));
	(void)fputs(clean, stdout);
}

static void print_named(const char *prefix, json_t *list)
{
	const char *name;
	json_t *one;

	json_object_foreach (list, name, one) {
		(void)printf("  %s.", prefix);
		print_clean(name);
		(void)printf(" = ");
		if (json_is_true(json_object_get(one, "required")))
			(void)printf("(needed) ");
		else if (*get(one, "default"))
			(void)printf("[%.80s] ", get(one, "default"));
		print_clean(get(one, "doc"));
		(void)putchar('\n');
	}
}

static void print_steps(const char *title, json_t *list)
{
	size_t i;
	json_t *step;

	if (json_array_size(list) > 0)
		(void)printf("%s\n", title);
	json_array_foreach (list, i, step) {
		(void)printf("  %zu. ", i + 1);
		print_clean(get(step, "name"));
		(void)printf(
			"%s\n", json_is_true(json_object_get(step, "login")) ? " (log-in)" : "");
	}
}

static void dump(const json_t *doc)
{
	(void)json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	(void)putchar('\n');
}

int try_flow_check(const struct try_options *o, const char *file)
{
	auto_json json_t *declared = NULL;

	if (describe(o, file, &declared) < 0)
		return 1;
	if (o->json) {
		dump(declared);
		return 0;
	}
	print_clean(get(declared, "doc"));
	(void)printf("\nOptions\n");
	print_named("param", json_object_get(declared, "params"));
	print_named("secret", json_object_get(declared, "secrets"));
	print_steps("Steps", json_object_get(declared, "steps"));
	print_steps("Clean-up", json_object_get(declared, "cleanup"));
	return 0;
}

static int lua_files_only(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua");
}

int try_flow_list(const struct try_options *o)
{
	auto_free char *folder = str_printf("%s/flows", o->places.lua_dir);
	auto_json json_t *rows = json_array();
	struct dirent **entries = NULL;
	int n = scandir(folder ? folder : "", &entries, lua_files_only, alphasort), result = n < 0;

	for (int i = 0; i < n; i++) {
		auto_json json_t *declared = NULL;
		auto_free char *name = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - 4);

		free(entries[i]);
		if (!name)
			continue;
		if (o->names)
			(void)puts(name);
		else if (describe(o, name, &declared) < 0)
			result = 1;
		else if (o->json)
			(void)json_array_append_new(
				rows, json_pack("{s:s, s:O}", "flow", name, "declared", declared));
		else
			(void)printf("%-16s %s\n", name, get(declared, "doc"));
	}
	free(entries);
	if (n < 0)
		(void)fprintf(stderr, "tend-try: %s: %s\n", folder ? folder : "", strerror(errno));
	if (o->json)
		dump(rows);
	return result;
}

/* ---- a run ---------------------------------------------------------------------------------- */

static bool is_key(const struct tend_option *rows, const char *word, size_t len)
{
	for (; rows && rows->name; rows++)
		if (strlen(rows->name) == len && strncmp(rows->name, word, len) == 0)
			return true;
	return false;
}

/* "user=x" -> "param.user=x". */
static char *word_of(const struct tend_probe *probe, const char *word)
{
	size_t len = strcspn(word, "="), dot = strcspn(word, ".");
	bool as_it_is = dot < len || is_key(conf_check_rows, word, len) ||
			(probe && is_key(probe->options, word, len));

	return as_it_is ? strdup(word) : str_printf("param.%s", word);
}

static void on_progress(const char *check, const char *text, void *data)
{
	(void)fprintf(stderr, "%s\n", text);
}

int try_flow_run(const struct try_options *o, const char *file, char *const *words, size_t n_words)
{
	char path[PATH_MAX], *own[MAX_WORDS + 1];
	const struct tend_probe *probe = NULL;
	struct tend_error err = {0};
	size_t n = 0;
	int code = TRY_USAGE;

	if (find(file, path) < 0 || n_words >= MAX_WORDS)
		return TRY_USAGE;
	if (plugin_load(o->places.plugin_dir, "flow", &probe, &err) < 0) {
		(void)fprintf(stderr, "tend-try: %s\n", err.text);
		return TRY_USAGE;
	}
	own[n++] = str_printf("file=%s", path);
	for (size_t i = 0; i < n_words; i++)
		own[n++] = word_of(probe, words[i]);
	if (!o->json)
		host_on_progress(on_progress, NULL);
	for (size_t i = 0; i < n; i++)
		if (!own[i])
			n_words = SIZE_MAX;
	if (n_words != SIZE_MAX)
		code = try_check(o, "flow", own, n);
	for (size_t i = 0; i < n; i++)
		free(own[i]);
	return code;
}
