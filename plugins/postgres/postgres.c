/* SPDX-License-Identifier: MIT */
/* The postgres probe, and the verbs sql.*: what the core sees of this plugin. */
#include "postgres.h"
#include <string.h>
#include "questions.h"
#include "session.h"

static int postgres_start(struct tend_attempt *a, const void *conf)
{
	const struct postgres_conf *c = conf;

	return c->look ? postgres_look_start(a, c) : postgres_check_start(a, c);
}

static int postgres_call(
	struct tend_attempt *a, const void *conf, const char *method, const struct json_t *args)
{
	return postgres_call_start(a, conf, method, args);
}

static void postgres_cancel(struct tend_attempt *a)
{
	session_free(tend_attempt_data(a));
}

static size_t look_metrics(
	const struct postgres_conf *c, const char *ret_names[TEND_METRICS_MAX], size_t n)
{
	for (size_t i = 0; c->look && c->look[i]; i++) {
		const struct postgres_question *q = postgres_question_find(c->look[i]);

		for (size_t j = 0; q && q->metrics[j] && n < TEND_METRICS_MAX; j++)
			ret_names[n++] = q->metrics[j];
	}
	return n;
}

/* With metric = * they are the columns of whatever the query gives. */
static size_t postgres_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct postgres_conf *c = conf;
	size_t n = 0;

	if (c->metric && strcmp(c->metric, "*") == 0)
		return 0;
	ret_names[n++] = "total_seconds";
	ret_names[n++] = "connect_seconds";
	if (c->query || c->look)
		ret_names[n++] = "query_seconds";
	if (c->metric)
		ret_names[n++] = c->metric;
	return look_metrics(c, ret_names, n);
}

static const struct tend_metric_doc metric_docs[] = {
	TEND_METRIC_ALWAYS("total_seconds", "s", "the whole attempt"),
	TEND_METRIC_ALWAYS("connect_seconds", "s", "until the log-in was through"),
	TEND_METRIC("query_seconds", "s", "from the query to its last row; of all looks together"),
	TEND_METRIC("COLUMN", "", "what the option metric names, or each column with a number"),
	TEND_METRIC_ALWAYS("connections", "", "sessions of clients"),
	TEND_METRIC_ALWAYS("connections_max", "", "max_connections"),
	TEND_METRIC_ALWAYS("connections_percent", "%", "of these, in use"),
	TEND_METRIC_OF("connections_state", "", "sessions of clients by their state"),
	TEND_METRIC_ALWAYS("blocked", "", "sessions that wait for another one's lock"),
	TEND_METRIC_ALWAYS("longest_block_seconds", "s", "how long the first of them has waited"),
	TEND_METRIC_ALWAYS(
		"longest_transaction_seconds", "s", "age of the oldest open transaction"),
	TEND_METRIC_ALWAYS("idle_transaction_seconds", "s",
		"how long a session has done nothing within its transaction"),
	TEND_METRIC_ALWAYS("in_recovery", "", "1: it is a standby"),
	TEND_METRIC_ALWAYS("standbys", "", "standbys that stream from this server"),
	TEND_METRIC_OF("replication_lag_bytes", "B", "WAL that a standby has yet to replay"),
	TEND_METRIC_OF("replication_lag_seconds", "s", "how far a standby's replay is behind"),
	TEND_METRIC_OF("slot_retained_bytes", "B", "WAL that is kept for a replication slot"),
	TEND_METRIC("replay_lag_bytes", "B", "on a standby: WAL received and not yet replayed"),
	TEND_METRIC("replay_lag_seconds", "s",
		"on a standby: age of the last transaction replayed, 0 when it has all"),
	TEND_METRIC_ALWAYS(
		"archive_failures", "", "failed tries to archive WAL since the counter's start"),
	TEND_METRIC_ALWAYS("archive_failing", "", "1: the last try failed"),
	TEND_METRIC("archive_age_seconds", "s", "since WAL was last archived; grows while idle"),
	TEND_METRIC_ALWAYS(
		"wraparound_percent", "%", "oldest transaction: of autovacuum_freeze_max_age"),
	TEND_METRIC_ALWAYS("wraparound_limit_percent", "%", "the same: of 2^31, where writes end"),
	TEND_METRIC_ALWAYS("wraparound_multixact_percent", "%",
		"oldest multixact: of autovacuum_multixact_freeze_max_age"),
	TEND_METRIC_ALWAYS("dead_rows", "", "rows of this database that vacuum has yet to remove"),
	TEND_METRIC_OF("dead_percent", "%",
		"their share; the five worst tables with at least 1,000 are instances"),
	TEND_METRIC("cache_hit_percent", "%",
		"blocks found in shared_buffers since the attempt before"),
	TEND_METRIC_OF("statement_mean_seconds", "s",
		"mean time of all statements; the five slowest are instances by their queryid"),
	TEND_METRIC_ALWAYS("unused_indexes", "", "indexes never used that enforce nothing"),
	TEND_METRIC_ALWAYS("unused_index_bytes", "B", "their size"),
	TEND_METRIC_ALWAYS(
		"missing_indexes", "", "big tables that are mostly read from end to end"),
	{0},
};

