/* SPDX-License-Identifier: MIT */
/* Results that come from outside: kept with the check's state, served to the probe `passive`. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <tend/plugin.h>
#include "base/clock.h"
#include "watch/depend.h"
#include "watch/heartbeat.h"
#include "watch/private.h"

static const enum tend_reason plain_reasons[] = {
	[TEND_STATE_OK] = TEND_REASON_OK,
	[TEND_STATE_WARNING] = TEND_REASON_REPORTED_WARNING,
	[TEND_STATE_CRITICAL] = TEND_REASON_REPORTED_CRITICAL,
	[TEND_STATE_UNKNOWN] = TEND_REASON_REPORTED_UNKNOWN,
};

json_t *report_to_json(const struct report *report)
{
	json_t *metrics;

	if (!report || !report->at_wall)
		return NULL;
	metrics = json_object();
	for (size_t i = 0; metrics && i < report->n_metrics; i++)
		(void)json_object_set_new(
			metrics, report->metrics[i].name, json_real(report->metrics[i].value));
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "state",
		tend_state_name(report->state), "reason", tend_reason_name(report->reason), "text",
		report->text, "at", (json_int_t)report->at_wall, "started",
		(json_int_t)report->started_wall, "lost", (json_int_t)report->lost_wall, "runtime",
		(json_int_t)report->runtime, "resumed", (json_int_t)report->resumed_wall, "metrics",
		metrics);
}

usec_t report_age(const struct report *report, usec_t now)
{
	return report->aged + (now > report->at ? now - report->at : 0);
}

static bool metric_fits(const char *name, const json_t *value)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && !name[n] && n < sizeof(((struct report_metric *)0)->name) &&
	       json_is_number(value) && isfinite(json_number_value(value));
}

/* The unit is told by the end of the name, as everywhere. */
static const char *unit_of(const char *name)
{
	if (str_endswith(name, "_seconds"))
		return "s";
	return str_endswith(name, "_bytes") ? "B" : "";
}

static int take_metrics(struct report *report, const json_t *metrics, struct tend_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)metrics, name, value) {
		struct report_metric *m = &report->metrics[report->n_metrics];

		if (report->n_metrics == ARRAY_SIZE(report->metrics))
			return tend_error_set(
				err, -EINVAL, "more than %zu metrics", ARRAY_SIZE(report->metrics));
		if (!metric_fits(name, value))
			return tend_error_set(err, -EINVAL,
				"metric '%.40s': a name of a-z, 0-9 and _ and a number are wanted",
				name);
		(void)snprintf(m->name, sizeof(m->name), "%s", name);
		(void)snprintf(m->unit, sizeof(m->unit), "%s", unit_of(name));
		m->value = json_number_value(value);
		report->n_metrics++;
	}
	return 0;
}

void report_from_json(const json_t *doc, struct report *report)
{
	const char *state = json_string_value(json_object_get(doc, "state"));
	const char *reason = json_string_value(json_object_get(doc, "reason"));
	const char *text = json_string_value(json_object_get(doc, "text"));
	int s = state ? tend_state_from_name(state) : -ENOENT;
	int why = reason ? tend_reason_from_name(reason) : -ENOENT;
	usec_t wall = clock_wall();

	*report = (struct report){.state = TEND_STATE_PENDING};
	if (s < 0 || why < 0)
		return;
	report->state = (enum tend_state)s;
	report->reason = (enum tend_reason)why;
	report->at_wall = (usec_t)json_integer_value(json_object_get(doc, "at"));
	report->at = report->signalled = clock_now();
	/* One of a time to come ages from now on: its clock, or ours, was wrong. */
	report->aged = wall > report->at_wall ? wall - report->at_wall : 0;
	report->started_wall = (usec_t)json_integer_value(json_object_get(doc, "started"));
	report->lost_wall = (usec_t)json_integer_value(json_object_get(doc, "lost"));
	report->runtime = (usec_t)json_integer_value(json_object_get(doc, "runtime"));
	report->resumed_wall = (usec_t)json_integer_value(json_object_get(doc, "resumed"));
	(void)snprintf(report->text, sizeof(report->text), "%s", text ? text : "");
	(void)take_metrics(report, json_object_get(doc, "metrics"), NULL);
}

