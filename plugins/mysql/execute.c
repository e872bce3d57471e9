/* SPDX-License-Identifier: MIT */
/*
 * The verb sql.execute: one statement of the executor's manifest in a transaction of its own that
 * is rolled back when it changed more rows than it may; or outside of one, for what cannot be in
 * one. Whether it happened is said exactly: a statement that commits by itself (DDL), and a table
 * that knows no transactions, count as done.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

enum { MAX_RETURNED = 100 };

struct execution {
	char *sql;
	struct params params;
	json_int_t max_rows; /* 0 = any */
	json_int_t lock_timeout_msec;
	bool transaction;
	uint64_t n_affected;
	struct rows rows;
};

static int take_args(struct execution *e, const json_t *args)
{
	const char *sql = json_string_value(json_object_get(args, "sql"));
	const json_t *params = json_object_get(args, "params");
	unsigned char order[PLACEHOLDERS_MAX];
	int r;

	e->max_rows = json_integer_value(json_object_get(args, "max_rows"));
	e->lock_timeout_msec = json_integer_value(json_object_get(args, "lock_timeout_msec"));
	e->transaction = json_is_true(json_object_get(args, "transaction"));
	if (!sql || !json_is_array(params) || json_array_size(params) > ROWS_MAX_PARAMS ||
		e->max_rows < 0 || e->lock_timeout_msec < 1 || e->lock_timeout_msec > 3600000 ||
		(!e->transaction && e->max_rows > 0))
		return -EINVAL;
	r = myprobe_placeholders(sql, json_array_size(params), &e->sql, order);
	if (r >= 0)
		r = params_take(&e->params, params, order, r);
	return r < 0 ? r : rows_init(&e->rows, MAX_RETURNED);
}

static void say_nothing_done(struct session *s, bool nothing_done)
{
	tend_attempt_outcome(s->attempt, json_pack("{s:b}", "nothing_done", nothing_done));
}

static void finish_well(struct session *s, const struct execution *e)
{
	json_t *outcome = json_pack("{s:I, s:O, s:O, s:b}", "affected", (json_int_t)e->n_affected,
		"columns", e->rows.columns, "rows", e->rows.rows, "truncated", e->rows.truncated);

	if (outcome)
		tend_attempt_outcome(s->attempt, outcome);
	session_end(s, TEND_REASON_OK, "%" PRIu64 " rows affected", e->n_affected);
}

static bool in_transaction(const struct session *s)
{
	unsigned status = 0;

	(void)mariadb_get_infov(s->mysql, MARIADB_CONNECTION_SERVER_STATUS, &status);
	return (status & SERVER_STATUS_IN_TRANS) != 0;
}

/* Did all of it go back? A table without transactions keeps what was done, with a warning. */
static bool roll_back(struct session *s)
{
	return session_try(s, "ROLLBACK") == 0 && mysql_warning_count(s->mysql) == 0;
}

/* A server that is being stopped, or is lost, may have done it. */
static bool leaves_open(unsigned number)
{
	return number == 1053 || number == 1317 || number == 1927 ||
	       (number >= 2000 && number <= 2999);
}

static void fail_statement(struct session *s, const struct execution *e, MYSQL_STMT *stmt)
{
	struct session_error error;
	bool lost;

	session_stmt_error(s, stmt, &error); /* a rollback has its own */
	lost = s->timed_out || leaves_open(error.number);
	/* Nobody knows of what kind the tables are: a lost connection leaves it open, and so does
	 * what failed on its way without a transaction. */
	say_nothing_done(s, !lost && (!e->rows.begun || (e->transaction && (!in_transaction(s) ||
										   roll_back(s)))));
	if (lost && !s->timed_out)
		session_end(s, TEND_REASON_PROTOCOL, "%s (error %u): it may have happened",
			error.text, error.number);
	else
		session_fail_error(s, &error);
}

static void conclude(struct session *s, const struct execution *e)
{
	if (!e->transaction) {
		finish_well(s, e);
		return;
	}
	if (e->max_rows > 0 && e->n_affected > (uint64_t)e->max_rows) {
		bool back = in_transaction(s) && roll_back(s);

		say_nothing_done(s, back);
		session_end(s, TEND_REASON_QUERY_FAILED,
			"it would have changed %" PRIu64 " rows, at most %lld are allowed: %s",
			e->n_affected, (long long)e->max_rows,
			back ? "rolled back" : "but it could NOT be rolled back");
		return;
	}
	say_nothing_done(s, false); /* until COMMIT has answered nobody knows */
	if (session_do(s, "COMMIT"))
		finish_well(s, e);
}

static bool prepare(struct session *s, const struct execution *e)
{
	unsigned sec = (unsigned)((e->lock_timeout_msec + 999) / 1000);
	char sql[120];

	(void)snprintf(sql, sizeof(sql),
		"SET SESSION lock_wait_timeout = %u, innodb_lock_wait_timeout = %u", sec, sec);
	say_nothing_done(s, true);
	return session_do(s, sql) && (!e->transaction || session_do(s, "START TRANSACTION"));
}

static void run(struct session *s, struct execution *e)
{
	MYSQL_STMT *stmt;
	bool failed = false;

	if (!prepare(s, e))
		return;
	s->query_started = 0;
	stmt = mysql_stmt_init(s->mysql);
	if (!stmt) {
		session_end(s, TEND_REASON_INTERNAL, "no memory");
		return;
	}
	say_nothing_done(s, false);
	if (rows_run(s, stmt, e->sql, &e->params, ROWS_ALL, &e->rows, &failed)) {
		e->n_affected = mysql_stmt_field_count(stmt) ? json_array_size(e->rows.rows)
							     : mysql_stmt_affected_rows(stmt);
		mysql_stmt_close(stmt);
		conclude(s, e);
		return;
	}
	if (failed)
		fail_statement(s, e, stmt);
	if (s->timed_out)
		(void)shutdown(mysql_get_socket(s->mysql), SHUT_RDWR);
	mysql_stmt_close(stmt);
}

void myprobe_execute(struct session *s, const struct json_t *args)
{
	struct execution e = {0};

	if (take_args(&e, args) < 0)
		session_end(s, TEND_REASON_INTERNAL, "sql.execute: wrong arguments");
	else
		run(s, &e);
	params_clear(&e.params);
	rows_clear(&e.rows);
	free(e.sql);
}
