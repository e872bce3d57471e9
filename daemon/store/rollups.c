/* SPDX-License-Identifier: MIT */
/*
 * store/rollups.c: the history's thread, and the loop's side of it. Minutes go in by a queue, looks
 * into the history by another, which goes first; answers come back by an eventfd. With nothing
 * queued the thread packs and drops, a step at a time.
 */
#include "store/rollups.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/private.h"
#include "store/rollups_private.h"

enum {
	MAX_MINUTES = 10, /* waiting */
	MAX_LOOKS = 256,
	PAGE_BYTES = 4096, /* SQLite's default, which nobody changes */
};
#define STEP_PAUSE    (20 * USEC_PER_MSEC)
#define IDLE_INTERVAL (60 * USEC_PER_SEC)
#define LOG_INTERVAL  (600 * USEC_PER_SEC)
#define FREE_PATIENCE (5 * USEC_PER_SEC)

struct look {
	uint32_t series;
	enum rollups_step step;
	int64_t first; /* minute or hour */
	size_t n;
	struct point *points;
	int result;
	rollups_points_fn fn;
	void *data;
	struct look *next;
};

struct look_list {
	struct look *head, **tail;
	size_t len;
};

struct rollups {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int event_fd;
	/* under the lock */
	struct minute *minutes, **minutes_tail;
	size_t n_minutes;
	struct look_list looks, done;
	struct look *current; /* on the thread */
	int64_t minute_days, hour_days;
	struct rollups_stats stats;
	bool stopping;
	/* the thread's own */
	struct rollups_file file;
	usec_t next_log;
	/* the loop's */
	struct loop_source *events;
	struct look_list calling; /* being answered */
};

static const int64_t step_seconds[] = {[ROLLUPS_MINUTES] = 60, [ROLLUPS_HOURS] = 3600};

static void list_init(struct look_list *list)
{
	*list = (struct look_list){.tail = &list->head};
}

static void list_push(struct look_list *list, struct look *look)
{
	look->next = NULL;
	*list->tail = look;
	list->tail = &look->next;
	list->len++;
}

static struct look *list_pop(struct look_list *list)
{
	struct look *look = list->head;

	if (!look)
		return NULL;
	list->head = look->next;
	if (!list->head)
		list->tail = &list->head;
	list->len--;
	return look;
}

static void list_move(struct look_list *from, struct look_list *to)
{
	struct look *look;

	while ((look = list_pop(from)))
		list_push(to, look);
}

static struct look *look_free(struct look *look)
{
	if (look)
		free(look->points);
	free(look);
	return NULL;
}
DEFINE_AUTO(struct look *, look_free)

/* ---- a minute ------------------------------------------------------------------------------- */

int minute_new(int64_t at, struct minute **ret_minute)
{
	struct minute *minute = calloc(1, sizeof(*minute));

	if (!minute)
		return -ENOMEM;
	minute->minute = at;
	*ret_minute = minute;
	return 0;
}

struct minute *minute_free(struct minute *minute)
{
	if (!minute)
		return NULL;
	for (size_t i = 0; i < minute->n_names; i++) {
		free(minute->names[i].check);
		free(minute->names[i].metric);
		free(minute->names[i].instance);
		free(minute->names[i].unit);
	}
	free(minute->names);
	free(minute->entries);
	free(minute);
	return NULL;
}

static void *grown(void *items, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 64;
	void *new = n < *cap ? items : reallocarray(items, want, size);

	if (new &&n >= *cap)
		*cap = want;
	return new;
}

int minute_add(struct minute *minute, uint32_t series, const struct point *point)
{
	struct minute_entry *entries = grown(
		minute->entries, minute->n_entries, &minute->cap_entries, sizeof(*minute->entries));

	if (!entries)
		return -ENOMEM;
	minute->entries = entries;
	entries[minute->n_entries++] = (struct minute_entry){.series = series, .point = *point};
	return 0;
}

