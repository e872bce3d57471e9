/* SPDX-License-Identifier: MIT */
/*
 * The verb sql.query: one statement that gives rows, in a read-only session, with parameters. That
 * it can change nothing else is the role's doing: a function may do more than read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

enum { DEFAULT_ROWS = 100 };

struct query {
	char *sql;
	struct params params;
	struct rows rows;
};

static int take_args(struct query *q, const json_t *args)
{
	const char *sql = json_string_value(json_object_get(args, "sql"));
	const json_t *max_rows = json_object_get(args, "max_rows");
	const json_t *params = json_object_get(args, "params");
	json_int_t n = max_rows ? json_integer_value(max_rows) : DEFAULT_ROWS;
	unsigned char order[PLACEHOLDERS_MAX];
	int r;

	if (!sql || n < 1 || n > ROWS_MAX || (params && !json_is_array(params)) ||
		json_array_size(params) > ROWS_MAX_PARAMS)
		return -EINVAL;
	r = rows_init(&q->rows, (size_t)n);
	if (r < 0)
		return r;
	r = myprobe_placeholders(sql, json_array_size(params), &q->sql, order);
	return r < 0 ? r : params_take(&q->params, params, order, r);
}

static void finish(struct session *s, const struct query *q)
{
	json_t *outcome = json_pack("{s:O, s:O, s:b}", "columns", q->rows.columns, "rows",
		q->rows.rows, "truncated", q->rows.truncated);

	if (!outcome) {
		session_end(s, TEND_REASON_INTERNAL, "no memory for the rows");
		return;
	}
	tend_attempt_outcome(s->attempt, outcome);
	session_end(s, TEND_REASON_OK, "%zu rows", json_array_size(q->rows.rows));
}

static void run_query(struct session *s, struct query *q)
{
	MYSQL_STMT *stmt;

	/* Of the session: a transaction alone lets DROP TABLE through. */
	if (!session_do(s, "SET SESSION TRANSACTION READ ONLY"))
		return;
	s->query_started = 0;
	stmt = mysql_stmt_init(s->mysql);
	if (!stmt) {
		session_end(s, TEND_REASON_INTERNAL, "no memory");
		return;
	}
	if (rows_run(s, stmt, q->sql, &q->params, ROWS_ONLY, &q->rows, NULL))
		finish(s, q);
	/* A result that was not read to its end is not waited for: the connection goes first. */
	if (s->timed_out)
		(void)shutdown(mysql_get_socket(s->mysql), SHUT_RDWR);
	mysql_stmt_close(stmt);
}

void myprobe_call(struct session *s, const char *method, const struct json_t *args)
{
	struct query q = {0};

	if (strcmp(method, "sql.execute") == 0) {
		myprobe_execute(s, args);
		return;
	}
	if (strcmp(method, "sql.query") != 0)
		session_end(s, TEND_REASON_INTERNAL, "%s: mysql knows no such verb", method);
	else if (take_args(&q, args) < 0)
		session_end(s, TEND_REASON_INTERNAL, "%s: wrong arguments", method);
	else
		run_query(s, &q);
	params_clear(&q.params);
	rows_clear(&q.rows);
	free(q.sql);
}
