/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "snmp/date.h"
#include "snmp/pdu.h"

static void oids(void **state)
{
	static const struct {
		const char *text;
		int r;
		size_t len;
	} rows[] = {
		{"1.3", 0, 2},
		{"1.3.6.1.4.1.8072", 0, 7},
		{"2.999.4294967295", 0, 3},
		{"0.39", 0, 2},
		{"", -EINVAL, 0},
		{"1", -EINVAL, 0},
		{".1.3", -EINVAL, 0},
		{"1.3.", -EINVAL, 0},
		{"1..3", -EINVAL, 0},
		{"1.3 ", -EINVAL, 0},
		{"1.-3", -EINVAL, 0},
		{"1.3.4294967296", -EINVAL, 0},
		{"1.3.99999999999999999999", -EINVAL, 0},
		{"3.1", -EINVAL, 0},
		{"1.40", -EINVAL, 0},
		{"sysUpTime.0", -EINVAL, 0},
	};
	oid parts[MAX_OID_LEN];
	char text[2 * MAX_OID_LEN + 8];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = 0;

		assert_int_equal(
			library_parse_oid(rows[i].text, parts, MAX_OID_LEN, &len), rows[i].r);
		assert_int_equal(len, rows[i].len);
	}
	/* 128 parts go, 129 do not. */
	for (size_t i = 0; i <= MAX_OID_LEN; i++)
		memcpy(text + 2 * i, "1.", 3);
	text[2 * MAX_OID_LEN - 1] = '\0';
	size_t len = 0;
	assert_int_equal(library_parse_oid(text, parts, MAX_OID_LEN, &len), 0);
	assert_int_equal(len, MAX_OID_LEN);
	text[2 * MAX_OID_LEN - 1] = '.';
	text[2 * MAX_OID_LEN + 1] = '\0';
	assert_int_equal(library_parse_oid(text, parts, MAX_OID_LEN, &len), -EINVAL);
}

static void dates(void **state)
{
	static const struct {
		usec_t wall;
		unsigned char date[11];
	} rows[] = {
		{0, {0}},
		/* 2026-11-22T02:31:39.5Z */
		{1795314699500000, {0x07, 0xea, 11, 22, 2, 31, 39, 5, '+', 0, 0}},
		/* a leap day: 2024-02-29T23:59:59.999999Z */
		{1709251199999999, {0x07, 0xe8, 2, 29, 23, 59, 59, 9, '+', 0, 0}},
	};
	unsigned char date[11];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		date_format(rows[i].wall, date);
		assert_memory_equal(date, rows[i].date, sizeof(date));
	}
	date_format(UINT64_MAX, date);
}

#define UPTIME	 "{\"oid\":\"1.3.6.1.2.1.1.3.0\",\"type\":\"t\",\"value\":77}"
#define TRAP(id) "{\"oid\":\"1.3.6.1.6.3.1.1.4.1.0\",\"type\":\"o\",\"value\":\"" id "\"}"
static const char prefix[] = "[" UPTIME "," TRAP("1.3.6.1");

