/* SPDX-License-Identifier: MIT */
/*
 * snmp/mirror.h: what tendd last told us of its state: the scalars and rows of TEND-MIB, in memory.
 * Between two calls of mirror_update() nothing changes, so that a request sees one state. At most
 * MIB_MAX_ROWS rows a table, texts cut to 255 bytes. Nothing here computes a state, nothing blocks,
 * net-snmp is not needed. Owns everything; lives as long as the process.
 */
#ifndef SNMP_MIRROR_H
#define SNMP_MIRROR_H

#include <jansson.h>
#include "snmp/mib.h"

struct cell {
	char *text; /* of MIB_TEXT; NULL = "" */
	uint64_t number;
};
struct mirror_row {
	uint64_t key; /* the index; of two parts the first in the upper half */
	struct cell cells[];
};
struct mirror_table {
	struct mirror_row **rows; /* by key */
	size_t n, cap;
};

/* The arguments of the note `update`. What is wrong in it is logged and left out. */
void mirror_update(json_t *update);
const struct mirror_table *mirror_table(enum mib_table_id id);
const struct cell *mirror_scalar(size_t i); /* of mib_daemon[i] */
size_t mirror_n_rows(void);
/* The first row whose key is `key` or more: its place, n if there is none. */
size_t mirror_lower(const struct mirror_table *table, uint64_t key);
uint64_t mirror_generation(void); /* another one: something may have changed */

#endif
