/* SPDX-License-Identifier: MIT */
/*
 * The temporary folder of one scenario: its configuration (the sections of the scenario, or of an
 * installation, with paths of its own, no secret and no receiver of the outside), the policies it
 * loads and the library they share.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include "base/fs.h"
#include "base/str.h"
#include "rehearse/play.h"
#include "rehearse/source.h"

#define SECRET "whsec_cmVoZWFyc2VkcmVoZWFyc2VkcmVoZWFyc2Vk"

struct writing {
	struct play *play;
	struct str text;
	bool any_receiver, any_daemon;
	bool failed;
};

/* ---- the configuration
 * ----------------------------------------------------------------------------------------- */

/* A line of the configuration stands for line `line` of the scenario file (0: none). */
static void put_line(struct writing *w, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void put_line(struct writing *w, unsigned line, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text || str_append(&w->text, text, strlen(text)) < 0 ||
		str_append(&w->text, "\n", 1) < 0 ||
		vec_push(&w->play->conf_lines, (void *)(uintptr_t)line) < 0)
		w->failed = true;
	free(text);
}

static void put_key(struct writing *w, unsigned line, const char *name, const char *value)
{
	auto_free char *copy = strdup(value);
	char *save = NULL, *first;

	/* Secrets are none of a rehearsal's business. */
	if (str_startswith(value, "file:") || str_startswith(value, "cred:")) {
		put_line(w, line, "%s = file:%s/secret", name, w->play->dir);
		return;
	}
	first = copy ? strtok_r(copy, "\n", &save) : NULL;
	put_line(w, line, "%s = %s", name, first ? first : "");
	for (char *more; first && (more = strtok_r(NULL, "\n", &save));)
		put_line(w, line, "\t%s", more);
}

/* The value that the scenario sets for this key of this section; the last one counts. */
static const char *setting_of(
	const struct play *p, const char *title, const char *key, const struct words **ret_words)
{
	const char *found = NULL;

	VEC_FOREACH (&p->scenario->settings, const struct words *, words) {
		const char *text = words->text + strlen(title);
		size_t n = strlen(key);

		if (strncmp(words->text, title, strlen(title)) != 0)
			continue;
		text += strspn(text, " \t");
		if (strncmp(text, key, n) != 0 || !strchr(" \t=", text[n]))
			continue;
		text = strchr(text, '=') + 1;
		found = text + strspn(text, " \t");
		if (ret_words)
			*ret_words = words;
	}
	return found;
}

static const char *key_of_setting(const struct words *words, const char *title, char buf[128])
{
	const char *text = words->text + strlen(title), *equals = strchr(text, '=');
	size_t n;

	text += strspn(text, " \t");
	n = (size_t)(equals - text);
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	(void)snprintf(buf, 128, "%.*s", (int)n, text);
	return buf;
}

