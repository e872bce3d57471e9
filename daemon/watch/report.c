/* SPDX-License-Identifier: MIT */
/* Results that come from outside: kept with the check's state, served to the probe `passive`. */
#include <errno.h>
#include <string.h>
#include <tend/plugin.h>
#include "base/clock.h"
#include "watch/depend.h"
#include "watch/heartbeat.h"
#include "watch/private.h"
#include "watch/report_read.h"

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

usec_t watch_report_ttl(const struct check *check)
{
	const struct conf_check *conf = check->conf;

	if (conf->heartbeat || !wants_reports(check))
		return 0;
	for (const struct tend_option *row = conf->probe->options; row->name; row++)
		if (strcmp(row->name, "ttl") == 0 && row->type == TEND_OPT_USEC)
			return *(const usec_t *)((const char *)conf->probe_conf + row->offset);
	return 0;
}

static int refuse_active(const struct check *check, struct tend_error *err)
{
	if (wants_reports(check) && check->report)
		return 0;
	return tend_error_set(err, -EINVAL,
		"%s asks for itself; only a check with probe = passive takes reports",
		check->conf->name);
}

static void keep_report(struct check *check, const struct report *report)
{
	*check->report = *report;
	check->counted = 0;
	watch_save_state(check->watch, check);
}

int watch_take_report(
	struct check *check, const struct report *report, bool observed, struct tend_error *err)
{
	char at[CLOCK_TEXT_BYTES];
	usec_t now = clock_now();
	int r = refuse_active(check, err);

	if (r < 0)
		return r;
	/* What waited somewhere and comes after a later one is no news. */
	if (observed && check->report->state != TEND_STATE_PENDING &&
		report_age(report, now) > report_age(check->report, now))
		return tend_error_set(err, -EEXIST,
			"observed_at: a later result, of %s, is there already",
			clock_format(check->report->at_wall, at));
	keep_report(check, report);
	watch_reported(check);
	return 0;
}

int watch_report(struct watch *watch, const char *check_name, const char *state, const char *reason,
	const char *text, const json_t *metrics, watch_run_fn fn, void *data,
	struct tend_error *err)
{
	struct check *check = watch_find_check(watch, check_name);
	usec_t now = clock_now();
	struct report report = {.at_wall = clock_wall(), .at = now, .signalled = now};
	int r;

	if (!check)
		return tend_error_set(err, -ENOENT, "there is no check '%.200s'", check_name);
	r = refuse_active(check, err);
	if (r == 0)
		r = report_set_verdict(&report, state, reason, err);
	if (r == 0)
		r = report_set_metrics(&report, metrics, err);
	if (r < 0)
		return r;
	str_sanitize(report.text, sizeof(report.text), text, strlen(text));
	keep_report(check, &report);
	return watch_run_now(watch, check_name, now, fn, data);
}

void watch_clock_jumped(struct watch *watch)
{
	MAP_FOREACH (&watch->checks, struct check *, check)
		if (wants_reports(check))
			(void)watch_run_now(watch, check->conf->name, clock_now(), NULL, NULL);
}
