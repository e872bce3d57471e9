/* SPDX-License-Identifier: MIT */
#include "exec/spawn/rules.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include "base/str.h"
#include "conf/options.h"

const struct tend_option spawn_rules_rows[] = {
	TEND_OPT(LIST, struct spawn_rules, paths, "paths", "/usr/lib/nagios/plugins",
		"folders whose programs may be run; they and all in them must be root's alone"),
	TEND_OPT(INT, struct spawn_rules, max_programs, "max_programs", "64",
		"how many programs run at once; more wait", .min = 1, .max = 1000),
	TEND_OPT(INT, struct spawn_rules, max_queue, "max_queue", "512",
		"how many may wait; more are refused", .min = 1, .max = 10000),
	TEND_OPT(INT, struct spawn_rules, tasks_max, "tasks_max", "64",
		"processes and threads of one program", .min = 1, .max = 10000),
	TEND_OPT(BYTES, struct spawn_rules, memory_max_bytes, "memory_max", "512M",
		"memory of one program and all that it starts", .min = 1 << 20, .max = 1e12),
	TEND_OPTION_END,
};

struct spawn_rules *spawn_rules_free(struct spawn_rules *rules)
{
	if (!rules)
		return NULL;
	conf_options_free(spawn_rules_rows, rules);
	free(rules);
	return NULL;
}

static int check_paths(const struct conf_section *section, const struct spawn_rules *rules,
	struct conf_errors *errors)
{
	int result = 0;

	for (char **p = rules->paths; p && *p; p++)
		if ((*p)[0] != '/' || strcmp(*p, "/") == 0 || str_endswith(*p, "/") ||
			strstr(*p, "/."))
			result = conf_section_error(section, "paths", errors,
				"'%s' is not the absolute path of a folder, without '.' and a '/' "
				"at its end",
				*p);
	return result;
}

static int build(const struct conf_sections *sections, struct conf_errors *errors,
	struct spawn_rules **ret_rules)
{
	auto(spawn_rules_free) struct spawn_rules *rules = calloc(1, sizeof(*rules));
	int result = 0;

	if (!rules)
		return -ENOMEM;
	if (sections->list.len == 0)
		result = conf_options_init(spawn_rules_rows, rules, NULL);
	VEC_FOREACH (&sections->list, struct conf_section *, section) {
		int r;

		if (strcmp(section->kind, "spawn") != 0 || section->name) {
			result = conf_section_error(
				section, NULL, errors, "only the section [spawn] is known here");
			continue;
		}
		r = conf_section_parse(section, spawn_rules_rows, rules, errors);
		if (r == 0)
			r = check_paths(section, rules, errors);
		result = r < 0 ? r : result;
	}
	if (result == 0)
		*ret_rules = TAKE(rules);
	return result;
}

int spawn_rules_parse(
	const char *text, size_t len, struct conf_errors *errors, struct spawn_rules **ret_rules)
{
	struct conf_sections sections = {0};
	int r = conf_text_read("spawn.conf", text, len, &sections, errors);

	if (r == 0)
		r = build(&sections, errors, ret_rules);
	conf_sections_clear(&sections);
	return r;
}

int spawn_rules_load(
	const char *path, uid_t owner, struct conf_errors *errors, struct spawn_rules **ret_rules)
{
	struct conf_sections sections = {0};
	struct stat st;
	int r = 0;

	if (lstat(path, &st) == 0) {
		if (!S_ISREG(st.st_mode) || st.st_uid != owner || (st.st_mode & 022))
			return conf_errors_add(errors, path, 0, -EPERM,
				"must be a plain file that belongs to root and that nobody else "
				"can write");
		r = conf_file_read(path, &sections, errors);
	} else if (errno != ENOENT) {
		return conf_errors_add(errors, path, 0, -errno, "%s", strerror(errno));
	}
	if (r == 0)
		r = build(&sections, errors, ret_rules);
	conf_sections_clear(&sections);
	return r;
}

static bool is_beneath(const char *path, const char *folder)
{
	return str_startswith(path, folder) && path[strlen(folder)] == '/';
}

/* Links may lead elsewhere within the list, as those of Debian's plugins do. */
static bool is_listed(const struct spawn_rules *rules, const char *path)
{
	char real[PATH_MAX];

	for (char **p = rules->paths; p && *p; p++)
		if (is_beneath(path, *p) || (realpath(*p, real) && is_beneath(path, real)))
			return true;
	return false;
}

/* The file and every folder up to '/'. A sticky folder of root's (/tmp) will not do: others can put
 * things there. Cuts `path` up. */
static int check_owners(char *path, struct tend_error *err)
{
	struct stat st;

	for (;;) {
		char *slash = strrchr(path, '/');

		if (stat(path[0] ? path : "/", &st) < 0)
			return tend_error_set(err, -errno, "'%s': %s", path, strerror(errno));
		if (st.st_uid != 0)
			return tend_error_set(err, -EPERM, "'%s' does not belong to root", path);
		if (st.st_mode & 022)
			return tend_error_set(
				err, -EPERM, "'%s' can be written by others than root", path);
		if (!slash || !path[0])
			return 0;
		*slash = '\0';
	}
}

int spawn_rules_check(const struct spawn_rules *rules, const char *program, struct tend_error *err)
{
	char real[PATH_MAX];
	struct stat st;

	if (!is_listed(rules, program))
		return tend_error_set(err, -EPERM,
			"'%.300s' is beneath none of the folders that spawn.conf lists", program);
	if (!realpath(program, real))
		return tend_error_set(err, errno == ENOENT ? -ENOENT : -EPERM, "'%.300s': %s",
			program, strerror(errno));
	if (!is_listed(rules, real))
		return tend_error_set(err, -EPERM,
			"'%.300s' leads to '%.300s', beneath none of the folders that spawn.conf "
			"lists",
			program, real);
	if (stat(real, &st) < 0)
		return tend_error_set(err, -errno, "'%.300s': %s", program, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(real, X_OK) < 0)
		return tend_error_set(
			err, -EACCES, "'%.300s' is not a program that can be run", program);
	return check_owners(real, err);
}
