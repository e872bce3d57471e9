/* SPDX-License-Identifier: MIT */
/* The probe queue: how much waits, and how long the oldest has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sqlkit/sqlkit.h"

/* What waits, by the tables of known CRMs: `waiting`, `age` of the oldest in seconds, and a name.
 */
static const struct {
	const char *name;
	enum sqlkit_dialect dialect;
	const char *sql;
} rules[] = {
	{"tryton", SQLKIT_POSTGRES,
		"select name, count(*) as waiting, max({since_utc coalesce(scheduled_at, "
		"enqueued_at)}) as age from ir_queue where dequeued_at is null and "
		"coalesce(scheduled_at, enqueued_at) <= {utc} group by name"},
	{"espocrm", SQLKIT_MYSQL,
		"select 'jobs' as name, count(*) as waiting, max({since_utc execute_time}) as age "
		"from {prefix}job where status = 'Pending' and deleted = 0 and execute_time <= "
		"{utc} "
		"union all select 'mail', count(*), max({since_utc created_at}) from "
		"{prefix}email_queue_item where status = 'Pending' and deleted = 0"},
	{"suitecrm", SQLKIT_MYSQL,
		"select 'jobs' as name, count(*) as waiting, max({since_utc execute_time}) as age "
		"from {prefix}job_queue where status = 'queued' and deleted = 0 and execute_time "
		"<= "
		"{utc} union all select 'mail', count(*), max({since_utc send_date_time}) from "
		"{prefix}emailman where deleted = 0 and in_queue = '0' and send_date_time <= "
		"{utc}"},
	{"odoo", SQLKIT_POSTGRES,
		"select 'mail' as name, count(*) as waiting, max({since_utc create_date}) as age "
		"from mail_mail where state = 'outgoing'"},
	{"civicrm", SQLKIT_MYSQL,
		"select queue_name as name, count(*) as waiting, max({since submit_time}) as age "
		"from {prefix}civicrm_queue_item where release_time is null or release_time <= "
		"{now} group by queue_name"},
	{NULL, SQLKIT_POSTGRES, NULL},
};
static const char *const rule_names[] = {"tryton", "espocrm", "suitecrm", "odoo", "civicrm", NULL};

struct queue_conf {
	char *database, *query, *prefix, *sql;
	int rule, dialect;
	usec_t max_age;
	int64_t max_waiting;
};

struct run {
	struct sqlkit kit;
	const struct queue_conf *conf;
};

static const struct tend_option options[] = {
	TEND_OPT(STRING, struct queue_conf, database, "database", NULL,
		"The [database SYSTEM/COMPONENT] that is asked; by default that of the check's own "
		"component.",
		.flags = TEND_OPTION_DATABASE),
	TEND_OPT(STRING, struct queue_conf, query, "query", NULL,
		"One statement whose rows have the columns `waiting' (a number), `age' (seconds "
		"that the oldest has waited; NULL: none waits) and, where there are several "
		"queues, `name'."),
	TEND_OPT(ENUM, struct queue_conf, rule, "rule", NULL,
		"Instead of a query: the queues of this CRM, as its own tables tell them.",
		.names = rule_names),
	TEND_OPT(ENUM, struct queue_conf, dialect, "dialect", NULL,
		"What the database of `rule' speaks, when it is not what that CRM usually has.",
		.names = sqlkit_dialects),
	TEND_OPT(STRING, struct queue_conf, prefix, "prefix", NULL,
		"What the names of that CRM's tables begin with."),
	TEND_OPT(USEC, struct queue_conf, max_age, "max_age", NULL,
		"A queue whose oldest has waited longer is stale.", .min = 1e6,
		.max = 400 * 86400e6),
	TEND_OPT(INT, struct queue_conf, max_waiting, "max_waiting", "0",
		"More that wait in one queue are an error; 0: no limit.", .min = 0, .max = 1e12),
	TEND_OPTION_END,
};

static int queue_check(void *data, struct tend_error *err)
{
	struct queue_conf *conf = data;
	int dialect;

	if (!conf->query == (conf->rule < 0))
		return tend_error_set(
			err, -EINVAL, "one of `query' and `rule' is wanted, and not both");
	if (conf->query)
		return 0;
	dialect = conf->dialect >= 0 ? conf->dialect : (int)rules[conf->rule].dialect;
	conf->sql =
		sqlkit_expand(rules[conf->rule].sql, (enum sqlkit_dialect)dialect, conf->prefix);
	return conf->sql ? 0 : -ENOMEM;
}

static void queue_clear(void *data)
{
	struct queue_conf *conf = data;

	free(conf->sql);
	conf->sql = NULL;
}

static void clear(struct sqlkit *kit)
{
	free(kit);
}

/* ---- the answer
 * ------------------------------------------------------------------------------------- */

struct queues {
	double waiting, oldest;
	struct sqlkit_names old, full; /* beyond their limits */
	const char *wrong;	       /* what cannot be judged */
};

