/* SPDX-License-Identifier: MIT */
/* The antivirus probe: ClamAV on the component's machine. */
#include "antivirus.h"
#include <errno.h>

static const struct tend_option antivirus_options[] = {
	TEND_OPT(BOOL, struct antivirus_conf, daemon, "daemon", "yes",
		"clamd must answer; no: only its signatures are looked at."),
	TEND_OPT(STRING, struct antivirus_conf, socket, "socket", "/run/clamav/clamd.ctl",
		"clamd's socket."),
	TEND_OPT(STRING, struct antivirus_conf, folder, "folder", "/var/lib/clamav",
		"Where the signatures lie."),
	TEND_OPT(USEC, struct antivirus_conf, max_age, "max_age", "3d",
		"The newest signatures must not be older.", .min = 1e6, .max = 3.2e15, .unit = "s"),
	TEND_OPT(BOOL, struct antivirus_conf, test, "test", "no",
		"clamd must find the test file of all scanners (EICAR) in what it is sent."),
	TEND_OPTION_END,
};

static int antivirus_check(void *conf, struct tend_error *err)
{
	const struct antivirus_conf *c = conf;

	if (c->socket[0] != '/' || c->folder[0] != '/')
		return tend_error_set(err, -EINVAL, "socket and folder are absolute paths");
	if (c->test && !c->daemon)
		return tend_error_set(err, -EINVAL, "test = yes needs daemon = yes");
	return 0;
}

static const struct machine_probe antivirus_machine = {
	.kind = "antivirus",
	.missing = TEND_REASON_FILE_MISSING,
	.judge = antivirus_judge,
};

static int antivirus_start(struct tend_attempt *a, const void *conf)
{
	const struct antivirus_conf *c = conf;
	usec_t time = tend_attempt_deadline(a) - tend_attempt_started(a);

	/* A daemon that hangs is told as that, before the look itself is ended. */
	return machine_start(a, conf, &antivirus_machine,
		json_pack("{s:s, s:s, s:b, s:I}", "socket", c->socket, "folder", c->folder, "test",
			c->test, "wait_msec", (json_int_t)(time * 7 / 10 / USEC_PER_MSEC)));
}

static const struct tend_metric_doc antivirus_metric_docs[] = {
	TEND_METRIC("signatures", "", "of all files"),
	TEND_METRIC("signatures_age", "s", "of the newest file"),
	{0},
};

static const struct tend_reason_doc antivirus_reason_docs[] = {
	{TEND_REASON_CONNECT_REFUSED, "clamd does not run"},
	{TEND_REASON_CONNECT_FAILED, "clamd cannot be asked"},
	{TEND_REASON_TOO_SLOW, "it does not answer"},
	{TEND_REASON_PROTOCOL, "what answers is not clamd"},
	{TEND_REASON_CONTENT_UNEXPECTED, "it does not find the test file"},
	{TEND_REASON_STALE, "the signatures are old"},
	{TEND_REASON_FILE_MISSING, "there are none"},
	{TEND_REASON_ACCESS_DENIED, "its socket or the signatures may not be opened"},
	MACHINE_REASONS,
	{0},
};

static size_t antivirus_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(antivirus_metric_docs, ret_names);
}

static const struct tend_probe antivirus_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "antivirus",
	.doc = "Asks ClamAV: the daemon, the age of its signatures, whether it finds anything.",
	.options = antivirus_options,
	.conf_size = sizeof(struct antivirus_conf),
	.check = antivirus_check,
	.start = antivirus_start,
	.metrics = antivirus_metrics,
	.metric_docs = antivirus_metric_docs,
	.reason_docs = antivirus_reason_docs,
	.example = "max_age = 3d\ntest = yes\n",
};
TEND_PROBE(antivirus, &antivirus_probe);
