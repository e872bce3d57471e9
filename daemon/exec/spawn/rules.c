/* SPDX-License-Identifier: MIT */
#include "exec/spawn/rules.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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

const struct tend_option spawn_command_rows[] = {
	TEND_OPT(STRING, struct spawn_command, argv_text, "argv", NULL,
		"the program's absolute path and its arguments, each on a line of its own; {NAME} "
		"alone on a line stands for a parameter",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(MAP, struct spawn_command, param_texts, "param", NULL,
		"the type of the parameter NAME: `enum a, b`, `int 1..100`, `pattern REGEX` (must "
		"match the whole value)"),
	TEND_OPTION_END,
};

static struct spawn_command *command_free(struct spawn_command *command)
{
	if (!command)
		return NULL;
	params_free(command->params, command->n_params);
	strv_free(command->argv);
	conf_options_free(spawn_command_rows, command);
	free(command->name);
	free(command);
	return NULL;
}
DEFINE_AUTO(struct spawn_command *, command_free)

struct spawn_rules *spawn_rules_free(struct spawn_rules *rules)
{
	if (!rules)
		return NULL;
	MAP_FOREACH (&rules->commands, struct spawn_command *, command)
		command_free(command);
	map_clear(&rules->commands);
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

/* What a path would be checked as is another user than who runs it. */
static int check_params(const struct conf_section *section, const struct spawn_command *command,
	struct conf_errors *errors)
{
	for (size_t i = 0; i < command->n_params; i++)
		if (command->params[i].type == PARAM_PATH)
			return conf_section_error(section, "param", errors,
				"param.%s: the type path is for commands of tend-exec only",
				command->params[i].name);
	return 0;
}

static int add_command(
	struct spawn_rules *rules, const struct conf_section *section, struct conf_errors *errors)
{
	auto(command_free) struct spawn_command *command = calloc(1, sizeof(*command));
	int r;

	if (!command || !(command->name = strdup(section->name)))
		return -ENOMEM;
	if (!command_name_valid(command->name))
		return conf_section_error(section, NULL, errors,
			"'%s' is not the name of a command (a-z, 0-9, '-', '_', '.'; at most 64)",
			command->name);
	if (rules->commands.len >= SPAWN_MAX_COMMANDS)
		return conf_section_error(
			section, NULL, errors, "more than %d commands", SPAWN_MAX_COMMANDS);
	r = conf_section_parse(section, spawn_command_rows, command, errors);
	if (r == 0)
		r = params_parse(section, command->param_texts, &command->params,
			&command->n_params, errors);
	if (r == 0)
		r = check_params(section, command, errors);
	if (r == 0)
		r = argv_parse(section, command->argv_text, command->params, command->n_params,
			errors, &command->argv);
	if (r == 0)
		r = map_put(&rules->commands, command->name, command);
	if (r == 0)
		TAKE(command);
	return r;
}

static int add_section(
	struct spawn_rules *rules, const struct conf_section *section, struct conf_errors *errors)
{
	int r;

	if (strcmp(section->kind, "command") == 0 && section->name)
		return add_command(rules, section, errors);
	if (strcmp(section->kind, "spawn") != 0 || section->name)
		return conf_section_error(section, NULL, errors,
			"only the sections [spawn] and [command NAME] are known here");
	r = conf_section_parse(section, spawn_rules_rows, rules, errors);
	return r < 0 ? r : check_paths(section, rules, errors);
}

static bool has_spawn(const struct conf_sections *sections)
{
	VEC_FOREACH (&sections->list, const struct conf_section *, section)
		if (strcmp(section->kind, "spawn") == 0)
			return true;
	return false;
}

static int build(const struct conf_sections *sections, struct conf_errors *errors,
	struct spawn_rules **ret_rules)
{
	auto(spawn_rules_free) struct spawn_rules *rules = calloc(1, sizeof(*rules));
	int result = 0;

	if (!rules)
		return -ENOMEM;
	if (!has_spawn(sections))
		result = conf_options_init(spawn_rules_rows, rules, NULL);
	VEC_FOREACH (&sections->list, struct conf_section *, section) {
		int r = add_section(rules, section, errors);

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

static int check_program(const char *program, const char *real, struct tend_error *err)
{
	auto_free char *path = strdup(real);
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (stat(real, &st) < 0)
		return tend_error_set(err, -errno, "'%.300s': %s", program, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(real, X_OK) < 0)
		return tend_error_set(
			err, -EACCES, "'%.300s' is not a program that can be run", program);
	return check_owners(path, err);
}

static int find_program(const char *program, char real[PATH_MAX], struct tend_error *err)
{
	if (realpath(program, real))
		return 0;
	return tend_error_set(
		err, errno == ENOENT ? -ENOENT : -EPERM, "'%.300s': %s", program, strerror(errno));
}

int spawn_rules_check(const struct spawn_rules *rules, const char *program, struct tend_error *err)
{
	char real[PATH_MAX];
	int r;

	if (!is_listed(rules, program))
		return tend_error_set(err, -EPERM,
			"'%.300s' is beneath none of the folders that spawn.conf lists", program);
	r = find_program(program, real, err);
	if (r < 0)
		return r;
	if (!is_listed(rules, real))
		return tend_error_set(err, -EPERM,
			"'%.300s' leads to '%.300s', beneath none of the folders that spawn.conf "
			"lists",
			program, real);
	return check_program(program, real, err);
}

int spawn_rules_fill(const struct spawn_rules *rules, const char *name, const json_t *args,
	char ***ret_argv, struct tend_error *err)
{
	const struct spawn_command *command = map_get(&rules->commands, name);
	const struct argv_template template = {.what = "command",
		.name = name,
		.argv = command ? command->argv : NULL,
		.params = command ? command->params : NULL,
		.n_params = command ? command->n_params : 0};
	auto(strv_free) char **argv = NULL;
	char real[PATH_MAX];
	int r;

	if (!command)
		return tend_error_set(err, -EPERM, "spawn.conf has no [command %.64s]", name);
	r = argv_fill(&template, args, getuid(), &argv, err);
	if (r < 0)
		return r == -EINVAL ? -EPERM : r;
	r = find_program(argv[0], real, err);
	if (r == 0)
		r = check_program(argv[0], real, err);
	if (r == 0)
		*ret_argv = TAKE(argv);
	return r;
}
