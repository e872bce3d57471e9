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
#include "exec/param.h"

enum exec_verb { EXEC_VERB_START, EXEC_VERB_STOP, EXEC_VERB_RESTART, EXEC_VERB_MAX };
extern const char *const exec_verb_names[EXEC_VERB_MAX + 1];
int exec_verb_from_name(const char *name); /* -ENOENT */

enum {
	MANIFEST_MAX_UNITS = 500,
	MANIFEST_MAX_COMMANDS = 500,
	MANIFEST_MAX_ARGS = 64,
	MANIFEST_MAX_PARAMS = 16,
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

struct manifest {
	struct map units, commands; /* struct unit_rule *, struct command_rule *, by name */
};

extern const struct tend_option manifest_unit_rows[], manifest_command_rows[];

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
/* What is executed for `args` (a JSON object with a value for every parameter). -EINVAL or the
 * error of a path, with a text; strv_free(). */
int command_argv(const struct command_rule *rule, const json_t *args, char ***ret_argv,
	struct tend_error *err);

#endif
