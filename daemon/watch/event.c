/* SPDX-License-Identifier: MIT */
#include "watch/event.h"
#include <errno.h>
#include <string.h>
#include <tend/plugin.h>
#include "base/clock.h"
#include "base/log.h"
#include "conf/options.h"
#include "conf/rows.h"
#include "watch/private.h"
#include "watch/report_read.h"

/* One that is over is shown for a while, and comes back as the same if it does soon. */
#define LINGER_USEC (10 * 60 * USEC_PER_SEC)

/* Says what the report says; who judges its age is report_of(). */
static int reported_start(struct tend_attempt *a, const void *conf)
{
	struct tend_report report;

	tend_report_get(a, &report);
	tend_attempt_finish(a, report.reason, "%s", report.text);
	return 0;
}

const struct tend_probe watch_reported_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "event",
	.doc = "What another system pushed in.",
	.options = (const struct tend_option[]){TEND_OPTION_END},
	.start = reported_start,
};

/* ---- the life of one ------------------------------------------------------------------------ */

static char *name_of(const char *component, const char *source, const char *fingerprint)
{
	return *fingerprint ? str_printf("%s/%s-%s", component, source, fingerprint)
			    : str_printf("%s/%s", component, source);
}

static struct event *event_free(struct event *event)
{
	if (!event)
		return NULL;
	conf_options_free(conf_check_rows, &event->conf);
	free(event->conf.name);
	free(event->conf.short_name);
	json_decref(event->labels);
	free(event);
	return NULL;
}

static struct event *event_new(const char *component, const char *source, const char *fingerprint)
{
	struct event *event = calloc(1, sizeof(*event));
	struct conf_check *conf = event ? &event->conf : NULL;

	if (!event || conf_options_init(conf_check_rows, conf, NULL) < 0)
		return event_free(event);
	(void)snprintf(event->source, sizeof(event->source), "%s", source);
	(void)snprintf(event->fingerprint, sizeof(event->fingerprint), "%s", fingerprint);
	conf->name = name_of(component, source, fingerprint);
	conf->short_name = conf->name ? strdup(conf->name + strlen(component) + 1) : NULL;
	free(conf->probe_name);
	conf->probe_name = strdup(watch_reported_probe.name);
	conf->probe = &watch_reported_probe;
	conf->confirm_failures = conf->confirm_window = 1;
	if (!conf->short_name || !conf->probe_name)
		return event_free(event);
	return event;
}

static bool source_is_there(const struct conf *conf, const char *source)
{
	return strcmp(source, EVENT_SOURCE_FEEDBACK) == 0 || map_get(&conf->sources, source);
}

bool event_place(struct event *event, const struct conf *conf)
{
	size_t n = strlen(event->conf.name) - strlen(event->conf.short_name) - 1;
	auto_free char *name = strndup(event->conf.name, n);

	event->conf.component = name ? map_get(&conf->components, name) : NULL;
	return event->conf.component && source_is_there(conf, event->source);
}

void events_restore(struct watch *w)
{
	const char *name;
	json_t *doc;

	json_object_foreach (w->restored, name, doc) {
		const json_t *kept = json_object_get(doc, "event");
		const char *source = json_string_value(json_object_get(kept, "source"));
		const char *fingerprint = json_string_value(json_object_get(kept, "fingerprint"));
		const char *end = strrchr(name, '/');
		auto_free char *component = end ? strndup(name, (size_t)(end - name)) : NULL;
		struct event *event =
			source && fingerprint && component && w->events.len < 2 * EVENT_MAX
				? event_new(component, source, fingerprint)
				: NULL;

		if (!event)
			continue;
		event->ttl = (usec_t)json_integer_value(json_object_get(kept, "ttl"));
		event->labels = json_incref(json_object_get(kept, "labels"));
		if (vec_push(&w->events, event) < 0)
			event_free(event);
	}
}

void event_drop(struct watch *w, struct event *event)
{
	for (size_t i = 0; i < w->events.len; i++)
		if (w->events.items[i] == event) {
			vec_remove(&w->events, i);
			break;
		}
	event_free(event);
}

