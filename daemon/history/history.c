/* SPDX-License-Identifier: MIT */
#include "history/history.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

/* After the minute: results that end with it are in by then. */
#define MINUTE_USEC  (60 * USEC_PER_SEC)
#define MINUTE_GRACE (200 * USEC_PER_MSEC)
#define DAY_USEC     (86400 * USEC_PER_SEC)
enum { CHECK_SERIES = TEND_SAMPLES_MAX };

struct series {
	uint32_t id;
	bool named;	/* its name was given to the file */
	int64_t minute; /* of its last result; 0: none since the start */
	uint32_t n;
	double min, max, sum;
	char *instance, *unit; /* in the memory of `metric` */
	char metric[];
};

struct check_history {
	struct series **series;
	size_t n;
	usec_t told; /* clock_now(): that it has too many; 0 */
};

struct history {
	struct loop *loop;
	struct rollups *rollups; /* NULL: no file */
	struct loop_source *timer;
	struct map checks; /* struct check_history * */
	uint32_t n_series, last_id;
	int64_t minute; /* that is being gathered */
	uint64_t n_refused, n_gave_way,
		n_lost; /* n_lost: of the file, when it was looked at last */
};

/* ---- series --------------------------------------------------------------------------------- */

static struct series *series_new(
	uint32_t id, const char *metric, const char *instance, const char *unit)
{
	size_t m = strlen(metric) + 1, i = strlen(instance) + 1, u = strlen(unit) + 1;
	struct series *series = calloc(1, sizeof(*series) + m + i + u);

	if (!series)
		return NULL;
	series->id = id;
	series->instance = series->metric + m;
	series->unit = series->instance + i;
	memcpy(series->metric, metric, m);
	memcpy(series->instance, instance, i);
	memcpy(series->unit, unit, u);
	return series;
}

static struct check_history *check_get(struct history *h, const char *check)
{
	struct check_history *of = map_get(&h->checks, check);

	if (of)
		return of;
	of = calloc(1, sizeof(*of));
	if (of && map_put(&h->checks, check, of) < 0) {
		free(of);
		return NULL;
	}
	return of;
}

/* The place of the one that has been silent for longest; its past stays in the file, without a name
 * here. NULL: all have spoken in this minute. */
static struct series **series_give_way(struct history *h, struct check_history *of)
{
	struct series **oldest = NULL;

	for (size_t i = 0; i < of->n; i++) {
		struct series **one = &of->series[i];

		if ((*one)->n > 0 || ((*one)->minute == h->minute && h->minute > 0))
			continue;
		if (!oldest || (*one)->minute < (*oldest)->minute ||
			((*one)->minute == (*oldest)->minute && (*one)->id < (*oldest)->id))
			oldest = one;
	}
	if (!oldest)
		return NULL;
	free(TAKE(*oldest));
	h->n_series--;
	return oldest;
}

static struct series **series_place(struct history *h, struct check_history *of)
{
	struct series **grown;

