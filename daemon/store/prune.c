/* SPDX-License-Identifier: MIT */
/*
 * store/prune.c: what goes, and when: one table of rules, and the kinds of records. A step looks at
 * the next few rows of an index, from its old end on, and deletes those that may go, in a
 * transaction of its own: what is queued meanwhile waits a millisecond or two, however large the
 * table is and however many of its old rows must stay. Nobody is promised that a deletion is on
 * the disk: it goes there with the next commit.
 */
#include <assert.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "store/private.h"

enum { LIMIT_MIN = 4, LIMIT_START = 32, LIMIT_MAX = 200, COUNT_MAX = 1000 };
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

/* ?1, ?2: where the last step ended; ?3, ?4: where this one ends; ?5: from then on nothing is old;
 * ?6: at most so many rows. */
#define WINDOW(t, at)                                                                              \
	"(" t at ", " t "rowid) > (?1, ?2) AND (" t at ", " t "rowid) <= (?3, ?4) AND " t at " < " \
	"?5"
#define END(table, index, at)                                                                      \
	"SELECT " at ", rowid FROM " table " INDEXED BY " index " WHERE (" at                      \
	", rowid) > (?1, ?2) AND " at " < ?5"
#define NTH(at) " ORDER BY " at ", rowid LIMIT 1 OFFSET ?6 - 1"
#define INCIDENT_OVER                                                                              \
	" AND NOT EXISTS (SELECT 1 FROM incident i WHERE i.id = n.incident AND i.closed IS NULL)"

/* The rows of one table by their age, with those of another one that belong to them: these go
 * first, so that nothing is left behind that nobody finds. */
