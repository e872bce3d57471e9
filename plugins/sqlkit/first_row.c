/* SPDX-License-Identifier: MIT */
#include "first_row.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool metric_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < 32 && !name[n];
}

int first_row_check(
	const char *query, const char *expect, const char *metric, struct tend_error *err)
{
	if ((expect || metric) && !query)
		return tend_error_set(err, -EINVAL, "expect and metric need a query");
	if (metric && strcmp(metric, "*") != 0 && !metric_name_valid(metric))
		return tend_error_set(err, -EINVAL,
			"metric '%s' is no name of a metric; use a-z, 0-9 and _, or *", metric);
	return 0;
}

static bool parse_number(const struct first_row *row, const char *text, double *ret_value)
{
	char *end = NULL;
	double value;

	if (row->t_is_true && (strcmp(text, "t") == 0 || strcmp(text, "f") == 0)) {
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

void first_row_column(struct first_row *row, const char *name, const char *text, size_t len)
{
	bool is_first = row->n_columns++ == 0;

	if (is_first) {
		row->is_null = !text;
		row->value_len = text ? len : 0;
		(void)snprintf(row->value, sizeof(row->value), "%s", text ? text : "");
	}
	if (!text || row->n_numbers == FIRST_ROW_MAX_NUMBERS ||
		!parse_number(row, text, &row->numbers[row->n_numbers].value))
		return;
	metric_name(name, row->numbers[row->n_numbers].name);
	row->n_numbers++;
	row->first_is_number = row->first_is_number || is_first;
}

bool first_row_is_judged(const struct first_row *row)
{
	return row->expect || row->metric;
}

/* NULL: the row is as expected. */
static const char *judge(const struct first_row *row, char *buf, size_t size)
{
	bool all = row->metric && strcmp(row->metric, "*") == 0;
	const char *shown = row->is_null ? "NULL" : row->value, *quote = row->is_null ? "" : "'";

	if (row->n_columns == 0)
		return "expected one row, the query gives none";
	if (row->expect && (row->is_null || row->value_len >= FIRST_ROW_VALUE_BYTES ||
				   strcmp(row->expect, row->value) != 0)) {
		(void)snprintf(buf, size, "expected '%.150s', got %s%.150s%s", row->expect, quote,
			shown, quote);
		return buf;
	}
	if (row->metric && !all && !row->first_is_number) {
		(void)snprintf(
			buf, size, "expected a number for %s, got '%.150s'", row->metric, shown);
		return buf;
	}
	if (all && row->n_numbers == 0)
		return "expected columns with numbers, the row has none";
	return NULL;
}

static void add_metrics(const struct first_row *row, struct tend_attempt *a)
{
	if (strcmp(row->metric, "*") != 0) {
		(void)tend_attempt_metric(a, row->metric, row->numbers[0].value, "");
		return;
	}
	for (size_t i = 0; i < row->n_numbers; i++)
		(void)tend_attempt_metric(a, row->numbers[i].name, row->numbers[i].value, "");
}

enum tend_reason first_row_conclude(
	const struct first_row *row, struct tend_attempt *a, char ret_text[FIRST_ROW_TEXT_BYTES])
{
	char buf[FIRST_ROW_TEXT_BYTES];
	const char *wrong = first_row_is_judged(row) ? judge(row, buf, sizeof(buf)) : NULL;

	if (wrong) {
		(void)snprintf(ret_text, FIRST_ROW_TEXT_BYTES, "%s", wrong);
		return TEND_REASON_CONTENT_UNEXPECTED;
	}
	if (row->metric)
		add_metrics(row, a);
	if (row->n_columns > 0)
		(void)snprintf(ret_text, FIRST_ROW_TEXT_BYTES, "the query gives %.150s",
			row->is_null ? "NULL" : row->value);
	else
		(void)snprintf(ret_text, FIRST_ROW_TEXT_BYTES, "the query ran");
	return TEND_REASON_OK;
}
