/* SPDX-License-Identifier: MIT */
#include "watch/report_read.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"

/* A sender whose clock is a little ahead of ours is not from a time to come. */
#define EARLY_USEC (60 * USEC_PER_SEC)

static const enum tend_reason plain_reasons[] = {
	[TEND_STATE_OK] = TEND_REASON_OK,
	[TEND_STATE_WARNING] = TEND_REASON_REPORTED_WARNING,
	[TEND_STATE_CRITICAL] = TEND_REASON_REPORTED_CRITICAL,
	[TEND_STATE_UNKNOWN] = TEND_REASON_REPORTED_UNKNOWN,
};

usec_t report_age(const struct report *report, usec_t now)
{
	return report->aged + (now > report->at ? now - report->at : 0);
}

/* ---- verdict and metrics -------------------------------------------------------------------- */

int report_set_verdict(
	struct report *report, const char *state, const char *reason, struct tend_error *err)
{
	int s = tend_state_from_name(state), why;

	if (s < 0 || (size_t)s >= ARRAY_SIZE(plain_reasons))
		return tend_error_set(err, -EINVAL,
			"state: '%.40s' is not ok, warning, critical or unknown", state);
	report->state = (enum tend_state)s;
	report->reason = plain_reasons[s];
	if (!reason)
		return 0;
	why = tend_reason_from_name(reason);
	if (why < 0)
		return tend_error_set(err, -EINVAL,
			"reason: there is no reason '%.40s', leave it out or see tend-probes(7)",
			reason);
	if (tend_reason_verdict((enum tend_reason)why) != report->state)
		return tend_error_set(err, -EINVAL, "reason: '%s' means %s, not %s", reason,
			tend_state_name(tend_reason_verdict((enum tend_reason)why)), state);
	report->reason = (enum tend_reason)why;
	return 0;
}

static bool name_fits(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && !name[n] && n < sizeof(((struct report_metric *)0)->name);
}

static bool unit_fits(const char *unit)
{
	size_t n = strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%/");

	return !unit[n] && n < sizeof(((struct report_metric *)0)->unit);
}

static const char *unit_of(const char *name)
{
	if (str_endswith(name, "_seconds"))
		return "s";
	return str_endswith(name, "_bytes") ? "B" : "";
}

static bool has_metric(const struct report *report, const char *name)
{
	for (size_t i = 0; i < report->n_metrics; i++)
		if (strcmp(report->metrics[i].name, name) == 0)
			return true;
	return false;
}

static int add_metric(struct report *report, const char *name, const json_t *value,
	const char *unit, struct tend_error *err)
{
	struct report_metric *m = &report->metrics[report->n_metrics];

	if (report->n_metrics == REPORT_MAX_METRICS)
		return tend_error_set(err, -EINVAL,
			"metrics: more than %d metrics: make it two "
			"checks, or send those that are judged",
			REPORT_MAX_METRICS);
	if (!name || !name_fits(name) || !json_is_number(value) ||
		!isfinite(json_number_value(value)))
		return tend_error_set(err, -EINVAL,
			"metrics: metric '%.40s': a name of a-z, 0-9 and _ (at most %zu) and a "
			"number are wanted",
			name ? name : "", sizeof(m->name) - 1);
	if (unit && !unit_fits(unit))
		return tend_error_set(err, -EINVAL,
			"metrics: metric '%s': its unit has at most %zu letters, '%%' and '/', as "
			"in s, B, %%",
			name, sizeof(m->unit) - 1);
	if (has_metric(report, name))
		return tend_error_set(err, -EINVAL, "metrics: metric '%s' is there twice", name);
	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	(void)snprintf(m->unit, sizeof(m->unit), "%s", unit ? unit : unit_of(name));
	m->value = json_number_value(value);
	report->n_metrics++;
	return 0;
}