static const struct rule {
	enum keep keep;
	const char *end, *children, *rows;
} rules[] = {
	{KEEP_NOTICES, END("notice", "notice_at", "at") NTH("at"),
		"DELETE FROM delivery WHERE (notice, receiver) IN (SELECT d.notice, d.receiver "
		"FROM notice n INDEXED BY notice_at CROSS JOIN delivery d ON d.notice = n.id "
		"WHERE " WINDOW("n.", "at") " AND d.state <> 'waiting'" INCIDENT_OVER " LIMIT ?6)",
		"DELETE FROM notice WHERE id IN (SELECT id FROM notice n INDEXED BY notice_at "
		"WHERE " WINDOW("n.", "at") INCIDENT_OVER " AND NOT EXISTS (SELECT 1 FROM "
							  "delivery d WHERE d.notice = n.id))"},
	{KEEP_HISTORY,
		END("incident", "incident_closed", "closed") " AND closed IS NOT NULL" NTH(
			"closed"),
		"DELETE FROM timeline WHERE (incident, seq) IN (SELECT t.incident, t.seq FROM "
		"incident i INDEXED BY incident_closed CROSS JOIN timeline t ON t.incident = i.id "
		"WHERE " WINDOW("i.", "closed") " AND i.closed IS NOT NULL LIMIT ?6)",
		"DELETE FROM incident WHERE id IN (SELECT id FROM incident i INDEXED BY "
		"incident_closed WHERE " WINDOW("i.",
			"closed") " AND i.closed IS NOT NULL AND "
				  "NOT EXISTS (SELECT 1 FROM timeline t WHERE t.incident = i.id))"},
	/* Of one that stays open nobody is shown more than the newest thousand lines. */
	{KEEP_ALWAYS,
		END("incident", "incident_open", "opened") " AND closed IS NULL" NTH("opened"),
		"DELETE FROM timeline WHERE (incident, seq) IN (SELECT t.incident, t.seq FROM "
		"incident i INDEXED BY incident_open CROSS JOIN timeline t ON t.incident = i.id "
		"AND t.seq <= (SELECT max(seq) FROM timeline WHERE incident = i.id) - 1000 "
		"WHERE " WINDOW("i.", "opened") " AND i.closed IS NULL LIMIT ?6)",
		NULL},
	/* Whatever has ended so long ago was started before: that has the index. */
	{KEEP_HISTORY, END("run", "run_started", "started") NTH("started"),
		"DELETE FROM step WHERE rowid IN (SELECT s.rowid FROM run r INDEXED BY run_started "
		"CROSS JOIN step s ON s.run = r.id WHERE " WINDOW(
			"r.", "started") " AND r.ended < ?5 LIMIT ?6)",
		"DELETE FROM run WHERE id IN (SELECT id FROM run r INDEXED BY run_started "
		"WHERE " WINDOW("r.", "started") " AND r.ended < ?5 AND NOT EXISTS (SELECT 1 FROM "
						 "step s WHERE s.run = r.id))"},
	{KEEP_HISTORY, END("action", "action_at", "at") NTH("at"), NULL,
		"DELETE FROM action INDEXED BY action_at WHERE " WINDOW("", "at")},
	{KEEP_HISTORY, END("approval", "approval_created", "created") NTH("created"),
		"DELETE FROM approval_vote WHERE (approval, author) IN (SELECT v.approval, "
		"v.author FROM approval a INDEXED BY approval_created CROSS JOIN approval_vote v "
		"ON v.approval = a.id WHERE " WINDOW("a.", "created") " AND a.ended < ?5 LIMIT ?6)",
		"DELETE FROM approval WHERE id IN (SELECT id FROM approval a INDEXED BY "
		"approval_created WHERE " WINDOW(
			"a.", "created") " AND a.ended < ?5 AND NOT "
					 "EXISTS (SELECT 1 FROM approval_vote v WHERE v.approval = "
					 "a.id))"},
	/* The texts of policies that no run names any more, in the order they came. */
	{KEEP_ALWAYS,
		"SELECT 0, rowid FROM source WHERE rowid > ?2 ORDER BY rowid LIMIT 1 OFFSET ?6 - 1",
		NULL,
		"DELETE FROM source WHERE rowid > ?2 AND rowid <= ?4 AND NOT EXISTS (SELECT 1 "
		"FROM run WHERE run.source = source.hash) AND NOT EXISTS (SELECT 1 FROM run WHERE "
		"library = source.hash)"},
	{KEEP_SCHEDULES, NULL, NULL,
		"DELETE FROM schedule WHERE (policy, target) IN (SELECT policy, target FROM "
		"schedule INDEXED BY schedule_last WHERE last < ?5 ORDER BY last LIMIT ?6)"},
	{KEEP_HISTORY, NULL, NULL,
		"DELETE FROM feedback WHERE id IN (SELECT id FROM feedback WHERE at < ?5 ORDER BY "
		"at LIMIT ?6)"},
	/* The last one before the limit says what held then; that of a component which was gone by
	 * then, and never came back, says nothing. */
	{KEEP_HISTORY, NULL, NULL,
		"DELETE FROM component_state WHERE (component, at) IN (SELECT component, at FROM "
		"component_state c INDEXED BY component_state_at WHERE at < ?5 AND (EXISTS (SELECT "
		"1 FROM component_state n WHERE n.component = c.component AND n.at > c.at AND n.at "
		"<= ?5) OR (state = 'unmonitored' AND NOT EXISTS (SELECT 1 FROM component_state n "
		"WHERE n.component = c.component AND n.at > c.at))) ORDER BY at LIMIT ?6)"},
	{KEEP_NOTICES, NULL, NULL,
		"DELETE FROM try WHERE (shipment, receiver, slot) IN (SELECT shipment, receiver, "
		"slot FROM try t INDEXED BY try_at WHERE at < ?5 AND NOT EXISTS (SELECT 1 FROM "
		"delivery d WHERE d.notice = t.shipment AND d.receiver = t.receiver) AND NOT "
		"EXISTS (SELECT 1 FROM delivery d WHERE d.batch = t.shipment) ORDER BY at "
		"LIMIT ?6)"},
	/* No strikes are no row. */
	{KEEP_ALWAYS, NULL, NULL,
		"DELETE FROM strike WHERE policy IN (SELECT policy FROM strike INDEXED BY "
		"strike_none WHERE n = 0 AND disabled_at IS NULL LIMIT ?6)"},
};

/* ---- statements -------------------------------------------------------------------------------
 */

enum { FROM_AT = 1, FROM_ID, TO_AT, TO_ID, OLD, LIMIT, KIND, SCOPE, UNTIL };

