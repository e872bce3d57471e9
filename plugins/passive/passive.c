/* SPDX-License-Identifier: MIT */
/*
 * The passive probe: the state is reported by somebody else (POST /v1/checks/NAME/report, the verb
 * check.report, heartbeats), and only silence is found out here: no report within the time to live
 * is a failure of its own.
 */
#include <stdio.h>
#include <tend/plugin.h>

struct passive_conf {
	usec_t ttl;
};

#define SECONDS(n) ((double)(n)*1e6)

static const struct tend_option passive_options[] = {
	TEND_OPT(USEC, struct passive_conf, ttl, "ttl", "26h",
		"A report is believed for this long, or for less, if it says so; after that the "
		"check is critical with the reason report-missing, as it is when none has ever "
		"come. Found out when the check looks, each interval.",
		.min = SECONDS(1), .max = SECONDS(400 * 86400)),
	TEND_OPTION_END,
};

/* "2d3h", "26h5m", "40s": for a person the two largest units do. */
static const char *span_text(usec_t span, char buf[32])
{
	unsigned long long s = span / 1000000;

	if (s >= 86400)
		(void)snprintf(buf, 32, "%llud%lluh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		(void)snprintf(buf, 32, "%lluh%llum", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		(void)snprintf(buf, 32, "%llum%llus", s / 60, s % 60);
	else
		(void)snprintf(buf, 32, "%llus", s);
	return buf;
}

static int passive_start(struct tend_attempt *a, const void *conf)
{
	const struct passive_conf *c = conf;
	struct tend_report report;
	char age[32], ttl[32];
	usec_t believed;

	tend_report_get(a, &report);
	believed = report.ttl && report.ttl < c->ttl ? report.ttl : c->ttl;
	(void)tend_attempt_metric(a, "age_seconds", (double)report.age / 1e6, "s");
	(void)span_text(report.age, age);
	(void)span_text(believed, ttl);
	if (!report.judged && report.age > believed && report.state == TEND_STATE_PENDING)
		tend_attempt_finish(a, TEND_REASON_REPORT_MISSING,
			"nothing was ever reported, waited for %s", age);
	else if (!report.judged && report.age > believed)
		tend_attempt_finish(a, TEND_REASON_REPORT_MISSING,
			"the last report is %s old and was believed for %s; it said %s: %s", age,
			ttl, tend_state_name(report.state), report.text);
	else if (report.state == TEND_STATE_PENDING)
		tend_attempt_finish(a, TEND_REASON_REPORT_AWAITED, "waiting for the first report");
	else
		tend_attempt_finish(a, report.reason, "%s", report.text);
	return 0;
}

static const struct tend_metric_doc metric_docs[] = {
	TEND_METRIC("age_seconds", "s", "since the last report"),
	TEND_METRIC("METRIC", "", "each figure that was reported"),
	{0},
};

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_REPORTED_WARNING, "that was reported"},
	{TEND_REASON_REPORTED_CRITICAL, "that was reported, or a reason of its own"},
	{TEND_REASON_REPORTED_UNKNOWN, "that was reported"},
	{TEND_REASON_REPORT_MISSING, "nothing was reported within `ttl`"},
	{TEND_REASON_REPORT_AWAITED, "nothing was reported yet, and `ttl` is not over"},
	{TEND_REASON_JOB_STUCK, "of a heartbeat: a run was begun and does not end"},
	{0},
};

static const struct tend_probe passive_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "passive",
	.doc = "Takes what somebody else reports, and finds out when nothing is reported.",
	.options = passive_options,
	.conf_size = sizeof(struct passive_conf),
	.start = passive_start,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "ttl = 26h\n",
};
TEND_PROBE(passive, &passive_probe);
