/* SPDX-License-Identifier: MIT */
/* The pure parts of the probe snmp: OIDs, BER, messages, keys, rates, options. */
#include "unit.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/snmp/message.h"
#include "../../plugins/snmp/plan.h"
#include "../../plugins/snmp/rate.h"
#include "../../plugins/snmp/table.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- OIDs and BER -------------------------------------------------------------------------- */

static void test_oid_text(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *again;
	} rows[] = {
		{"1.3.6.1.2.1.1.3.0", 0, "1.3.6.1.2.1.1.3.0"},
		{".1.3.6", 0, "1.3.6"},
		{"1.3", 0, "1.3"},
		{"2.999.4294967295", 0, "2.999.4294967295"},
		{"0.39", 0, "0.39"},
		{"", -EINVAL, NULL},
		{".", -EINVAL, NULL},
		{"1", -EINVAL, NULL},
		{"1.", -EINVAL, NULL},
		{"1..3", -EINVAL, NULL},
		{"1.3.", -EINVAL, NULL},
		{"3.1", -EINVAL, NULL},
		{"1.40", -EINVAL, NULL},
		{"2.4294967295", -EINVAL, NULL},
		{"1.3.4294967296", -EINVAL, NULL},
		{"1.3.-6", -EINVAL, NULL},
		{"1.3.6x", -EINVAL, NULL},
		{"1.3 .6", -EINVAL, NULL},
		{"SNMPv2-MIB::sysUpTime.0", -EINVAL, NULL},
	};
	char text[OID_TEXT_BYTES], many[600] = "1.3";
	unsigned char bytes[OID_MAX_BYTES];

	for (size_t i = 0; i < N(rows); i++) {
		struct oid oid, again;

		assert_int_equal(oid_parse(rows[i].text, &oid), rows[i].want);
		if (rows[i].want < 0)
			continue;
		assert_string_equal(oid_text(&oid, text, sizeof(text)), rows[i].again);
		assert_int_equal(oid_read(bytes, oid_write(&oid, bytes), &again), 0);
		assert_int_equal(oid_compare(&oid, &again), 0);
	}
	for (int i = 2; i < OID_MAX_PARTS + 1; i++)
		strcat(many, ".1");
	assert_int_equal(oid_parse(many, &(struct oid){0}), -EINVAL);
	many[strlen(many) - 2] = '\0';
	assert_int_equal(oid_parse(many, &(struct oid){0}), 0);
}

static void test_oid_order(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
		bool below;
	} rows[] = {
		{"1.3.6.1", "1.3.6", 1, true},
		{"1.3.6", "1.3.6", 0, false},
		{"1.3.5.9", "1.3.6", -1, false},
		{"1.3.10", "1.3.9", 1, false},
		{"1.3", "1.3.6", -1, false},
	};
	struct oid a, b, index;

	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(oid_parse(rows[i].a, &a), 0);
		assert_int_equal(oid_parse(rows[i].b, &b), 0);
		assert_int_equal(oid_compare(&a, &b), rows[i].order);
		assert_int_equal(oid_below(&a, &b), rows[i].below);
	}
	assert_int_equal(oid_parse("1.3.6.7.8", &a), 0);
	assert_int_equal(oid_parse("1.3.6", &b), 0);
	oid_index(&a, &b, &index);
	assert_int_equal(index.n, 2);
	assert_int_equal(index.parts[0], 7);
}

static void test_oid_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int want;
	} rows[] = {
		{"\x2b\x06", 2, 0}, {"", 0, -EBADMSG},
		{"\x2b\x86", 2, -EBADMSG},			   /* goes on, but ends */
		{"\x2b\x90\x80\x80\x80\x00", 6, -EBADMSG},	   /* 2^32 */
		{"\x2b\x8f\xff\xff\xff\x7f", 6, 0},		   /* 2^32 - 1 */
		{"\x2b\xff\xff\xff\xff\xff\xff\x7f", 8, -EBADMSG}, /* more than that */
	};
	struct oid oid;

	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(oid_read((const unsigned char *)rows[i].bytes, rows[i].len, &oid),
			rows[i].want);
}

