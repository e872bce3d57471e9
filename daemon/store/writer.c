/* SPDX-License-Identifier: MIT */
/*
 * store/writer.c: the thread that writes. It drains the whole queue into one transaction (group
 * commit); every batch has a savepoint, so that one that breaks a constraint fails alone. When the
 * disk is full it gives up the reserve file to finish what was promised, says so (not ok), and
 * takes the reserve back when there is room again. At idle: checkpoints, retention.
 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/private.h"

enum {
	GROUP_MAX_BATCHES = 1000,
	GROUP_MAX_BYTES = 16 << 20,
	CHECKPOINT_PAGES = 250,	      /* few: a commit waits for it */
	CHECKPOINT_BUSY_PAGES = 8000, /* also when there is no idle moment */
};
#define RECOVER_INTERVAL (USEC_PER_SEC)
#define PRUNE_FIRST	 (5 * USEC_PER_SEC)
#define PRUNE_PAUSE	 (20 * USEC_PER_MSEC)  /* between the steps of a round */
#define PRUNE_OVERDUE	 (100 * USEC_PER_MSEC) /* no idle moment: in between commits, then */
#define PRUNE_INTERVAL	 (600 * USEC_PER_SEC)
#define FREE_PATIENCE	 (5 * USEC_PER_SEC)

struct batch_list {
	struct store_batch *head, *tail;
	size_t len, bytes;
};

struct writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int event_fd;
	/* under the lock */
	struct batch_list queue, done;
	struct writer_state state;
	bool stopping;
	struct store_retention retention;
	/* the thread's own */
	sqlite3 *db;
	sqlite3_stmt *stmts[STORE_STATEMENT_MAX];
	char *reserve_path;
	bool reserve_held;
	int wal_pages;
	usec_t next_prune;
	struct pruner pruner;
	int last_result;
	char last_error[256];
};

static void list_push(struct batch_list *list, struct store_batch *batch)
{
	batch->next = NULL;
	if (list->tail)
		list->tail->next = batch;
	else
		list->head = batch;
	list->tail = batch;
	list->len++;
	list->bytes += batch->bytes;
}

static struct store_batch *list_pop(struct batch_list *list)
{
	struct store_batch *batch = list->head;

	list->head = batch->next;
	if (!list->head)
		list->tail = NULL;
	list->len--;
	list->bytes -= batch->bytes;
	batch->next = NULL;
	return batch;
}

/* ---- the reserve ---------------------------------------------------------------------------- */

static bool reserve_take(struct writer *w)
{
	auto_close int fd = open(w->reserve_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || posix_fallocate(fd, 0, STORE_RESERVE_BYTES) != 0) {
		/* Half a reserve is none: what it got may be what the next commit lacks. */
		if (fd >= 0 && ftruncate(fd, 0) < 0)
			log_debug("store: cannot cut '%s': %s", w->reserve_path, strerror(errno));
		return false;
	}
	return true;
}

static bool reserve_release(struct writer *w)
{
	if (!w->reserve_held)
		return false;
	w->reserve_held = false;
	if (truncate(w->reserve_path, 0) < 0)
		return false;
	log_warning(
		"store: the disk is full, running on the reserve of %d KiB, actions freeze until "
		"there is room",
		STORE_RESERVE_BYTES >> 10);
	return true;
}

/* ---- statements ----------------------------------------------------------------------------- */

static void note_error(struct writer *w, const char *what, int r)
{
	const char *text = sqlite3_errmsg(w->db);
	char line[sizeof(w->last_error)];

	if (snprintf(line, sizeof(line), "%s: %s (%s)", what, text, strerror(-r)) < 0)
		return;
	str_sanitize(w->last_error, sizeof(w->last_error), line, strlen(line));
}

