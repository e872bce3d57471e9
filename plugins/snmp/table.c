/* SPDX-License-Identifier: MIT */
#include "table.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void datum_set(struct datum *d, const struct value *value)
{
	d->type = value->type;
	d->count = value->number;
	d->is_number = value_number(value, &d->number);
	(void)value_text(value, d->text);
}

void table_init(struct table *table, size_t n_columns, size_t max_rows)
{
	*table = (struct table){.n_columns = n_columns, .max_rows = max_rows};
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->n_rows; i++)
		free(table->rows[i].cells);
	free(table->rows);
	*table = (struct table){0};
}

/* Where it is, or would be: columns come in the order of their index. */
static size_t find_row(const struct table *t, const struct oid *index, bool *ret_found)
{
	size_t low = 0, high = t->n_rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = oid_compare(&t->rows[middle].index, index);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

static int insert_row(struct table *t, size_t at, const struct oid *index)
{
	struct datum *cells;

	if (t->n_rows == t->max_rows)
		return -ENOSPC;
	if ((t->n_rows & (t->n_rows - 1)) == 0) { /* room for a power of two */
		size_t room = t->n_rows ? 2 * t->n_rows : 1;
		struct table_row *rows = reallocarray(t->rows, room, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
	}
	cells = calloc(t->n_columns, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	memmove(t->rows + at + 1, t->rows + at, (t->n_rows - at) * sizeof(*t->rows));
	t->rows[at].index = *index;
	t->rows[at].cells = cells;
	t->n_rows++;
	return 0;
}

int table_add(
	struct table *table, size_t column, const struct oid *index, const struct value *value)
{
	bool found;
	size_t at = find_row(table, index, &found);
	int r = found ? 0 : insert_row(table, at, index);

	if (r == 0)
		datum_set(&table->rows[at].cells[column], value);
	return r;
}
