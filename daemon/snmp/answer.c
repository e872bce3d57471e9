/* SPDX-License-Identifier: MIT */
/* snmp/answer.c: PDUs of the master -> responses (RFC 2741, section 7.2). */
#include <errno.h>
#include <string.h>
#include "snmp/alarms.h"
#include "snmp/serve.h"

enum {
	MAX_REPEATERS = 64,
	MAX_ANSWER_BYTES = 256 << 10, /* of the repetitions of a GETBULK: fewer may come */
	/* res.error */
	NO_ERROR = 0,
	TOO_BIG = 1,
	NOT_WRITABLE = 17,
	COMMIT_FAILED = 14,
	UNDO_FAILED = 15,
	UNSUPPORTED_CONTEXT = 262,
	PARSE_ERROR = 266,
};

struct range {
	struct wire_oid start, end; /* end: n = 0 means none */
};

struct answer {
	struct wire_writer *writer;
	size_t begin, error_at;
};

static bool next(const struct wire_oid *from, bool inclusive, struct wire_oid *ret_name,
	struct wire_value *ret_value)
{
	/* In the order of the tree: alarmActiveTable is below mib-2. */
	return alarms_next(from, inclusive, ret_name, ret_value) ||
	       serve_next(from, inclusive, ret_name, ret_value);
}

static void put_get(struct wire_writer *w, const struct range *range)
{
	struct wire_oid name;
	struct wire_value value;

	if (!next(&range->start, true, &name, &value) ||
		wire_oid_compare(&name, &range->start) != 0)
		value.type = WIRE_NO_SUCH_INSTANCE;
	wire_write_varbind(w, &range->start, &value);
}

/* False: the end of what is in the range. Else the range begins behind what was found. */
static bool put_next(struct wire_writer *w, struct range *range)
{
	struct wire_oid name;
	struct wire_value value;

	if (!next(&range->start, range->start.include, &name, &value) ||
		(range->end.n > 0 && wire_oid_compare(&name, &range->end) >= 0)) {
		range->start.include = false;
		value.type = WIRE_END_OF_VIEW;
		wire_write_varbind(w, &range->start, &value);
		return false;
	}
	wire_write_varbind(w, &name, &value);
	range->start = name; /* include is false in it */
	return true;
}

static bool read_range(struct wire_reader *reader, struct range *range)
{
	if (reader->failed || reader->at == reader->end)
		return false;
	wire_read_oid(reader, &range->start);
	wire_read_oid(reader, &range->end);
	return !reader->failed;
}

static void answer_ranges(struct wire_reader *reader, bool is_get, struct wire_writer *w)
{
	struct range range;

	while (read_range(reader, &range)) {
		if (is_get) {
			range.start.include = false;
			put_get(w, &range);
		} else {
			(void)put_next(w, &range);
		}
	}
}

/* A res.error. (snmpd 5.9 sends no GETBULK at all, but a GETNEXT for each repetition.) */
static uint16_t answer_bulk(struct wire_reader *reader, struct wire_writer *w)
{
	unsigned non_repeaters = wire_read_16(reader), repetitions = wire_read_16(reader);
	static struct range ranges[MAX_REPEATERS]; /* one thread; too large for its stack */
	size_t n = 0, from = w->len;
	bool more = true;

	for (; non_repeaters > 0 && read_range(reader, &ranges[0]); non_repeaters--)
		(void)put_next(w, &ranges[0]);
	while (n < MAX_REPEATERS && read_range(reader, &ranges[n]))
		n++;
	if (reader->at < reader->end)
		return TOO_BIG;
	for (; more && repetitions > 0 && w->len - from < MAX_ANSWER_BYTES; repetitions--) {
		more = false;
		for (size_t i = 0; i < n; i++)
			more = put_next(w, &ranges[i]) || more;
	}
	return NO_ERROR;
}

static void begin(struct answer *a, const struct wire_header *header, uint32_t uptime_ticks)
{
	struct wire_header response = *header;

	response.type = WIRE_RESPONSE;
	a->begin = wire_begin(a->writer, &response);
	wire_write_32(a->writer, uptime_ticks);
	a->error_at = a->writer->len;
	wire_write_16(a->writer, NO_ERROR);
	wire_write_16(a->writer, 0);
}

/* Nothing but the error goes out (RFC 2741, 7.2.3). */
static void fail(struct answer *a, uint16_t error, uint16_t index)
{
	if (a->writer->failed)
		return;
	a->writer->len = a->error_at;
	wire_write_16(a->writer, error);
	wire_write_16(a->writer, index);
}

int serve_answer(const struct wire_header *header, const void *payload, uint32_t uptime_ticks,
	struct wire_writer *writer)
{
	struct wire_reader reader = {.at = payload,
		.end = header->length ? (const unsigned char *)payload + header->length : payload,
		.big_endian = header->flags & WIRE_FLAG_BIG_ENDIAN};
	struct answer a = {.writer = writer};
	uint16_t error = NO_ERROR;

	if (header->type == WIRE_CLEANUPSET)
		return 0;
	if (header->type < WIRE_GET || header->type > WIRE_UNDOSET)
		return -EPROTO;
	begin(&a, header, uptime_ticks);
	if (header->flags & WIRE_FLAG_CONTEXT)
		fail(&a, UNSUPPORTED_CONTEXT, 0); /* nothing was registered in one */
	else if (header->type == WIRE_GETBULK)
		error = answer_bulk(&reader, writer);
	else if (header->type == WIRE_GET || header->type == WIRE_GETNEXT)
		answer_ranges(&reader, header->type == WIRE_GET, writer);
	else if (header->type == WIRE_TESTSET)
		fail(&a, NOT_WRITABLE, 1);
	else
		fail(&a, header->type == WIRE_COMMITSET ? COMMIT_FAILED : UNDO_FAILED, 0);
	if (reader.failed)
		error = PARSE_ERROR;
	if (error != NO_ERROR)
		fail(&a, error, 0);
	wire_end(writer, a.begin);
	return writer->failed ? -ENOMEM : reader.failed ? -EPROTO : 0;
}
