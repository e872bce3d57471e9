/* SPDX-License-Identifier: MIT */
/*
 * snmp/mirror.h: what tendd last told us of its state, served as the scalars and tables of
 * TEND-MIB. Read-only; at most MIB_MAX_ROWS rows a table, texts cut to 255 bytes. Nothing here
 * computes a state. Registers with net-snmp's agent library; requests are answered from memory,
 * nothing blocks. Owns everything; lives as long as the process.
 */
#ifndef SNMP_MIRROR_H
#define SNMP_MIRROR_H

#include <jansson.h>

int mirror_register(void); /* between init_agent() and init_snmp() */
/* The arguments of the note `update`. What is wrong in it is logged and left out. */
void mirror_update(json_t *update);
size_t mirror_n_rows(void);

#endif
