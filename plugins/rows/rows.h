/* SPDX-License-Identifier: MIT */
/*
 * rows/rows.h: the probe rows: how many rows each table has and what its columns and indexes are,
 * against what was there before. rows.c asks, in pages; schema.c holds what the database has said;
 * judge.c (pure but for metrics) compares it with the memory of the attempt before.
 *
 * Memory: {"schema": {TABLE: {"c": {COLUMN: TYPE}, "i": {INDEX: ""|"unique"}} or, where all of it
 * would be too long, a hash}, "rows": {TABLE: [n, at]}, "since": when the first difference was
 * seen, 0: there is none}.
 */
#ifndef ROWS_ROWS_H
#define ROWS_ROWS_H

#include "sqlkit/sqlkit.h"

enum rows_count { ROWS_COUNT_EXACT, ROWS_COUNT_ESTIMATE, ROWS_COUNT_NONE };
struct rows_conf {
	char *database, **schemas, **tables, **ignore, **uncounted, *accept;
	int count;
	bool columns, indexes;
	double max_loss;
	int64_t min_loss;
	usec_t window, accept_after;
};

enum { ROWS_MAX_TABLES = 5000, ROWS_MAX_PARTS = 60000 };

struct rows_table {
	char *schema, *name;
	const char *key; /* of `doc`: schema.name, or the name where there is one schema only */
	double n_rows;	 /* -1: not counted */
};
struct rows_schema {
	json_t *doc; /* as in the memory */
	struct rows_table *tables;
	size_t n_tables, cap_tables, n_parts;
};
/* Adds a page (schema, table, kind, name, type); -E2BIG: too much, -EINVAL: no such page, -ENOMEM.
 */
int rows_schema_add(
	struct rows_schema *schema, const struct rows_conf *conf, const struct sqlkit_table *page);
void rows_schema_clear(struct rows_schema *schema);
/* `doc` with a hash for each table. */
json_t *rows_schema_hashes(const json_t *doc);

/* One statement that counts these tables: rows of an index and a number. NULL: no memory. */
char *rows_count_sql(const struct rows_table *tables, size_t n, enum sqlkit_dialect dialect,
	enum rows_count count);

struct rows_verdict {
	enum tend_reason reason;
	char text[SQLKIT_TEXT_BYTES];
	json_t *memory; /* the caller's */
};
void rows_judge(struct tend_attempt *a, const struct rows_conf *conf,
	const struct rows_schema *schema, const json_t *memory, double wall,
	struct rows_verdict *ret_verdict);

#endif
