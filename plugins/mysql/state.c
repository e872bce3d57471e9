/* SPDX-License-Identifier: MIT */
/* A look at the server: connections, transactions, locks, replication, rates. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"

enum { TEXT_BYTES = 512, MAX_CHANNELS = 32 };

/* Variables of SHOW GLOBAL STATUS; those with a rate are counters. */
enum counter {
	COUNTER_QUERIES,
	COUNTER_SLOW,
	COUNTER_ABORTED_CONNECTS,
	COUNTER_ABORTED_CLIENTS,
	COUNTER_TABLE_LOCKS,
	COUNTER_POOL_READS,
	COUNTER_POOL_REQUESTS,
	GAUGE_CONNECTED,
	GAUGE_RUNNING,
	GAUGE_UPTIME,
	STATUS_MAX,
};
static const struct {
	const char *variable, *rate; /* NULL: no metric of its own */
} status_rows[STATUS_MAX] = {
	[COUNTER_QUERIES] = {"Questions", "queries_rate"},
	[COUNTER_SLOW] = {"Slow_queries", "slow_queries_rate"},
	[COUNTER_ABORTED_CONNECTS] = {"Aborted_connects", "aborted_connects_rate"},
	[COUNTER_ABORTED_CLIENTS] = {"Aborted_clients", "aborted_clients_rate"},
	[COUNTER_TABLE_LOCKS] = {"Table_locks_waited", "table_locks_waited_rate"},
	[COUNTER_POOL_READS] = {"Innodb_buffer_pool_reads", NULL},
	[COUNTER_POOL_REQUESTS] = {"Innodb_buffer_pool_read_requests", NULL},
	[GAUGE_CONNECTED] = {"Threads_connected", NULL},
	[GAUGE_RUNNING] = {"Threads_running", NULL},
	[GAUGE_UPTIME] = {"Uptime", NULL},
};

struct state {
	struct session *session;
	double values[STATUS_MAX];
	bool has[STATUS_MAX];
	double max_connections;
	bool read_only;
	bool no_process, no_waits, no_replication; /* what the user has no right to see */
	double longest_wait;			   /* of a lock of either kind, seconds */
	char blockers[TEXT_BYTES], replication[TEXT_BYTES];
	int n_channels, n_stopped;
};

static void add(struct state *st, const char *name, double value, const char *unit)
{
	(void)tend_attempt_metric(st->session->attempt, name, value, unit);
}

static double number(const char *text)
{
	double value = text ? strtod(text, NULL) : 0;

	return isfinite(value) ? value : 0;
}

/* ---- one row, or all ------------------------------------------------------------------------- */

typedef void (*row_fn)(struct state *st, MYSQL_RES *result, MYSQL_ROW row);

static bool read_rows(struct state *st, row_fn fn)
{
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;

	if (!session_result(st->session, &result))
		return false;
	while (result) {
		if (!session_row(st->session, result, &row))
			return false;
		if (!row)
			break;
		fn(st, result, row);
	}
	if (result)
		session_drop(st->session, result);
	return true;
}

static bool ask(struct state *st, const char *sql, row_fn fn)
{
	return session_query(st->session, sql) && read_rows(st, fn);
}

/* A missing right, or view, is no failure: *ret_missing says so. */
static bool ask_if_allowed(struct state *st, const char *sql, row_fn fn, bool *ret_missing)
{
	unsigned error = session_try(st->session, sql);

	if (error && (myprobe_query_reason(error) == TEND_REASON_ACCESS_DENIED ||
			     myprobe_query_reason(error) == TEND_REASON_OBJECT_MISSING)) {
		*ret_missing = true;
		return true;
	}
	if (error) {
		session_fail(st->session);
		return false;
	}
	return read_rows(st, fn);
}

/* ---- counters -------------------------------------------------------------------------------- */

static void take_status(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	for (int i = 0; i < STATUS_MAX; i++) {
		if (row[0] && strcmp(row[0], status_rows[i].variable) == 0) {
			st->values[i] = number(row[1]);
			st->has[i] = true;
		}
	}
}

