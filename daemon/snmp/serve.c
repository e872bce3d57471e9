/* SPDX-License-Identifier: MIT */
#include "snmp/serve.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "snmp/alarms.h"
#include "snmp/date.h"

/* Where a request points to: TABLE -1 stands for the scalars. */
struct place {
	int table;
	size_t column; /* from 0; of the scalars: which */
	size_t row;
};

static struct wire_oid root; /* TEND_OID_ROOT.1 */

enum { SCALARS = -1, ENTRY = 1, FIRST_SCALAR = 1, FIRST_COLUMN = 2 };

static uint64_t since(usec_t now, uint64_t then)
{
	return then != 0 && now > then ? now - then : 0;
}

void serve_value(enum mib_type type, const struct cell *cell, struct wire_value *v)
{
	v->number = cell->number;
	switch (type) {
	case MIB_TEXT:
		v->type = WIRE_TEXT;
		v->data = cell->text ? cell->text : "";
		v->len = strlen(v->data);
		break;
	case MIB_DATE:
		v->type = WIRE_TEXT;
		date_format(cell->number, v->small);
		v->data = v->small;
		v->len = MIB_DATE_BYTES;
		break;
	case MIB_INTEGER:
		v->type = WIRE_INTEGER;
		break;
	case MIB_COUNTER32:
		v->type = WIRE_COUNTER32;
		break;
	case MIB_COUNTER64:
		v->type = WIRE_COUNTER64;
		break;
	case MIB_TICKS: /* kept as when it began: it goes on without updates */
		v->type = WIRE_TICKS;
		v->number = since(clock_now(), cell->number) / 10000;
		break;
	case MIB_AGE: /* likewise, by the time of day */
		v->type = WIRE_GAUGE32;
		v->number = since(clock_wall(), cell->number) / USEC_PER_SEC;
		break;
	case MIB_UNSIGNED:
	case MIB_OID: /* no cell has it */
	case MIB_TYPE_MAX:
		v->type = WIRE_GAUGE32;
		break;
	}
}

