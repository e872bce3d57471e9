/* SPDX-License-Identifier: MIT */
/* The snmp probe: reads values and columns of tables of an agent, one question after another. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "agent.h"
#include "conf.h"
#include "judge.h"

struct run {
	struct agent agent;
	const struct agent_conf *conf;
	const struct plan *plan;
	struct datum *gets;
	size_t todo[PLAN_MAX_GETS], n_todo, batch; /* which of them are not answered yet */
	size_t n_columns, column;		   /* of the table; the one that is walked */
	int repetitions;
	struct oid last; /* that was read of it */
	struct table table;
};

static struct run *run_of(struct agent *agent)
{
	return (struct run *)agent; /* begins with it */
}

static void run_free(struct run *run)
{
	if (!run)
		return;
	tend_attempt_set_data(run->agent.attempt, NULL);
	agent_stop(&run->agent);
	table_clear(&run->table);
	free(run->gets);
	free(run);
}

static void cancel(struct tend_attempt *a)
{
	run_free(tend_attempt_data(a));
}

/* ---- the end ------------------------------------------------------------------------------- */

static void add_seconds(struct tend_attempt *a, const char *name, usec_t usec)
{
	(void)tend_attempt_metric(a, name, (double)usec / (double)USEC_PER_SEC, "s");
}

static void finish(struct run *run, enum tend_reason reason, const char *text)
{
	struct tend_attempt *a = run->agent.attempt;
	char where[AGENT_WHERE_BYTES];

	add_seconds(a, "total_seconds", tend_now() - tend_attempt_started(a));
	if (run->agent.dns_usec)
		add_seconds(a, "dns_seconds", run->agent.dns_usec);
	if (run->agent.answer_usec)
		add_seconds(a, "answer_seconds", run->agent.answer_usec);
	if (run->agent.uptime_ticks >= 0)
		(void)tend_attempt_metric(
			a, "uptime_seconds", (double)run->agent.uptime_ticks / 100, "s");
	(void)snprintf(where, sizeof(where), "%s", run->agent.where);
	run_free(run);
	tend_attempt_finish(a, reason, "%s%s%s", where, where[0] ? ": " : "", text);
}

static void failed(struct agent *agent, enum tend_reason reason, const char *text)
{
	finish(run_of(agent), reason, text);
}

__attribute__((format(printf, 3, 4))) static void give_up(
	struct run *run, enum tend_reason reason, const char *format, ...)
{
	char text[AGENT_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	finish(run, reason, text);
}

static void finish_all(struct run *run)
{
	struct judge_case c = {
		.attempt = run->agent.attempt,
		.conf = run->conf,
		.gets = run->gets,
		.table = &run->table,
		.now = {.uptime_ticks = run->agent.uptime_ticks},
	};
	struct judge_verdict v;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* what is remembered outlives a restart */
	c.now.wall = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	judge(&c, &v);
	if (v.memory && tend_attempt_remember(run->agent.attempt, v.memory) < 0)
		v.reason = TEND_REASON_INTERNAL;
	finish(run, v.reason, v.text[0] ? v.text : "the agent answers");
}

/* An error for the question as a whole. */
static void give_up_status(struct run *run, const struct pdu_answer *answer, const char *what)
{
	static const char *const words[] = {[1] = "tooBig",
		[2] = "noSuchName",
		[3] = "badValue",
		[5] = "genErr",
		[6] = "noAccess",
		[13] = "resourceUnavailable",
		[16] = "authorizationError"};
	const char *word = (size_t)answer->status < sizeof(words) / sizeof(words[0])
				   ? words[answer->status]
				   : NULL;
	bool denied = answer->status == PDU_NO_ACCESS || answer->status == PDU_AUTHORIZATION;

	give_up(run, denied ? TEND_REASON_ACCESS_DENIED : TEND_REASON_QUERY_FAILED,
		"%s: the agent answers %s (%d)", what, word ? word : "an error",
		(int)answer->status);
}

/* ---- tables -------------------------------------------------------------------------------- */

/* In the order that judge.c knows. */
static const struct oid *column_oid(const struct run *run, size_t column)
{
	const struct plan *plan = run->plan;

	if (plan->has_label && column-- == 0)
		return &plan->label;
	if (plan->has_decimals && column-- == 0)
		return &plan->decimals;
	if (column < plan->n_where)
		return &plan->where[column].oid;
	return &plan->items[plan->n_gets + column - plan->n_where].oid;
}

static const char *column_name(const struct run *run)
{
	size_t first = judge_first_walk(run->plan);

	if (run->column >= first)
		return run->plan->items[run->plan->n_gets + run->column - first].name;
	if (run->plan->has_label && run->column == 0)
		return "instance";
	return run->plan->has_decimals && run->column == (run->plan->has_label ? 1 : 0) ? "decimals"
											: "where";
}

static void ask_rows(struct run *run)
{
	const struct oid *oids[] = {&run->last};

	agent_ask(&run->agent, PDU_GETBULK, oids, 1, run->repetitions, column_name(run));
}

static void next_column(struct run *run)
{
	if (run->column == run->n_columns) {
		finish_all(run);
		return;
	}
	run->last = *column_oid(run, run->column);
	run->repetitions = (int)run->conf->repetitions;
	ask_rows(run);
}

enum taken { TAKEN, TAKEN_LAST, TAKEN_BAD, TAKEN_FULL };

static enum taken take_bind(struct run *run, const struct pdu_bind *bind)
{
	const struct oid *top = column_oid(run, run->column);
	struct oid index;

