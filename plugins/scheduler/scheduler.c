/* SPDX-License-Identifier: MIT */
/* The probe scheduler: is a CRM's own scheduler alive, by its own rule of what is overdue? */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rules.h"

struct scheduler_conf {
	char *database, *query, *prefix, **ignore, *sql;
	int rule, dialect, empty;
	usec_t max_age, max_overdue, max_running;
};

struct run {
	struct sqlkit kit;
	const struct scheduler_conf *conf;
};

enum { EMPTY_STALE, EMPTY_OK };
static const char *const empty_names[] = {"stale", "ok", NULL};

static const struct tend_option options[] = {
	TEND_OPT(STRING, struct scheduler_conf, database, "database", NULL,
		"The [database SYSTEM/COMPONENT] that is asked; by default that of the check's own "
		"component.",
		.flags = TEND_OPTION_DATABASE),
	TEND_OPT(ENUM, struct scheduler_conf, rule, "rule", NULL,
		"The rule of this CRM: which of its jobs should have run by now.",
		.names = scheduler_rule_names),
	TEND_OPT(STRING, struct scheduler_conf, query, "query", NULL,
		"Instead of a rule: one statement with a row a job. Columns, all in seconds, any "
		"of "
		"them: `age' since its last success, `overdue' since it was due, `running' since "
		"it began and has not ended; beside them `name' and `max_age' of this job alone. "
		"An `age' of NULL (it never ran) is stale, as is a NULL `overdue' where there is "
		"no "
		"`age'."),
	TEND_OPT(ENUM, struct scheduler_conf, dialect, "dialect", NULL,
		"What the database of `rule' speaks, when it is not what that CRM usually has.",
		.names = sqlkit_dialects),
	TEND_OPT(STRING, struct scheduler_conf, prefix, "prefix", NULL,
		"What the names of that CRM's tables begin with; by default as it installs "
		"itself."),
	TEND_OPT(USEC, struct scheduler_conf, max_age, "max_age", NULL,
		"A job whose last success is older is stale; by default the rule's, else 1h.",
		.min = 1e6, .max = 400 * 86400e6),
	TEND_OPT(USEC, struct scheduler_conf, max_overdue, "max_overdue", NULL,
		"A job that is overdue for longer is stale; by default the rule's, else 10m.",
		.min = 1e6, .max = 400 * 86400e6),
	TEND_OPT(USEC, struct scheduler_conf, max_running, "max_running", NULL,
		"A job that has run for longer is stuck; by default the rule's, else 1h.",
		.min = 1e6, .max = 400 * 86400e6),
	TEND_OPT(LIST, struct scheduler_conf, ignore, "ignore", NULL,
		"Patterns of names of jobs (as a shell's) that are not looked at."),
	TEND_OPT(ENUM, struct scheduler_conf, empty, "empty", "stale",
		"What it means when there is no job at all.", .names = empty_names),
	TEND_OPTION_END,
};

static int scheduler_check(void *data, struct tend_error *err)
{
	struct scheduler_conf *conf = data;
	const struct scheduler_rule *rule;
	const char *prefix;

	if (!conf->query == (conf->rule < 0))
		return tend_error_set(
			err, -EINVAL, "one of `query' and `rule' is wanted, and not both");
	if (conf->query)
		return 0;
	rule = &scheduler_rules[conf->rule];
	prefix = conf->prefix ? conf->prefix : rule->prefix ? rule->prefix : "";
	conf->sql = sqlkit_expand(rule->sql,
		conf->dialect >= 0 ? (enum sqlkit_dialect)conf->dialect : rule->dialect, prefix);
	return conf->sql ? 0 : -ENOMEM;
}

static void scheduler_clear(void *data)
{
	struct scheduler_conf *conf = data;

	free(conf->sql);
	conf->sql = NULL;
}

static void clear(struct sqlkit *kit)
{
	free(kit);
}

/* ---- the answer
 * ------------------------------------------------------------------------------------- */

