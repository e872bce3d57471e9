/* SPDX-License-Identifier: MIT */
#include "history/usual.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"

enum {
	WEEKS = 6,
	SPAN_MINUTES = 180, /* the hour and its neighbours */
	HOUR = 3600,
	WEEK = 7 * 86400,
	MAX_LOOKS = 8, /* at the same time */
};
#define LOOK_INTERVAL (5 * USEC_PER_SEC)

struct learned {
	struct usual *usual;
	uint32_t series;
	char *metric, *instance;
	bool wants_baseline, wants_forecast;
	int64_t hour; /* of the profile; 0: none yet */
	bool learning;
	/* while it learns: what has been read */
	int week;
	size_t n_minutes, n_hours;
	struct point *minutes, *hours;
	bool has_read; /* all of it: in `to_learn` */
	TAILQ_ENTRY(learned) link;
	struct profile profile;
};
TAILQ_HEAD(learned_list, learned);

struct usual_check {
	struct vec learned; /* struct learned * */
};

struct usual {
	struct loop *loop;
	struct history *history;
	struct watch *watch;
	struct loop_source *timer, *defer;
	struct learned_list to_learn;
	struct map checks; /* struct usual_check * */
	unsigned n_looks;
};

/* ---- learning ------------------------------------------------------------------------------- */

static void go_on(struct learned *l);

static void end_learning(struct learned *l)
{
	if (l->has_read)
		TAILQ_REMOVE(&l->usual->to_learn, l, link);
	l->has_read = false;
	free(TAKE(l->minutes));
	free(TAKE(l->hours));
	l->learning = false;
	l->usual->n_looks--;
}

static void end_reading(struct learned *l)
{
	l->has_read = true;
	TAILQ_INSERT_TAIL(&l->usual->to_learn, l, link);
	loop_defer_set(l->usual->defer, true);
}

/* The answers of several reads come in one turn of the loop; what is made of them takes a few
 * tenths of a millisecond each, so one a turn. */
static void on_defer(void *data)
{
	struct usual *u = data;
	struct learned *l = TAILQ_FIRST(&u->to_learn);
	struct profile next = {0};

	if (l) {
		profile_learn(&next, l->minutes, l->n_minutes);
		profile_trend(&next, l->hours, l->n_hours);
		l->profile = next;
		end_learning(l);
	}
	loop_defer_set(u->defer, !TAILQ_EMPTY(&u->to_learn));
}

static void on_hours(int r, const struct point *points, size_t n, int64_t from, void *data)
{
	struct learned *l = data;

	if (r == 0 && n <= TREND_HOURS) {
		memcpy(l->hours, points, n * sizeof(*points));
		l->n_hours = n;
	}
	end_reading(l);
}

static void on_minutes(int r, const struct point *points, size_t n, int64_t from, void *data)
{
	struct learned *l = data;

	if (r == 0 && l->n_minutes + n <= (size_t)WEEKS * SPAN_MINUTES) {
		memcpy(l->minutes + l->n_minutes, points, n * sizeof(*points));
		l->n_minutes += n;
	}
	l->week++;
	go_on(l);
}

static void go_on(struct learned *l)
{
	int64_t start = l->hour * HOUR;
	int r;

	if (l->wants_baseline && l->week <= WEEKS) {
		start -= (int64_t)l->week * WEEK + HOUR;
		r = history_read(l->usual->history, l->series, ROLLUPS_MINUTES, start,
			start + 3 * HOUR, on_minutes, l);
	} else {
		r = l->wants_forecast
			    ? history_read(l->usual->history, l->series, ROLLUPS_HOURS,
				      start - (int64_t)TREND_HOURS * HOUR, start, on_hours, l)
			    : -ENODATA;
	}
	if (r < 0)
		end_reading(l);
}

static void begin_learning(struct learned *l, int64_t hour)
{
	l->minutes = calloc((size_t)WEEKS * SPAN_MINUTES, sizeof(*l->minutes));
	l->hours = calloc(TREND_HOURS, sizeof(*l->hours));
	if (!l->minutes || !l->hours) {
		free(TAKE(l->minutes));
		free(TAKE(l->hours));
		return;
	}
	l->learning = true;
	l->usual->n_looks++;
	l->hour = hour;
	l->week = 1;
	l->n_minutes = l->n_hours = 0;
	go_on(l);
}

static void on_timer(void *data)
{
	struct usual *u = data;
	int64_t hour = (int64_t)(clock_wall() / USEC_PER_SEC) / HOUR;

	MAP_FOREACH (&u->checks, struct usual_check *, check)
		VEC_FOREACH (&check->learned, struct learned *, l)
			if (u->n_looks < MAX_LOOKS && !l->learning && l->hour != hour)
				begin_learning(l, hour);
	loop_timer_set(
		u->timer, clock_now() + (u->n_looks > 0 ? USEC_PER_SEC / 10 : LOOK_INTERVAL));
}

/* ---- judging -------------------------------------------------------------------------------- */

static struct learned *learned_free(struct learned *l)
{
	if (!l)
		return NULL;
	if (l->learning) {
		history_forget(l->usual->history, l);
		end_learning(l);
	}
	free(l->metric);
	free(l->instance);
	free(l);
	return NULL;
}
DEFINE_AUTO(struct learned *, learned_free)

