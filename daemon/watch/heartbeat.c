/* SPDX-License-Identifier: MIT */
#include "watch/heartbeat.h"
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "watch/private.h"
#include "watch/report_read.h"

/* A job whose clock is a little ahead of ours is not the one before, that came a day late. */
#define EARLY_USEC (60 * USEC_PER_SEC)

const char *const heartbeat_state_names[HEARTBEAT_STATE_MAX + 1] = {
	[HEARTBEAT_WAITING] = "waiting",
	[HEARTBEAT_WELL] = "well",
	[HEARTBEAT_RUNNING] = "running",
	[HEARTBEAT_FAILED] = "failed",
	[HEARTBEAT_LATE] = "late",
	[HEARTBEAT_STUCK] = "stuck",
};
const char *const heartbeat_signal_names[HEARTBEAT_SIGNAL_MAX + 1] = {
	[HEARTBEAT_OK] = "ok",
	[HEARTBEAT_START] = "start",
	[HEARTBEAT_FAIL] = "fail",
};

/* ---- what silence means --------------------------------------------------------------------- */

static usec_t add_spans(usec_t at, usec_t span)
{
	return at > USEC_INFINITY - span ? USEC_INFINITY : at + span;
}

/* The latest moment for the report after one at `at`. */
static usec_t latest_after(const struct conf_check *conf, const struct report *report, usec_t at)
{
	const struct conf_heartbeat *h = conf->heartbeat;
	usec_t due = h->zone ? cron_next(&h->cron, h->zone, at + MIN(conf->grace, EARLY_USEC))
			     : add_spans(at, conf->every);

	due = add_spans(due, conf->grace);
	/* What a window kept from being looked at has the grace anew. */
	return report->resumed_wall ? MAX(due, add_spans(report->resumed_wall, conf->grace)) : due;
}

static usec_t not_to_come(usec_t stamp, usec_t wall, usec_t age)
{
	return stamp <= wall ? stamp : wall - MIN(age, wall - 1);
}

void heartbeat_settle(
	const struct report *report, usec_t wall, usec_t now, struct report *ret_report)
{
	usec_t since = now > report->signalled ? now - report->signalled : 0;

	*ret_report = *report;
	ret_report->at_wall = not_to_come(report->at_wall, wall, report_age(report, now));
	ret_report->started_wall = not_to_come(report->started_wall, wall, since);
	ret_report->lost_wall = not_to_come(report->lost_wall, wall, since);
	ret_report->resumed_wall = not_to_come(report->resumed_wall, wall, since);
}

/* Until when a run must have ended. */
static usec_t end_of_run(const struct conf_check *conf, const struct report *report)
{
	usec_t started = report->lost_wall ? report->lost_wall : report->started_wall;
	usec_t next = latest_after(conf, report, started);
	usec_t longest = conf->max_runtime ? add_spans(started, conf->max_runtime) : next;

	/* A job that dies each time begins anew each time: that is no news of an end. */
	return report->lost_wall ? MIN(next, longest) : longest;
}

enum heartbeat_state heartbeat_judge(const struct conf_check *conf, const struct report *report,
	usec_t wall, usec_t *ret_deadline)
{
	usec_t deadline;

	if (report->started_wall) {
		deadline = end_of_run(conf, report);
		*ret_deadline = deadline;
		return wall > deadline ? HEARTBEAT_STUCK : HEARTBEAT_RUNNING;
	}
	deadline = latest_after(conf, report, report->at_wall);
	*ret_deadline = deadline;
	if (wall > deadline)
		return HEARTBEAT_LATE;
	if (report->state == TEND_STATE_PENDING)
		return HEARTBEAT_WAITING;
	return report->state == TEND_STATE_OK ? HEARTBEAT_WELL : HEARTBEAT_FAILED;
}

static void say_late(const struct conf_check *conf, const struct report *report, usec_t wall,
	usec_t deadline, struct report *into)
{
	char due[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];

	into->reason = TEND_REASON_REPORT_MISSING;
	if (report->state == TEND_STATE_PENDING)
		(void)snprintf(into->text, sizeof(into->text),
			"nothing was ever reported, it was due by %s", clock_format(deadline, due));
	else
		(void)snprintf(into->text, sizeof(into->text),
			"late: due by %s, the last report was at %s and said %s: %.200s",
			clock_format(deadline, due), clock_format(report->at_wall, last),
			tend_state_name(report->state), report->text);
}

