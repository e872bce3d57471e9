/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/clock.h"
#include "calendar/window.h"
#include "watch/event.h"
#include "watch/private.h"

static json_t *json_span(usec_t usec)
{
	char buf[CLOCK_TEXT_BYTES];

	return json_string(clock_format_span(usec, buf));
}

static json_t *metrics_to_json(const struct check *check)
{
	json_t *list = json_array();

	for (size_t i = 0; i < check->last.n_metrics; i++) {
		const struct metric *m = &check->last.metrics[i];
		json_t *row = json_pack("{s:s, s:f, s:s, s:s, s:s?, s:s?}", "name", m->name,
			"value", m->value, "unit", m->unit, "state", tend_state_name(m->verdict),
			"warning", watch_threshold(check->conf->thresholds_warning, m->name),
			"critical", watch_threshold(check->conf->thresholds_critical, m->name));

		if (row && m->instance[0])
			(void)json_object_set_new(row, "instance", json_string(m->instance));
		(void)json_array_append_new(list, row);
	}
	return list;
}

/* "paused", "paused_until", "paused_text": the window that keeps it from running, or nulls. */
static void add_pause(const struct check *check, json_t *doc)
{
	struct window_span span = {0};
	const struct conf_window *window =
		check->paused ? windows_paused(check->watch->conf, check->conf->component,
					check->conf, clock_wall(), &span)
			      : NULL;
	char until[ZONE_TEXT_BYTES], text[ZONE_TEXT_BYTES + 128];

	if (window)
		(void)snprintf(text, sizeof(text), "paused by the window '%.64s' until %s",
			window->name, zone_format(window->zone, span.closes, until));
	(void)json_object_update_new(
		doc, json_pack("{s:s?, s:o, s:s?}", "paused", window ? window->name : NULL,
			     "paused_until",
			     window && span.closes != USEC_INFINITY ? clock_to_json(span.closes)
								    : json_null(),
			     "paused_text", window ? text : NULL));
}

json_t *watch_check_to_json(const struct check *check, bool full)
{
	const struct conf_check *conf = check->conf;
	const struct result *last = &check->last;
	usec_t now = clock_now();
	json_t *doc = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:s?, s:s, s:o, s:s?}", "name",
		conf->name, "system", conf->component->system->name, "component",
		conf->component->name, "probe", conf->probe->name, "state",
		tend_state_name(watch_check_shown_state(check)), "now",
		tend_state_name(check->state.now), "soft", state_is_soft(&check->state), "flapping",
		check->state.flapping, "since", clock_to_json(check->state.hard_since_wall),
		"reason", last->number ? tend_reason_name(last->reason) : NULL, "text",
		last->number ? last->text : "no result yet", "last_result",
		clock_to_json(last->finished_wall), "unreachable_because",
		check->unreachable ? check->unreachable_why : NULL);

	if (doc)
		add_pause(check, doc);
	if (doc && watch_event_labels(check))
		(void)json_object_set_new(doc, "labels", json_deep_copy(watch_event_labels(check)));
	if (!doc || !full)
		return doc;
	(void)json_object_update_new(doc,
		json_pack("{s:s?, s:s?, s:s, s:o, s:o, s:f, s:o, s:o, s:I, s:I, s:I, s:I, s:b}",
			"doc", conf->doc, "unit", conf->component->unit, "hard",
			tend_state_name(check->state.hard), "interval", json_span(conf->interval),
			"timeout", json_span(conf->timeout), "duration_ms",
			(double)(last->finished - last->started) / 1000.0, "next_in",
			json_span(check->due.at > now ? check->due.at - now : 0), "metrics",
			metrics_to_json(check), "metrics_left_out", (json_int_t)last->n_left_out,
			"attempts", (json_int_t)check->n_attempts, "failed",
			(json_int_t)check->n_failed, "overruns", (json_int_t)check->n_overruns,
			"running", check->attempt != NULL));
	return doc;
}

json_t *watch_component_to_json(const struct component *component, bool full)
{
	const struct conf_component *conf = component->conf;
	json_t *depends = json_array(), *checks = json_array();
	json_t *doc;

	VEC_FOREACH (&conf->parents, const struct conf_component *, parent)
		(void)json_array_append_new(depends, json_string(parent->name));
	VEC_FOREACH (&component->checks, const struct check *, check)
		(void)json_array_append_new(checks,
			full ? watch_check_to_json(check, false) : json_string(check->conf->name));
	doc = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s?, s:s?, s:o, s:o}", "name", conf->name,
		"system", conf->system->name, "kind", conf_component_kinds[conf->kind], "state",
		tend_state_name(component->state), "since", clock_to_json(component->since_wall),
		"unit", conf->unit, "doc", conf->doc, "depends", depends, "checks", checks);
	return doc;
}

enum tend_state watch_system_state(const struct watch *watch, const struct conf_system *system)
{
	enum tend_state worst = TEND_STATE_PENDING;

	VEC_FOREACH (&system->components, const struct conf_component *, conf) {
		const struct component *component = map_get(&watch->components, conf->name);

		if (component)
			worst = state_worse(worst, component->state);
	}
	return worst;
}

enum tend_state watch_worst_state(const struct watch *watch)
{
	enum tend_state worst = TEND_STATE_PENDING;

	MAP_FOREACH (&watch->components, const struct component *, component)
		worst = state_worse(worst, component->state);
	return worst;
}

json_t *watch_system_to_json(const struct watch *watch, const struct conf_system *system)
{
	json_t *components = json_array();

	VEC_FOREACH (&system->components, const struct conf_component *, conf)
		(void)json_array_append_new(components, json_string(conf->name));
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o}", "name", system->name, "environment",
		conf_environment_names[system->environment], "state",
		tend_state_name(watch_system_state(watch, system)), "owner", system->owner, "doc",
		system->doc, "components", components);
}
