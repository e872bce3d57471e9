/* SPDX-License-Identifier: MIT */
/* The pure parts of the mysql probe: reasons, the greeting, placeholders. The rest is tested with a
 * real server by tests/system/test_probe_mysql.py. */
#include "unit.h"
#include "base/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/mysql/myprobe.h"

static void test_connect_reasons(void **state)
{
	static const struct {
		unsigned number;
		const char *text;
		enum tend_reason reason;
	} rows[] = {
		{2002, "Can't connect to server on '127.0.0.1' (111)", TEND_REASON_CONNECT_REFUSED},
		{2003, "Can't connect to server on '::1' (111 \"Connection refused\")",
			TEND_REASON_CONNECT_REFUSED},
		{2002, "Can't connect to local server through socket '/x(1)' (2)",
			TEND_REASON_CONNECT_REFUSED},
		{2002, "Can't connect to server on 'h' (110)", TEND_REASON_CONNECT_TIMEOUT},
		{2002, "Can't connect to server on 'h' (113)", TEND_REASON_CONNECT_FAILED},
		{2002, "no number", TEND_REASON_CONNECT_FAILED},
		{2005, "Unknown server host 'h' (-2)", TEND_REASON_DNS_FAILED},
		{1040, "Too many connections", TEND_REASON_CONNECTIONS_FULL},
		{1045, "Access denied", TEND_REASON_AUTH_FAILED},
		{1049, "Unknown database 'x'", TEND_REASON_DATABASE_MISSING},
		{1044, "Access denied to database", TEND_REASON_ACCESS_DENIED},
		{1053, "Server shutdown in progress", TEND_REASON_STARTING},
		{2013, "Lost connection", TEND_REASON_PROTOCOL},
		{9999, "?", TEND_REASON_CONNECT_FAILED},
		{2026, "TLS/SSL error: certificate has expired", TEND_REASON_TLS_EXPIRED},
		{2026, "TLS/SSL error: self-signed certificate in chain",
			TEND_REASON_TLS_UNTRUSTED},
		{2026, "TLS/SSL error: unable to get local issuer certificate",
			TEND_REASON_TLS_UNTRUSTED},
		{2026, "TLS/SSL error: Validation of SSL server certificate failed",
			TEND_REASON_TLS_NAME},
		{2026, "TLS/SSL error: SSL is required, but the server does not support it",
			TEND_REASON_TLS_FAILED},
		{2026, "TLS/SSL error: unsupported protocol", TEND_REASON_TLS_WEAK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (myprobe_connect_reason(rows[i].number, rows[i].text) != rows[i].reason)
			fail_msg("%u %s: %d", rows[i].number, rows[i].text,
				myprobe_connect_reason(rows[i].number, rows[i].text));
}

static void test_query_reasons(void **state)
{
	static const struct {
		unsigned number;
		enum tend_reason reason;
	} rows[] = {{1064, TEND_REASON_QUERY_FAILED}, {1146, TEND_REASON_OBJECT_MISSING},
		{1142, TEND_REASON_ACCESS_DENIED}, {1205, TEND_REASON_LOCKED},
		{1290, TEND_REASON_READ_ONLY}, {1792, TEND_REASON_READ_ONLY},
		{1969, TEND_REASON_TOO_SLOW}, {3024, TEND_REASON_TOO_SLOW},
		{2013, TEND_REASON_PROTOCOL}, {0, TEND_REASON_QUERY_FAILED}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(myprobe_query_reason(rows[i].number), rows[i].reason);
}

/* ---- the greeting --------------------------------------------------------------------------- */

#define MARIADB                                                                                    \
	"\x5e\x00\x00\x00\x0a"                                                                     \
	"5.5.5-10.11.6-MariaDB-0+deb12u1\0\x07\x00\x00\x00saltsalt\0"
#define BYTES(text) text, sizeof(text) - 1

static void test_greeting(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
		enum greeting got;
		bool tls;
	} rows[] = {
		{"nothing", BYTES(""), GREETING_MORE, false},
		{"a header", BYTES("\x5e\x00\x00\x00"), GREETING_MORE, false},
		{"half", MARIADB, 20, GREETING_MORE, false},
		{"no capabilities yet", BYTES(MARIADB), GREETING_MORE, false},
		{"plain", BYTES(MARIADB "\xfe\xf7"), GREETING_OK, false},
		{"with TLS", BYTES(MARIADB "\xfe\xff rest"), GREETING_OK, true},
		{"too many connections", BYTES("\x10\x00\x00\x00\xff\x10\x04Too many"),
			GREETING_ERROR, false},
		{"an error too short", BYTES("\x02\x00\x00\x00\xff\x10"), GREETING_NONE, false},
		{"the web", BYTES("HTTP/1.1 400 Bad Request\r\n"), GREETING_NONE, false},
		{"PostgreSQL", BYTES("E\x00\x00\x00\x8aSFATAL"), GREETING_NONE, false},
		{"an answer", BYTES("\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"), GREETING_NONE,
			false},
		{"version 9", BYTES("\x4a\x00\x00\x00\x09\x35"), GREETING_NONE, false},
		{"no room for the rest", BYTES("\x08\x00\x00\x00\x0a\x35\x00more bytes follow"),
			GREETING_NONE, false},
		{"no end of the version", BYTES("\x04\x00\x00\x00\x0axyzmore bytes follow here"),
			GREETING_NONE, false},
		{"no length", BYTES("\x00\x00\x00\x00\x0a"), GREETING_NONE, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool tls = false;
		enum greeting got =
			myprobe_greeting((const unsigned char *)rows[i].bytes, rows[i].n, &tls);

		if (got != rows[i].got || tls != rows[i].tls)
			fail_msg("%s: %d, TLS %d", rows[i].name, got, tls);
	}
}

/* ---- placeholders --------------------------------------------------------------------------- */

static void test_placeholders(void **state)
{
	static const struct {
		const char *sql, *want; /* NULL: refused */
		size_t n_params;
		const char *order;
	} rows[] = {
		{"select 1", "select 1", 0, ""},
		{"select $1, $2", "select ?, ?", 2, "01"},
		{"select $2, $1, $2", "select ?, ?, ?", 2, "101"},
		{"select ?, ?", "select ?, ?", 2, "01"},
		{"select '$1', $1", "select '$1', ?", 1, "0"},
		{"select 'it''s $1', $1", "select 'it''s $1', ?", 1, "0"},
		{"select 'a\\'$1', $1", "select 'a\\'$1', ?", 1, "0"},
		{"select \"$1\", `$1`, $1", "select \"$1\", `$1`, ?", 1, "0"},
		{"select /* $1 ? */ $1", "select /* $1 ? */ ?", 1, "0"},
		{"select $1 -- and $2\n, $2", "select ? -- and $2\n, ?", 2, "01"},
		{"select $1 # and ?\n", "select ? # and ?\n", 1, "0"},
		{"select 1--$1", "select 1--?", 1, "0"},
		{"select a$1, $1", "select a$1, ?", 1, "0"},
		{"select '$1", "select '$1", 1, ""},
		{"select '\\", "select '\\", 0, ""},
		{"select /* $1", "select /* $1", 1, ""},
		{"select $3", NULL, 2, ""},
		{"select $0", NULL, 2, ""},
		{"select $1x", NULL, 2, ""},
		{"select $12345678901234567890", NULL, 2, ""},
		{"select $1, ?", NULL, 2, ""},
		{"select ?, ?", NULL, 1, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char order[PLACEHOLDERS_MAX];
		char *sql = NULL;
		int n = myprobe_placeholders(rows[i].sql, rows[i].n_params, &sql, order);

		if (!rows[i].want) {
			assert_int_equal(n, -EINVAL);
			continue;
		}
		assert_int_equal(n, strlen(rows[i].order));
		assert_string_equal(sql, rows[i].want);
		for (int k = 0; k < n; k++)
			assert_int_equal(order[k], rows[i].order[k] - '0');
		free(sql);
	}
}

static void test_many_placeholders(void **state)
{
	unsigned char order[PLACEHOLDERS_MAX];
	char marks[2 * PLACEHOLDERS_MAX + 8] = "", dollars[3 * PLACEHOLDERS_MAX + 8] = "", *sql;

	for (size_t i = 0; i <= PLACEHOLDERS_MAX; i++) {
		memcpy(marks + 2 * i, "?,", 3);
		memcpy(dollars + 3 * i, "$1,", 4);
	}
	assert_int_equal(myprobe_placeholders(marks, 1000, &sql, order), -ENOSPC);
	assert_int_equal(myprobe_placeholders(dollars, 1, &sql, order), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_reasons),
		cmocka_unit_test(test_query_reasons),
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_placeholders),
		cmocka_unit_test(test_many_placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
