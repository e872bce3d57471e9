/* SPDX-License-Identifier: MIT */
/*
 * Policies that start by the clock. Of each policy and target the last tick that was dealt with is
 * kept in the store, in the commit of the run that it began: a tick is neither lost nor done twice,
 * whenever Tend dies. The clock may step: what is due is looked at anew twice a minute, and all is
 * derived from the last tick and the time of day.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

#define LOOK_USEC	(30 * USEC_PER_SEC)
#define LATE_USEC	(300 * USEC_PER_SEC) /* a tick that is older was missed */
#define CLOCK_BACK_USEC (24 * 3600 * USEC_PER_SEC)
enum { MISSED_ALL_MAX = 100, WALK_MAX = 10000, NEXT_MAX = 1000, NEXT_MAX_ROWS = 20000 };

const char *const missed_names[MISSED_MAX + 1] = {
	[MISSED_SKIP] = "skip",
	[MISSED_ONCE] = "once",
	[MISSED_ALL] = "all",
};

struct tick {
	char *policy, *target;
	usec_t last;  /* wall: dealt with */
	usec_t begun; /* the latest for which a run was made, not only passed over */
};

/* ---- from the declaration and the configuration
 * ------------------------------------------------------------------- */

struct schedule *schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return NULL;
	zone_free(schedule->zone);
	free(schedule);
	return NULL;
}
DEFINE_AUTO(struct schedule *, schedule_free)

static int parse_rest(struct schedule *s, const json_t *decl, struct tend_error *err)
{
	const char *missed = json_string_value(json_object_get(decl, "missed"));
	const json_t *jitter = json_object_get(decl, "jitter");

	for (int i = 0; i < MISSED_MAX; i++)
		if (str_eq(missed_names[i], missed))
			s->missed = (enum missed)i;
	if (jitter && verb_duration(jitter, &s->jitter) < 0)
		return tend_error_set(err, -EINVAL, "schedule: 'jitter' is no duration");
	return 0;
}

int schedule_new(const struct policies *p, const struct policy_def *def,
	struct schedule **ret_schedule, struct tend_error *err)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	const json_t *decl = json_object_get(def->decl, "schedule");
	const json_t *cron = json_is_object(decl) ? json_object_get(decl, "cron") : decl;
	const char *text = json_string_value(cron);
	const char *zone = json_string_value(json_object_get(decl, "timezone"));
	auto(schedule_free) struct schedule *s = NULL;
	int r;

	if (settings && settings->schedule)
		text = settings->schedule;
	if (settings && settings->timezone)
		zone = settings->timezone;
	if (!text) {
		*ret_schedule = NULL;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return tend_error_set(err, -ENOMEM, "out of memory");
	r = cron_parse(text, &s->cron, err);
	if (r == 0)
		r = zone_get(zone ? zone : "UTC", &s->zone, err);
	if (r == 0)
		r = parse_rest(s, decl, err);
	if (r < 0)
		return r;
	if (!json_object_get(def->decl, "targets") && !(settings && settings->match_component))
		return tend_error_set(err, -EINVAL,
			"it has a schedule and no targets: declare 'targets', or set "
			"match_component in [policy %s]",
			def->name);
	*ret_schedule = TAKE(s);
	return 0;
}

/* The same for a tick whenever it is asked: nothing to be kept. */
static usec_t jitter_of(const struct schedule *s, const char *policy, const char *target, usec_t at)
{
	char text[512], hash[65];

	if (!s->jitter)
		return 0;
	(void)snprintf(text, sizeof(text), "%s %s %llu", policy, target, (unsigned long long)at);
	hash_text(text, hash);
	hash[15] = '\0';
	return (usec_t)strtoull(hash, NULL, 16) % s->jitter;
}

/* ---- ticks
 * -----------------------------------------------------------------------------------------------------
 */

static void tick_free(struct tick *tick)
{
	free(tick->policy);
	free(tick->target);
	free(tick);
}

void schedules_free(struct policies *p)
{
	MAP_FOREACH (&p->ticks, struct tick *, tick)
		tick_free(tick);
	map_clear(&p->ticks);
	p->clock_timer = loop_source_free(p->clock_timer);
}

static struct tick *tick_find(const struct policies *p, const char *policy, const char *target)
{
	auto_free char *key = str_printf("%s\n%s", policy, target);

