/* SPDX-License-Identifier: MIT */
/*
 * snmp/ber.h: the part of BER (X.690) that SNMP uses (RFC 3417, 8): definite lengths, tags of one
 * byte. Reading never leaves the bytes it was given and copies nothing; writing goes backwards, so
 * that lengths are known when they are written. Pure; what is read is foreign.
 */
#ifndef SNMP_BER_H
#define SNMP_BER_H

#include "oid.h"

enum {
	BER_INTEGER = 0x02,
	BER_OCTETS = 0x04,
	BER_NULL = 0x05,
	BER_OID = 0x06,
	BER_SEQUENCE = 0x30,
};

struct ber_in {
	const unsigned char *at, *end;
};
/* Each takes one element from `in`; -EBADMSG, nothing is taken then. */
int ber_next(struct ber_in *in, unsigned *ret_tag, struct ber_in *ret_content);
int ber_enter(struct ber_in *in, unsigned tag, struct ber_in *ret_content);
int ber_read_int(struct ber_in *in, int64_t min, int64_t max, int64_t *ret_value);
size_t ber_left(const struct ber_in *in);
/* The content of a number: at most 8 bytes, or 9 with a leading zero. */
int ber_number(const struct ber_in *content, uint64_t *ret_value);

struct ber_out {
	unsigned char *start, *at, *end;
	bool full; /* it did not fit: what was written is of no use */
};
void ber_out_init(struct ber_out *out, unsigned char *buf, size_t size);
void ber_put_bytes(struct ber_out *out, unsigned tag, const void *data, size_t len);
void ber_put_int(struct ber_out *out, unsigned tag, int64_t value);
void ber_put_oid(struct ber_out *out, const struct oid *oid);
/* The header of all that was written since `at` was `content_end`. */
void ber_put_header(struct ber_out *out, unsigned tag, const unsigned char *content_end);

#endif