static void test_ber_int(void **state)
{
	static const int64_t values[] = {0, 1, -1, 127, 128, -128, -129, 255, 256, 65535, INT32_MAX,
		INT32_MIN, INT64_MAX, INT64_MIN};
	unsigned char buf[32];

	for (size_t i = 0; i < N(values); i++) {
		struct ber_out out;
		struct ber_in in;
		int64_t value;

		ber_out_init(&out, buf, sizeof(buf));
		ber_put_int(&out, BER_INTEGER, values[i]);
		assert_false(out.full);
		in = (struct ber_in){out.at, out.end};
		assert_int_equal(ber_read_int(&in, INT64_MIN, INT64_MAX, &value), 0);
		assert_true(value == values[i]);
		assert_int_equal(ber_left(&in), 0);
	}
}

static void test_ber_bounds(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int want;
	} rows[] = {
		{"\x04\x02hi", 4, 0},
		{"\x04\x81\x02hi", 5, 0},
		{"\x04\x84\x00\x00\x00\x02hi", 8, 0},
		{"\x04\x00", 2, 0},
		{"\x04", 1, -EBADMSG},
		{"", 0, -EBADMSG},
		{"\x04\x03hi", 4, -EBADMSG},
		{"\x04\x80hi\0\0", 6, -EBADMSG}, /* of indefinite length */
		{"\x04\x85\x00\x00\x00\x00\x02hi", 9, -EBADMSG},
		{"\x04\x82\x01", 3, -EBADMSG},
		{"\x1f\x81\x00\x00", 4, -EBADMSG}, /* a tag of several bytes */
		{"\x04\x84\xff\xff\xff\xff", 6, -EBADMSG},
	};

	for (size_t i = 0; i < N(rows); i++) {
		const unsigned char *p = (const unsigned char *)rows[i].bytes;
		struct ber_in in = {p, p + rows[i].len}, content;
		unsigned tag;

		assert_int_equal(ber_next(&in, &tag, &content), rows[i].want);
		assert_ptr_equal(in.at, rows[i].want ? p : p + rows[i].len);
	}
}

/* ---- messages ------------------------------------------------------------------------------ */

static void put_bind(
	struct ber_out *out, const char *name, unsigned tag, const void *data, size_t n)
{
	const unsigned char *end = out->at;
	struct oid oid;

	assert_int_equal(oid_parse(name, &oid), 0);
	ber_put_bytes(out, tag, data, n);
	ber_put_oid(out, &oid);
	ber_put_header(out, BER_SEQUENCE, end);
}

static void put_answer(struct ber_out *out, unsigned type, uint32_t id, const unsigned char *end)
{
	ber_put_header(out, BER_SEQUENCE, end);
	ber_put_int(out, BER_INTEGER, 0);
	ber_put_int(out, BER_INTEGER, 0);
	ber_put_int(out, BER_INTEGER, id);
	ber_put_header(out, type, end);
}

