/* SPDX-License-Identifier: MIT */
/*
 * postgres/rows.h: values and rows between JSON and PostgreSQL, for the verbs. Bounded in rows and
 * bytes. Frees: rows_clear(). Pure but for reading the result.
 */
#ifndef POSTGRES_ROWS_H
#define POSTGRES_ROWS_H

#include <jansson.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum { ROWS_MAX = 1000, ROWS_MAX_BYTES = 512 << 10, ROWS_MAX_PARAMS = 32 };

/* A scalar as PostgreSQL reads it; *ret_text NULL is null. -EINVAL, -ENOMEM. */
int rows_param(const json_t *value, char **ret_text);

struct rows {
	json_t *columns, *rows;
	size_t max, n_bytes;
};
int rows_init(struct rows *rows, size_t max);
void rows_clear(struct rows *rows);
/* The one row of a result, if it has one. -ENOBUFS: there is no room for it; -ENOMEM. */
int rows_take(struct rows *rows, const PGresult *result);

#endif
