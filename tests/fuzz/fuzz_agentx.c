/* SPDX-License-Identifier: MIT */
/*
 * What tend-agentx reads of the master: a stream of AgentX PDUs. Each whole one is answered over a
 * few rows; the answer must be one that a master can read.
 * Parser: daemon/snmp/wire.c, daemon/snmp/serve.c, daemon/snmp/answer.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "base/cleanup.h"
#include "snmp/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(void)
{
	static bool filled;
	auto_json json_t *update = NULL;

	if (filled)
		return;
	filled = true;
	update = json_loads("{\"full\":true,\"scalars\":{\"version\":\"1\"},\"rows\":{"
			    "\"check\":{\"1\":{\"name\":\"a\"},\"70000\":{}},"
			    "\"incident\":{\"9\":{\"since\":1795314699500000},\"3\":{}},"
			    "\"log\":{\"3.9\":{},\"3.10\":{},\"2.4294967295\":{}}}}",
		0, NULL);
	assert(update && serve_init() == 0);
	mirror_update(update);
}

static void read_value(struct wire_reader *r, uint16_t type)
{
	struct wire_oid oid;

	if (type == WIRE_TEXT) {
		wire_skip_text(r);
	} else if (type == WIRE_OID) {
		wire_read_oid(r, &oid);
	} else if (type == WIRE_COUNTER64) {
		(void)wire_read_32(r);
		(void)wire_read_32(r);
	} else if (type < WIRE_NO_SUCH_OBJECT) {
		(void)wire_read_32(r);
	} else {
		assert(type == WIRE_NO_SUCH_INSTANCE || type == WIRE_END_OF_VIEW);
	}
}

static void check_answer(const struct wire_header *asked, const struct wire_writer *w, int r)
{
	struct wire_reader reader = {.at = w->data, .big_endian = true};
	struct wire_header h;
	uint16_t error;

	if (w->len == 0)
		return;
	assert(wire_read_header(w->data, w->len, &h) == 0);
	assert(h.type == WIRE_RESPONSE && h.packet == asked->packet);
	assert(h.length == w->len - WIRE_HEADER_BYTES);
	reader.at += WIRE_HEADER_BYTES;
	reader.end = w->data + w->len;
	(void)wire_read_32(&reader);
	error = wire_read_16(&reader);
	(void)wire_read_16(&reader);
	assert((r == 0) || error != 0);
	assert(error == 0 || reader.at == reader.end);
	while (reader.at < reader.end) {
		uint16_t type = wire_read_16(&reader);
		struct wire_oid name;

		(void)wire_read_16(&reader);
		wire_read_oid(&reader, &name);
		read_value(&reader, type);
		assert(!reader.failed);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_writer writer = {0};
	struct wire_header header;

	fill();
	while (wire_read_header(data, size, &header) == 0) {
		int r;

		writer.len = 0;
		r = serve_answer(&header, data + WIRE_HEADER_BYTES, 1, &writer);
		assert(!writer.failed);
		if (header.length <= 65536)
			check_answer(&header, &writer, r);
		data += WIRE_HEADER_BYTES + header.length;
		size -= WIRE_HEADER_BYTES + header.length;
	}
	wire_writer_clear(&writer);
	return 0;
}