static bool read_status(struct state *st)
{
	char sql[600] = "SHOW GLOBAL STATUS WHERE Variable_name IN (";
	size_t n = strlen(sql);

	for (int i = 0; i < STATUS_MAX; i++)
		n += (size_t)snprintf(
			sql + n, sizeof(sql) - n, "%s'%s'", i ? "," : "", status_rows[i].variable);
	(void)snprintf(sql + n, sizeof(sql) - n, ")");
	return ask(st, sql, take_status);
}

static void take_variables(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	st->max_connections = number(row[0]);
	/* 0 and 1, or words, by version */
	st->read_only = row[1] && strcmp(row[1], "0") != 0 && strcmp(row[1], "OFF") != 0;
}

static void pool_hit(struct state *st, const json_t *before, bool usable)
{
	double requests = st->values[COUNTER_POOL_REQUESTS], reads = st->values[COUNTER_POOL_READS];

	if (!st->has[COUNTER_POOL_REQUESTS])
		return;
	if (usable) {
		requests -= json_number_value(
			json_object_get(before, status_rows[COUNTER_POOL_REQUESTS].variable));
		reads -= json_number_value(
			json_object_get(before, status_rows[COUNTER_POOL_READS].variable));
	}
	add(st, "buffer_pool_hit_percent",
		requests > 0 ? 100 * fmax(0, requests - reads) / requests : 100, "%");
}

/* Rates since the attempt before; a server that was started anew begins anew. */
static void add_rates(struct state *st)
{
	const json_t *before = tend_attempt_memory(st->session->attempt);
	double now = (double)tend_now() / (double)USEC_PER_SEC;
	double seconds = now - json_number_value(json_object_get(before, "at"));
	bool usable = before && seconds > 0.01 &&
		      st->values[GAUGE_UPTIME] >= json_number_value(json_object_get(before,
							  status_rows[GAUGE_UPTIME].variable));
	json_t *memory = json_pack("{s:f}", "at", now);

	for (int i = 0; i < STATUS_MAX; i++) {
		const char *name = status_rows[i].variable;
		double was = json_number_value(json_object_get(before, name));

		if (status_rows[i].rate && usable && st->has[i])
			add(st, status_rows[i].rate, fmax(0, st->values[i] - was) / seconds, "");
		(void)json_object_set_new(memory, name, json_real(st->values[i]));
	}
	pool_hit(st, before, usable);
	(void)tend_attempt_remember(st->session->attempt, memory);
}

static void add_connections(struct state *st)
{
	double connected = st->values[GAUGE_CONNECTED];

	add(st, "connections", connected, "");
	add(st, "connections_max", st->max_connections, "");
	if (st->max_connections > 0)
		add(st, "connections_percent", 100 * connected / st->max_connections, "%");
	add(st, "threads_running", st->values[GAUGE_RUNNING], "");
	add(st, "uptime_seconds", st->values[GAUGE_UPTIME], "s");
	add(st, "read_only", st->read_only, "");
}

/* ---- transactions and locks ------------------------------------------------------------------ */

static void take_transactions(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	add(st, "longest_transaction_seconds", number(row[0]), "s");
}

static void append(char text[TEXT_BYTES], const char *more)
{
	size_t n = strlen(text), room = TEXT_BYTES - 1 - n, len = strlen(more);

	len = len < room ? len : room;
	memcpy(text + n, more, len);
	text[n + len] = '\0';
}

/* Who waits, the longest wait, the blocker: its number, user, host. */
static void take_lock(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	char text[200];

	st->longest_wait = fmax(st->longest_wait, number(row[1]));
	(void)snprintf(text, sizeof(text), "%sconnection %.20s of %.40s@%.60s (holds up %.10s)",
		st->blockers[0] ? ", " : "", row[2] ? row[2] : "?", row[3] ? row[3] : "?",
		row[4] ? row[4] : "?", row[0] ? row[0] : "?");
	append(st->blockers, text);
}

static void take_lock_totals(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	add(st, "lock_waits", number(row[0]), "");
	add(st, "longest_lock_wait_seconds", number(row[1]), "s");
}

