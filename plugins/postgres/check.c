/* SPDX-License-Identifier: MIT */
#include "postgres.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "session.h"
#include "sqlkit/first_row.h"

struct check {
	const struct postgres_conf *conf;
	bool has_row;
	struct first_row row;
};

static void keep_first_row(struct first_row *row, const PGresult *result)
{
	for (int i = 0; i < PQnfields(result); i++)
		first_row_column(row, PQfname(result, i),
			PQgetisnull(result, 0, i) ? NULL : PQgetvalue(result, 0, i),
			(size_t)PQgetlength(result, 0, i));
}

static bool check_connected(struct session *s, void *owner)
{
	struct check *c = owner;

	if (!c->conf->query) {
		char text[64];
		(void)snprintf(text, sizeof(text), "logged in within %.3f s",
			(double)session_connect_usec(s) / (double)USEC_PER_SEC);
		session_finish(s, TEND_REASON_OK, text);
		return false;
	}
	if (session_query(s, c->conf->query, 0, NULL) < 0) {
		session_finish(s, TEND_REASON_PROTOCOL, "the query cannot be sent");
		return false;
	}
	return true;
}

static bool check_result(struct session *s, const PGresult *result, void *owner)
{
	struct check *c = owner;

	if (PQntuples(result) == 0)
		return true;
	if (!c->has_row) {
		keep_first_row(&c->row, result);
		c->has_row = true;
	} else if (first_row_is_judged(&c->row)) {
		session_finish(s, TEND_REASON_CONTENT_UNEXPECTED, FIRST_ROW_TOO_MANY);
		return false;
	}
	return true;
}

static bool check_done(struct session *s, void *owner)
{
	const struct check *c = owner;
	char text[FIRST_ROW_TEXT_BYTES];
	enum tend_reason reason = first_row_conclude(&c->row, session_attempt(s), text);

	session_finish(s, reason, text);
	return false;
}

static void check_failed(struct session *s, enum tend_reason reason, const char *text, void *owner)
{
	session_finish(s, reason, text);
}

static const struct session_handlers handlers = {
	.connected = check_connected,
	.result = check_result,
	.done = check_done,
	.failed = check_failed,
	.free_owner = free,
};

int postgres_check_start(struct tend_attempt *a, const struct postgres_conf *conf)
{
	struct check *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->conf = conf;
	c->row = (struct first_row){
		.expect = conf->expect, .metric = conf->metric, .t_is_true = true};
	return session_start(a, conf, &handlers, c);
}
