/* SPDX-License-Identifier: MIT */
/*
 * api/role.h: who may do what. Users and @groups of [daemon] admins, operators and viewers are
 * looked up once, when the configuration is applied (the name service may block, so never for a
 * request); role_of() is pure. root is admin; group tend alone is viewer; the daemon's own uids
 * (tend, tend-probe) are viewers at most, so that what runs as them cannot act through us. Nothing
 * here fails hard: a name nobody has gives a warning and no role.
 */
#ifndef API_ROLE_H
#define API_ROLE_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/vec.h"

struct conf_daemon;

enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLE_MAX };
extern const char *const role_names[ROLE_MAX];

struct role_entry {
	bool group;
	unsigned id; /* uid or gid */
	enum role role;
};

struct role_table {
	struct role_entry *entries;
	size_t n_entries;
	uid_t capped[3]; /* viewers at most */
	size_t n_capped;
};

enum { ROLE_MAX_GROUPS = 1024, ROLE_USER_BYTES = 64 };

/* -ENOMEM; unknown names are logged and left out. */
int role_table_build(const struct conf_daemon *conf, struct role_table *ret_table);
void role_table_clear(struct role_table *table);

enum role role_of(
	const struct role_table *table, uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups);

/* The user's name for timelines and logs: "alice", or "uid 1007" when nobody knows it. Asks the
 * name service: only for a peer that may act, of whom there are few. */
void role_user_name(uid_t uid, char buf[ROLE_USER_BYTES]);

#endif
