/* SPDX-License-Identifier: MIT */
/*
 * store/private.h: what the files of this folder share; nobody else includes it. A batch is made on
 * the loop, handed to the writer thread, and comes back with its result: the fields are split by
 * who may touch them, so that only the queues need the lock.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include "store/store.h"

enum {
	STORE_MAX_PARAMETERS = 20,
	STORE_MAX_BATCH_BYTES = 16 << 20,
	STORE_MAX_QUEUED = 10000,
	STORE_MAX_QUEUED_BYTES = 64 << 20,
	STORE_MAX_READS = 1000,
	STORE_MAX_ROWS = 10000,
	STORE_MAX_ROWS_BYTES = 32 << 20,
	/* Of store_read_now(): at start-up all of it is needed. */
	STORE_MAX_ROWS_NOW = 1000000,
	STORE_MAX_ROWS_NOW_BYTES = 512 << 20,
	STORE_RESERVE_BYTES = 2 << 20,
	STORE_BUSY_MSEC = 10000,
};

/* ---- batch.c -------------------------------------------------------------------------------- */

struct store_value {
	char type; /* a letter of the format */
	int64_t i;
	double d;
	char *s; /* of s and j; NULL = NULL */
	size_t len;
};
struct store_values {
	struct store_value items[STORE_MAX_PARAMETERS];
	unsigned len;
};
struct store_op {
	enum store_statement statement;
	unsigned n_values;
	struct store_value *values;
};
struct store_batch {
	struct store_op *ops;
	size_t n_ops, cap, bytes;
	struct store_batch *next; /* in the writer's queues, under its lock */
	int result;		  /* written by the writer, read when it is back on the loop */
	/* the loop's */
	struct store_batch *next_pending;
	store_done_fn fn;
	void *data;
	usec_t submitted;
	uint64_t number;
	bool late;
};
/* A failure that is this batch's own fault: the others of its group go on. */
static inline bool batch_own_fault(int r)
{
	return r == -EEXIST || r == -ENOENT || r == -EFBIG;
}
int values_read(struct store_values *values, const char *format, va_list ap);
void values_clear(struct store_value *values, unsigned n);
int values_bind(sqlite3_stmt *stmt, const struct store_value *values, unsigned n);

/* ---- database.c, schema.c ------------------------------------------------------------------- */

int sqlite_errno(sqlite3 *db, int code); /* SQLite's result as a negative errno */
/* Runs statements without results. On failure `err` says which file and why. */
int database_exec(sqlite3 *db, const char *sql, struct tend_error *err);
int database_get_int(sqlite3 *db, const char *sql, int64_t *ret_value);
sqlite3 *database_close(sqlite3 *db);
DEFINE_AUTO(sqlite3 *, database_close)
/* Opens, or begins, DIR/tend.db for the writer. */
int database_open(const char *dir, struct tend_error *err, bool *ret_fresh, sqlite3 **ret_db);
/* The file as it is, made if there is none; -EUCLEAN: it is no database. */
int database_open_plain(const char *path, struct tend_error *err, sqlite3 **ret_db);
/* Renames a file that cannot be read, with what belongs to it. */
int database_set_aside(const char *path, struct tend_error *err);
int database_open_reader(const char *dir, struct tend_error *err, sqlite3 **ret_db);

extern const char *const schema_migrations[]; /* [v] leads from version v to v + 1 */
extern const int schema_version;
/* From `from` to `to` in one transaction, after a copy to PATH.vFROM-backup (not from version 0).
 */
int schema_migrate(sqlite3 *db, const char *path, const char *const *migrations, int from, int to,
	struct tend_error *err);

/* ---- writer.c ------------------------------------------------------------------------------- */

struct writer;
struct writer_state {
	bool ok; /* the last commit went well, on no reserve */
	char last_error[256];
	uint64_t n_commits, n_failed, n_queued;
	usec_t last_commit_usec;
};
/* Takes over `db`; writes to event_fd when there is news. */
int writer_new(sqlite3 *db, const char *dir, int event_fd, struct writer **ret_writer);
/* Commits what is queued, at most 5 s; then the thread hangs, and the writer is left to it and
 * returned. */
struct writer *writer_free(struct writer *writer);
int writer_submit(struct writer *writer, struct store_batch *batch); /* -ENOBUFS, -ESHUTDOWN */
/* Batches that ended since the last call, in order. */
struct store_batch *writer_take_done(struct writer *writer);
void writer_set_retention(struct writer *writer, const struct store_retention *retention);
void writer_get_state(struct writer *writer, struct writer_state *ret_state);

/* ---- prune.c -------------------------------------------------------------------------------- */

/* Where a round over the tables is; all zero: at its beginning. */
struct pruner {
	size_t rule;
	int limit;	    /* rows a step */
	char *kind, *scope; /* of the records that are looked at */
	/* where the last step ended: rows by time and rowid, records by time and key */
	int64_t at, id;
	char *key;
	/* the newest of the scope, which stay whatever their age: how many were counted, and since
	 * when they are */
	int64_t n_counted, newest_at;
	bool counted;
	bool unsynced; /* the connection does not sync what it commits: see pruner_sync() */
	uint64_t n_deleted;
};
/* A few rows, in a transaction of its own. 1: go on, 0: that was the last of the round. */
int pruner_step(
	sqlite3 *db, struct pruner *pruner, const struct store_retention *retention, int64_t now);
/* To be called before a commit that is promised: it will be on the disk. */
int pruner_sync(sqlite3 *db, struct pruner *pruner);
void pruner_clear(struct pruner *pruner);

/* ---- reader.c ------------------------------------------------------------------------------- */

struct reader;
struct store_request {
	enum store_query query;
	struct store_values values;
	store_rows_fn fn;
	void *data;
	struct store_request *next;
	bool waited_for; /* by reader_run(): not for the loop */
	bool done;
	int result;
	json_t *rows;
};
struct store_request *store_request_free(struct store_request *request);
DEFINE_AUTO(struct store_request *, store_request_free)
int reader_new(sqlite3 *db, int event_fd, struct reader **ret_reader);
struct reader *reader_free(struct reader *reader);
int reader_submit(
	struct reader *reader, struct store_request *request); /* steals it when it returns 0 */
int reader_run(
	struct reader *reader, struct store_request *request); /* waits; stays the caller's */
struct store_request *reader_take_done(struct reader *reader);

/* A thread of the store: no signal ever runs on it. */
int store_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *), void *data);
bool store_thread_join(pthread_t thread, usec_t patience); /* false: it hangs */

#endif
