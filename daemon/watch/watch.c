/* SPDX-License-Identifier: MIT */
#include "watch/watch.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "calendar/window.h"
#include "watch/private.h"
#include "watch/spawns.h"

static void on_attempt_done(struct attempt_end *end, void *data);

static int start_attempt(struct watch *w, struct check *check)
{
	struct report judged;
	struct attempt_spec spec = {
		.owner = check->conf_owner,
		.probe = check->conf->probe == &conf_group_probe ? &watch_reported_probe
								 : check->conf->probe,
		.probe_conf = check->conf->probe_conf,
		.name = check->conf->name,
		.timeout = check->conf->timeout,
		.memory = check->memory,
		.report = report_of(check, &judged),
		.elsewhere = check->conf->component->host != NULL,
		.spawn = spawns_of(w->spawns, check->conf->component),
		.done = on_attempt_done,
		.data = check,
	};
	int r;

	if (w->stopped)
		return -ESHUTDOWN;
	check->n_attempts++;
	w->stats.n_attempts++;
	w->stats.last_start = clock_now();
	r = attempt_start(w->host, &spec, &check->attempt);
	if (r < 0)
		log_error("check '%s': cannot start: %s, next try in its interval",
			check->conf->name, strerror(-r));
	return r;
}

static void note_overrun(struct watch *w, struct check *check)
{
	struct attempt_end end = {
		.reason = TEND_REASON_OVERRUN,
		.text = "still running when the next one was due",
		.started = clock_now(),
		.finished = clock_now(),
	};

	check->n_overruns++;
	w->stats.n_overruns++;
	watch_take_result(w, check, &end);
}

static void check_free(struct check *check);

void watch_remove_event(struct watch *w, struct check *check)
{
	struct component *component = check->component;

	for (size_t i = 0; i < component->checks.len; i++)
		if (component->checks.items[i] == check) {
			vec_remove(&component->checks, i);
			break;
		}
	(void)map_remove(&w->checks, check->conf->name);
	watch_forget_state(w, check->conf->name);
	check_free(check);
	watch_update_component(w, component);
}

void watch_take_turn(struct watch *w, struct check *check, bool late)
{
	if (event_is_over(check))
		watch_remove_event(w, check);
	else if (!check->paused && !check->attempt)
		(void)start_attempt(w, check);
	else if (!check->paused && !late)
		note_overrun(w, check);
}

/* ---- asking for a result
 * ------------------------------------------------------------------------- */

/* One at a time, each found anew: a callback may make waiters, and may forget any of those left.
 * Those made meanwhile want a later result. */
static void serve_waiters(struct watch *w, struct check *check, usec_t started)
{
	struct run_waiter **p = &check->waiters;
	uint64_t end = w->n_waiters;

	while (*p) {
		struct run_waiter *waiter = *p;

		if (waiter->number >= end || waiter->not_before > started) {
			p = &waiter->next;
			continue;
		}
		*p = waiter->next;
		if (waiter->fn)
			waiter->fn(0, check, waiter->data);
		free(waiter);
		p = &check->waiters;
	}
}

static void fail_waiters(struct check *check, int r)
{
	while (check->waiters) {
		struct run_waiter *waiter = check->waiters;
		check->waiters = waiter->next;
		if (waiter->fn)
			waiter->fn(r, check, waiter->data);
		free(waiter);
	}
}

int watch_run_now(
	struct watch *watch, const char *check_name, usec_t not_before, watch_run_fn fn, void *data)
{
	struct check *check = watch_find_check(watch, check_name);
	struct run_waiter *waiter;
	int r = 0;

	if (!check)
		return -ENOENT;
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct run_waiter){
		.number = watch->n_waiters++, .fn = fn, .data = data, .not_before = not_before};
	waiter->next = check->waiters;
	check->waiters = waiter;
	/* One that began too early: when it ends, the next starts at once. */
	if (!check->attempt)
		r = start_attempt(watch, check);
	if (r < 0) {
		check->waiters = waiter->next;
		free(waiter);
	}
	return r;
}

