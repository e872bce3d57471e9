/* SPDX-License-Identifier: MIT */
/*
 * What pruning costs the commits that come meanwhile: fills a database in a new folder with rows
 * that are over, commits for a while without pruning and then until all of them are gone, and
 * prints one JSON object. `prune DIR N_ROWS`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"
#include "store/private.h"

enum { N_ALONE = 20000, N_CHECKPOINT = 20 };
#define PACE (USEC_PER_MSEC)

struct series {
	const char *name;
	usec_t *took;
	size_t len, cap;
};

static void die(const char *what, int r)
{
	fprintf(stderr, "bench_prune: %s: %s\n", what, strerror(-r));
	exit(1);
}

static usec_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static void add(struct series *s, usec_t took)
{
	if (s->len == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4096;
		s->took = realloc(s->took, s->cap * sizeof(*s->took));
		if (!s->took)
			die("memory", -ENOMEM);
	}
	s->took[s->len++] = took;
}

static int by_time(const void *a, const void *b)
{
	usec_t left = *(const usec_t *)a, right = *(const usec_t *)b;

	return left < right ? -1 : left > right;
}

static void print_series(struct series *s)
{
	usec_t sum = 0;

	qsort(s->took, s->len, sizeof(*s->took), by_time);
	for (size_t i = 0; i < s->len; i++)
		sum += s->took[i];
	printf("\"%s\": {\"n\": %zu, \"mean\": %.3f, \"p999\": %.3f, \"longest\": %.3f}, ", s->name,
		s->len, (double)sum / (double)s->len / 1e3,
		(double)s->took[s->len * 999 / 1000] / 1e3, (double)s->took[s->len - 1] / 1e3);
}

static void fill(sqlite3 *db, const char *table, int n, const char *values)
{
	auto_free char *sql = str_printf(
		"WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM c WHERE i < %d - 1) "
		"INSERT INTO %s SELECT %s FROM c",
		n, table, values);
	int r = database_exec(db, sql, NULL);

	if (r < 0)
		die(sqlite3_errmsg(db), r);
}

/* Some of each table stay: they lie in the way of every look at the old end. */
static void fill_all(sqlite3 *db, int n)
{
	static const struct {
		const char *table, *values;
		int share;
	} rows[] = {
		{"record",
			"'finding', 's/' || (i % 10), 'k' || i, 1000 + i, json_object('value', "
			"json_object('state', iif(i % 50 = 0, 'open', 'closed')))",
			20},
		{"record", "'note', 's/old', 'k' || i, 1000 + i, json_object('value', 'text')", 20},
		{"run",
			"'r' || i, 'p', 't', NULL, 'done', 1000 + i, iif(i % 50 = 0, NULL, 2000 + "
			"i), NULL, 'h' || i, NULL",
			4},
		{"step", "'r' || (i / 4), i, 'v', json_object('a', i), 'done', 1, 2, NULL, i", 16},
		{"notice", "'n' || i, 'raised', NULL, 'f', 'critical', 1000 + i, '{}'", 10},
		{"delivery",
			"'n' || i, 'desk', i, iif(i % 50 = 0, 'waiting', 'delivered'), 1, NULL, 1, "
			"NULL, NULL, NULL, 1, NULL",
			10},
		{"incident", "'i' || i, 'f', 'closed', 1000 + i, 2000 + i, '{}'", 2},
		{"timeline", "'i' || (i / 6), i % 6 + 1, 1000, 'note', 'a line of some length'",
			12},
		{"action", "'s/c', 1000 + i, 'r' || i, 1, 'unit.restart', 'done', 'p'", 6},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fill(db, rows[i].table, (int)((long)n * rows[i].share / 100), rows[i].values);
	if (database_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL) < 0)
		die("checkpoint", -EIO);
}

static void on_done(int r, void *data)
{
	if (r < 0 && r != -EINPROGRESS)
		die("commit", r);
	if (r == 0)
		*(bool *)data = true;
}

/* One commit, as long as the caller waits for it; then a pause. */
static usec_t commit_one(struct loop *loop, struct store *store)
{
	struct store_batch *batch;
	json_t *doc = json_pack("{s:s}", "now", "ok");
	bool done = false;
	usec_t began, took, until;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = store_batch_add(batch, STORE_CHECK_STATE_PUT, "sji", "s/c/a", doc, INT64_C(1));
	json_decref(doc);
	began = clock_now();
	if (r == 0)
		r = store_commit(store, batch, on_done, &done);
	if (r < 0)
		die("commit", r);
	while (!done)
		(void)loop_turn(loop, USEC_PER_SEC);
	took = clock_now() - began;
	until = clock_now() + PACE;
	while (clock_now() < until)
		(void)loop_turn(loop, until - clock_now());
	return took;
}

