/* SPDX-License-Identifier: MIT */
/*
 * snmp/serve.h: what tend-agentx answers: the instances below TEND_OID_ROOT.1 from snmp/mirror.h,
 * and with snmp/alarms.h those of alarmActiveTable. Pure over the mirror and the clock; a value is
 * valid until the next mirror_update().
 */
#ifndef SNMP_SERVE_H
#define SNMP_SERVE_H

#include "snmp/mirror.h"
#include "snmp/wire.h"

/* Before all else: -EPROTO when the rows of mib.c are not as they are counted on here. */
int serve_init(void);
const struct wire_oid *serve_root(void); /* of what serve_next() knows */
/* The first instance after the name, or with `inclusive` from it on; false: there is none. The name
 * and its value; `ret_value` may be NULL. */
bool serve_next(const struct wire_oid *from, bool inclusive, struct wire_oid *ret_name,
	struct wire_value *ret_value);
void serve_value(enum mib_type type, const struct cell *cell, struct wire_value *ret_value);

/*
 * The answer to a PDU of the master (GET, GETNEXT, GETBULK, a SET, which is refused), appended to
 * `writer`; nothing where there is none (CLEANUPSET). -EPROTO: not a PDU of ours, or it cannot be
 * read: answered, too, where it asks for an answer.
 */
int serve_answer(const struct wire_header *header, const void *payload, uint32_t uptime_ticks,
	struct wire_writer *writer);

#endif