static const struct learned *find(
	const struct usual *u, const char *check, const char *metric, const char *instance)
{
	const struct usual_check *of = map_get(&u->checks, check);

	if (of)
		VEC_FOREACH (&of->learned, struct learned *, l)
			if (strcmp(l->metric, metric) == 0 && strcmp(l->instance, instance) == 0)
				return l;
	return NULL;
}

static const struct learned *add(struct usual *u, const char *check, const struct metric *m,
	const char *baseline, const char *forecast)
{
	auto(learned_free) struct learned *l = NULL;
	struct usual_check *of = map_get(&u->checks, check);
	struct history_series series;

	/* It has no series before its first result is in the history. */
	if (history_find(u->history, check, m->name, m->instance, &series) < 0)
		return NULL;
	if (!of) {
		of = calloc(1, sizeof(*of));
		if (!of || map_put(&u->checks, check, of) < 0) {
			free(of);
			return NULL;
		}
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->usual = u;
	l->series = series.id;
	l->metric = strdup(m->name);
	l->instance = strdup(m->instance);
	l->wants_baseline = baseline != NULL;
	l->wants_forecast = forecast != NULL;
	if (!l->metric || !l->instance || vec_push(&of->learned, l) < 0)
		return NULL;
	loop_timer_set(u->timer, clock_now() + USEC_PER_SEC / 10);
	return TAKE(l);
}

static void worsen(
	struct result *result, struct metric *m, enum tend_reason reason, const char *text)
{
	if (m->verdict == TEND_STATE_OK)
		m->verdict = TEND_STATE_WARNING;
	if (result->verdict != TEND_STATE_OK)
		return;
	result->verdict = TEND_STATE_WARNING;
	result->reason = reason;
	(void)snprintf(result->text, sizeof(result->text), "%s%s%s is %g%s: %s", m->name,
		m->instance[0] ? " of " : "", m->instance, m->value, m->unit, text);
}

static void judge(
	struct usual *u, const struct conf_check *conf, struct result *result, struct metric *m)
{
	const char *baseline_text = watch_threshold(conf->baselines, m->name);
	const char *forecast_text = watch_threshold(conf->forecasts, m->name);
	const struct learned *l;
	struct baseline baseline;
	struct forecast forecast;
	char text[200];

	if (!baseline_text && !forecast_text)
		return;
	l = find(u, conf->name, m->name, m->instance);
	if (!l)
		l = add(u, conf->name, m, baseline_text, forecast_text);
	if (!l)
		return;
	if (baseline_text && baseline_parse(baseline_text, &baseline) == 0 &&
		profile_is_off(&l->profile, &baseline, m->value, text, sizeof(text)))
		worsen(result, m, TEND_REASON_OFF_BASELINE, text);
	else if (forecast_text && forecast_parse(forecast_text, &forecast) == 0 &&
		 profile_leads_out(&l->profile, &forecast, m->value, text, sizeof(text)))
		worsen(result, m, TEND_REASON_FORECAST, text);
}

void usual_judge(struct usual *u, const struct conf_check *conf, struct result *result)
{
	if (!conf->baselines && !conf->forecasts)
		return;
	for (size_t i = 0; i < result->n_metrics; i++)
		judge(u, conf, result, &result->metrics[i]);
}

json_t *usual_to_json(
	const struct usual *u, const char *check, const char *metric, const char *instance)
{
	const struct learned *l = find(u, check, metric, instance);
	const struct profile *p = l ? &l->profile : NULL;

	if (!p || (p->n == 0 && p->n_trend == 0))
		return NULL;
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:I, s:f, s:f}", "minutes", (json_int_t)p->n,
		"low", p->low, "low_deviation", p->low_deviation, "high", p->high, "high_deviation",
		p->high_deviation, "hours", (json_int_t)p->n_trend, "slope_per_day", p->slope * 24,
		"agreement", p->agreement);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void forget(struct usual *u, const char *name)
{
	struct usual_check *of = map_remove(&u->checks, name);

	if (!of)
		return;
	VEC_FOREACH (&of->learned, struct learned *, l)
		learned_free(l);
	vec_clear(&of->learned);
	free(of);
}

void usual_apply(struct usual *u, const struct conf *conf)
{
	/* What is wanted may be another metric now: it is learned anew within seconds. */
	while (u->checks.len > 0) {
		auto_free char *name = strdup(u->checks.slots[u->checks.len - 1].key);

		if (!name)
			return;
		forget(u, name);
	}
}

int usual_new(
	struct loop *loop, struct history *history, struct watch *watch, struct usual **ret_usual)
{
	auto(usual_free) struct usual *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->loop = loop;
	u->history = history;
	u->watch = watch;
	TAILQ_INIT(&u->to_learn);
	r = loop_timer_new(loop, on_timer, u, &u->timer);
	if (r == 0)
		r = loop_defer_new(loop, on_defer, u, &u->defer);
	if (r < 0)
		return r;
	loop_defer_set(u->defer, false);
	loop_source_name(u->timer, "usual");
	loop_source_name(u->defer, "learning");
	*ret_usual = TAKE(u);
	return 0;
}

struct usual *usual_free(struct usual *u)
{
	if (!u)
		return NULL;
	usual_apply(u, NULL);
	loop_source_free(u->timer);
	loop_source_free(u->defer);
	map_clear(&u->checks);
	free(u);
	return NULL;
}
