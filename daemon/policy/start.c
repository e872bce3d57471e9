/* SPDX-License-Identifier: MIT */
/* From a trigger to a run: what it is given, and whether it begins now, later or not at all. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "policy/private.h"

const char *const trigger_kind_names[TRIGGER_MAX + 1] = {
	[TRIGGER_INCIDENT] = "incident",
	[TRIGGER_SCHEDULE] = "schedule",
	[TRIGGER_EVENT] = "event",
	[TRIGGER_HAND] = "hand",
};
const char *const concurrency_names[CONCURRENCY_MAX + 1] = {
	[CONCURRENCY_SKIP] = "skip",
	[CONCURRENCY_QUEUE] = "queue",
	[CONCURRENCY_REPLACE] = "replace",
};

/* ---- what a run is given
 * ------------------------------------------------------------------------------------------ */

static json_t *check_context(const struct check *check)
{
	json_t *metrics = json_object();

	for (size_t i = 0; i < check->last.n_metrics; i++) {
		const struct metric *m = &check->last.metrics[i];
		char key[sizeof(m->name) + sizeof(m->instance) + 1];

		(void)snprintf(key, sizeof(key), "%s%s%s", m->name, m->instance[0] ? ":" : "",
			m->instance);
		(void)json_object_set_new(metrics, key, json_real(m->value));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", check->conf->name, "state",
		tend_state_name(check->state.hard), "reason", tend_reason_name(check->last.reason),
		"text", check->last.text, "metrics", metrics);
}

static json_t *calendar_context(const struct policy_def *def, usec_t wall)
{
	static const char utc[] = "UTC";
	auto(zone_free) struct zone *own = NULL;
	const struct zone *zone = def->schedule ? def->schedule->zone : NULL;
	struct calendar_time t;
	char date[32];

	if (!zone && zone_get(utc, &own, NULL) < 0)
		return json_null();
	zone = zone ? zone : own;
	zone_local(zone, wall, &t);
	(void)snprintf(date, sizeof(date), "%04d-%02d-%02d", t.year, t.month, t.day);
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:s}", "weekday",
		calendar_weekdays[t.weekday], "date", date, "year", t.year, "month", t.month, "day",
		t.day, "hour", t.hour, "minute", t.minute, "timezone", zone_name(zone));
}

/* What set it off, and the day it is: journalled with the run, so that a replay has the same. */
static void add_trigger(json_t *ctx, const struct trigger *trigger)
{
	usec_t now = clock_wall();
	json_t *json = json_pack("{s:s, s:I}", "kind", trigger_kind_names[trigger->kind], "at",
		(json_int_t)(now / USEC_PER_SEC));

	if (trigger->due)
		(void)json_object_set_new(
			json, "due", json_integer((json_int_t)(trigger->due / USEC_PER_SEC)));
	if (trigger->event)
		(void)json_object_set(json, "event", (json_t *)(uintptr_t)trigger->event);
	(void)json_object_set_new(ctx, "trigger", json);
	(void)json_object_set_new(
		ctx, "calendar", calendar_context(trigger->def, trigger->due ? trigger->due : now));
}

static json_t *make_context(const struct run *run, const struct trigger *trigger)
{
	const struct conf_component *conf = trigger->component->conf;
	const struct check *check = trigger->check;
	const struct incident *incident = trigger->incident;
	json_t *ctx = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s?, s:s}}", "policy",
		run->policy, "run", run->id, "system", conf->system->name, "environment",
		conf_environment_names[conf->system->environment], "target", conf->name,
		"component", "name", conf->name, "short_name", conf->short_name, "unit", conf->unit,
		"kind", conf_component_kinds[conf->kind]);

	if (check)
		(void)json_object_set_new(ctx, "check", check_context(check));
	if (incident)
		(void)json_object_set_new(ctx, "incident",
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id", incident->id,
				"fingerprint", incident->fingerprint, "severity",
				conf_severity_names[incident->severity], "reason",
				tend_reason_name(incident->reason), "category",
				tend_reason_category(incident->reason), "class",
				fault_class_names[incident->class], "opened",
				(json_int_t)(incident->opened_wall / USEC_PER_SEC)));
	add_trigger(ctx, trigger);
	return ctx;
}

static usec_t limit_of(const struct policy_def *def)
{
	const json_t *timeout = json_object_get(def->decl, "timeout");
	usec_t limit;

	if (!timeout || verb_duration(timeout, &limit) < 0 || limit == 0)
		return RUN_WALL_USEC;
	return MIN(limit, RUN_WALL_MAX_USEC);
}