const char *postgres_metric_unit(const char *name)
{
	for (const struct tend_metric_doc *m = metric_docs; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m->unit;
	return "";
}

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_DNS_FAILED, "the host's name does not resolve"},
	{TEND_REASON_CONNECT_REFUSED, "nothing listens on the port"},
	{TEND_REASON_CONNECT_TIMEOUT, "the host does not answer"},
	{TEND_REASON_CONNECT_FAILED, "the network says no otherwise"},
	{TEND_REASON_TLS_EXPIRED, "the server's certificate has expired"},
	{TEND_REASON_TLS_UNTRUSTED, "it is not trusted"},
	{TEND_REASON_TLS_NAME, "it is for another name"},
	{TEND_REASON_TLS_FAILED, "the TLS handshake failed"},
	{TEND_REASON_AUTH_FAILED, "role or password is refused, or pg_hba.conf has no entry"},
	{TEND_REASON_DATABASE_MISSING, "there is no database of this name"},
	{TEND_REASON_ACCESS_DENIED,
		"the role may not read what is asked for, or a look needs pg_monitor"},
	{TEND_REASON_OBJECT_MISSING, "a table, column or function of the query does not exist"},
	{TEND_REASON_CONNECTIONS_FULL, "no connection is free for the role, or for others"},
	{TEND_REASON_STARTING, "the server starts, recovers or shuts down"},
	{TEND_REASON_LOCKED, "the query waits for a lock; or somebody does, beyond max_lock_wait"},
	{TEND_REASON_REPLICATION_BROKEN,
		"a slot has no consumer, or a standby does not receive or replay"},
	{TEND_REASON_READ_ONLY, "the server takes no writes"},
	{TEND_REASON_TOO_SLOW, "the server is silent, or the query takes too long"},
	{TEND_REASON_QUERY_FAILED, "the query fails for another reason"},
	{TEND_REASON_CONTENT_UNEXPECTED,
		"the row is not what `expect` says, or there is not one row"},
	{TEND_REASON_PROTOCOL, "what answers is not PostgreSQL"},
	{0},
};

static const struct tend_probe postgres_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "postgres",
	.doc = "Logs in to a PostgreSQL server, runs a query and judges its row, or looks at the "
	       "server's state.",
	.options = postgres_options,
	.conf_size = sizeof(struct postgres_conf),
	.check = postgres_conf_check,
	.start = postgres_start,
	.cancel = postgres_cancel,
	.call = postgres_call,
	.metrics = postgres_metrics,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "hostaddr = 127.0.0.1\ndbname = crm\nuser = tend_read\npassword = "
		   "file:/etc/tend/secrets/db-read\nlook = connections, blocked, transactions, "
		   "replication, archiving, wraparound\nwarning.connections_percent = 80\n"
		   "critical.idle_transaction_seconds = 600\n"
		   "critical.archive_failing = 0\nwarning.wraparound_percent = 120\n",
};
TEND_PROBE(postgres, &postgres_probe);
