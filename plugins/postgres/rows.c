/* SPDX-License-Identifier: MIT */
#include "rows.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of pg_type.h: part of the protocol, they never change. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_OID = 26,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802,
};

int rows_param(const json_t *value, char **ret_text)
{
	char *text = NULL;

	if (json_is_null(value)) {
		*ret_text = NULL;
		return 0;
	}
	if (json_is_string(value))
		text = strdup(json_string_value(value));
	else if (json_is_boolean(value))
		text = strdup(json_is_true(value) ? "true" : "false");
	else if (json_is_number(value))
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	else
		return -EINVAL;
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

static json_t *real_value(const char *text)
{
	char *end = NULL;
	double value = strtod(text, &end);

	return end != text && !*end && isfinite(value) ? json_real(value) : json_string(text);
}

static json_t *cell(const PGresult *result, int column)
{
	const char *text = PQgetvalue(result, 0, column);
	json_t *value = NULL;

	if (PQgetisnull(result, 0, column))
		return json_null();
	switch (PQftype(result, column)) {
	case OID_BOOL:
		return json_boolean(text[0] == 't');
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_OID:
		return json_integer(strtoll(text, NULL, 10));
	case OID_FLOAT4:
	case OID_FLOAT8:
	case OID_NUMERIC:
		value = real_value(text);
		break;
	case OID_JSON:
	case OID_JSONB:
		value = json_loads(text, JSON_DECODE_ANY, NULL);
		break;
	default:
		break;
	}
	if (!value)
		value = json_string(text);
	return value ? value : json_string("(no UTF-8)");
}

static int take_columns(struct rows *rows, const PGresult *result)
{
	if (json_array_size(rows->columns) > 0)
		return 0;
	for (int i = 0; i < PQnfields(result); i++)
		if (json_array_append_new(rows->columns, json_string(PQfname(result, i))) < 0)
			return -ENOMEM;
	return 0;
}

static size_t row_bytes(const PGresult *result)
{
	size_t n = 0;

	for (int i = 0; i < PQnfields(result); i++)
		n += (size_t)PQgetlength(result, 0, i) + 8;
	return n;
}

int rows_take(struct rows *rows, const PGresult *result)
{
	int r = take_columns(rows, result);
	json_t *row;

	if (r < 0 || PQntuples(result) == 0)
		return r;
	rows->n_bytes += row_bytes(result);
	if (json_array_size(rows->rows) >= rows->max || rows->n_bytes > ROWS_MAX_BYTES)
		return -ENOBUFS;
	row = json_array();
	for (int i = 0; i < PQnfields(result); i++) {
		if (json_array_append_new(row, cell(result, i)) < 0) {
			json_decref(row);
			return -ENOMEM;
		}
	}
	return json_array_append_new(rows->rows, row) < 0 ? -ENOMEM : 0;
}

int rows_init(struct rows *rows, size_t max)
{
	*rows = (struct rows){.columns = json_array(), .rows = json_array(), .max = max};
	return rows->columns && rows->rows ? 0 : -ENOMEM;
}

void rows_clear(struct rows *rows)
{
	json_decref(rows->columns);
	json_decref(rows->rows);
	*rows = (struct rows){0};
}
