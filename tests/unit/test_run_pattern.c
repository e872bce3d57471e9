/* SPDX-License-Identifier: MIT */
/* Our string.find, match, gmatch and gsub against Lua's own, over patterns at random. */
#include "unit.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/env.h"
#include "run/pattern.h"

enum { ROUNDS = 30000, RESULT_BYTES = 4096 };

struct states {
	struct env_memory memory;
	lua_State *ours, *theirs;
};

static const char try_all[] =
	"local text, pattern, init = ...\n"
	"local out = {}\n"
	"local function add(name, ok, ...)\n"
	"	out[#out + 1] = name .. (ok and '+' or '-')\n"
	"	if not ok then return end\n"
	"	for i = 1, select('#', ...) do\n"
	"		local v = select(i, ...)\n"
	"		out[#out + 1] = v == nil and 'nil' or v\n"
	"	end\n"
	"end\n"
	"add('find', pcall(string.find, text, pattern, init))\n"
	"add('match', pcall(string.match, text, pattern, init))\n"
	"add('plain', pcall(string.find, text, pattern, init, true))\n"
	"add('gsub', pcall(string.gsub, text, pattern, '<%0%1>'))\n"
	"add('gsub2', pcall(string.gsub, text, pattern, function(a, b)\n"
	"	return b and (a .. '|' .. b) or nil end, 3))\n"
	"add('gsub3', pcall(string.gsub, text, pattern, { a = 'A', ab = 1, b = false }))\n"
	"add('gmatch', pcall(function()\n"
	"	local all = {}\n"
	"	for a, b in string.gmatch(text, pattern) do\n"
	"		all[#all + 1] = a .. ',' .. (b or '')\n"
	"		if #all > 50 then break end\n"
	"	end\n"
	"	return table.concat(all, ';')\n"
	"end))\n"
	"return table.concat(out, '\\n')\n";

static int setup(void **state)
{
	static struct states s = {.memory = {.max_bytes = 64 << 20}};

	assert_int_equal(env_new(&s.memory, &s.ours), 0);
	s.theirs = luaL_newstate();
	luaL_openlibs(s.theirs);
	assert_int_equal(luaL_loadstring(s.ours, try_all), LUA_OK);
	assert_int_equal(luaL_loadstring(s.theirs, try_all), LUA_OK);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct states *s = *state;

	lua_close(s->ours);
	lua_close(s->theirs);
	return 0;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static size_t random_text(
	uint32_t *seed, const char *const *pieces, size_t n, char *buf, size_t most)
{
	size_t len = 0, count = next_random(seed) % most;

	buf[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)sprintf(buf + len, "%s", pieces[next_random(seed) % n]);
	return len;
}

static const char *run(lua_State *L, const char *text, const char *pattern, int init)
{
	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	lua_pushstring(L, text);
	lua_pushstring(L, pattern);
	lua_pushinteger(L, init);
	assert_int_equal(lua_pcall(L, 3, 1, 0), LUA_OK);
	return lua_tostring(L, -1);
}

static void test_against_lua(void **state)
{
	static const char *const pieces[] = {"a", "b", ".", "*", "+", "-", "?", "(", ")", "()",
		"[ab]", "[^a]", "[]-a]", "[a-", "]", "^", "$", "%", "%a", "%A", "%d", "%s", "%w",
		"%1", "%2", "%b()", "%f[b]", "%f", "%.", "(a", "b)", "(.-)", "(a*)", "%x", "%p",
		"[%w_]", "1"};
	static const char *const letters[] = {
		"a", "b", "ab", "(", ")", "1", " ", ".", "]", "-", "^", "$"};
	struct states *s = *state;
	static struct pattern compiled;
	struct tend_error err = {0};
	uint32_t seed = 20260301;
	size_t n_matched = 0, n_compared = 0;

	for (int i = 0; i < ROUNDS; i++) {
		char text[256], pattern[256];
		const char *ours, *theirs;
		int init = (int)(next_random(&seed) % 9) - 4;

		(void)random_text(&seed, letters, ARRAY_SIZE(letters), text, 14);
		(void)random_text(&seed, pieces, ARRAY_SIZE(pieces), pattern, 8);
		ours = run(s->ours, text, pattern, init);
		theirs = run(s->theirs, text, pattern, init);
		/* Lua looks at a pattern as far as it gets with the text; we refuse all of it. */
		if (pattern_compile(pattern, strlen(pattern), true, &compiled, &err) < 0)
			continue;
		n_compared++;
		if (strcmp(ours, theirs) != 0)
			fail_msg("text '%s' pattern '%s' init %d\nours:\n%s\ntheirs:\n%s", text,
				pattern, init, ours, theirs);
		n_matched += strncmp(ours, "find+\nnil", 9) != 0;
	}
	assert_true(n_compared > ROUNDS / 4);
	assert_true(n_matched > ROUNDS / 20);
}

static void test_bombs_end(void **state)
{
	static const char *const bombs[] = {
		"return s:find('.-.-.-.-.-.-.-.-b')",
		"return s:match('(.*)(.*)(.*)(.*)(.*)b')",
		"return s:gsub('a*a*a*a*a*a*b', '')",
		"return s:gsub('%f[b]a*a*', '')",
		"for w in s:gmatch('.-.-.-.-b') do end",
		"return s:find('(a*)%1%1%1%1b')",
		"return ('('):rep(30000):gsub('%b()', '')",
	};
	struct states *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bombs); i++) {
		char code[256];
		const char *message;

		(void)snprintf(code, sizeof(code), "local s = ('a'):rep(30000) %s", bombs[i]);
		lua_settop(s->ours, 1);
		assert_int_equal(luaL_loadstring(s->ours, code), LUA_OK);
		if (lua_pcall(s->ours, 0, 0, 0) == LUA_OK) {
			/* Harmless on this text. */
			assert_true(i == 3);
			continue;
		}
		message = lua_tostring(s->ours, -1);
		assert_non_null(strstr(message, "takes more than 10000000 steps"));
	}
}

static void test_bounds(void **state)
{
	static struct pattern pattern;
	char text[2048];
	struct tend_error err = {0};
	size_t len = 0;

	memset(text, 'x', sizeof(text));
	assert_int_equal(pattern_compile(text, PATTERN_MAX_ITEMS - 1, true, &pattern, &err), 0);
	assert_int_equal(pattern_compile(text, PATTERN_MAX_ITEMS, true, &pattern, &err), -EINVAL);
	for (int i = 0; i < PATTERN_MAX_SETS + 1; i++)
		len += (size_t)sprintf(text + len, "[a]");
	assert_int_equal(pattern_compile(text, len - 3, true, &pattern, &err), 0);
	assert_int_equal(pattern_compile(text, len, true, &pattern, &err), -EINVAL);
	len = 0;
	for (int i = 0; i < PATTERN_MAX_CAPTURES + 1; i++)
		len += (size_t)sprintf(text + len, "()");
	assert_int_equal(pattern_compile(text, len - 2, true, &pattern, &err), 0);
	assert_int_equal(pattern_compile(text, len, true, &pattern, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_lua),
		cmocka_unit_test(test_bombs_end),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
