/* SPDX-License-Identifier: MIT */
/*
 * store/prune.c: what goes, and when: one table of rules, one row a table. A step is one rule in a
 * transaction of its own, of so many rows that its SQL takes a millisecond or two: what is queued
 * meanwhile waits no longer than that. Records go by their kind, one scope a step, because each
 * keeps its newest ones.
 */
#include <assert.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "store/private.h"

enum { LIMIT_MIN = 4, LIMIT_START = 32, LIMIT_MAX = 500 };
#define STEP_SHORT_USEC (USEC_PER_MSEC)
#define STEP_LONG_USEC	(3 * USEC_PER_MSEC)
/* A year without a tick is no sign that a schedule is gone: some come on 29 February. */
#define KEEP_SCHEDULES_USEC (5 * 366 * 86400 * USEC_PER_SEC)

const struct store_retention store_retention_default = {
	.notices = 30 * 86400 * USEC_PER_SEC,
	.history = 90 * 86400 * USEC_PER_SEC,
	.records = 400 * 86400 * USEC_PER_SEC,
	.n_records = 10000,
};

enum keep { KEEP_ALWAYS, KEEP_NOTICES, KEEP_HISTORY, KEEP_SCHEDULES };

/* ?1: everything until then is old; ?2: at most so many rows. Children before parents, so that
 * nothing is left behind that nobody finds. The oldest first, by an index each. */
static const struct rule {
	const char *table;
	enum keep keep;
	const char *sql;
} rules[] = {
	{"delivery", KEEP_NOTICES,
		"DELETE FROM delivery WHERE (notice, receiver) IN (SELECT d.notice, d.receiver "
		"FROM notice n JOIN delivery d ON d.notice = n.id WHERE n.at < ?1 "
		"AND d.state <> 'waiting' AND NOT EXISTS (SELECT 1 FROM incident i "
		"WHERE i.id = n.incident AND i.closed IS NULL) LIMIT ?2)"},
	{"notice", KEEP_NOTICES,
		"DELETE FROM notice WHERE id IN (SELECT id FROM notice n WHERE n.at < ?1 AND NOT "
		"EXISTS (SELECT 1 FROM delivery d WHERE d.notice = n.id) LIMIT ?2)"},
	{"timeline", KEEP_HISTORY,
		"DELETE FROM timeline WHERE (incident, seq) IN (SELECT t.incident, t.seq FROM "
		"incident i JOIN timeline t ON t.incident = i.id WHERE i.closed < ?1 LIMIT ?2)"},
	/* Of one that stays open nobody is shown more than the newest thousand. */
	{"timeline", KEEP_ALWAYS,
		"DELETE FROM timeline WHERE (incident, seq) IN (SELECT t.incident, t.seq FROM "
		"incident i JOIN timeline t ON t.incident = i.id WHERE i.closed IS NULL AND "
		"t.seq <= (SELECT max(seq) FROM timeline WHERE incident = i.id) - 1000 LIMIT ?2)"},
	{"incident", KEEP_HISTORY,
		"DELETE FROM incident WHERE id IN (SELECT id FROM incident i WHERE closed < ?1 AND "
		"NOT EXISTS (SELECT 1 FROM timeline t WHERE t.incident = i.id) LIMIT ?2)"},
	/* Whatever has ended so long ago was started before: that has the index. */
	{"step", KEEP_HISTORY,
		"DELETE FROM step WHERE rowid IN (SELECT s.rowid FROM run r JOIN step s ON "
		"s.run = r.id WHERE r.started < ?1 AND r.ended < ?1 LIMIT ?2)"},
	{"run", KEEP_HISTORY,
		"DELETE FROM run WHERE id IN (SELECT id FROM run r WHERE started < ?1 AND "
		"ended < ?1 AND NOT EXISTS (SELECT 1 FROM step s WHERE s.run = r.id) LIMIT ?2)"},
	{"action", KEEP_HISTORY,
		"DELETE FROM action WHERE rowid IN (SELECT rowid FROM action WHERE at < ?1 "
		"LIMIT ?2)"},
	{"approval_vote", KEEP_HISTORY,
		"DELETE FROM approval_vote WHERE (approval, author) IN (SELECT v.approval, "
		"v.author FROM approval a JOIN approval_vote v ON v.approval = a.id "
		"WHERE a.created < ?1 AND a.ended < ?1 LIMIT ?2)"},
	{"approval", KEEP_HISTORY,
		"DELETE FROM approval WHERE id IN (SELECT id FROM approval a WHERE created < ?1 "
		"AND ended < ?1 AND NOT EXISTS (SELECT 1 FROM approval_vote v "
		"WHERE v.approval = a.id) LIMIT ?2)"},
	/* The texts of policies that no run names any more. */
	{"source", KEEP_ALWAYS,
		"DELETE FROM source WHERE hash IN (SELECT hash FROM source s WHERE "
		"NOT EXISTS (SELECT 1 FROM run WHERE source = s.hash) AND "
		"NOT EXISTS (SELECT 1 FROM run WHERE library = s.hash) LIMIT ?2)"},
	{"schedule", KEEP_SCHEDULES,
		"DELETE FROM schedule WHERE (policy, target) IN (SELECT policy, target FROM "
		"schedule WHERE last < ?1 LIMIT ?2)"},
	/* No strikes are no row. */
	{"strike", KEEP_ALWAYS,
		"DELETE FROM strike WHERE policy IN (SELECT policy FROM strike WHERE n = 0 AND "
		"disabled_at IS NULL LIMIT ?2)"},
};

