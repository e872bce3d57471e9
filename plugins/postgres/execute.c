/* SPDX-License-Identifier: MIT */
/*
 * The verb sql.execute: one statement of the executor's manifest in a transaction of its own that
 * is rolled back when it changed more rows than it may; or outside of one, for what cannot be in
 * one. Whether it happened is said exactly: before COMMIT is sent nothing has, whatever breaks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "postgres.h"
#include "rows.h"
#include "session.h"

enum { MAX_RETURNED = 100 };

enum phase { PHASE_SETTING, PHASE_BEGIN, PHASE_STATEMENT, PHASE_COMMIT, PHASE_ROLLBACK };

struct execution {
	char *sql;
	int n_params;
	char *params[ROWS_MAX_PARAMS];
	json_int_t max_rows; /* 0 = any */
	long long lock_timeout_msec;
	bool transaction;
	enum phase phase;
	uint64_t n_affected;
	bool truncated;
	struct rows rows;
};

static void execution_free(void *owner)
{
	struct execution *e = owner;

	if (!e)
		return;
	for (int i = 0; i < e->n_params; i++)
		free(e->params[i]);
	rows_clear(&e->rows);
	free(e->sql);
	free(e);
}

static int take_args(struct execution *e, const json_t *args)
{
	const char *sql = json_string_value(json_object_get(args, "sql"));
	const json_t *params = json_object_get(args, "params");
	const json_t *lock_timeout = json_object_get(args, "lock_timeout_msec");

	e->max_rows = json_integer_value(json_object_get(args, "max_rows"));
	e->lock_timeout_msec = json_integer_value(lock_timeout);
	e->transaction = json_is_true(json_object_get(args, "transaction"));
	if (!sql || !json_is_array(params) || json_array_size(params) > ROWS_MAX_PARAMS ||
		e->max_rows < 0 || e->lock_timeout_msec < 1 || e->lock_timeout_msec > 3600000 ||
		(!e->transaction && e->max_rows > 0))
		return -EINVAL;
	e->sql = strdup(sql);
	if (!e->sql)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(params); i++) {
		int r = rows_param(json_array_get(params, i), &e->params[i]);

		if (r < 0)
			return r;
		e->n_params++;
	}
	return rows_init(&e->rows, MAX_RETURNED);
}

/* ---- the way ------------------------------------------------------------------------------- */

static bool nothing_done(const struct execution *e)
{
	if (e->phase == PHASE_STATEMENT)
		return e->transaction;
	return e->phase != PHASE_COMMIT;
}

static void finish_badly(
	struct session *s, const struct execution *e, enum tend_reason reason, const char *text)
{
	tend_attempt_outcome(
		session_attempt(s), json_pack("{s:b}", "nothing_done", nothing_done(e)));
	session_finish(s, reason, text);
}

static bool ask(struct session *s, struct execution *e, enum phase phase, const char *sql)
{
	bool statement = phase == PHASE_STATEMENT;

	e->phase = phase;
	if (session_query(s, sql, statement ? e->n_params : 0, (const char *const *)e->params) == 0)
		return true;
	finish_badly(s, e, TEND_REASON_PROTOCOL, "the statement cannot be sent");
	return false;
}

static bool execute_connected(struct session *s, void *owner)
{
	struct execution *e = owner;
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "SET lock_timeout = %lld", e->lock_timeout_msec);
	return ask(s, e, PHASE_SETTING, sql);
}

static bool execute_result(struct session *s, const PGresult *result, void *owner)
{
	struct execution *e = owner;
	int r;

	if (e->phase != PHASE_STATEMENT)
		return true;
	r = rows_take(&e->rows, result);
	if (r == -ENOBUFS)
		e->truncated = true; /* it goes on: what it changes counts */
	else if (r < 0) {
		finish_badly(s, e, TEND_REASON_INTERNAL, "no memory for the rows");
		return false;
	}
	/* libpq takes no const here, and changes nothing. */
	if (PQresultStatus(result) != PGRES_SINGLE_TUPLE)
		e->n_affected = strtoull(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
	return true;
}

static bool after_statement(struct session *s, struct execution *e)
{
	if (e->max_rows > 0 && e->n_affected > (uint64_t)e->max_rows)
		return ask(s, e, PHASE_ROLLBACK, "ROLLBACK");
	return ask(s, e, PHASE_COMMIT, "COMMIT");
}

static bool finish_well(struct session *s, const struct execution *e)
{
	char text[64];
	json_t *outcome = json_pack("{s:I, s:O, s:O, s:b}", "affected", (json_int_t)e->n_affected,
		"columns", e->rows.columns, "rows", e->rows.rows, "truncated", e->truncated);

	if (outcome)
		tend_attempt_outcome(session_attempt(s), outcome);
	(void)snprintf(text, sizeof(text), "%" PRIu64 " rows affected", e->n_affected);
	session_finish(s, TEND_REASON_OK, text);
	return false;
}

static bool execute_done(struct session *s, void *owner)
{
	struct execution *e = owner;
	char text[128];

	switch (e->phase) {
	case PHASE_SETTING:
		return e->transaction ? ask(s, e, PHASE_BEGIN, "BEGIN")
				      : ask(s, e, PHASE_STATEMENT, e->sql);
	case PHASE_BEGIN:
		return ask(s, e, PHASE_STATEMENT, e->sql);
	case PHASE_STATEMENT:
		return e->transaction ? after_statement(s, e) : finish_well(s, e);
	case PHASE_COMMIT:
		return finish_well(s, e);
	default:
		(void)snprintf(text, sizeof(text),
			"it would have changed %" PRIu64
			" rows, at most %lld are allowed: rolled back",
			e->n_affected, (long long)e->max_rows);
		finish_badly(s, e, TEND_REASON_QUERY_FAILED, text);
		return false;
	}
}

/* A server that is being stopped, or is broken, may say so after it has committed. */
static bool leaves_open(const char *sqlstate)
{
	return strncmp(sqlstate, "57", 2) == 0 || strncmp(sqlstate, "58", 2) == 0 ||
	       strncmp(sqlstate, "XX", 2) == 0 || strncmp(sqlstate, "08", 2) == 0;
}

static void execute_failed(
	struct session *s, enum tend_reason reason, const char *text, void *owner)
{
	const struct execution *e = owner;

	if (!nothing_done(e) && reason == TEND_REASON_QUERY_FAILED &&
		leaves_open(session_sqlstate(s)))
		reason = TEND_REASON_PROTOCOL;
	finish_badly(s, e, reason, text);
}

static const struct session_handlers handlers = {
	.connected = execute_connected,
	.result = execute_result,
	.done = execute_done,
	.failed = execute_failed,
	.free_owner = execution_free,
};

int postgres_execute_start(
	struct tend_attempt *a, const struct postgres_conf *conf, const struct json_t *args)
{
	struct execution *e = calloc(1, sizeof(*e));
	int r = e ? take_args(e, args) : -ENOMEM;

	if (r == 0)
		return session_start(a, conf, &handlers, e);
	execution_free(e);
	tend_attempt_finish(a, TEND_REASON_INTERNAL, "sql.execute: wrong arguments");
	return 0;
}
