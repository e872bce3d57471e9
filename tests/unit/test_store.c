/* SPDX-License-Identifier: MIT */
/* The store when all is well, or only slow: commits, groups, reads, lateness. */
#include "store_fixture.h"
#include <sqlite3.h>
#include "store/private.h"

static void test_commit_and_reopen(void **state)
{
	struct fixture *f = *state;
	struct outcome o = {0};
	char epoch[UUID_TEXT_BYTES];

	assert_int_equal(fixture_open(f), 0);
	assert_false(f->fresh);
	assert_true(store_healthy(f->store));
	memcpy(epoch, store_epoch(f->store), sizeof(epoch));
	assert_int_equal(store_commit(f->store, batch_of_check("a/b/c", 7), on_done, &o), 0);
	assert_int_equal(o.n, 0); /* never before the loop turns */
	WAIT_FOR(f->loop, o.n == 1);
	assert_int_equal(o.last, 0);

	f->store = store_free(f->store);
	assert_int_equal(fixture_open(f), 0);
	assert_string_equal(store_epoch(f->store), epoch);
	auto_json json_t *rows = rows_now(f, STORE_QUERY_CHECK_STATES);
	assert_int_equal(json_array_size(rows), 1);
	json_t *row = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "a/b/c");
	assert_int_equal(json_integer_value(json_object_get(row, "at")), 7);
	json_t *doc = json_object_get(row, "state_json");
	assert_int_equal(json_integer_value(json_object_get(doc, "n")), 7);
}

static void test_free_commits_what_is_queued(void **state)
{
	struct fixture *f = *state;
	char name[32];

	assert_int_equal(fixture_open(f), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "s/c/%d", i);
		assert_int_equal(store_commit(f->store, batch_of_check(name, i), NULL, NULL), 0);
	}
	f->store = store_free(f->store);
	assert_int_equal(fixture_open(f), 0);
	auto_json json_t *rows = rows_now(f, STORE_QUERY_CHECK_STATES);
	assert_int_equal(json_array_size(rows), 500);
}

/* Of a group one breaks a constraint, one has an outcome without an intent: only these fail. */
static void test_failing_batches_fail_alone(void **state)
{
	struct fixture *f = *state;
	struct outcome good[40] = {{0}}, twice = {0}, orphan = {0}, half = {0};
	struct store_batch *batch;
	int64_t at = 1;
	char name[32];

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(store_batch_add(batch, STORE_STEP_INTENT, "sssji", "r1", "1",
				 "unit.restart", NULL, at),
		0);
	assert_int_equal(store_commit(f->store, batch, NULL, NULL), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s/c/%d", i);
		assert_int_equal(
			store_commit(f->store, batch_of_check(name, i), on_done, &good[i]), 0);
		if (i == 10) { /* the intent exists: at most once */
			batch = batch_of_check("must/not/stay", 1);
			assert_int_equal(store_batch_add(batch, STORE_STEP_INTENT, "sssji", "r1",
						 "1", "unit.restart", NULL, at),
				0);
			assert_int_equal(store_commit(f->store, batch, on_done, &twice), 0);
		}
		if (i == 20) {
			assert_int_equal(store_batch_new(&batch), 0);
			assert_int_equal(store_batch_add(batch, STORE_STEP_OUTCOME, "sssij", "r1",
						 "9", "done", at, NULL),
				0);
			assert_int_equal(store_commit(f->store, batch, on_done, &orphan), 0);
		}
	}
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(
		store_batch_add(batch, STORE_STEP_OUTCOME, "sssij", "r1", "1", "done", at, NULL),
		0);
	assert_int_equal(store_commit(f->store, batch, on_done, &half), 0);
	WAIT_FOR(f->loop, half.n == 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(good[i].last, 0);
	assert_int_equal(half.last, 0);
	assert_int_equal(twice.last, -EEXIST);
	assert_int_equal(orphan.last, -ENOENT);
	assert_true(store_healthy(f->store));
	auto_json json_t *rows = rows_now(f, STORE_QUERY_CHECK_STATES);
	assert_int_equal(json_array_size(rows), 40);
}

/* A thousand batches queued while another process holds the lock become few transactions. */
static void test_group_commit(void **state)
{
	enum { N = 1000 };
	struct fixture *f = *state;
	static struct outcome o[N];
	auto_free char *path = str_printf("%s/tend.db", f->dir);
	sqlite3 *other;
	char name[32];
	usec_t began;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "s/c/%d", i);
		assert_int_equal(
			store_commit(f->store, batch_of_check(name, i), on_done, &o[i]), 0);
	}
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	began = clock_now();
	WAIT_FOR(f->loop, o[N - 1].n > 0 && o[N - 1].last == 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(o[i].last, 0);
	/* The first may have been taken alone; the rest is one group. */
	auto_json json_t *rows = rows_now(f, STORE_QUERY_CHECK_STATES);
	assert_int_equal(json_array_size(rows), N);
	print_message("%d batches in %llu us\n", N, (unsigned long long)(clock_now() - began));
	sqlite3_close(other);
}

