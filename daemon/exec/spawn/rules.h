/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/rules.h: what tend-spawn may run, from its own file, which belongs to root:
 * `/etc/tend/spawn.conf` with one section, [spawn]. A program must lie beneath one of the folders,
 * and it and every folder on the way to it must belong to root and be writable by nobody else: then
 * nobody else can swap what was checked before it is started. Frees: spawn_rules_free(). Blocks on
 * small files and on stat().
 */
#ifndef EXEC_SPAWN_RULES_H
#define EXEC_SPAWN_RULES_H

#include <sys/types.h>
#include "base/cleanup.h"
#include "conf/section.h"

struct spawn_rules {
	char **paths;
	int64_t max_programs, max_queue, tasks_max;
	uint64_t memory_max_bytes;
};
extern const struct tend_option spawn_rules_rows[];

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

#endif
