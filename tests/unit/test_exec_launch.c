/* SPDX-License-Identifier: MIT */
/* The way of arguments through systemd: whatever they hold, nothing that it could change, and back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "exec/launch.h"

static void test_encode(void **state)
{
	static const struct {
		const char *arg, *text;
	} rows[] = {
		{"/usr/bin/true", "/usr/bin/true"},
		{"--size", "--size"},
		{"a b", "a=20b"},
		{"$HOME", "=24HOME"},
		{"%n", "=25n"},
		{"x;y", "x=3By"},
		{"\\;", "=5C=3B"},
		{"=3B", "=3D3B"},
		{"\"'\n", "=22=27=0A"},
		{"\xc3\xbc", "=C3=BC"},
		{"", "="},
	};
	char *args[ARRAY_SIZE(rows) + 1] = {NULL};
	auto(strv_free) char **encoded = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		args[i] = (char *)(uintptr_t)rows[i].arg;
	assert_int_equal(launch_encode("/self", args, &encoded), 0);
	assert_int_equal(strv_len(encoded), ARRAY_SIZE(rows) + 2);
	assert_string_equal(encoded[0], "/self");
	assert_string_equal(encoded[1], "--launch");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *arg = NULL;

		assert_string_equal(encoded[i + 2], rows[i].text);
		assert_int_equal(launch_decode(encoded[i + 2], &arg), 0);
		assert_string_equal(arg, rows[i].arg);
	}
}

static void test_every_byte(void **state)
{
	char all[256];
	char *args[] = {all, NULL};
	auto(strv_free) char **encoded = NULL;
	auto_free char *arg = NULL;

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	assert_int_equal(launch_encode("/self", args, &encoded), 0);
	assert_int_equal(strspn(encoded[2], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					    "0123456789/._-="),
		strlen(encoded[2]));
	assert_int_equal(launch_decode(encoded[2], &arg), 0);
	assert_string_equal(arg, all);
}

static void test_bad(void **state)
{
	static const char *const rows[] = {"a b", "\\;", "=0", "a=", "=00", "=3b", "=G0", "$"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *arg = NULL;
		int r = launch_decode(rows[i], &arg);

		if (r != -EINVAL)
			fail_msg("%s: %d", rows[i], r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
