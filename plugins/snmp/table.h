/* SPDX-License-Identifier: MIT */
/*
 * snmp/table.h: what was read: values as they are kept after their packet, and the rows of a walk.
 * Owned by a run; bounded by the rows it was made for. Nothing blocks.
 */
#ifndef SNMP_TABLE_H
#define SNMP_TABLE_H

#include "pdu.h"

struct datum {
	unsigned type; /* of enum value_type; 0: was not read */
	bool is_number;
	uint64_t count; /* of a counter */
	double number;
	char text[VALUE_TEXT_BYTES];
};
void datum_set(struct datum *datum, const struct value *value);

struct table_row {
	struct oid index;
	struct datum *cells; /* a column each */
};
struct table {
	size_t n_columns, n_rows, max_rows;
	struct table_row *rows;
};
void table_init(struct table *table, size_t n_columns, size_t max_rows);
void table_clear(struct table *table);
/* -ENOSPC: there are too many rows; -ENOMEM. */
int table_add(
	struct table *table, size_t column, const struct oid *index, const struct value *value);

#endif
