/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/keys.h"

#define I(n)                                                                                       \
	{                                                                                          \
		.kind = KEY_INTEGER, .integer = (n)                                                \
	}
#define F(n)                                                                                       \
	{                                                                                          \
		.kind = KEY_FLOAT, .number = (n)                                                   \
	}
#define S(t)                                                                                       \
	{                                                                                          \
		.kind = KEY_STRING, .text = (t), .len = sizeof(t) - 1                              \
	}

/* In order; every pair is compared both ways. */
static const struct key in_order[] = {
	F(-1.0 / 0.0),
	F(-1e300),
	F(-0x1.0000000000001p63),
	I(INT64_MIN),
	I(INT64_MIN + 1),
	F(-2.5),
	I(-2),
	F(-1.5),
	I(-1),
	F(-0.5),
	I(0),
	F(0.5),
	I(1),
	I(9007199254740993),
	I(INT64_MAX - 1),
	I(INT64_MAX),
	F(0x1p63),
	F(1e300),
	F(1.0 / 0.0),
	S(""),
	S("\0"),
	S("\0a"),
	S("A"),
	S("a"),
	S("a\0"),
	S("aa"),
	S("b"),
	S("\xc3\xa4"),
	S("\xff"),
};

static void test_compare(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(in_order); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(in_order); j++) {
			int r = keys_compare(&in_order[i], &in_order[j]);

			if ((r > 0) - (r < 0) != (i > j) - (i < j))
				fail_msg("keys %zu and %zu compare as %d", i, j, r);
		}
	}
}

static void test_sort(void **state)
{
	enum { N = ARRAY_SIZE(in_order) };
	struct key keys[N], scratch[N];

	/* 7 and N have no common factor, so each start and step visits all. */
	_Static_assert(N % 7 != 0, "the step must visit every key");
	for (size_t start = 0; start < N; start++) {
		for (size_t n = 0; n <= N; n++) {
			size_t found = 0;

			for (size_t i = 0; i < n; i++)
				keys[i] = in_order[(start + 7 * i) % N];
			keys_sort(keys, scratch, n);
			for (size_t i = 0; i + 1 < n; i++)
				assert_true(keys_compare(&keys[i], &keys[i + 1]) < 0);
			for (size_t i = 0; i < n; i++)
				for (size_t k = 0; k < n; k++)
					found += keys_compare(&keys[k],
							 &in_order[(start + 7 * i) % N]) == 0;
			assert_int_equal(found, n);
		}
	}
}

static void test_count(void **state)
{
	static const struct {
		const char *code;
		bool ok;
		size_t n;
		int refused;
	} cases[] = {
		{"return {}", true, 0, 0},
		{"return {1, 2, a = 3, [1.5] = 4}", true, 4, 0},
		{"return {[true] = 1}", false, 0, LUA_TBOOLEAN},
		{"return {1, 2, [{}] = 1}", false, 0, LUA_TTABLE},
	};
	lua_State *L = luaL_newstate();

	assert_non_null(L);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = 0;
		int refused = 0;

		assert_int_equal(luaL_dostring(L, cases[i].code), LUA_OK);
		assert_int_equal(keys_count(L, -1, &n, &refused), cases[i].ok);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(refused, cases[i].refused);
		assert_int_equal(lua_gettop(L), 1);
		lua_pop(L, 1);
	}
	lua_close(L);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