static void varbinds(void **state)
{
	static const struct {
		const char *type, *value;
		u_char asn; /* 0: refused */
		long number;
	} rows[] = {
		{"s", "\"text\"", ASN_OCTET_STR, 0},
		{"s", "\"\"", ASN_OCTET_STR, 0},
		{"s", "1", 0, 0},
		{"i", "-2147483648", ASN_INTEGER, INT32_MIN},
		{"i", "2147483648", 0, 0},
		{"i", "\"1\"", 0, 0},
		{"u", "4294967295", ASN_GAUGE, UINT32_MAX},
		{"u", "4294967296", 0, 0},
		{"u", "-1", 0, 0},
		{"c", "7", ASN_COUNTER, 7},
		{"t", "7", ASN_TIMETICKS, 7},
		{"t", "1.5", 0, 0},
		{"o", "\"1.3.6\"", ASN_OBJECT_ID, 0},
		{"o", "\"x\"", 0, 0},
		{"c64", "9223372036854775807", ASN_COUNTER64, 0},
		{"c64", "-1", 0, 0},
		{"d", "1795314699500000", ASN_OCTET_STR, 0},
		{"d", "null", 0, 0},
		{"q", "1", 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[1024];
		struct tend_error err = {0};
		netsnmp_pdu *pdu = NULL;
		const netsnmp_variable_list *last;
		auto_json json_t *json = NULL;

		snprintf(text, sizeof(text), "%s,{\"oid\":\"1.3.6\",\"type\":\"%s\",\"value\":%s}]",
			prefix, rows[i].type, rows[i].value);
		json = json_loads(text, 0, NULL);
		assert_non_null(json);
		if (rows[i].asn == 0) {
			assert_int_equal(pdu_from_json(json, SNMP_MSG_INFORM, &err, &pdu), -EINVAL);
			assert_non_null(strstr(err.text, "varbind 3"));
			assert_null(pdu);
			continue;
		}
		assert_int_equal(pdu_from_json(json, SNMP_MSG_INFORM, &err, &pdu), 0);
		assert_int_equal(pdu->command, SNMP_MSG_INFORM);
		last = pdu->variables->next_variable->next_variable;
		assert_int_equal(last->type, rows[i].asn);
		if (rows[i].number)
			assert_int_equal(*last->val.integer, rows[i].number);
		if (rows[i].asn == ASN_COUNTER64) {
			assert_int_equal(last->val.counter64->high, INT32_MAX);
			assert_int_equal(last->val.counter64->low, UINT32_MAX);
		}
		snmp_free_pdu(pdu);
	}
}

static void numbers_of_varbinds(void **state)
{
	static const struct {
		size_t n;
		int r;
	} rows[] = {{0, -EINVAL}, {1, -EINVAL}, {2, 0}, {PDU_MAX_VARBINDS, 0},
		{PDU_MAX_VARBINDS + 1, -EINVAL}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *list = json_array();
		struct tend_error err = {0};
		netsnmp_pdu *pdu = NULL;

		for (size_t n = 0; n < rows[i].n; n++)
			json_array_append_new(
				list, n == 0   ? json_loads(UPTIME, 0, NULL)
				      : n == 1 ? json_loads(TRAP("1.3.6.1"), 0, NULL)
					       : json_pack("{s:s, s:s, s:i}", "oid", "1.3.6",
							 "type", "i", "value", 1));
		assert_int_equal(pdu_from_json(list, SNMP_MSG_INFORM, &err, &pdu), rows[i].r);
		snmp_free_pdu(pdu);
	}
	netsnmp_pdu *pdu = NULL;
	assert_int_equal(pdu_from_json(NULL, SNMP_MSG_INFORM, NULL, &pdu), -EINVAL);
}

/* What comes first is what the peer's standard wants there. */
static void heads(void **state)
{
	static const char *const bad[] = {
		"[" UPTIME "," UPTIME "]",
		"[" TRAP("1.3.6.1") "," UPTIME "]",
		"[{\"oid\":\"1.3.6.1.2.1.1.3.0\",\"type\":\"i\",\"value\":1}," TRAP("1.3.6.1") "]",
		"[" UPTIME ",{\"oid\":\"1.3.6.1.6.3.1.1.4.1.0\",\"type\":\"i\",\"value\":1}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_json json_t *json = json_loads(bad[i], 0, NULL);
		struct tend_error err = {0};
		netsnmp_pdu *pdu = NULL;

		assert_non_null(json);
		assert_int_equal(pdu_from_json(json, SNMP_MSG_TRAP2, &err, &pdu), -EINVAL);
		assert_non_null(strstr(err.text, "sysUpTime.0"));
	}
}

/* RFC 3584, 3.2. */
static void version_1(void **state)
{
	static const struct {
		const char *trap, *more;
		int r;
		long generic, specific;
		const char *enterprise;
		size_t n_varbinds;
	} rows[] = {
		{TRAP("1.3.6.1.4.1.9.0.12"), "", 0, 6, 12, "1.3.6.1.4.1.9", 0},
		{TRAP("1.3.6.1.4.1.9.12"), "", 0, 6, 12, "1.3.6.1.4.1.9", 0},
		{TRAP("1.3.6.1.6.3.1.1.5.1"), "", 0, 0, 0, "1.3.6.1.6.3.1.1.5", 0},
		{TRAP("1.3.6.1.6.3.1.1.5.6"), "", 0, 5, 0, "1.3.6.1.6.3.1.1.5", 0},
		{TRAP("1.3.6.1.6.3.1.1.5.7"), "", 0, 6, 7, "1.3.6.1.6.3.1.1.5", 0},
		{TRAP("1.3.6.1.6.3.1.1.5.3"),
			",{\"oid\":\"1.3.6.1.6.3.1.1.4.3.0\",\"type\":\"o\",\"value\":"
			"\"1.3.6.1.4.1.9\"}",
			0, 2, 0, "1.3.6.1.4.1.9", 1},
		{TRAP("1.3.6.1.4.1.9.0.12"),
			",{\"oid\":\"1.3.1\",\"type\":\"c64\",\"value\":1}"
			",{\"oid\":\"1.3.2\",\"type\":\"i\",\"value\":-1}"
			",{\"oid\":\"1.3.3\",\"type\":\"s\",\"value\":\"x\"}",
			0, 6, 12, "1.3.6.1.4.1.9", 2},
		{TRAP("1.3"), "", -EINVAL, 0, 0, NULL, 0},
		{TRAP("1.3.6.1.4.1.9.0.4294967295"), "", -EINVAL, 0, 0, NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[1024];
		oid enterprise[MAX_OID_LEN];
		size_t len = 0, n = 0;
		struct tend_error err = {0};
		netsnmp_pdu *pdu = NULL;
		auto_json json_t *json = NULL;

		snprintf(text, sizeof(text), "[" UPTIME ",%s%s]", rows[i].trap, rows[i].more);
		json = json_loads(text, 0, NULL);
		assert_non_null(json);
		if (pdu_from_json(json, SNMP_MSG_TRAP, &err, &pdu) != rows[i].r)
			fail_msg("row %zu: %s", i, err.text);
		if (rows[i].r < 0)
			continue;
		assert_int_equal(pdu->command, SNMP_MSG_TRAP);
		assert_int_equal(pdu->trap_type, rows[i].generic);
		assert_int_equal(pdu->specific_type, rows[i].specific);
		assert_int_equal(pdu->time, 77);
		assert_memory_equal(pdu->agent_addr, "\0\0\0\0", 4);
		assert_int_equal(
			library_parse_oid(rows[i].enterprise, enterprise, MAX_OID_LEN, &len), 0);
		assert_int_equal(
			snmp_oid_compare(pdu->enterprise, pdu->enterprise_length, enterprise, len),
			0);
		for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable, n++)
			assert_int_not_equal(v->type, ASN_COUNTER64);
		assert_int_equal(n, rows[i].n_varbinds);
		snmp_free_pdu(pdu);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oids),
		cmocka_unit_test(dates),
		cmocka_unit_test(varbinds),
		cmocka_unit_test(numbers_of_varbinds),
		cmocka_unit_test(heads),
		cmocka_unit_test(version_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
