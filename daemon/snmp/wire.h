/* SPDX-License-Identifier: MIT */
/*
 * snmp/wire.h: AgentX on the wire (RFC 2741, section 5): headers, object identifiers, values. What
 * is read may be anything: a reader that has met the end, or what cannot be, has failed and stays
 * so. Pure; the writer owns its memory until wire_writer_clear().
 */
#ifndef SNMP_WIRE_H
#define SNMP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WIRE_MAX_IDS = 128, /* parts of an object identifier (RFC 2578, 3.5) */
	WIRE_HEADER_BYTES = 20,
	WIRE_MAX_PAYLOAD_BYTES = 1 << 20,
	WIRE_MAX_VALUE_BYTES = 1024,
};

enum wire_pdu { /* h.type */
	WIRE_OPEN = 1,
	WIRE_CLOSE = 2,
	WIRE_REGISTER = 3,
	WIRE_GET = 5,
	WIRE_GETNEXT = 6,
	WIRE_GETBULK = 7,
	WIRE_TESTSET = 8,
	WIRE_COMMITSET = 9,
	WIRE_UNDOSET = 10,
	WIRE_CLEANUPSET = 11,
	WIRE_PING = 13,
	WIRE_RESPONSE = 18,
};
enum { WIRE_FLAG_CONTEXT = 0x08, WIRE_FLAG_BIG_ENDIAN = 0x10 };

enum wire_type { /* v.type */
	WIRE_INTEGER = 2,
	WIRE_TEXT = 4,
	WIRE_OID = 6,
	WIRE_COUNTER32 = 65,
	WIRE_GAUGE32 = 66,
	WIRE_TICKS = 67,
	WIRE_COUNTER64 = 70,
	WIRE_NO_SUCH_OBJECT = 128,
	WIRE_NO_SUCH_INSTANCE = 129,
	WIRE_END_OF_VIEW = 130,
};

struct wire_oid {
	unsigned n;
	bool include; /* of the start of a range: it itself counts */
	uint32_t ids[WIRE_MAX_IDS];
};
int wire_oid_compare(const struct wire_oid *a, const struct wire_oid *b);
int wire_oid_parse(const char *text, struct wire_oid *ret_oid); /* "1.3.6.1"; -EINVAL */

struct wire_value {
	enum wire_type type;
	uint64_t number;  /* of numbers */
	const void *data; /* of WIRE_TEXT; borrowed, or `small` */
	size_t len;
	struct wire_oid oid;
	unsigned char small[WIRE_MAX_VALUE_BYTES];
};

struct wire_header {
	uint8_t type, flags;
	uint32_t session, transaction, packet, length; /* of what follows the header */
};

struct wire_reader {
	const unsigned char *at, *end;
	bool big_endian, failed;
};
/* -EAGAIN: not all of it is here; -EPROTO: it is no header of ours, or too long. */
int wire_read_header(const void *data, size_t len, struct wire_header *ret_header);
uint16_t wire_read_16(struct wire_reader *reader);
uint32_t wire_read_32(struct wire_reader *reader);
void wire_read_oid(struct wire_reader *reader, struct wire_oid *oid);
void wire_skip_text(struct wire_reader *reader);

struct wire_writer {
	unsigned char *data;
	size_t len, cap;
	bool failed; /* no memory */
};
void wire_writer_clear(struct wire_writer *writer);
/* Begins a PDU; wire_end() writes its length. Returns where it begins. */
size_t wire_begin(struct wire_writer *writer, const struct wire_header *header);
void wire_end(struct wire_writer *writer, size_t begin);
void wire_write_8x4(struct wire_writer *writer, uint8_t a, uint8_t b, uint8_t c, uint8_t d);
void wire_write_16(struct wire_writer *writer, uint16_t value);
void wire_write_32(struct wire_writer *writer, uint32_t value);
void wire_write_text(struct wire_writer *writer, const void *data, size_t len);
void wire_write_oid(struct wire_writer *writer, const struct wire_oid *oid);
/* A whole VarBind; the value of the exceptions is nothing. */
void wire_write_varbind(
	struct wire_writer *writer, const struct wire_oid *name, const struct wire_value *value);

#endif
