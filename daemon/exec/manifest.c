/* SPDX-License-Identifier: MIT */
#include "exec/manifest.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include "base/str.h"
#include "conf/options.h"
#include "conf/section.h"
#include "exec/fence.h"
#include "exec/manifest_internal.h"

const char *const exec_verb_names[EXEC_VERB_MAX + 1] = {
	[EXEC_VERB_START] = "start",
	[EXEC_VERB_STOP] = "stop",
	[EXEC_VERB_RESTART] = "restart",
	[EXEC_VERB_RELOAD] = "reload",
};
const char *const exec_risk_names[EXEC_RISK_MAX + 1] = {
	[EXEC_RISK_OBSERVE] = "observe",
	[EXEC_RISK_CHANGE] = "change",
	[EXEC_RISK_DESTROY] = "destroy",
};
static const char *const fencing_names[FENCING_MAX + 1] = {
	[FENCING_OPTIONAL] = "optional",
	[FENCING_REQUIRED] = "required",
};

int exec_verb_from_name(const char *name)
{
	for (int i = 0; i < EXEC_VERB_MAX; i++)
		if (strcmp(exec_verb_names[i], name) == 0)
			return i;
	return -ENOENT;
}

#define SECONDS(n) ((double)(n)*1e6)

const struct tend_option manifest_unit_rows[] = {
	TEND_OPT(LIST, struct unit_rule, allow, "allow", NULL,
		"the verbs that may be asked for: start, stop, restart, reload",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(INT, struct unit_rule, max_per_hour, "max_per_hour", "12",
		"how many verbs on this unit are carried out in an hour at most", .min = 1,
		.max = 1000),
	TEND_OPT(USEC, struct unit_rule, timeout, "timeout", "10m",
		"a job that has not ended after this time is reported as unknown; it goes on",
		.min = SECONDS(1), .max = SECONDS(86400)),
	TEND_OPTION_END,
};

const struct tend_option manifest_command_rows[] = {
	TEND_OPT(STRING, struct command_rule, argv_text, "argv", NULL,
		"the program's absolute path and its arguments, each on a line of its own; {NAME} "
		"alone on a line stands for a parameter",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(STRING, struct command_rule, user, "user", NULL, "the user it runs as",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct command_rule, risk, "risk", "change",
		"what it may do: observe (changes nothing), change, destroy (what it takes away "
		"does not come back)",
		.names = exec_risk_names),
	TEND_OPT(BOOL, struct command_rule, concurrent, "concurrent", "no",
		"with yes it may be begun while it still runs with the same arguments; what only "
		"observes always may"),
	TEND_OPT(USEC, struct command_rule, timeout, "timeout", "5m",
		"all its processes are ended after this time", .min = SECONDS(1),
		.max = SECONDS(7 * 86400)),
	TEND_OPT(INT, struct command_rule, max_per_hour, "max_per_hour", "12",
		"how often it is run in an hour at most", .min = 1, .max = 1000),
	TEND_OPT(BYTES, struct command_rule, memory_max_bytes, "memory_max", "512M",
		"the memory of all its processes", .min = 1 << 20, .max = 1e12),
	TEND_OPT(INT, struct command_rule, tasks_max, "tasks_max", "64",
		"how many processes and threads it may have", .min = 1, .max = 10000),
	TEND_OPT(BYTES, struct command_rule, output_max_bytes, "output_max", "16M",
		"how much of its output is kept on the disk while it runs; older output is dropped",
		.min = 65536, .max = 1e10),
	TEND_OPT(LIST, struct command_rule, writable, "writable", NULL,
		"folders it may write to; everything else is read-only for it (but /tmp, which is "
		"its own)"),
	TEND_OPT(MAP, struct command_rule, param_texts, "param", NULL,
		"the type of the parameter NAME: `enum a, b`, `int 1..100`, `pattern REGEX` (must "
		"match the whole value), `path /root/folder` (a path beneath it)"),
	TEND_OPTION_END,
};

const struct tend_option manifest_executor_rows[] = {
	TEND_OPT(ENUM, struct executor_rule, fencing, "fencing", "optional",
		"required: an action without a fencing token is refused", .names = fencing_names),
	TEND_OPT(LIST, struct executor_rule, locks, "locks", NULL,
		"the locks whose tokens count; by default any"),
	TEND_OPTION_END,
};

static struct unit_rule *unit_rule_free(struct unit_rule *rule)
{
	if (!rule)
		return NULL;
	conf_options_free(manifest_unit_rows, rule);
	free(rule->name);
	free(rule);
	return NULL;
}
DEFINE_AUTO(struct unit_rule *, unit_rule_free)

static struct command_rule *command_rule_free(struct command_rule *rule)
{
	if (!rule)
		return NULL;
	params_free(rule->params, rule->n_params);
	strv_free(rule->argv);
	conf_options_free(manifest_command_rows, rule);
	free(rule->name);
	free(rule);
	return NULL;
}
DEFINE_AUTO(struct command_rule *, command_rule_free)

struct manifest *manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return NULL;
	MAP_FOREACH (&manifest->units, struct unit_rule *, unit)
		unit_rule_free(unit);
	map_clear(&manifest->units);
	MAP_FOREACH (&manifest->commands, struct command_rule *, command)
		command_rule_free(command);
	map_clear(&manifest->commands);
	MAP_FOREACH (&manifest->sql, struct sql_rule *, sql)
		sql_rule_free(sql);
	map_clear(&manifest->sql);
	conf_options_free(manifest_executor_rows, &manifest->executor);
	free(manifest);
	return NULL;
}

static bool unit_name_valid(const char *name)
{
	static const char *const types[] = {".service", ".socket", ".timer", ".target", ".mount",
		".path", ".automount", ".swap"};
	size_t n = strlen(name);

	if (n > MANIFEST_MAX_NAME_BYTES || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(":-_.\\@", *p))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_endswith(name, types[i]) && n > strlen(types[i]))
			return true;
	return false;
}