/* ---- records ----------------------------------------------------------------------------------
 */

/* ?1 old, ?2 rows, ?3 kind, ?4 scope, ?5 the newest that stay whatever their age. */
#define RECORDS_OF "DELETE FROM record WHERE kind = ?3 AND scope = ?4 AND key IN (" OF_SCOPE
#define OF_SCOPE   "SELECT key FROM record WHERE kind = ?3 AND scope = ?4 AND "
/* Older than the newest ?5 of the scope. */
#define NOT_NEWEST                                                                                 \
	"at < coalesce((SELECT at FROM record WHERE kind = ?3 AND scope = ?4 ORDER BY at DESC "    \
	"LIMIT 1 OFFSET ?5 - 1), -1)"
#define OLDEST " ORDER BY at LIMIT ?2)"

enum { EVIDENCE_NEWEST = 100 };
static const char plain_records[] =
	RECORDS_OF "at < max(?1, coalesce((SELECT at FROM record WHERE kind = ?3 AND scope = ?4 "
		   "ORDER BY at DESC LIMIT 1 OFFSET ?5 - 1), ?1))" OLDEST;
/* Evidence: the newest of a scope stay for ever, and so does what is still true. */
static const struct {
	const char *kind, *sql;
} evidence[] = {
	{"backup", RECORDS_OF "at < ?1 AND " NOT_NEWEST OLDEST},
	{"finding", RECORDS_OF "at < ?1 AND " NOT_NEWEST
			       " AND json_extract(doc_json, '$.value.state') = 'closed'" OLDEST},
	{"exception", RECORDS_OF "at < ?1 AND " NOT_NEWEST
				 " AND json_extract(doc_json, '$.value.until_date') < "
				 "date(?1 / 1000000, 'unixepoch')" OLDEST},
	/* What later looks are compared with, until a policy removes it. */
	{"baseline", NULL},
	/* One a window: that it opened is told once. */
	{"window-opened", NULL},
};

