/* SPDX-License-Identifier: MIT */
/*
 * snmp/rows.h: one row of a table of TEND-MIB from a struct of tendd's, as the members that
 * snmp/mib.h names. Read-only on what they are given; the caller frees the JSON. NULL: no memory.
 */
#ifndef SNMP_ROWS_H
#define SNMP_ROWS_H

#include "incident/incident.h"
#include "policy/policy.h"
#include "watch/watch.h"

json_t *rows_system(const struct conf_system *system, enum tend_state state);
json_t *rows_component(const struct component *component);
json_t *rows_check(const struct check *check);
json_t *rows_incident(const struct incident *incident, enum tend_state state);

/* rows_slow.c */
json_t *rows_policy(const struct policies_glance *glance);
/* sets: as the policy `backup` keeps them, at least one. */
json_t *rows_backup(const char *component, const json_t *sets);
json_t *rows_receiver(const json_t *receiver); /* of alert_receivers_to_json() */
json_t *rows_log(const json_t *row);	       /* of STORE_QUERY_NOTICE_LOG */
json_t *rows_window(const struct conf_window *window, usec_t wall);

/* "NAME=VALUE[UNIT] ...", whole metrics only. */
enum { ROWS_VALUE_BYTES = 256 };
void rows_format_value(const struct result *result, char buf[ROWS_VALUE_BYTES]);

#endif
