/* SPDX-License-Identifier: MIT */
/*
 * store/store.h: SQLite, and the only place with SQL. One writer thread with group commit
 * (synchronous=FULL), one reader thread; the loop never waits for the disk. A batch is all or
 * nothing: `accepted` means its commit was reported. When no commit comes within 1 s the owner is
 * told once with -EINPROGRESS ("not durable yet": deliver from memory, freeze actions), and again
 * with the final result. Queues are bounded: -ENOBUFS. Callbacks come on the loop.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <jansson.h>
#include <tend/error.h>
#include "loop/loop.h"

struct store;
struct store_batch;

#include "store/statements.h"

/* Opens STATE_DIR/tend.db, migrates it (after a copy), starts the threads. `ret_fresh`: true when a
 * corrupt file was set aside and a new one begun (alert; its SWITCH row says that actions are off,
 * by tendd, until somebody resumes). A file of a newer version: -EPROTO, with a text that says
 * which version can read it. -EBUSY: another tendd has the folder. */
int store_open(struct loop *loop, const char *state_dir, struct tend_error *err, bool *ret_fresh,
	struct store **ret_store);
/* Commits what is queued, at most 5 s; calls nobody back. */
struct store *store_free(struct store *store);
DEFINE_AUTO(struct store *, store_free)

int store_batch_new(struct store_batch **ret_batch);
struct store_batch *store_batch_free(struct store_batch *batch);
DEFINE_AUTO(struct store_batch *, store_batch_free)
/* `format`: one letter a parameter: s (const char *, copied, NULL = NULL), i (int64_t), d (double),
 * j (json_t *, borrowed, stored as compact text); it must be the statement's own (asserted).
 * -EFBIG: the batch would be larger than 16 MiB. */
int store_batch_add(
	struct store_batch *batch, enum store_statement statement, const char *format, ...);

/* r: 0 committed; -EINPROGRESS late (called again later); else it failed and nothing was written.
 */
typedef void (*store_done_fn)(int r, void *data);
/* Steals the batch, also on failure (then fn is not called). fn may be NULL. */
int store_commit(struct store *store, struct store_batch *batch, store_done_fn fn, void *data);

/* fn hears once, when all that was handed over before has ended: 0, it is on the disk; else how the
 * disk failed one of those. A batch that failed alone, by its own fault, is nobody else's failure.
 */
int store_barrier(struct store *store, store_done_fn fn, void *data);

/* Rows as a JSON array of objects (column name -> value; columns ending in _json are parsed), at
 * most 10,000 and 32 MiB: more is -E2BIG, never a part of it. Borrowed by fn. */
typedef void (*store_rows_fn)(int r, json_t *rows, void *data);
int store_read(struct store *store, enum store_query query, store_rows_fn fn, void *data,
	const char *format, ...);
/* For start-up, before loop_run(): blocks. At most a million rows and 512 MiB. */
int store_read_now(
	struct store *store, enum store_query query, json_t **ret_rows, const char *format, ...);

/* How long what is over is kept: notices that were delivered; incidents, runs, actions, approvals
 * that ended; records, and how many of a kind in one scope. Until it is set: the default. */
struct store_retention {
	usec_t notices, history, records;
	int64_t n_records;
};
extern const struct store_retention store_retention_default;
void store_set_retention(struct store *store, const struct store_retention *retention);

struct store_stats {
	bool healthy; /* the last commit went well, none is late, the disk is not on its reserve */
	char last_error[256];
	uint64_t n_commits, n_failed, n_queued;
	usec_t last_commit_usec; /* how long it took */
};
void store_get_stats(const struct store *store, struct store_stats *ret_stats);
bool store_healthy(const struct store *store);
/* Nothing was handed over that has not been reported. */
bool store_idle(const struct store *store);
/* Called on the loop whenever store_healthy() changes, and at once if it is not healthy now. Any
 * number may ask. */
void store_on_health(struct store *store, void (*fn)(bool healthy, void *data), void *data);
const char *store_epoch(const struct store *store); /* UUID of this database's beginning */

#endif
