/* SPDX-License-Identifier: MIT */
/*
 * snmp/varbinds.h: a notice as the variables of an SNMP notification of TEND-MIB, in the form that
 * the call `inform` of tend-snmp takes: [{"oid":"1.3...","type":"s|i|u|t|o|c64|d","value":...},
 * ...]. Pure: no clock, no I/O; net-snmp is not needed. Texts are cut to 255 bytes at a character.
 */
#ifndef SNMP_VARBINDS_H
#define SNMP_VARBINDS_H

#include "alert/alert.h"

bool snmp_tells(enum notice_kind kind); /* it has a notification in the MIB */

/*
 * sysUpTime.0 and snmpTrapOID.0 first (RFC 3416, 4.2.6), then the objects of the notification's
 * kind. A heartbeat carries scalars too, from members of its details (loop_lag_seconds,
 * outbox_depth, config_ok, actions_enabled, worst_state, incidents_open). `sequence` is the
 * receiver's, `epoch` the store's; `uptime_usec` how long tendd has run. The caller frees
 * *ret_json. -EINVAL: no such kind, or it is not told by SNMP; -ENOMEM.
 */
int snmp_notice_varbinds(const struct notice *notice, uint64_t sequence, const char *epoch,
	usec_t uptime_usec, json_t **ret_json);

#endif