json_t *event_to_json(const struct event *event)
{
	return event ? json_pack("{s:s, s:s, s:I, s:O*}", "source", event->source, "fingerprint",
			       event->fingerprint, "ttl", (json_int_t)event->ttl, "labels",
			       event->labels)
		     : NULL;
}

static bool is_idle(const struct check *check)
{
	return check->event && !check->attempt && !check->waiters && !check->locate &&
	       check->state.hard == TEND_STATE_OK && check->state.now == TEND_STATE_OK;
}

bool event_is_over(const struct check *check)
{
	return is_idle(check) && check->state.hard_since_wall + LINGER_USEC < clock_wall();
}

void event_report(const struct event *event, const struct report *report, usec_t now,
	struct report *ret_report)
{
	char span[CLOCK_TEXT_BYTES];

	*ret_report = *report;
	ret_report->judged = true;
	if (!state_failed(report->state) || report_age(report, now) < event->ttl)
		return;
	ret_report->state = TEND_STATE_OK;
	ret_report->reason = TEND_REASON_OK;
	(void)snprintf(ret_report->text, sizeof(ret_report->text),
		"not said again for %s, so it is taken to be over; it was: %.300s",
		clock_format_span(event->ttl, span), report->text);
}

/* ---- what comes in -------------------------------------------------------------------------- */

struct check *watch_find_event(
	struct watch *watch, const char *component, const char *source, const char *fingerprint)
{
	auto_free char *name = name_of(component, source, fingerprint);
	struct check *check = name ? watch_find_check(watch, name) : NULL;

	return check && check->event ? check : NULL;
}

const json_t *watch_event_labels(const struct check *check)
{
	return check->event ? check->event->labels : NULL;
}

static bool event_stands(const struct event *event)
{
	return event->check && event->check->report && state_failed(event->check->report->state);
}

size_t watch_n_events(const struct watch *watch, const char *source)
{
	size_t n = 0;

	VEC_FOREACH (&watch->events, const struct event *, event)
		n += event_stands(event) && strcmp(event->source, source) == 0;
	return n;
}

/* ---- how many ------------------------------------------------------------------------------- */

static size_t n_kept(const struct watch *w, const char *source)
{
	size_t n = 0;

	VEC_FOREACH (&w->events, const struct event *, event)
		n += strcmp(event->source, source) == 0;
	return n;
}

/* What is kept for a source whether it needs it or not. */
static size_t reserve_of(const struct watch *w, size_t wanted)
{
	return MIN(wanted, EVENT_MAX / (w->conf->sources.len + 1));
}

/* Of what nobody else is sure to have anybody may take more. Right after a source is new the others
 * may have its part as well: then there are more in all for a while, never twice as many. */
static bool has_room(const struct watch *w, const char *source)
{
	bool is_feedback = strcmp(source, EVENT_SOURCE_FEEDBACK) == 0;
	size_t feedback = reserve_of(w, w->conf->components.len), n, all = w->events.len;

	n = n_kept(w, EVENT_SOURCE_FEEDBACK);
	if (is_feedback && n < feedback)
		return true;
	if (!is_feedback && n < feedback)
		all += feedback - n;
	MAP_FOREACH (&w->conf->sources, const struct conf_source *, other) {
		size_t reserve = reserve_of(w, (size_t)other->max);
		bool mine = strcmp(other->name, source) == 0;

		n = n_kept(w, other->name);
		if (mine && n < reserve)
			return true;
		if (!mine && n < reserve)
			all += reserve - n;
	}
	return all < EVENT_MAX;
}

/* One of its own that is over and only shown gives way. */
static bool make_room(struct watch *w, const char *source)
{
	VEC_FOREACH (&w->events, const struct event *, event)
		if (event->check && is_idle(event->check) && !event_stands(event) &&
			strcmp(event->source, source) == 0) {
			watch_remove_event(w, event->check);
			return true;
		}
	return false;
}

static int admit(struct watch *w, const struct event_in *in, struct tend_error *err)
{
	size_t n = watch_n_events(w, in->source);

	if (n >= (size_t)in->max)
		return tend_error_set(err, -ENOBUFS,
			"%zu events of the source '%s' stand, more are not taken ([source] max)", n,
			in->source);
	if (!has_room(w, in->source) && !make_room(w, in->source))
		return tend_error_set(err, -ENOBUFS,
			"%zu events of the source '%s' stand, and all sources together have %d", n,
			in->source, EVENT_MAX);
	return 0;
}