static void take_table_locks(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	char text[120];

	add(st, "table_lock_waits", number(row[0]), "");
	add(st, "longest_table_lock_wait_seconds", number(row[1]), "s");
	st->longest_wait = fmax(st->longest_wait, number(row[1]));
	if (number(row[0]) > 0) {
		(void)snprintf(text, sizeof(text), "%sthe lock of a table (%s waiting)",
			st->blockers[0] ? ", " : "", row[0]);
		append(st->blockers, text);
	}
}

#define WAITERS_MARIADB                                                                            \
	"information_schema.INNODB_LOCK_WAITS w "                                                  \
	"JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id "                  \
	"JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id "
#define WAITERS_MYSQL                                                                              \
	"performance_schema.data_lock_waits w "                                                    \
	"JOIN information_schema.INNODB_TRX r ON r.trx_id = w.REQUESTING_ENGINE_TRANSACTION_ID "   \
	"JOIN information_schema.INNODB_TRX b ON b.trx_id = w.BLOCKING_ENGINE_TRANSACTION_ID "
#define WAITED "TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW())"
#define LOCK_TOTALS(waiters)                                                                       \
	"SELECT COUNT(DISTINCT r.trx_id), COALESCE(MAX(" WAITED "), 0) FROM " waiters
#define LOCK_BLOCKERS(waiters)                                                                     \
	"SELECT COUNT(DISTINCT r.trx_id), MAX(" WAITED "), b.trx_mysql_thread_id, MAX(p.USER), "   \
	"MAX(p.HOST) FROM " waiters                                                                \
	"LEFT JOIN information_schema.PROCESSLIST p ON p.ID = b.trx_mysql_thread_id "              \
	"GROUP BY b.trx_mysql_thread_id ORDER BY 2 DESC LIMIT 5"

#define TABLE_WAITS                                                                                \
	"SELECT COUNT(*), COALESCE(MAX(TIME), 0) FROM information_schema.PROCESSLIST "             \
	"WHERE STATE LIKE 'Waiting for%lock%' AND STATE NOT LIKE '%binlog%'"

static bool read_locks(struct state *st)
{
	bool mariadb = st->session->mariadb;

	/* The list of processes is of the user's own without the privilege: no lock waits there. */
	return ask_if_allowed(st,
		       "SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) "
		       "FROM information_schema.INNODB_TRX",
		       take_transactions, &st->no_process) &&
	       (st->no_process ||
		       (ask_if_allowed(st,
				mariadb ? LOCK_TOTALS(WAITERS_MARIADB) : LOCK_TOTALS(WAITERS_MYSQL),
				take_lock_totals, &st->no_waits) &&
			       (st->no_waits || ask_if_allowed(st,
							mariadb ? LOCK_BLOCKERS(WAITERS_MARIADB)
								: LOCK_BLOCKERS(WAITERS_MYSQL),
							take_lock, &st->no_waits)) &&
			       ask(st, TABLE_WAITS, take_table_locks)));
}

/* ---- replication ----------------------------------------------------------------------------- */

static const char *field(MYSQL_RES *result, MYSQL_ROW row, const char *name, const char *other)
{
	const MYSQL_FIELD *fields = mysql_fetch_fields(result);

	for (unsigned i = 0; i < mysql_num_fields(result); i++)
		if (strcmp(fields[i].name, name) == 0 || strcmp(fields[i].name, other) == 0)
			return row[i];
	return NULL;
}

static void take_channel(struct state *st, MYSQL_RES *result, MYSQL_ROW row)
{
	const char *io = field(result, row, "Slave_IO_Running", "Replica_IO_Running");
	const char *sql = field(result, row, "Slave_SQL_Running", "Replica_SQL_Running");
	const char *lag = field(result, row, "Seconds_Behind_Master", "Seconds_Behind_Source");
	const char *name = field(result, row, "Connection_name", "Channel_Name");
	const char *io_error = field(result, row, "Last_IO_Error", "Last_IO_Error");
	const char *sql_error = field(result, row, "Last_SQL_Error", "Last_SQL_Error");
	bool runs = io && sql && strcmp(io, "Yes") == 0 && strcmp(sql, "Yes") == 0;
	char text[300];

	if (st->n_channels++ >= MAX_CHANNELS)
		return;
	name = name ? name : "";
	(void)tend_attempt_metric_of(st->session->attempt, "replication_running", name, runs, "");
	if (lag)
		(void)tend_attempt_metric_of(
			st->session->attempt, "replication_lag_seconds", name, number(lag), "s");
	if (runs)
		return;
	st->n_stopped++;
	sql_error = sql_error && *sql_error ? sql_error : io_error;
	(void)snprintf(text, sizeof(text),
		"%sreplication%s%.60s does not run (receiving: %.20s, applying: %.10s)%s%.150s",
		st->replication[0] ? "; " : "", *name ? " " : "", name, io ? io : "?",
		sql ? sql : "?", sql_error && *sql_error ? ": " : "", sql_error ? sql_error : "");
	append(st->replication, text);
}

