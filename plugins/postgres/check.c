/* SPDX-License-Identifier: MIT */
#include "postgres.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"

enum { MAX_VALUE_BYTES = 512, MAX_COLUMNS = 28 };

struct column {
	char name[32];
	double value;
};
struct check {
	const struct postgres_conf *conf;
	unsigned n_rows; /* 2: more than one */
	int n_columns;
	bool is_null;
	char value[MAX_VALUE_BYTES]; /* first column of the first row, cut */
	size_t value_len;
	size_t n_numbers;
	struct column numbers[MAX_COLUMNS];
	bool first_is_number;
};

static bool parse_number(const char *text, double *ret_value)
{
	char *end = NULL;
	double value;

	if (strcmp(text, "t") == 0 || strcmp(text, "f") == 0) {
		*ret_value = text[0] == 't';
		return true;
	}
	value = strtod(text, &end);
	if (end == text || *end || !isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

/* As metrics are named: a-z, 0-9, _. */
static void metric_name(const char *column, char out[32])
{
	size_t n = 0;

	for (; column[n] && n < 31; n++) {
		char c = column[n];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		out[n] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
	}
	out[n] = '\0';
}

static void keep_first_row(struct check *c, const PGresult *result)
{
	c->n_columns = PQnfields(result);
	if (c->n_columns == 0)
		return;
	c->is_null = PQgetisnull(result, 0, 0);
	c->value_len = (size_t)PQgetlength(result, 0, 0);
	(void)snprintf(c->value, sizeof(c->value), "%s", PQgetvalue(result, 0, 0));
	for (int i = 0; i < c->n_columns && c->n_numbers < MAX_COLUMNS; i++) {
		struct column *column = &c->numbers[c->n_numbers];

		if (PQgetisnull(result, 0, i) ||
			!parse_number(PQgetvalue(result, 0, i), &column->value))
			continue;
		metric_name(PQfname(result, i), column->name);
		c->n_numbers++;
		if (i == 0)
			c->first_is_number = true;
	}
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
	if (c->n_rows == 0)
		keep_first_row(c, result);
	if (c->n_rows < 2)
		c->n_rows++;
	if (c->n_rows == 2 && (c->conf->expect || c->conf->metric)) {
		session_finish(s, TEND_REASON_CONTENT_UNEXPECTED,
			"expected one row, the query gives more");
		return false;
	}
	return true;
}

static void add_metrics(struct session *s, const struct check *c)
{
	struct tend_attempt *a = session_attempt(s);

	if (strcmp(c->conf->metric, "*") != 0) {
		(void)tend_attempt_metric(a, c->conf->metric, c->numbers[0].value, "");
		return;
	}
	for (size_t i = 0; i < c->n_numbers; i++)
		(void)tend_attempt_metric(a, c->numbers[i].name, c->numbers[i].value, "");
}

/* NULL: the row is as expected. */
static const char *judge(const struct check *c, char *buf, size_t size)
{
	const struct postgres_conf *conf = c->conf;
	bool all = conf->metric && strcmp(conf->metric, "*") == 0;
	const char *shown = c->is_null ? "NULL" : c->value;

	if (c->n_rows == 0 || c->n_columns == 0)
		return "expected one row, the query gives none";
	if (conf->expect && (c->is_null || c->value_len >= MAX_VALUE_BYTES ||
				    strcmp(conf->expect, c->value) != 0)) {
		(void)snprintf(buf, size, "expected '%.150s', got %s%.150s%s", conf->expect,
			c->is_null ? "" : "'", shown, c->is_null ? "" : "'");
		return buf;
	}
	if (conf->metric && !all && !c->first_is_number) {
		(void)snprintf(
			buf, size, "expected a number for %s, got '%.150s'", conf->metric, shown);
		return buf;
	}
	if (all && c->n_numbers == 0)
		return "expected columns with numbers, the row has none";
	return NULL;
}

static bool check_done(struct session *s, void *owner)
{
	struct check *c = owner;
	char buf[500];
	const char *wrong = NULL;

	if (c->conf->expect || c->conf->metric)
		wrong = judge(c, buf, sizeof(buf));
	if (wrong) {
		session_finish(s, TEND_REASON_CONTENT_UNEXPECTED, wrong);
		return false;
	}
	if (c->conf->metric)
		add_metrics(s, c);
	if (c->n_rows > 0 && c->n_columns > 0)
		(void)snprintf(
			buf, sizeof(buf), "the query gives %.150s", c->is_null ? "NULL" : c->value);
	else
		(void)snprintf(buf, sizeof(buf), "the query ran");
	session_finish(s, TEND_REASON_OK, buf);
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
	return session_start(a, conf, &handlers, c);
}