static int writer_prepare(struct writer *w, enum store_statement statement, sqlite3_stmt **ret_stmt)
{
	int code = SQLITE_OK;

	if (!w->stmts[statement])
		code = sqlite3_prepare_v3(w->db, store_statements[statement].sql, -1,
			SQLITE_PREPARE_PERSISTENT, &w->stmts[statement], NULL);
	*ret_stmt = w->stmts[statement];
	return sqlite_errno(w->db, code);
}

static int op_run(struct writer *w, const struct store_op *op)
{
	const struct store_sql *sql = &store_statements[op->statement];
	sqlite3_stmt *stmt;
	int r = writer_prepare(w, op->statement, &stmt);

	if (r == 0)
		r = sqlite_errno(w->db, values_bind(stmt, op->values, op->n_values));
	if (r == 0)
		r = sqlite_errno(w->db, sqlite3_step(stmt));
	if (r == 0 && sql->must_change && sqlite3_changes(w->db) == 0)
		r = -ENOENT;
	if (r < 0)
		note_error(w, sql->name, r);
	if (stmt) {
		(void)sqlite3_reset(stmt);
		(void)sqlite3_clear_bindings(stmt);
	}
	return r;
}

static int plain(struct writer *w, const char *sql)
{
	int r = database_exec(w->db, sql, NULL);

	if (r < 0)
		note_error(w, sql, r);
	return r;
}

/* ---- group commit --------------------------------------------------------------------------- */

/* 0 also when the batch failed by its own fault (batch->result says so). */
static int batch_run(struct writer *w, struct store_batch *batch)
{
	int r = plain(w, "SAVEPOINT one");

	if (r < 0)
		return r;
	for (size_t i = 0; i < batch->n_ops && r == 0; i++)
		r = op_run(w, &batch->ops[i]);
	batch->result = r;
	if (r < 0) {
		/* A full disk and its like may have rolled everything back already. */
		if (!batch_own_fault(r) || sqlite3_get_autocommit(w->db))
			return r;
		r = plain(w, "ROLLBACK TO one");
	}
	return r < 0 ? r : plain(w, "RELEASE one");
}

static int group_try(struct writer *w, struct store_batch *first, const struct store_batch *end)
{
	int r = pruner_sync(w->db, &w->pruner);

	if (r == 0)
		r = plain(w, "BEGIN IMMEDIATE");
	for (struct store_batch *b = first; b != end && r == 0; b = b->next)
		r = batch_run(w, b);
	if (r == 0)
		r = plain(w, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(w->db))
		(void)database_exec(w->db, "ROLLBACK", NULL);
	if (r < 0)
		for (struct store_batch *b = first; b != end; b = b->next)
			b->result = r;
	return r;
}

static int group_commit(struct writer *w, struct batch_list *group)
{
	int r = group_try(w, group->head, NULL), first_error = r;

	if (r == -ENOSPC && reserve_release(w))
		first_error = r = group_try(w, group->head, NULL);
	if (r == 0 || group->len == 1 || r == -EBUSY)
		return r;
	/* What is small, or sound, may still get through where the whole group did not. */
	for (struct store_batch *b = group->head; b; b = b->next) {
		r = group_try(w, b, b->next);
		if (r < 0 && first_error == 0)
			first_error = r;
	}
	return first_error;
}

static void publish(struct writer *w, int r, usec_t took)
{
	bool was_ok;

	pthread_mutex_lock(&w->lock);
	was_ok = w->state.ok;
	w->state.ok = r == 0 && w->reserve_held;
	if (r == 0)
		w->state.last_commit_usec = took;
	if (w->state.ok)
		w->last_error[0] = '\0';
	else if (r == 0)
		snprintf(w->last_error, sizeof(w->last_error), "the disk is full: on the reserve");
	memcpy(w->state.last_error, w->last_error, sizeof(w->last_error));
	pthread_mutex_unlock(&w->lock);
	if (was_ok && r < 0)
		log_error("store: cannot commit: %s; notices go out from memory, next try in 1 s",
			w->last_error);
	else if (!was_ok && r == 0 && w->reserve_held)
		log_notice("store: commits again");
	w->last_result = r;
}

