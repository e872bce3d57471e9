/* SPDX-License-Identifier: MIT */
/* The mysql probe, and the verbs sql.*: what the core sees of this plugin. */
#include "myprobe.h"
#include <string.h>
#include "session.h"

static void myprobe_work(
	struct tend_attempt *a, const void *conf, const char *method, const struct json_t *args)
{
	const struct myprobe_conf *c = conf;
	struct session *s = session_open(a, c);

	if (!s)
		return; /* it has ended the attempt */
	if (method)
		myprobe_call(s, method, args);
	else if (c->query)
		myprobe_check(s);
	else
		myprobe_state(s);
	session_close(s);
}

static const char *myprobe_host(const void *conf)
{
	const struct myprobe_conf *c = conf;

	return c->hostaddr ? c->hostaddr : c->host;
}

/* With metric = * they are the columns of whatever the query gives. */
static size_t myprobe_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const of_state[] = {"connections", "connections_max",
		"connections_percent", "threads_running", "longest_transaction_seconds",
		"lock_waits", "longest_lock_wait_seconds", "table_lock_waits",
		"longest_table_lock_wait_seconds", "replication_running", "replication_lag_seconds",
		"queries_rate", "slow_queries_rate", "aborted_connects_rate",
		"aborted_clients_rate", "table_locks_waited_rate", "buffer_pool_hit_percent",
		"read_only", "uptime_seconds"};
	const struct myprobe_conf *c = conf;
	size_t n = 0;

	if (c->metric && strcmp(c->metric, "*") == 0)
		return 0;
	ret_names[n++] = "total_seconds";
	ret_names[n++] = "connect_seconds";
	ret_names[n++] = "query_seconds";
	if (c->metric)
		ret_names[n++] = c->metric;
	for (size_t i = 0; !c->query && i < sizeof(of_state) / sizeof(of_state[0]); i++)
		ret_names[n++] = of_state[i];
	return n;
}

static const struct tend_metric_doc metric_docs[] = {
	{"total_seconds", "s", "the whole attempt, with the wait for a free tend-work",
		TEND_COMES_ALWAYS},
	{"connect_seconds", "s", "connection, TLS and log-in", TEND_COMES_ALWAYS},
	{"query_seconds", "s", "the query, or all that is asked of the state", TEND_COMES_ALWAYS},
	{"METRIC", "", "with query: what the option metric names, or each numeric column", false},
	{"connections", "", "threads connected", TEND_COMES_ALWAYS},
	{"connections_max", "", "max_connections", TEND_COMES_ALWAYS},
	{"connections_percent", "%", "of these, in use", TEND_COMES_ALWAYS},
	{"threads_running", "", "threads that do something", TEND_COMES_ALWAYS},
	{"longest_transaction_seconds", "s", "age of the oldest open InnoDB transaction", false},
	{"lock_waits", "", "transactions that wait for a row's lock", false},
	{"longest_lock_wait_seconds", "s", "how long the first of them has waited", false},
	{"table_lock_waits", "", "sessions that wait for a table's lock, or its metadata's", false},
	{"longest_table_lock_wait_seconds", "s", "how long the first of them has waited", false},
	{"replication_running", "", "1: both threads run; the instance is the connection's name",
		true},
	{"replication_lag_seconds", "s", "how far it is behind", true},
	{"queries_rate", "", "statements a second since the attempt before", false},
	{"slow_queries_rate", "", "slow statements a second", false},
	{"aborted_connects_rate", "", "failed log-ins a second", false},
	{"aborted_clients_rate", "", "clients a second that went without a word", false},
	{"table_locks_waited_rate", "", "table locks a second that were not free", false},
	{"buffer_pool_hit_percent", "%", "reads of InnoDB pages without the disk", false},
	{"read_only", "", "1: the server takes no writes", TEND_COMES_ALWAYS},
	{"uptime_seconds", "s", "since the server's start", TEND_COMES_ALWAYS},
	{0},
};

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_DNS_FAILED, "the name of the host does not resolve"},
	{TEND_REASON_CONNECT_REFUSED, "nobody listens, also: there is no socket file"},
	{TEND_REASON_CONNECT_TIMEOUT, "no connection in time"},
	{TEND_REASON_CONNECT_FAILED, "no connection for another cause"},
	{TEND_REASON_PROTOCOL, "what answers is no MariaDB or MySQL, or it hung up"},
	{TEND_REASON_TLS_FAILED, "the server offers no TLS, or the handshake failed"},
	{TEND_REASON_TLS_EXPIRED, "its certificate has expired"},
	{TEND_REASON_TLS_UNTRUSTED, "its certificate is of no authority in ca_file"},
	{TEND_REASON_TLS_NAME, "its certificate is for another name"},
	{TEND_REASON_TLS_WEAK, "it speaks old protocols of TLS only"},
	{TEND_REASON_TLS_REVOKED, "its certificate was revoked"},
	{TEND_REASON_AUTH_FAILED, "the log-in was refused, or the account is locked"},
	{TEND_REASON_CONNECTIONS_FULL, "max_connections, or the user's own, are in use"},
	{TEND_REASON_STARTING, "it is being shut down"},
	{TEND_REASON_DATABASE_MISSING, "there is no database dbname"},
	{TEND_REASON_ACCESS_DENIED,
		"the user may not do what is asked for, or not see what may_lack does not name"},
	{TEND_REASON_OBJECT_MISSING, "a table, column or routine is missing"},
	{TEND_REASON_LOCKED, "the query waits for a lock; or somebody does, beyond max_lock_wait"},
	{TEND_REASON_READ_ONLY, "role = primary, and it takes no writes; or the query would write"},
	{TEND_REASON_REPLICATION_BROKEN, "a thread of a replica does not run, or it is none"},
	{TEND_REASON_QUERY_FAILED, "the query failed"},
	{TEND_REASON_CONTENT_UNEXPECTED, "the row is not as expected"},
	{TEND_REASON_NO_EVIDENCE, "no tend-work process was free in time"},
	{0},
};

static const char *const methods[] = {"sql.query", "sql.execute", NULL};

static const struct tend_probe myprobe_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "mysql",
	.doc = "Logs in to a MariaDB or MySQL server and looks at its state, or runs a query and "
	       "judges its row.",
	.options = myprobe_options,
	.conf_size = sizeof(struct myprobe_conf),
	.check = myprobe_conf_check,
	.metrics = myprobe_metrics,
	.work = myprobe_work,
	.work_host = myprobe_host,
	.work_methods = methods,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "host = db.example\nuser = tend_read\n"
		   "password = file:/etc/tend/secrets/db-read\nrole = primary\n"
		   "critical.connections_percent = 90\n",
};
TEND_PROBE(mysql, &myprobe_probe);