static void bind_int(sqlite3_stmt *stmt, int parameter, int64_t value)
{
	if (sqlite3_bind_parameter_count(stmt) >= parameter)
		(void)sqlite3_bind_int64(stmt, parameter, value);
}

static void bind_text(sqlite3_stmt *stmt, int parameter, const char *text)
{
	if (sqlite3_bind_parameter_count(stmt) >= parameter)
		(void)sqlite3_bind_text(stmt, parameter, text ? text : "", -1, SQLITE_TRANSIENT);
}

static int delete_rows(sqlite3 *db, sqlite3_stmt *stmt, int *ret_deleted)
{
	int r = sqlite_errno(db, sqlite3_step(stmt));

	if (r == 0)
		*ret_deleted = sqlite3_changes(db);
	(void)sqlite3_finalize(stmt);
	return r;
}

/* The text of a column, in the place of the one that was there. */
static int take_column(sqlite3_stmt *stmt, int column, char **text)
{
	const unsigned char *value = sqlite3_column_text(stmt, column);
	char *copy = strdup(value ? (const char *)value : "");

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

/* ---- tables -----------------------------------------------------------------------------------
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

struct window {
	int64_t old, to_at, to_id;
	bool last;
};

static int prepare_rule(sqlite3 *db, const struct pruner *p, const struct window *window,
	const char *sql, sqlite3_stmt **ret_stmt)
{
	int r = sqlite_errno(db, sqlite3_prepare_v2(db, sql, -1, ret_stmt, NULL));

	if (r < 0)
		return r;
	bind_int(*ret_stmt, FROM_AT, p->at);
	bind_int(*ret_stmt, FROM_ID, p->id);
	bind_int(*ret_stmt, TO_AT, window->to_at);
	bind_int(*ret_stmt, TO_ID, window->to_id);
	bind_int(*ret_stmt, OLD, window->old);
	bind_int(*ret_stmt, LIMIT, p->limit);
	return 0;
}

static int rule_window(sqlite3 *db, const struct pruner *p, const char *sql, struct window *window)
{
	sqlite3_stmt *stmt = NULL;
	int code, r;

	window->to_at = window->old;
	window->to_id = INT64_MAX;
	window->last = true;
	r = sql ? prepare_rule(db, p, window, sql, &stmt) : 0;
	if (!stmt)
		return r;
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		window->to_at = sqlite3_column_int64(stmt, 0);
		window->to_id = sqlite3_column_int64(stmt, 1);
		window->last = false;
	}
	(void)sqlite3_finalize(stmt);
	return sqlite_errno(db, code);
}

static int delete_by_rule(sqlite3 *db, const struct pruner *p, const struct window *window,
	const char *sql, int *ret_deleted)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	*ret_deleted = 0;
	if (!sql)
		return 0;
	r = prepare_rule(db, p, window, sql, &stmt);
	return r < 0 ? r : delete_rows(db, stmt, ret_deleted);
}

/* 1: there is more of this table. */
static int prune_table(
	sqlite3 *db, struct pruner *p, const struct store_retention *retention, int64_t now)
{
	const struct rule *rule = &rules[p->rule];
	struct window window = {.old = old_by(rule->keep, retention, now)};
	int n_children = 0, n_rows = 0;
	int r = rule_window(db, p, rule->end, &window);

	if (r == 0)
		r = delete_by_rule(db, p, &window, rule->children, &n_children);
	if (r == 0)
		r = delete_by_rule(db, p, &window, rule->rows, &n_rows);
	if (r < 0)
		return r;
	p->n_deleted += (uint64_t)(n_children + n_rows);
	if (n_children == p->limit || (!rule->end && n_rows == p->limit))
		return 1; /* the same window again: there may be more of its children */
	p->at = window.to_at;
	p->id = window.to_id;
	return window.last ? 0 : 1;
}

/* ---- records ----------------------------------------------------------------------------------
 */

#define OF_SCOPE " FROM record INDEXED BY record_at WHERE kind = ?7 AND scope = ?8 AND "
#define DELETE_IF(condition)                                                                       \
	"DELETE" OF_SCOPE "(at, key) > (?1, ?2) AND (at, key) <= (?3, ?4) AND at < ?5" condition

enum { EVIDENCE_NEWEST = 100 };
static const char delete_plain[] = DELETE_IF("");
/* Evidence: the newest of a scope stay for ever, and so does what is still true. */
static const struct evidence {
	const char *kind, *sql; /* NULL: never */
} evidence[] = {
	{"backup", delete_plain},
	{"finding", DELETE_IF(" AND json_extract(doc_json, '$.value.state') = 'closed'")},
	{"exception", DELETE_IF(" AND json_extract(doc_json, '$.value.until_date') < "
				"date(?9 / 1000000, 'unixepoch')")},
	/* What later looks are compared with, until a policy removes it. */
	{"baseline", NULL},
	/* One a window: that it opened is told once. */
	{"window-opened", NULL},
	{"backup-stale", NULL},
};

static const struct evidence *find_evidence(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(evidence); i++)
		if (strcmp(evidence[i].kind, kind) == 0)
			return &evidence[i];
	return NULL;
}

