/* SPDX-License-Identifier: MIT */
/* The pure parts of the ldap probe: reasons, the head of a message, the configuration. The rest is
 * tested with a real server by tests/system/test_probe_ldap.py. */
#include "unit.h"
#include "base/cleanup.h"
#include <errno.h>
#include <ldap.h>
#include <string.h>
#include "../../plugins/ldap/dirprobe.h"

static void test_reasons(void **state)
{
	static const struct {
		enum dirprobe_phase phase;
		int code;
		enum tend_reason reason;
	} rows[] = {
		{DIRPROBE_BIND, LDAP_INVALID_CREDENTIALS, TEND_REASON_AUTH_FAILED},
		{DIRPROBE_BIND, LDAP_INAPPROPRIATE_AUTH, TEND_REASON_AUTH_FAILED},
		{DIRPROBE_BIND, LDAP_CONFIDENTIALITY_REQUIRED, TEND_REASON_AUTH_FAILED},
		{DIRPROBE_BIND, LDAP_UNAVAILABLE, TEND_REASON_STARTING},
		{DIRPROBE_BIND, LDAP_SERVER_DOWN, TEND_REASON_PROTOCOL},
		{DIRPROBE_BIND, LDAP_DECODING_ERROR, TEND_REASON_PROTOCOL},
		{DIRPROBE_BIND, LDAP_TIMEOUT, TEND_REASON_TOO_SLOW},
		{DIRPROBE_SEARCH, LDAP_TIMELIMIT_EXCEEDED, TEND_REASON_TOO_SLOW},
		{DIRPROBE_SEARCH, LDAP_NO_SUCH_OBJECT, TEND_REASON_OBJECT_MISSING},
		{DIRPROBE_SEARCH, LDAP_INSUFFICIENT_ACCESS, TEND_REASON_ACCESS_DENIED},
		{DIRPROBE_SEARCH, LDAP_FILTER_ERROR, TEND_REASON_QUERY_FAILED},
		{DIRPROBE_SEARCH, 12345, TEND_REASON_QUERY_FAILED},
		{DIRPROBE_TLS, LDAP_CONNECT_ERROR, TEND_REASON_TLS_FAILED},
		{DIRPROBE_TLS, LDAP_PROTOCOL_ERROR, TEND_REASON_TLS_FAILED},
		{DIRPROBE_TLS, LDAP_TIMEOUT, TEND_REASON_TOO_SLOW},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(dirprobe_reason(rows[i].phase, rows[i].code), rows[i].reason);
	assert_true(dirprobe_certificate_refused(LDAP_CONNECT_ERROR, "(unknown error code)"));
	assert_false(dirprobe_certificate_refused(LDAP_CONNECT_ERROR, "An unexpected TLS packet"));
	assert_false(dirprobe_certificate_refused(LDAP_SERVER_DOWN, "(unknown error code)"));
}

#define BYTES(text) text, sizeof(text) - 1

static void test_head(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum dirprobe_head got;
	} rows[] = {
		{BYTES(""), DIRPROBE_HEAD_MORE}, {BYTES("\x30"), DIRPROBE_HEAD_MORE},
		{BYTES("\x30\x0c\x02"), DIRPROBE_HEAD_MORE},
		{BYTES("\x30\x0c\x02\x01\x01\x61"), DIRPROBE_HEAD_OK},
		{BYTES("\x30\x84\x00\x00\x00\x10\x02\x01\x01"), DIRPROBE_HEAD_OK},
		{BYTES("\x30\x84\x00\x00\x00\x10"), DIRPROBE_HEAD_MORE},
		{BYTES("\x30\x80\x02\x01"), DIRPROBE_HEAD_NONE}, /* no definite length */
		{BYTES("\x30\x85\x00\x00\x00\x00\x10\x02\x01"), DIRPROBE_HEAD_NONE},
		{BYTES("\x30\x0c\x04\x01"), DIRPROBE_HEAD_NONE},
		{BYTES("\x30\x0c\x02\x00"), DIRPROBE_HEAD_NONE},
		{BYTES("\x30\x0c\x02\x05"), DIRPROBE_HEAD_NONE},
		{BYTES("HTTP/1.1 400"), DIRPROBE_HEAD_NONE},
		{BYTES("\x15\x03\x01\x00\x02\x02"), DIRPROBE_HEAD_NONE}, /* an alert of TLS */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			dirprobe_message_head((const unsigned char *)rows[i].bytes, rows[i].n),
			rows[i].got);
}

static void test_conf(void **state)
{
	struct dirprobe_conf conf = {.max_entries = 10};
	struct tend_error err;

	assert_int_equal(dirprobe_conf_check(&conf, &err), 0);
	assert_int_equal(dirprobe_port(&conf), 389);
	assert_false(dirprobe_searches(&conf));
	conf.tls = DIRPROBE_LDAPS;
	assert_int_equal(dirprobe_port(&conf), 636);
	/* A log-in without a password is one of nobody, and always granted. */
	conf.bind_dn = (char[]){"cn=x"};
	assert_int_equal(dirprobe_conf_check(&conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "needs a password"));
	conf.password = (char[]){"p"};
	assert_int_equal(dirprobe_conf_check(&conf, &err), 0);
	conf.expect = (char[]){"x"};
	assert_int_equal(dirprobe_conf_check(&conf, &err), -EINVAL);
	conf.attribute = (char[]){"cn"};
	assert_int_equal(dirprobe_conf_check(&conf, &err), 0);
	assert_true(dirprobe_searches(&conf));
	conf.min_entries = 11;
	assert_int_equal(dirprobe_conf_check(&conf, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
