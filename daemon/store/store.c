/* SPDX-License-Identifier: MIT */
#include "store/store.h"
#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "store/private.h"

#define LATE_AFTER USEC_PER_SEC

struct health_watch {
	void (*fn)(bool healthy, void *data);
	void *data;
};

struct store {
	struct loop *loop;
	int lock_fd, event_fd;
	struct writer *writer;
	struct reader *reader;
	struct loop_source *events, *late_timer;
	/* What the writer has not reported, oldest first; from `in_time` on it is not late yet. */
	struct store_batch *pending, **pending_tail, *in_time;
	size_t n_late;
	uint64_t last_number,
		lost_number; /* of the last batch; of the last that the disk refused */
	int lost_result;
	size_t n_reads; /* not reported yet */
	struct writer_state state;
	bool healthy;
	struct vec watches; /* struct health_watch * */
	char epoch[UUID_TEXT_BYTES];
};

/* ---- health --------------------------------------------------------------------------------- */

static void update_health(struct store *s)
{
	bool healthy;

	writer_get_state(s->writer, &s->state);
	healthy = s->state.ok && s->n_late == 0;
	if (healthy == s->healthy)
		return;
	s->healthy = healthy;
	for (size_t i = 0; i < s->watches.len; i++) {
		struct health_watch *watch = s->watches.items[i];

		watch->fn(healthy, watch->data);
	}
}

void store_on_health(struct store *store, void (*fn)(bool healthy, void *data), void *data)
{
	struct health_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return;
	*watch = (struct health_watch){.fn = fn, .data = data};
	if (vec_push(&store->watches, watch) < 0)
		free(watch);
	else if (!store->healthy)
		fn(false, data);
}

bool store_healthy(const struct store *store)
{
	return store->healthy;
}

bool store_idle(const struct store *store)
{
	return !store->pending && store->n_reads == 0;
}

void store_get_stats(const struct store *store, struct store_stats *ret_stats)
{
	struct writer_state state;

	writer_get_state(store->writer, &state);
	*ret_stats = (struct store_stats){.healthy = store->healthy,
		.n_commits = state.n_commits,
		.n_failed = state.n_failed,
		.n_queued = state.n_queued,
		.last_commit_usec = state.last_commit_usec};
	memcpy(ret_stats->last_error, state.last_error, sizeof(ret_stats->last_error));
	if (store->n_late > 0 && !ret_stats->last_error[0])
		snprintf(ret_stats->last_error, sizeof(ret_stats->last_error),
			"%zu batches wait longer than 1 s for the disk", store->n_late);
}

void store_set_retention(struct store *store, const struct store_retention *retention)
{
	writer_set_retention(store->writer, retention);
}

const char *store_epoch(const struct store *store)
{
	return store->epoch;
}

/* ---- batches -------------------------------------------------------------------------------- */

static void arm_late_timer(struct store *s)
{
	loop_timer_set(s->late_timer, s->in_time ? s->in_time->submitted + LATE_AFTER : 0);
}

/* A callback may commit again (that goes to the end of the list) but never removes: only done does.
 */
static void on_late(void *data)
{
	struct store *s = data;
	struct store_batch *batch;
	usec_t now = clock_now();

	while ((batch = s->in_time) && batch->submitted + LATE_AFTER <= now) {
		batch->late = true;
		s->in_time = batch->next_pending;
		if (s->n_late++ == 0)
			log_warning(
				"store: no commit within 1 s, notices go out from memory, actions "
				"freeze");
		update_health(s);
		if (batch->fn)
			batch->fn(-EINPROGRESS, batch->data);
	}
	arm_late_timer(s);
}

static void unlink_pending(struct store *s, struct store_batch *batch)
{
	struct store_batch **at = &s->pending;

	while (*at && *at != batch)
		at = &(*at)->next_pending;
	assert(*at);
	*at = batch->next_pending;
	if (!*at)
		s->pending_tail = at;
	if (s->in_time == batch)
		s->in_time = batch->next_pending;
}

static void note_lost(struct store *s, uint64_t number, int r)
{
	if (r < 0 && !batch_own_fault(r)) {
		s->lost_number = number;
		s->lost_result = r;
	}
}