static int parse_allow(
	const struct conf_section *section, struct unit_rule *rule, struct conf_errors *errors)
{
	int result = 0;

	for (char **p = rule->allow; p && *p; p++) {
		int verb = exec_verb_from_name(*p);

		if (verb >= 0) {
			rule->verbs |= 1u << verb;
			continue;
		}
		const char *nearest = str_nearest(*p, exec_verb_names, EXEC_VERB_MAX);
		result = conf_section_error(section, "allow", errors,
			"'%s' is not a verb (start, stop, restart, reload)%s%s%s", *p,
			nearest ? ", did you mean '" : "", nearest ? nearest : "",
			nearest ? "'?" : "");
	}
	return result;
}

static int add_unit(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors)
{
	auto(unit_rule_free) struct unit_rule *rule = calloc(1, sizeof(*rule));
	int r;

	if (!rule || !(rule->name = strdup(section->name)))
		return -ENOMEM;
	if (!unit_name_valid(rule->name))
		return conf_section_error(section, NULL, errors,
			"'%s' is not the full name of a unit, like postgresql@15-main.service",
			rule->name);
	if (strncmp(rule->name, "tend-exec.", 10) == 0 || strncmp(rule->name, "tend-job-", 9) == 0)
		return conf_section_error(section, NULL, errors,
			"'%s': tend-exec does not act on itself or on its own jobs", rule->name);
	if (manifest->units.len >= MANIFEST_MAX_UNITS)
		return conf_section_error(
			section, NULL, errors, "more than %d units", MANIFEST_MAX_UNITS);
	/* Every step adds its own errors: one run finds them all. */
	r = conf_section_parse(section, manifest_unit_rows, rule, errors);
	int r2 = parse_allow(section, rule, errors);
	r = r < 0 ? r : r2;
	if (r == 0)
		r = map_put(&manifest->units, rule->name, rule);
	if (r == 0)
		TAKE(rule);
	return r;
}