	if (of->n >= CHECK_SERIES)
		return series_give_way(h, of);
	if (h->n_series >= ROLLUPS_MAX_SERIES)
		return NULL;
	grown = reallocarray(of->series, of->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	of->series = grown;
	grown[of->n] = NULL;
	return &grown[of->n++];
}

static struct series *series_add(struct history *h, struct check_history *of, uint32_t id,
	const char *metric, const char *instance, const char *unit)
{
	struct series *series = series_new(id, metric, instance, unit);
	struct series **place = series ? series_place(h, of) : NULL;

	if (!place) {
		free(series);
		return NULL;
	}
	*place = series;
	h->n_series++;
	h->last_id = MAX(h->last_id, id);
	return series;
}

static struct series *series_find(
	const struct check_history *of, size_t guess, const char *metric, const char *instance)
{
	/* Results name their metrics in the same order each time. */
	for (size_t k = 0; of && k < of->n; k++) {
		struct series *series = of->series[(guess + k) % of->n];

		if (strcmp(series->metric, metric) == 0 && strcmp(series->instance, instance) == 0)
			return series;
	}
	return NULL;
}

static void on_series(uint32_t id, const char *check, const char *metric, const char *instance,
	const char *unit, void *data)
{
	struct history *h = data;
	struct check_history *of = check_get(h, check);
	struct series *series = of && !series_find(of, 0, metric, instance)
					? series_add(h, of, id, metric, instance, unit)
					: NULL;

	if (series)
		series->named = true;
	h->last_id = MAX(h->last_id, id);
}

/* ---- a minute ------------------------------------------------------------------------------- */

static int take_series(struct minute *minute, const char *check, struct series *series)
{
	const struct point point = {.n = series->n,
		.min = series->min,
		.mean = fmin(fmax(series->sum / series->n, series->min), series->max),
		.max = series->max};
	int r = minute_add(minute, series->id, &point);

	if (r == 0 && !series->named)
		r = minute_name(
			minute, series->id, check, series->metric, series->instance, series->unit);
	series->named = true;
	series->n = 0;
	return r;
}

/* Names that went with a minute that was lost are told again. */
static void look_for_losses(struct history *h)
{
	struct rollups_stats stats;

	rollups_get_stats(h->rollups, &stats);
	if (stats.n_lost == h->n_lost)
		return;
	h->n_lost = stats.n_lost;
	MAP_FOREACH (&h->checks, struct check_history *, of)
		for (size_t i = 0; i < of->n; i++)
			of->series[i]->named = false;
}

static void give_minute(struct history *h)
{
	auto(minute_free) struct minute *minute = NULL;
	int r = minute_new(h->minute, &minute);

	look_for_losses(h);
	for (size_t i = 0; i < h->checks.len && r == 0; i++) {
		const struct check_history *of = h->checks.slots[i].value;

		for (size_t k = 0; k < of->n && r == 0; k++)
			if (of->series[k]->n > 0)
				r = take_series(minute, h->checks.slots[i].key, of->series[k]);
	}
	if (r == 0)
		r = rollups_put(h->rollups, TAKE(minute));
	if (r < 0)
		log_warning("history: a minute is lost: %s", strerror(-r));
}

static int64_t minute_now(void)
{
	return (int64_t)(clock_wall() / MINUTE_USEC);
}

static void arm(struct history *h)
{
	usec_t wall = clock_wall(), end = (usec_t)(h->minute + 1) * MINUTE_USEC + MINUTE_GRACE;

	/* The time of day may have been set: by at most a minute it is looked at again. */
	loop_timer_set(h->timer,
		clock_now() + MIN(end > wall ? end - wall : 1, MINUTE_USEC + MINUTE_GRACE));
}

static void on_timer(void *data)
{
	struct history *h = data;

	if (minute_now() != h->minute) {
		give_minute(h);
		h->minute = minute_now();
	}
	arm(h);
}

/* Once a day of each check. */
static void tell_full(
	struct check_history *of, const char *check, const struct metric *m, bool refused)
{
	const char *colon = m->instance[0] ? ":" : "";

	if (of->told && clock_now() < of->told + DAY_USEC)
		return;
	of->told = clock_now();
	if (!refused)
		log_warning(
			"check '%s': more than %d metrics have a history; that of '%s%s%s' took "
			"the place of the one that was silent for longest",
			check, CHECK_SERIES, m->name, colon, m->instance);
	else
		log_warning("check '%s': no room for a history of '%s%s%s' (%d metrics a check, %d "
			    "in all)",
			check, m->name, colon, m->instance, CHECK_SERIES, ROLLUPS_MAX_SERIES);
}

static struct series *series_new_of(
	struct history *h, struct check_history *of, const char *check, const struct metric *m)
{
	bool full = of->n >= CHECK_SERIES;
	struct series *series = series_add(h, of, h->last_id + 1, m->name, m->instance, m->unit);