void heartbeat_report(const struct conf_check *conf, const struct report *report, usec_t wall,
	struct report *ret_report)
{
	usec_t deadline;
	enum heartbeat_state state = heartbeat_judge(conf, report, wall, &deadline);
	char since[CLOCK_TEXT_BYTES], limit[CLOCK_TEXT_BYTES];
	struct report said = *report;

	said.judged = true;
	if (state == HEARTBEAT_LATE || state == HEARTBEAT_STUCK)
		said.state = TEND_STATE_CRITICAL;
	if (state == HEARTBEAT_LATE) {
		say_late(conf, report, wall, deadline, &said);
	} else if (state == HEARTBEAT_STUCK) {
		said.reason = TEND_REASON_JOB_STUCK;
		(void)snprintf(said.text, sizeof(said.text),
			report->lost_wall ? "stuck: it began at %s, and again since, and has not "
					    "ended by %s"
					  : "stuck: it began at %s and has not ended by %s",
			clock_format(report->lost_wall ? report->lost_wall : report->started_wall,
				since),
			clock_format(deadline, limit));
	} else if (state == HEARTBEAT_RUNNING && report->state != TEND_STATE_PENDING) {
		(void)snprintf(said.text, sizeof(said.text),
			"runs since %s; the last one said %s: %.300s",
			clock_format(report->started_wall, since), tend_state_name(report->state),
			report->text);
	}
	*ret_report = said;
}

/* ---- what is reported ----------------------------------------------------------------------- */

struct check *watch_find_heartbeat(const struct watch *w, const char *token)
{
	struct check *found = NULL;

	MAP_FOREACH (&w->checks, struct check *, check)
		if (check->conf->heartbeat && check->report &&
			str_equal_secret(token, check->conf->heartbeat_token))
			found = check;
	return found;
}

static void take_signal(struct report *report, enum heartbeat_signal signal, const char *text,
	size_t len, usec_t wall)
{
	report->resumed_wall = 0;
	report->signalled = clock_now();
	if (signal == HEARTBEAT_START) {
		if (!report->lost_wall)
			report->lost_wall = report->started_wall;
		report->started_wall = wall;
		return;
	}
	report->runtime = report->started_wall && wall > report->started_wall
				  ? wall - report->started_wall
				  : 0;
	report->started_wall = 0;
	report->lost_wall = 0;
	report->at_wall = wall;
	report->at = report->signalled;
	report->aged = 0;
	report->state = signal == HEARTBEAT_OK ? TEND_STATE_OK : TEND_STATE_CRITICAL;
	report->reason = signal == HEARTBEAT_OK ? TEND_REASON_OK : TEND_REASON_REPORTED_CRITICAL;
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	str_sanitize(report->text, sizeof(report->text), text, len);
	if (!report->text[0])
		(void)snprintf(report->text, sizeof(report->text), "%s",
			signal == HEARTBEAT_OK ? "the job is done" : "the job says it failed");
}

void watch_heartbeat(struct watch *watch, struct check *check, enum heartbeat_signal signal,
	const char *text, size_t len)
{
	take_signal(check->report, signal, text, len, clock_wall());
	log_info("check '%s': its job reports %s", check->conf->name,
		heartbeat_signal_names[signal]);
	watch_save_state(watch, check);
	watch_reported(check);
}

/* ---- views ---------------------------------------------------------------------------------- */

static json_t *to_json(const struct check *check)
{
	const struct conf_check *conf = check->conf;
	struct report settled;
	const struct report *report = &settled;
	bool ever = check->report->state != TEND_STATE_PENDING;
	char every[CLOCK_TEXT_BYTES];
	enum heartbeat_state state;
	usec_t deadline;

	heartbeat_settle(check->report, clock_wall(), clock_now(), &settled);
	state = heartbeat_judge(conf, report, clock_wall(), &deadline);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "check", conf->name,
		"component", conf->component->name, "state", heartbeat_state_names[state], "text",
		ever ? report->text : "", "expected",
		conf->cron_text ? conf->cron_text : clock_format_span(conf->every, every), "last",
		ever ? clock_to_json(report->at_wall) : json_null(), "started",
		report->started_wall ? clock_to_json(report->started_wall) : json_null(),
		"deadline", deadline == USEC_INFINITY ? json_null() : clock_to_json(deadline),
		"runtime_seconds",
		report->runtime ? json_real((double)report->runtime / USEC_PER_SEC) : json_null());
}

json_t *watch_heartbeats_to_json(const struct watch *watch)
{
	json_t *list = json_array();

	MAP_FOREACH (&watch->checks, const struct check *, check)
		if (check->conf->heartbeat && check->report)
			(void)json_array_append_new(list, to_json(check));
	return list;
}
