/* SPDX-License-Identifier: MIT */
/*
 * Policies looked at without running them, each described by the real tend-run first: what is no
 * Lua or declares what it may not, it says with the line.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "base/str.h"
#include "rehearse/look.h"
#include "rehearse/rehearse.h"

enum { MAX_LIBRARY = 64, SOURCE_MAX_BYTES = 1 << 20 };

struct checking {
	const struct rehearse_options *options;
	const char *path; /* of the file at hand */
	json_t *findings;
	unsigned n_errors;
};

static void find(enum look_level level, unsigned line, const char *text, void *data)
{
	struct checking *ck = data;

	ck->n_errors += level == LOOK_ERROR;
	(void)json_array_append_new(ck->findings,
		json_pack("{s:s, s:i, s:s, s:s}", "file", ck->path, "line", (int)line, "level",
			level == LOOK_ERROR ? "error" : "warning", "text", text));
}

/* ---- what tend-run says
 * --------------------------------------------------------------------------------------------------
 */

/* "POLICY: text": what tendd says of a schedule, which knows no lines. */
static void find_scheduled(struct checking *ck, const struct tokens *tokens, const char *told)
{
	size_t len = strcspn(told, ":");
	auto_free char *policy = told[len] ? strndup(told, len) : NULL;
	auto_free char *text = policy ? str_printf("policy '%s'%s", policy, told + len) : NULL;

	find(LOOK_ERROR, policy ? look_line_of_key(tokens, policy, "schedule") : 1,
		text ? text : told, ck);
}

/* "NAME.lua:12: text" -> the line and the text. */
static void find_told(struct checking *ck, const struct tokens *tokens, const char *told)
{
	const char *base = strrchr(ck->path, '/'), *p = told;
	unsigned long line;
	char *end;

	base = base ? base + 1 : ck->path;
	if (!str_startswith(p, base) || p[strlen(base)] != ':') {
		find(LOOK_ERROR, 1, p, ck);
		return;
	}
	p += strlen(base) + 1;
	line = strtoul(p, &end, 10);
	if (end > p && *end == ':')
		find(LOOK_ERROR, (unsigned)line, end + 1 + strspn(end + 1, " "), ck);
	else
		find_scheduled(ck, tokens, p + strspn(p, " "));
}

/* Plays a moment of nothing with only this policy loaded; gives its declarations. */
static json_t *describe(struct checking *ck, const struct tokens *tokens)
{
	struct play_options options = ck->options->play;
	struct conf_errors errors = {0};
	auto(scenario_file_free) struct scenario_file *file = NULL;
	auto_free char *text = NULL, *place = NULL;
	const char *slash = strrchr(ck->path, '/'), *base = slash ? slash + 1 : ck->path;
	auto_json json_t *result = NULL;
	json_t *declared = NULL, *item;
	size_t i;

	options.config = NULL;
	options.policy_file = ck->path;
	text = str_printf("[system check]\n[scenario check]\nduration = 1ms\npolicies = %.*s\n",
		(int)(strlen(base) - strlen(".lua")), base);
	place = str_printf("%.*scheck", slash ? (int)(slash - ck->path) + 1 : 0, ck->path);
	if (!text || !place || scenario_text_read(place, text, strlen(text), &errors, &file) < 0) {
		find(LOOK_ERROR, 1, errors.len ? errors.items[0].text : "no memory", ck);
		conf_errors_clear(&errors);
		return NULL;
	}
	result = rehearse_apart(&options, file, file->scenarios.items[0]);
	json_array_foreach (json_object_get(result, "errors"), i, item)
		find_told(ck, tokens, json_string_value(json_object_get(item, "text")));
	json_array_foreach (json_object_get(result, "faults"), i, item)
		find(LOOK_ERROR, 1, json_string_value(item), ck);
	declared = json_incref(json_object_get(result, "policies"));
	conf_errors_clear(&errors);
	return declared;
}

/* ---- the library
 * -------------------------------------------------------------------------------------------------------
 */

struct library {
	struct tokens list[MAX_LIBRARY];
	size_t n;
	json_t *seen;
};

static void load_module(struct checking *ck, struct library *lib, const char *name);

static void load_required(struct checking *ck, struct library *lib, const struct tokens *tokens)
{
	auto_json json_t *names = look_requires(tokens);
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name)
		load_module(ck, lib, json_string_value(name));
}

