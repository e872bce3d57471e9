/* SPDX-License-Identifier: MIT */
#include "snmp/mirror.h"
#include <errno.h>
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "snmp/library.h"
#include "snmp/mib.h"

struct cell {
	char *text; /* of MIB_TEXT; NULL = "" */
	uint64_t number;
};

enum { MAX_COLUMNS = 16, MAX_SCALARS = 32 };

struct row {
	struct cell cells[MAX_COLUMNS];
};

static struct {
	netsnmp_tdata *tables[MIB_TABLE_MAX];
	size_t n_rows[MIB_TABLE_MAX];
	struct cell scalars[MAX_SCALARS];
	uint64_t generation;
} mirror;

static void clear_cells(struct cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(cells[i].text);
	memset(cells, 0, n * sizeof(*cells));
}

static void set_cell(struct cell *cell, enum mib_type type, json_t *value)
{
	if (type != MIB_TEXT) {
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

static int answer(
	netsnmp_variable_list *var, const struct mib_object *object, const struct cell *cell)
{
	unsigned char date[MIB_DATE_BYTES];
	uint64_t n = cell->number;
	struct counter64 wide = {.high = (u_long)(n >> 32), .low = (u_long)(n & UINT32_MAX)};
	const char *text = cell->text ? cell->text : "";

	switch (object->type) {
	case MIB_TEXT:
		return snmp_set_var_typed_value(var, ASN_OCTET_STR, text, strlen(text));
	case MIB_INTEGER:
		return snmp_set_var_typed_integer(var, ASN_INTEGER, (long)(int32_t)n);
	case MIB_UNSIGNED:
		return snmp_set_var_typed_integer(var, ASN_GAUGE, (long)(n & UINT32_MAX));
	case MIB_COUNTER32:
		return snmp_set_var_typed_integer(var, ASN_COUNTER, (long)(n & UINT32_MAX));
	case MIB_TICKS: /* kept as when it began: it goes on without updates */
		n = clock_now() > n ? (clock_now() - n) / 10000 : 0;
		return snmp_set_var_typed_integer(var, ASN_TIMETICKS, (long)(n & UINT32_MAX));
	case MIB_COUNTER64:
		return snmp_set_var_typed_value(var, ASN_COUNTER64, &wide, sizeof(wide));
	case MIB_DATE:
		library_format_date(n, date);
		return snmp_set_var_typed_value(var, ASN_OCTET_STR, date, sizeof(date));
	case MIB_OID:
	case MIB_TYPE_MAX:
		break;
	}
	return SNMPERR_GENERR;
}

static int on_scalar(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
	netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	for (netsnmp_request_info *q = requests; q; q = q->next) {
		const netsnmp_variable_list *var = q->requestvb;
		oid id = var->name_length >= 2 ? var->name[var->name_length - 2] : 0;

		/* Their numbers are 1, 2, 3, ...: mirror_register() asserts it. */
		if (info->mode != MODE_GET || id < 1 || id > mib_n_daemon)
			netsnmp_set_request_error(info, q, SNMP_NOSUCHOBJECT);
		else if (answer(q->requestvb, &mib_daemon[id - 1], &mirror.scalars[id - 1]) != 0)
			netsnmp_set_request_error(info, q, SNMP_ERR_GENERR);
	}
	return SNMP_ERR_NOERROR;
}

static int on_table(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
	netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	const struct mib_table *table = reg->my_reg_void;

	for (netsnmp_request_info *q = requests; q; q = q->next) {
		const struct row *row = netsnmp_tdata_extract_entry(q);
		const netsnmp_table_request_info *where = netsnmp_extract_table_info(q);
		/* Columns are 2, 3, ..., n + 1. */
		size_t column = where ? where->colnum - 2u : SIZE_MAX;

		if (q->processed)
			continue;
		if (info->mode != MODE_GET || !row || column >= table->n_columns)
			netsnmp_set_request_error(info, q, SNMP_NOSUCHINSTANCE);
		else if (answer(q->requestvb, &table->columns[column], &row->cells[column]) != 0)
			netsnmp_set_request_error(info, q, SNMP_ERR_GENERR);
	}
	return SNMP_ERR_NOERROR;
}

static int register_scalars(const oid *root, size_t root_len)
{
	oid where[MAX_OID_LEN];
	netsnmp_handler_registration *reg;

	memcpy(where, root, root_len * sizeof(oid));
	where[root_len] = MIB_OBJECTS;
	where[root_len + 1] = MIB_DAEMON;
	reg = netsnmp_create_handler_registration(
		"tendDaemon", on_scalar, where, root_len + 2, HANDLER_CAN_RONLY);
	if (!reg)
		return -ENOMEM;
	return netsnmp_register_scalar_group(reg, 1, (oid)mib_n_daemon) == MIB_REGISTERED_OK ? 0
											     : -EIO;
}

static int register_table(const oid *root, size_t root_len, enum mib_table_id id)
{
	const struct mib_table *table = &mib_tables[id];
	netsnmp_table_registration_info *info;
	netsnmp_handler_registration *reg;
	oid where[MAX_OID_LEN];

	memcpy(where, root, root_len * sizeof(oid));
	where[root_len] = MIB_OBJECTS;
	where[root_len + 1] = table->id;
	mirror.tables[id] = netsnmp_tdata_create_table(table->name, 0);
	info = SNMP_MALLOC_TYPEDEF(netsnmp_table_registration_info);
	reg = netsnmp_create_handler_registration(
		table->name, on_table, where, root_len + 2, HANDLER_CAN_RONLY);
	if (!mirror.tables[id] || !info || !reg)
		return -ENOMEM; /* the process ends */
	reg->my_reg_void = (void *)(uintptr_t)table;
	netsnmp_table_helper_add_indexes(info, ASN_UNSIGNED, 0);
	info->min_column = 2;
	info->max_column = (unsigned)table->n_columns + 1;
	return netsnmp_tdata_register(reg, mirror.tables[id], info) == MIB_REGISTERED_OK ? 0 : -EIO;
}

/* Handlers take a number for a place in the rows of mib.c. */
static bool numbers_fit(const struct mib_object *objects, size_t n, uint32_t first, size_t max)
{
	for (size_t i = 0; i < n; i++)
		if (objects[i].id != first + i)
			return false;
	return n <= max;
}

int mirror_register(void)
{
	oid root[MAX_OID_LEN];
	size_t root_len;
	int r = library_parse_oid(TEND_OID_ROOT, root, MAX_OID_LEN - 8, &root_len);

	if (r == 0 && !numbers_fit(mib_daemon, mib_n_daemon, 1, MAX_SCALARS))
		r = -EPROTO;
	if (r == 0)
		r = register_scalars(root, root_len);
	for (enum mib_table_id id = 0; r == 0 && id < MIB_TABLE_MAX; id++) {
		if (!numbers_fit(mib_tables[id].columns, mib_tables[id].n_columns, 2, MAX_COLUMNS))
			r = -EPROTO;
		else
			r = register_table(root, root_len, id);
	}
	return r;
}

static void free_row(struct row *row)
{
	if (!row)
		return;
	clear_cells(row->cells, MAX_COLUMNS);
	free(row);
}

static void remove_row(enum mib_table_id id, netsnmp_tdata_row *row)
{
	free_row(netsnmp_tdata_remove_and_delete_row(mirror.tables[id], row));
	mirror.n_rows[id]--;
}

static int parse_index(const char *text, oid *ret_index)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || n < 1 || n > INT32_MAX)
		return -EINVAL;
	*ret_index = n;
	return 0;
}