static const char *records_sql(const char *kind, int64_t n_records, int64_t *ret_newest)
{
	for (size_t i = 0; i < ARRAY_SIZE(evidence); i++) {
		if (strcmp(evidence[i].kind, kind) == 0) {
			*ret_newest = EVIDENCE_NEWEST;
			return evidence[i].sql;
		}
	}
	*ret_newest = n_records;
	return plain_records;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

static int64_t old_by(enum keep keep, const struct store_retention *retention, int64_t now)
{
	usec_t spans[] = {
		[KEEP_ALWAYS] = 0,
		[KEEP_NOTICES] = retention->notices,
		[KEEP_HISTORY] = retention->history,
		[KEEP_SCHEDULES] = KEEP_SCHEDULES_USEC,
	};

	return now - (int64_t)spans[keep];
}

static int run_delete(sqlite3 *db, sqlite3_stmt *stmt, int *ret_deleted)
{
	int r = sqlite_errno(db, sqlite3_step(stmt));

	if (r == 0)
		*ret_deleted = sqlite3_changes(db);
	(void)sqlite3_finalize(stmt);
	return r;
}

static int delete_by_rule(sqlite3 *db, const struct pruner *p,
	const struct store_retention *retention, int64_t now, int *ret_deleted)
{
	const struct rule *rule = &rules[p->rule];
	sqlite3_stmt *stmt = NULL;
	int r = sqlite_errno(db, sqlite3_prepare_v2(db, rule->sql, -1, &stmt, NULL));

	if (r < 0)
		return r;
	if (sqlite3_bind_parameter_index(stmt, "?1") > 0)
		(void)sqlite3_bind_int64(stmt, 1, old_by(rule->keep, retention, now));
	(void)sqlite3_bind_int(stmt, 2, p->limit);
	return run_delete(db, stmt, ret_deleted);
}

static char *copy_column(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return strdup(text ? (const char *)text : "");
}

/* The kind and scope after the one that was done. 1: there is one, 0: that was the last. */
static int next_scope(sqlite3 *db, struct pruner *p)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db,
		"SELECT kind, scope FROM record WHERE (kind, scope) > (?1, ?2) "
		"ORDER BY kind, scope LIMIT 1",
		-1, &stmt, NULL);
	int r = sqlite_errno(db, code);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(stmt, 1, p->kind ? p->kind : "", -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(stmt, 2, p->scope ? p->scope : "", -1, SQLITE_TRANSIENT);
	code = sqlite3_step(stmt);
	r = sqlite_errno(db, code);
	free(TAKE(p->kind));
	free(TAKE(p->scope));
	if (code == SQLITE_ROW) {
		p->kind = copy_column(stmt, 0);
		p->scope = copy_column(stmt, 1);
		r = p->kind && p->scope ? 1 : -ENOMEM;
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

static int delete_records(sqlite3 *db, const struct pruner *p,
	const struct store_retention *retention, int64_t now, int *ret_deleted)
{
	int64_t newest;
	const char *sql = records_sql(p->kind, retention->n_records, &newest);
	sqlite3_stmt *stmt = NULL;
	int r;

	*ret_deleted = 0;
	if (!sql)
		return 0;
	r = sqlite_errno(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(stmt, 1, now - (int64_t)retention->records);
	(void)sqlite3_bind_int(stmt, 2, p->limit);
	(void)sqlite3_bind_text(stmt, 3, p->kind, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(stmt, 4, p->scope, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(stmt, 5, newest);
	return run_delete(db, stmt, ret_deleted);
}

/* By how long the last step took. */
static void adapt(struct pruner *p, usec_t took)
{
	if (took > STEP_LONG_USEC)
		p->limit = MAX(p->limit / 2, LIMIT_MIN);
	else if (took < STEP_SHORT_USEC)
		p->limit = MIN(p->limit * 2, LIMIT_MAX);
}

/* Of records the cursor moves when a scope has no more; a round ends behind the last one. */
static int advance(sqlite3 *db, struct pruner *p)
{
	int r;

	if (p->rule < ARRAY_SIZE(rules) && ++p->rule < ARRAY_SIZE(rules))
		return 1;
	r = next_scope(db, p);
	if (r <= 0)
		p->rule = 0;
	return r;
}

static int delete_some(sqlite3 *db, struct pruner *p, const struct store_retention *retention,
	int64_t now, int *ret_deleted)
{
	usec_t began = clock_now();
	int r = database_exec(db, "BEGIN IMMEDIATE", NULL);

	if (r < 0)
		return r;
	r = p->rule < ARRAY_SIZE(rules) ? delete_by_rule(db, p, retention, now, ret_deleted)
					: delete_records(db, p, retention, now, ret_deleted);
	adapt(p, clock_now() - began);
	if (r == 0)
		r = database_exec(db, "COMMIT", NULL);
	if (r < 0 && !sqlite3_get_autocommit(db))
		(void)database_exec(db, "ROLLBACK", NULL);
	return r;
}

int pruner_step(sqlite3 *db, struct pruner *p, const struct store_retention *retention, int64_t now)
{
	int r, limit, deleted = 0;

	if (p->limit == 0)
		p->limit = LIMIT_START;
	limit = p->limit;
	r = delete_some(db, p, retention, now, &deleted);
	p->n_deleted += (uint64_t)deleted;
	if (r == 0)
		r = deleted >= limit ? 1 : advance(db, p);
	if (r < 0)
		pruner_clear(p);
	return r;
}

void pruner_clear(struct pruner *p)
{
	free(p->kind);
	free(p->scope);
	*p = (struct pruner){.n_deleted = p->n_deleted};
}