static bool wants_reports(const struct check *check)
{
	return strcmp(check->conf->probe->name, "passive") == 0;
}

int watch_await_report(struct check *check)
{
	if (!wants_reports(check) && check->conf->probe != &watch_reported_probe) {
		free(check->report);
		check->report = NULL;
		return 0;
	}
	if (!check->report)
		check->report = calloc(1, sizeof(*check->report));
	if (!check->report)
		return -ENOMEM;
	if (check->report->at_wall)
		return 0;
	/* From now on it is waited for: this too must outlive restarts, or a daemon that is started
	 * each day would wait for ever. */
	*check->report = (struct report){
		.state = TEND_STATE_PENDING, .at_wall = clock_wall(), .at = clock_now()};
	check->report->signalled = check->report->at;
	if (wants_reports(check))
		watch_save_state(check->watch, check);
	return 0;
}

const struct report *report_of(const struct check *check, struct report *into)
{
	struct report settled;

	if (check->conf->probe == &conf_group_probe) {
		group_report(check, into);
		return into;
	}
	if (!check->report)
		return NULL;
	if (check->event) {
		event_report(check->event, check->report, clock_now(), into);
		return into;
	}
	if (!check->conf->heartbeat)
		return check->report;
	heartbeat_settle(check->report, clock_wall(), clock_now(), &settled);
	heartbeat_report(check->conf, &settled, clock_wall(), into);
	return into;
}

void watch_reported(struct check *check)
{
	/* However soon after another: each is an observation of its own. */
	check->counted = 0;
	if (!check->paused)
		(void)watch_run_now(check->watch, check->conf->name, clock_now(), NULL, NULL);
}

void report_resumed(struct check *check)
{
	if (!check->report || !check->conf->heartbeat)
		return;
	check->report->resumed_wall = clock_wall();
	check->report->signalled = clock_now();
	watch_save_state(check->watch, check);
}

/* pending and unreachable are Tend's own to say. */
static int parse_verdict(
	const char *state, const char *reason, struct report *report, struct tend_error *err)
{
	int s = tend_state_from_name(state), why;

	if (s < 0 || (size_t)s >= ARRAY_SIZE(plain_reasons))
		return tend_error_set(err, -EINVAL,
			"state is '%.40s', not ok, warning, critical or unknown", state);
	report->state = (enum tend_state)s;
	report->reason = plain_reasons[s];
	if (!reason)
		return 0;
	why = tend_reason_from_name(reason);
	if (why < 0)
		return tend_error_set(err, -EINVAL, "there is no reason '%.40s'", reason);
	if (tend_reason_verdict((enum tend_reason)why) != report->state)
		return tend_error_set(err, -EINVAL, "the reason '%s' means %s, not %s", reason,
			tend_state_name(tend_reason_verdict((enum tend_reason)why)), state);
	report->reason = (enum tend_reason)why;
	return 0;
}

int watch_report(struct watch *watch, const char *check_name, const char *state, const char *reason,
	const char *text, const json_t *metrics, watch_run_fn fn, void *data,
	struct tend_error *err)
{
	struct check *check = watch_find_check(watch, check_name);
	struct report report = {.at_wall = clock_wall(), .at = clock_now()};
	int r;

	if (!check)
		return tend_error_set(err, -ENOENT, "there is no check '%.200s'", check_name);
	if (!wants_reports(check) || !check->report)
		return tend_error_set(err, -EINVAL,
			"%s asks for itself; only a check with probe = passive takes reports",
			check->conf->name);
	r = parse_verdict(state, reason, &report, err);
	if (r == 0)
		r = take_metrics(&report, metrics, err);
	if (r < 0)
		return r;
	str_sanitize(report.text, sizeof(report.text), text, strlen(text));
	*check->report = report;
	/* However soon after another: each is an observation of its own. */
	check->counted = 0;
	watch_save_state(watch, check);
	return watch_run_now(watch, check_name, clock_now(), fn, data);
}

void watch_clock_jumped(struct watch *watch)
{
	MAP_FOREACH (&watch->checks, struct check *, check)
		if (wants_reports(check))
			(void)watch_run_now(watch, check->conf->name, clock_now(), NULL, NULL);
}
