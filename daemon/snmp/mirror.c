/* SPDX-License-Identifier: MIT */
#include "snmp/mirror.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

enum { MAX_SCALARS = 32 };

static struct {
	struct mirror_table tables[MIB_TABLE_MAX];
	struct cell scalars[MAX_SCALARS];
	uint64_t generation, n_updates;
} mirror;

static void set_cell(struct cell *cell, enum mib_type type, json_t *value)
{
	if (type != MIB_TEXT) {
		/* TruthValue: true(1), false(2) */
		cell->number = json_is_boolean(value) ? (json_is_true(value) ? 1 : 2)
						      : (uint64_t)json_integer_value(value);
		return;
	}
	free(cell->text);
	cell->text = NULL;
	if (json_is_string(value)) {
		const char *text = json_string_value(value);

		cell->text = strndup(text, str_cut_utf8(text, strlen(text), MIB_TEXT_BYTES));
	}
}

static struct mirror_row *free_row(struct mirror_row *row, size_t n_columns)
{
	for (size_t i = 0; row && i < n_columns; i++)
		free(row->cells[i].text);
	free(row);
	return NULL;
}

size_t mirror_lower(const struct mirror_table *table, uint64_t key)
{
	size_t from = 0, to = table->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (table->rows[middle]->key < key)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static int reserve(struct mirror_table *table)
{
	size_t cap = table->cap ? table->cap * 2 : 16;
	struct mirror_row **rows;

	if (table->n < table->cap)
		return 0;
	rows = reallocarray(table->rows, cap, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	table->cap = cap;
	return 0;
}

/* The row; made if it is missing. NULL: no memory, or too many. */
static struct mirror_row *get_row(enum mib_table_id id, uint64_t key)
{
	struct mirror_table *table = &mirror.tables[id];
	size_t i = mirror_lower(table, key);
	struct mirror_row *row;

	if (i < table->n && table->rows[i]->key == key)
		return table->rows[i];
	if (table->n >= MIB_MAX_ROWS || reserve(table) < 0)
		return NULL;
	row = calloc(1, sizeof(*row) + mib_tables[id].n_columns * sizeof(struct cell));
	if (!row)
		return NULL;
	row->key = key;
	memmove(&table->rows[i + 1], &table->rows[i], (table->n - i) * sizeof(struct mirror_row *));
	table->rows[i] = row;
	table->n++;
	return row;
}

static void remove_row(enum mib_table_id id, uint64_t key)
{
	struct mirror_table *table = &mirror.tables[id];
	size_t i = mirror_lower(table, key);

	if (!table->rows || i == table->n || table->rows[i]->key != key)
		return;
	free_row(table->rows[i], mib_tables[id].n_columns);
	table->n--;
	memmove(&table->rows[i], &table->rows[i + 1], (table->n - i) * sizeof(struct mirror_row *));
}

static void clear_rows(enum mib_table_id id)
{
	struct mirror_table *table = &mirror.tables[id];

	while (table->n > 0) {
		table->n--;
		free_row(table->rows[table->n], mib_tables[id].n_columns);
	}
	free(table->rows);
	*table = (struct mirror_table){0};
}

/* "7", or "3.7" of a table with two indexes. */
static int parse_key(const char *text, unsigned n_indexes, uint64_t *ret_key)
{
	uint64_t key = 0;

	for (unsigned i = 0; i < n_indexes; i++) {
		char *end;
		unsigned long n = strtoul(text, &end, 10);

		if (text[0] < '0' || text[0] > '9' || (i == 0 && n == 0) ||
			n > (i == 0 ? (unsigned long)INT32_MAX : UINT32_MAX) ||
			*end != (i + 1 < n_indexes ? '.' : '\0'))
			return -EINVAL;
		key = key << 32 | n;
		text = end + 1;
	}
	*ret_key = key;
	return 0;
}

static void update_rows(enum mib_table_id id, json_t *rows)
{
	const struct mib_table *table = &mib_tables[id];
	const char *text;
	json_t *values;
	unsigned n_bad = 0;

	json_object_foreach (rows, text, values) {
		struct mirror_row *row = NULL;
		uint64_t key;

		if (json_is_object(values) && parse_key(text, table->n_indexes, &key) == 0)
			row = get_row(id, key);
		if (!row) {
			n_bad++;
			continue;
		}
		for (size_t i = 0; i < table->n_columns; i++) {
			json_t *value = json_object_get(values, table->columns[i].key);

			if (value)
				set_cell(&row->cells[i], table->columns[i].type, value);
		}
	}
	if (n_bad)
		log_warning("tend-agentx: %u rows of %s are not valid or too many, left out", n_bad,
			table->name);
}

/* Indexes as numbers, or as text where there are two. */
static void remove_rows(enum mib_table_id id, json_t *indexes)
{
	size_t i;
	json_t *value;
	uint64_t key;

	json_array_foreach (indexes, i, value) {
		if (json_is_integer(value))
			remove_row(id, (uint64_t)json_integer_value(value));
		else if (json_is_string(value) &&
			 parse_key(json_string_value(value), mib_tables[id].n_indexes, &key) == 0)
			remove_row(id, key);
	}
}

void mirror_update(json_t *update)
{
	uint64_t generation = (uint64_t)json_integer_value(json_object_get(update, "generation"));
	json_t *rows = json_object_get(update, "rows");
	json_t *removed = json_object_get(update, "removed");
	json_t *scalars = json_object_get(update, "scalars");
	bool full = json_is_true(json_object_get(update, "full"));

	/* One writer over one ordered socket: anything else is a programmer's error of tendd. */
	if (!full && generation != mirror.generation + 1)
		log_warning("tend-agentx: update %" PRIu64 " after %" PRIu64, generation,
			mirror.generation);
	mirror.generation = generation;
	mirror.n_updates++;
	for (enum mib_table_id id = 0; id < MIB_TABLE_MAX; id++) {
		if (full)
			clear_rows(id);
		remove_rows(id, json_object_get(removed, mib_tables[id].key));
		update_rows(id, json_object_get(rows, mib_tables[id].key));
	}
	for (size_t i = 0; i < mib_n_daemon && i < MAX_SCALARS; i++) {
		json_t *value = json_object_get(scalars, mib_daemon[i].key);

		if (value)
			set_cell(&mirror.scalars[i], mib_daemon[i].type, value);
	}
}

const struct mirror_table *mirror_table(enum mib_table_id id)
{
	return &mirror.tables[id];
}

const struct cell *mirror_scalar(size_t i)
{
	return &mirror.scalars[MIN(i, (size_t)MAX_SCALARS - 1)];
}

size_t mirror_n_rows(void)
{
	size_t n = 0;

	for (size_t id = 0; id < MIB_TABLE_MAX; id++)
		n += mirror.tables[id].n;
	return n;
}

uint64_t mirror_generation(void)
{
	return mirror.n_updates;
}