/* ---- commands ---- */

static int parse_argv(
	const struct conf_section *section, struct command_rule *rule, struct conf_errors *errors)
{
	return argv_parse(
		section, rule->argv_text, rule->params, rule->n_params, errors, &rule->argv);
}

static int check_command(
	const struct conf_section *section, struct command_rule *rule, struct conf_errors *errors)
{
	struct passwd *user = rule->user ? getpwnam(rule->user) : NULL;
	int result = 0;

	if (user)
		rule->uid = user->pw_uid;
	else if (rule->user)
		result = conf_section_error(
			section, "user", errors, "there is no user '%s'", rule->user);
	for (char **p = rule->writable; p && *p; p++)
		if (**p != '/')
			result = conf_section_error(
				section, "writable", errors, "'%s' is not an absolute path", *p);
	return result;
}

static int add_command(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors)
{
	auto(command_rule_free) struct command_rule *rule = calloc(1, sizeof(*rule));
	int r;

	if (!rule || !(rule->name = strdup(section->name)))
		return -ENOMEM;
	if (!command_name_valid(rule->name))
		return conf_section_error(section, NULL, errors,
			"'%s' is not a name of a command (a-z, 0-9, -, _, .; at most 64)",
			rule->name);
	if (manifest->commands.len >= MANIFEST_MAX_COMMANDS)
		return conf_section_error(
			section, NULL, errors, "more than %d commands", MANIFEST_MAX_COMMANDS);
	r = conf_section_parse(section, manifest_command_rows, rule, errors);
	int r2 = check_command(section, rule, errors);
	r = r < 0 ? r : r2;
	r2 = params_parse(section, rule->param_texts, &rule->params, &rule->n_params, errors);
	if (r2 == 0 && rule->argv_text)
		r2 = parse_argv(section, rule, errors);
	r = r < 0 ? r : r2;
	if (r == 0)
		r = map_put(&manifest->commands, rule->name, rule);
	if (r == 0)
		TAKE(rule);
	return r;
}

/* ---- the whole ---- */

static int set_executor(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors)
{
	int r = conf_section_parse(section, manifest_executor_rows, &manifest->executor, errors);

	for (char **p = manifest->executor.locks; p && *p; p++)
		if (!fence_lock_valid(*p))
			r = conf_section_error(section, "locks", errors,
				"'%s' is not a name of a lock (a-z, 0-9, -, _, .; at most %d)", *p,
				FENCE_MAX_NAME_BYTES);
	return r;
}

static int add_section(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors)
{
	static const struct {
		const char *kind;
		int (*add)(struct manifest *manifest, const struct conf_section *section,
			struct conf_errors *errors);
	} kinds[] = {{"unit", add_unit}, {"command", add_command}, {"sql", manifest_add_sql}};

	if (strcmp(section->kind, "executor") == 0)
		return section->name
			       ? conf_section_error(section, NULL, errors, "[executor] has no name")
			       : set_executor(manifest, section, errors);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(section->kind, kinds[i].kind) == 0)
			return section->name ? kinds[i].add(manifest, section, errors)
					     : conf_section_error(section, NULL, errors,
						       "the section needs a name: [%s NAME]",
						       section->kind);
	return conf_section_error(section, NULL, errors,
		"'%s' is not a kind of section here, only [unit NAME], [command NAME], [sql NAME] "
		"and [executor] are",
		section->kind);
}

static int build(
	struct conf_sections *sections, struct conf_errors *errors, struct manifest **ret_manifest)
{
	auto(manifest_free) struct manifest *manifest = calloc(1, sizeof(*manifest));
	int result = 0, r;

	if (!manifest)
		return -ENOMEM;
	VEC_FOREACH (&sections->list, struct conf_section *, section) {
		r = add_section(manifest, section, errors);
		result = r < 0 ? r : result;
	}
	if (result == 0)
		*ret_manifest = TAKE(manifest);
	return result;
}