	return key ? map_get(&p->ticks, key) : NULL;
}

static struct tick *tick_add(
	struct policies *p, const char *policy, const char *target, usec_t last, usec_t begun)
{
	auto_free char *key = str_printf("%s\n%s", policy, target);
	struct tick *tick = calloc(1, sizeof(*tick));

	if (!tick)
		return NULL;
	tick->policy = strdup(policy);
	tick->target = strdup(target);
	tick->last = last;
	tick->begun = begun;
	if (key && tick->policy && tick->target && map_put(&p->ticks, key, tick) == 0)
		return tick;
	tick_free(tick);
	return NULL;
}

int schedules_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(p->deps.store, STORE_QUERY_SCHEDULES, &rows, "");
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		const char *policy = json_string_value(json_object_get(row, "policy"));
		const char *target = json_string_value(json_object_get(row, "target"));
		const json_t *last = json_object_get(row, "last");
		const json_t *begun = json_object_get(json_object_get(row, "doc_json"), "begun");

		if (policy && target &&
			!tick_add(p, policy, target, (usec_t)json_integer_value(last),
				(usec_t)json_integer_value(begun ? begun : last)))
			return -ENOMEM;
	}
	return r;
}

static int tick_put(const struct tick *tick, struct store_batch *batch)
{
	auto_json json_t *doc = json_pack("{s:I}", "begun", (json_int_t)tick->begun);

	return doc ? store_batch_add(batch, STORE_SCHEDULE_PUT, "ssij", tick->policy, tick->target,
			     (int64_t)tick->last, doc)
		   : -ENOMEM;
}

int schedule_add_tick(const struct run *run, struct store_batch *batch)
{
	const struct tick *tick = tick_find(run->policies, run->policy, run->component);
	struct tick now = {.policy = run->policy, .target = run->component};

	if (!run->due)
		return 0;
	/* While it waited in the queue, later ones may have come to nothing. */
	now.last = MAX(run->due, tick ? tick->last : 0);
	now.begun = MAX(run->due, tick ? tick->begun : 0);
	return tick_put(&now, batch);
}

static void tick_keep(struct policies *p, const struct tick *tick)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = tick_put(tick, batch);
	if (r == 0)
		r = store_commit(p->deps.store, TAKE(batch), NULL, NULL);
	if (r < 0)
		log_warning("policy '%s' on '%s': the last tick of its schedule is not kept: %s",
			tick->policy, tick->target, strerror(-r));
}

void schedule_give_up(const struct run *run)
{
	const struct tick *tick = tick_find(run->policies, run->policy, run->component);

	if (run->due && tick)
		tick_keep(run->policies, tick);
}

/* ---- what is due
 * ----------------------------------------------------------------------------------------------------
 */

/* A time before which at least `n` of the ticks up to `now` do not lie, or `from`. */
static usec_t back_to(const struct schedule *s, usec_t from, usec_t now, unsigned n)
{
	for (usec_t span = 60 * USEC_PER_SEC; span < now - from; span *= 2) {
		usec_t at = now - span;
		unsigned found = 0;

		while (found < n && (at = cron_next(&s->cron, s->zone, at)) <= now)
			found++;
		if (found == n)
			return now - span;
	}
	return from;
}

/* Of the ticks after `last` up to `now` only the youngest `n` count. */
static usec_t pass_over(const struct schedule *s, usec_t last, usec_t now, unsigned n)
{
	usec_t start = back_to(s, last, now, n), at = start, keep[MISSED_ALL_MAX + 1];
	size_t len = 0;

	keep[len++] = start;
	for (unsigned i = 0; i < WALK_MAX; i++) {
		at = cron_next(&s->cron, s->zone, at);
		if (at > now)
			break;
		if (len == n + 1) {
			memmove(keep, keep + 1, n * sizeof(*keep));
			len--;
		}
		keep[len++] = at;
	}
	return keep[0];
}

/* Ticks that were missed, as the policy wants it: the last one that is dealt with. */
static usec_t pass_missed(const struct schedule *s, usec_t last, usec_t at, usec_t now)
{
	switch (s->missed) {
	case MISSED_ONCE:
		return pass_over(s, last, now, 1);
	case MISSED_ALL:
		return pass_over(s, last, now, MISSED_ALL_MAX);
	default:
		return MAX(at, now - LATE_USEC - s->jitter);
	}
}

