/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "snmp/mib.h"
#include "snmp/varbinds.h"

static const struct notice raised = {
	.id = "0192f0c1-0000-7000-8000-000000000001",
	.kind = NOTICE_INCIDENT_RAISED,
	.severity = SEVERITY_CRITICAL,
	.fingerprint = "crm/web/login",
	.incident_id = "0192f0c1-0000-7000-8000-000000000002",
	.system = "crm",
	.environment = "production",
	.component = "crm/web",
	.check = "crm/web/login",
	.state = "critical",
	.reason = "connect-refused",
	.text = "cannot connect",
	.wall = 1795314699500000,
	.since_wall = 1795314690000000,
};

static json_t *varbind(json_t *list, const char *oid, const char *type)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v) {
		if (strcmp(json_string_value(json_object_get(v, "oid")), oid) != 0)
			continue;
		assert_string_equal(json_string_value(json_object_get(v, "type")), type);
		return json_object_get(v, "value");
	}
	fail_msg("no %s", oid);
	return NULL;
}

#define NOTICE(n)	      TEND_OID_ROOT ".1.20." n ".0"
#define TEXT(list, n)	      json_string_value(varbind(list, NOTICE(n), "s"))
#define NUMBER(list, n, type) json_integer_value(varbind(list, NOTICE(n), type))

static void an_incident_is_told_whole(void **state)
{
	auto_json json_t *list = NULL;
	json_t *first, *second;

	assert_int_equal(
		snmp_notice_varbinds(&raised, UINT64_C(5) << 33, "epoch", 420000000, &list), 0);
	first = json_array_get(list, 0);
	second = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(first, "oid")), "1.3.6.1.2.1.1.3.0");
	assert_string_equal(json_string_value(json_object_get(first, "type")), "t");
	assert_int_equal(json_integer_value(json_object_get(first, "value")), 42000);
	assert_string_equal(
		json_string_value(json_object_get(second, "oid")), "1.3.6.1.6.3.1.1.4.1.0");
	assert_string_equal(
		json_string_value(json_object_get(second, "value")), TEND_OID_ROOT ".0.1");
	assert_string_equal(TEXT(list, "1"), raised.id);
	assert_int_equal(NUMBER(list, "2", "c64"), UINT64_C(5) << 33);
	assert_string_equal(TEXT(list, "3"), "epoch");
	assert_string_equal(TEXT(list, "4"), raised.incident_id);
	assert_string_equal(TEXT(list, "5"), "crm/web/login");
	assert_int_equal(NUMBER(list, "6", "i"), 2);
	assert_string_equal(TEXT(list, "7"), "crm");
	assert_string_equal(TEXT(list, "8"), "crm/web");
	assert_string_equal(TEXT(list, "9"), "crm/web/login");
	assert_int_equal(NUMBER(list, "10", "i"), TEND_STATE_CRITICAL);
	assert_int_equal(NUMBER(list, "11", "i"), TEND_REASON_CONNECT_REFUSED);
	assert_string_equal(TEXT(list, "12"), "cannot connect");
	assert_int_equal(NUMBER(list, "13", "d"), 1795314690000000);
	assert_int_equal(NUMBER(list, "14", "d"), 1795314699500000);
	assert_int_equal(json_array_size(list), 2 + MIB_NOTICE_MAX);
}

static void what_is_not_there_is_empty(void **state)
{
	struct notice notice = {.kind = NOTICE_INCIDENT_CLEARED};
	auto_json json_t *list = NULL;

	assert_int_equal(snmp_notice_varbinds(&notice, 0, NULL, 0, &list), 0);
	assert_string_equal(TEXT(list, "3"), "");
	assert_string_equal(TEXT(list, "12"), "");
	assert_int_equal(NUMBER(list, "10", "i"), TEND_STATE_UNKNOWN);
	assert_int_equal(NUMBER(list, "11", "i"), TEND_REASON_NO_EVIDENCE);
	assert_int_equal(NUMBER(list, "13", "d"), 0);
}

static void foreign_text_is_made_safe(void **state)
{
	/* 300 times "é", two bytes each: cut at a character, not in one. */
	char text[602] = "\x1b[2J\n";
	struct notice notice = raised;
	auto_json json_t *list = NULL;
	const char *out;

	for (size_t i = strlen(text); i + 3 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	notice.text = text;
	notice.state = "no such state";
	notice.reason = "\xff";
	assert_int_equal(snmp_notice_varbinds(&notice, 1, "e", 0, &list), 0);
	out = TEXT(list, "12");
	assert_true(strlen(out) <= MIB_TEXT_BYTES && strlen(out) > MIB_TEXT_BYTES - 2);
	assert_true(str_utf8_valid(out, strlen(out)));
	for (const char *p = out; *p; p++)
		assert_true((unsigned char)*p >= 0x20);
	assert_int_equal(NUMBER(list, "10", "i"), TEND_STATE_UNKNOWN);
}

#define SCALAR(list, n, type) json_integer_value(varbind(list, TEND_OID_ROOT ".1.1." n ".0", type))

static void a_heartbeat_says_how_the_daemon_is(void **state)
{
	auto_json json_t *details = json_pack("{s:f, s:i, s:b, s:b, s:s, s:i}", "loop_lag_seconds",
		0.0125, "outbox_depth", 7, "config_ok", 0, "actions_enabled", 1, "worst_state",
		"critical", "incidents_open", 3);
	struct notice notice = {.kind = NOTICE_HEARTBEAT, .text = "alive", .details = details};
	auto_json json_t *list = NULL, *bare = NULL;

	assert_int_equal(snmp_notice_varbinds(&notice, 5, "e", 0, &list), 0);
	assert_int_equal(SCALAR(list, "3", "i"), TEND_STATE_CRITICAL);
	assert_int_equal(SCALAR(list, "13", "u"), 7);
	assert_int_equal(SCALAR(list, "14", "i"), 1);
	assert_int_equal(SCALAR(list, "15", "u"), 3);
	assert_int_equal(SCALAR(list, "16", "u"), 12500);
	assert_int_equal(SCALAR(list, "17", "i"), 2);
	assert_string_equal(TEXT(list, "12"), "alive");
	notice.details = NULL;
	assert_int_equal(snmp_notice_varbinds(&notice, 5, "e", 0, &bare), 0);
	assert_int_equal(SCALAR(bare, "13", "u"), 0);
	assert_int_equal(SCALAR(bare, "14", "i"), 2);
}

static void kinds_and_wraps(void **state)
{
	struct notice notice = {.kind = NOTICE_KIND_MAX};
	json_t *list = NULL;

	assert_int_equal(snmp_notice_varbinds(&notice, 1, "e", 0, &list), -EINVAL);
	assert_null(list);
	/* TimeTicks wrap after 2^32 hundredths of a second. */
	notice.kind = NOTICE_CONFIG_FAILED;
	assert_int_equal(
		snmp_notice_varbinds(&notice, 1, "e", (UINT64_C(1) << 32) * 10000 + 50000, &list),
		0);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "value")), 5);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_incident_is_told_whole),
		cmocka_unit_test(what_is_not_there_is_empty),
		cmocka_unit_test(foreign_text_is_made_safe),
		cmocka_unit_test(a_heartbeat_says_how_the_daemon_is),
		cmocka_unit_test(kinds_and_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