static int fill(struct run *run, const struct trigger *trigger)
{
	const struct catalog *catalog = run->policies->catalog;
	const struct policy_def *def = trigger->def;

	run->policy = strdup(def->name);
	run->component = strdup(trigger->component->conf->name);
	run->check = trigger->check ? strdup(trigger->check->conf->name) : NULL;
	run->author = strdup(trigger->author);
	run->chunk = strdup(def->file->chunk);
	run->source = strdup(def->file->source);
	memcpy(run->hash, def->file->hash, sizeof(run->hash));
	run->library = json_incref(catalog->library);
	run->library_text = strdup(catalog->library_text);
	memcpy(run->library_hash, catalog->library_hash, sizeof(run->library_hash));
	run->limit = limit_of(def);
	run->window_required =
		str_eq(json_string_value(json_object_get(def->decl, "window")), "required");
	run->budget = json_integer_value(json_object_get(def->decl, "budget"));
	run->dry = trigger->dry;
	run->due = trigger->due;
	if (trigger->incident)
		memcpy(run->incident, trigger->incident->id, UUID_TEXT_BYTES);
	if (run->policy)
		run->ctx = make_context(run, trigger);
	return run->policy && run->component && (!trigger->check || run->check) && run->author &&
			       run->chunk && run->source && run->library_text && run->ctx
		       ? 0
		       : -ENOMEM;
}

static size_t count(const struct policies *p, bool queued)
{
	size_t n = 0;

	VEC_FOREACH (&p->runs, const struct run *, run)
		n += !run->describing && run->state == RUN_LIVE && run->queued == queued;
	return n;
}

bool start_has_room(const struct policies *p, bool queued)
{
	return count(p, queued) < (size_t)(queued ? POLICY_MAX_QUEUED : POLICY_MAX_RUNS);
}

struct run *start_make(struct policies *p, const struct trigger *trigger)
{
	struct run *run;

	if (run_new(p, &run) < 0) {
		json_decref(trigger->params);
		return NULL;
	}
	run->params = trigger->params;
	if (fill(run, trigger) < 0)
		return run_free(run);
	return run;
}

/* ---- now, later, not at all
 * --------------------------------------------------------------------------------------- */

enum concurrency start_concurrency(const struct policy_def *def)
{
	const char *name = json_string_value(json_object_get(def->decl, "concurrency"));

	for (int i = 0; i < CONCURRENCY_MAX; i++)
		if (str_eq(concurrency_names[i], name))
			return (enum concurrency)i;
	return CONCURRENCY_SKIP;
}

static struct run *find_queued(const struct policies *p, const char *policy, const char *component)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		if (run->queued && strcmp(run->policy, policy) == 0 &&
			strcmp(run->component, component) == 0)
			return run;
	return NULL;
}

/* What may not begin now, for `why` or because another run has its target, waits in the store. */
static void begin_or_queue(struct run *run, struct run *live, bool replace, const char *why)
{
	if (!live && !why) {
		run_begin(run);
		return;
	}
	if (live)
		log_info("policy '%s' on '%s': run %s waits until run %s of '%s' has ended",
			run->policy, run->component, run->id, live->id, live->policy);
	else
		log_info("policy '%s' on '%s': run %s waits: %s", run->policy, run->component,
			run->id, why);
	run_queue(run);
	if (live && replace)
		cancel_run(live, "a newer run takes its place");
}

static void tell_passed(const struct trigger *trigger, const char *why)
{
	log_notice("policy '%s' on '%s': its %s comes to nothing: %s", trigger->def->name,
		trigger->component->conf->name, trigger_kind_names[trigger->kind], why);
	json_decref(trigger->params);
}

static struct incident *open_at(const struct policies *p, const char *component)
{
	VEC_FOREACH (incidents_open(p->deps.incidents), struct incident *, open)
		if (strcmp(open->component, component) == 0)
			return open;
	return NULL;
}

/* It will not come again: never silently. */
static void drop(struct policies *p, const struct trigger *trigger)
{
	const char *target = trigger->component->conf->name;
	struct incident *incident = open_at(p, target);

	p->n_dropped++;
	log_warning("policy '%s' on '%s': its event is dropped: %d runs wait already",
		trigger->def->name, target, POLICY_MAX_QUEUED);
	if (incident)
		incident_note(p->deps.incidents, incident, "policy",
			"%s does not start: its event is dropped, %d runs wait already",
			trigger->def->name, POLICY_MAX_QUEUED);
	json_decref(trigger->params);
}

/* Why nothing begins now, whatever it is; NULL: it may. */
static const char *why_not_now(const struct policies *p)
{
	const char *frozen = policies_why_frozen(p);

	return frozen			   ? frozen
	       : p->draining		   ? "Tend drains"
	       : !start_has_room(p, false) ? "there is no room for another run"
					   : NULL;
}

