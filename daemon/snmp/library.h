/* SPDX-License-Identifier: MIT */
/*
 * snmp/library.h: net-snmp as tend-snmp needs it: no configuration, no MIB files, no
 * files of its own, no signals; its messages go to our log, at most 20 a second. For one process
 * and its one thread. library_begin() before anything else of net-snmp.
 */
#ifndef SNMP_LIBRARY_H
#define SNMP_LIBRARY_H

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdbool.h>
#include <stdint.h>
#include <tend/option.h>

void library_begin(void);	     /* before init_snmp() */
void library_start(const char *app); /* init_snmp() */
void library_stop(const char *app);

/* "1.3.6.1": numbers only; -EINVAL. `ret_len` is set to what was used of max. */
int library_parse_oid(const char *text, oid *ret_oid, size_t max, size_t *ret_len);

#endif
