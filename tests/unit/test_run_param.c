/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/decl_place.h"
#include "run/param.h"

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		double sec; /* < 0: refused */
	} cases[] = {
		{"0", 0},
		{"30", 30},
		{"0.5", 0.5},
		{"30s", 30},
		{"500ms", 0.5},
		{"2m", 120},
		{"1m30s", 90},
		{"1h30m", 5400},
		{"2d", 172800},
		{"1.5h", 5400},
		{"366d", 366.0 * 86400},
		{"", -1},
		{"s", -1},
		{"-5s", -1},
		{"+5s", -1},
		{"5 s", -1},
		{"5x", -1},
		{"5s3", -1},
		{"1m30", -1},
		{"5sm", -1},
		{"0x10s", -1},
		{"1e3s", -1},
		{"1.2.3s", -1},
		{".", -1},
		{"infs", -1},
		{"nan", -1},
		{"367d", -1},
		{"99999999999999999999999999s", -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double sec = -2;
		int r = param_parse_duration(cases[i].text, &sec);

		if (r != (cases[i].sec < 0 ? -EINVAL : 0))
			fail_msg("'%s' gives %d, %g", cases[i].text, r, sec);
		if (cases[i].sec >= 0)
			assert_true(sec == cases[i].sec);
		else
			assert_true(sec == -2);
	}
}

static void test_convert(void **state)
{
	static const struct {
		enum param_type type;
		const char *in, *out; /* NULL: refused */
	} cases[] = {
		{PARAM_STRING, "'5'", "string 5"},
		{PARAM_STRING, "5", NULL},
		{PARAM_INTEGER, "5", "integer 5"},
		{PARAM_INTEGER, "5.0", "integer 5"},
		{PARAM_INTEGER, "'5'", "integer 5"},
		{PARAM_INTEGER, "5.5", NULL},
		{PARAM_INTEGER, "'5x'", NULL},
		{PARAM_INTEGER, "'99999999999999999999'", NULL},
		{PARAM_INTEGER, "true", NULL},
		{PARAM_NUMBER, "'0.5'", "float 0.5"},
		{PARAM_NUMBER, "1/0", NULL},
		{PARAM_NUMBER, "{}", NULL},
		{PARAM_BOOLEAN, "false", "boolean false"},
		{PARAM_BOOLEAN, "'yes'", "boolean true"},
		{PARAM_BOOLEAN, "'off'", "boolean false"},
		{PARAM_BOOLEAN, "'maybe'", NULL},
		{PARAM_BOOLEAN, "1", NULL},
		{PARAM_DURATION, "'1m30s'", "integer 90"},
		{PARAM_DURATION, "'500ms'", "float 0.5"},
		{PARAM_DURATION, "2", "integer 2"},
		{PARAM_DURATION, "-1", NULL},
		{PARAM_DURATION, "0/0", NULL},
		{PARAM_DURATION, "'soon'", NULL},
	};
	lua_State *L = luaL_newstate();

	assert_non_null(L);
	luaL_requiref(L, "math", luaopen_math, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tend_error err = {0};
		char code[64], got[64];
		int r;

		lua_settop(L, 0);
		(void)snprintf(code, sizeof(code), "return %s", cases[i].in);
		assert_int_equal(luaL_dostring(L, code), LUA_OK);
		r = param_convert(L, cases[i].type, &err);
		assert_int_equal(lua_gettop(L), 1);
		assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
		if (r < 0) {
			assert_true(strncmp(err.text, "must be ", 8) == 0);
			continue;
		}
		(void)snprintf(got, sizeof(got), "%s %s",
			lua_isinteger(L, 1)		? "integer"
			: lua_type(L, 1) == LUA_TNUMBER ? "float"
							: luaL_typename(L, 1),
			luaL_tolstring(L, 1, NULL));
		assert_string_equal(got, cases[i].out);
	}
	lua_close(L);
}

static void test_line(void **state)
{
	static const char text[] = "-- doc = nothing\n"
				   "policy \"a\" {\n"
				   "  docs = 1, x.doc = 2,\n"
				   "  [\"doc\"] = 'other',\n"
				   "  on == 5, on =\n"
				   "}\n"
				   "policy \"b\" {\n"
				   "  run = 1 }";
	static const struct {
		int line;
		const char *word;
		int found;
	} cases[] = {
		{2, "doc", 4},
		{2, "docs", 3},
		{2, "other", 4},
		{2, "on", 5},
		{2, "run", 2},
		{7, "run", 8},
		{7, "", 7},
		{99, "run", 99},
	};
	const struct decl_source source = {"t.lua", text, sizeof(text) - 1};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			decl_place_line(&source, cases[i].line, cases[i].word), cases[i].found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_convert),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