static void test_values(void **state)
{
	static const struct {
		unsigned tag;
		const char *data;
		size_t len;
		bool is_number;
		double number;
		const char *text;
	} rows[] = {
		{VALUE_INTEGER, "\xfe", 1, true, -2, "-2"},
		{VALUE_INTEGER, "\x00\xc8", 2, true, 200, "200"},
		{VALUE_COUNTER32, "\xff\xff\xff\xff", 4, true, 4294967295.0, "4294967295"},
		{VALUE_COUNTER32, "\x00\xff\xff\xff\xff", 5, true, 4294967295.0, "4294967295"},
		{VALUE_GAUGE, "\x05", 1, true, 5, "5"},
		{0x47, "\x05", 1, true, 5, "5"},
		{VALUE_TICKS, "\x04\xd2", 2, true, 12.34, "12.34"},
		{VALUE_COUNTER64, "\x00\xff\xff\xff\xff\xff\xff\xff\xff", 9, true, 0x1p64,
			"1.84467440737096e+19"},
		{VALUE_OCTETS, "23.5 ", 5, true, 23.5, "23.5 "},
		{VALUE_OCTETS, "inf", 3, false, 0, "inf"},
		{VALUE_OCTETS, "nan", 3, false, 0, "nan"},
		{VALUE_OCTETS, "0x10", 4, false, 0, "0x10"},
		{VALUE_OCTETS, "1e999", 5, false, 0, "1e999"},
		{VALUE_OCTETS, "optimal", 7, false, 0, "optimal"},
		{VALUE_OCTETS, "cut\0", 4, false, 0, "cut"},
		{VALUE_OCTETS, "\x00\x1a\x2b\xff\x00\x01", 6, false, 0, "00:1a:2b:ff:00:01"},
		{VALUE_OCTETS, "", 0, false, 0, ""},
		{VALUE_OID, "\x2b\x06\x01", 3, false, 0, "1.3.6.1"},
		{VALUE_OID, "\x2b\x86", 2, false, 0, ""},
		{VALUE_ADDRESS, "\xc0\x00\x02\x01", 4, false, 0, "192.0.2.1"},
		{VALUE_OPAQUE, "\x9f\x78\x04\x41\x3c\x00\x00", 7, true, 11.75, "11.75"},
		{VALUE_OPAQUE, "\x9f\x79\x08\x40\x27\x80\x00\x00\x00\x00\x00", 11, true, 11.75,
			"11.75"},
		{VALUE_OPAQUE, "\x9f\x78\x04\x7f\x80\x00\x00", 7, false, 0, ""}, /* infinite */
		{VALUE_OPAQUE, "\x9f\x78\x05\x41\x3c\x00\x00", 7, false, 0, ""},
		{VALUE_OPAQUE, "\x9f", 1, false, 0, ""},
		{VALUE_NO_OBJECT, "", 0, false, 0, ""},
	};
	static struct pdu_answer answer;
	unsigned char buf[256];

	for (size_t i = 0; i < N(rows); i++) {
		struct datum datum;
		struct ber_out out;
		struct ber_in in;

		ber_out_init(&out, buf, sizeof(buf));
		put_bind(&out, "1.3.6.1.2", rows[i].tag, rows[i].data, rows[i].len);
		put_answer(&out, PDU_RESPONSE, 77, out.end);
		in = (struct ber_in){out.at, out.end};
		assert_int_equal(pdu_read(&in, &answer), 0);
		assert_int_equal(answer.request_id, 77);
		assert_int_equal(answer.n_binds, 1);
		datum_set(&datum, &answer.binds[0].value);
		assert_int_equal(datum.is_number, rows[i].is_number);
		assert_string_equal(datum.text, rows[i].text);
		if (datum.is_number)
			assert_float_equal(datum.number, rows[i].number, 1e-6);
	}
}

static void test_values_bad(void **state)
{
	static const struct {
		unsigned tag;
		const char *data;
		size_t len;
	} rows[] = {
		{VALUE_COUNTER32, "\x01\x02\x03\x04\x05\x06", 6},
		{VALUE_INTEGER, "", 0},
		{VALUE_INTEGER, "\x01\x02\x03\x04\x05\x06\x07\x08\x09", 9},
		{VALUE_COUNTER64, "\x01\xff\xff\xff\xff\xff\xff\xff\xff", 9},
		{0x48, "\x01", 1},
	};
	static struct pdu_answer answer;
	unsigned char buf[256];

	for (size_t i = 0; i < N(rows); i++) {
		struct ber_out out;
		struct ber_in in;

		ber_out_init(&out, buf, sizeof(buf));
		put_bind(&out, "1.3.6.1.2", rows[i].tag, rows[i].data, rows[i].len);
		put_answer(&out, PDU_RESPONSE, 77, out.end);
		in = (struct ber_in){out.at, out.end};
		assert_int_equal(pdu_read(&in, &answer), -EBADMSG);
	}
}

static void test_binds_bounded(void **state)
{
	static struct pdu_answer answer;
	unsigned char buf[4096];

	for (int n = PDU_MAX_BINDS; n <= PDU_MAX_BINDS + 1; n++) {
		struct ber_out out;
		struct ber_in in;

		ber_out_init(&out, buf, sizeof(buf));
		for (int i = 0; i < n; i++)
			put_bind(&out, "1.3.6.1.2", VALUE_GAUGE, "\x01", 1);
		put_answer(&out, PDU_RESPONSE, 77, out.end);
		assert_false(out.full);
		in = (struct ber_in){out.at, out.end};
		assert_int_equal(pdu_read(&in, &answer), n > PDU_MAX_BINDS ? -EBADMSG : 0);
	}
}

