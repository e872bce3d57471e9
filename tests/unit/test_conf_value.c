/* SPDX-License-Identifier: MIT */
/* Numbers, durations, sizes and ranges: read, written and judged the same under every locale. */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "conf/conf.h"
#include "conf/options.h"

#define MSEC USEC_PER_MSEC
#define SEC  USEC_PER_SEC

static void test_span(void **state)
{
	static const struct {
		const char *text;
		int r;
		usec_t usec;
		const char *written; /* NULL: as read */
	} rows[] = {
		{"500ms", 0, 500 * MSEC, NULL},
		{"2s", 0, 2 * SEC, NULL},
		{"5m", 0, 300 * SEC, NULL},
		{"1h30m", 0, 5400 * SEC, NULL},
		{"1h 30m", 0, 5400 * SEC, "1h30m"},
		{"2d", 0, 172800 * SEC, NULL},
		{"90s", 0, 90 * SEC, "1m30s"},
		{"1d1h1m1s1ms1us", 0, 90061001001, NULL},
		{"0", 0, 0, "0s"},
		{"0s", 0, 0, NULL},
		{"0.5s", 0, 500 * MSEC, "500ms"},
		{"1.25h", 0, 4500 * SEC, "1h15m"},
		{"0.000001s", 0, 1, "1us"},
		{"0.0000001s", 0, 0, "0s"},
		{"213503982d", 0, 213503982ULL * 86400 * SEC, NULL},
		{"213503983d", -ERANGE, 0, NULL},
		{"18446744073709551615us", -ERANGE, 0, NULL}, /* USEC_INFINITY */
		{"18446744073709551616us", -ERANGE, 0, NULL},
		{"", -EINVAL, 0, NULL},
		{"60", -EINVAL, 0, NULL},
		{"00", -EINVAL, 0, NULL},
		{"s", -EINVAL, 0, NULL},
		{"5 m", -EINVAL, 0, NULL},
		{"5.m", -EINVAL, 0, NULL},
		{".5m", -EINVAL, 0, NULL},
		{"-5s", -EINVAL, 0, NULL},
		{"5S", -EINVAL, 0, NULL},
		{"5min", -EINVAL, 0, NULL},
		{"30m1h", -EINVAL, 0, NULL},
		{"1s1s", -EINVAL, 0, NULL},
		{" 5s", -EINVAL, 0, NULL},
		{"5s,", -EINVAL, 0, NULL},
		{"infinity", -EINVAL, 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[CONF_VALUE_BYTES];
		usec_t usec = 12345;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(conf_parse_span(rows[i].text, &usec), rows[i].r);
		assert_int_equal(usec, rows[i].r < 0 ? 12345 : rows[i].usec);
		if (rows[i].r == 0)
			assert_string_equal(conf_format_span(usec, buf),
				rows[i].written ? rows[i].written : rows[i].text);
	}
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t n;
		const char *written;
	} rows[] = {
		{"0", 0, 0, NULL},
		{"512", 0, 512, NULL},
		{"64K", 0, 65536, NULL},
		{"64KiB", 0, 65536, "64K"},
		{"64 KB", 0, 65536, "64K"},
		{"1M", 0, 1 << 20, NULL},
		{"1536K", 0, 1536 << 10, NULL},
		{"2G", 0, 2ULL << 30, NULL},
		{"3T", 0, 3ULL << 40, NULL},
		{"100B", 0, 100, "100"},
		{"18446744073709551615", 0, UINT64_MAX, NULL},
		{"18446744073709551616", -ERANGE, 0, NULL},
		{"16777216T", -ERANGE, 0, NULL},
		{"", -EINVAL, 0, NULL},
		{"K", -EINVAL, 0, NULL},
		{"-1", -EINVAL, 0, NULL},
		{"1.5M", -EINVAL, 0, NULL},
		{"1k", -EINVAL, 0, NULL},
		{"1X", -EINVAL, 0, NULL},
		{"1K1", -EINVAL, 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[CONF_VALUE_BYTES];
		uint64_t n = 7;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(conf_parse_bytes(rows[i].text, &n), rows[i].r);
		assert_int_equal(n, rows[i].r < 0 ? 7 : rows[i].n);
		if (rows[i].r == 0)
			assert_string_equal(conf_format_bytes(n, buf),
				rows[i].written ? rows[i].written : rows[i].text);
	}
}

static void test_int(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t n;
	} rows[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"007", 0, 7},
		{"-12", 0, -12},
		{"9223372036854775807", 0, INT64_MAX},
		{"-9223372036854775808", 0, INT64_MIN},
		{"9223372036854775808", -ERANGE, 0},
		{"-9223372036854775809", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1.0", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t n = 42;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(conf_parse_int(rows[i].text, &n), rows[i].r);
		assert_int_equal(n, rows[i].r < 0 ? 42 : rows[i].n);
	}
}