static void on_health(bool healthy, void *data)
{
	struct outcome *o = data;

	o->n++;
	o->last = healthy;
}

/* The file is locked: late after 1 s, told once, then the real end. */
static void test_late(void **state)
{
	struct fixture *f = *state;
	struct outcome o = {0}, second = {0}, health = {0};
	auto_free char *path = str_printf("%s/tend.db", f->dir);
	sqlite3 *other;
	usec_t began;

	assert_int_equal(fixture_open(f), 0);
	store_on_health(f->store, on_health, &health);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	began = clock_now();
	assert_int_equal(store_commit(f->store, batch_of_check("a", 1), on_done, &o), 0);
	assert_int_equal(store_commit(f->store, batch_of_check("b", 1), on_done, &second), 0);
	WAIT_FOR(f->loop, o.n == 1 && second.n == 1);
	assert_int_equal(o.first, -EINPROGRESS);
	assert_int_equal(second.first, -EINPROGRESS);
	assert_in_range(clock_now() - began, 990 * USEC_PER_MSEC, 3 * USEC_PER_SEC);
	assert_false(store_healthy(f->store));
	assert_int_equal(health.n, 1);
	assert_int_equal(health.last, false);

	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	WAIT_FOR(f->loop, o.n == 2 && second.n == 2);
	assert_int_equal(o.last, 0);
	assert_int_equal(second.last, 0);
	WAIT_FOR(f->loop, store_healthy(f->store));
	assert_int_equal(health.n, 2);
	sqlite3_close(other);
}

struct rows_got {
	int n, r;
	json_t *rows;
};

static void on_rows(int r, json_t *rows, void *data)
{
	struct rows_got *got = data;

	got->n++;
	got->r = r;
	got->rows = json_incref(rows);
}

static void test_read_on_the_loop(void **state)
{
	struct fixture *f = *state;
	struct rows_got got = {0};
	struct outcome o = {0};
	struct store_batch *batch;
	int64_t n = 0, limit = 2;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(store_batch_new(&batch), 0);
	for (int64_t i = 1; i <= 3; i++) {
		char id[16];
		snprintf(id, sizeof(id), "i%d", (int)i);
		assert_int_equal(store_batch_add(batch, STORE_INCIDENT_PUT, "sssiij", id, "a/b/c",
					 "closed", i, i + 1, NULL),
			0);
		assert_int_equal(store_batch_add(batch, STORE_TIMELINE_ADD, "siss", "i1", i, "note",
					 "text \"quoted\""),
			0);
	}
	assert_int_equal(store_batch_add(batch, STORE_INCIDENT_PUT, "sssiij", "open", "a/b/c",
				 "located", (int64_t)9, n, NULL),
		0);
	assert_int_equal(store_commit(f->store, batch, on_done, &o), 0);
	WAIT_FOR(f->loop, o.n == 1);
	assert_int_equal(o.last, 0);
	assert_int_equal(
		store_read(f->store, STORE_QUERY_INCIDENTS_RECENT, on_rows, &got, "i", limit), 0);
	WAIT_FOR(f->loop, got.n == 1);
	assert_int_equal(got.r, 0);
	assert_int_equal(json_array_size(got.rows), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(got.rows, 0), "id")), "i3");
	json_decref(got.rows);
	assert_int_equal(
		store_read(f->store, STORE_QUERY_TIMELINE_OF, on_rows, &got, "s", "i1"), 0);
	WAIT_FOR(f->loop, got.n == 2);
	assert_int_equal(json_array_size(got.rows), 3);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(got.rows, 2), "seq")), 3);
	json_decref(got.rows);
	auto_json json_t *open = rows_now(f, STORE_QUERY_INCIDENTS_OPEN);
	assert_int_equal(json_array_size(open), 1);
	assert_true(json_is_null(json_object_get(json_array_get(open, 0), "closed")));
}