/* What came is a question: its type, and what was around it, is all that is wrong with it. */
static int turn_round(const struct message_way *there, const struct message_way *back,
	size_t broken, struct message *ret_message)
{
	static unsigned char buf[MESSAGE_ASK_BYTES];
	struct oid oid;
	const struct oid *const oids[] = {&oid};
	const struct pdu_ask ask = {
		.type = PDU_RESPONSE, .request_id = 0x7fffffff, .oids = oids, .n_oids = 1};
	const unsigned char *start;
	size_t len;

	assert_int_equal(oid_parse("1.3.6.1.2.1.1.3.0", &oid), 0);
	assert_int_equal(
		message_write(there, 5, UINT64_C(0x0102030405060708), &ask, buf, &start, &len), 0);
	if (broken)
		buf[MESSAGE_ASK_BYTES - broken] ^= 1;
	return message_read(back, buf + (start - buf), len, ret_message);
}

static struct message_way way_of(enum usm_auth auth, enum usm_priv priv, const char *password)
{
	struct message_way way = {.version = MESSAGE_V3,
		.user = "tend",
		.context = "bay",
		.engine = {.id = "\x80\0\x1f\x88\x04tend", .len = 9, .boots = 7, .time = 4711},
		.keys = {.auth = auth, .priv = priv}};

	assert_int_equal(usm_make_keys(&way.keys, password, "a private word", &way.engine), 0);
	return way;
}

static void test_message_v3(void **state)
{
	static struct message m;

	for (int auth = 0; auth < USM_AUTH_MAX; auth++)
		for (int priv = 0; priv < USM_PRIV_MAX; priv++) {
			struct message_way way = way_of(auth, priv, "a signing word"),
					   other = way_of(auth, priv, "another word");

			assert_int_equal(turn_round(&way, &way, 0, &m), 0);
			assert_true(m.authentic);
			assert_int_equal(m.msg_id, 5);
			assert_int_equal(m.engine.boots, 7);
			assert_int_equal(m.engine.time, 4711);
			assert_int_equal(m.answer.request_id, 0x7fffffff);
			assert_int_equal(m.answer.n_binds, 1);
			assert_int_equal(turn_round(&other, &way, 0, &m), -EKEYREJECTED);
			assert_int_equal(turn_round(&way, &way, 1, &m), -EKEYREJECTED);
			assert_false(m.authentic);
		}
}

static void test_message_v3_guards(void **state)
{
	static struct message m;
	struct message_way way = way_of(USM_SHA256, USM_AES128, "a signing word"), other = way;

	other.user = "eve";
	assert_int_equal(turn_round(&way, &other, 0, &m), -EKEYREJECTED);
	other = way;
	other.engine.id[8] ^= 1;
	assert_int_equal(turn_round(&way, &other, 0, &m), -EKEYREJECTED);
	/* What is only signed is no answer to what was encrypted. */
	other = way;
	other.keys.priv = USM_NO_PRIV;
	assert_int_equal(turn_round(&other, &way, 0, &m), -EKEYREJECTED);
	assert_true(m.authentic);
	/* And what is not even that is an answer to nothing. */
	other = way;
	other.engine.len = 0;
	assert_int_equal(turn_round(&other, &way, 0, &m), -EKEYREJECTED);
	assert_false(m.authentic);
	/* Another password for the encryption: what comes out is no PDU. */
	other = way;
	other.keys.priv_key[0] ^= 1;
	assert_int_equal(turn_round(&way, &other, 0, &m), -EBADMSG);
	other.version = MESSAGE_V2C;
	other.community = "public";
	assert_int_equal(turn_round(&way, &other, 0, &m), -EBADMSG);
}

static void test_message_v2c(void **state)
{
	static struct message m;
	const struct message_way way = {.version = MESSAGE_V2C, .community = "public"},
				 other = {.version = MESSAGE_V2C, .community = "publik"};

	assert_int_equal(turn_round(&way, &way, 0, &m), 0);
	assert_int_equal(m.answer.type, PDU_RESPONSE);
	assert_int_equal(turn_round(&way, &other, 0, &m), -EKEYREJECTED);
}