static void report_batches(struct store *s, struct store_batch *done)
{
	while (done) {
		struct store_batch *batch = done;

		done = batch->next;
		unlink_pending(s, batch);
		note_lost(s, batch->number, batch->result);
		if (batch->late && --s->n_late == 0)
			log_notice("store: the late commits have come");
		if (batch->fn)
			batch->fn(batch->result, batch->data);
		else if (batch->result < 0)
			log_warning("store: a batch nobody waits for failed: %s",
				strerror(-batch->result));
		store_batch_free(batch);
	}
}

static void report_rows(struct store *s, struct store_request *done)
{
	while (done) {
		auto(store_request_free) struct store_request *request = done;

		done = request->next;
		s->n_reads--;
		request->fn(request->result, request->rows, request->data);
	}
}

static void on_event(int fd, uint32_t events, void *data)
{
	struct store *s = data;
	struct store_batch *done;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_error("store: eventfd: %s", strerror(errno));
	done = writer_take_done(s->writer);
	/* First whether the disk is full, then what was committed: who hears of a commit may act,
	 * and must know by then that nothing may be done. */
	update_health(s);
	report_batches(s, done);
	report_rows(s, reader_take_done(s->reader));
	arm_late_timer(s);
	update_health(s);
}

int store_commit(struct store *store, struct store_batch *batch, store_done_fn fn, void *data)
{
	int r;

	batch->fn = fn;
	batch->data = data;
	batch->submitted = clock_now();
	batch->next_pending = NULL;
	batch->number = ++store->last_number;
	r = writer_submit(store->writer, batch);
	if (r < 0) {
		note_lost(store, batch->number, r);
		store_batch_free(batch);
		return r;
	}
	*store->pending_tail = batch;
	store->pending_tail = &batch->next_pending;
	if (!store->in_time) {
		store->in_time = batch;
		arm_late_timer(store);
	}
	return 0;
}

struct barrier {
	struct store *store;
	uint64_t since; /* the oldest batch that had not ended */
	store_done_fn fn;
	void *data;
};

static void on_barrier(int r, void *data)
{
	struct barrier *barrier = data;
	const struct store *s = barrier->store;

	if (r == -EINPROGRESS)
		return;
	if (r == 0 && s->lost_number >= barrier->since)
		r = s->lost_result;
	barrier->fn(r, barrier->data);
	free(barrier);
}

/* Batches end in their order: an empty one at the end of the queue is the barrier. */
int store_barrier(struct store *store, store_done_fn fn, void *data)
{
	struct barrier *barrier = calloc(1, sizeof(*barrier));
	struct store_batch *batch;
	int r = barrier ? store_batch_new(&batch) : -ENOMEM;

	if (r == 0) {
		*barrier = (struct barrier){
			store, store->pending ? store->pending->number : UINT64_MAX, fn, data};
		r = store_commit(store, batch, on_barrier, barrier);
		if (r == 0 && barrier->since == UINT64_MAX)
			barrier->since = batch->number;
	}
	if (r < 0)
		free(barrier);
	return r;
}

/* ---- reads ---------------------------------------------------------------------------------- */

static int request_new(
	enum store_query query, const char *format, va_list ap, struct store_request **ret_request)
{
	struct store_request *request;
	int r;

	assert(query < STORE_QUERY_MAX);
	assert(strcmp(format, store_queries[query].format) == 0);
	request = calloc(1, sizeof(*request));
	if (!request)
		return -ENOMEM;
	request->query = query;
	r = values_read(&request->values, format, ap);
	if (r < 0) {
		free(request);
		return r;
	}
	*ret_request = request;
	return 0;
}

int store_read(struct store *store, enum store_query query, store_rows_fn fn, void *data,
	const char *format, ...)
{
	auto(store_request_free) struct store_request *request = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	r = request_new(query, format, ap, &request);
	va_end(ap);
	if (r < 0)
		return r;
	request->fn = fn;
	request->data = data;
	r = reader_submit(store->reader, request);
	if (r == 0) {
		TAKE(request);
		store->n_reads++;
	}
	return r;
}