/* The row `n` rows on from the cursor. 1: there is one, and it is the cursor now. */
static int record_nth(sqlite3 *db, struct pruner *p, const char *sql, int64_t end, int64_t n)
{
	sqlite3_stmt *stmt = NULL;
	int code, r = sqlite_errno(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));

	if (r < 0)
		return r;
	bind_int(stmt, FROM_AT, p->at);
	bind_text(stmt, FROM_ID, p->key);
	bind_int(stmt, OLD, end);
	bind_int(stmt, LIMIT, n);
	bind_text(stmt, KIND, p->kind);
	bind_text(stmt, SCOPE, p->scope);
	code = sqlite3_step(stmt);
	r = sqlite_errno(db, code);
	if (code == SQLITE_ROW) {
		p->at = sqlite3_column_int64(stmt, 0);
		r = take_column(stmt, 1, &p->key);
		r = r < 0 ? r : 1;
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

static void rewind_to(struct pruner *p, int64_t at)
{
	free(TAKE(p->key));
	p->at = at;
}

/* Counts back from the newest record to the last one that stays whatever its age. 1: go on. */
static int count_newest(sqlite3 *db, struct pruner *p, int64_t newest)
{
	int64_t n = MIN(newest - p->n_counted, COUNT_MAX);
	int r;

	if (p->n_counted == 0)
		rewind_to(p, INT64_MAX);
	r = record_nth(db, p,
		"SELECT at, key" OF_SCOPE
		"(at, key) < (?1, ?2) ORDER BY at DESC, key DESC LIMIT 1 OFFSET ?6 - 1",
		0, n);
	if (r < 0)
		return r;
	p->n_counted += n;
	if (r == 1 && p->n_counted < newest)
		return 1;
	p->newest_at = r == 1 ? p->at : INT64_MIN;
	p->counted = true;
	rewind_to(p, 0);
	return 1;
}

/* What lies between `from` and the cursor. */
static int delete_records(sqlite3 *db, struct pruner *p, const char *sql, int64_t from_at,
	const char *from_key, int64_t end, int64_t old)
{
	sqlite3_stmt *stmt = NULL;
	int deleted = 0, r = sqlite_errno(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));

	if (r < 0)
		return r;
	bind_int(stmt, FROM_AT, from_at);
	bind_text(stmt, FROM_ID, from_key);
	bind_int(stmt, TO_AT, p->at);
	bind_text(stmt, TO_ID, p->key);
	bind_int(stmt, OLD, end);
	bind_text(stmt, KIND, p->kind);
	bind_text(stmt, SCOPE, p->scope);
	bind_int(stmt, UNTIL, old);
	r = delete_rows(db, stmt, &deleted);
	p->n_deleted += (uint64_t)deleted;
	return r;
}

