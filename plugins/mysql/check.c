/* SPDX-License-Identifier: MIT */
/* A query, and what its one row must be. */
#include "session.h"
#include "sqlkit/first_row.h"

static void keep_first_row(struct first_row *row, MYSQL_RES *result, MYSQL_ROW cells)
{
	const MYSQL_FIELD *fields = mysql_fetch_fields(result);
	const unsigned long *lengths = mysql_fetch_lengths(result);

	for (unsigned i = 0; i < mysql_num_fields(result); i++)
		first_row_column(row, fields[i].name, cells[i], lengths[i]);
}

static bool read_rows(struct session *s, struct first_row *row, MYSQL_RES *result)
{
	MYSQL_ROW cells;

	for (unsigned n = 0;; n++) {
		if (!session_row(s, result, &cells))
			return false;
		if (!cells)
			return true;
		if (n == 0)
			keep_first_row(row, result, cells);
		else if (first_row_is_judged(row)) {
			session_end(s, TEND_REASON_CONTENT_UNEXPECTED, FIRST_ROW_TOO_MANY);
			s->timed_out = true; /* the rest is not read */
			return false;
		}
	}
}

static void conclude(struct session *s, const struct first_row *row)
{
	char text[FIRST_ROW_TEXT_BYTES];
	enum tend_reason reason = first_row_conclude(row, s->attempt, text);

	session_end(s, reason, "%s", text);
}

void myprobe_check(struct session *s)
{
	struct first_row row = {.expect = s->conf->expect, .metric = s->conf->metric};
	MYSQL_RES *result = NULL;

	/* A probe writes nothing, whatever its query says. */
	if (!session_do(s, "SET SESSION TRANSACTION READ ONLY"))
		return;
	s->query_started = 0;
	if (!session_query(s, s->conf->query) || !session_result(s, &result))
		return;
	if (!result || read_rows(s, &row, result))
		conclude(s, &row);
	if (result && !s->timed_out)
		session_drop(s, result);
}