/* Settings of keys that the section does not have. */
static void put_settings(struct writing *w, const char *title, const struct conf_section *section)
{
	VEC_FOREACH (&w->play->scenario->settings, const struct words *, words) {
		const struct words *last = NULL;
		char key[128];
		const char *value;

		if (strncmp(words->text, title, strlen(title)) != 0)
			continue;
		(void)key_of_setting(words, title, key);
		if (section && conf_section_key(section, key))
			continue;
		value = setting_of(w->play, title, key, &last);
		if (value && last == words)
			put_key(w, words->line, key, value);
	}
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool key_is_kept(const struct conf_section *section, const char *key)
{
	static const char *const outside[] = {"state_dir", "run_dir", "socket", "plugin_dir",
		"libexec_dir", "lua_dir", "policy_dirs", "exec_socket", "http_listen", "http_token",
		"agentx_socket", "spawn_socket"};
	static const char *const of_receivers[] = {"min_severity", "fallback", "ttl",
		"rate_per_minute", "retry_min", "retry_max", "storm_burst", "storm_wait",
		"storm_interval"};

	if (strcmp(section->kind, "daemon") == 0)
		return !is_one_of(key, outside, ARRAY_SIZE(outside));
	if (strcmp(section->kind, "receiver") == 0)
		return is_one_of(key, of_receivers, ARRAY_SIZE(of_receivers));
	return true;
}

static void put_paths(struct writing *w)
{
	const struct play *p = w->play;

	put_line(w, 0, "state_dir = %s/state", p->dir);
	put_line(w, 0, "run_dir = %s", p->dir);
	put_line(w, 0, "exec_socket = %s/exec.sock", p->dir);
	put_line(w, 0, "spawn_socket =");
	put_line(w, 0, "lua_dir = %s/lua", p->dir);
	put_line(w, 0, "libexec_dir = %s", p->options->libexec_dir);
	put_line(w, 0, "plugin_dir = %s", p->options->plugin_dir);
	w->any_daemon = true;
}

static void put_receiver(struct writing *w)
{
	put_line(w, 0, "type = webhook");
	put_line(w, 0, "url = https://rehearsal.invalid/");
	put_line(w, 0, "secret = file:%s/secret", w->play->dir);
	w->any_receiver = true;
}

static void put_section(struct writing *w, const struct conf_section *section, bool ours)
{
	char title[CONF_TITLE_BYTES];

	conf_section_title(section, title);
	put_line(w, ours ? section->line : 0, "%s", title);
	for (size_t i = 0; i < section->n_keys; i++) {
		const struct conf_key *key = &section->keys[i];
		const char *other = setting_of(w->play, title, key->name, NULL);

		if (key_is_kept(section, key->name))
			put_key(w, ours ? key->line : 0, key->name, other ? other : key->value);
	}
	put_settings(w, title, section);
	if (strcmp(section->kind, "daemon") == 0)
		put_paths(w);
	else if (strcmp(section->kind, "receiver") == 0)
		put_receiver(w);
}

/* Settings of sections that are nowhere. */
static void put_new_sections(struct writing *w, const struct conf_sections *base)
{
	struct map done = {0};

	VEC_FOREACH (&w->play->scenario->settings, const struct words *, words) {
		size_t n = (size_t)(strchr(words->text, ']') - words->text) + 1;
		auto_free char *title = strndup(words->text, n);

		if (!title || map_get(&w->play->file->sections.index, title) ||
			map_get(&base->index, title) || map_get(&done, title) ||
			strcmp(title, "[daemon]") == 0)
			continue;
		(void)map_put(&done, title, title);
		put_line(w, words->line, "%s", title);
		put_settings(w, title, NULL);
	}
	map_clear(&done);
}

static bool has_settings(const struct play *p, const char *title)
{
	VEC_FOREACH (&p->scenario->settings, const struct words *, words)
		if (strncmp(words->text, title, strlen(title)) == 0)
			return true;
	return false;
}

/* An installation has settings for policies that this rehearsal does not load: they are none of
 * its business. What the scenario itself sets is, so that a wrong name is told. */
static bool is_of_loaded_policy(const struct play *p, const struct conf_section *section)
{
	auto_free char *folder = str_printf("%s/lua/policies", p->dir);
	auto_free char *file = folder ? policy_find(folder, section->name) : NULL;
	char title[CONF_TITLE_BYTES];

	return file || has_settings(p, conf_section_title(section, title));
}

static bool is_wanted(const struct play *p, const struct conf_section *section)
{
	const json_t *only = p->options->only_checks;

	if (strcmp(section->kind, "policy") == 0 && section->name)
		return is_of_loaded_policy(p, section);
	return !only || strcmp(section->kind, "check") != 0 || !section->name ||
	       json_object_get(only, section->name);
}

static void put_sections(struct writing *w, const struct conf_sections *base)
{
	const struct conf_sections *own = &w->play->file->sections;
	char title[CONF_TITLE_BYTES];

	VEC_FOREACH (&base->list, const struct conf_section *, section)
		if (!map_get(&own->index, conf_section_title(section, title)) &&
			is_wanted(w->play, section))
			put_section(w, section, false);
	VEC_FOREACH (&own->list, const struct conf_section *, section)
		if (strcmp(section->kind, "scenario") != 0)
			put_section(w, section, true);
	put_new_sections(w, base);
	if (!w->any_daemon) {
		put_line(w, 0, "[daemon]");
		put_settings(w, "[daemon]", NULL);
		put_paths(w);
	}
	if (!w->any_receiver) {
		put_line(w, 0, "[receiver people]");
		put_receiver(w);
	}
}

static int read_base(struct play *p, struct conf_sections *base)
{
	auto_free char *folder = NULL;
	const char *path = p->options->config, *slash;
	int r;

	if (!path)
		return 0;
	slash = strrchr(path, '/');
	folder = str_printf("%.*sconf.d", slash ? (int)(slash - path) + 1 : 0, path);
	r = conf_file_read(path, base, &p->errors);
	return r == 0 && folder ? conf_folder_read(folder, base, &p->errors) : r;
}

static int write_text(const char *path, const char *text, mode_t mode)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	return write(fd, text, len) == (ssize_t)len ? 0 : -EIO;
}

static int write_conf(struct play *p)
{
	struct conf_sections base = {0};
	struct writing w = {.play = p, .text = STR_INIT(64 << 20)};
	auto_free char *secret = str_printf("%s/secret", p->dir);
	int r = read_base(p, &base);

	if (r == 0) {
		put_sections(&w, &base);
		r = w.failed ? -ENOMEM : 0;
	}
	p->conf_path = str_printf("%s/tend.conf", p->dir);
	if (r == 0)
		r = p->conf_path && secret ? write_text(secret, SECRET "\n", 0600) : -ENOMEM;
	if (r == 0)
		r = write_text(p->conf_path, str_get(&w.text), 0600);
	str_clear(&w.text);
	conf_sections_clear(&base);
	return r;
}

