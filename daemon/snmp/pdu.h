/* SPDX-License-Identifier: MIT */
/*
 * snmp/pdu.h: the varbinds of a call `inform` as a PDU. Pure but for the memory it returns; what
 * the caller may do wrong (a bad OID, a value out of range, too many) is refused with a text.
 */
#ifndef SNMP_PDU_H
#define SNMP_PDU_H

#include <jansson.h>
#include <tend/error.h>
#include "snmp/library.h"

enum { PDU_MAX_VARBINDS = 64, PDU_MAX_TEXT_BYTES = 1024 };

/* An INFORM; the caller frees it with snmp_free_pdu(). -EINVAL with err, -ENOMEM. */
int pdu_from_json(json_t *varbinds, struct tend_error *err, netsnmp_pdu **ret_pdu);

#endif
