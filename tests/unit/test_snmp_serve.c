/* SPDX-License-Identifier: MIT */
/* tend-agentx without a master: PDUs of AgentX (RFC 2741) in, responses out, over rows of the
 * test's. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "snmp/alarms.h"
#include "snmp/serve.h"

#define ROOT   TEND_OID_ROOT ".1"
#define CHECKS ROOT ".4.1"

static struct wire_writer out;

static int setup(void **state)
{
	auto_json json_t *update = json_loads(
		"{\"generation\":1,\"full\":true,\"scalars\":{\"version\":\"1\",\"actions\":true,"
		"\"sequence\":12884901889},\"rows\":{\"check\":{\"70000\":{\"name\":\"c\"},"
		"\"2\":{\"name\":\"b\",\"state\":2},\"1\":{\"name\":\"a\"}},"
		"\"incident\":{\"9\":{\"id\":\"I\",\"since\":1795314699500000}},"
		"\"log\":{\"3.9\":{\"id\":\"n9\"},\"3.10\":{\"id\":\"n10\"},\"2.7\":{}}}}",
		0, NULL);

	assert_non_null(update);
	assert_int_equal(serve_init(), 0);
	mirror_update(update);
	return 0;
}

static int teardown(void **state)
{
	auto_json json_t *clear = json_pack("{s:b}", "full", 1);

	mirror_update(clear);
	wire_writer_clear(&out);
	return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

struct request {
	struct wire_header header;
	struct wire_writer payload;
};

static void add_range(struct request *q, const char *start, bool include, const char *end)
{
	struct wire_oid oid = {0};

	if (start)
		assert_int_equal(wire_oid_parse(start, &oid), 0);
	oid.include = include;
	wire_write_oid(&q->payload, &oid);
	oid = (struct wire_oid){0};
	if (end)
		assert_int_equal(wire_oid_parse(end, &oid), 0);
	wire_write_oid(&q->payload, &oid);
}

static void ask(struct request *q, uint8_t type)
{
	q->header.type = type;
	q->header.flags |= WIRE_FLAG_BIG_ENDIAN;
	q->header.packet = 77;
	q->header.length = (uint32_t)q->payload.len;
	out.len = 0;
	(void)serve_answer(&q->header, q->payload.data, 5, &out);
	wire_writer_clear(&q->payload);
}

static const char *format_oid(const struct wire_oid *oid, char buf[1024])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < oid->n; i++)
		len += (size_t)snprintf(
			buf + len, 1024 - len, "%s%u", i ? "." : "", (unsigned)oid->ids[i]);
	return buf;
}

/* The response as text: "error" or "NAME=TYPE:VALUE ..." with names below ROOT cut. */
static const char *answer_text(void)
{
	static char text[8192];
	struct wire_header header;
	struct wire_reader r;
	size_t len = 0;
	uint16_t error;

	assert_int_equal(wire_read_header(out.data, out.len, &header), 0);
	assert_int_equal(header.type, WIRE_RESPONSE);
	assert_int_equal(header.packet, 77);
	assert_int_equal(header.length, out.len - WIRE_HEADER_BYTES);
	r = (struct wire_reader){
		.at = out.data + WIRE_HEADER_BYTES, .end = out.data + out.len, .big_endian = true};
	assert_int_equal(wire_read_32(&r), 5);
	error = wire_read_16(&r);
	(void)wire_read_16(&r);
	if (error) {
		snprintf(text, sizeof(text), "error %u", error);
		return text;
	}
	text[0] = '\0';
	while (r.at < r.end) {
		unsigned type = wire_read_16(&r);
		struct wire_oid name;
		char buf[1024];
		const char *shown;

		(void)wire_read_16(&r);
		wire_read_oid(&r, &name);
		shown = format_oid(&name, buf);
		if (strncmp(shown, ROOT, strlen(ROOT)) == 0)
			shown += strlen(ROOT);
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s=%u", len ? " " : "", shown, type);
		if (type == WIRE_TEXT) {
			struct wire_reader at = r;
			uint32_t n = wire_read_32(&at);

			len += (size_t)snprintf(text + len, sizeof(text) - len, ":%.*s", (int)n,
				(const char *)at.at);
			wire_skip_text(&r);
		} else if (type == WIRE_COUNTER64) {
			uint32_t high = wire_read_32(&r);

			len += (size_t)snprintf(text + len, sizeof(text) - len, ":%u/%u",
				(unsigned)high, (unsigned)wire_read_32(&r));
		} else if (type < WIRE_NO_SUCH_OBJECT && type != WIRE_OID) {
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, ":%u", (unsigned)wire_read_32(&r));
		}
		assert_false(r.failed);
	}
	return text;
}

