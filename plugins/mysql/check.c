/* SPDX-License-Identifier: MIT */
/* A query, and what its one row must be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"

enum { MAX_VALUE_BYTES = 512, MAX_COLUMNS = 28 };

struct check {
	const struct myprobe_conf *conf;
	unsigned n_rows, n_columns;
	bool is_null, first_is_number;
	char value[MAX_VALUE_BYTES]; /* first column of the first row, cut */
	size_t value_len, n_numbers;
	struct {
		char name[32];
		double value;
	} numbers[MAX_COLUMNS];
};

static bool parse_number(const char *text, double *ret_value)
{
	char *end = NULL;
	double value = strtod(text, &end);

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

static void keep_first_row(struct check *c, MYSQL_RES *result, MYSQL_ROW row)
{
	const MYSQL_FIELD *fields = mysql_fetch_fields(result);
	unsigned long *lengths = mysql_fetch_lengths(result);

	c->n_columns = mysql_num_fields(result);
	c->is_null = !row[0];
	c->value_len = row[0] ? lengths[0] : 0;
	(void)snprintf(c->value, sizeof(c->value), "%s", row[0] ? row[0] : "");
	for (unsigned i = 0; i < c->n_columns && c->n_numbers < MAX_COLUMNS; i++) {
		if (!row[i] || !parse_number(row[i], &c->numbers[c->n_numbers].value))
			continue;
		metric_name(fields[i].name, c->numbers[c->n_numbers].name);
		c->n_numbers++;
		if (i == 0)
			c->first_is_number = true;
	}
}

static bool read_rows(struct session *s, struct check *c, MYSQL_RES *result)
{
	MYSQL_ROW row;

	for (;;) {
		if (!session_row(s, result, &row))
			return false;
		if (!row)
			return true;
		if (c->n_rows++ == 0)
			keep_first_row(c, result, row);
		else if (c->conf->expect || c->conf->metric) {
			session_end(s, TEND_REASON_CONTENT_UNEXPECTED,
				"expected one row, the query gives more");
			s->timed_out = true; /* the rest is not read */
			return false;
		}
	}
}

/* NULL: the row is as expected. */
static const char *judge(const struct check *c, char *buf, size_t size)
{
	const struct myprobe_conf *conf = c->conf;
	bool all = conf->metric && strcmp(conf->metric, "*") == 0;
	const char *shown = c->is_null ? "NULL" : c->value;

	if (c->n_rows == 0)
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

static void add_metrics(struct session *s, const struct check *c)
{
	if (strcmp(c->conf->metric, "*") != 0) {
		(void)tend_attempt_metric(s->attempt, c->conf->metric, c->numbers[0].value, "");
		return;
	}
	for (size_t i = 0; i < c->n_numbers; i++)
		(void)tend_attempt_metric(s->attempt, c->numbers[i].name, c->numbers[i].value, "");
}

static void conclude(struct session *s, const struct check *c)
{
	char buf[500];
	const char *wrong = c->conf->expect || c->conf->metric ? judge(c, buf, sizeof(buf)) : NULL;

	if (wrong) {
		session_end(s, TEND_REASON_CONTENT_UNEXPECTED, "%s", wrong);
		return;
	}
	if (c->conf->metric)
		add_metrics(s, c);
	if (c->n_rows > 0)
		session_end(s, TEND_REASON_OK, "the query gives %.150s",
			c->is_null ? "NULL" : c->value);
	else
		session_end(s, TEND_REASON_OK, "the query ran");
}

void myprobe_check(struct session *s)
{
	struct check check = {.conf = s->conf};
	MYSQL_RES *result = NULL;

	/* A probe writes nothing, whatever its query says. */
	if (!session_do(s, "SET SESSION TRANSACTION READ ONLY"))
		return;
	s->query_started = 0;
	if (!session_query(s, s->conf->query) || !session_result(s, &result))
		return;
	if (!result || read_rows(s, &check, result))
		conclude(s, &check);
	if (result && !s->timed_out)
		session_drop(s, result);
}
