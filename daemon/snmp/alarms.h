/* SPDX-License-Identifier: MIT */
/*
 * snmp/alarms.h: the open incidents as alarmActiveTable of ALARM-MIB (RFC 3877), for stations that
 * know that and not TEND-MIB: the rows of tendIncidentTable under another index, pointing to them.
 * To be registered with the lowest priority AgentX has: where snmpd or another subagent serves the
 * table, that one is seen. Pure over the mirror; lives as long as the process.
 */
#ifndef SNMP_ALARMS_H
#define SNMP_ALARMS_H

#include "snmp/wire.h"

enum { ALARMS_PRIORITY = 255 };
int alarms_init(void);
extern const struct wire_oid alarms_root;
/* As serve_next(). */
bool alarms_next(const struct wire_oid *from, bool inclusive, struct wire_oid *ret_name,
	struct wire_value *ret_value);

#endif
