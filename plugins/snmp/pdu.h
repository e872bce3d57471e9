/* SPDX-License-Identifier: MIT */
/*
 * snmp/pdu.h: questions and answers (RFC 3416) without what is around them: GET, GETBULK, RESPONSE,
 * REPORT. There is no SET. Values point into the packet they came in. Pure; what is read is
 * foreign and bounded by PDU_MAX_BINDS.
 */
#ifndef SNMP_PDU_H
#define SNMP_PDU_H

#include "ber.h"

enum { PDU_MAX_BINDS = 64 };
enum pdu_type { PDU_GET = 0xa0, PDU_RESPONSE = 0xa2, PDU_GETBULK = 0xa5, PDU_REPORT = 0xa8 };
enum pdu_status {
	PDU_NO_ERROR = 0,
	PDU_TOO_BIG = 1,
	PDU_NO_SUCH_NAME = 2,
	PDU_NO_ACCESS = 6,
	PDU_AUTHORIZATION = 16,
};

enum value_type {
	VALUE_INTEGER = BER_INTEGER,
	VALUE_OCTETS = BER_OCTETS,
	VALUE_NULL = BER_NULL,
	VALUE_OID = BER_OID,
	VALUE_ADDRESS = 0x40,
	VALUE_COUNTER32 = 0x41,
	VALUE_GAUGE = 0x42,
	VALUE_TICKS = 0x43,
	VALUE_OPAQUE = 0x44,
	VALUE_COUNTER64 = 0x46,
	VALUE_NO_OBJECT = 0x80,
	VALUE_NO_INSTANCE = 0x81,
	VALUE_END_OF_VIEW = 0x82,
};
struct value {
	unsigned type;
	uint64_t number;     /* of the integral types; INTEGER as two's complement */
	struct ber_in bytes; /* of the others; of the packet */
};
bool value_missing(const struct value *value);
/* Also of texts that are a number, and floats in an Opaque. TimeTicks are seconds. */
bool value_number(const struct value *value, double *ret_number);
enum { VALUE_TEXT_BYTES = 128 };
/* Octets that are no text become 00:1a:... */
const char *value_text(const struct value *value, char buf[VALUE_TEXT_BYTES]);

struct pdu_ask {
	enum pdu_type type;
	uint32_t request_id;
	int non_repeaters, repetitions; /* of GETBULK */
	const struct oid *const *oids;
	size_t n_oids;
};
void pdu_put(struct ber_out *out, const struct pdu_ask *ask);

struct pdu_bind {
	struct oid name;
	struct value value;
};
struct pdu_answer {
	unsigned type;
	uint32_t request_id;
	int64_t status, index; /* index: from 1, of what is to blame */
	size_t n_binds;
	struct pdu_bind binds[PDU_MAX_BINDS];
};
int pdu_read(struct ber_in *in, struct pdu_answer *ret_answer); /* -EBADMSG */

#endif