int report_set_metrics(struct report *report, const json_t *metrics, struct tend_error *err)
{
	const char *name;
	json_t *value;
	size_t i;
	int r = 0;

	if (metrics && !json_is_object(metrics) && !json_is_array(metrics))
		return tend_error_set(err, -EINVAL,
			"metrics: {\"NAME\": NUMBER, ...} or [{\"name\", \"value\", \"unit\"}, "
			"...] is wanted");
	json_object_foreach ((json_t *)(uintptr_t)metrics, name, value) {
		r = add_metric(report, name, value, NULL, err);
		if (r < 0)
			return r;
	}
	json_array_foreach (metrics, i, value) {
		r = add_metric(report, json_string_value(json_object_get(value, "name")),
			json_object_get(value, "value"),
			json_string_value(json_object_get(value, "unit")), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- a body --------------------------------------------------------------------------------- */

static int refuse_unknown(const json_t *doc, struct tend_error *err)
{
	static const char *const fields[] = {
		"state", "text", "metrics", "reason", "ttl", "observed_at"};
	const char *name, *nearest;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)doc, name, value) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			known |= strcmp(fields[i], name) == 0;
		if (known)
			continue;
		nearest = str_nearest(name, fields, ARRAY_SIZE(fields));
		return tend_error_set(err, -EINVAL,
			"%.40s: there is no such field%s%s; state, text, metrics, reason, ttl and "
			"observed_at are taken",
			name, nearest ? ", the nearest is " : "", nearest ? nearest : "");
	}
	return 0;
}

static bool span_of(const json_t *value, usec_t *ret_span)
{
	double seconds = json_number_value(value);

	if (json_is_string(value))
		return conf_parse_span(json_string_value(value), ret_span) == 0;
	/* A thousand years, so that it can be multiplied. */
	if (!json_is_number(value) || !(seconds >= 0) || seconds > 1000 * 366 * 86400.0)
		return false;
	*ret_span = (usec_t)(seconds * USEC_PER_SEC);
	return true;
}

static int read_ttl(const json_t *value, const struct report_frame *frame, struct tend_error *err,
	usec_t *ret_ttl)
{
	char given[CLOCK_TEXT_BYTES], most[CLOCK_TEXT_BYTES];
	usec_t ttl;

	if (!value)
		return 0;
	if (!frame->ttl)
		return tend_error_set(err, -EINVAL,
			"ttl: the check is a heartbeat, its `every' or `cron' says when the next "
			"report is due: leave it out");
	if (!span_of(value, &ttl))
		return tend_error_set(err, -EINVAL,
			"ttl: a span is wanted, as in \"90s\", \"26h\", or a number of seconds");
	if (ttl < REPORT_TTL_MIN_USEC)
		return tend_error_set(err, -EINVAL, "ttl: at least 1s is wanted");
	if (ttl > frame->ttl)
		return tend_error_set(err, -EINVAL,
			"ttl: %s is more than the check's own of %s: ask for less, or raise `ttl' "
			"in its [check]",
			clock_format_span(ttl, given), clock_format_span(frame->ttl, most));
	*ret_ttl = ttl;
	return 0;
}

/* RFC 3339 in UTC, or seconds since 1970. */
static bool time_of(const json_t *value, usec_t *ret_wall)
{
	double seconds = json_number_value(value);

	if (json_is_string(value))
		return clock_parse(json_string_value(value), ret_wall) == 0;
	if (!json_is_number(value) || !(seconds >= 0) || seconds > 1e11)
		return false;
	*ret_wall = (usec_t)(seconds * USEC_PER_SEC);
	return true;
}

static int read_observed(const json_t *value, const struct report_frame *frame,
	struct tend_error *err, struct report *report)
{
	usec_t ttl = report->ttl ? report->ttl : frame->ttl, at;
	char age[CLOCK_TEXT_BYTES], most[CLOCK_TEXT_BYTES];

	if (!value)
		return 0;
	if (!time_of(value, &at))
		return tend_error_set(err, -EINVAL,
			"observed_at: a time is wanted, as in \"2026-12-01T02:00:00Z\", or seconds "
			"since 1970");
	if (at > frame->wall + EARLY_USEC)
		return tend_error_set(err, -EINVAL,
			"observed_at: that is %s from now: the clock of the sender, or ours, is "
			"wrong",
			clock_format_span(at - frame->wall, age));
	/* 0 would be: none is wanted. */
	report->at_wall = MAX(MIN(at, frame->wall), (usec_t)1);
	report->aged = frame->wall - report->at_wall;
	if (ttl && report->aged > ttl)
		return tend_error_set(err, -EINVAL,
			"observed_at: that is %s ago, and a result is believed for %s: it says "
			"nothing of now",
			clock_format_span(report->aged, age), clock_format_span(ttl, most));
	return 0;
}

static int read_text(const json_t *value, struct tend_error *err, struct report *report)
{
	const char *text = json_string_value(value);

	if (value && !text)
		return tend_error_set(err, -EINVAL, "text: a text is wanted");
	if (!text || !*text)
		text = tend_reason_text(report->reason);
	str_sanitize(report->text, sizeof(report->text), text, strlen(text));
	return 0;
}

