/* SPDX-License-Identifier: MIT */
/*
 * snmp/oid.h: object identifiers: as text in a configuration, as bytes on the wire (X.690, 8.19),
 * and their order. Pure; texts and bytes are foreign.
 */
#ifndef SNMP_OID_H
#define SNMP_OID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OID_MAX_PARTS = 128, /* RFC 2578, 3.5 */
	OID_MAX_BYTES = OID_MAX_PARTS * 5,
	OID_TEXT_BYTES = 128, /* what is longer is cut, for people */
};

struct oid {
	size_t n;
	uint32_t parts[OID_MAX_PARTS];
};

/* "1.3.6.1" or ".1.3.6.1": numbers only. -EINVAL. */
int oid_parse(const char *text, struct oid *ret_oid);
/* The content of an OBJECT IDENTIFIER. -EBADMSG. */
int oid_read(const unsigned char *data, size_t len, struct oid *ret_oid);
size_t oid_write(const struct oid *oid, unsigned char buf[OID_MAX_BYTES]);

int oid_compare(const struct oid *a, const struct oid *b);
bool oid_below(const struct oid *oid, const struct oid *top); /* and not the same */
/* What `oid` has more than `top`, which it is below. */
void oid_index(const struct oid *oid, const struct oid *top, struct oid *ret_index);
const char *oid_text(const struct oid *oid, char *buf, size_t size);

#endif