static bool read_replication(struct state *st)
{
	return ask_if_allowed(st,
		st->session->mariadb ? "SHOW ALL SLAVES STATUS" : "SHOW REPLICA STATUS",
		take_channel, &st->no_replication);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static bool judge_replication(struct state *st)
{
	int role = st->session->conf->role;

	if (st->n_stopped > 0)
		session_end(st->session, TEND_REASON_REPLICATION_BROKEN, "%s", st->replication);
	else if (role == ROLE_REPLICA && st->n_channels == 0 && !st->no_replication)
		session_end(st->session, TEND_REASON_REPLICATION_BROKEN,
			"expected a replica, no replication is set up");
	else if (role == ROLE_PRIMARY && st->read_only)
		session_end(st->session, TEND_REASON_READ_ONLY,
			"expected a primary, the server is read-only");
	else
		return true;
	return false;
}

/* The rights that are missing and for what; those that may be go to `ret_unseen`. */
static bool lacks(const struct state *st, char ret_lacks[TEXT_BYTES], char ret_unseen[TEXT_BYTES])
{
	const struct {
		bool missing;
		enum myprobe_sight sight;
		const char *right, *what;
	} rows[] = {
		{st->no_process, SIGHT_LOCKS, "PROCESS", "transactions and locks"},
		{st->no_waits, SIGHT_LOCKS, "SELECT on performance_schema.data_lock_waits",
			"locks of rows"},
		{st->no_replication, SIGHT_REPLICATION,
			st->session->mariadb ? "SLAVE MONITOR (MySQL: REPLICATION CLIENT)"
					     : "REPLICATION CLIENT (MariaDB: SLAVE MONITOR)",
			"replication"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool may = myprobe_may_lack(st->session->conf, rows[i].sight);
		char *text = may ? ret_unseen : ret_lacks;

		if (!rows[i].missing)
			continue;
		append(text, text[0] ? (may ? ", " : "; ") : (may ? "; not seen: " : ""));
		if (!may) {
			append(text, rows[i].right);
			append(text, " for: ");
		}
		append(text, rows[i].what);
	}
	return ret_lacks[0] != '\0';
}

static void judge(struct state *st)
{
	struct session *s = st->session;
	usec_t wait = (usec_t)(st->longest_wait * (double)USEC_PER_SEC);
	char lack[TEXT_BYTES] = "", unseen[TEXT_BYTES] = "";

	if (!judge_replication(st))
		return;
	if (s->conf->max_lock_wait && wait > s->conf->max_lock_wait)
		session_end(s, TEND_REASON_LOCKED, "waiting for a lock since %.0f s, held by %s",
			st->longest_wait, st->blockers);
	else if (lacks(st, lack, unseen))
		session_end(
			s, TEND_REASON_ACCESS_DENIED, "the user %s lacks %s", s->conf->user, lack);
	else
		session_end(s, TEND_REASON_OK, "%.0f of %.0f connections, %.0f running%s%s%s",
			st->values[GAUGE_CONNECTED], st->max_connections, st->values[GAUGE_RUNNING],
			st->blockers[0] ? "; locks: " : "", st->blockers, unseen);
}

void myprobe_state(struct session *s)
{
	struct state st = {.session = s};

	s->query_started = 0;
	if (!read_status(&st) ||
		!ask(&st, "SELECT @@global.max_connections, @@global.read_only", take_variables) ||
		!read_locks(&st) || !read_replication(&st))
		return;
	add_connections(&st);
	add_rates(&st);
	judge(&st);
}
