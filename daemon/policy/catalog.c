/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include "base/fs.h"
#include "base/log.h"
#include "policy/private.h"

enum {
	FILE_MAX_BYTES = 256 << 10,
	CATALOG_MAX_FILES = 500,
	LIBRARY_MAX_BYTES = 512 << 10,
	CATALOG_AT_ONCE = 8
};

char *hash_text(const char *text, char buf[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (EVP_Digest(text, strlen(text), digest, &n, EVP_sha256(), NULL) != 1)
		n = 0;
	for (unsigned int i = 0; i < 32; i++)
		(void)snprintf(buf + 2 * i, 3, "%02x", i < n ? digest[i] : 0);
	return buf;
}

static struct policy_file *policy_file_free(struct policy_file *file)
{
	if (!file)
		return NULL;
	free(file->path);
	free(file->chunk);
	free(file->source);
	free(file->error);
	json_decref(file->declarations);
	free(file);
	return NULL;
}
DEFINE_AUTO(struct policy_file *, policy_file_free)

static void policy_def_free(struct policy_def *def)
{
	json_decref(def->decl);
	schedule_free(def->schedule);
	free(def->name);
	free(def->error);
	free(def);
}

struct catalog *catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return NULL;
	MAP_FOREACH (&catalog->defs, struct policy_def *, def)
		policy_def_free(def);
	map_clear(&catalog->defs);
	VEC_FOREACH (&catalog->files, struct policy_file *, file)
		policy_file_free(file);
	vec_clear(&catalog->files);
	json_decref(catalog->library);
	free(catalog->library_text);
	free(catalog);
	return NULL;
}
DEFINE_AUTO(struct catalog *, catalog_free)

static int lua_file_filter(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua");
}

/* Calls fn for the *.lua of a folder, in order of their names. */
static int each_lua_file(struct catalog *catalog, const char *dir,
	int (*fn)(struct catalog *catalog, const char *path, const char *name))
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, lua_file_filter, alphasort), r = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		auto_free char *path = str_printf("%s/%s", dir, entries[i]->d_name);

		if (r == 0)
			r = path ? fn(catalog, path, entries[i]->d_name) : -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* An entry that is no file but has something to tell; steals error. */
static int add_complaint(struct catalog *catalog, const char *path, const char *name, char *error)
{
	auto(policy_file_free) struct policy_file *entry = calloc(1, sizeof(*entry));
	int r;

	if (!entry) {
		free(error);
		return -ENOMEM;
	}
	entry->error = error;
	entry->path = strdup(path);
	entry->chunk = strdup(name);
	if (!entry->path || !entry->chunk || !entry->error)
		return -ENOMEM;
	log_warning("policies: %s: %s", name, error);
	r = vec_push(&catalog->files, entry);
	if (r == 0)
		TAKE(entry);
	return r;
}

/* A folder that cannot be read is told like a broken file: the other policies run. */
static int read_folder(struct catalog *catalog, const char *dir,
	int (*fn)(struct catalog *catalog, const char *path, const char *name))
{
	int r = each_lua_file(catalog, dir, fn);

	if (r == 0 || r == -ENOMEM)
		return r;
	return add_complaint(catalog, dir, dir,
		r == -E2BIG ? str_printf("more than %d policy files, the rest is not read",
				      CATALOG_MAX_FILES)
			    : str_printf("the folder cannot be read: %s", strerror(-r)));
}

static int add_library(struct catalog *catalog, const char *path, const char *name)
{
	auto_free char *text = NULL, *key = str_printf("tend/%s", name);
	size_t len;
	int r = fs_read_file(path, LIBRARY_MAX_BYTES, &text, &len);

	if (r < 0 || !key) {
		log_error("policy library '%s': %s, policies that require it fail", path,
			strerror(-r));
		return 0;
	}
	return json_object_set_new(catalog->library, key, json_stringn(text, len)) < 0 ? -EINVAL
										       : 0;
}

static int add_file(struct catalog *catalog, const char *path, const char *name)
{
	auto(policy_file_free) struct policy_file *file = calloc(1, sizeof(*file));
	size_t len;
	int r;

	if (!file)
		return -ENOMEM;
	if (catalog->files.len >= CATALOG_MAX_FILES)
		return -E2BIG;
	file->path = strdup(path);
	file->chunk = strdup(name);
	if (!file->path || !file->chunk)
		return -ENOMEM;
	r = fs_read_file(path, FILE_MAX_BYTES, &file->source, &len);
	if (r == 0 && (strlen(file->source) != len || !str_utf8_valid(file->source, len)))
		r = -EILSEQ;
	if (r < 0) {
		file->error = str_printf(
			"%s: %s", name, r == -EILSEQ ? "it is not UTF-8 text" : strerror(-r));
		log_error("policy file '%s': %s, the other policies run", path, file->error);
	} else {
		hash_text(file->source, file->hash);
	}
	r = vec_push(&catalog->files, file);
	if (r == 0)
		TAKE(file);
	return r;
}

