/* SPDX-License-Identifier: MIT */
/*
 * postgres/questions.h: what each look asks the server, as a table. An answer has the columns
 * (name text, about text, value float8), and its rows are of four kinds:
 *   NAME   a metric; `about` is its instance ("": none)
 *   .      a part of the text: `about`
 *   !WHAT  a fault by itself; `about` says which
 *   #NAME  a counter: remembered until the next attempt
 * No text of anybody's statement is ever read: it may hold people's data.
 */
#ifndef POSTGRES_QUESTIONS_H
#define POSTGRES_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct postgres_question {
	const char *look; /* NULL ends the table */
	/* It tells of other roles' sessions, which only pg_read_all_stats (in pg_monitor) sees. */
	bool needs_monitor;
	bool takes_wait;   /* $1: max_lock_wait in seconds, 0: any */
	bool takes_schema; /* %s in it: where pg_stat_statements is */
	const char *sql;
	const char *metrics[8]; /* NULL-terminated */
};
extern const struct postgres_question postgres_questions[];

/* Asked first: pg_read_all_stats (t or f), whose the role is, the schema of pg_stat_statements as
 * an identifier or NULL. */
extern const char postgres_first_question[];

const struct postgres_question *postgres_question_find(const char *look); /* NULL: none */

#endif