void watch_run_forget(struct watch *watch, void *data)
{
	MAP_FOREACH (&watch->checks, struct check *, check)
		for (struct run_waiter **p = &check->waiters; *p;) {
			struct run_waiter *waiter = *p;

			if (waiter->data != data) {
				p = &waiter->next;
				continue;
			}
			*p = waiter->next;
			free(waiter);
		}
}

static void on_attempt_done(struct attempt_end *end, void *data)
{
	struct check *check = data;
	struct watch *w = check->watch;
	bool again;

	check->attempt = NULL;
	if (w->stopped)
		return;
	if (end->reason == TEND_REASON_CANCELLED) {
		/* Tend was held up: what it would say is about Tend. A fresh round instead. */
		schedule_put(w, check, clock_now());
		return;
	}
	watch_take_result(w, check, end);
	serve_waiters(w, check, end->started);
	again = check->run_again;
	check->run_again = false;
	if (check->waiters && !check->attempt)
		(void)start_attempt(w, check);
	else if (again)
		schedule_soon(w, check);
}

/* A systemd unit that the check asked for has changed: what is known of it is old. */
static void on_unit_changed(const char *name, void *data)
{
	struct watch *w = data;
	struct check *check = watch_find_check(w, name);

	if (!check)
		return;
	if (check->attempt)
		check->run_again = true;
	else
		schedule_soon(w, check);
}

/* ---- verbs served by plugins
 * ---------------------------------------------------------------------- */

struct plugin_call {
	watch_call_fn fn;
	void *data;
	struct plugin_call *next, **prev;
};

static void call_free(struct plugin_call *call)
{
	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	free(call);
}

static void on_call_done(struct attempt_end *end, void *data)
{
	struct plugin_call *call = data;

	call->fn(end->reason, end->text, end->outcome, call->data);
	call_free(call);
}

int watch_call(struct watch *watch, struct conf *owner, const struct tend_probe *probe,
	const void *probe_conf, const char *name, const char *method, json_t *args, usec_t timeout,
	watch_call_fn fn, void *data)
{
	struct plugin_call *call = calloc(1, sizeof(*call));
	struct tend_attempt *attempt;
	struct attempt_spec spec = {
		.owner = owner,
		.probe = probe,
		.probe_conf = probe_conf,
		.name = name,
		.timeout = timeout,
		.method = method,
		.args = args,
		.done = on_call_done,
		.data = call,
	};
	int r;

	if (!call)
		return -ENOMEM;
	*call = (struct plugin_call){fn, data, watch->calls, &watch->calls};
	if (call->next)
		call->next->prev = &call->next;
	watch->calls = call;
	r = attempt_start(watch->host, &spec, &attempt);
	if (r < 0)
		call_free(call);
	return r;
}

/* ---- the tables
 * ----------------------------------------------------------------------------------- */

/* Nobody waits for it any more and it waits for nobody. */
static void check_free(struct check *check)
{
	if (check->attempt)
		attempt_abandon(check->attempt);
	heap_remove(&check->watch->due, &check->due);
	free(check->last.metrics);
	free(check->report);
	json_decref(check->raised);
	memory_drop(check);
	if (check->event)
		event_drop(check->watch, check->event);
	conf_unref(check->conf_owner);
	free(check);
}

static void component_free(struct component *component)
{
	vec_clear(&component->checks);
	vec_clear(&component->members);
	vec_clear(&component->groups);
	free(component);
}

static struct check *check_new(
	struct watch *w, const struct conf *owner, const struct conf_check *conf)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->watch = w;
	check->due.index = HEAP_NOWHERE;
	check->snmp_index = ++w->next_check_index;
	state_init(&check->state, clock_wall());
	watch_restore_state(w, conf->name, check);
	memory_restore(w, owner, check, conf);
	return check;
}