/* "tend.heal" beside the policy's folder, or where it is installed. */
static void load_module(struct checking *ck, struct library *lib, const char *name)
{
	const char *slash = strrchr(ck->path, '/');
	auto_free char *near = NULL, *far = NULL, *source = NULL;
	size_t len;

	if (!str_startswith(name, "tend.") || strchr(name, '/') || lib->n == MAX_LIBRARY ||
		json_object_get(lib->seen, name))
		return;
	(void)json_object_set_new(lib->seen, name, json_true());
	near = str_printf("%.*s../tend/%s.lua", slash ? (int)(slash - ck->path) + 1 : 0, ck->path,
		name + strlen("tend."));
	far = str_printf("%s/tend/%s.lua", ck->options->play.lua_dir, name + strlen("tend."));
	if (!near || !far ||
		(fs_read_file(near, SOURCE_MAX_BYTES, &source, &len) < 0 &&
			fs_read_file(far, SOURCE_MAX_BYTES, &source, &len) < 0))
		return;
	if (tokens_read(source, &lib->list[lib->n]) == 0)
		load_required(ck, lib, &lib->list[lib->n++]);
}

/* ---- targets
 * -----------------------------------------------------------------------------------------------------------
 */

static bool fits(const json_t *pattern, const char *text)
{
	size_t i;
	json_t *item;

	if (!pattern)
		return true;
	if (!text)
		return false;
	if (json_is_string(pattern))
		return str_glob(json_string_value(pattern), text);
	json_array_foreach ((json_t *)(uintptr_t)pattern, i, item)
		if (json_is_string(item) && str_glob(json_string_value(item), text))
			return true;
	return false;
}

static bool any_check_fits(const struct conf_component *component, const json_t *pattern)
{
	if (!pattern)
		return true;
	VEC_FOREACH (&component->checks, const struct conf_check *, check)
		if (fits(pattern, check->name))
			return true;
	return false;
}

static bool matches_any(const struct conf *conf, const json_t *on)
{
	MAP_FOREACH (&conf->components, const struct conf_component *, component)
		if (fits(json_object_get(on, "component"), component->name) &&
			fits(json_object_get(on, "kind"), conf_component_kinds[component->kind]) &&
			fits(json_object_get(on, "unit"), component->unit) &&
			fits(json_object_get(on, "environment"),
				conf_environment_names[component->system->environment]) &&
			any_check_fits(component, json_object_get(on, "check")))
			return true;
	return false;
}

static void check_targets(struct checking *ck, const struct conf *conf, const struct tokens *tokens,
	const json_t *declared)
{
	const char *name = json_string_value(json_object_get(declared, "name"));
	const json_t *incident = json_object_get(json_object_get(declared, "on"), "incident");
	const json_t *targets = json_object_get(declared, "targets");
	char text[256];

	if ((!incident || matches_any(conf, incident)) && (!targets || matches_any(conf, targets)))
		return;
	(void)snprintf(text, sizeof(text),
		"policy '%s': its %s fit no component of the configuration", name,
		incident && !matches_any(conf, incident) ? "patterns of incidents" : "targets");
	find(LOOK_WARNING, look_line_of(tokens, name), text, ck);
}

/* ---- files
 * -------------------------------------------------------------------------------------------------------------
 */

static void check_source(struct checking *ck, const struct conf *conf, const char *source)
{
	struct tokens tokens = {0};
	struct library lib = {.seen = json_object()};
	bool is_read = tokens_read(source, &tokens) == 0;
	auto_json json_t *declared = describe(ck, &tokens);
	size_t i;
	json_t *policy;

	if (is_read) {
		look_at_verbs(&tokens, find, ck);
		look_at_changes(&tokens, find, ck);
		look_at_names(&tokens, find, ck);
		load_required(ck, &lib, &tokens);
		json_array_foreach (declared, i, policy) {
			look_at_params(&tokens, policy, lib.list, lib.n, find, ck);
			if (conf)
				check_targets(ck, conf, &tokens, policy);
		}
	}
	for (size_t k = 0; k < lib.n; k++)
		tokens_clear(&lib.list[k]);
	json_decref(lib.seen);
	tokens_clear(&tokens);
}