struct jobs {
	struct tend_attempt *attempt;
	const struct sqlkit_table *table;
	double max_age, max_overdue, max_running;
	int name, age, overdue, running, own_max_age; /* columns, -1 */
	size_t n_jobs, n_told;			      /* n_told: metrics of single jobs */
	double oldest;
	struct sqlkit_names stale, stuck;
	char wrong[64]; /* the column that cannot be read */
};

static double seconds_of(usec_t option, double by_rule, double otherwise)
{
	if (option)
		return (double)option / 1e6;
	return by_rule > 0 ? by_rule : otherwise;
}

/* false: there is nothing, which *ret_null tells from no such column. */
static bool read_seconds(
	struct jobs *j, size_t row, int column, double *ret_seconds, bool *ret_null)
{
	const json_t *cell = sqlkit_cell(j->table, row, column);

	*ret_null = json_is_null(cell);
	if (!cell || *ret_null)
		return false;
	if (sqlkit_number(cell, ret_seconds))
		return true;
	(void)snprintf(
		j->wrong, sizeof(j->wrong), "%s", sqlkit_column_name(j->table, (size_t)column));
	return false;
}

/* Room is kept for what is said of all of them. */
static void tell(struct jobs *j, const char *metric, const char *name, double seconds)
{
	if (j->n_told++ < TEND_SAMPLES_MAX - 16)
		(void)tend_attempt_metric_of(j->attempt, metric, name, seconds, "s");
}

__attribute__((format(printf, 3, 4))) static void add(
	struct sqlkit_names *names, const char *name, const char *format, ...)
{
	char what[96], text[192];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	(void)snprintf(text, sizeof(text), "%s%s%s", name, *name ? " " : "", what);
	sqlkit_names_add(names, text);
}

static void judge_age(struct jobs *j, size_t row, const char *name)
{
	double age = 0, limit = j->max_age;
	char span[SQLKIT_SPAN_BYTES], most[SQLKIT_SPAN_BYTES];
	bool null;

	(void)read_seconds(j, row, j->own_max_age, &limit, &null);
	if (!read_seconds(j, row, j->age, &age, &null)) {
		if (null)
			add(&j->stale, name, "has never run");
		return;
	}
	tell(j, "age_seconds", name, age);
	j->oldest = age > j->oldest ? age : j->oldest;
	if (age > limit)
		add(&j->stale, name, "last ran %s ago (at most %s)", sqlkit_span(age, span),
			sqlkit_span(limit, most));
}

static void judge_overdue(struct jobs *j, size_t row, const char *name)
{
	double overdue = 0;
	char span[SQLKIT_SPAN_BYTES];
	bool null;

	if (!read_seconds(j, row, j->overdue, &overdue, &null)) {
		if (null && j->age < 0)
			add(&j->stale, name, "has never been planned");
		return;
	}
	overdue = overdue > 0 ? overdue : 0;
	tell(j, "overdue_seconds", name, overdue);
	if (overdue > j->max_overdue)
		add(&j->stale, name, "is overdue for %s", sqlkit_span(overdue, span));
}

static void judge_running(struct jobs *j, size_t row, const char *name)
{
	double running = 0;
	char span[SQLKIT_SPAN_BYTES];
	bool null;

	if (!read_seconds(j, row, j->running, &running, &null))
		return;
	tell(j, "running_seconds", name, running);
	if (running > j->max_running)
		add(&j->stuck, name, "has been running for %s", sqlkit_span(running, span));
}

static void take_jobs(struct jobs *j, char *const *ignore)
{
	for (size_t row = 0; row < j->table->n_rows; row++) {
		char name[64];

		(void)sqlkit_text(sqlkit_cell(j->table, row, j->name), name, sizeof(name));
		if (sqlkit_matches(ignore, name))
			continue;
		j->n_jobs++;
		judge_age(j, row, name);
		judge_overdue(j, row, name);
		judge_running(j, row, name);
	}
}

static void add_metrics(const struct jobs *j)
{
	(void)tend_attempt_metric(j->attempt, "jobs", (double)j->n_jobs, "");
	(void)tend_attempt_metric(j->attempt, "stale_jobs", (double)j->stale.n, "");
	(void)tend_attempt_metric(j->attempt, "stuck_jobs", (double)j->stuck.n, "");
	if (j->age >= 0)
		(void)tend_attempt_metric(j->attempt, "oldest_seconds", j->oldest, "s");
}

