/* SPDX-License-Identifier: MIT */
/* Tables of foreign values. Pure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "sqlkit.h"

bool sqlkit_table_read(const json_t *doc, struct sqlkit_table *ret_table)
{
	struct sqlkit_table t = {
		.columns = json_object_get(doc, "columns"),
		.rows = json_object_get(doc, "rows"),
		.truncated = json_is_true(json_object_get(doc, "truncated")),
	};
	size_t i;
	json_t *item;

	if (!json_is_array(t.columns) || !json_is_array(t.rows))
		return false;
	t.n_columns = json_array_size(t.columns);
	t.n_rows = json_array_size(t.rows);
	json_array_foreach (t.columns, i, item)
		if (!json_is_string(item))
			return false;
	json_array_foreach (t.rows, i, item)
		if (!json_is_array(item) || json_array_size(item) != t.n_columns)
			return false;
	*ret_table = t;
	return true;
}

const char *sqlkit_column_name(const struct sqlkit_table *table, size_t column)
{
	return json_string_value(json_array_get(table->columns, column));
}

int sqlkit_column(const struct sqlkit_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (strcasecmp(sqlkit_column_name(table, i), name) == 0)
			return (int)i;
	return -1;
}

const json_t *sqlkit_cell(const struct sqlkit_table *table, size_t row, int column)
{
	return column < 0 ? NULL : json_array_get(json_array_get(table->rows, row), (size_t)column);
}

bool sqlkit_number(const json_t *cell, double *ret_value)
{
	const char *text = json_string_value(cell);
	double value;
	char *end;

	if (json_is_number(cell)) {
		*ret_value = json_number_value(cell);
		return true;
	}
	if (json_is_boolean(cell)) {
		*ret_value = json_is_true(cell);
		return true;
	}
	/* strtod() would take spaces, "nan", "inf" and hexadecimal, too. */
	if (!text || !*text || text[strspn(text, "+-0123456789.eE")])
		return false;
	value = strtod(text, &end);
	if (*end || end == text || !isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

const char *sqlkit_text(const json_t *cell, char *buf, size_t size)
{
	const char *text = json_string_value(cell);
	size_t n;

	if (json_is_integer(cell)) {
		(void)snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(cell));
	} else if (json_is_number(cell)) {
		(void)snprintf(buf, size, "%.15g", json_number_value(cell));
	} else if (json_is_boolean(cell)) {
		(void)snprintf(buf, size, "%s", json_is_true(cell) ? "true" : "false");
	} else if (text) {
		n = strnlen(text, size);
		if (n == size)
			for (n--; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
				n--;
		(void)snprintf(buf, size, "%.*s", (int)n, text);
	} else {
		buf[0] = '\0';
	}
	return buf;
}

bool sqlkit_metric_name(const char *column, char ret_name[32])
{
	size_t n = strlen(column);
	char name[32];

	if (n == 0 || n >= sizeof(name))
		return false;
	for (size_t i = 0; i <= n; i++) {
		char c = column[i];

		name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return false;
	memcpy(ret_name, name, sizeof(name));
	return true;
}

/* ---- words for people
 * ------------------------------------------------------------------------------- */

const char *sqlkit_span(double seconds, char buf[SQLKIT_SPAN_BYTES])
{
	static const struct {
		double seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (seconds >= 2 * units[i].seconds) {
			(void)snprintf(buf, SQLKIT_SPAN_BYTES, "%.0f %s",
				floor(seconds / units[i].seconds), units[i].unit);
			return buf;
		}
	(void)snprintf(buf, SQLKIT_SPAN_BYTES, "%.0f s", seconds);
	return buf;
}

void sqlkit_names_add(struct sqlkit_names *names, const char *name)
{
	size_t len = strlen(names->text), n = strlen(name);

	names->n++;
	/* Room is kept for " and N more". */
	if ((names->max_shown && names->shown >= names->max_shown) ||
		names->n != names->shown + 1 || len + n + 40 > sizeof(names->text))
		return;
	(void)snprintf(names->text + len, sizeof(names->text) - len, "%s%s", len ? ", " : "", name);
	names->shown++;
}

const char *sqlkit_names_text(struct sqlkit_names *names)
{
	size_t len = strlen(names->text);

	if (names->n > names->shown)
		(void)snprintf(names->text + len, sizeof(names->text) - len, "%s%zu more",
			len ? " and " : "", names->n - names->shown);
	names->shown = names->n;
	return names->text;
}