static const char *get(uint8_t type, const char *start, bool include, const char *end)
{
	struct request q = {0};

	add_range(&q, start, include, end);
	ask(&q, type);
	return answer_text();
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void what_is_asked_for_by_name(void **state)
{
	static const struct {
		const char *name, *answer;
	} rows[] = {
		{ROOT ".1.1.0", ".1.1.0=4:1"},
		{ROOT ".1.11.0", ".1.11.0=70:3/1"},
		{ROOT ".1.14.0", ".1.14.0=2:1"},
		{CHECKS ".2.70000", ".4.1.2.70000=4:c"},
		{CHECKS ".4.2", ".4.1.4.2=2:2"},
		{ROOT ".10.1.2.3.10", ".10.1.2.3.10=4:n10"},
		{CHECKS ".2.3", ".4.1.2.3=129"},
		{CHECKS ".1.1", ".4.1.1.1=129"},
		{CHECKS ".11.1", ".4.1.11.1=129"},
		{CHECKS ".2", ".4.1.2=129"},
		{CHECKS ".2.1.0", ".4.1.2.1.0=129"},
		{ROOT ".1.21.0", ".1.21.0=129"},
		{ROOT ".10.1.2.3", ".10.1.2.3=129"},
		{"1.3", "1.3=129"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(get(WIRE_GET, rows[i].name, true, NULL), rows[i].answer);
}

static void what_comes_next(void **state)
{
	static const struct {
		const char *start;
		bool include;
		const char *end, *answer;
	} rows[] = {
		{"1.3.6.1.4", false, NULL, ".1.1.0=4:1"},
		{ROOT, true, NULL, ".1.1.0=4:1"},
		{ROOT ".1.1.0", true, NULL, ".1.1.0=4:1"},
		{ROOT ".1.10.0", false, NULL, ".1.11.0=70:3/1"},
		{ROOT ".1.10", true, NULL, ".1.10.0=65:0"},
		{ROOT ".1.10.0.5", true, NULL, ".1.11.0=70:3/1"},
		/* From the scalars over tables without rows. */
		{ROOT ".1.20.0", false, NULL, ".4.1.2.1=4:a"},
		{ROOT ".1.99", false, NULL, ".4.1.2.1=4:a"},
		{CHECKS ".2.1", false, NULL, ".4.1.2.2=4:b"},
		{CHECKS ".2.1", true, NULL, ".4.1.2.1=4:a"},
		{CHECKS ".2.3", true, NULL, ".4.1.2.70000=4:c"},
		{CHECKS ".2.2.0", true, NULL, ".4.1.2.70000=4:c"},
		{CHECKS ".2.4294967295", true, NULL, ".4.1.3.1=4:"},
		{CHECKS ".2.70000", false, NULL, ".4.1.3.1=4:"},
		{CHECKS ".1.5", false, NULL, ".4.1.2.1=4:a"},
		{CHECKS ".10.70000", false, NULL, ".5.1.2.9=4:I"},
		{CHECKS ".99", false, NULL, ".5.1.2.9=4:I"},
		{ROOT ".4.2", false, NULL, ".5.1.2.9=4:I"},
		{ROOT ".10.1.2.2", false, NULL, ".10.1.2.2.7=4:"},
		{ROOT ".10.1.2.2.7", false, NULL, ".10.1.2.3.9=4:n9"},
		{ROOT ".10.1.2.3.9.1", true, NULL, ".10.1.2.3.10=4:n10"},
		{ROOT ".10.1.2.3", true, NULL, ".10.1.2.3.9=4:n9"},
		/* The end of the range, and of all. */
		{CHECKS ".2.1", false, CHECKS ".2.2", ".4.1.2.1=130"},
		{CHECKS ".2.1", false, CHECKS ".2.3", ".4.1.2.2=4:b"},
		{ROOT ".10.1.9.3.10", false, NULL, ".10.1.10.2.7=4:"},
		{ROOT ".20", true, NULL, ".20=130"},
		{"1.3.6.1.5", false, NULL, "1.3.6.1.5=130"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = get(WIRE_GETNEXT, rows[i].start, rows[i].include, rows[i].end);

		/* A DateAndTime is not text. */
		if (strncmp(text, ".10.1.10.2.7=4:", 15) == 0)
			text = ".10.1.10.2.7=4:";
		assert_string_equal(text, rows[i].answer);
	}
	/* mib-2 comes first: the incident as an alarm. */
	assert_memory_equal(get(WIRE_GETNEXT, NULL, true, NULL),
		"1.3.6.1.2.1.118.1.2.2.1.4.4.116.101.110.100.11.7.234.11.22.", 59);
}

/* Every instance once, in ascending order. */
static void a_walk_has_all_in_order(void **state)
{
	struct wire_oid at = {0}, name;
	struct wire_value value;
	size_t n = 0;

	while (serve_next(&at, false, &name, &value)) {
		assert_true(wire_oid_compare(&at, &name) < 0);
		at = name;
		n++;
	}
	assert_int_equal(n, mib_n_daemon + 3 * mib_tables[MIB_TABLE_CHECK].n_columns +
				    mib_tables[MIB_TABLE_INCIDENT].n_columns +
				    3 * mib_tables[MIB_TABLE_LOG].n_columns);
}

static void many_at_once(void **state)
{
	struct request q = {0};

	wire_write_16(&q.payload, 1);
	wire_write_16(&q.payload, 3);
	add_range(&q, ROOT ".1.1", false, NULL);
	add_range(&q, CHECKS ".2", false, CHECKS ".3");
	add_range(&q, CHECKS ".4.2", false, CHECKS ".5");
	ask(&q, WIRE_GETBULK);
	assert_string_equal(answer_text(),
		".1.1.0=4:1 .4.1.2.1=4:a .4.1.4.70000=2:0 .4.1.2.2=4:b .4.1.4.70000=130 "
		".4.1.2.70000=4:c .4.1.4.70000=130");
	/* It stops when nothing is left; more repeaters than are kept are refused. */
	wire_write_16(&q.payload, 0);
	wire_write_16(&q.payload, 60000);
	add_range(&q, CHECKS ".2.2", false, CHECKS ".3");
	ask(&q, WIRE_GETBULK);
	assert_string_equal(answer_text(), ".4.1.2.70000=4:c .4.1.2.70000=130");
	wire_write_16(&q.payload, 0);
	wire_write_16(&q.payload, 1);
	for (size_t i = 0; i < 65; i++)
		add_range(&q, CHECKS ".2.2", false, NULL);
	ask(&q, WIRE_GETBULK);
	assert_string_equal(answer_text(), "error 1");
}

static void what_is_not_done(void **state)
{
	static const struct {
		uint8_t type, flags;
		const char *answer;
	} rows[] = {
		{WIRE_TESTSET, 0, "error 17"},
		{WIRE_COMMITSET, 0, "error 14"},
		{WIRE_UNDOSET, 0, "error 15"},
		{WIRE_GET, WIRE_FLAG_CONTEXT, "error 262"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request q = {.header.flags = rows[i].flags};

		ask(&q, rows[i].type);
		assert_string_equal(answer_text(), rows[i].answer);
	}
	for (unsigned type = 0; type < 256; type++) {
		struct request q = {.header = {.type = (uint8_t)type}};

		if (type >= WIRE_GET && type <= WIRE_UNDOSET)
			continue;
		out.len = 0;
		assert_int_equal(serve_answer(&q.header, "", 0, &out),
			type == WIRE_CLEANUPSET ? 0 : -EPROTO);
		assert_int_equal(out.len, 0);
	}
}

static void bytes_that_are_wrong(void **state)
{
	/* A GET, least significant byte first, cut at each place. */
	static const unsigned char little[] = {6, 4, 1, 0, 0x88, 0x1f, 0, 0, 0x0f, 0x27, 0, 0, 0x0f,
		0x27, 0, 0, 0xc3, 0x1c, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
	static const unsigned char long_oid[] = {129, 0, 0, 0};
	static const unsigned char long_with_prefix[] = {124, 4, 0, 0};

	for (uint32_t n = 0; n <= sizeof(little); n += 4) {
		struct wire_header header = {.type = WIRE_GET, .packet = 77, .length = n};
		int r;

		out.len = 0;
		r = serve_answer(&header, little, 5, &out);
		assert_int_equal(r, n == 0 || n == sizeof(little) ? 0 : -EPROTO);
		assert_string_equal(answer_text(), n == 0 ? ""
						   : n == sizeof(little)
							   ? "1.3.6.1.4.8072.9999.9999.7363.1.1=129"
							   : "error 266");
	}
	for (size_t i = 0; i < 2; i++) {
		struct wire_header header = {.type = WIRE_GETNEXT, .packet = 77, .length = 4};

		out.len = 0;
		assert_int_equal(
			serve_answer(&header, i ? long_oid : long_with_prefix, 5, &out), -EPROTO);
		assert_string_equal(answer_text(), "error 266");
	}
}

static void headers(void **state)
{
	unsigned char h[WIRE_HEADER_BYTES] = {1, WIRE_PING, WIRE_FLAG_BIG_ENDIAN};
	struct wire_header header;

	assert_int_equal(wire_read_header(h, sizeof(h) - 1, &header), -EAGAIN);
	assert_int_equal(wire_read_header(h, sizeof(h), &header), 0);
	h[19] = 4;
	assert_int_equal(wire_read_header(h, sizeof(h), &header), -EAGAIN);
	h[19] = 3;
	assert_int_equal(wire_read_header(h, sizeof(h), &header), -EPROTO);
	h[16] = 1;
	h[19] = 0;
	assert_int_equal(wire_read_header(h, sizeof(h), &header), -EPROTO);
	h[16] = 0;
	h[0] = 2;
	assert_int_equal(wire_read_header(h, sizeof(h), &header), -EPROTO);
}

static void identifiers(void **state)
{
	static const char *const wrong[] = {"", ".", "1.", "1..2", ".1", "x", "1.4294967296", "-1"};
	struct wire_oid a, b;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(wire_oid_parse(wrong[i], &a), -EINVAL);
	assert_int_equal(wire_oid_parse("1.3.4294967295", &a), 0);
	assert_int_equal(wire_oid_parse("1.3", &b), 0);
	assert_true(wire_oid_compare(&a, &b) > 0 && wire_oid_compare(&b, &a) < 0);
	assert_int_equal(wire_oid_compare(&a, &a), 0);
	/* There and back, with and without the prefix. */
	static const char *const names[] = {
		"1.3.6.1.4.1.8072", "1.3.6.1.256.1", "1.3.6.1.0", "1.3.6.1", "0.0", "2.5"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct wire_writer w = {0};
		struct wire_reader r = {.big_endian = true};

		assert_int_equal(wire_oid_parse(names[i], &a), 0);
		wire_write_oid(&w, &a);
		r.at = w.data;
		r.end = w.data + w.len;
		wire_read_oid(&r, &b);
		assert_false(r.failed);
		assert_ptr_equal(r.at, r.end);
		assert_int_equal(wire_oid_compare(&a, &b), 0);
		wire_writer_clear(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_by_name),
		cmocka_unit_test(what_comes_next),
		cmocka_unit_test(a_walk_has_all_in_order),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(what_is_not_done),
		cmocka_unit_test(bytes_that_are_wrong),
		cmocka_unit_test(headers),
		cmocka_unit_test(identifiers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
