/* SPDX-License-Identifier: MIT */
/*
 * The verbs sql.query, one statement in a read-only transaction, and sql.terminate_backend
 * (sql.execute is in execute.c). That a query can change nothing is the role's doing: a read-only
 * transaction does not keep it from calling pg_terminate_backend().
 */
#include "postgres.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"
#include "session.h"

enum { DEFAULT_ROWS = 100 };

struct call {
	char *sql;
	bool terminate;
	bool began; /* BEGIN was sent */
	int n_params;
	char *params[ROWS_MAX_PARAMS]; /* NULL: null */
	struct rows rows;
	bool truncated;
};

static void call_free(void *owner)
{
	struct call *c = owner;

	if (!c)
		return;
	for (int i = 0; i < c->n_params; i++)
		free(c->params[i]);
	rows_clear(&c->rows);
	free(c->sql);
	free(c);
}

/* ---- arguments
 * ------------------------------------------------------------------------------------- */

static int take_params(struct call *c, const json_t *params)
{
	if (!params)
		return 0;
	if (!json_is_array(params) || json_array_size(params) > ROWS_MAX_PARAMS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(params); i++) {
		int r = rows_param(json_array_get(params, i), &c->params[i]);
		if (r < 0)
			return r;
		c->n_params++;
	}
	return 0;
}

static int take_query(struct call *c, const json_t *args)
{
	const char *sql = json_string_value(json_object_get(args, "sql"));
	const json_t *max_rows = json_object_get(args, "max_rows");

	if (!sql)
		return -EINVAL;
	if (max_rows) {
		json_int_t n = json_integer_value(max_rows);
		if (!json_is_integer(max_rows) || n < 1 || n > ROWS_MAX)
			return -EINVAL;
		c->rows.max = (size_t)n;
	}
	c->sql = strdup(sql);
	if (!c->sql)
		return -ENOMEM;
	return take_params(c, json_object_get(args, "params"));
}

/* By the start of the backend as well as by its number, which the system uses again. */
static int take_terminate(struct call *c, const json_t *args)
{
	const json_t *pid = json_object_get(args, "pid");
	const json_t *start = json_object_get(args, "backend_start");

	if (!json_is_integer(pid) || json_integer_value(pid) <= 0 || !json_is_string(start))
		return -EINVAL;
	c->terminate = true;
	c->rows.max = 1;
	c->sql = strdup("select pg_terminate_backend(pid) from pg_stat_activity"
			" where pid = $1::int and backend_start = $2::timestamptz");
	if (!c->sql || rows_param(pid, &c->params[0]) < 0)
		return -ENOMEM;
	c->n_params = 1;
	if (rows_param(start, &c->params[1]) < 0)
		return -ENOMEM;
	c->n_params = 2;
	return 0;
}

/* ---- the answer
 * ------------------------------------------------------------------------------------- */

static void finish_call(struct session *s, struct call *c)
{
	struct tend_attempt *a = session_attempt(s);
	json_t *outcome;
	char text[64];

	if (c->terminate)
		outcome = json_pack("{s:b}", "terminated",
			json_is_true(json_array_get(json_array_get(c->rows.rows, 0), 0)));
	else
		outcome = json_pack("{s:O, s:O, s:b}", "columns", c->rows.columns, "rows",
			c->rows.rows, "truncated", c->truncated);
	if (!outcome) {
		session_finish(s, TEND_REASON_INTERNAL, "no memory for the rows");
		return;
	}
	tend_attempt_outcome(a, outcome);
	(void)snprintf(text, sizeof(text), "%zu rows", json_array_size(c->rows.rows));
	session_finish(s, TEND_REASON_OK, text);
}

static bool call_connected(struct session *s, void *owner)
{
	struct call *c = owner;

	/* pg_terminate_backend() needs no transaction, and none is to stand while it waits. */
	const char *sql = c->terminate ? c->sql : "BEGIN READ ONLY";
	int n = c->terminate ? c->n_params : 0;
	c->began = !c->terminate;
	if (session_query(s, sql, n, (const char *const *)c->params) < 0) {
		session_finish(s, TEND_REASON_PROTOCOL, "the query cannot be sent");
		return false;
	}
	return true;
}

static bool call_result(struct session *s, const PGresult *result, void *owner)
{
	struct call *c = owner;
	int r;

	if (c->began)
		return true; /* of BEGIN */
	r = rows_take(&c->rows, result);
	if (r == -ENOBUFS) {
		/* Enough: the rest is dropped with the connection. */
		c->truncated = true;
		finish_call(s, c);
		return false;
	}
	if (r < 0) {
		session_finish(s, TEND_REASON_INTERNAL, "no memory for the rows");
		return false;
	}
	return true;
}

static bool call_done(struct session *s, void *owner)
{
	struct call *c = owner;

	if (!c->began) {
		finish_call(s, c);
		return false;
	}
	c->began = false;
	if (session_query(s, c->sql, c->n_params, (const char *const *)c->params) < 0) {
		session_finish(s, TEND_REASON_PROTOCOL, "the query cannot be sent");
		return false;
	}
	return true;
}

static void call_failed(struct session *s, enum tend_reason reason, const char *text, void *owner)
{
	session_finish(s, reason, text);
}

static const struct session_handlers handlers = {
	.connected = call_connected,
	.result = call_result,
	.done = call_done,
	.failed = call_failed,
	.free_owner = call_free,
};

int postgres_call_start(struct tend_attempt *a, const struct postgres_conf *conf,
	const char *method, const struct json_t *args)
{
	struct call *c;
	int r = -ENOTSUP;

	if (strcmp(method, "sql.execute") == 0)
		return postgres_execute_start(a, conf, args);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (rows_init(&c->rows, DEFAULT_ROWS) < 0)
		r = -ENOMEM;
	else if (strcmp(method, "sql.query") == 0)
		r = take_query(c, args);
	else if (strcmp(method, "sql.terminate_backend") == 0)
		r = take_terminate(c, args);
	if (r == 0)
		return session_start(a, conf, &handlers, c);
	call_free(c);
	tend_attempt_finish(a, TEND_REASON_INTERNAL, "%s: %s", method,
		r == -ENOTSUP ? "postgres knows no such verb" : "wrong arguments");
	return 0;
}