static int describe(struct policies *p, struct policy_file *file)
{
	struct run *run;
	int r = run_new(p, &run);

	if (r < 0)
		return r;
	run->describing = true;
	run->file = file;
	run->chunk = strdup(file->chunk);
	run->source = strdup(file->source);
	run->library = json_incref(p->loading->library);
	r = run->chunk && run->source ? run_launch(run) : -ENOMEM;
	if (r < 0)
		run_end(run, RUN_FAILED, strerror(-r));
	return 0;
}

/* A few at a time; each that is described makes room for the next. */
static void describe_some(struct policies *p)
{
	struct catalog *c = p->loading;

	while (p->loading == c && c->n_begun < c->files.len &&
		c->n_begun + c->n_left < c->files.len + CATALOG_AT_ONCE) {
		struct policy_file *file = c->files.items[c->n_begun++];
		int r = file->error ? -EILSEQ : describe(p, file);

		if (r < 0)
			catalog_described(p, file, NULL, strerror(-r));
	}
}

static int add_def(struct catalog *c, struct policy_file *file, json_t *decl)
{
	const char *name = json_string_value(json_object_get(decl, "name"));
	struct policy_def *def;

	if (!name)
		return -EINVAL;
	if (map_get(&c->defs, name)) {
		free(file->error);
		file->error = str_printf(
			"%s: the policy '%s' is declared in another file too", file->chunk, name);
		return -EEXIST;
	}
	def = calloc(1, sizeof(*def));
	if (!def)
		return -ENOMEM;
	def->name = strdup(name);
	def->file = file;
	def->decl = json_incref(decl);
	if (!def->name || map_put(&c->defs, name, def) < 0) {
		policy_def_free(def);
		return -ENOMEM;
	}
	return 0;
}

/* In the order of the files, whichever was described first: of two policies of one name the first
 * counts. */
static void declare_all(struct catalog *c)
{
	VEC_FOREACH (&c->files, struct policy_file *, file) {
		size_t i;
		json_t *decl;

		json_array_foreach (file->declarations, i, decl)
			(void)add_def(c, file, decl);
		if (file->error && file->source)
			log_error("policy file '%s': %s; the other policies run", file->path,
				file->error);
	}
}

