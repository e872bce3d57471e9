/* SPDX-License-Identifier: MIT */
#include "api/role.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/conf.h"

const char *const role_names[ROLE_MAX] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};

enum { ROLE_MAX_ENTRIES = 1024 };

void role_table_clear(struct role_table *table)
{
	free(table->entries);
	*table = (struct role_table){0};
}

static int table_add(struct role_table *table, bool group, unsigned id, enum role role)
{
	struct role_entry *p;

	if (table->n_entries >= ROLE_MAX_ENTRIES)
		return -ENOBUFS;
	p = reallocarray(table->entries, table->n_entries + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	table->entries = p;
	p[table->n_entries++] = (struct role_entry){.group = group, .id = id, .role = role};
	return 0;
}

/* "alice", "@crm-admins", "1007" or "@1007". */
static int name_lookup(const char *name, bool *ret_group, unsigned *ret_id)
{
	bool group = *name == '@';
	const char *plain = name + group;
	char *end;
	unsigned long number;

	if (group) {
		const struct group *g = getgrnam(plain);

		if (g) {
			*ret_group = true;
			*ret_id = g->gr_gid;
			return 0;
		}
	} else {
		const struct passwd *p = getpwnam(plain);

		if (p) {
			*ret_group = false;
			*ret_id = p->pw_uid;
			return 0;
		}
	}
	errno = 0;
	number = strtoul(plain, &end, 10);
	if (errno || *end || end == plain || *plain == '-' || number >= UINT32_MAX)
		return -ENOENT;
	*ret_group = group;
	*ret_id = (unsigned)number;
	return 0;
}

static int table_add_names(struct role_table *table, char *const *names, enum role role)
{
	for (; names && *names; names++) {
		unsigned id = 0;
		bool group = false;
		int r = name_lookup(*names, &group, &id);

		if (r < 0) {
			log_warning("api: [daemon] %ss: there is no %s '%s', nobody gets the role",
				role_names[role], **names == '@' ? "group" : "user", *names);
			continue;
		}
		r = table_add(table, group, id, role);
		if (r < 0)
			return r;
	}
	return 0;
}

static void table_cap(struct role_table *table, uid_t uid)
{
	if (uid != 0 && table->n_capped < ARRAY_SIZE(table->capped))
		table->capped[table->n_capped++] = uid;
}

int role_table_build(const struct conf_daemon *conf, struct role_table *ret_table)
{
	struct role_table table = {0};
	static const char *const own[] = {"tend", "tend-probe"};
	int r;

	table_cap(&table, geteuid());
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		const struct passwd *p = getpwnam(own[i]);

		if (p)
			table_cap(&table, p->pw_uid);
	}
	r = table_add_names(&table, conf->viewers, ROLE_VIEWER);
	if (r == 0)
		r = table_add_names(&table, conf->operators, ROLE_OPERATOR);
	if (r == 0)
		r = table_add_names(&table, conf->admins, ROLE_ADMIN);
	if (r < 0) {
		role_table_clear(&table);
		return r;
	}
	*ret_table = table;
	return 0;
}

static bool entry_matches(
	const struct role_entry *e, uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups)
{
	if (!e->group)
		return e->id == uid;
	if (e->id == gid)
		return true;
	for (size_t i = 0; i < n_groups; i++)
		if (groups[i] == e->id)
			return true;
	return false;
}

enum role role_of(
	const struct role_table *table, uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups)
{
	enum role role = ROLE_NONE;

	if (uid == 0)
		return ROLE_ADMIN;
	for (size_t i = 0; i < table->n_entries; i++)
		if (table->entries[i].role > role &&
			entry_matches(&table->entries[i], uid, gid, groups, n_groups))
			role = table->entries[i].role;
	for (size_t i = 0; i < table->n_capped; i++)
		if (table->capped[i] == uid && role > ROLE_VIEWER)
			role = ROLE_VIEWER;
	return role;
}

void role_user_name(uid_t uid, char buf[ROLE_USER_BYTES])
{
	const struct passwd *p = uid == 0 ? NULL : getpwuid(uid);

	if (uid == 0)
		(void)snprintf(buf, ROLE_USER_BYTES, "root");
	else if (p)
		str_sanitize(buf, ROLE_USER_BYTES, p->pw_name, strlen(p->pw_name));
	else
		(void)snprintf(buf, ROLE_USER_BYTES, "uid %u", (unsigned)uid);
}