/* Takes over the running half of a check. One whose configuration changed is judged anew, but stays
 * in its hard state until then, so that an open incident is not lost. */
static struct check *check_adopt(struct watch *w, struct conf *conf, const struct conf_check *cc)
{
	struct check *check = map_get(&w->checks, cc->name);
	bool same;

	/* A check that was pushed gives way to one that is configured. */
	if (check && check->event && &check->event->conf != cc)
		check = NULL;
	same = check && conf_check_same(check->conf, cc);
	if (check && memory_review(conf, check, cc))
		same = false;

	if (!check)
		check = check_new(w, conf, cc);
	if (!check)
		return NULL;
	if (!same && check->attempt)
		attempt_abandon(TAKE(check->attempt));
	if (!same) {
		host_forget(w->host, cc->name);
		state_forget_history(&check->state);
		check->counted = 0;
	}
	/* An attempt that runs on holds the configuration it began with. */
	conf_ref(conf);
	conf_unref(check->conf_owner);
	check->conf_owner = conf;
	check->conf = cc;
	if (watch_await_report(check) < 0)
		log_error("check '%s': out of memory, its reports are lost", cc->name);
	if (!same)
		schedule_first(w, check);
	return check;
}

static int build_component(struct watch *w, const struct conf_component *conf,
	struct map *components, struct component **ret_component)
{
	struct component *old = map_get(&w->components, conf->name);
	struct component *c = calloc(1, sizeof(*c));

	if (!c || map_put(components, conf->name, c) < 0) {
		free(c);
		return -ENOMEM;
	}
	c->conf = conf;
	c->state = old ? old->state : TEND_STATE_PENDING;
	c->since_wall = old ? old->since_wall : clock_wall();
	c->snmp_index = old ? old->snmp_index : ++w->next_component_index;
	*ret_component = c;
	return 0;
}

static int link_groups(const struct map *components)
{
	int r = 0;

	MAP_FOREACH (components, struct component *, group)
		VEC_FOREACH (&group->conf->members, const struct conf_component *, conf) {
			struct component *member = map_get(components, conf->name);

			if (member && r == 0)
				r = vec_push(&group->members, member);
			if (member && r == 0)
				r = vec_push(&member->groups, group);
		}
	return r;
}

static int place_check(
	struct map *checks, struct component *component, struct check *check, const struct map *old)
{
	int r;

	check->component = component;
	r = map_put(checks, check->conf->name, check);
	/* An old one is freed with all that was not taken over. */
	if (r < 0 && map_get(old, check->conf->name) != check)
		check_free(check);
	return r < 0 ? r : vec_push(&component->checks, check);
}

/* What was pushed stays, where its source and its component do. */
static int build_events(
	struct watch *w, struct conf *conf, struct map *components, struct map *checks)
{
	int r = 0;

	if (w->restored)
		events_restore(w);
	for (size_t i = w->events.len; i-- > 0 && r == 0;) {
		struct event *event = w->events.items[i];
		struct check *check = NULL, *old = map_get(&w->checks, event->conf.name);
		bool stays = event_place(event, conf) && !map_get(checks, event->conf.name);

		if (stays)
			check = check_adopt(w, conf, &event->conf);
		if (stays && !check)
			return -ENOMEM;
		if (!stays && (!old || old->event != event))
			event_drop(w, event); /* restored, and without a check yet */
		if (!check)
			continue;
		check->event = event;
		event->check = check;
		r = place_check(checks, map_get(components, event->conf.component->name), check,
			&w->checks);
	}
	return r;
}

int watch_add_event(struct watch *w, struct event *event, struct check **ret_check)
{
	struct check *check = check_adopt(w, w->conf, &event->conf);
	int r;

	if (!check) {
		event_drop(w, event);
		return -ENOMEM;
	}
	check->event = event;
	event->check = check;
	r = place_check(&w->checks, map_get(&w->components, event->conf.component->name), check,
		&(struct map){0});
	if (r < 0)
		return r;
	*ret_check = check;
	return 0;
}