	if (bind->value.type == VALUE_END_OF_VIEW || !oid_below(&bind->name, top))
		return TAKEN_LAST;
	/* Else it would go round for ever. */
	if (oid_compare(&bind->name, &run->last) <= 0)
		return TAKEN_BAD;
	run->last = bind->name;
	oid_index(&bind->name, top, &index);
	return table_add(&run->table, run->column, &index, &bind->value) < 0 ? TAKEN_FULL : TAKEN;
}

static void rows_answered(struct run *run, const struct pdu_answer *answer)
{
	enum taken taken = answer->n_binds ? TAKEN : TAKEN_BAD;
	const char *name = column_name(run);

	if (answer->status == PDU_NO_SUCH_NAME) { /* of an agent that ends so */
		taken = TAKEN_LAST;
	} else if (answer->status && run->repetitions > 1) { /* less at once may be well */
		run->repetitions /= 2;
		ask_rows(run);
		return;
	} else if (answer->status) {
		give_up_status(run, answer, name);
		return;
	}
	for (size_t i = 0; i < answer->n_binds && taken == TAKEN; i++)
		taken = take_bind(run, &answer->binds[i]);
	if (taken == TAKEN_BAD) {
		give_up(run, TEND_REASON_PROTOCOL, "%s: %s", name,
			answer->n_binds ? "the OIDs that are answered do not increase"
					: "an answer without a value");
	} else if (taken == TAKEN_FULL) {
		give_up(run, TEND_REASON_CONTENT_UNEXPECTED, "%s: more than %lld rows (max_rows)",
			name, (long long)run->conf->max_rows);
	} else if (taken == TAKEN_LAST) {
		run->column++;
		next_column(run);
	} else {
		ask_rows(run);
	}
}

/* ---- single values ------------------------------------------------------------------------- */

static void ask_gets(struct run *run)
{
	const struct oid *oids[AGENT_MAX_OIDS];
	size_t n = run->n_todo < run->batch ? run->n_todo : run->batch;

	if (n == 0) {
		next_column(run);
		return;
	}
	for (size_t i = 0; i < n; i++)
		oids[i] = &run->plan->items[run->todo[i]].oid;
	agent_ask(&run->agent, PDU_GET, oids, n, 0, run->plan->items[run->todo[0]].name);
}

static void drop_todo(struct run *run, size_t first, size_t n)
{
	run->n_todo -= n;
	memmove(run->todo + first, run->todo + first + n,
		(run->n_todo - first) * sizeof(run->todo[0]));
}

static void gets_failed(struct run *run, const struct pdu_answer *answer, size_t n)
{
	size_t at = answer->index > 0 && (size_t)answer->index <= n ? (size_t)answer->index - 1 : 0;

	if (answer->status == PDU_TOO_BIG && run->batch > 1) {
		run->batch /= 2;
	} else if (answer->status == PDU_NO_SUCH_NAME && answer->index > 0) {
		run->gets[run->todo[at]].type = VALUE_NO_OBJECT;
		drop_todo(run, at, 1);
	} else {
		give_up_status(run, answer, run->plan->items[run->todo[at]].name);
		return;
	}
	ask_gets(run);
}

static void gets_answered(struct run *run, const struct pdu_answer *answer)
{
	size_t n = run->n_todo < run->batch ? run->n_todo : run->batch;

	if (answer->status) {
		gets_failed(run, answer, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (answer->n_binds != n || oid_compare(&answer->binds[i].name,
						    &run->plan->items[run->todo[i]].oid) != 0) {
			give_up(run, TEND_REASON_PROTOCOL,
				"%s: what is answered is not what was asked for",
				run->plan->items[run->todo[i]].name);
			return;
		}
	for (size_t i = 0; i < n; i++)
		datum_set(&run->gets[run->todo[i]], &answer->binds[i].value);
	drop_todo(run, 0, n);
	ask_gets(run);
}

/* ---- the attempt --------------------------------------------------------------------------- */

static void ready(struct agent *agent)
{
	ask_gets(run_of(agent));
}

static void answered(struct agent *agent, const struct pdu_answer *answer)
{
	struct run *run = run_of(agent);

	if (run->n_todo > 0)
		gets_answered(run, answer);
	else
		rows_answered(run, answer);
}

static int start(struct tend_attempt *a, const void *conf)
{
	static const struct agent_user user = {ready, answered, failed};
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	run->plan = run->conf->plan;
	run->agent.attempt = a;
	run->agent.fd = -1;
	tend_attempt_set_data(a, run);
	run->gets = calloc(run->plan->n_gets + 1, sizeof(*run->gets));
	if (!run->gets)
		return -ENOMEM;
	run->batch = AGENT_MAX_OIDS;
	while (run->n_todo < run->plan->n_gets) {
		run->todo[run->n_todo] = run->n_todo;
		run->n_todo++;
	}
	/* Without a walk, label and the like are not allowed, so nothing is read. */
	run->n_columns = judge_first_walk(run->plan) + run->plan->n_walks;
	table_init(&run->table, run->n_columns, (size_t)run->conf->max_rows);
	return agent_start(&run->agent, &user, a, conf);
}

static size_t metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const own[] = {
		"rows", "uptime_seconds", "answer_seconds", "total_seconds", "dns_seconds"};
	const struct plan *plan = ((const struct agent_conf *)conf)->plan;
	size_t n_items = plan->n_gets + plan->n_walks, n = 0;

	if (n_items + plan->n_shares + sizeof(own) / sizeof(own[0]) > TEND_METRICS_MAX)
		return 0;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		ret_names[n++] = own[i];
	for (size_t i = 0; i < n_items; i++)
		ret_names[n++] = plan->items[i].name;
	for (size_t i = 0; i < plan->n_shares; i++)
		ret_names[n++] = plan->shares[i].name;
	return n;
}

static const struct tend_metric_doc metric_docs[] = {
	TEND_METRIC_OF("NAME", "",
		"each of get. and walk. that is a number, by its own name; a counter as its rate "
		"per second"),
	TEND_METRIC_OF("SHARE", "%", "each of share., by its own name"),
	TEND_METRIC("rows", "", "rows that were looked at"),
	TEND_METRIC("uptime_seconds", "s", "since the agent began (sysUpTime)"),
	TEND_METRIC("answer_seconds", "s", "until the first answer to a question"),
	TEND_METRIC("total_seconds", "s", "the whole attempt"),
	TEND_METRIC("dns_seconds", "s", "until the name was resolved"),
	{0},
};

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_DNS_FAILED, "the name has no address, or the name servers do not answer"},
	{TEND_REASON_CONNECT_REFUSED, "nobody listens there"},
	{TEND_REASON_CONNECT_FAILED, "there is no way to the agent"},
	{TEND_REASON_NO_REPLY, "no question was answered: a dead host, a packet filter, a frozen "
			       "agent, or a community that it does not take"},
	{TEND_REASON_TOO_SLOW, "the agent is there, and did not answer all in time"},
	{TEND_REASON_AUTH_FAILED, "unknown user, wrong password or protocol (SNMPv3)"},
	{TEND_REASON_ACCESS_DENIED, "the user or community may not see it"},
	{TEND_REASON_PROTOCOL, "what is answered is no SNMP, or not to what was asked"},
	{TEND_REASON_OBJECT_MISSING, "there is no such OID, column or context"},
	{TEND_REASON_CONTENT_UNEXPECTED, "a value is not as expected; too few or too many rows"},
	{TEND_REASON_QUERY_FAILED, "the agent answers with an error"},
	{0},
};

static const struct tend_probe snmp_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "snmp",
	.doc = "Reads values and tables of an SNMP agent: a UPS, a RAID controller, sensors, a "
	       "switch.",
	.options = agent_options,
	.conf_size = sizeof(struct agent_conf),
	.check = agent_conf_check,
	.clear = agent_conf_clear,
	.start = start,
	.cancel = cancel,
	.metrics = metrics,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "host = ups.crm.example\nuser = tend\n"
		   "auth_password = file:/etc/tend/secrets/ups-auth\n"
		   "priv_password = file:/etc/tend/secrets/ups-priv\n"
		   "get.battery = 1.3.6.1.2.1.33.1.2.1.0\n"
		   "words.battery = 1=unknown, 2=normal, 3=low, 4=depleted\n"
		   "expect.battery = normal\n"
		   "get.charge_pct = 1.3.6.1.2.1.33.1.2.4.0\n"
		   "unit.charge_pct = %\n"
		   "warning.charge_pct = 80:\n",
};
TEND_PROBE(snmp, &snmp_probe);