static int read_fields(const json_t *doc, const struct report_frame *frame, struct tend_error *err,
	struct report *report)
{
	const char *state = json_string_value(json_object_get(doc, "state"));
	const json_t *reason = json_object_get(doc, "reason");
	int r = refuse_unknown(doc, err);

	if (r < 0)
		return r;
	if (!state)
		return tend_error_set(
			err, -EINVAL, "state: one of ok, warning, critical and unknown is wanted");
	if (reason && !json_is_string(reason))
		return tend_error_set(err, -EINVAL, "reason: the name of a reason is wanted");
	r = report_set_verdict(report, state, json_string_value(reason), err);
	if (r == 0)
		r = read_text(json_object_get(doc, "text"), err, report);
	if (r == 0)
		r = report_set_metrics(report, json_object_get(doc, "metrics"), err);
	if (r == 0)
		r = read_ttl(json_object_get(doc, "ttl"), frame, err, &report->ttl);
	return r < 0 ? r : read_observed(json_object_get(doc, "observed_at"), frame, err, report);
}

int report_read(const char *body, size_t len, const struct report_frame *frame,
	struct tend_error *err, struct report *ret_report, bool *ret_observed)
{
	struct report report = {.at_wall = frame->wall, .at = frame->now, .signalled = frame->now};
	json_error_t error;
	auto_json json_t *doc = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!doc)
		return tend_error_set(
			err, -EINVAL, "the body is no JSON: line %d: %s", error.line, error.text);
	if (!json_is_object(doc))
		return tend_error_set(err, -EINVAL,
			"the body must be a JSON object, as in {\"state\":\"ok\",\"text\":\"42 "
			"rows\"}");
	r = read_fields(doc, frame, err, &report);
	if (r < 0)
		return r;
	*ret_observed = json_object_get(doc, "observed_at") != NULL;
	*ret_report = report;
	return 0;
}

/* ---- what is kept --------------------------------------------------------------------------- */

json_t *report_to_json(const struct report *report)
{
	json_t *metrics;

	if (!report || !report->at_wall)
		return NULL;
	metrics = json_array();
	for (size_t i = 0; metrics && i < report->n_metrics; i++)
		(void)json_array_append_new(metrics,
			json_pack("{s:s, s:f, s:s}", "name", report->metrics[i].name, "value",
				report->metrics[i].value, "unit", report->metrics[i].unit));
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "state",
		tend_state_name(report->state), "reason", tend_reason_name(report->reason), "text",
		report->text, "at", (json_int_t)report->at_wall, "started",
		(json_int_t)report->started_wall, "lost", (json_int_t)report->lost_wall, "runtime",
		(json_int_t)report->runtime, "resumed", (json_int_t)report->resumed_wall, "ttl",
		(json_int_t)report->ttl, "metrics", metrics);
}

void report_from_json(const json_t *doc, usec_t wall, usec_t now, struct report *ret_report)
{
	const char *state = json_string_value(json_object_get(doc, "state"));
	const char *reason = json_string_value(json_object_get(doc, "reason"));
	const char *text = json_string_value(json_object_get(doc, "text"));
	int s = state ? tend_state_from_name(state) : -ENOENT;
	int why = reason ? tend_reason_from_name(reason) : -ENOENT;
	struct report report = {.state = TEND_STATE_PENDING};

	*ret_report = report;
	if (s < 0 || why < 0)
		return;
	report.state = (enum tend_state)s;
	report.reason = (enum tend_reason)why;
	report.at_wall = (usec_t)json_integer_value(json_object_get(doc, "at"));
	report.at = report.signalled = now;
	/* One of a time to come ages from now on: its clock, or ours, was wrong. */
	report.aged = wall > report.at_wall ? wall - report.at_wall : 0;
	report.started_wall = (usec_t)json_integer_value(json_object_get(doc, "started"));
	report.lost_wall = (usec_t)json_integer_value(json_object_get(doc, "lost"));
	report.runtime = (usec_t)json_integer_value(json_object_get(doc, "runtime"));
	report.resumed_wall = (usec_t)json_integer_value(json_object_get(doc, "resumed"));
	report.ttl = (usec_t)json_integer_value(json_object_get(doc, "ttl"));
	(void)snprintf(report.text, sizeof(report.text), "%s", text ? text : "");
	(void)report_set_metrics(&report, json_object_get(doc, "metrics"), NULL);
	*ret_report = report;
}