int minute_name(struct minute *minute, uint32_t series, const char *check, const char *metric,
	const char *instance, const char *unit)
{
	struct minute_name *names =
		grown(minute->names, minute->n_names, &minute->cap_names, sizeof(*minute->names));
	struct minute_name *name;

	if (!names)
		return -ENOMEM;
	minute->names = names;
	name = &names[minute->n_names++];
	*name = (struct minute_name){.series = series,
		.check = strdup(check),
		.metric = strdup(metric),
		.instance = strdup(instance),
		.unit = strdup(unit)};
	return name->check && name->metric && name->instance && name->unit ? 0 : -ENOMEM;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void complain(struct rollups *r, const char *what, int error)
{
	if (clock_now() < r->next_log)
		return;
	r->next_log = clock_now() + LOG_INTERVAL;
	log_warning("history: cannot %s: %s (%s); what does not get in is lost", what,
		sqlite3_errmsg(r->file.db), strerror(-error));
}

static void write_minute(struct rollups *r, struct minute *minute)
{
	int error = rollups_file_put(&r->file, minute);
	int64_t n_pages = 0;

	if (error < 0)
		complain(r, "write a minute", error);
	(void)database_get_int(r->file.db, "PRAGMA page_count", &n_pages);
	minute_free(minute);
	pthread_mutex_lock(&r->lock);
	r->n_minutes--;
	if (error < 0)
		r->stats.n_lost++;
	else
		r->stats.n_minutes++;
	r->stats.file_bytes = n_pages * PAGE_BYTES;
	r->stats.n_block_points = r->file.n_block_points;
	r->stats.n_block_bytes = r->file.n_block_bytes;
	pthread_mutex_unlock(&r->lock);
}

static void answer(struct rollups *r, struct look *look)
{
	uint64_t one = 1;

	look->points = calloc(look->n, sizeof(*look->points));
	if (!look->points)
		look->result = -ENOMEM;
	else if (look->step == ROLLUPS_MINUTES)
		look->result = rollups_file_minutes(
			&r->file, look->series, look->first, look->points, look->n);
	else
		look->result = rollups_file_hours(
			&r->file, look->series, look->first, look->points, look->n);
	if (look->result < 0)
		complain(r, "read", look->result);
	pthread_mutex_lock(&r->lock);
	r->current = NULL;
	list_push(&r->done, look);
	pthread_mutex_unlock(&r->lock);
	if (write(r->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("history: cannot wake the loop: %s", strerror(errno));
}

/* Returns when to come again. */
static usec_t tend(struct rollups *r)
{
	int64_t minute_days, hour_days;
	int more;

	pthread_mutex_lock(&r->lock);
	minute_days = r->minute_days;
	hour_days = r->hour_days;
	pthread_mutex_unlock(&r->lock);
	more = rollups_file_tend(
		&r->file, (int64_t)(clock_wall() / USEC_PER_SEC), minute_days, hour_days);
	if (more < 0)
		complain(r, "pack", more);
	return clock_now() + (more > 0 ? STEP_PAUSE : IDLE_INTERVAL);
}

/* One thing to do, looks first; false: it is time to end. */
static bool next_work(
	struct rollups *r, usec_t until, struct look **ret_look, struct minute **ret_minute)
{
	struct timespec ts = {.tv_sec = (time_t)(until / USEC_PER_SEC),
		.tv_nsec = (long)(until % USEC_PER_SEC * 1000)};
	bool go_on;

	*ret_minute = NULL;
	pthread_mutex_lock(&r->lock);
	while (!r->looks.head && !r->minutes && !r->stopping)
		if (pthread_cond_timedwait(&r->wake, &r->lock, &ts) == ETIMEDOUT)
			break;
	*ret_look = r->current = r->stopping ? NULL : list_pop(&r->looks);
	if (!*ret_look && r->minutes) {
		*ret_minute = r->minutes;
		r->minutes = r->minutes->next;
		if (!r->minutes)
			r->minutes_tail = &r->minutes;
	}
	go_on = *ret_minute || !r->stopping;
	pthread_mutex_unlock(&r->lock);
	return go_on;
}

static void *rollups_thread(void *data)
{
	struct rollups *r = data;
	usec_t next = clock_now();
	struct look *look;
	struct minute *minute;

	while (next_work(r, next, &look, &minute)) {
		if (look)
			answer(r, look);
		if (minute)
			write_minute(r, minute);
		if (!look && (minute || clock_now() >= next))
			next = minute ? clock_now() + STEP_PAUSE : tend(r);
	}
	return NULL;
}

/* ---- called from the loop ------------------------------------------------------------------- */

static void on_answers(int fd, uint32_t events, void *data)
{
	struct rollups *r = data;
	struct look *look;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_error("history: cannot read its eventfd: %s", strerror(errno));
	pthread_mutex_lock(&r->lock);
	list_move(&r->done, &r->calling);
	pthread_mutex_unlock(&r->lock);
	while ((look = list_pop(&r->calling))) {
		if (look->fn)
			look->fn(look->result, look->points, look->n,
				look->first * step_seconds[look->step], look->data);
		look_free(look);
	}
}

static int start(struct rollups *r, struct loop *loop)
{
	int error;

	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->event_fd < 0)
		return -errno;
	error = loop_io_new(loop, r->event_fd, EPOLLIN, on_answers, r, &r->events);
	if (error == 0)
		error = store_thread_start(&r->thread, "history", rollups_thread, r);
	return error;
}

static void dispose(struct rollups *r)
{
	struct look *look;

	while (r->minutes) {
		struct minute *minute = r->minutes;

		r->minutes = minute->next;
		minute_free(minute);
	}
	list_move(&r->looks, &r->calling);
	list_move(&r->done, &r->calling);
	while ((look = list_pop(&r->calling)))
		look_free(look);
	rollups_file_close(&r->file);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->wake);
	if (r->event_fd >= 0)
		(void)close(r->event_fd);
	free(r);
}

int rollups_open(struct loop *loop, const char *state_dir, rollups_series_fn fn, void *data,
	struct tend_error *err, struct rollups **ret_rollups)
{
	struct rollups *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	int error;

	if (!r)
		return -ENOMEM;
	r->event_fd = -1;
	r->minute_days = 14;
	r->hour_days = 400;
	r->minutes_tail = &r->minutes;
	list_init(&r->looks);
	list_init(&r->done);
	list_init(&r->calling);
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	error = rollups_file_open(state_dir, err, &r->file);
	if (error == 0)
		error = rollups_file_series(&r->file, fn, data);
	if (error == 0)
		error = start(r, loop);
	if (error < 0) {
		loop_source_free(r->events);
		dispose(r);
		return tend_error_set(err, error, "history: %s",
			err && err->text[0] ? err->text : strerror(-error));
	}
	*ret_rollups = r;
	return 0;
}

struct rollups *rollups_free(struct rollups *r)
{
	if (!r)
		return NULL;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	r->events = loop_source_free(r->events);
	if (!store_thread_join(r->thread, FREE_PATIENCE)) {
		log_warning("history: the disk does not answer, its thread is left behind");
		return r; /* left to the thread */
	}
	dispose(r);
	return NULL;
}

uint32_t rollups_last_id(const struct rollups *r)
{
	return r->file.last_id;
}

void rollups_set_retention(struct rollups *r, int64_t minute_days, int64_t hour_days)
{
	pthread_mutex_lock(&r->lock);
	r->minute_days = minute_days;
	r->hour_days = hour_days;
	pthread_mutex_unlock(&r->lock);
}

int rollups_put(struct rollups *r, struct minute *minute)
{
	int error = 0;

	minute->next = NULL;
	pthread_mutex_lock(&r->lock);
	if (r->n_minutes >= MAX_MINUTES) {
		r->stats.n_lost++;
		error = -ENOBUFS;
	} else {
		*r->minutes_tail = minute;
		r->minutes_tail = &minute->next;
		r->n_minutes++;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	if (error < 0)
		minute_free(minute);
	return error;
}

int rollups_read(struct rollups *r, uint32_t series, enum rollups_step step, int64_t from,
	int64_t to, rollups_points_fn fn, void *data)
{
	int64_t first = from / step_seconds[step],
		end = (to + step_seconds[step] - 1) / step_seconds[step];
	auto(look_free) struct look *look = calloc(1, sizeof(*look));
	int error = 0;

	if (!look)
		return -ENOMEM;
	if (from < 0 || to <= from)
		return -EINVAL;
	if (end - first > ROLLUPS_MAX_POINTS)
		return -E2BIG;
	*look = (struct look){.series = series,
		.step = step,
		.first = first,
		.n = (size_t)(end - first),
		.fn = fn,
		.data = data};
	pthread_mutex_lock(&r->lock);
	if (r->looks.len >= MAX_LOOKS) {
		error = -ENOBUFS;
	} else {
		list_push(&r->looks, TAKE(look));
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	return error;
}

void rollups_forget(struct rollups *r, void *data)
{
	struct look_list *const lists[] = {&r->looks, &r->done, &r->calling};

	pthread_mutex_lock(&r->lock);
	if (r->current && r->current->data == data)
		r->current->fn = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (struct look *look = lists[i]->head; look; look = look->next)
			if (look->data == data)
				look->fn = NULL;
	pthread_mutex_unlock(&r->lock);
}

void rollups_get_stats(struct rollups *r, struct rollups_stats *ret_stats)
{
	pthread_mutex_lock(&r->lock);
	*ret_stats = r->stats;
	pthread_mutex_unlock(&r->lock);
}
