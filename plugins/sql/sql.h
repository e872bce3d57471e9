/* SPDX-License-Identifier: MIT */
/*
 * sql/sql.h: the probe sql: rows become metrics, counters become rates, and what falls to nothing
 * is told. judge.c reads the answer and reports; nothing here keeps memory of its own.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include "sqlkit/sqlkit.h"

struct sql_conf {
	char *database, *query, **label, **units, **counters, **drop, *expect;
	int64_t min_rows, max_rows, drop_least, drop_after;
	double drop_share;
	usec_t drop_forget;
};

/* What the rows say; `memory` is that of the attempt before, NULL: none. */
struct sql_verdict {
	enum tend_reason reason;
	char text[SQLKIT_TEXT_BYTES];
	json_t *memory; /* the caller's; NULL: nothing to remember */
};
void sql_judge(struct tend_attempt *a, const struct sql_conf *conf,
	const struct sqlkit_table *table, const json_t *memory, double wall,
	struct sql_verdict *ret_verdict);

#endif