static void answered(struct sqlkit *kit, const struct sqlkit_table *table)
{
	const struct scheduler_conf *conf = ((struct run *)kit)->conf;
	const struct scheduler_rule *rule = conf->query ? NULL : &scheduler_rules[conf->rule];
	struct jobs j = {
		.attempt = kit->attempt,
		.table = table,
		.max_age = seconds_of(conf->max_age, rule ? rule->max_age : 0, 3600),
		.max_overdue = seconds_of(conf->max_overdue, rule ? rule->max_overdue : 0, 600),
		.max_running = seconds_of(conf->max_running, rule ? rule->max_running : 0, 3600),
		.name = sqlkit_column(table, "name"),
		.age = sqlkit_column(table, "age"),
		.overdue = sqlkit_column(table, "overdue"),
		.running = sqlkit_column(table, "running"),
		.own_max_age = sqlkit_column(table, "max_age"),
	};

	if (j.age < 0 && j.overdue < 0 && j.running < 0) {
		sqlkit_finish(kit, TEND_REASON_CONTENT_UNEXPECTED,
			"the rows have none of the columns `age', `overdue' and `running'");
		return;
	}
	take_jobs(&j, conf->ignore);
	add_metrics(&j);
	if (j.wrong[0])
		sqlkit_finish(kit, TEND_REASON_CONTENT_UNEXPECTED,
			"`%s' is not a number of seconds", j.wrong);
	else if (j.stuck.n > 0)
		/* What is stuck keeps the others from running: it is nearer to the cause. */
		sqlkit_finish(kit, TEND_REASON_JOB_STUCK, "%s", sqlkit_names_text(&j.stuck));
	else if (j.stale.n > 0)
		sqlkit_finish(kit, TEND_REASON_STALE, "%s", sqlkit_names_text(&j.stale));
	else if (j.n_jobs == 0 && conf->empty == EMPTY_STALE)
		sqlkit_finish(kit, TEND_REASON_STALE, "there is no active job");
	else
		sqlkit_finish(kit, TEND_REASON_OK, "%zu jobs, all on time", j.n_jobs);
}

static int scheduler_start(struct tend_attempt *a, const void *data)
{
	const struct scheduler_conf *conf = data;
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	sqlkit_begin(&run->kit, a, clear);
	sqlkit_ask(&run->kit, conf->database, conf->query ? conf->query : conf->sql, NULL,
		SQLKIT_MAX_ROWS, answered);
	return 0;
}

static size_t scheduler_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"jobs", "stale_jobs", "stuck_jobs", "oldest_seconds",
		"age_seconds", "overdue_seconds", "running_seconds", "total_seconds"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(names[0]);
}

static const struct tend_metric_doc metric_docs[] = {
	{"jobs", "", "jobs that were looked at", false},
	{"stale_jobs", "", "of these: not run when they should have", false},
	{"stuck_jobs", "", "of these: begun and not ended", false},
	{"oldest_seconds", "s", "the oldest last success", false},
	{"age_seconds", "s", "since the last success of a job", true},
	{"overdue_seconds", "s", "since a job was due", true},
	{"running_seconds", "s", "since a job began that has not ended", true},
	{"total_seconds", "s", "all questions together", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc reason_docs[] = {
	SQLKIT_REASON_DOCS,
	{TEND_REASON_STALE, "a job has not run when it should have, or there is none"},
	{TEND_REASON_JOB_STUCK, "a job has been running for longer than max_running"},
	{TEND_REASON_CONTENT_UNEXPECTED, "the rows have not the columns of jobs"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe scheduler_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "scheduler",
	.doc = "Is the scheduler of a CRM alive, by its own rule of what is overdue?",
	.options = options,
	.conf_size = sizeof(struct scheduler_conf),
	.check = scheduler_check,
	.clear = scheduler_clear,
	.start = scheduler_start,
	.cancel = sqlkit_cancel,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "rule = tryton\n"
		   "max_overdue = 15m\n",
	.metrics = scheduler_metrics,
};
TEND_PROBE(scheduler, &scheduler_probe);
