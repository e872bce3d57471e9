/* SPDX-License-Identifier: MIT */
#include "rows.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A cell up to this needs no second look. */
enum { CELL_BYTES = 256, MAX_COLUMNS = 256 };

/* ---- parameters ----------------------------------------------------------------------------- */

static int take_param(struct params *p, int i, const json_t *value)
{
	MYSQL_BIND *bind = &p->binds[i];

	memset(bind, 0, sizeof(*bind));
	if (json_is_null(value)) {
		bind->buffer_type = MYSQL_TYPE_NULL;
	} else if (json_is_integer(value) || json_is_boolean(value)) {
		p->values[i].integer =
			json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
		bind->buffer_type = MYSQL_TYPE_LONGLONG;
		bind->buffer = &p->values[i].integer;
	} else if (json_is_real(value)) {
		p->values[i].real = json_real_value(value);
		bind->buffer_type = MYSQL_TYPE_DOUBLE;
		bind->buffer = &p->values[i].real;
	} else if (json_is_string(value)) {
		p->values[i].text = strdup(json_string_value(value));
		if (!p->values[i].text)
			return -ENOMEM;
		bind->buffer_type = MYSQL_TYPE_STRING;
		bind->buffer = p->values[i].text;
		bind->buffer_length = strlen(p->values[i].text);
	} else {
		return -EINVAL;
	}
	return 0;
}

int params_take(struct params *p, const json_t *params, const unsigned char *order, int n)
{
	for (int i = 0; i < n; i++) {
		int r = take_param(p, i, json_array_get(params, order[i]));

		if (r < 0)
			return r;
		p->n++;
	}
	return 0;
}

void params_clear(struct params *p)
{
	for (int i = 0; i < p->n; i++)
		if (p->binds[i].buffer_type == MYSQL_TYPE_STRING)
			free(p->values[i].text);
	p->n = 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

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

struct cell {
	char text[CELL_BYTES];
	unsigned long length;
	my_bool is_null, error;
};

struct reading {
	struct session *session;
	MYSQL_STMT *stmt;
	const MYSQL_FIELD *fields;
	unsigned n_columns;
	MYSQL_BIND *binds;
	struct cell *cells;
};

static json_t *text_value(const char *text, size_t len)
{
	/* With a NUL in it, it is no text either, and JSON's readers refuse it. */
	json_t *value = memchr(text, '\0', len) ? NULL : json_stringn(text, len);

	return value ? value : json_string("(no UTF-8)");
}

/* BIT(1) is a boolean to some: its bytes, the highest first. */
static json_t *bit_value(const char *bytes, size_t len)
{
	uint64_t value = 0;

	if (len > sizeof(value))
		return NULL;
	for (size_t i = 0; i < len; i++)
		value = value << 8 | (unsigned char)bytes[i];
	return value <= INT64_MAX ? json_integer((json_int_t)value) : NULL;
}

static json_t *number_value(const MYSQL_FIELD *field, const char *text, size_t len)
{
	char *end = NULL;
	double real;

	switch (field->type) {
	case MYSQL_TYPE_BIT:
		return bit_value(text, len);
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_YEAR:
		errno = 0;
		long long integer = strtoll(text, &end, 10);
		return end != text && !*end && !errno ? json_integer(integer) : NULL;
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
	case MYSQL_TYPE_FLOAT:
	case MYSQL_TYPE_DOUBLE:
		real = strtod(text, &end);
		return end != text && !*end && isfinite(real) ? json_real(real) : NULL;
	default:
		return NULL;
	}
}

/* What is longer than the cell is fetched again, whole; the packet's size is bounded. */
static json_t *long_value(struct reading *r, unsigned i)
{
	struct cell *cell = &r->cells[i];
	MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING, .buffer_length = cell->length};
	char *text = malloc(cell->length + 1);
	json_t *value = NULL;
	unsigned long length = 0;

	bind.buffer = text;
	bind.length = &length;
	if (text && mysql_stmt_fetch_column(r->stmt, &bind, i, 0) == 0)
		value = text_value(text, cell->length);
	free(text);
	return value;
}

static json_t *cell_value(struct reading *r, unsigned i)
{
	struct cell *cell = &r->cells[i];
	json_t *value;

	if (cell->is_null)
		return json_null();
	if (cell->length >= sizeof(cell->text))
		return long_value(r, i);
	cell->text[cell->length] = '\0';
	value = number_value(&r->fields[i], cell->text, cell->length);
	return value ? value : text_value(cell->text, cell->length);
}