/* Every statement and query is SQL that this schema understands. */
static void test_all_sql_prepares(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/tend.db", f->dir);
	sqlite3 *db;
	sqlite3_stmt *stmt;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < STORE_STATEMENT_MAX + STORE_QUERY_MAX; i++) {
		const struct store_sql *sql = i < STORE_STATEMENT_MAX
						      ? &store_statements[i]
						      : &store_queries[i - STORE_STATEMENT_MAX];

		assert_non_null(sql->sql);
		if (sqlite3_prepare_v2(db, sql->sql, -1, &stmt, NULL) != SQLITE_OK)
			fail_msg("%s: %s", sql->name, sqlite3_errmsg(db));
		assert_int_equal(sqlite3_bind_parameter_count(stmt), strlen(sql->format));
		sqlite3_finalize(stmt);
	}
	sqlite3_close(db);
}

static void test_queue_is_bounded(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/tend.db", f->dir);
	sqlite3 *other;
	int r = 0, n = 0;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	while (r == 0 && n < 2 * STORE_MAX_QUEUED + 1000) {
		r = store_commit(f->store, batch_of_check("a", 1), NULL, NULL);
		n++;
	}
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
}

static size_t n_rows(struct fixture *f, enum store_query query, const char *key)
{
	json_t *rows = NULL;
	size_t n;

	assert_int_equal(store_read_now(f->store, query, &rows, "s", key), 0);
	n = json_array_size(rows);
	json_decref(rows);
	return n;
}

static void put_incident(struct store_batch *batch, const char *id, int64_t opened, int64_t closed)
{
	assert_int_equal(store_batch_add(batch, STORE_INCIDENT_PUT, "sssiij", id, "a/b/c", "closed",
				 opened, closed, NULL),
		0);
	assert_int_equal(
		store_batch_add(batch, STORE_TIMELINE_ADD, "siss", id, opened, "note", "text"), 0);
}

static void put_delivery(struct store_batch *batch, const char *notice, const char *incident,
	int64_t at, const char *state)
{
	auto_json json_t *doc = json_object();
	int64_t zero = 0;

	assert_int_equal(store_batch_add(batch, STORE_NOTICE_PUT, "sssssij", notice,
				 "incident.raised", incident, "f", "info", at, doc),
		0);
	assert_int_equal(store_batch_add(batch, STORE_DELIVERY_PUT, "ssisiiissjisssjiii", notice,
				 "r", zero, state, zero, zero, zero, NULL, NULL, NULL, at, NULL,
				 NULL, NULL, NULL, zero, zero, zero),
		0);
	assert_int_equal(
		store_batch_add(batch, STORE_TRY_PUT, "ssiiiisiss", notice, "r", (int64_t)1,
			(int64_t)1, at, zero, "retry", (int64_t)500, "no", NULL),
		0);
}