static int build_tables(
	struct watch *w, struct conf *conf, struct map *components, struct map *checks)
{
	int r;

	MAP_FOREACH (&conf->components, const struct conf_component *, cc) {
		struct component *component;

		r = build_component(w, cc, components, &component);
		if (r < 0)
			return r;
		VEC_FOREACH (&cc->checks, const struct conf_check *, check_conf) {
			struct check *check = check_adopt(w, conf, check_conf);

			if (!check)
				return -ENOMEM;
			r = place_check(checks, component, check, &w->checks);
			if (r < 0)
				return r;
		}
	}
	r = build_events(w, conf, components, checks);
	return r < 0 ? r : link_groups(components);
}

/* What was counted before the window says nothing about after it. What is asked for (by a policy, a
 * person, a child that fails) is answered while it is open as well. */
static void look_at_windows(struct watch *w, struct check *check, const struct vec *pausing)
{
	bool paused = false;

	VEC_FOREACH (pausing, const struct conf_window *, window)
		paused = paused || window_matches(window, check->conf->component, check->conf);
	if (check->paused == paused)
		return;
	check->paused = paused;
	state_forget_history(&check->state);
	check->counted = 0;
	if (!paused)
		report_resumed(check);
	if (!paused)
		schedule_soon(w, check);
}

void watch_look_at_windows(struct watch *watch)
{
	struct vec pausing;

	if (windows_pausing(watch->conf, clock_wall(), &pausing) < 0)
		return; /* out of memory: all stays as it is until the next look */
	MAP_FOREACH (&watch->checks, struct check *, check)
		look_at_windows(watch, check, &pausing);
	vec_clear(&pausing);
}

/* Locating walks both tables: it stops while they change. Returns those to begin again. */
static struct vec stop_locating(struct watch *w)
{
	struct vec stopped = {0};

	MAP_FOREACH (&w->checks, struct check *, check) {
		if (!check->locate)
			continue;
		check->locate = watch_locate_free(check->locate);
		(void)vec_push(&stopped, check);
	}
	return stopped;
}

/* What was not taken over is gone from the configuration. Who waits for it is told when the new
 * tables stand, as it may ask them. */
static void free_gone(struct watch *w, const struct map *old)
{
	struct vec gone = {0};

	MAP_FOREACH (old, struct check *, check)
		if (watch_find_check(w, check->conf->name) != check)
			(void)vec_push(&gone, check);
	VEC_FOREACH (&gone, struct check *, check) {
		watch_forget_state(w, check->conf->name);
		host_forget(w->host, check->conf->name);
		fail_waiters(check, -ESHUTDOWN);
		check_free(check);
	}
	vec_clear(&gone);
}

static void free_components(struct map *components)
{
	MAP_FOREACH (components, struct component *, component)
		component_free(component);
	map_clear(components);
}

static int apply_work(struct watch *watch, const struct conf *conf)
{
	auto_free char *program = str_printf("%s/tend-work", conf->daemon.libexec_dir);

	if (!program)
		return -ENOMEM;
	return work_pool_set(watch->work, program, (size_t)conf->daemon.work_slots);
}

int watch_apply(struct watch *watch, struct conf *conf)
{
	struct map components = {0}, checks = {0};
	struct vec locating = stop_locating(watch);
	int r = build_tables(watch, conf, &components, &checks);
	struct map old_checks = watch->checks, old_components = watch->components;
	struct conf *old_conf = watch->conf;

	watch->checks = checks;
	watch->components = components;
	watch->conf = conf_ref(conf);
	for (size_t i = locating.len; i-- > 0;) {
		struct check *check = locating.items[i];

		if (watch_find_check(watch, check->conf->name) != check)
			vec_remove(&locating, i);
	}
	free_gone(watch, &old_checks);
	map_clear(&old_checks);
	free_components(&old_components);
	conf_unref(old_conf);
	json_decref(watch->restored);
	watch->restored = NULL;
	memory_loaded(watch);
	MAP_FOREACH (&watch->components, struct component *, component)
		watch_update_component(watch, component);
	VEC_FOREACH (&locating, struct check *, check)
		if (!check->locate)
			watch_locate(watch, check);
	vec_clear(&locating);
	watch_look_at_windows(watch);
	if (r == 0)
		r = spawns_apply(watch->spawns, conf);
	host_set_spawn(watch->host, spawns_of(watch->spawns, NULL));
	if (r == 0)
		r = apply_work(watch, conf);
	return r;
}