char *catalog_unknown_param(const struct policy_def *def, const char *param)
{
	json_t *declared = json_object_get(def->decl, "params"), *value;
	auto_free const char **names = NULL;
	const char *key, *near;
	size_t n = 0;

	if (json_object_get(declared, param))
		return NULL;
	names = calloc(json_object_size(declared) + 1, sizeof(*names));
	json_object_foreach (declared, key, value)
		if (names)
			names[n++] = key;
	near = names ? str_nearest(param, names, n) : NULL;
	return str_printf("%s has no parameter '%.64s'%s%s%s", def->name, param,
		near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void check_params(const struct policies *p, struct policy_def *def)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	auto_json json_t *params = policy_params(p, def->name);
	/* What only a hand starts may be given the rest then. */
	bool complete = !json_is_true(json_object_get(def->decl, "hand"));
	auto_free char *text = params_check(def, params, complete);

	if (!text || def->error)
		return;
	def->error =
		settings ? str_printf("%s:%u: %s", settings->where.file, settings->where.line, text)
			 : strdup(text);
	log_error("policies: %s; its runs fail", def->error ? def->error : text);
}

static void make_schedule(const struct policies *p, struct policy_def *def)
{
	struct tend_error err = {0};

	if (schedule_new(p, def, &def->schedule, &err) == 0 || def->error)
		return;
	def->error = str_printf("%s: %s: %s", def->file->chunk, def->name, err.text);
	log_error("policies: %s; its schedule starts nothing", def->error ? def->error : err.text);
}

static int add_unknown(struct catalog *c, const struct conf_policy *settings)
{
	auto_free const char **names = calloc(c->defs.len + 1, sizeof(*names));
	const char *near;
	size_t n = 0;

	if (!names)
		return -ENOMEM;
	MAP_FOREACH (&c->defs, const struct policy_def *, def)
		names[n++] = def->name;
	near = str_nearest(settings->name, names, n);
	return add_complaint(c, settings->where.file, settings->name,
		str_printf("%s:%u: there is no policy '%s'%s%s%s", settings->where.file,
			settings->where.line, settings->name, near ? ", did you mean '" : "",
			near ? near : "", near ? "'?" : ""));
}

/* What the configuration sets is known to be wrong before a fault needs it. */
static void check_settings(const struct policies *p, struct catalog *c)
{
	MAP_FOREACH (&p->conf->policies, const struct conf_policy *, settings)
		if (!map_get(&c->defs, settings->name) && add_unknown(c, settings) < 0)
			log_warning("[policy %s]: there is no such policy", settings->name);
	MAP_FOREACH (&c->defs, struct policy_def *, def) {
		check_params(p, def);
		make_schedule(p, def);
	}
}

static void adopt(struct policies *p)
{
	declare_all(p->loading);
	check_settings(p, p->loading);
	catalog_free(p->catalog);
	p->catalog = TAKE(p->loading);
	/* Incidents that were open before the policies were known are looked at now. */
	trigger_all(p);
	/* Ticks, events, the queue, and who waits for the policies: from the loop. */
	loop_defer_set(p->wake, true);
}

/* Runs are journalled with its hash: one that is resumed has the library that it began with. */
static int print_library(struct catalog *catalog)
{
	catalog->library_text = json_dumps(catalog->library, JSON_COMPACT | JSON_SORT_KEYS);
	if (!catalog->library_text)
		return -ENOMEM;
	hash_text(catalog->library_text, catalog->library_hash);
	return 0;
}

static int read_folders(struct catalog *catalog, const struct conf_daemon *conf)
{
	auto_free char *library = str_printf("%s/tend", conf->lua_dir);
	auto_free char *shipped = str_printf("%s/policies", conf->lua_dir);
	int r;

	catalog->library = json_object();
	if (!library || !shipped || !catalog->library)
		return -ENOMEM;
	r = read_folder(catalog, library, add_library);
	if (r == 0)
		r = read_folder(catalog, shipped, add_file);
	for (char **dir = conf->policy_dirs; r == 0 && dir && *dir; dir++)
		r = read_folder(catalog, *dir, add_file);
	if (r == 0)
		r = print_library(catalog);
	return r;
}

/* Descriptions that are under way are of files as they were. */
static void drop_loading(struct policies *p)
{
	for (size_t i = p->runs.len; i-- > 0;) {
		struct run *run = p->runs.items[i];

		if (!run->describing || run->state != RUN_LIVE)
			continue;
		run->file = NULL;
		run_end(run, RUN_FAILED, NULL);
	}
	p->loading = catalog_free(p->loading);
}

int catalog_load(struct policies *p)
{
	auto(catalog_free) struct catalog *catalog = calloc(1, sizeof(*catalog));
	int r = catalog ? read_folders(catalog, &p->conf->daemon) : -ENOMEM;

	if (r < 0)
		return r;
	drop_loading(p);
	p->loading = TAKE(catalog);
	p->loading->n_left = p->loading->files.len;
	if (p->loading->n_left == 0)
		adopt(p);
	else
		describe_some(p);
	return 0;
}

void catalog_described(
	struct policies *p, struct policy_file *file, json_t *declarations, const char *error)
{
	if (error && !file->error) {
		char text[1024];

		str_sanitize(text, sizeof(text), error, strlen(error));
		file->error = strdup(text);
	}
	file->declarations = json_incref(declarations);
	if (--p->loading->n_left == 0)
		adopt(p);
	else
		describe_some(p);
}

const struct conf_policy *policy_settings(const struct policies *p, const char *name)
{
	return map_get(&p->conf->policies, name);
}

json_t *policy_params(const struct policies *p, const char *name)
{
	const struct conf_policy *settings = policy_settings(p, name);
	json_t *params = json_object();

	for (char **kv = settings ? settings->params : NULL; kv && *kv; kv++) {
		const char *eq = strchr(*kv, '=');
		auto_free char *key = eq ? strndup(*kv, (size_t)(eq - *kv)) : NULL;

		if (key)
			(void)json_object_set_new(params, key, json_string(eq + 1));
	}
	return params;
}

int policies_get_duration(
	const struct policies *p, const char *name, const char *param, usec_t *ret_usec)
{
	const struct policy_def *def = p->catalog ? map_get(&p->catalog->defs, name) : NULL;
	const json_t *spec =
		def ? json_object_get(json_object_get(def->decl, "params"), param) : NULL;
	auto_json json_t *set = spec ? policy_params(p, name) : NULL;
	const json_t *value = json_object_get(set, param);

	value = value ? value : json_object_get(spec, "default");
	return value ? verb_duration(value, ret_usec) : -ENOENT;
}