/* What ended long ago goes at an idle moment; what is open, waits, or is young stays. */
static void test_retention(void **state)
{
	struct fixture *f = *state;
	int64_t now = (int64_t)clock_wall(), old = now - 100 * 86400 * (int64_t)USEC_PER_SEC;
	struct store_batch *batch;
	struct outcome o = {0};

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(store_batch_new(&batch), 0);
	put_incident(batch, "old", old, old + 1);
	put_incident(batch, "open", old, 0);
	put_incident(batch, "young", old, now);
	put_delivery(batch, "old-delivered", NULL, old, "delivered");
	put_delivery(batch, "old-of-open", "open", old, "delivered");
	put_delivery(batch, "old-waiting", NULL, old, "waiting");
	put_delivery(batch, "young-delivered", NULL, now, "delivered");
	assert_int_equal(store_commit(f->store, batch, on_done, &o), 0);
	WAIT_FOR(f->loop, o.n == 1);
	assert_int_equal(o.last, 0);
	WAIT_FOR(f->loop, n_rows(f, STORE_QUERY_INCIDENT_ONE, "old") == 0);
	assert_int_equal(n_rows(f, STORE_QUERY_TIMELINE_OF, "old"), 0);
	assert_int_equal(n_rows(f, STORE_QUERY_INCIDENT_ONE, "open"), 1);
	assert_int_equal(n_rows(f, STORE_QUERY_TIMELINE_OF, "open"), 1);
	assert_int_equal(n_rows(f, STORE_QUERY_INCIDENT_ONE, "young"), 1);
	json_t *rows = NULL;
	int64_t limit = 10, after = -1;
	assert_int_equal(store_read_now(f->store, STORE_QUERY_DELIVERIES_WAITING, &rows, "sisi",
				 "r", after, "", limit),
		0);
	assert_int_equal(json_array_size(rows), 1);
	json_decref(rows);
	assert_int_equal(
		store_read_now(f->store, STORE_QUERY_DELIVERIES, &rows, "ssi", NULL, NULL, limit),
		0);
	assert_int_equal(json_array_size(rows), 3);
	json_decref(rows);
	rows = rows_now(f, STORE_QUERY_RECEIVERS_TOLD);
	assert_int_equal(json_array_size(rows), 1);
	json_decref(rows);
	/* Tries go with what was tried. */
	WAIT_FOR(f->loop, n_rows(f, STORE_QUERY_TRIES_OF, "old-delivered") == 0);
	assert_int_equal(n_rows(f, STORE_QUERY_TRIES_OF, "old-waiting"), 1);
	assert_int_equal(n_rows(f, STORE_QUERY_TRIES_OF, "young-delivered"), 1);
}

static void db_exec(sqlite3 *db, const char *format, ...)
{
	char *error = NULL, *sql;
	va_list ap;

	va_start(ap, format);
	sql = sqlite3_vmprintf(format, ap);
	va_end(ap);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_free(sql);
}

static int64_t db_count(sqlite3 *db, const char *what)
{
	auto_free char *sql = str_printf("SELECT count(*) FROM %s", what);
	int64_t n = -1;

	assert_int_equal(database_get_int(db, sql, &n), 0);
	return n;
}

/* Rows of `table` numbered i from 0 on, by an expression list. */
static void db_fill(sqlite3 *db, const char *table, int n, const char *values)
{
	db_exec(db,
		"WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM c WHERE i < %d - 1) "
		"INSERT INTO %s SELECT %s FROM c",
		n, table, values);
}

/* Many rows that are over, and a few of each table that must stay; 1000 is long ago,
 * and n is now. */