static void test_message_too_big(void **state)
{
	static unsigned char buf[MESSAGE_ASK_BYTES];
	const struct message_way way = {.version = MESSAGE_V2C, .community = "public"};
	struct oid oid = {.n = OID_MAX_PARTS, .parts = {1, 3}};
	const struct oid *oids[PDU_MAX_BINDS];
	struct pdu_ask ask = {.type = PDU_GET, .oids = oids, .n_oids = N(oids)};
	const unsigned char *start;
	size_t len;

	for (size_t i = 2; i < OID_MAX_PARTS; i++)
		oid.parts[i] = UINT32_MAX;
	for (size_t i = 0; i < N(oids); i++)
		oids[i] = &oid;
	assert_int_equal(message_write(&way, 1, 1, &ask, buf, &start, &len), -EMSGSIZE);
	/* The most that agent.c asks for, each as long as plan.c lets it be. */
	oid.n = PLAN_MAX_OID_PARTS;
	ask.n_oids = 16;
	assert_int_equal(message_write(&way, 1, 1, &ask, buf, &start, &len), 0);
}

/* By hand as RFC 3414, A.3 does it for SHA-1, with Python's hashlib. */
static void test_keys(void **state)
{
	static const struct {
		enum usm_auth auth;
		size_t len;
		const char *want;
	} rows[] = {
		{USM_SHA256, 32,
			"8982e0e549e866db361a6b625d84cccc"
			"11162d453ee8ce3a6445c2d6776f0f8b"},
		{USM_SHA384, 48,
			"3b298f16164a11184279d5432bf169e2d2a48307de02b3d3"
			"f7e2b4f36eb6f0455a53689a3937eea07319a633d2ccba78"},
		{USM_SHA512, 64,
			"22a5a36cedfcc085807a128d7bc6c2382167ad6c0dbc5fdff856740f3d84c099"
			"ad1ea87a8db096714d9788bd544047c9021e4229ce27e4c0a69250adfcffbb0b"},
	};
	const struct usm_engine engine = {.id = "\0\0\0\0\0\0\0\0\0\0\0\x02", .len = 12};

	for (size_t i = 0; i < 2 * N(rows); i++) { /* the second time from what was kept */
		struct usm_keys keys = {.auth = rows[i % 3].auth, .priv = USM_AES256};
		char text[2 * USM_KEY_BYTES + 1];

		assert_int_equal(usm_make_keys(&keys, "maplesyrup", "maplesyrup", &engine), 0);
		for (size_t n = 0; n < rows[i % 3].len; n++)
			(void)snprintf(text + 2 * n, 3, "%02x", keys.auth_key[n]);
		assert_string_equal(text, rows[i % 3].want);
		assert_memory_equal(keys.auth_key, keys.priv_key, rows[i % 3].len);
	}
}

/* ---- rates --------------------------------------------------------------------------------- */

static void test_elapsed(void **state)
{
	static const struct {
		struct rate_time then, now;
		double want;
	} rows[] = {
		{{1000, 50000}, {1060, 56000}, 60},
		{{1000, 50000}, {1060, 56050}, 60.5},  /* the agent's clock counts */
		{{1000, 50000}, {1060, 100}, 0},       /* began anew */
		{{1000, 50000}, {1060, 50000}, 0},     /* frozen, or the same moment */
		{{1000, 500}, {1600, 6000}, 0},	       /* anew, and up longer than it was */
		{{1000, 4294960000}, {1060, 4000}, 0}, /* 497 days: nobody knows */
		{{1000, -1}, {1060, -1}, 60},	       /* it does not tell */
		{{1000, -1}, {1060, 6000}, 0},	       /* it tells from now on */
		{{1000, 6000}, {1060, -1}, 0},	       /* no more */
		{{1000, -1}, {990, -1}, 0},	       /* our clock was set back */
		{{1000, 50000}, {500, 56000}, 60},     /* that does not matter here */
		{{1000, 50000}, {1064, 56000}, 60},    /* slack */
		{{1000, 50000}, {5000, 56000}, 0},     /* our clock was set ahead: not sure */
		{{0, -1}, {0, -1}, 0},
	};

	for (size_t i = 0; i < N(rows); i++)
		assert_float_equal(rate_elapsed(&rows[i].then, &rows[i].now), rows[i].want, 1e-9);
}