static void judge_queue(struct tend_attempt *a, const struct queue_conf *conf, const char *name,
	double waiting, double age, struct queues *q)
{
	char text[128], span[SQLKIT_SPAN_BYTES];

	(void)tend_attempt_metric_of(a, "waiting", name, waiting, "");
	(void)tend_attempt_metric_of(a, "oldest_seconds", name, age, "s");
	q->waiting += waiting;
	q->oldest = age > q->oldest ? age : q->oldest;
	if (conf->max_age && age * 1e6 > (double)conf->max_age) {
		(void)snprintf(text, sizeof(text), "%s%sthe oldest of %.0f has waited %s", name,
			*name ? ": " : "", waiting, sqlkit_span(age, span));
		sqlkit_names_add(&q->old, text);
	}
	if (conf->max_waiting > 0 && waiting > (double)conf->max_waiting) {
		(void)snprintf(
			text, sizeof(text), "%s%s%.0f wait", name, *name ? ": " : "", waiting);
		sqlkit_names_add(&q->full, text);
	}
}

static void take_row(struct tend_attempt *a, const struct queue_conf *conf,
	const struct sqlkit_table *table, size_t row, struct queues *q)
{
	const json_t *age = sqlkit_cell(table, row, sqlkit_column(table, "age"));
	double waiting, seconds = 0;
	char name[64];

	(void)sqlkit_text(
		sqlkit_cell(table, row, sqlkit_column(table, "name")), name, sizeof(name));
	if (!sqlkit_number(sqlkit_cell(table, row, sqlkit_column(table, "waiting")), &waiting))
		q->wrong = "`waiting' is not a number";
	else if (!json_is_null(age) && !sqlkit_number(age, &seconds))
		q->wrong = "`age' is not a number of seconds";
	else if (json_is_null(age) && waiting > 0)
		q->wrong = "rows wait, and `age' is NULL: nothing tells since when";
	else if (table->n_rows > 1 && !*name)
		q->wrong = "there are several rows, and no column `name' tells them apart";
	else
		judge_queue(a, conf, name, waiting, seconds > 0 ? seconds : 0, q);
}

static void answered(struct sqlkit *kit, const struct sqlkit_table *table)
{
	const struct queue_conf *conf = ((struct run *)kit)->conf;
	struct queues q = {.wrong = NULL};
	char span[SQLKIT_SPAN_BYTES];

	if (sqlkit_column(table, "waiting") < 0 || sqlkit_column(table, "age") < 0)
		q.wrong = "the rows have no columns `waiting' and `age'";
	else if (table->truncated)
		q.wrong = "there are too many queues";
	for (size_t row = 0; row < table->n_rows && !q.wrong; row++)
		take_row(kit->attempt, conf, table, row, &q);
	if (q.wrong) {
		sqlkit_finish(kit, TEND_REASON_CONTENT_UNEXPECTED, "%s", q.wrong);
		return;
	}
	/* With one nameless queue these are its own. */
	if (table->n_rows != 1 || sqlkit_column(table, "name") >= 0) {
		(void)tend_attempt_metric(kit->attempt, "waiting_total", q.waiting, "");
		(void)tend_attempt_metric(kit->attempt, "oldest_total_seconds", q.oldest, "s");
	}
	if (q.old.n > 0)
		sqlkit_finish(kit, TEND_REASON_STALE, "%s", sqlkit_names_text(&q.old));
	else if (q.full.n > 0)
		sqlkit_finish(kit, TEND_REASON_THRESHOLD, "%s, at most %lld are expected",
			sqlkit_names_text(&q.full), (long long)conf->max_waiting);
	else if (q.waiting > 0)
		sqlkit_finish(kit, TEND_REASON_OK, "%.0f wait, the oldest for %s", q.waiting,
			sqlkit_span(q.oldest, span));
	else
		sqlkit_finish(kit, TEND_REASON_OK, "nothing waits");
}

static int queue_start(struct tend_attempt *a, const void *data)
{
	const struct queue_conf *conf = data;
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	sqlkit_begin(&run->kit, a, clear);
	sqlkit_ask(&run->kit, conf->database, conf->query ? conf->query : conf->sql, NULL, 100,
		answered);
	return 0;
}

static size_t queue_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"waiting", "oldest_seconds", "waiting_total",
		"oldest_total_seconds", "total_seconds"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(names[0]);
}

static const struct tend_metric_doc metric_docs[] = {
	{"waiting", "", "what waits in a queue", true},
	{"oldest_seconds", "s", "how long the oldest has waited", true},
	{"waiting_total", "", "of all queues, where there are several", false},
	{"oldest_total_seconds", "s", "the oldest of all queues", false},
	{"total_seconds", "s", "all questions together", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc reason_docs[] = {
	SQLKIT_REASON_DOCS,
	{TEND_REASON_STALE, "the oldest has waited longer than max_age"},
	{TEND_REASON_THRESHOLD, "more than max_waiting wait"},
	{TEND_REASON_CONTENT_UNEXPECTED, "the rows have not the columns of a queue"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe queue_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "queue",
	.doc = "Counts what waits in tables of a database, and how long the oldest has.",
	.options = options,
	.conf_size = sizeof(struct queue_conf),
	.check = queue_check,
	.clear = queue_clear,
	.start = queue_start,
	.cancel = sqlkit_cancel,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "query = select name, count(*) as waiting, extract(epoch from now() - "
		   "min(created)) as age from jobs where done is null group by name\n"
		   "max_age = 15m\n",
	.metrics = queue_metrics,
};
TEND_PROBE(queue, &queue_probe);
