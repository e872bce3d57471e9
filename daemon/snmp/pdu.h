/* SPDX-License-Identifier: MIT */
/*
 * snmp/pdu.h: the varbinds of a call `inform` or `trap` as a PDU. Pure but for the memory it
 * returns; what the caller may do wrong (a bad OID, a value out of range, too many) is refused with
 * a text.
 */
#ifndef SNMP_PDU_H
#define SNMP_PDU_H

#include <jansson.h>
#include <tend/error.h>
#include "snmp/library.h"

enum { PDU_MAX_VARBINDS = 64, PDU_MAX_TEXT_BYTES = 1024 };

/*
 * `command` is SNMP_MSG_INFORM, SNMP_MSG_TRAP2, or SNMP_MSG_TRAP for the trap of SNMPv1 that RFC
 * 3584, 3.2 makes of it: what is a Counter64 stays out, agent-addr is 0.0.0.0. sysUpTime.0 and
 * snmpTrapOID.0 must come first. The caller frees it with snmp_free_pdu(). -EINVAL with err,
 * -ENOMEM.
 */
int pdu_from_json(json_t *varbinds, int command, struct tend_error *err, netsnmp_pdu **ret_pdu);

#endif