static void test_double(void **state)
{
	static const struct {
		const char *text;
		int r;
		double d;
		const char *written;
	} rows[] = {
		{"0.5", 0, 0.5, "0.5"},
		{".5", 0, 0.5, "0.5"},
		{"-1e3", 0, -1000, "-1000"},
		{"0.1", 0, 0.1, "0.1"},
		{"0.30000000000000004", 0, 0.1 + 0.2, "0.30000000000000004"},
		{"1e300", 0, 1e300, "1e+300"},
		{"1e400", -ERANGE, 0, NULL},
		{"", -EINVAL, 0, NULL},
		{"1,5", -EINVAL, 0, NULL},
		{"inf", -EINVAL, 0, NULL},
		{"nan", -EINVAL, 0, NULL},
		{"0x1p3", -EINVAL, 0, NULL},
		{"1.5.2", -EINVAL, 0, NULL},
		{"--1", -EINVAL, 0, NULL},
		{"e", -EINVAL, 0, NULL},
		{" 1", -EINVAL, 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[CONF_VALUE_BYTES];
		double d = 4;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(conf_parse_double(rows[i].text, &d), rows[i].r);
		assert_true(d == (rows[i].r < 0 ? 4 : rows[i].d));
		if (rows[i].r == 0)
			assert_string_equal(conf_format_double(d, buf), rows[i].written);
	}
}

static void test_range(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		const char *alerts, *quiet; /* values, separated by blanks */
	} rows[] = {
		/* the examples of the Monitoring Plugins Development Guidelines */
		{"10", true, "-0.1 10.1 inf -inf", "0 5 10"},
		{"10:", true, "9.9 -inf 0", "10 11 inf"},
		{"~:10", true, "10.1 inf", "10 -5 -inf"},
		{"10:20", true, "9.99 20.01", "10 15 20"},
		{"@10:20", true, "10 15 20", "9.99 20.01"},
		{"0", true, "1 -1 0.001", "0 -0"},
		{"@0:0", true, "0 -0", "1 -1"},
		{"-10:-5", true, "-11 -4 0", "-10 -7 -5"},
		{":10", true, "-1 11", "0 10"},
		{"0.5", true, "0.51 -0.01", "0.5 0.25"},
		{"1e3:1e4", true, "999 10001", "1000 10000"},
		{"@~:5", true, "5 -inf", "5.1"},
		{"~:", true, "", "0 inf -inf"},
		{"@~:", true, "0 inf -inf", ""},
		{"", false, "", ""},
		{"@", false, "", ""},
		{":", false, "", ""},
		{"@:", false, "", ""},
		{"~", false, "", ""},
		{"10:~", false, "", ""},
		{"20:10", false, "", ""},
		{"-1", false, "", ""}, /* 0 to -1 */
		{"1:2:3", false, "", ""},
		{"1;2", false, "", ""},
		{"1,5", false, "", ""},
		{"inf", false, "", ""},
		{"nan", false, "", ""},
		{"0x10", false, "", ""},
		{" 10", false, "", ""},
		{"10 ", false, "", ""},
		{"10s", false, "", ""},
		{"1e999", false, "", ""},
		{"@@10", false, "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct range range;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(range_parse(rows[i].text, &range), rows[i].valid ? 0 : -EINVAL);
		if (!rows[i].valid)
			continue;
		for (int alerts = 0; alerts < 2; alerts++) {
			const char *p = alerts ? rows[i].alerts : rows[i].quiet;
			char *end;

			locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

			for (double d = strtod_l(p, &end, c); end != p; d = strtod_l(p, &end, c)) {
				assert_int_equal(range_alerts(&range, d), alerts);
				p = end;
			}
			freelocale(c);
		}
		assert_true(range_alerts(&range, NAN));
	}
}

static void test_confirm(void **state)
{
	static const struct {
		const char *text;
		int r;
		int n, m;
	} rows[] = {
		{"2 of 3", 0, 2, 3},
		{"1 of 1", 0, 1, 1},
		{"64 of 64", 0, 64, 64},
		{"2  of  3", 0, 2, 3},
		{"0 of 3", -ERANGE, 0, 0},
		{"4 of 3", -ERANGE, 0, 0},
		{"1 of 65", -ERANGE, 0, 0},
		{"2", -EINVAL, 0, 0},
		{"2of 3", -EINVAL, 0, 0},
		{"2 of3", -EINVAL, 0, 0},
		{"2 of", -EINVAL, 0, 0},
		{"2 of -3", -ERANGE, 0, 0},
		{"-2 of 3", -EINVAL, 0, 0},
		{"2 of 3 ", -EINVAL, 0, 0},
		{"99999999999 of 3", -EINVAL, 0, 0},
		{"", -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t n = -1, m = -1;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(conf_parse_confirm(rows[i].text, &n, &m), rows[i].r);
		assert_int_equal(n, rows[i].r < 0 ? -1 : rows[i].n);
		assert_int_equal(m, rows[i].r < 0 ? -1 : rows[i].m);
	}
}

/* Under a decimal comma; the locale is made here, since few servers have one installed. */
static void test_locale(void **state)
{
	char dir[] = "/tmp/tend-test-locale-XXXXXX", command[256], buf[16];

	assert_non_null(mkdtemp(dir));
	(void)snprintf(command, sizeof(command),
		"localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", dir);
	if (system(command) != 0)
		print_message("localedef cannot make a locale (package locales)\n");
	(void)setenv("LOCPATH", dir, 1);
	if (setlocale(LC_ALL, "de_DE.UTF-8")) {
		(void)snprintf(buf, sizeof(buf), "%g", 0.5);
		assert_string_equal(buf, "0,5");
		test_double(state);
		test_range(state);
		(void)setlocale(LC_ALL, "C");
	} else {
		print_message("there is no locale with a decimal comma here: not tested\n");
	}
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_confirm),
		cmocka_unit_test(test_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
