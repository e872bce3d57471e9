/* SPDX-License-Identifier: MIT */
/* The timer probe: a systemd timer of the component's machine, and the service that it starts. */
#include "timer.h"
#include <errno.h>
#include <string.h>

static const struct tend_option timer_options[] = {
	TEND_OPT(STRING, struct timer_conf, timer, "timer", NULL,
		"Name of the timer with its suffix, as in backup.timer.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(USEC, struct timer_conf, max_age, "max_age", "0",
		"Its service must have succeeded within this time; 0: at any time.", .max = 3.2e15,
		.unit = "s"),
	TEND_OPT(USEC, struct timer_conf, max_run, "max_run", "0",
		"A run may take so long; 0: any time.", .max = 3.2e15, .unit = "s"),
	TEND_OPT(USEC, struct timer_conf, late, "late", "5m",
		"So much later than it was due it may begin.", .max = 3.2e15, .unit = "s"),
	TEND_OPTION_END,
};

static int timer_check(void *conf, struct tend_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	const struct timer_conf *c = conf;
	size_t n = strlen(c->timer);

	if (n < 7 || n > 255 || strcmp(c->timer + n - 6, ".timer") != 0 ||
		strspn(c->timer, allowed) != n)
		return tend_error_set(err, -EINVAL,
			"timer: '%s' is no name of a timer; it ends with .timer", c->timer);
	return 0;
}

static const struct machine_probe timer_machine = {
	.kind = "timer",
	.missing = TEND_REASON_UNIT_MISSING,
	.judge = timer_judge,
};

static int timer_start(struct tend_attempt *a, const void *conf)
{
	const struct timer_conf *c = conf;
	usec_t left = tend_attempt_deadline(a) - tend_attempt_started(a);

	/* Less than all, so that a systemd that is still is told from a look that is. */
	return machine_start(a, conf, &timer_machine,
		json_pack("{s:s, s:I}", "timer", c->timer, "time_msec",
			(json_int_t)(left * 3 / 4 / USEC_PER_MSEC)));
}

static const struct tend_metric_doc timer_metric_docs[] = {
	TEND_METRIC("next_in", "s", "until its next run"),
	TEND_METRIC("run_time", "s", "of the run that goes on, or the last one"),
	TEND_METRIC("since_run", "s", "since its last run"),
	TEND_METRIC("since_success", "s", "since its last success, remembered over boots"),
	{0},
};

static const struct tend_reason_doc timer_reason_docs[] = {
	{TEND_REASON_UNIT_MISSING, "there is no such timer, or not what it starts"},
	{TEND_REASON_UNIT_INACTIVE, "the timer is not started: nothing will run"},
	{TEND_REASON_UNIT_STOPPED, "it is masked"},
	{TEND_REASON_UNIT_FAILED, "the last run failed; the timer cannot be loaded"},
	{TEND_REASON_JOB_STUCK, "a run takes longer than `max_run'"},
	{TEND_REASON_STALE, "the last success is older than `max_age'"},
	{TEND_REASON_NOT_RUN, "it was due and did not run, or has no next run"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	{TEND_REASON_NO_EVIDENCE, "systemd does not answer, or nobody can be asked"},
	{TEND_REASON_PROGRAM_FAILED, "there is no tend-look, or of another version"},
	{TEND_REASON_SPAWN_LOST, "tend-spawn ended meanwhile"},
	{0},
};

static size_t timer_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(timer_metric_docs, ret_names);
}

static const struct tend_probe timer_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "timer",
	.doc = "Looks at a systemd timer: last success, next run, whether it hangs.",
	.options = timer_options,
	.conf_size = sizeof(struct timer_conf),
	.check = timer_check,
	.start = timer_start,
	.metrics = timer_metrics,
	.metric_docs = timer_metric_docs,
	.reason_docs = timer_reason_docs,
	.example = "timer = backup.timer\nmax_age = 26h\nmax_run = 2h\n",
};
TEND_PROBE(timer, &timer_probe);
