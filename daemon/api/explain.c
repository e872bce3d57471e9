/* SPDX-License-Identifier: MIT */
/* /v1/explain: why nobody was told, or nothing was done. The sentences are made by a pure function.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "api/private.h"
#include "telling.h"

enum { EXPLAIN_DELIVERIES = 200 };

__attribute__((format(printf, 2, 3))) static void say(json_t *out, const char *format, ...)
{
	char text[2048], clean[2048];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	str_sanitize(clean, sizeof(clean), text, strlen(text));
	(void)json_array_append_new(out, json_string(clean));
}

/* Seconds are enough for people. */
static const char *wall_text(usec_t wall, char buf[CLOCK_TEXT_BYTES])
{
	char *dot;

	clock_format(wall, buf);
	dot = strchr(buf, '.');
	if (dot)
		memcpy(dot, "Z", 2);
	return buf;
}

/* A time in a row of the store (usec) or in a part's JSON (text); "" for none. */
static const char *time_text(const json_t *value, char buf[CLOCK_TEXT_BYTES])
{
	usec_t wall;

	if (json_is_string(value))
		return clock_parse(json_string_value(value), &wall) == 0 ? wall_text(wall, buf)
									 : "";
	if (json_integer_value(value) > 0)
		return wall_text((usec_t)json_integer_value(value), buf);
	return "";
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void say_state(json_t *out, const struct explain *x)
{
	const struct check *check = x->check;
	enum tend_state shown = watch_check_shown_state(check);
	char since[CLOCK_TEXT_BYTES] = "";
	const struct result *last = &check->last;

	if (x->paused)
		say(out, "the check does not run: %s", x->paused);
	if (last->number == 0) {
		say(out, "check '%s' has no result yet", check->conf->name);
		return;
	}
	say(out, "check '%s' is %s since %s; its last result is %s: %s", check->conf->name,
		tend_state_name(shown),
		wall_text(check->state.hard_since_wall ? check->state.hard_since_wall
						       : check->state.since_wall,
			since),
		tend_reason_name(last->reason), last->text);
	if (check->unreachable)
		say(out, "nobody is told about '%s' itself: %s is down, on which it depends",
			check->conf->name, check->unreachable_why);
	else if (state_is_soft(&check->state))
		say(out,
			"its last result is not confirmed: %" PRId64 " of the last %" PRId64
			" must fail before anybody is told (confirm)",
			check->conf->confirm_failures, check->conf->confirm_window);
	if (!check->conf->notify)
		say(out, "no notices are sent for '%s': it has notify = no", check->conf->name);
}

/* Windows are said by x->quiet, with their end in their zone. */
static void say_holds(json_t *out, const struct explain *x)
{
	size_t index;
	json_t *hold;

	json_array_foreach (x->holds, index, hold) {
		if (x->quiet && strcmp(text_of(hold, "gate"), "window") == 0)
			continue;
		say(out, "its notices are held: %s; what still fails then is told",
			text_of(hold, "why"));
	}
}

static void say_ack(json_t *out, const struct incident *i)
{
	char at[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];

	say(out, "%s acknowledged it at %s: %s", i->ack_author, wall_text(i->ack_wall, at),
		i->ack_comment ? i->ack_comment : "");
	if (i->phase == INCIDENT_CLOSED)
		return;
	say(out, "as long as that holds%s%s nobody is reminded and nothing escalates%s",
		i->ack_until_wall ? ", until " : "",
		i->ack_until_wall ? wall_text(i->ack_until_wall, until) : "",
		i->ack_sticky ? ", also if it gets worse" : "; if it gets worse it ends");
}

static void say_incident(json_t *out, const struct explain *x)
{
	const struct incident *i = x->incident;
	char at[CLOCK_TEXT_BYTES];

	if (!i) {
		if (x->check && state_failed(x->check->state.hard) && !x->check->unreachable)
			say(out, "there is no incident of it");
		else if (x->check)
			say(out, "there is no incident: nothing to tell, nothing to heal");
		return;
	}
	say(out, "incident %s (%s, %s) was opened at %s at its root '%s': %s", i->id,
		incident_phase_names[i->phase], conf_severity_names[i->severity],
		wall_text(i->opened_wall, at), i->fingerprint, i->text ? i->text : "");
	if (i->phase != INCIDENT_CLOSED && x->quiet)
		say(out, "its notices are held: %s; what still fails then is told", x->quiet);
	say_holds(out, x);
	if (i->phase != INCIDENT_CLOSED && (x->quiet || json_array_size(x->holds) > 0))
		;
	else if (i->phase != INCIDENT_CLOSED && i->settle)
		say(out, "what held it has ended: its checks are looked at anew before anybody is "
			 "told");
	else if (i->phase == INCIDENT_CLOSED && !i->told)
		say(out, "it came and went in a window with alerts = quiet: nobody is told");
	if (i->unconfirmed)
		say(out, "its cause is not confirmed: a dependency did not answer in time");
	if (x->check && i->check && strcmp(i->check, x->check->conf->name) != 0)
		say(out, "'%s' hangs on it: notices tell of the root cause only",
			x->check->conf->name);
	if (i->ack_author)
		say_ack(out, i);
}

/* Why a receiver takes nothing now; false: nothing to say. */
static bool say_receiver(json_t *out, const json_t *receivers, const char *name)
{
	size_t index;
	json_t *row;

	json_array_foreach (receivers, index, row) {
		if (strcmp(text_of(row, "name"), name) != 0)
			continue;
		if (json_is_false(json_object_get(row, "enabled")))
			say(out, "receiver '%s' is disabled: %s", name,
				*text_of(row, "disabled_why") ? text_of(row, "disabled_why")
							      : "it is not configured any more");
		else if (json_is_true(json_object_get(row, "breaker_open")))
			say(out,
				"receiver '%s' fails again and again (%s): its breaker is open, "
				"one notice at a time is tried",
				name, text_of(row, "last_error"));
		else
			return false;
		return true;
	}
	return false;
}

static void say_waiting(json_t *out, const json_t *row, const char *receiver, const char *kind)
{
	const char *waits = text_of(row, "waits");

	say(out, "receiver '%s' has not been tried yet with %s: %s", receiver, kind,
		*waits ? waits : "it waits its turn");
}

static void say_delivery(json_t *out, const json_t *row)
{
	const char *state = text_of(row, "state"), *error = text_of(row, "last_error");
	const char *receiver = text_of(row, "receiver"), *kind = text_of(row, "kind");
	json_int_t tries = json_integer_value(json_object_get(row, "tries"));
	char at[CLOCK_TEXT_BYTES];

	if (strcmp(state, "delivered") == 0)
		say(out, "receiver '%s' has taken %s at %s, after %" JSON_INTEGER_FORMAT " %s",
			receiver, kind, time_text(json_object_get(row, "delivered_at"), at), tries,
			tries == 1 ? "try" : "tries");
	else if (strcmp(state, "waiting") == 0 && tries == 0)
		say_waiting(out, row, receiver, kind);
	else if (strcmp(state, "waiting") == 0)
		say(out,
			"receiver '%s' has not taken %s in %" JSON_INTEGER_FORMAT
			" tries (%s); next try at %s",
			receiver, kind, tries, *error ? error : "no answer",
			time_text(json_object_get(row, "next_at"), at));
	else if (strcmp(state, "superseded") == 0)
		say(out, "%s for receiver '%s' was overtaken by newer news while it waited", kind,
			receiver);
	else
		say(out,
			"receiver '%s' did not get %s: %s after %" JSON_INTEGER_FORMAT " tries%s%s",
			receiver, kind, state, tries, *error ? ": " : "", error);
}

static void say_deliveries(json_t *out, const struct explain *x)
{
	size_t index;
	json_t *row;

	if (!x->incident)
		return;
	if (x->deliveries_error < 0) {
		say(out, "who was told cannot be read from the store: %s",
			strerror(-x->deliveries_error));
		return;
	}
	if (json_array_size(x->deliveries) == 0) {
		if (x->n_receivers == 0)
			say(out,
				"nobody was told: there is no [receiver ...] in the configuration");
		else if (!x->incident->told)
			say(out, "nobody was told: no raise went out for this incident, it was "
				 "held");
		else
			say(out,
				"nobody was told: no [route ...] leads from '%s' at severity %s to "
				"a "
				"receiver",
				x->incident->component ? x->incident->component : "",
				conf_severity_names[x->incident->severity]);
		return;
	}
	json_array_foreach (x->deliveries, index, row) {
		say_delivery(out, row);
		if (strcmp(text_of(row, "state"), "waiting") == 0)
			(void)say_receiver(out, x->receivers, text_of(row, "receiver"));
	}
}

/* The routes as they would decide now, of what is open. */
static void say_routes(json_t *out, const struct explain *x)
{
	size_t index;
	json_t *gate;

	if (!x->incident || x->incident->phase == INCIDENT_CLOSED)
		return;
	json_array_foreach (x->no, index, gate)
		say(out, "routing now: %s", json_string_value(gate));
}

/* A gate that said no: {at, policy, why}. */
static void say_gate(json_t *out, const json_t *gate)
{
	char buf[CLOCK_TEXT_BYTES];
	const char *at = time_text(json_object_get(gate, "at"), buf);

	say(out, "policy '%s': %s%s%s%s", text_of(gate, "policy"), text_of(gate, "why"),
		*at ? " (at " : "", at, *at ? ")" : "");
}

static void say_gates(json_t *out, const struct explain *x)
{
	size_t index;
	json_t *gate;

	if (x->actions && json_is_false(json_object_get(x->actions, "enabled")))
		say(out, "actions are stopped%s%s: nothing that changes a system is done",
			*text_of(x->actions, "why") ? ": " : "", text_of(x->actions, "why"));
	if (!x->incident)
		return;
	if (json_array_size(x->gates) == 0)
		say(out, "no policy has anything to say about this incident");
	json_array_foreach (x->gates, index, gate)
		say_gate(out, gate);
}

json_t *explain_because(const struct explain *x)
{
	json_t *out = json_array();

	if (x->check)
		say_state(out, x);
	say_incident(out, x);
	say_deliveries(out, x);
	say_routes(out, x);
	say_gates(out, x);
	return out;
}

/* An id, the beginning of one, or a check. A check without an open incident is explained by the
 * last closed one only when asked by its id. */
static bool explain_find(struct request *request, struct explain *x)
{
	struct manager *m = request->api->manager;

	x->name = request->subject;
	x->check = watch_find_check(m->watch, request->subject);
	if (x->check) {
		x->incident = incidents_of_check(m->incidents, request->subject);
		return true;
	}
	x->incident = incidents_find(m->incidents, request->subject);
	if (x->incident && x->incident->check)
		x->check = watch_find_check(m->watch, x->incident->check);
	return x->incident != NULL;
}

static void explain_windows(struct manager *m, struct explain *x, char quiet[API_WINDOW_TEXT_BYTES],
	char paused[API_WINDOW_TEXT_BYTES])
{
	const struct conf_component *at =
		x->incident ? map_get(&m->conf->components, x->incident->component) : NULL;
	const struct conf_window *window;
	struct window_span span;

	window = at ? windows_quiet(
			      m->conf, at, x->check ? x->check->conf : NULL, clock_wall(), &span)
		    : NULL;
	if (window)
		x->quiet = api_window_text(window, &span, quiet);
	window = x->check && x->check->paused ? windows_paused(m->conf, x->check->conf->component,
							x->check->conf, clock_wall(), &span)
					      : NULL;
	if (window)
		x->paused = api_window_text(window, &span, paused);
}

static void explain_answer(struct request *request, struct explain *x)
{
	struct manager *m = request->api->manager;
	auto_json json_t *gates = NULL, *actions = policies_actions_to_json(m->policies);
	auto_json json_t *holds = NULL, *no = NULL;
	auto_json json_t *receivers = alert_receivers_to_json(m->alert);
	json_t *answer = json_object();
	char quiet[API_WINDOW_TEXT_BYTES], paused[API_WINDOW_TEXT_BYTES];

	if (x->incident)
		gates = policies_explain(m->policies, x->incident->id);
	x->gates = gates;
	x->actions = actions;
	x->n_receivers = m->conf->receivers.len;
	x->holds = holds = x->incident ? telling_holds(m, x->incident) : NULL;
	x->no = no = x->incident ? telling_gates(m, x->incident) : NULL;
	x->receivers = receivers;
	explain_windows(m, x, quiet, paused);
	(void)json_object_set_new(answer, "name", json_string(x->name));
	(void)json_object_set_new(answer, "because", explain_because(x));
	(void)json_object_set_new(
		answer, "check", x->check ? watch_check_to_json(x->check, true) : json_null());
	(void)json_object_set_new(answer, "incident",
		x->incident ? incident_to_json(x->incident, true) : json_null());
	(void)json_object_set(answer, "gates", gates ? gates : json_null());
	(void)json_object_set(answer, "holds", holds ? holds : json_null());
	(void)json_object_set(answer, "routing", no ? no : json_null());
	(void)json_object_set(answer, "actions", actions ? actions : json_null());
	(void)json_object_set_new(
		answer, "deliveries", x->deliveries ? json_deep_copy(x->deliveries) : json_array());
	request_json(request, 200, answer);
}

/* Time has passed: what was found may be gone, so it is looked for again. */
static void explain_on_deliveries(int r, json_t *rows, void *data)
{
	struct request *request = data;
	struct explain x = {.deliveries = rows, .deliveries_error = r};

	if (!request->server) {
		request_unref(request);
		return;
	}
	if (!explain_find(request, &x))
		request_fail(request, API_ERROR_NOT_FOUND, "'%s' is gone", request->subject);
	else
		explain_answer(request, &x);
	request_unref(request);
}

void api_get_explain(struct request *request)
{
	struct manager *m = request->api->manager;
	struct explain x = {0};
	int r;

	if (!explain_find(request, &x)) {
		request_fail(request, API_ERROR_NOT_FOUND,
			"'%s' is neither a check nor an incident that is open or recent",
			request->subject);
		return;
	}
	if (!x.incident) {
		explain_answer(request, &x);
		return;
	}
	r = alert_deliveries(m->alert, x.incident->id, NULL, EXPLAIN_DELIVERIES,
		explain_on_deliveries, request_ref(request));
	if (r < 0)
		explain_on_deliveries(r, NULL, request);
}
