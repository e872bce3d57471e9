/* SPDX-License-Identifier: MIT */
/*
 * The verbs: sql.query, one statement in a read-only transaction, and sql.terminate_backend. That a
 * query can change nothing is the role's doing: a read-only transaction does not keep it from
 * calling pg_terminate_backend().
 */
#include "postgres.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"

enum { MAX_ROWS = 1000, DEFAULT_ROWS = 100, MAX_BYTES = 512 << 10, MAX_PARAMS = 32 };

/* Of pg_type.h: part of the protocol, they never change. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_OID = 26,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802,
};

struct call {
	char *sql;
	bool terminate;
	bool began; /* BEGIN was sent */
	int n_params;
	char *params[MAX_PARAMS]; /* NULL: null */
	size_t max_rows, n_bytes;
	json_t *columns, *rows;
	bool truncated;
};

static void call_free(void *owner)
{
	struct call *c = owner;

	if (!c)
		return;
	for (int i = 0; i < c->n_params; i++)
		free(c->params[i]);
	json_decref(c->columns);
	json_decref(c->rows);
	free(c->sql);
	free(c);
}

/* ---- arguments
 * ------------------------------------------------------------------------------------- */

/* A scalar as PostgreSQL reads it. */
static int param_text(const json_t *value, char **ret_text)
{
	char *text = NULL;

	if (json_is_null(value)) {
		*ret_text = NULL;
		return 0;
	}
	if (json_is_string(value))
		text = strdup(json_string_value(value));
	else if (json_is_boolean(value))
		text = strdup(json_is_true(value) ? "true" : "false");
	else if (json_is_number(value))
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	else
		return -EINVAL;
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

static int take_params(struct call *c, const json_t *params)
{
	if (!params)
		return 0;
	if (!json_is_array(params) || json_array_size(params) > MAX_PARAMS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(params); i++) {
		int r = param_text(json_array_get(params, i), &c->params[i]);
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
	c->max_rows = DEFAULT_ROWS;
	if (max_rows) {
		json_int_t n = json_integer_value(max_rows);
		if (!json_is_integer(max_rows) || n < 1 || n > MAX_ROWS)
			return -EINVAL;
		c->max_rows = (size_t)n;
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
	c->max_rows = 1;
	c->sql = strdup("select pg_terminate_backend(pid) from pg_stat_activity"
			" where pid = $1::int and backend_start = $2::timestamptz");
	if (!c->sql || param_text(pid, &c->params[0]) < 0)
		return -ENOMEM;
	c->n_params = 1;
	if (param_text(start, &c->params[1]) < 0)
		return -ENOMEM;
	c->n_params = 2;
	return 0;
}

/* ---- the answer
 * ------------------------------------------------------------------------------------- */

static json_t *real_value(const char *text)
{
	char *end = NULL;
	double value = strtod(text, &end);

	return end != text && !*end && isfinite(value) ? json_real(value) : json_string(text);
}

static json_t *cell(const PGresult *result, int column)
{
	const char *text = PQgetvalue(result, 0, column);
	json_t *value = NULL;

	if (PQgetisnull(result, 0, column))
		return json_null();
	switch (PQftype(result, column)) {
	case OID_BOOL:
		return json_boolean(text[0] == 't');
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_OID:
		return json_integer(strtoll(text, NULL, 10));
	case OID_FLOAT4:
	case OID_FLOAT8:
	case OID_NUMERIC:
		value = real_value(text);
		break;
	case OID_JSON:
	case OID_JSONB:
		value = json_loads(text, JSON_DECODE_ANY, NULL);
		break;
	default:
		break;
	}
	if (!value)
		value = json_string(text);
	return value ? value : json_string("(no UTF-8)");
}

static int take_columns(struct call *c, const PGresult *result)
{
	if (c->columns)
		return 0;
	c->columns = json_array();
	for (int i = 0; i < PQnfields(result); i++)
		if (json_array_append_new(c->columns, json_string(PQfname(result, i))) < 0)
			return -ENOMEM;
	return 0;
}

static size_t row_bytes(const PGresult *result)
{
	size_t n = 0;

	for (int i = 0; i < PQnfields(result); i++)
		n += (size_t)PQgetlength(result, 0, i) + 8;
	return n;
}

static int take_row(struct call *c, const PGresult *result)
{
	json_t *row = json_array();

	for (int i = 0; i < PQnfields(result); i++) {
		if (json_array_append_new(row, cell(result, i)) < 0) {
			json_decref(row);
			return -ENOMEM;
		}
	}
	return json_array_append_new(c->rows, row);
}

static void finish_call(struct session *s, struct call *c)
{
	struct tend_attempt *a = session_attempt(s);
	json_t *outcome;
	char text[64];

	if (c->terminate)
		outcome = json_pack("{s:b}", "terminated",
			json_is_true(json_array_get(json_array_get(c->rows, 0), 0)));
	else
		outcome = json_pack("{s:O, s:O, s:b}", "columns", c->columns, "rows", c->rows,
			"truncated", c->truncated);
	if (!outcome) {
		session_finish(s, TEND_REASON_INTERNAL, "no memory for the rows");
		return;
	}
	tend_attempt_outcome(a, outcome);
	(void)snprintf(text, sizeof(text), "%zu rows", json_array_size(c->rows));
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
	r = take_columns(c, result);
	if (r == 0 && PQntuples(result) > 0) {
		c->n_bytes += row_bytes(result);
		if (json_array_size(c->rows) == c->max_rows || c->n_bytes > MAX_BYTES) {
			/* Enough: the rest is dropped with the connection. */
			c->truncated = true;
			finish_call(s, c);
			return false;
		}
		r = take_row(c, result);
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
	struct call *c = calloc(1, sizeof(*c));
	int r = -ENOTSUP;

	if (!c)
		return -ENOMEM;
	c->rows = json_array();
	if (strcmp(method, "sql.query") == 0)
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