/* 1: there is more of this scope. */
static int prune_scope(
	sqlite3 *db, struct pruner *p, const struct store_retention *retention, int64_t now)
{
	const struct evidence *e = find_evidence(p->kind);
	int64_t old = now - (int64_t)retention->records, from_at = p->at, end;
	auto_free char *from_key = NULL;
	int r, more;

	if (e && !e->sql)
		return 0;
	if (!p->counted)
		return count_newest(db, p, e ? EVIDENCE_NEWEST : retention->n_records);
	end = e ? MIN(old, p->newest_at) : MAX(old, p->newest_at);
	from_key = strdup(p->key ? p->key : "");
	if (!from_key)
		return -ENOMEM;
	more = record_nth(db, p,
		"SELECT at, key" OF_SCOPE "(at, key) > (?1, ?2) AND at < ?5 ORDER BY at, key "
		"LIMIT 1 OFFSET ?6 - 1",
		end, p->limit);
	if (more < 0)
		return more;
	if (more == 0)
		rewind_to(p, end);
	r = delete_records(db, p, e ? e->sql : delete_plain, from_at, from_key, end, old);
	return r < 0 ? r : more;
}

/* The kind and scope after the one that was done. 1: there is one, 0: that was the last. */
static int next_scope(sqlite3 *db, struct pruner *p)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db,
		"SELECT kind, scope FROM record INDEXED BY record_at WHERE (kind, scope) > "
		"(?1, ?2) ORDER BY kind, scope LIMIT 1",
		-1, &stmt, NULL);
	int r = sqlite_errno(db, code);

	if (r < 0)
		return r;
	bind_text(stmt, 1, p->kind);
	bind_text(stmt, 2, p->scope);
	code = sqlite3_step(stmt);
	r = sqlite_errno(db, code);
	if (code == SQLITE_ROW) {
		r = take_column(stmt, 0, &p->kind);
		r = r < 0 ? r : take_column(stmt, 1, &p->scope);
		r = r < 0 ? r : 1;
	}
	(void)sqlite3_finalize(stmt);
	p->counted = false;
	p->n_counted = 0;
	return r;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

/* By how long the last step took. */
static void adapt(struct pruner *p, usec_t took)
{
	if (took > STEP_LONG_USEC)
		p->limit = MAX(p->limit / 2, LIMIT_MIN);
	else if (took < STEP_SHORT_USEC)
		p->limit = MIN(p->limit * 2, LIMIT_MAX);
}

/* To the next table, then from scope to scope; a round ends behind the last one. */
static int advance(sqlite3 *db, struct pruner *p)
{
	if (p->rule < ARRAY_SIZE(rules)) {
		rewind_to(p, 0);
		p->id = 0;
		if (++p->rule < ARRAY_SIZE(rules))
			return 1;
	}
	return next_scope(db, p);
}

static int look_at_some(
	sqlite3 *db, struct pruner *p, const struct store_retention *retention, int64_t now)
{
	usec_t began = clock_now();
	int r = database_exec(db, "BEGIN IMMEDIATE", NULL), more;

	if (r < 0)
		return r;
	more = p->rule < ARRAY_SIZE(rules) ? prune_table(db, p, retention, now)
					   : prune_scope(db, p, retention, now);
	r = more < 0 ? more : database_exec(db, "COMMIT", NULL);
	adapt(p, clock_now() - began);
	if (r < 0 && !sqlite3_get_autocommit(db))
		(void)database_exec(db, "ROLLBACK", NULL);
	return r < 0 ? r : more;
}

int pruner_step(sqlite3 *db, struct pruner *p, const struct store_retention *retention, int64_t now)
{
	int r;

	if (p->limit == 0)
		p->limit = LIMIT_START;
	/* Its pages wait for the next commit's fsync: half of the time would go there. */
	p->unsynced = true;
	r = database_exec(db, "PRAGMA synchronous = NORMAL", NULL);
	if (r == 0)
		r = look_at_some(db, p, retention, now);
	if (r == 0)
		r = advance(db, p);
	if (pruner_sync(db, p) < 0 && r >= 0)
		r = -ENOMEM;
	if (r <= 0)
		pruner_clear(p);
	return r;
}

int pruner_sync(sqlite3 *db, struct pruner *p)
{
	int r = p->unsynced ? database_exec(db, "PRAGMA synchronous = FULL", NULL) : 0;

	if (r == 0)
		p->unsynced = false;
	return r;
}

void pruner_clear(struct pruner *p)
{
	free(p->kind);
	free(p->scope);
	free(p->key);
	*p = (struct pruner){.limit = p->limit, .n_deleted = p->n_deleted, .unsynced = p->unsynced};
}
