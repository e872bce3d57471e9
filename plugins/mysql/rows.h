/* SPDX-License-Identifier: MIT */
/*
 * mysql/rows.h: values and rows between JSON and a prepared statement, for the verbs. Bounded in
 * rows and bytes. Frees: rows_clear(), params_clear().
 */
#ifndef MYSQL_ROWS_H
#define MYSQL_ROWS_H

#include <jansson.h>
#include "session.h"

enum { ROWS_MAX = 1000, ROWS_MAX_BYTES = 512 << 10, ROWS_MAX_PARAMS = 32 };

struct params {
	int n;
	MYSQL_BIND binds[PLACEHOLDERS_MAX];
	union {
		long long integer;
		double real;
		char *text;
	} values[PLACEHOLDERS_MAX];
};
/* The i-th mark takes params[order[i]]. -EINVAL: a list or an object; -ENOMEM. */
int params_take(struct params *p, const json_t *params, const unsigned char *order, int n);
void params_clear(struct params *p);

struct rows {
	json_t *columns, *rows;
	size_t max, n_bytes;
	bool truncated;
	bool begun; /* the server took the statement and was told to run it */
};
int rows_init(struct rows *rows, size_t max);
void rows_clear(struct rows *rows);

enum rows_mode {
	ROWS_ONLY, /* what gives no rows is refused before it is run; no more is read than is kept
		    */
	ROWS_ALL,  /* read beyond the bounds, too, so that all of it happens */
};
/* Prepares, binds, executes and reads. False: the attempt has ended, or *ret_failed is set when
 * that is not NULL: then the error stands in the statement. `stmt` is the caller's. */
bool rows_run(struct session *s, MYSQL_STMT *stmt, const char *sql, struct params *params,
	enum rows_mode mode, struct rows *rows, bool *ret_failed);

#endif
