/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/env.h"
#include "run/value.h"

static struct env_memory memory = {.max_bytes = 64 << 20};

static int setup(void **state)
{
	lua_State *L = NULL;
	int r = env_new(&memory, &L);

	if (r == 0) {
		value_push_null(L);
		lua_setglobal(L, "null");
	}
	*state = L;
	return r;
}

static int teardown(void **state)
{
	lua_close(*state);
	/* All that was counted in was counted out. */
	return memory.used_bytes == 0 ? 0 : -1;
}

static void test_to_json(void **state)
{
	static const struct {
		const char *code, *json, *error;
	} cases[] = {
		{"nil", "null", NULL},
		{"true", "true", NULL},
		{"1", "1", NULL},
		{"1.0", "1.0", NULL},
		{"0.1", "0.10000000000000001", NULL},
		{"math.mininteger", "-9223372036854775808", NULL},
		{"'a\\0b'", "\"a\\u0000b\"", NULL},
		{"'\\u{e4}\\u{1F600}'", "\"\xc3\xa4\xf0\x9f\x98\x80\"", NULL},
		{"{}", "{}", NULL},
		{"{1, {2, {}}}", "[1,[2,{}]]", NULL},
		{"{b = 1, a = {d = 2, c = 3}, ['a\\0'] = 4}",
			"{\"a\":{\"c\":3,\"d\":2},\"a\\u0000\":4,\"b\":1}", NULL},
		{"{null, 1, null}", "[null,1,null]", NULL},
		{"{[('k'):rep(100)] = 1, z = 2}", NULL, NULL},
		{"1/0", NULL, "v: the number is infinite, which has no JSON"},
		{"-(0/0)", NULL, "v: the number is not a number, which has no JSON"},
		{"{a = {'x', '\\xc0\\x80'}}", NULL, "v.a[2]: the string is not valid UTF-8"},
		{"'\\xed\\xa0\\x80'", NULL, "v: the string is not valid UTF-8"},
		{"{[1.5] = 1}", NULL,
			"v[0]: a table is either a list from 1 on without holes or has only names "
			"as keys"},
		{"{f = pairs}", NULL, "v.f: a function cannot be sent"},
		{"(function() local t = {} t[1] = {t} return t end)()", NULL,
			"v[1][1]: the table contains itself"},
		{"(function() local t = {} return {t, t} end)()", "[{},{}]", NULL},
	};
	lua_State *L = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tend_error err = {0};
		auto_json json_t *json = NULL;
		auto_free char *code = NULL, *text = NULL;
		int r;

		assert_true(asprintf(&code, "return %s", cases[i].code) > 0);
		if (luaL_dostring(L, code) != LUA_OK)
			fail_msg("%s: %s", code, lua_tostring(L, -1));
		lua_settop(L, 1);
		r = value_to_json(L, 1, "v", &json, &err);
		assert_int_equal(lua_gettop(L), 1);
		lua_settop(L, 0);
		if (cases[i].error) {
			assert_int_equal(r, -EINVAL);
			assert_null(json);
			assert_string_equal(err.text, cases[i].error);
			continue;
		}
		assert_int_equal(r, 0);
		text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
		assert_non_null(text);
		if (cases[i].json)
			assert_string_equal(text, cases[i].json);
	}
}

static void test_bounds(void **state)
{
	static const struct {
		const char *code;
		bool ok;
	} cases[] = {
		{"local t = {} for i = 1, 31 do t = {t} end return t", true},
		{"local t = {} for i = 1, 32 do t = {t} end return t", false},
		{"local t = {} for i = 1, 99999 do t[i] = i end return t", true},
		{"local t = {} for i = 1, 100000 do t[i] = i end return t", false},
		{"local t = {} for i = 1, 60000 do t['k' .. i] = i end return t", true},
		{"local t = {} for i = 1, 60000 do t['k' .. i] = i end return {t, t}", false},
	};
	lua_State *L = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tend_error err = {0};
		auto_json json_t *json = NULL;

		assert_int_equal(luaL_dostring(L, cases[i].code), LUA_OK);
		assert_int_equal(value_to_json(L, -1, "v", &json, &err) == 0, cases[i].ok);
		lua_settop(L, 0);
	}
}

static int push_and_call(lua_State *L)
{
	value_push(L, lua_touserdata(L, 1));
	return 1;
}

/* JSON -> Lua -> JSON says the same, but for [] (an empty table is {}) and members that are null.
 */
static void test_round_trip(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"[1,2.0,-0.5,\"x\",true,false,null,[],{}]",
			"[1,2.0,-0.5,\"x\",true,false,null,{},{}]"},
		{"{\"b\":1,\"a\":null,\"c\":[null]}", "{\"b\":1,\"c\":[null]}"},
		{"[9223372036854775807,-9223372036854775808]",
			"[9223372036854775807,-9223372036854775808]"},
		{"[\"a\\u0000b\"]", "[\"a\\u0000b\"]"},
	};
	lua_State *L = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tend_error err = {0};
		auto_json json_t *in = json_loads(cases[i].in, JSON_ALLOW_NUL, NULL), *out = NULL;
		auto_free char *text = NULL;

		assert_non_null(in);
		lua_pushcfunction(L, push_and_call);
		lua_pushlightuserdata(L, in);
		assert_int_equal(lua_pcall(L, 1, 1, 0), LUA_OK);
		assert_int_equal(value_to_json(L, -1, "v", &out, &err), 0);
		text = json_dumps(out, JSON_COMPACT);
		assert_string_equal(text, cases[i].out);
		lua_settop(L, 0);
	}
}

static void test_references(void **state)
{
	lua_State *L = *state;
	struct tend_error err = {0};
	auto_json json_t *json = NULL;

	assert_int_equal(luaL_dostring(L, "return {name = 'crm/web', unit = 'x'}"), LUA_OK);
	assert_false(value_push_reference_name(L, -1));
	value_mark_reference(L, "name");
	assert_true(value_push_reference_name(L, -1));
	assert_string_equal(lua_tostring(L, -1), "crm/web");
	lua_pop(L, 1);
	assert_int_equal(value_to_json(L, -1, "v", &json, &err), 0);
	assert_string_equal(json_string_value(json), "crm/web");
	lua_settop(L, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_to_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_references, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