static void db_fill_all(sqlite3 *db, int n, int64_t now)
{
	auto_free char *record = str_printf("'finding', 's/' || (i %% 10), 'k' || i, 1000 + i, "
					    "json_object('value', json_object('state', "
					    "iif(i %% 100 = 0, 'open', 'closed')))");
	auto_free char *young =
		str_printf("'note', 's/a', 'young' || i, %lld - i, '{}'", (long long)now);
	auto_free char *exception = str_printf("'exception', 's/a', 'e' || i, 1000, "
					       "json_object('value', json_object('until_date', "
					       "iif(i < 150, '2001-01-01', '2999-12-31')))");

	db_exec(db, "BEGIN");
	db_fill(db, "record", n / 5, record);
	db_fill(db, "record", n / 5, "'note', 's/old', 'k' || i, 1000 + i, '{}'");
	db_fill(db, "record", 300, young);
	db_fill(db, "record", 250, exception);
	db_fill(db, "record", 250, "'backup', 's/a', 'b' || i, 1000 + i, '{}'");
	db_fill(db, "record", 50, "'baseline', 's/a', 'b' || i, 1000, '{}'");
	db_fill(db, "approval", n / 5,
		"'a' || i, 'r', '1', 'h', iif(i % 1000 = 0, 'waiting', 'denied'), 1, 1000 + i, "
		"1000, "
		"iif(i % 1000 = 0, NULL, 2000), NULL");
	db_fill(db, "approval_vote", n / 5, "'a' || i, 'ann', 1000, 'deny', 'no'");
	db_fill(db, "run", n / 50,
		"'r' || i, 'p', 't', NULL, 'done', 1000 + i, iif(i = 0, NULL, 2000), "
		"NULL, 'h' || i, NULL");
	db_fill(db, "step", n / 10, "'r' || (i % 400), i, 'v', NULL, 'done', 1, 2, NULL, i");
	db_fill(db, "source", n / 50, "'h' || i, 'text'");
	db_fill(db, "schedule", 100, "'p', 't' || i, iif(i < 50, 1000, 4000000000000000), NULL");
	db_fill(db, "strike", 100, "'p' || i, 'h', i % 2, NULL, NULL");
	db_fill(db, "incident", 2, "'i' || i, 'f', 'x', 1000, iif(i = 0, NULL, 2000), NULL");
	db_fill(db, "timeline", 3000, "'i' || (i % 2), i / 2 + 1, 1000, 'note', 'text'");
	db_exec(db, "COMMIT");
}

