/* SPDX-License-Identifier: MIT */
/*
 * sqlkit/first_row.h: what a check with `query`, `expect` and `metric` makes of the one row that
 * its query gives: for the plugins that talk to a server themselves. Pure but for the metrics;
 * owns nothing that is to be freed. Values are foreign and are cut.
 */
#ifndef SQLKIT_FIRST_ROW_H
#define SQLKIT_FIRST_ROW_H

#include <tend/error.h>
#include <tend/plugin.h>

enum {
	FIRST_ROW_VALUE_BYTES = 512,
	FIRST_ROW_MAX_NUMBERS = 28,
	FIRST_ROW_TEXT_BYTES = 500,
};
#define FIRST_ROW_TOO_MANY "expected one row, the query gives more"

/* Of .check: do the three options fit together? */
int first_row_check(
	const char *query, const char *expect, const char *metric, struct tend_error *err);

struct first_row {
	const char *expect, *metric; /* of the configuration; NULL: none */
	bool t_is_true;		     /* booleans are "t" and "f" */
	/* From first_row_column(). */
	unsigned n_columns, n_numbers;
	bool is_null, first_is_number;
	char value[FIRST_ROW_VALUE_BYTES]; /* of the first column */
	size_t value_len;
	struct {
		char name[32];
		double value;
	} numbers[FIRST_ROW_MAX_NUMBERS];
};

/* The columns in their order. text: NULL is NULL. */
void first_row_column(struct first_row *row, const char *name, const char *text, size_t len);
/* It may be only one row. */
bool first_row_is_judged(const struct first_row *row);
/* After the last column, or after none: what to say, and the metrics. */
enum tend_reason first_row_conclude(const struct first_row *row, struct tend_attempt *attempt,
	char ret_text[FIRST_ROW_TEXT_BYTES]);

#endif