static void tell_missed(const struct tick *tick, const struct schedule *s, usec_t at)
{
	char when[CLOCK_TEXT_BYTES];

	log_notice("policy '%s' on '%s': its schedule of %s was missed: %s", tick->policy,
		tick->target, clock_format(at, when),
		s->missed == MISSED_SKIP   ? "it is left out"
		: s->missed == MISSED_ONCE ? "it is made up for once"
					   : "it is made up for, one after the other");
}

/* A tick is due. False: it waits. */
static bool tick_start(
	struct policies *p, const struct policy_def *def, struct tick *tick, usec_t at, bool late)
{
	const struct trigger trigger = {.kind = TRIGGER_SCHEDULE,
		.def = def,
		.component = watch_find_component(p->deps.watch, tick->target),
		.due = at,
		.params = policy_params(p, def->name),
		.author = "tend"};
	const struct run *live = run_find_live(p, tick->target);
	enum start start;

	if (!trigger.component || (late && live && strcmp(live->policy, def->name) == 0)) {
		json_decref(trigger.params);
		return false; /* what is made up for, is so one after the other */
	}
	start = start_automatic(p, &trigger);
	if (start == START_NOT_NOW)
		return false;
	tick->last = at;
	if (start == START_BEGUN)
		tick->begun = MAX(tick->begun, at);
	else
		tick_keep(p, tick);
	return true;
}

/* What was dealt with lies ahead: what was only passed over there is still to come. */
static void tick_went_back(struct policies *p, struct tick *tick, usec_t now)
{
	if (tick->begun > now + CLOCK_BACK_USEC) {
		log_warning("policy '%s' on '%s': the clock went back by more than a day, its "
			    "schedule begins anew",
			tick->policy, tick->target);
		tick->begun = now;
	} else if (tick->last > tick->begun) {
		log_notice("policy '%s' on '%s': the clock went back, its schedule goes on from "
			   "now",
			tick->policy, tick->target);
	}
	tick->last = now;
	tick_keep(p, tick);
}

/* Returns when to look again (wall). */
static usec_t tick_look(
	struct policies *p, const struct policy_def *def, struct tick *tick, usec_t now)
{
	const struct schedule *s = def->schedule;

	if (tick->last > now)
		tick_went_back(p, tick, now);
	for (unsigned i = 0; i < MISSED_ALL_MAX; i++) {
		usec_t at = cron_next(&s->cron, s->zone, tick->last), due, passed;
		bool late;

		if (at == USEC_INFINITY)
			return USEC_INFINITY;
		due = at + jitter_of(s, tick->policy, tick->target, at);
		if (due > now)
			return due;
		/* Begun already, by a clock that was ahead. */
		if (at == tick->begun) {
			tick->last = at;
			continue;
		}
		late = due + LATE_USEC < now;
		passed = late ? pass_missed(s, tick->last, at, now) : tick->last;
		if (passed > tick->last) {
			tell_missed(tick, s, at);
			tick->last = passed;
			tick_keep(p, tick);
		} else if (!tick_start(p, def, tick, at, late)) {
			return now + LOOK_USEC;
		}
	}
	return now + LOOK_USEC;
}

/* One that is new begins with now: what was before nobody asked for. */
static struct tick *tick_get(struct policies *p, const char *policy, const char *target, usec_t now)
{
	struct tick *tick = tick_find(p, policy, target);

	if (tick)
		return tick;
	tick = tick_add(p, policy, target, now, now);
	if (tick)
		tick_keep(p, tick);
	return tick;
}

static usec_t look_at(struct policies *p, const struct policy_def *def, usec_t now)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	usec_t next = USEC_INFINITY;

	MAP_FOREACH (&p->conf->components, const struct conf_component *, component) {
		struct tick *tick = trigger_is_target(def, settings, component)
					    ? tick_get(p, def->name, component->name, now)
					    : NULL;
		usec_t at = tick ? tick_look(p, def, tick, now) : USEC_INFINITY;

		next = MIN(next, at);
	}
	return next;
}

static void on_clock(void *data)
{
	schedules_look(data);
}