static int64_t count_left(sqlite3 *db)
{
	int64_t n = 0;

	if (database_get_int(db,
		    "SELECT (SELECT count(*) FROM (SELECT 1 FROM record LIMIT 2000)) + "
		    "(SELECT count(*) FROM (SELECT 1 FROM action LIMIT 1))",
		    &n) < 0)
		die("count", -EIO);
	return n;
}

/* The steps alone, on a database of its own: what a commit waits for at most. */
static void measure_steps(const char *dir, int n_rows)
{
	const struct store_retention keep = {
		.notices = 1, .history = 1, .records = 1, .n_records = 50};
	struct series s = {.name = "steps"}, cpu = {.name = "cpu"};
	struct pruner pruner = {0};
	struct tend_error err;
	sqlite3 *db;
	bool fresh;
	int n = 0, r = database_open(dir, &err, &fresh, &db);

	if (r < 0)
		die(err.text, r);
	fill_all(db, n_rows);
	/* as the writer has it: not in a commit */
	(void)sqlite3_wal_autocheckpoint(db, 0);
	do {
		usec_t began = clock_now(), used = cpu_now();

		r = pruner_step(db, &pruner, &keep, (int64_t)clock_wall());
		if (r < 0)
			die("step", r);
		add(&s, clock_now() - began);
		add(&cpu, cpu_now() - used);
		if (++n % N_CHECKPOINT == 0)
			(void)database_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL);
	} while (r > 0);
	print_series(&s);
	print_series(&cpu);
	printf("\"rows\": %llu, ", (unsigned long long)pruner.n_deleted);
	pruner_clear(&pruner);
	database_close(db);
	free(s.took);
	free(cpu.took);
}

static void measure_commits(const char *dir, int n_rows)
{
	static const struct store_retention keep_all = {.notices = 1ULL << 50,
		.history = 1ULL << 50,
		.records = 1ULL << 50,
		.n_records = INT64_C(1) << 40};
	const struct store_retention keep = {
		.notices = 1, .history = 1, .records = 1, .n_records = 50};
	struct series alone = {.name = "alone"}, meanwhile = {.name = "meanwhile"};
	struct loop *loop = NULL;
	struct store *store = NULL;
	struct tend_error err;
	sqlite3 *db;
	bool fresh;
	int r = database_open(dir, &err, &fresh, &db);

	if (r < 0 || loop_new(&loop) < 0)
		die(dir, r);
	fill_all(db, n_rows);
	r = store_open(loop, dir, &err, &fresh, &store);
	if (r < 0)
		die(err.text, r);
	store_set_retention(store, &keep_all);
	while (alone.len < N_ALONE)
		add(&alone, commit_one(loop, store));
	/* A round over so much that stays has no short end; the next one comes ten minutes later.
	 */
	store_free(store);
	if (store_open(loop, dir, &err, &fresh, &store) < 0)
		die(err.text, -EIO);
	store_set_retention(store, &keep);
	/* Findings that are open, and the newest hundred of ten scopes, stay. */
	while (count_left(db) > (int64_t)n_rows / 250 + 1000)
		for (int i = 0; i < 100; i++)
			add(&meanwhile, commit_one(loop, store));
	print_series(&alone);
	print_series(&meanwhile);
	store_free(store);
	loop_free(loop);
	database_close(db);
	free(alone.took);
	free(meanwhile.took);
}

int main(int argc, char **argv)
{
	auto_free char *first = argc == 3 ? str_printf("%s/steps", argv[1]) : NULL;
	auto_free char *second = argc == 3 ? str_printf("%s/commits", argv[1]) : NULL;

	if (!first || !second) {
		fprintf(stderr, "usage: prune DIR N_ROWS, with DIR/steps and DIR/commits\n");
		return 2;
	}
	printf("{");
	measure_steps(first, atoi(argv[2]));
	measure_commits(second, atoi(argv[2]));
	printf("\"unit\": \"ms\"}\n");
	return 0;
}