/* Why it comes to nothing; NULL: it does not. */
static const char *why_never(struct policies *p, const struct trigger *trigger,
	const struct run *live, const struct run *waiting)
{
	const char *policy = trigger->def->name;
	const struct conf_policy *settings = policy_settings(p, policy);
	enum conf_mode mode = trigger_mode(p, policy, trigger->component->conf->system);
	enum concurrency concurrency = start_concurrency(trigger->def);

	if (settings && !settings->enabled)
		return "the configuration disables it";
	if (strike_disabled(p, trigger->def))
		return strike_disabled(p, trigger->def);
	if (mode < MODE_APPROVE)
		return mode == MODE_SUGGEST ? "its mode is suggest" : "its mode is observe";
	if (live && strcmp(live->policy, policy) == 0 && concurrency == CONCURRENCY_SKIP)
		return "the run before is still at it";
	if (waiting && (trigger->kind != TRIGGER_EVENT || concurrency != CONCURRENCY_REPLACE))
		return "another run of it waits already";
	return NULL;
}

static enum start start_now(
	struct policies *p, const struct trigger *trigger, struct run *live, const char *not_now)
{
	bool replace = live && strcmp(live->policy, trigger->def->name) == 0 &&
		       start_concurrency(trigger->def) == CONCURRENCY_REPLACE;
	struct run *run;

	if ((live || not_now) && !start_has_room(p, true)) {
		if (trigger->kind == TRIGGER_EVENT) {
			drop(p, trigger);
			return START_PASSED;
		}
		json_decref(trigger->params);
		return START_NOT_NOW;
	}
	run = start_make(p, trigger);
	if (!run)
		return START_NOT_NOW;
	/* Another policy's run is waited for: that it has the target is no fault of ours. */
	begin_or_queue(run, live, replace, not_now);
	return START_BEGUN;
}

enum start start_automatic(struct policies *p, const struct trigger *trigger)
{
	const char *policy = trigger->def->name, *target = trigger->component->conf->name;
	auto_free char *unset = trigger_unset(p, trigger->def);
	const char *not_now = why_not_now(p), *never;
	struct run *live = run_find_live(p, target), *waiting = find_queued(p, policy, target);

	if (not_now && trigger->kind != TRIGGER_EVENT) {
		json_decref(trigger->params);
		return START_NOT_NOW;
	}
	never = unset ? unset : why_never(p, trigger, live, waiting);
	if (never) {
		tell_passed(trigger, never);
		return START_PASSED;
	}
	if (waiting)
		cancel_run(waiting, "a newer event takes its place");
	return start_now(p, trigger, live, not_now);
}

/* What has changed while it waited, perhaps over a restart. NULL: nothing that matters. */
static const char *why_not_any_more(const struct policies *p, const struct run *run)
{
	const struct conf_policy *settings = policy_settings(p, run->policy);
	const struct policy_def *def = map_get(&p->catalog->defs, run->policy);

	if (!watch_find_component(p->deps.watch, run->component))
		return "its target is no component of the configuration any more";
	if (settings && !settings->enabled)
		return "the configuration disables the policy";
	return def ? strike_disabled(p, def) : NULL;
}

static void start_waiting(struct policies *p, struct run *run)
{
	const char *why = why_not_any_more(p, run);

	if (why) {
		run_end(run, RUN_REFUSED, why);
	} else if (!run_find_live(p, run->component) && start_has_room(p, false)) {
		run->started_wall = clock_wall();
		run_begin(run);
	}
}

void start_queued(struct policies *p)
{
	struct vec waiting = {0};

	if (policies_why_frozen(p) || p->draining || !p->catalog)
		return;
	VEC_FOREACH (&p->runs, struct run *, run)
		if (run->queued && run->state == RUN_LIVE)
			(void)vec_push(&waiting, run);
	VEC_FOREACH (&waiting, struct run *, run)
		start_waiting(p, run);
	vec_clear(&waiting);
}

/* ---- by hand
 * ----------------------------------------------------------------------------------------------------
 */

static int no_policy(const struct policies *p, const char *name, struct tend_error *err)
{
	size_t n = 0, max = p->catalog ? p->catalog->defs.len : 0;
	auto_free const char **names = calloc(max + 1, sizeof(*names));
	const char *near = NULL;

	if (policies_reading(p))
		return tend_error_set(err, -EAGAIN,
			"the policies are still being read, '%s' is not known yet: try again",
			name);
	if (names && p->catalog) {
		MAP_FOREACH (&p->catalog->defs, const struct policy_def *, def)
			names[n++] = def->name;
		near = str_nearest(name, names, n);
	}
	if (near)
		return tend_error_set(
			err, -ENOENT, "there is no policy '%s', did you mean '%s'?", name, near);
	return tend_error_set(
		err, -ENOENT, "there is no policy '%s', see 'tendctl policy list'", name);
}