static void test_rate(void **state)
{
	static const struct {
		uint64_t then, now;
		bool is_64;
		double elapsed;
		bool known;
		double want;
	} rows[] = {
		{100, 700, false, 60, true, 10},
		{100, 100, false, 60, true, 0},
		{4294967290, 14, false, 10, true, 2},	     /* wrapped */
		{4294967295, 0, false, 1, true, 1},	     /* by one */
		{2147483650, 1, false, 1, true, 2147483647}, /* half of its range */
		{2147483649, 1, false, 1, false, 0},
		{3000000, 5, false, 10, false, 0},	       /* set anew */
		{0, 4294967295, false, 1, true, 4294967295.0}, /* no wrap */
		{700, 100, true, 60, false, 0},		       /* 64 bits do not wrap */
		{0, UINT64_MAX, true, 1, true, 0x1p64},
		{5000000000, 5000000600, true, 60, true, 10},
		{100, 700, false, 0, false, 0},
	};
	double rate;

	for (size_t i = 0; i < N(rows); i++) {
		rate = -1;
		assert_int_equal(
			rate_of(rows[i].then, rows[i].now, rows[i].is_64, rows[i].elapsed, &rate),
			rows[i].known);
		assert_float_equal(rate, rows[i].known ? rows[i].want : -1, 1e-6);
	}
}

/* ---- options ------------------------------------------------------------------------------- */

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})
static char up[] = "up=1.3.6.1.2.1.1.3.0", name[] = "name=.1.3.6.1.2.1.1.5.0",
	    in[] = "in=1.3.6.1.2.1.2.2.1.10", out[] = "out=1.3.6.1.2.1.2.2.1.16", unit[] = "in=B",
	    scale[] = "in=/8", expect[] = "up=2|on line",
	    words[] = "up=1=off line, 2=on line,3=gone", total[] = "out", optional[] = "name",
	    share[] = "ratio=in, out", where[] = "1.3.6.1.2.1.2.2.1.7 = 1",
	    column[] = "1.3.6.1.2.1.31.1.1.1.1";

static void test_plan(void **state)
{
	const struct agent_conf conf = {
		.get = LIST(up, name),
		.walk = LIST(in, out),
		.units = LIST(unit),
		.scales = LIST(scale),
		.expect = LIST(expect),
		.words = LIST(words),
		.totals = LIST(total),
		.optional = LIST(optional),
		.shares = LIST(share),
		.where = LIST(where),
		.label = column,
		.decimals = column,
	};
	struct tend_error err = {0};
	struct plan *plan = NULL;
	size_t len = 0;

	assert_int_equal(plan_new(&conf, &err, &plan), 0);
	assert_int_equal(plan->n_gets, 2);
	assert_int_equal(plan->n_walks, 2);
	assert_string_equal(plan->items[1].name, "name");
	assert_int_equal(plan->items[1].oid.n, 9);
	assert_true(plan->items[1].optional);
	assert_false(plan->items[0].optional);
	assert_string_equal(plan->items[2].unit, "B");
	assert_float_equal(plan->items[2].scale, 0.125, 0);
	assert_true(plan->items[3].total);
	assert_int_equal(plan->shares[0].part, 2);
	assert_int_equal(plan->shares[0].whole, 3);
	assert_string_equal(plan->where[0].value, "1");
	assert_true(plan->has_label && plan->has_decimals);
	assert_true(plan_expects(&plan->items[0], "2"));
	assert_false(plan_expects(&plan->items[0], "22"));
	assert_false(plan_expects(&plan->items[0], "1"));
	assert_false(plan_expects(&plan->items[0], ""));
	assert_true(plan_expects(&plan->items[1], "anything"));
	assert_memory_equal(plan_word(&plan->items[0], "3", &len), "gone", 4);
	assert_int_equal(len, 4);
	assert_memory_equal(plan_word(&plan->items[0], "2", &len), "on line", 7);
	assert_null(plan_word(&plan->items[0], "4", &len));
	assert_null(plan_word(&plan->items[0], "", &len));
	assert_null(plan_word(&plan->items[1], "1", &len));
	assert_null(plan_free(plan));
}