static int memcmp_ids(const uint32_t *a, const uint32_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* ---- places --------------------------------------------------------------------------------- */

/* Moves on until there is a row; false: the end of the tree. */
static bool settle(struct place *at)
{
	if (at->table == SCALARS) {
		if (at->column < mib_n_daemon)
			return true;
		*at = (struct place){0};
	}
	while (at->table < MIB_TABLE_MAX) {
		const struct mirror_table *rows = mirror_table((enum mib_table_id)at->table);

		if (at->row < rows->n && at->column < mib_tables[at->table].n_columns)
			return true;
		at->row = 0;
		if (rows->n == 0 || ++at->column >= mib_tables[at->table].n_columns)
			*at = (struct place){.table = at->table + 1};
	}
	return false;
}

/* The key of a row from the last parts of a name. `ret_past`: what is named lies behind the row of
 * this key, or it is the key of the row and that is not wanted. */
static uint64_t key_of(
	const uint32_t *parts, size_t n, unsigned n_indexes, bool inclusive, bool *ret_past)
{
	uint64_t key = 0;

	*ret_past = n > n_indexes || (n == n_indexes && !inclusive);
	for (unsigned i = 0; i < n_indexes; i++)
		key = key << 32 | (i < n ? parts[i] : 0);
	return key;
}

static struct place seek_table(int table, const uint32_t *parts, size_t n, bool inclusive)
{
	const struct mirror_table *rows = mirror_table((enum mib_table_id)table);
	struct place at = {.table = table}, next = {.table = table + 1};
	uint64_t key;
	bool past;

	if (n == 0 || parts[0] < ENTRY)
		return at;
	if (parts[0] > ENTRY)
		return next;
	if (n == 1 || parts[1] < FIRST_COLUMN)
		return at;
	if (parts[1] - FIRST_COLUMN >= mib_tables[table].n_columns)
		return next;
	at.column = parts[1] - FIRST_COLUMN;
	if (n == 2)
		return at;
	key = key_of(parts + 2, n - 2, mib_tables[table].n_indexes, inclusive, &past);
	at.row = mirror_lower(rows, key);
	if (past && at.row < rows->n && rows->rows[at.row]->key == key)
		at.row++;
	return at;
}

static struct place seek_scalar(const uint32_t *parts, size_t n, bool inclusive)
{
	struct place at = {.table = SCALARS};

	if (n == 0 || parts[0] < FIRST_SCALAR)
		return at;
	at.column = MIN((size_t)(parts[0] - FIRST_SCALAR), mib_n_daemon);
	/* Its only instance is .0: behind it when the name is longer, or .0 and not wanted. */
	if (n >= 2 && (parts[1] > 0 || n > 2 || !inclusive))
		at.column++;
	return at;
}

/* The first place at (if `inclusive`) or after what the name says. */
static bool seek(const struct wire_oid *name, bool inclusive, struct place *ret_place)
{
	struct place at = {.table = SCALARS};
	unsigned n = MIN(name->n, root.n);
	int order = memcmp_ids(name->ids, root.ids, n);
	const uint32_t *parts = name->ids + root.n;

	if (order > 0)
		return false;
	if (order == 0 && name->n > root.n && parts[0] == MIB_DAEMON) {
		at = seek_scalar(parts + 1, name->n - root.n - 1, inclusive);
	} else if (order == 0 && name->n > root.n && parts[0] > MIB_DAEMON) {
		at.table = 0;
		while (at.table < MIB_TABLE_MAX && mib_tables[at.table].id < parts[0])
			at.table++;
		if (at.table < MIB_TABLE_MAX && mib_tables[at.table].id == parts[0])
			at = seek_table(at.table, parts + 1, name->n - root.n - 1, inclusive);
	}
	if (!settle(&at))
		return false;
	*ret_place = at;
	return true;
}

static void name_of(const struct place *at, struct wire_oid *name)
{
	uint64_t key;

	name->n = root.n;
	name->include = false;
	memcpy(name->ids, root.ids, root.n * sizeof(root.ids[0]));
	if (at->table == SCALARS) {
		name->ids[name->n++] = MIB_DAEMON;
		name->ids[name->n++] = (uint32_t)at->column + FIRST_SCALAR;
		name->ids[name->n++] = 0;
		return;
	}
	key = mirror_table((enum mib_table_id)at->table)->rows[at->row]->key;
	name->ids[name->n++] = mib_tables[at->table].id;
	name->ids[name->n++] = ENTRY;
	name->ids[name->n++] = (uint32_t)at->column + FIRST_COLUMN;
	if (mib_tables[at->table].n_indexes == 2)
		name->ids[name->n++] = (uint32_t)(key >> 32);
	name->ids[name->n++] = (uint32_t)key;
}

static void value_of(const struct place *at, struct wire_value *value)
{
	enum mib_table_id id = (enum mib_table_id)MAX(at->table, 0);

	if (at->table == SCALARS)
		serve_value(mib_daemon[at->column].type, mirror_scalar(at->column), value);
	else
		serve_value(mib_tables[id].columns[at->column].type,
			&mirror_table(id)->rows[at->row]->cells[at->column], value);
}

bool serve_next(const struct wire_oid *from, bool inclusive, struct wire_oid *ret_name,
	struct wire_value *ret_value)
{
	struct place at;

	if (!seek(from, inclusive, &at))
		return false;
	name_of(&at, ret_name);
	if (ret_value)
		value_of(&at, ret_value);
	return true;
}

const struct wire_oid *serve_root(void)
{
	return &root;
}

/* Places are found by counting: the rows of mib.c have no gaps. */
static bool numbers_fit(void)
{
	for (size_t i = 0; i < mib_n_daemon; i++)
		if (mib_daemon[i].id != FIRST_SCALAR + i)
			return false;
	for (int t = 0; t < MIB_TABLE_MAX; t++) {
		if (mib_tables[t].id <= (t > 0 ? mib_tables[t - 1].id : MIB_DAEMON))
			return false;
		for (size_t i = 0; i < mib_tables[t].n_columns; i++)
			if (mib_tables[t].columns[i].id != FIRST_COLUMN + i)
				return false;
	}
	return true;
}

int serve_init(void)
{
	int r = wire_oid_parse(TEND_OID_ROOT, &root);

	if (r < 0)
		return r;
	if (!numbers_fit() || root.n > WIRE_MAX_IDS - 8)
		return -EPROTO;
	root.ids[root.n++] = MIB_OBJECTS;
	return alarms_init();
}