static void check_file(struct checking *ck, const struct conf *conf, const char *path)
{
	auto_free char *source = NULL;
	char text[128];
	size_t len;
	int r = fs_read_file(path, SOURCE_MAX_BYTES, &source, &len);

	ck->path = path;
	if (!str_endswith(path, ".lua")) {
		find(LOOK_ERROR, 0, "a policy's file ends in .lua", ck);
	} else if (r < 0) {
		(void)snprintf(text, sizeof(text), "cannot read it: %s", strerror(-r));
		find(LOOK_ERROR, 0, text, ck);
	} else {
		check_source(ck, conf, source);
	}
}

static int is_lua(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua");
}

static unsigned check_path(struct checking *ck, const struct conf *conf, const char *path)
{
	struct dirent **entries = NULL;
	struct stat st;
	int n;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		check_file(ck, conf, path);
		return 1;
	}
	n = scandir(path, &entries, is_lua, alphasort);
	for (int i = 0; i < n; i++) {
		auto_free char *file = str_printf("%s/%s", path, entries[i]->d_name);

		if (file)
			check_file(ck, conf, file);
		free(entries[i]);
	}
	free(entries);
	return n > 0 ? (unsigned)n : 0;
}

static int compare_findings(const void *a, const void *b)
{
	const json_t *x = a, *y = b;
	int r = strcmp(json_string_value(json_object_get(x, "file")),
		json_string_value(json_object_get(y, "file")));
	json_int_t lx = json_integer_value(json_object_get(x, "line")),
		   ly = json_integer_value(json_object_get(y, "line"));

	return r ? r : lx < ly ? -1 : lx > ly;
}

static void sort_findings(json_t *findings)
{
	struct vec v = {0};
	size_t i;
	json_t *item;

	json_array_foreach (findings, i, item)
		(void)vec_push(&v, json_incref(item));
	vec_sort(&v, compare_findings);
	(void)json_array_clear(findings);
	VEC_FOREACH (&v, json_t *, sorted)
		(void)json_array_append_new(findings, sorted);
	vec_clear(&v);
}

static void show(const struct checking *ck, unsigned n_files)
{
	size_t i;
	json_t *item;

	sort_findings(ck->findings);
	if (ck->options->json) {
		(void)json_dumpf(ck->findings, stdout, JSON_INDENT(2));
		(void)putchar('\n');
		return;
	}
	json_array_foreach (ck->findings, i, item) {
		int line = (int)json_integer_value(json_object_get(item, "line"));
		char at[16] = "";

		if (line > 0)
			(void)snprintf(at, sizeof(at), "%d:", line);
		(void)printf("%s:%s %s: %s\n", json_string_value(json_object_get(item, "file")), at,
			json_string_value(json_object_get(item, "level")),
			json_string_value(json_object_get(item, "text")));
	}
	(void)printf("%u file%s, %u error%s, %zu warning%s\n", n_files, n_files == 1 ? "" : "s",
		ck->n_errors, ck->n_errors == 1 ? "" : "s",
		json_array_size(ck->findings) - ck->n_errors,
		json_array_size(ck->findings) - ck->n_errors == 1 ? "" : "s");
}

static int load_conf(const struct rehearse_options *o, struct conf **ret_conf)
{
	struct conf_errors errors = {0};
	int code = REHEARSE_OK;

	if (o->play.config && conf_load(o->play.config, o->play.plugin_dir, &errors, ret_conf) < 0)
		code = rehearse_tell_errors(&errors);
	conf_errors_clear(&errors);
	return code;
}

int rehearse_check(const struct rehearse_options *o)
{
	struct checking ck = {.options = o, .findings = json_array()};
	auto(conf_unref) struct conf *conf = NULL;
	unsigned n_files = 0;
	int code = load_conf(o, &conf);

	if (code != REHEARSE_OK) {
		json_decref(ck.findings);
		return code;
	}
	for (int i = 0; i < o->n_files; i++)
		n_files += check_path(&ck, conf, o->files[i]);
	if (o->n_files == 0) {
		auto_free char *shipped = str_printf("%s/policies", o->play.lua_dir);

		n_files += shipped ? check_path(&ck, conf, shipped) : 0;
		for (char **dir = conf ? conf->daemon.policy_dirs : NULL; dir && *dir; dir++)
			n_files += check_path(&ck, conf, *dir);
	}
	show(&ck, n_files);
	json_decref(ck.findings);
	return ck.n_errors ? REHEARSE_FAILED : REHEARSE_OK;
}
