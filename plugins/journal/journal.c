/* SPDX-License-Identifier: MIT */
/*
 * The journal probe: what systemd's journal of the component's machine got since the last look.
 * Where that ended is remembered, so that nothing is missed or counted twice over a restart.
 */
#include "journal.h"
#include <errno.h>

#define DAY_USEC (86400 * USEC_PER_SEC)

static const char *const priorities[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", NULL};

static const struct tend_option journal_options[] = {
	TEND_OPT(LIST, struct journal_conf, units, "units", NULL,
		"Patterns of the units (or identifiers, as kernel) whose messages count; none: "
		"all. Tend's own never do."),
	TEND_OPT(ENUM, struct journal_conf, priority, "priority", "debug",
		"The least urgent messages that count.", .names = priorities),
	SIFT_OPTIONS(struct journal_conf, sift),
	TEND_OPT(BOOL, struct journal_conf, marker, "marker", "yes",
		"Where nothing else was written, a message of Tend's own proves that the journal "
		"still is."),
	TEND_OPTION_END,
};

static int journal_check(void *conf, struct tend_error *err)
{
	const struct journal_conf *c = conf;

	return sift_check(&c->sift, err);
}

static const struct machine_probe journal_machine = {
	.kind = "journal",
	.missing = TEND_REASON_NO_EVIDENCE,
	.judge = journal_judge,
};

static int journal_start(struct tend_attempt *a, const void *conf)
{
	const struct journal_conf *c = conf;
	const json_t *memory = tend_attempt_memory(a);
	const char *cursor = doc_text(memory, "cursor");
	/* A day of what was written before is learned from, however short the time is. */
	usec_t learn = c->sift.learn > DAY_USEC ? c->sift.learn : DAY_USEC;
	usec_t left = tend_attempt_deadline(a) - tend_attempt_started(a);
	json_t *args = json_pack("{s:o, s:i, s:o, s:b, s:I}", "units", doc_list(c->units),
		"priority", c->priority, "written", journal_written(memory), "mark", c->marker,
		"time_msec", (json_int_t)(left / 2 / USEC_PER_MSEC));

	if (cursor[0])
		(void)json_object_set_new(args, "cursor", json_string(cursor));
	else if (c->sift.new)
		(void)json_object_set_new(
			args, "since_sec", json_integer((json_int_t)(learn / USEC_PER_SEC)));
	sift_ask(&c->sift, memory, args);
	return machine_start(a, conf, &journal_machine, args);
}

static const struct tend_metric_doc journal_metric_docs[] = {
	TEND_METRIC("line_rate", "", "messages that count, a second"),
	TEND_METRIC_OF("matches", "", "of pattern.NAME, within the window"),
	TEND_METRIC("new_kinds", "", "never seen before, in this look"),
	{0},
};

static const struct tend_reason_doc journal_reason_docs[] = {
	{TEND_REASON_PATTERN_SEEN, "more matches within the window than are allowed"},
	{TEND_REASON_PATTERN_NEW, "a message of a kind never seen before, within the window"},
	{TEND_REASON_ACCESS_DENIED, "no file of the journal can be read"},
	{TEND_REASON_NO_EVIDENCE, "the journal is not being written, or nobody can be asked"},
	{TEND_REASON_PROGRAM_FAILED, "there is no tend-look, or of another version"},
	{TEND_REASON_SPAWN_LOST, "tend-spawn ended meanwhile"},
	{0},
};

static size_t journal_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(journal_metric_docs, ret_names);
}

static const struct tend_probe journal_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "journal",
	.doc = "Reads systemd's journal: patterns and their rates, messages never seen before.",
	.options = journal_options,
	.conf_size = sizeof(struct journal_conf),
	.check = journal_check,
	.start = journal_start,
	.metrics = journal_metrics,
	.metric_docs = journal_metric_docs,
	.reason_docs = journal_reason_docs,
	.example = "units = tryton-server.service\npattern.fatal = (?i)out of memory|fatal\n",
};
TEND_PROBE(journal, &journal_probe);