int store_read_now(
	struct store *store, enum store_query query, json_t **ret_rows, const char *format, ...)
{
	auto(store_request_free) struct store_request *request = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	r = request_new(query, format, ap, &request);
	va_end(ap);
	if (r < 0)
		return r;
	r = reader_run(store->reader, request);
	if (r == 0)
		*ret_rows = TAKE(request->rows);
	return r;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int lock_dir(const char *dir, struct tend_error *err, int *ret_fd)
{
	auto_free char *path = str_printf("%s/tend.lock", dir);

	if (!path)
		return -ENOMEM;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return tend_error_set(err, -errno, "cannot make the state directory '%s': %s", dir,
			strerror(errno));
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return tend_error_set(err, -errno,
			"cannot write to the state directory '%s': %s; it must belong to the user "
			"tendd "
			"runs as",
			dir, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return tend_error_set(
			err, -EBUSY, "another tendd works on the state directory '%s'", dir);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int read_epoch(struct store *s, struct tend_error *err)
{
	auto_json json_t *rows = NULL;
	const char *text;
	int r = store_read_now(s, STORE_QUERY_META, &rows, "s", "epoch");

	if (r < 0)
		return tend_error_set(err, r, "cannot read the store: %s", strerror(-r));
	text = json_string_value(json_object_get(json_array_get(rows, 0), "value"));
	if (!text || !uuid_valid(text))
		return tend_error_set(err, -EUCLEAN, "the store has no epoch");
	memcpy(s->epoch, text, UUID_TEXT_BYTES);
	return 0;
}

static int start_threads(struct store *s, const char *dir, struct tend_error *err, bool *ret_fresh)
{
	sqlite3 *db;
	int r = database_open(dir, err, ret_fresh, &db);

	if (r < 0)
		return r;
	r = writer_new(db, dir, s->event_fd, &s->writer);
	if (r < 0)
		return tend_error_set(err, r, "cannot start the writer: %s", strerror(-r));
	r = database_open_reader(dir, err, &db);
	if (r < 0)
		return r;
	r = reader_new(db, s->event_fd, &s->reader);
	if (r < 0)
		return tend_error_set(err, r, "cannot start the reader: %s", strerror(-r));
	writer_get_state(s->writer, &s->state);
	s->healthy = s->state.ok;
	return 0;
}

static int attach_loop(struct store *s, struct tend_error *err)
{
	int r = loop_io_new(s->loop, s->event_fd, EPOLLIN, on_event, s, &s->events);

	if (r == 0)
		r = loop_timer_new(s->loop, on_late, s, &s->late_timer);
	if (r < 0)
		return tend_error_set(err, r, "cannot watch the store: %s", strerror(-r));
	loop_source_name(s->events, "store");
	loop_source_name(s->late_timer, "store-late");
	return 0;
}

int store_open(struct loop *loop, const char *state_dir, struct tend_error *err, bool *ret_fresh,
	struct store **ret_store)
{
	auto(store_free) struct store *s = calloc(1, sizeof(*s));
	bool fresh = false;
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->lock_fd = -EBADF;
	s->pending_tail = &s->pending;
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd < 0)
		return tend_error_set(err, -errno, "eventfd: %s", strerror(errno));
	r = lock_dir(state_dir, err, &s->lock_fd);
	if (r == 0)
		r = start_threads(s, state_dir, err, &fresh);
	if (r == 0)
		r = attach_loop(s, err);
	if (r == 0)
		r = read_epoch(s, err);
	if (r < 0)
		return r;
	*ret_fresh = fresh;
	*ret_store = TAKE(s);
	return 0;
}

struct store *store_free(struct store *store)
{
	if (!store)
		return NULL;
	loop_source_free(store->events);
	loop_source_free(store->late_timer);
	reader_free(store->reader);
	/* A thread that hangs still writes to the eventfd: its number must not become another
	 * file's. */
	if (store->writer && writer_free(store->writer))
		store->event_fd = -EBADF;
	for (size_t i = 0; i < store->watches.len; i++)
		free(store->watches.items[i]);
	vec_clear(&store->watches);
	safe_close(store->event_fd);
	safe_close(store->lock_fd);
	free(store);
	return NULL;
}