static void check_kept(sqlite3 *db, int n)
{
	const struct {
		const char *what;
		int64_t n;
	} rows[] = {
		/* of each of 10 scopes the newest 100 (one of them open), and all that are open */
		{"record WHERE kind = 'finding' AND json_extract(doc_json, '$.value.state') = "
		 "'open'",
			n / 500},
		{"record WHERE kind = 'note'", 200},
		{"record WHERE kind = 'exception' AND doc_json LIKE '%2999%'", 100},
		{"record WHERE kind = 'backup'", 100},
		{"record WHERE kind = 'backup' AND at >= 1000 + 150", 100},
		{"record WHERE kind = 'baseline'", 50},
		{"approval", n / 5000},
		{"approval_vote", n / 5000},
		{"run", 1},
		{"step", n / 10 / 400},
		{"source", 1},
		{"schedule", 50},
		{"strike", 50},
		{"incident", 1},
		{"timeline", 1000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (db_count(db, rows[i].what) != rows[i].n)
			fail_msg("%s: %lld, not %lld", rows[i].what,
				(long long)db_count(db, rows[i].what), (long long)rows[i].n);
}

/* Each step is short, whatever the table, and a round ends when all that is over is gone. */
static void test_prune(void **state)
{
	enum { N = 20000 };
	struct fixture *f = *state;
	const struct store_retention keep = {.notices = 1,
		.history = USEC_PER_SEC,
		.records = 365 * 86400 * USEC_PER_SEC,
		.n_records = 200};
	int64_t now = (int64_t)clock_wall();
	struct pruner pruner = {0};
	usec_t longest = 0, total = 0, began;
	int n_steps = 0, r;
	bool fresh;

	auto(database_close) sqlite3 *db = NULL;
	assert_int_equal(database_open(f->dir, &f->err, &fresh, &db), 0);
	db_fill_all(db, N, now);
	db_exec(db, "PRAGMA synchronous = OFF"); /* the work is measured, not the disk */
	do {
		usec_t took;

		began = clock_now();
		r = pruner_step(db, &pruner, &keep, now);
		took = clock_now() - began;
		assert_true(r >= 0);
		longest = MAX(longest, took);
		total += took;
		n_steps++;
		assert_in_range(pruner.limit, 1, 500);
	} while (r > 0);
	print_message("%llu rows in %d steps: the longest %llu us, on the average %llu us\n",
		(unsigned long long)pruner.n_deleted, n_steps, (unsigned long long)longest,
		(unsigned long long)(total / (usec_t)n_steps));
	check_kept(db, N);
	/* many small ones: none did all of it; only what hangs takes a second */
	assert_true(n_steps > N / 2 / 500);
	assert_true(longest < 5 * USEC_PER_SEC);
	pruner_clear(&pruner);
}

/* What is committed meanwhile goes first, and pruning does not starve under commits that never
 * end. */
static void test_prune_under_load(void **state)
{
	struct fixture *f = *state;
	const struct store_retention keep = {
		.notices = 1, .history = USEC_PER_SEC, .records = USEC_PER_SEC, .n_records = 10};
	struct outcome o = {0};
	usec_t longest = 0;
	bool fresh;
	int n = 0;

	auto(database_close) sqlite3 *db = NULL;
	assert_int_equal(database_open(f->dir, &f->err, &fresh, &db), 0);
	db_fill(db, "record", 1000, "'note', 's/old', 'k' || i, 1000 + i, '{}'");
	assert_int_equal(fixture_open(f), 0);
	store_set_retention(f->store, &keep);
	while (db_count(db, "record") > 0) {
		usec_t began = clock_now();

		n++;
		assert_int_equal(store_commit(f->store, batch_of_check("a", n), on_done, &o), 0);
		WAIT_FOR(f->loop, o.n == n);
		assert_int_equal(o.last, 0);
		longest = MAX(longest, clock_now() - began);
		assert_true(n < 1000000);
	}
	print_message("%d commits while 1,000 records went: the longest %llu us\n", n,
		(unsigned long long)longest);
}

/* More than an answer holds: an error on the loop, all of it at start-up. */
static void test_too_many_rows(void **state)
{
	struct fixture *f = *state;
	struct rows_got got = {0};
	struct store_batch *batch;
	struct outcome o = {0};
	char name[32];
	int r;

	assert_int_equal(fixture_open(f), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_batch_new(&batch), 0);
		for (int j = i ? STORE_MAX_ROWS : 0; j < STORE_MAX_ROWS + i; j++) {
			snprintf(name, sizeof(name), "s/c/%d", j);
			r = store_batch_add(
				batch, STORE_CHECK_STATE_PUT, "sji", name, json_null(), (int64_t)j);
			assert_int_equal(r, 0);
		}
		assert_int_equal(store_commit(f->store, batch, on_done, &o), 0);
		WAIT_FOR(f->loop, o.n > i && o.last == 0);
		r = store_read(f->store, STORE_QUERY_CHECK_STATES, on_rows, &got, "");
		assert_int_equal(r, 0);
		WAIT_FOR(f->loop, got.n == i + 1);
		assert_int_equal(got.r, i ? -E2BIG : 0);
		json_decref(got.rows);
		auto_json json_t *rows = rows_now(f, STORE_QUERY_CHECK_STATES);
		assert_int_equal(json_array_size(rows), STORE_MAX_ROWS + i);
	}
}

int main(void)
{
#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_commit_and_reopen),
		STORE_TEST(test_free_commits_what_is_queued),
		STORE_TEST(test_failing_batches_fail_alone),
		STORE_TEST(test_group_commit),
		STORE_TEST(test_late),
		STORE_TEST(test_read_on_the_loop),
		STORE_TEST(test_all_sql_prepares),
		STORE_TEST(test_queue_is_bounded),
		STORE_TEST(test_retention),
		STORE_TEST(test_prune),
		STORE_TEST(test_prune_under_load),
		STORE_TEST(test_too_many_rows),
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