/* ---- one more, or one less ------------------------------------------------------------------ */

static int make_check(struct watch *w, const struct event_in *in, struct tend_error *err,
	struct check **ret_check)
{
	struct event *event;
	int r = admit(w, in, err);

	if (r < 0)
		return r;
	event = event_new(in->component->name, in->source, in->fingerprint);
	if (!event)
		return -ENOMEM;
	if (map_get(&w->checks, event->conf.name)) {
		r = tend_error_set(err, -EEXIST, "there is a configured check of the name %s",
			event->conf.name);
		event_free(event);
		return r;
	}
	if (!event_place(event, w->conf) || vec_push(&w->events, event) < 0) {
		event_free(event);
		return -ENOMEM;
	}
	return watch_add_event(w, event, ret_check);
}

static void take_report(struct check *check, const struct event_in *in, bool *ret_new)
{
	static const enum tend_reason reasons[] = {
		[TEND_STATE_OK] = TEND_REASON_OK,
		[TEND_STATE_WARNING] = TEND_REASON_REPORTED_WARNING,
		[TEND_STATE_CRITICAL] = TEND_REASON_REPORTED_CRITICAL,
		[TEND_STATE_UNKNOWN] = TEND_REASON_REPORTED_UNKNOWN,
	};
	struct report said = {
		.state = in->state,
		.reason = reasons[in->state],
		.at_wall = clock_wall(),
		.at = clock_now(),
	};

	str_sanitize(said.text, sizeof(said.text), in->text, strlen(in->text));
	if (in->count > 0) {
		said.n_metrics = 1;
		(void)snprintf(said.metrics[0].name, sizeof(said.metrics[0].name), "%s", "reports");
		said.metrics[0].value = in->count;
	}
	/* Or it was taken to be over meanwhile. */
	*ret_new = said.state != check->report->state || said.state != check->state.now ||
		   strcmp(said.text, check->report->text) != 0;
	*check->report = said;
}

static int take_event(struct check *check, const struct event_in *in, struct store_batch *batch)
{
	bool is_new;

	check->event->ttl = in->ttl;
	/* That it is over is told to whom it was told that it is there. */
	if (in->state != TEND_STATE_OK) {
		json_decref(check->event->labels);
		check->event->labels = json_incref(in->labels);
	}
	take_report(check, in, &is_new);
	if (is_new)
		watch_reported(check);
	return watch_put_state(check, batch);
}

/* The same event is about another component now: the mapping has changed, or what it says. True:
 * one was. */
static bool end_elsewhere(struct watch *w, const struct event_in *in, struct store_batch *batch)
{
	bool found = false;

	if (!*in->fingerprint)
		return false;
	VEC_FOREACH (&w->events, const struct event *, event) {
		struct event_in over = *in;

		if (strcmp(event->fingerprint, in->fingerprint) != 0 || !event_stands(event) ||
			event->conf.component == in->component ||
			strcmp(event->source, in->source) != 0)
			continue;
		over.component = event->conf.component;
		over.state = TEND_STATE_OK;
		if (in->state != TEND_STATE_OK)
			over.text = "it is about another component now";
		(void)take_event(event->check, &over, batch);
		found = true;
	}
	return found;
}

int watch_event(struct watch *watch, const struct event_in *in, struct store_batch *batch,
	struct check **ret_check, struct tend_error *err)
{
	struct check *check = in->component ? watch_find_event(watch, in->component->name,
						      in->source, in->fingerprint)
					    : NULL;
	bool elsewhere;
	int r = 0;

	*ret_check = NULL;
	if (!in->component && in->state != TEND_STATE_OK)
		return -ENOENT;
	elsewhere = end_elsewhere(watch, in, batch);
	if (!in->component)
		return elsewhere ? 0 : -ENOENT;
	if (!check && in->state == TEND_STATE_OK)
		return 0;
	if (!check)
		r = make_check(watch, in, err, &check);
	if (r < 0)
		return r;
	*ret_check = check;
	return take_event(check, in, batch);
}
