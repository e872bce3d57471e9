/* SPDX-License-Identifier: MIT */
#include "sql.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct sqlkit kit;
	const struct sql_conf *conf;
};

static const struct tend_option options[] = {
	TEND_OPT(STRING, struct sql_conf, database, "database", NULL,
		"The [database SYSTEM/COMPONENT] that is asked; by default that of the check's own "
		"component.",
		.flags = TEND_OPTION_DATABASE),
	TEND_OPT(STRING, struct sql_conf, query, "query", NULL,
		"One statement. Its columns of numbers become metrics of the same names.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(LIST, struct sql_conf, label, "instance", NULL,
		"Columns whose texts tell the rows apart: metrics then have an instance a row. "
		"Without it the answer must be one row."),
	TEND_OPT(MAP, struct sql_conf, units, "unit", NULL,
		"Unit of a column's metric, as in `unit.age = s'."),
	TEND_OPT(LIST, struct sql_conf, counters, "counter", NULL,
		"Columns that only rise: they become NAME_per_hour, by what the result before "
		"said."),
	TEND_OPT(LIST, struct sql_conf, drop, "drop", NULL,
		"Metrics (also of counters, as in orders_per_hour) that must not fall to nothing: "
		"0 "
		"where there usually is more is critical."),
	TEND_OPT(DOUBLE, struct sql_conf, drop_share, "drop_share", "0",
		"So many percent of the usual value, or less, is a warning.", .min = 0, .max = 99,
		.unit = "%"),
	TEND_OPT(INT, struct sql_conf, drop_least, "drop_least", "5",
		"What is usually less than this may fall as it likes.", .min = 1, .max = 1e12),
	TEND_OPT(INT, struct sql_conf, drop_after, "drop_after", "3",
		"Results that must have been seen before one is missed.", .min = 1, .max = 1000),
	TEND_OPT(USEC, struct sql_conf, drop_forget, "drop_forget", "1d",
		"After so long at nothing this is the usual, and told no more.", .min = 60e6,
		.max = 400 * 86400e6),
	TEND_OPT(STRING, struct sql_conf, expect, "expect", NULL,
		"What the first column of the first row must be, as text."),
	TEND_OPT(INT, struct sql_conf, min_rows, "min_rows", "0", "Fewer rows are an error.",
		.min = 0, .max = 200),
	TEND_OPT(INT, struct sql_conf, max_rows, "max_rows", "200", "More rows are an error.",
		.min = 1, .max = 200),
	TEND_OPTION_END,
};

static int sql_check(void *data, struct tend_error *err)
{
	const struct sql_conf *conf = data;
	char name[32];

	for (char **p = conf->drop; p && *p; p++)
		if (!sqlkit_metric_name(*p, name) || strcmp(name, *p) != 0)
			return tend_error_set(
				err, -EINVAL, "drop: '%.64s' is no name of a metric", *p);
	if (conf->min_rows > conf->max_rows)
		return tend_error_set(err, -EINVAL, "min_rows is more than max_rows");
	return 0;
}

static void clear(struct sqlkit *kit)
{
	free(kit);
}

static void answered(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;
	struct sql_verdict verdict;

	sql_judge(kit->attempt, run->conf, table, tend_attempt_memory(kit->attempt), sqlkit_wall(),
		&verdict);
	if (verdict.memory && tend_attempt_remember(kit->attempt, verdict.memory) < 0)
		verdict.reason = TEND_REASON_INTERNAL;
	sqlkit_finish(kit, verdict.reason, "%s", verdict.text);
}

static int sql_start(struct tend_attempt *a, const void *data)
{
	const struct sql_conf *conf = data;
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	sqlkit_begin(&run->kit, a, clear);
	/* One more than may come, so that more are seen. */
	sqlkit_ask(
		&run->kit, conf->database, conf->query, NULL, (size_t)conf->max_rows + 1, answered);
	return 0;
}

/* Of one row a column is a figure by itself; rows that are told apart come and go. */
static bool sql_always_comes(const void *conf, const char *name)
{
	const struct sql_conf *c = conf;

	(void)name;
	return !c->label;
}

static const struct tend_metric_doc metric_docs[] = {
	{"COLUMN", "", "each column with numbers, by its own name, in the unit of unit.COLUMN",
		true},
	{"COLUMN_per_hour", "", "of each column of counter: how fast it rises", true},
	{"rows", "", "rows of the answer", TEND_COMES_ALWAYS},
	{"total_seconds", "s", "all questions together", TEND_COMES_ALWAYS},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc reason_docs[] = {
	SQLKIT_REASON_DOCS,
	{TEND_REASON_CONTENT_UNEXPECTED, "too few or too many rows, not what was expected, or what "
					 "no metric can be made of"},
	{TEND_REASON_THRESHOLD, "a metric of drop has fallen to nothing"},
	{TEND_REASON_OFF_BASELINE, "a metric of drop is below drop_share of the usual"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe sql_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "sql",
	.doc = "Asks a database and makes metrics of the rows: business figures, rates, labels.",
	.options = options,
	.conf_size = sizeof(struct sql_conf),
	.check = sql_check,
	.start = sql_start,
	.cancel = sqlkit_cancel,
	.metric_docs = metric_docs,
	.always_comes = sql_always_comes,
	.reason_docs = reason_docs,
	.example = "query = select region, count(*) as orders from sale_order where created > "
		   "now() - interval '1 hour' group by region\n"
		   "instance = region\n"
		   "drop = orders\n",
};
TEND_PROBE(sql, &sql_probe);