static netsnmp_tdata_row *find_row(enum mib_table_id id, oid index)
{
	return netsnmp_tdata_row_get_byoid(mirror.tables[id], &index, 1);
}

static netsnmp_tdata_row *add_row(enum mib_table_id id, oid index)
{
	netsnmp_tdata_row *row;
	struct row *data;
	u_long number = index;

	if (mirror.n_rows[id] >= MIB_MAX_ROWS)
		return NULL;
	row = netsnmp_tdata_create_row();
	data = calloc(1, sizeof(*data));
	if (!row || !data) {
		free(data);
		netsnmp_tdata_delete_row(row);
		return NULL;
	}
	row->data = data;
	netsnmp_tdata_row_add_index(row, ASN_UNSIGNED, &number, sizeof(number));
	if (netsnmp_tdata_add_row(mirror.tables[id], row) != SNMPERR_SUCCESS) {
		free_row(netsnmp_tdata_delete_row(row));
		return NULL;
	}
	mirror.n_rows[id]++;
	return row;
}

static void update_rows(enum mib_table_id id, json_t *rows)
{
	const struct mib_table *table = &mib_tables[id];
	const char *key;
	json_t *values;
	oid index;
	unsigned n_bad = 0;

	json_object_foreach (rows, key, values) {
		netsnmp_tdata_row *row = NULL;
		struct row *data;

		if (json_is_object(values) && parse_index(key, &index) == 0) {
			row = find_row(id, index);
			if (!row)
				row = add_row(id, index);
		}
		if (!row) {
			n_bad++;
			continue;
		}
		data = row->data;
		for (size_t i = 0; i < table->n_columns; i++) {
			json_t *value = json_object_get(values, table->columns[i].key);

			if (value)
				set_cell(&data->cells[i], table->columns[i].type, value);
		}
	}
	if (n_bad)
		log_warning("tend-agentx: %u rows of %s are not valid or too many, left out", n_bad,
			table->name);
}

static void remove_rows(enum mib_table_id id, json_t *indexes)
{
	size_t i;
	json_t *value;

	json_array_foreach (indexes, i, value) {
		netsnmp_tdata_row *row = find_row(id, (oid)json_integer_value(value));

		if (row)
			remove_row(id, row);
	}
}

static void clear_rows(enum mib_table_id id)
{
	netsnmp_tdata_row *row;

	while ((row = netsnmp_tdata_row_first(mirror.tables[id])))
		remove_row(id, row);
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
		log_warning("tend-agentx: update %llu after %llu", (unsigned long long)generation,
			(unsigned long long)mirror.generation);
	mirror.generation = generation;
	for (enum mib_table_id id = 0; id < MIB_TABLE_MAX; id++) {
		if (full)
			clear_rows(id);
		remove_rows(id, json_object_get(removed, mib_tables[id].key));
		update_rows(id, json_object_get(rows, mib_tables[id].key));
	}
	for (size_t i = 0; i < mib_n_daemon; i++) {
		json_t *value = json_object_get(scalars, mib_daemon[i].key);

		if (value)
			set_cell(&mirror.scalars[i], mib_daemon[i].type, value);
	}
}

size_t mirror_n_rows(void)
{
	size_t n = 0;

	for (size_t id = 0; id < MIB_TABLE_MAX; id++)
		n += mirror.n_rows[id];
	return n;
}