void watch_stop(struct watch *watch)
{
	struct vec locating;

	watch->stopped = true;
	watch->on_result = NULL;
	locating = stop_locating(watch);
	vec_clear(&locating);
	MAP_FOREACH (&watch->checks, struct check *, check) {
		memory_save(watch, check);
		fail_waiters(check, -ESHUTDOWN);
	}
}

int watch_new(struct loop *loop, struct store *store, struct net *net, struct watch **ret_watch)
{
	auto(watch_free) struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->store = store;
	r = units_new(loop, NULL, &w->units);
	if (r == 0)
		r = spawns_new(loop, &w->spawns);
	if (r == 0)
		r = host_new(loop, net, w->units, on_unit_changed, w, &w->host);
	if (r == 0)
		r = work_pool_new(loop, &w->work);
	if (r == 0)
		r = schedule_begin(w);
	if (r < 0)
		return r;
	host_set_work(w->host, w->work);
	watch_load_states(w);
	memory_load(w);
	*ret_watch = TAKE(w);
	return 0;
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	watch_stop(watch);
	MAP_FOREACH (&watch->checks, struct check *, check)
		check_free(check);
	map_clear(&watch->checks);
	free_components(&watch->components);
	host_free(watch->host);
	while (watch->calls)
		call_free(watch->calls);
	spawns_free(watch->spawns);
	work_pool_free(watch->work);
	units_free(watch->units);
	while (watch->events.len > 0)
		event_drop(watch, watch->events.items[0]);
	vec_clear(&watch->events);
	schedule_end(watch);
	json_decref(watch->restored);
	json_decref(watch->restored_memory);
	conf_unref(watch->conf);
	free(watch);
	return NULL;
}

void watch_on_judge(struct watch *watch, watch_judge_fn fn, void *data)
{
	watch->on_judge = fn;
	watch->on_judge_data = data;
}

void watch_on_component(struct watch *watch, watch_component_fn fn, void *data)
{
	watch->on_component = fn;
	watch->on_component_data = data;
}

void watch_on_result(struct watch *watch, watch_result_fn fn, void *data)
{
	watch->on_result = fn;
	watch->on_result_data = data;
}

struct conf *watch_conf(const struct watch *watch)
{
	return watch->conf;
}

struct check *watch_find_check(struct watch *watch, const char *name)
{
	return map_get(&watch->checks, name);
}

struct component *watch_find_component(struct watch *watch, const char *name)
{
	return map_get(&watch->components, name);
}

const struct map *watch_checks(const struct watch *watch)
{
	return &watch->checks;
}

const struct map *watch_components(const struct watch *watch)
{
	return &watch->components;
}

struct tend_units *watch_units(struct watch *watch)
{
	return watch->units;
}

void watch_get_stats(struct watch *watch, struct watch_stats *ret_stats)
{
	struct watch_stats stats = watch->stats;

	stats.n_checks = watch->checks.len;
	stats.n_running = host_n_running(watch->host);
	memset(stats.n_by_state, 0, sizeof(stats.n_by_state));
	MAP_FOREACH (&watch->checks, const struct check *, check)
		stats.n_by_state[watch_check_shown_state(check)]++;
	work_pool_stats(watch->work, &stats.work);
	watch->stats.max_late_usec = 0;
	*ret_stats = stats;
}