static void poke(struct writer *w)
{
	uint64_t one = 1;

	if (write(w->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("store: cannot wake the loop: %s", strerror(errno));
}

static void commit_and_report(struct writer *w, struct batch_list *group)
{
	usec_t began = clock_now();
	int r = group_commit(w, group);

	publish(w, r, clock_now() - began);
	pthread_mutex_lock(&w->lock);
	while (group->head) {
		struct store_batch *batch = list_pop(group);

		if (batch->result == 0)
			w->state.n_commits++;
		else
			w->state.n_failed++;
		list_push(&w->done, batch);
	}
	pthread_mutex_unlock(&w->lock);
	poke(w);
}

/* ---- idle ----------------------------------------------------------------------------------- */

static int on_wal(void *data, sqlite3 *db, const char *name, int n_pages)
{
	struct writer *w = data;

	w->wal_pages = n_pages;
	return SQLITE_OK;
}

static void checkpoint(struct writer *w)
{
	if (sqlite3_wal_checkpoint_v2(w->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
		SQLITE_OK)
		log_debug("store: checkpoint: %s", sqlite3_errmsg(w->db));
	w->wal_pages = 0;
}

/* After a failure: is there room, does a commit go through? */
static void recover(struct writer *w)
{
	usec_t began = clock_now();
	bool had = w->reserve_held;
	int r;

	if (!had)
		w->reserve_held = reserve_take(w);
	r = plain(w, "INSERT OR REPLACE INTO meta VALUES('recovered_at', datetime('now'))");
	if (r == -ENOSPC && !had && w->reserve_held) {
		/* Taking the reserve back took the last room: leave it. */
		w->reserve_held = false;
		if (truncate(w->reserve_path, 0) < 0)
			log_warning("store: cannot give the reserve back: %s", strerror(errno));
	}
	publish(w, r, clock_now() - began);
	poke(w);
}

/* One step of a round. */
static void prune(struct writer *w)
{
	struct store_retention retention;
	int r;

	pthread_mutex_lock(&w->lock);
	retention = w->retention;
	pthread_mutex_unlock(&w->lock);
	r = pruner_step(w->db, &w->pruner, &retention, (int64_t)clock_wall());
	if (r < 0)
		log_warning("store: cannot prune: %s, next try in 10 min", strerror(-r));
	w->next_prune = clock_now() + (r > 0 ? PRUNE_PAUSE : PRUNE_INTERVAL);
}

static bool is_ok(struct writer *w)
{
	return w->last_result == 0 && w->reserve_held;
}

/* With nothing queued; each call does one thing. Returns when to come again. */
static usec_t idle_work(struct writer *w)
{
	if (!is_ok(w)) {
		recover(w);
		if (!is_ok(w))
			return clock_now() + RECOVER_INTERVAL;
	}
	if (w->wal_pages >= CHECKPOINT_PAGES)
		checkpoint(w);
	if (clock_now() >= w->next_prune)
		prune(w);
	return w->next_prune;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void take_group(struct writer *w, struct batch_list *group)
{
	while (w->queue.head && group->len < GROUP_MAX_BATCHES && group->bytes < GROUP_MAX_BYTES)
		list_push(group, list_pop(&w->queue));
}

/* Waits for work until `until`; false when it is time to end. */
static bool wait_for_work(struct writer *w, usec_t until, struct batch_list *group)
{
	struct timespec ts = {.tv_sec = (time_t)(until / USEC_PER_SEC),
		.tv_nsec = (long)(until % USEC_PER_SEC * 1000)};
	bool go_on;

	pthread_mutex_lock(&w->lock);
	while (!w->queue.head && !w->stopping)
		if (pthread_cond_timedwait(&w->wake, &w->lock, &ts) == ETIMEDOUT)
			break;
	take_group(w, group);
	go_on = group->head || !w->stopping;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void *writer_thread(void *data)
{
	struct writer *w = data;
	usec_t next = clock_now() + PRUNE_FIRST;
	struct batch_list group = {0};

	while (wait_for_work(w, next, &group)) {
		if (group.head) {
			commit_and_report(w, &group);
			next = is_ok(w) && w->wal_pages < CHECKPOINT_PAGES
				       ? MAX(w->next_prune, clock_now() + PRUNE_PAUSE)
				       : clock_now() + RECOVER_INTERVAL;
			if (w->wal_pages >= CHECKPOINT_BUSY_PAGES)
				checkpoint(w);
			if (is_ok(w) && clock_now() >= w->next_prune + PRUNE_OVERDUE)
				prune(w);
		} else {
			next = idle_work(w);
		}
	}
	return NULL;
}

int store_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *), void *data)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret_thread, NULL, fn, data);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		(void)pthread_setname_np(*ret_thread, name);
	return -r;
}

bool store_thread_join(pthread_t thread, usec_t patience)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(patience / USEC_PER_SEC);
	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &ts) == 0;
}