unsigned prepare_line(const struct play *p, unsigned line)
{
	return line > 0 && line <= p->conf_lines.len
		       ? (unsigned)(uintptr_t)p->conf_lines.items[line - 1]
		       : 0;
}

/* ---- the policies
 * -----------------------------------------------------------------------------------------------
 */

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return strndup(name, dot ? (size_t)(dot - name) : strlen(name));
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Links by absolute paths: the temporary folder is elsewhere. */
static int link_to(const char *target, const char *path)
{
	auto_free char *real = realpath(target, NULL);

	if (!real)
		return -errno;
	return symlink(real, path) < 0 && errno != EEXIST ? -errno : 0;
}

static int link_policy(struct play *p, const char *folder, const char *name)
{
	auto_free char *from = str_printf("%s/%s.lua", folder, name);
	auto_free char *to = str_printf("%s/lua/policies/%s.lua", p->dir, name);

	if (!from || !to)
		return -ENOMEM;
	return is_file(from) ? link_to(from, to) : -ENOENT;
}

static int link_all(struct play *p, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return 0;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua")) {
			auto_free char *stem = stem_of(entry->d_name);

			r = stem ? link_policy(p, folder, stem) : -ENOMEM;
		}
	(void)closedir(dir);
	return r;
}

static int link_named(struct play *p, const char *name, const char *beside, const char *shipped,
	struct tend_error *err)
{
	auto_free char *to = str_printf("%s/lua/policies/%s.lua", p->dir, name);
	int r;

	if (p->options->policy_file && to)
		return link_to(p->options->policy_file, to);
	r = link_policy(p, beside, name);
	if (r == -ENOENT)
		r = link_policy(p, shipped, name);
	if (r == -ENOENT)
		return tend_error_set(
			err, r, "there is no %s.lua in %s or %s", name, beside, shipped);
	return r;
}

static int link_policies(struct play *p, struct tend_error *err)
{
	auto_free char *beside = folder_of(p->file->path), *stem = stem_of(p->file->path);
	auto_free char *shipped = str_printf("%s/policies", p->options->lua_dir);
	char star[] = "*", *own[] = {stem, NULL}, *all[] = {star, NULL};
	auto_free char *first = beside && stem ? str_printf("%s/%s.lua", beside, stem) : NULL;
	char **names = p->scenario->policies	 ? p->scenario->policies
		       : first && is_file(first) ? own
						 : all;
	int r = 0;

	if (!beside || !stem || !shipped || !first)
		return -ENOMEM;
	for (char **name = names; *name && r == 0; name++) {
		if (strcmp(*name, "*") != 0) {
			r = link_named(p, *name, beside, shipped, err);
			continue;
		}
		r = link_all(p, beside);
		if (r == 0)
			r = link_all(p, shipped);
	}
	return r;
}

static int link_library(struct play *p)
{
	auto_free char *beside = folder_of(p->file->path);
	auto_free char *near = beside ? str_printf("%s/../tend", beside) : NULL;
	auto_free char *far = str_printf("%s/tend", p->options->lua_dir);
	auto_free char *to = str_printf("%s/lua/tend", p->dir);
	auto_free char *probe = near ? str_printf("%s/heal.lua", near) : NULL;

	if (!probe || !far || !to)
		return -ENOMEM;
	return link_to(is_file(probe) ? near : far, to);
}

/* ---- the folder
 * -------------------------------------------------------------------------------------------------
 */

int prepare_temporary(char ret_dir[PLAY_DIR_BYTES])
{
	/* Memory, where there is some: nothing of it is to last. */
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	const char *wish = getenv("TEND_REHEARSE_DIR");
	char dir[PLAY_DIR_BYTES];

	/* Short: the path of a socket has little room. */
	if (snprintf(dir, sizeof(dir), "%s/tend-rehearse-XXXXXX", wish && *wish ? wish : parent) >=
		(int)sizeof(dir))
		return -ENAMETOOLONG;
	if (!mkdtemp(dir))
		return -errno;
	memcpy(ret_dir, dir, sizeof(dir));
	return 0;
}

static int make_dirs(struct play *p)
{
	static const char *const names[] = {"state", "lua", "lua/policies"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = str_printf("%s/%s", p->dir, names[i]);

		if (!path || mkdir(path, 0700) < 0)
			return path ? -errno : -ENOMEM;
	}
	return 0;
}

int prepare_folder(struct play *p, struct tend_error *err)
{
	int r = make_dirs(p);

	if (r == 0)
		r = link_library(p);
	if (r == 0)
		r = link_policies(p, err);
	if (r == 0)
		r = write_conf(p);
	if (r < 0 && !err->text[0])
		(void)tend_error_set(err, r, "cannot prepare it: %s", strerror(-r));
	return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)remove(path);
	return 0;
}

void prepare_remove(const char *dir)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