	if (!series || full)
		tell_full(of, check, m, !series);
	h->n_refused += !series;
	h->n_gave_way += series && full;
	return series;
}

static void gather(struct history *h, struct check_history *of, const char *check, size_t i,
	const struct metric *m)
{
	struct series *series = series_find(of, i, m->name, m->instance);

	if (!series)
		series = series_new_of(h, of, check, m);
	if (!series)
		return;
	series->minute = h->minute;
	series->min = series->n ? fmin(series->min, m->value) : m->value;
	series->max = series->n ? fmax(series->max, m->value) : m->value;
	series->sum = series->n ? series->sum + m->value : m->value;
	series->n++;
}

void history_take(struct history *h, const struct check *check)
{
	const struct result *last = &check->last;
	struct check_history *of;

	if (!h->rollups || last->n_metrics == 0)
		return;
	if (minute_now() != h->minute)
		on_timer(h);
	of = check_get(h, check->conf->name);
	for (size_t i = 0; of && i < last->n_metrics; i++)
		if (isfinite(last->metrics[i].value))
			gather(h, of, check->conf->name, i, &last->metrics[i]);
}

/* ---- looks ---------------------------------------------------------------------------------- */

static struct history_series series_view(const struct series *series)
{
	return (struct history_series){.id = series->id,
		.metric = series->metric,
		.instance = series->instance,
		.unit = series->unit};
}

void history_each(const struct history *h, const char *check,
	void (*fn)(const struct history_series *series, void *data), void *data)
{
	const struct check_history *of = map_get(&h->checks, check);

	for (size_t i = 0; of && i < of->n; i++) {
		struct history_series view = series_view(of->series[i]);

		fn(&view, data);
	}
}

int history_find(const struct history *h, const char *check, const char *metric,
	const char *instance, struct history_series *ret_series)
{
	const struct series *series = series_find(map_get(&h->checks, check), 0, metric, instance);

	if (!series)
		return -ENOENT;
	*ret_series = series_view(series);
	return 0;
}

int history_read(struct history *h, uint32_t series, enum rollups_step step, int64_t from,
	int64_t to, rollups_points_fn fn, void *data)
{
	return h->rollups ? rollups_read(h->rollups, series, step, from, to, fn, data) : -ENODEV;
}

void history_forget(struct history *h, void *data)
{
	if (h->rollups)
		rollups_forget(h->rollups, data);
}

void history_get_stats(const struct history *h, struct history_stats *ret_stats)
{
	*ret_stats = (struct history_stats){
		.n_series = h->n_series, .n_refused = h->n_refused, .n_gave_way = h->n_gave_way};
	if (h->rollups)
		rollups_get_stats(h->rollups, &ret_stats->file);
}

/* ---- life ----------------------------------------------------------------------------------- */

int history_new(struct loop *loop, const char *state_dir, struct history **ret_history)
{
	auto(history_free) struct history *h = calloc(1, sizeof(*h));
	struct tend_error err = {0};
	int r;

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->minute = minute_now();
	r = loop_timer_new(loop, on_timer, h, &h->timer);
	if (r < 0)
		return r;
	loop_source_name(h->timer, "history");
	r = state_dir ? rollups_open(loop, state_dir, on_series, h, &err, &h->rollups) : 0;
	if (r < 0)
		log_error("%s: metrics have no history until tendd starts again", err.text);
	else if (state_dir)
		arm(h);
	if (h->rollups)
		h->last_id = MAX(h->last_id, rollups_last_id(h->rollups));
	*ret_history = TAKE(h);
	return 0;
}

struct history *history_free(struct history *h)
{
	if (!h)
		return NULL;
	loop_source_free(h->timer);
	if (h->rollups)
		give_minute(h);
	rollups_free(h->rollups);
	MAP_FOREACH (&h->checks, struct check_history *, of) {
		for (size_t i = 0; i < of->n; i++)
			free(of->series[i]);
		free(of->series);
		free(of);
	}
	map_clear(&h->checks);
	free(h);
	return NULL;
}

void history_apply(struct history *h, const struct conf *conf)
{
	if (h->rollups)
		rollups_set_retention(h->rollups, (int64_t)(conf->daemon.keep_minutes / DAY_USEC),
			(int64_t)(conf->daemon.keep_hours / DAY_USEC));
}