static int may_start(const struct policies *p, const struct policy_def *def, const char *name,
	struct tend_error *err)
{
	const struct conf_policy *settings = policy_settings(p, name);
	const char *struck = def ? strike_disabled(p, def) : NULL;

	if (!def)
		return no_policy(p, name, err);
	if (!json_is_true(json_object_get(def->decl, "hand")))
		return tend_error_set(err, -EINVAL,
			"%s cannot be started by hand: it has no 'hand = true'", name);
	if (settings && !settings->enabled)
		return tend_error_set(err, -EINVAL, "the configuration disables %s", name);
	if (struck)
		return tend_error_set(err, -EINVAL, "%s is disabled: %s", name, struck);
	if (p->draining)
		return tend_error_set(err, -EBUSY, "Tend drains: no run begins any more");
	return 0;
}

static int find_target(
	struct policies *p, const char *target, struct trigger *trigger, struct tend_error *err)
{
	struct watch *watch = p->deps.watch;
	struct check *check = target ? watch_find_check(watch, target) : NULL;

	if (!target)
		return tend_error_set(err, -EINVAL,
			"name one component or check that it runs on: tendctl policy run NAME "
			"TARGET");
	trigger->component = check    ? check->component
			     : target ? watch_find_component(watch, target)
				      : NULL;
	if (!trigger->component)
		return tend_error_set(
			err, -ENOENT, "'%s' is no component and no check; name one", target);
	trigger->incident = open_at(p, trigger->component->conf->name);
	if (!check && trigger->incident)
		check = watch_find_check(watch, trigger->incident->check);
	trigger->check = check;
	return 0;
}

static int take_params(struct policies *p, const struct policies_request *request,
	struct trigger *trigger, struct tend_error *err)
{
	json_t *merged = policy_params(p, request->name);
	auto_free char *why = NULL;

	if (!merged)
		return tend_error_set(err, -ENOMEM, "out of memory");
	if (request->params)
		(void)json_object_update(merged, request->params);
	why = params_check(trigger->def, merged, true);
	if (!why) {
		trigger->params = merged;
		return 0;
	}
	json_decref(merged);
	return tend_error_set(err, -EINVAL, "%s", why);
}

int policies_start(struct policies *policies, const struct policies_request *request,
	char ret_run_id[UUID_TEXT_BYTES], struct tend_error *err)
{
	struct trigger trigger = {.kind = TRIGGER_HAND,
		.def = policies->catalog ? map_get(&policies->catalog->defs, request->name) : NULL,
		.author = request->author,
		.dry = request->dry};
	enum concurrency concurrency;
	struct incident *incident;
	struct run *live, *run;
	int r = may_start(policies, trigger.def, request->name, err);

	if (r == 0)
		r = find_target(policies, request->target, &trigger, err);
	if (r < 0)
		return r;
	assert(trigger.def && trigger.component);
	concurrency = start_concurrency(trigger.def);
	live = trigger.dry ? NULL : run_find_live(policies, trigger.component->conf->name);
	if (live && concurrency == CONCURRENCY_SKIP)
		return tend_error_set(err, -EBUSY, "%s runs on %s already, run %s", live->policy,
			live->component, live->id);
	if (!trigger.dry && find_queued(policies, request->name, trigger.component->conf->name))
		return tend_error_set(err, -EBUSY, "another run of %s on %s waits already",
			request->name, trigger.component->conf->name);
	if (!start_has_room(policies, live != NULL))
		return tend_error_set(err, -EBUSY, "there is no room for another run");
	r = take_params(policies, request, &trigger, err);
	if (r < 0)
		return r;
	run = start_make(policies, &trigger);
	if (!run)
		return tend_error_set(err, -ENOMEM, "out of memory");
	memcpy(ret_run_id, run->id, UUID_TEXT_BYTES);
	incident = run_incident(run);
	hold_begun(run);
	if (incident && !run->dry)
		incident_note(policies->deps.incidents, incident, "policy",
			"%s is started by %s, run %s", run->policy, run->author, run->id);
	begin_or_queue(run, live,
		live && concurrency == CONCURRENCY_REPLACE &&
			strcmp(live->policy, run->policy) == 0,
		NULL);
	return 0;
}

int policies_run(struct policies *policies, const char *name, const char *target, json_t *params,
	const char *author, char ret_run_id[UUID_TEXT_BYTES], struct tend_error *err)
{
	const struct policies_request request = {
		.name = name, .target = target, .params = params, .author = author};

	return policies_start(policies, &request, ret_run_id, err);
}
