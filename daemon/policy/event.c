/* SPDX-License-Identifier: MIT */
/*
 * What happened, and the policies that wait for it. Events wait in a short queue until the loop
 * comes by: they are told from the midst of other parts. What a run brings about is in the store
 * too, by the commit that brings it about, until the runs that it begins are there. A chain of
 * policies that end and start each other is cut.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "calendar/window.h"
#include "policy/private.h"

enum {
	EVENTS_MAX = 200,    /* that wait */
	EVENT_DEPTH_MAX = 5, /* policies that were started by the end of another */
};

const char *const policy_event_names[POLICY_EVENT_MAX + 1] = {
	[POLICY_EVENT_POLICY_ENDED] = "policy-ended",
	[POLICY_EVENT_VERSION_CHANGED] = "version-changed",
	[POLICY_EVENT_HEARTBEAT_LATE] = "heartbeat-late",
	[POLICY_EVENT_WINDOW_OPENED] = "window-opened",
};

void events_free(struct policies *p)
{
	VEC_FOREACH (&p->events, json_t *, event)
		json_decref(event);
	vec_clear(&p->events);
}

static const char *text_of(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key));
}

static bool waits_for(const struct policy_def *def, const json_t *event)
{
	static const char *const keys[] = {"type", "policy", "state", "component"};
	const json_t *on = json_object_get(json_object_get(def->decl, "on"), "event");

	for (size_t i = 0; on && i < ARRAY_SIZE(keys); i++)
		if (!trigger_pattern(json_object_get(on, keys[i]), text_of(event, keys[i])))
			return false;
	return on != NULL;
}

/* Not yet read, the policies may be those that wait. */
static bool is_awaited(const struct policies *p, const json_t *event)
{
	if (!p->catalog)
		return true;
	MAP_FOREACH (&p->catalog->defs, const struct policy_def *, def)
		if (waits_for(def, event))
			return true;
	return false;
}

/* Borrows the event. */
static int add(struct policies *p, json_t *event)
{
	int r = vec_push(&p->events, event);

	if (r == 0)
		json_incref(event);
	return r;
}

static int keep(json_t *event, struct store_batch *batch)
{
	char id[UUID_TEXT_BYTES];

	uuid7(id);
	if (json_object_set_new(event, "id", json_string(id)) < 0)
		return -ENOMEM;
	return store_batch_add(batch, STORE_EVENT_PUT, "sij", id, (int64_t)clock_wall(), event);
}

void event_tell(struct policies *policies, enum policy_event type, const char *component,
	json_t *details, struct store_batch *batch)
{
	auto_json json_t *event = details ? details : json_object();

	if (!event || json_object_set_new(event, "type", json_string(policy_event_names[type])) < 0)
		return;
	if (component)
		(void)json_object_set_new(event, "component", json_string(component));
	if (policies->events.len >= EVENTS_MAX) {
		policies->n_dropped++;
		log_warning("policies: more than %d events wait, '%s' of %s is dropped", EVENTS_MAX,
			policy_event_names[type], component ? component : "no component");
		return;
	}
	if (add(policies, event) < 0)
		return;
	if (batch && is_awaited(policies, event) && keep(event, batch) < 0)
		log_warning("policies: '%s' of %s is lost if tendd dies now: out of memory",
			policy_event_names[type], component ? component : "no component");
	loop_defer_set(policies->wake, true);
}

void policies_event(
	struct policies *policies, enum policy_event type, const char *component, json_t *details)
{
	event_tell(policies, type, component, details, NULL);
}

int events_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(p->deps.store, STORE_QUERY_EVENTS, &rows, "");
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		if (r == 0)
			r = add(p, json_object_get(row, "doc_json"));
	return r;
}

json_int_t event_depth(const struct run *run)
{
	const json_t *event = json_object_get(json_object_get(run->ctx, "trigger"), "event");

	return json_integer_value(json_object_get(event, "depth")) + 1;
}

void event_run_ended(struct run *run, struct store_batch *batch)
{
	if (run->dry)
		return;
	event_tell(run->policies, POLICY_EVENT_POLICY_ENDED, run->component,
		json_pack("{s:s, s:s, s:s, s:s*, s:I}", "policy", run->policy, "state",
			run_state_names[run->state], "run", run->id, "message", run->message,
			"depth", event_depth(run)),
		batch);
}

/* Tend died when the run was begun, before the event was done with. */
static bool has_begun(
	const struct policies *p, const char *policy, const char *target, const char *id)
{
	VEC_FOREACH (&p->runs, const struct run *, run) {
		const json_t *event =
			json_object_get(json_object_get(run->ctx, "trigger"), "event");

		if (id && str_eq(text_of(event, "id"), id) && str_eq(run->policy, policy) &&
			str_eq(run->component, target))
			return true;
	}
	return false;
}

static void start_on(
	struct policies *p, const struct policy_def *def, const char *name, const json_t *event)
{
	const struct component *component = watch_find_component(p->deps.watch, name);
	struct trigger trigger = {.kind = TRIGGER_EVENT,
		.def = def,
		.component = component,
		.event = event,
		.author = "tend"};

	if (!component || has_begun(p, def->name, name, text_of(event, "id")))
		return;
	trigger.params = policy_params(p, def->name);
	if (start_automatic(p, &trigger) == START_NOT_NOW) {
		p->n_dropped++;
		log_warning("policy '%s' on '%s': its event '%s' is dropped: out of memory",
			def->name, name, text_of(event, "type"));
	}
}

/* The opening of a window is news for what it matches only. */
static bool is_about(const struct policies *p, const json_t *event, const struct conf_component *c)
{
	const char *name = text_of(event, "window");
	const struct conf_window *window = name ? map_get(&p->conf->windows, name) : NULL;

	return !window || window_matches(window, c, NULL);
}

static void start_all(struct policies *p, const struct policy_def *def, const json_t *event)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	const char *component = text_of(event, "component");

	if (json_integer_value(json_object_get(event, "depth")) > EVENT_DEPTH_MAX) {
		log_warning("policy '%s' is not started by the end of '%s': they would start each "
			    "other for ever",
			def->name, text_of(event, "policy"));
		return;
	}
	if (!json_object_get(def->decl, "targets")) {
		if (component)
			start_on(p, def, component, event);
		return;
	}
	MAP_FOREACH (&p->conf->components, const struct conf_component *, c)
		if (trigger_is_target(def, settings, c) && is_about(p, event, c))
			start_on(p, def, c->name, event);
}

/* After the commits of what they began: the store keeps the order. */
static void forget(struct policies *p, const struct vec *events)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);
	size_t n = 0;

	VEC_FOREACH (events, const json_t *, event) {
		if (r < 0 || !text_of(event, "id"))
			continue;
		r = store_batch_add(batch, STORE_EVENT_DELETE, "s", text_of(event, "id"));
		n++;
	}
	if (r == 0 && n > 0)
		r = store_commit(p->deps.store, TAKE(batch), NULL, NULL);
	if (r < 0)
		log_warning("policies: what was begun for events is looked at again at the next "
			    "start: %s",
			strerror(-r));
}

void events_look(struct policies *p)
{
	struct vec events = p->events;

	if (!p->catalog)
		return;
	p->events = (struct vec){0};
	VEC_FOREACH (&events, const json_t *, event)
		MAP_FOREACH (&p->catalog->defs, const struct policy_def *, def)
			if (waits_for(def, event))
				start_all(p, def, event);
	forget(p, &events);
	VEC_FOREACH (&events, json_t *, event)
		json_decref(event);
	vec_clear(&events);
}
