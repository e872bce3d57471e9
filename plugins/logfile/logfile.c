/* SPDX-License-Identifier: MIT */
/*
 * The logfile probe: what a log file of the component's machine got since the last look, over
 * rotations. Where that ended is remembered, so that nothing is missed or counted twice.
 */
#include <errno.h>
#include "../machine/sift.h"

struct logfile_conf {
	char *path;
	struct sift_conf sift;
};

static const struct tend_option logfile_options[] = {
	TEND_OPT(STRING, struct logfile_conf, path, "path", NULL,
		"Absolute path of the file; what it was rotated to lies beside it.",
		.flags = TEND_OPTION_REQUIRED),
	SIFT_OPTIONS(struct logfile_conf, sift),
	TEND_OPTION_END,
};

static int logfile_check(void *conf, struct tend_error *err)
{
	const struct logfile_conf *c = conf;

	if (c->path[0] != '/')
		return tend_error_set(err, -EINVAL, "path: '%s' is no absolute path", c->path);
	return sift_check(&c->sift, err);
}

static void logfile_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct logfile_conf *c = conf;
	json_t *position = json_object_get(doc, "position");

	sift_judge(&c->sift, doc, memory, !json_object_get(memory, "position"), ret_verdict);
	if (json_is_object(position))
		(void)json_object_set(ret_verdict->memory, "position", position);
	verdict_metric(ret_verdict, "missed", NULL, doc_flag(doc, "gap"), "");
}

static const struct machine_probe logfile_machine = {
	.kind = "logfile",
	.missing = TEND_REASON_FILE_MISSING,
	.judge = logfile_judge,
};

static int logfile_start(struct tend_attempt *a, const void *conf)
{
	const struct logfile_conf *c = conf;
	const json_t *memory = tend_attempt_memory(a);
	json_t *position = json_object_get(memory, "position");
	usec_t time = tend_attempt_deadline(a) - tend_attempt_started(a);
	json_t *args = json_pack("{s:s, s:O*, s:I}", "path", c->path, "position", position,
		"time_msec", (json_int_t)(time / 2 / USEC_PER_MSEC));

	/* Kinds are learned from what is there. */
	if (c->sift.new && !position)
		(void)json_object_set_new(args, "from_start", json_true());
	sift_ask(&c->sift, memory, args);
	return machine_start(a, conf, &logfile_machine, args);
}

static const struct tend_metric_doc logfile_metric_docs[] = {
	TEND_METRIC("line_rate", "", "lines that count, a second"),
	TEND_METRIC_OF("matches", "", "of pattern.NAME, within the window"),
	TEND_METRIC("missed", "", "1: what was written between could not be found again"),
	TEND_METRIC("new_kinds", "", "never seen before, in this look"),
	{0},
};

static const struct tend_reason_doc logfile_reason_docs[] = {
	{TEND_REASON_PATTERN_SEEN, "more matches within the window than are allowed"},
	{TEND_REASON_PATTERN_NEW, "a line of a kind never seen before, within the window"},
	{TEND_REASON_FILE_MISSING, "there is no such file"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t logfile_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(logfile_metric_docs, ret_names);
}

static const struct tend_probe logfile_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "logfile",
	.doc = "Reads a log file over rotations: patterns and their rates, lines never seen "
	       "before.",
	.options = logfile_options,
	.conf_size = sizeof(struct logfile_conf),
	.check = logfile_check,
	.start = logfile_start,
	.metrics = logfile_metrics,
	.metric_docs = logfile_metric_docs,
	.reason_docs = logfile_reason_docs,
	.example = "path = /var/log/nginx/error.log\npattern.upstream = upstream timed "
		   "out\nallow.upstream = 3\n",
};
TEND_PROBE(logfile, &logfile_probe);
