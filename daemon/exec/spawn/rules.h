/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/rules.h: what tend-spawn may run, from its own file, which belongs to root:
 * `/etc/tend/spawn.conf`: folders in [spawn], whose programs are run with any arguments (checks),
 * and [command NAME], whose command lines are root's but for typed parameters (receivers). A
 * program and every folder on the way to it must belong to root and be writable by nobody else:
 * then nobody else can swap what was checked before it is started. Frees: spawn_rules_free().
 * Blocks on small files and on stat().
 */
#ifndef EXEC_SPAWN_RULES_H
#define EXEC_SPAWN_RULES_H

#include <sys/types.h>
#include "base/cleanup.h"
#include "base/map.h"
#include "conf/section.h"
#include "exec/argv.h"

enum { SPAWN_MAX_COMMANDS = 200 };

struct spawn_command { /* [command NAME] */
	char *name;
	char *argv_text;
	char **argv; /* "{x}" stands for the parameter x */
	char **param_texts;
	struct param *params;
	size_t n_params;
};

struct spawn_rules {
	char **paths;
	int64_t max_programs, max_queue, tasks_max;
	uint64_t memory_max_bytes;
	struct map commands; /* struct spawn_command *, by name */
};
extern const struct tend_option spawn_rules_rows[], spawn_command_rows[];

/* A file that is not there gives the defaults; one that is must be `owner`'s (root's) alone. */
int spawn_rules_load(
	const char *path, uid_t owner, struct conf_errors *errors, struct spawn_rules **ret_rules);
int spawn_rules_parse(
	const char *text, size_t len, struct conf_errors *errors, struct spawn_rules **ret_rules);
struct spawn_rules *spawn_rules_free(struct spawn_rules *rules);
DEFINE_AUTO(struct spawn_rules *, spawn_rules_free)

/* -EPERM: not beneath a folder of the list, or somebody could swap it; -ENOENT; -EACCES: it is not
 * executable. */
int spawn_rules_check(const struct spawn_rules *rules, const char *program, struct tend_error *err);
/* The command line of [command NAME] with `args` (an object) filled in; strv_free(). -EPERM: there
 * is no such command, or not with these values; else as spawn_rules_check(), but that the program
 * may lie anywhere, as root has named it. */
int spawn_rules_fill(const struct spawn_rules *rules, const char *name, const json_t *args,
	char ***ret_argv, struct tend_error *err);

#endif