static int check_owner(
	int dir, const char *name, const char *path, uid_t owner, struct conf_errors *errors)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return conf_errors_add(
			errors, path, 0, -errno, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return conf_errors_add(
			errors, path, 0, -EINVAL, "is neither a plain file nor a folder");
	if (st.st_uid != owner || (st.st_mode & 022))
		return conf_errors_add(errors, path, 0, -EPERM,
			"must belong to root and be writable by nobody else (is uid %u, mode %04o)",
			(unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
	return 0;
}

/* Once the folder is root's alone, its entries cannot be changed between this look and the reading.
 */
static int check_owners(const char *folder, uid_t owner, struct conf_errors *errors)
{
	int result = check_owner(AT_FDCWD, folder, folder, owner, errors);
	DIR *dir = result == 0 ? opendir(folder) : NULL;

	if (!dir)
		return result < 0
			       ? result
			       : conf_errors_add(errors, folder, 0, -errno, "%s", strerror(errno));
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.' || !str_endswith(e->d_name, ".conf"))
			continue;
		auto_free char *path = str_printf("%s/%s", folder, e->d_name);
		int r = path ? check_owner(dirfd(dir), e->d_name, path, owner, errors) : -ENOMEM;
		result = r < 0 ? r : result;
	}
	closedir(dir);
	return result;
}

int manifest_load(
	const char *folder, uid_t owner, struct conf_errors *errors, struct manifest **ret_manifest)
{
	struct conf_sections sections = {0};
	int r = check_owners(folder, owner, errors);

	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = conf_folder_read(folder, &sections, errors);
	/* What was read is checked too, so that one run finds all errors. */
	if (r == 0 || r == -EINVAL) {
		int r2 = build(&sections, errors, ret_manifest);

		if (r < 0 && r2 == 0)
			*ret_manifest = manifest_free(*ret_manifest);
		r = r < 0 ? r : r2;
	}
	conf_sections_clear(&sections);
	return r;
}

int manifest_parse(
	const char *text, size_t len, struct conf_errors *errors, struct manifest **ret_manifest)
{
	struct conf_sections sections = {0};
	int r = conf_text_read("manifest", text, len, &sections, errors);

	if (r == 0)
		r = build(&sections, errors, ret_manifest);
	conf_sections_clear(&sections);
	return r;
}

json_t *manifest_names(const struct map *map)
{
	json_t *names = json_array();

	for (size_t i = 0; i < map->len; i++)
		(void)json_array_append_new(names, json_string(map->slots[i].key));
	return names;
}

json_t *manifest_risks(const struct manifest *manifest)
{
	json_t *risks = json_object();

	MAP_FOREACH (&manifest->commands, const struct command_rule *, rule)
		(void)json_object_set_new(
			risks, rule->name, json_string(exec_risk_names[rule->risk]));
	return risks;
}

static json_t *seconds(usec_t usec)
{
	return json_integer((json_int_t)((usec + USEC_PER_SEC - 1) / USEC_PER_SEC));
}

json_t *manifest_timeouts(const struct manifest *manifest)
{
	json_t *commands = json_object(), *units = json_object();

	MAP_FOREACH (&manifest->commands, const struct command_rule *, command)
		(void)json_object_set_new(commands, command->name, seconds(command->timeout));
	MAP_FOREACH (&manifest->units, const struct unit_rule *, unit)
		(void)json_object_set_new(units, unit->name, seconds(unit->timeout));
	return json_pack("{s:o, s:o}", "commands", commands, "units", units);
}

int command_argv(const struct command_rule *rule, const json_t *args, char ***ret_argv,
	struct tend_error *err)
{
	const struct argv_template template = {.what = "command",
		.name = rule->name,
		.argv = rule->argv,
		.params = rule->params,
		.n_params = rule->n_params};

	return argv_fill(&template, args, rule->uid, ret_argv, err);
}