static int take_row(struct reading *r, struct rows *rows)
{
	json_t *row;

	for (unsigned i = 0; i < r->n_columns; i++)
		rows->n_bytes += r->cells[i].is_null ? 4 : r->cells[i].length + 8;
	if (json_array_size(rows->rows) >= rows->max || rows->n_bytes > ROWS_MAX_BYTES) {
		rows->truncated = true;
		return 0;
	}
	row = json_array();
	for (unsigned i = 0; i < r->n_columns; i++) {
		if (json_array_append_new(row, cell_value(r, i)) < 0) {
			json_decref(row);
			return -ENOMEM;
		}
	}
	return json_array_append_new(rows->rows, row) < 0 ? -ENOMEM : 0;
}

static int prepare_reading(struct reading *r, const MYSQL_RES *meta, struct rows *rows)
{
	r->n_columns = mysql_num_fields((MYSQL_RES *)(uintptr_t)meta);
	r->fields = mysql_fetch_fields((MYSQL_RES *)(uintptr_t)meta);
	if (r->n_columns > MAX_COLUMNS)
		return -E2BIG;
	r->binds = calloc(r->n_columns, sizeof(*r->binds));
	r->cells = calloc(r->n_columns, sizeof(*r->cells));
	if (!r->binds || !r->cells)
		return -ENOMEM;
	for (unsigned i = 0; i < r->n_columns; i++) {
		json_t *name = text_value(r->fields[i].name, strlen(r->fields[i].name));

		r->binds[i].buffer_type = MYSQL_TYPE_STRING;
		r->binds[i].buffer = r->cells[i].text;
		r->binds[i].buffer_length = sizeof(r->cells[i].text) - 1;
		r->binds[i].length = &r->cells[i].length;
		r->binds[i].is_null = &r->cells[i].is_null;
		r->binds[i].error = &r->cells[i].error;
		if (json_array_append_new(rows->columns, name) < 0)
			return -ENOMEM;
	}
	return mysql_stmt_bind_result(r->stmt, r->binds) ? -EIO : 0;
}

/* 0: done; 1: the statement failed; -errno: we did. */
static int fetch_rows(struct reading *r, bool keep_reading, struct rows *rows)
{
	for (;;) {
		int got = 0;

		SESSION_AWAIT(mysql_stmt_fetch_start(&got, r->stmt),
			mysql_stmt_fetch_cont(&got, r->stmt, session_wait(r->session, st)));
		if (got == MYSQL_NO_DATA)
			return 0;
		if (got != 0 && got != MYSQL_DATA_TRUNCATED)
			return 1;
		if (rows->truncated)
			continue;
		got = take_row(r, rows);
		if (got < 0)
			return got;
		if (rows->truncated && !keep_reading) {
			r->session->timed_out = true; /* the rest goes with the connection */
			return 0;
		}
	}
}

static int read_result(struct session *s, MYSQL_STMT *stmt, bool keep_reading, struct rows *rows)
{
	MYSQL_RES *meta = mysql_stmt_result_metadata(stmt);
	struct reading r = {.session = s, .stmt = stmt};
	int got;

	if (!meta)
		return 0; /* no rows are to come */
	got = prepare_reading(&r, meta, rows);
	if (got == 0)
		got = fetch_rows(&r, keep_reading, rows);
	free(r.binds);
	free(r.cells);
	mysql_free_result(meta);
	return got;
}

static bool execute(struct session *s, MYSQL_STMT *stmt, const char *sql, struct params *params,
	enum rows_mode mode, bool *ret_begun)
{
	int r = 0;

	if (!s->query_started)
		s->query_started = tend_now();
	SESSION_AWAIT(mysql_stmt_prepare_start(&r, stmt, sql, strlen(sql)),
		mysql_stmt_prepare_cont(&r, stmt, session_wait(s, st)));
	if (r)
		return false;
	if (mode == ROWS_ONLY && mysql_stmt_field_count(stmt) == 0) {
		session_end(s, TEND_REASON_READ_ONLY,
			"the statement gives no rows: this only reads, it was not run");
		return false;
	}
	if (params->n > 0 && mysql_stmt_bind_param(stmt, params->binds))
		return false;
	*ret_begun = true;
	SESSION_AWAIT(mysql_stmt_execute_start(&r, stmt),
		mysql_stmt_execute_cont(&r, stmt, session_wait(s, st)));
	return r == 0;
}

bool rows_run(struct session *s, MYSQL_STMT *stmt, const char *sql, struct params *params,
	enum rows_mode mode, struct rows *rows, bool *ret_failed)
{
	struct session_error error;
	int r = 1;

	if (execute(s, stmt, sql, params, mode, &rows->begun))
		r = read_result(s, stmt, mode == ROWS_ALL, rows);
	s->query_usec = tend_now() - s->query_started;
	if (r == 0)
		return true;
	if (ret_failed && r > 0)
		*ret_failed = true;
	else if (r > 0) {
		session_stmt_error(s, stmt, &error);
		session_fail_error(s, &error);
	} else
		session_end(s, TEND_REASON_INTERNAL,
			r == -E2BIG ? "the result has too many columns" : "no memory for the rows");
	return false;
}