static void test_plan_refuses(void **state)
{
	static char gets[][64] = {"up", "=1.3", "Up=1.3.6", "up=sysUpTime.0", "up=", "rows=1.3.6",
		"a_name_that_is_longer_than_31_byt=1.3.6", "total_seconds=1.3.6"};
	static char units[][64] = {"up=V", "down=s", "=s", "up.=s"};
	static char scales[][64] = {
		"up=", "up=0", "up=/0", "up=1x", "up=inf", "up=nan", "up= 1", "up=//2"};
	static char others[][64] = {"up=", "up= | ", "up=1", "up=1=", "up==x", "up=1=a,2"};
	static char shares[][64] = {
		"s=up", "s=up,up,up", "s=up,in", "s=no,up", "up=up,up", "s=up;up"};
	static char wheres[][64] = {"1.3.6", "x=1", "=1", "1.3.6.=2"};
	const struct {
		char (*texts)[64];
		size_t n;
		size_t offset;
	} rows[] = {
		{gets, N(gets), offsetof(struct agent_conf, get)},
		{units, N(units), offsetof(struct agent_conf, units)},
		{scales, N(scales), offsetof(struct agent_conf, scales)},
		{others, 2, offsetof(struct agent_conf, expect)},
		{others + 2, N(others) - 2, offsetof(struct agent_conf, words)},
		{shares, N(shares), offsetof(struct agent_conf, shares)},
		{wheres, N(wheres), offsetof(struct agent_conf, where)},
	};

	for (size_t i = 0; i < N(rows); i++)
		for (size_t n = 0; n < rows[i].n; n++) {
			struct agent_conf conf = {.get = LIST(up), .walk = LIST(in)};
			char *list[] = {rows[i].texts[n], NULL};
			struct tend_error err = {0};
			struct plan *plan = NULL;

			*(char ***)(void *)((char *)&conf + rows[i].offset) = list;
			assert_int_equal(plan_new(&conf, &err, &plan), -EINVAL);
			assert_null(plan);
			assert_true(strlen(err.text) > 10);
		}
}

static void test_plan_bounds(void **state)
{
	char texts[PLAN_MAX_GETS + 1][64], *gets[PLAN_MAX_GETS + 2] = {0};
	struct agent_conf conf = {.get = LIST(up, up)}, table = {.get = LIST(up), .label = column};
	struct tend_error err = {0};
	struct plan *plan = NULL;

	assert_int_equal(plan_new(&conf, &err, &plan), -EINVAL);  /* twice */
	assert_int_equal(plan_new(&table, &err, &plan), -EINVAL); /* no walk */
	conf.get = gets;
	for (size_t i = 0; i < PLAN_MAX_GETS; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "n%zu=1.3.6.%zu", i, i);
		gets[i] = texts[i];
	}
	assert_int_equal(plan_new(&conf, &err, &plan), 0);
	plan = plan_free(plan);
	gets[PLAN_MAX_GETS] = up;
	assert_int_equal(plan_new(&conf, &err, &plan), -EINVAL);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void test_table(void **state)
{
	static const uint32_t order[] = {5, 1, 3, 3, 9, 2};
	const struct value value = {.type = VALUE_GAUGE, .number = 42};
	struct oid index = {.n = 1};
	struct table t;

	table_init(&t, 2, 5);
	for (size_t i = 0; i < N(order); i++) {
		index.parts[0] = order[i];
		assert_int_equal(table_add(&t, i % 2, &index, &value), 0);
	}
	assert_int_equal(t.n_rows, 5);
	for (size_t i = 1; i < t.n_rows; i++)
		assert_true(oid_compare(&t.rows[i - 1].index, &t.rows[i].index) < 0);
	assert_float_equal(t.rows[0].cells[1].number, 42, 0);
	assert_int_equal(t.rows[0].cells[0].type, 0);
	assert_int_equal(t.rows[2].cells[0].type, VALUE_GAUGE);
	assert_int_equal(t.rows[2].cells[1].type, VALUE_GAUGE);
	index.parts[0] = 4;
	assert_int_equal(table_add(&t, 0, &index, &value), -ENOSPC);
	table_clear(&t);
	assert_int_equal(t.n_rows, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oid_text),
		cmocka_unit_test(test_oid_order),
		cmocka_unit_test(test_oid_bytes),
		cmocka_unit_test(test_ber_int),
		cmocka_unit_test(test_ber_bounds),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_values_bad),
		cmocka_unit_test(test_binds_bounded),
		cmocka_unit_test(test_message_v3),
		cmocka_unit_test(test_message_v3_guards),
		cmocka_unit_test(test_message_v2c),
		cmocka_unit_test(test_message_too_big),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_elapsed),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_refuses),
		cmocka_unit_test(test_plan_bounds),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