void schedules_look(struct policies *p)
{
	usec_t now = clock_wall(), next = now + LOOK_USEC;

	if (!p->catalog || !p->conf)
		return;
	if (!p->clock_timer) {
		if (loop_timer_new(p->deps.loop, on_clock, p, &p->clock_timer) < 0)
			return;
		loop_source_name(p->clock_timer, "policy schedules");
	}
	MAP_FOREACH (&p->catalog->defs, const struct policy_def *, def)
		if (def->schedule && !def->error)
			next = MIN(next, look_at(p, def, now));
	loop_timer_set(p->clock_timer, clock_now() + (next > now ? next - now : 0) + 1);
}

/* ---- for people
 * -----------------------------------------------------------------------------------------------------
 */

static json_t *next_row(const struct schedule *s, const char *target, usec_t at, usec_t due)
{
	char local[ZONE_TEXT_BYTES];

	return json_pack("{s:o, s:s, s:s, s:o, s:I}", "at", clock_to_json(due), "local",
		zone_format(s->zone, at, local), "target", target, "tick", clock_to_json(at),
		"sort", (json_int_t)due);
}

static int by_time(const void *a, const void *b)
{
	json_int_t left = json_integer_value(json_object_get(a, "sort"));
	json_int_t right = json_integer_value(json_object_get(b, "sort"));

	return (left > right) - (left < right);
}

static void add_next(const struct policies *p, const struct policy_def *def, const char *target,
	int n, struct vec *rows)
{
	const struct schedule *s = def->schedule;
	const struct tick *tick = tick_find(p, def->name, target);
	usec_t now = clock_wall(), at = now - MIN(s->jitter, now);

	/* A tick that is past may have its start still to come, unless it is dealt with. */
	at = MIN(tick ? MAX(at, tick->last) : now, now);
	for (int i = 0; i < n;) {
		usec_t due;
		json_t *row;

		at = cron_next(&s->cron, s->zone, at);
		if (at == USEC_INFINITY)
			return;
		due = at + jitter_of(s, def->name, target, at);
		if (due < now)
			continue;
		i++;
		row = next_row(s, target, at, due);
		if (row && vec_push(rows, row) < 0)
			json_decref(row);
	}
}

json_t *policies_next(
	const struct policies *policies, const char *name, int n, struct tend_error *err)
{
	const struct policy_def *def =
		policies->catalog ? map_get(&policies->catalog->defs, name) : NULL;
	const struct conf_policy *settings = policy_settings(policies, name);
	struct vec rows = {0};
	int n_targets = 0, each;
	json_t *list;

	if (!def) {
		(void)tend_error_set(
			err, -ENOENT, "there is no policy '%s', see 'tendctl policy list'", name);
		return NULL;
	}
	if (!def->schedule) {
		(void)tend_error_set(err, -EINVAL, "%s has no schedule%s%s", name,
			def->error ? ": " : "", def->error ? def->error : "");
		return NULL;
	}
	n = MIN(n, NEXT_MAX);
	MAP_FOREACH (&policies->conf->components, const struct conf_component *, component)
		n_targets += trigger_is_target(def, settings, component);
	/* Without jitter all targets have the same ticks; with it, thousands of rows are enough. */
	each = def->schedule->jitter ? MIN(n, NEXT_MAX_ROWS / MAX(n_targets, 1) + 1)
				     : MIN(n, n / MAX(n_targets, 1) + 2);
	MAP_FOREACH (&policies->conf->components, const struct conf_component *, component)
		if (trigger_is_target(def, settings, component))
			add_next(policies, def, component->name, each, &rows);
	vec_sort(&rows, by_time);
	list = json_array();
	VEC_FOREACH (&rows, json_t *, row) {
		(void)json_object_del(row, "sort");
		if (json_array_size(list) < (size_t)n)
			(void)json_array_append(list, row);
		json_decref(row);
	}
	vec_clear(&rows);
	return list;
}

usec_t schedule_next(const struct policies *p, const struct policy_def *def)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	const struct schedule *s = def->schedule;
	usec_t now = clock_wall(), next = USEC_INFINITY, at;

	if (!s)
		return 0;
	MAP_FOREACH (&p->conf->components, const struct conf_component *, component) {
		if (!trigger_is_target(def, settings, component))
			continue;
		at = cron_next(&s->cron, s->zone, now);
		if (at != USEC_INFINITY)
			next = MIN(next, at + jitter_of(s, def->name, component->name, at));
		if (s->jitter == 0)
			break; /* the same for all */
	}
	return next == USEC_INFINITY ? 0 : next;
}