/* ---- called from the loop ------------------------------------------------------------------- */

static void writer_dispose(struct writer *w)
{
	struct batch_list *lists[] = {&w->queue, &w->done};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		while (lists[i]->head)
			store_batch_free(list_pop(lists[i]));
	for (size_t i = 0; i < STORE_STATEMENT_MAX; i++)
		(void)sqlite3_finalize(w->stmts[i]);
	pruner_clear(&w->pruner);
	database_close(w->db);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w->reserve_path);
	free(w);
}

int writer_new(sqlite3 *db, const char *dir, int event_fd, struct writer **ret_writer)
{
	struct writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (!w) {
		database_close(db);
		return -ENOMEM;
	}
	w->db = db;
	w->event_fd = event_fd;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	w->reserve_path = str_printf("%s/tend.reserve", dir);
	r = w->reserve_path ? 0 : -ENOMEM;
	if (r == 0) {
		(void)sqlite3_wal_hook(db, on_wal, w);
		w->reserve_held = reserve_take(w);
		w->state.ok = w->reserve_held;
		w->next_prune = clock_now() + PRUNE_FIRST;
		w->retention = store_retention_default;
		if (!w->reserve_held)
			snprintf(w->state.last_error, sizeof(w->state.last_error),
				"no room for the reserve of %d KiB", STORE_RESERVE_BYTES >> 10);
		r = store_thread_start(&w->thread, "store-writer", writer_thread, w);
	}
	if (r < 0) {
		writer_dispose(w);
		return r;
	}
	*ret_writer = w;
	return 0;
}

void writer_set_retention(struct writer *w, const struct store_retention *retention)
{
	pthread_mutex_lock(&w->lock);
	w->retention = *retention;
	pthread_mutex_unlock(&w->lock);
}

struct writer *writer_free(struct writer *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (store_thread_join(w->thread, FREE_PATIENCE)) {
		writer_dispose(w);
		return NULL;
	}
	/* The thread still uses it all: it is left to the end of the process. */
	log_error("store: the disk does not answer, what waits for it is lost");
	return w;
}

int writer_submit(struct writer *w, struct store_batch *batch)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	if (w->stopping)
		r = -ESHUTDOWN;
	else if (w->queue.len >= STORE_MAX_QUEUED ||
		 w->queue.bytes + batch->bytes > STORE_MAX_QUEUED_BYTES)
		r = -ENOBUFS;
	else
		list_push(&w->queue, batch);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return r;
}

struct store_batch *writer_take_done(struct writer *w)
{
	struct store_batch *batches;

	pthread_mutex_lock(&w->lock);
	batches = w->done.head;
	w->done = (struct batch_list){0};
	pthread_mutex_unlock(&w->lock);
	return batches;
}

void writer_get_state(struct writer *w, struct writer_state *ret_state)
{
	pthread_mutex_lock(&w->lock);
	*ret_state = w->state;
	ret_state->n_queued = w->queue.len;
	pthread_mutex_unlock(&w->lock);
}
