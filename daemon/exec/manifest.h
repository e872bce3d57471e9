/* SPDX-License-Identifier: MIT */
/*
 * exec/manifest.h: what tend-exec may do: the closed list of units and commands in the files of
 * commands.d. The folder and its files must belong to root and be writable by nobody else, else
 * nothing is allowed. Reference-free and immutable; manifest_free(). Loading blocks on small files;
 * every error is given with file:line.
 */
#ifndef EXEC_MANIFEST_H
#define EXEC_MANIFEST_H

#include <jansson.h>
#include <sys/types.h>
#include <tend/option.h>
#include "base/map.h"
#include "conf/errors.h"
#include "exec/argv.h"

enum exec_verb {
	EXEC_VERB_START,
	EXEC_VERB_STOP,
	EXEC_VERB_RESTART,
	EXEC_VERB_RELOAD,
	EXEC_VERB_MAX
};
extern const char *const exec_verb_names[EXEC_VERB_MAX + 1];
int exec_verb_from_name(const char *name); /* -ENOENT */

/* What a command or a statement may do to what it is run on: how careful tendd is with it. */
enum exec_risk { EXEC_RISK_OBSERVE, EXEC_RISK_CHANGE, EXEC_RISK_DESTROY, EXEC_RISK_MAX };
extern const char *const exec_risk_names[EXEC_RISK_MAX + 1];

enum {
	MANIFEST_MAX_UNITS = 500,
	MANIFEST_MAX_COMMANDS = 500,
	MANIFEST_MAX_SQL = 200,
	MANIFEST_MAX_NAME_BYTES = 200,
};

struct unit_rule { /* [unit NAME] */
	char *name;
	char **allow;
	unsigned verbs; /* bit by enum exec_verb */
	int64_t max_per_hour;
	usec_t timeout;
};

struct command_rule { /* [command NAME] */
	char *name;
	char *argv_text;
	char **argv; /* argv[0] is the path; "{x}" stands for the parameter x */
	char *user;
	uid_t uid;
	int risk; /* enum exec_risk */
	bool concurrent;
	usec_t timeout;
	int64_t max_per_hour;
	uint64_t memory_max_bytes;
	int64_t tasks_max;
	uint64_t output_max_bytes;
	char **writable; /* folders; everything else is read-only for the command */
	char **param_texts;
	struct param *params;
	size_t n_params;
};

struct sql_rule { /* [sql NAME] */
	char *name;
	char *text;	 /* as written, with {NAME} for parameters */
	char *statement; /* the same with $1, $2, ... in the order of params */
	int risk;
	char **components; /* globs over SYSTEM/COMPONENT; NULL = all */
	int64_t max_rows;  /* affected; 0 = no limit, because it is no transaction */
	int64_t max_per_hour;
	usec_t lock_timeout;
	bool repeatable, transaction;
	char **param_texts;
	struct param *params; /* no paths */
	size_t n_params;
};

struct executor_rule { /* [executor], at most once */
	int fencing;
	char **locks; /* the only ones that count; NULL = any */
};
enum { FENCING_OPTIONAL, FENCING_REQUIRED, FENCING_MAX };

struct manifest {
	struct map units, commands; /* struct unit_rule *, struct command_rule *, by name */
	struct map sql;		    /* struct sql_rule *, by name */
	struct executor_rule executor;
};

extern const struct tend_option manifest_unit_rows[], manifest_command_rows[], manifest_sql_rows[],
	manifest_executor_rows[];

/* `owner` is who the files must belong to: 0, but in tests. 0, -EINVAL with `errors`, -ENOMEM. */
int manifest_load(const char *folder, uid_t owner, struct conf_errors *errors,
	struct manifest **ret_manifest);
/* The same from text, for tests. */
int manifest_parse(
	const char *text, size_t len, struct conf_errors *errors, struct manifest **ret_manifest);
struct manifest *manifest_free(struct manifest *manifest);
DEFINE_AUTO(struct manifest *, manifest_free)

/* The names of one of the maps, for hello. */
json_t *manifest_names(const struct map *map);
json_t *manifest_risks(const struct manifest *manifest); /* of the commands: {NAME: "change"} */
/* How long each may take: {"commands":{NAME:SECONDS},"units":{...}}. */
json_t *manifest_timeouts(const struct manifest *manifest);
json_t *manifest_sql(const struct manifest *manifest); /* what a policy must know of each */
/* The parameters' values as texts in the order of $1, $2, ...; a JSON array. -EINVAL with a text.
 */
int sql_values(const struct sql_rule *rule, const json_t *args, json_t **ret_values,
	struct tend_error *err);
bool sql_allowed_on(const struct sql_rule *rule, const char *component);
/* What is executed for `args` (a JSON object with a value for every parameter). -EINVAL or the
 * error of a path, with a text; strv_free(). */
int command_argv(const struct command_rule *rule, const json_t *args, char ***ret_argv,
	struct tend_error *err);

#endif
