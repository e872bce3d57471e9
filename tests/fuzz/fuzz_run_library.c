/* SPDX-License-Identifier: MIT */
/* What policies may call with foreign text: the first letter says which function, the rest of the
 * line is the pattern, what follows is the text.
 * Parser: daemon/run/pattern.c, daemon/run/env_find.c, daemon/run/lib_re.c.
 */
#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "run/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char code[] =
	"local which, pattern, text = ...\n"
	"local functions = {\n"
	"	f = string.find, m = string.match,\n"
	"	g = function(s, p) return s:gsub(p, '<%0>') end,\n"
	"	i = function(s, p) local n = 0 for _ in s:gmatch(p) do n = n + 1 end return n "
	"end,\n"
	"	l = function(s, p) return string.find(s, p, 1, true) end,\n"
	"	h = function(s, p) return s:gsub(p, { a = 'b', [''] = 1 }) end,\n"
	"	k = function(s, p) return s:gsub(p, function(x) return x == 'a' and x end, 3) "
	"end,\n"
	"	q = function(s, p) return re.gsub(s, p, function(x) return x == 'a' and x end) "
	"end,\n"
	"	r = re.find, s = function(s, p) return re.gsub(s, p, '$0') end,\n"
	"	t = function(s, p) local n = 0 for _ in re.gmatch(s, p) do n = n + 1 end return n "
	"end,\n"
	"	e = function(s) assert(re.match(s, '^' .. re.escape(s) .. '$')) end,\n"
	"	j = function(s) local v = json.decode(s) return v and json.decode(json.encode(v)) "
	"end,\n"
	"	p = function(s) local t = time.parse(s) return t and time.format(t) end,\n"
	"	d = time.duration, w = function(s, p) return time.format(tonumber(s), p) end,\n"
	"}\n"
	"local call = functions[which]\n"
	"return call and call(text, pattern)\n";

static lua_State *state(void)
{
	static struct env_memory memory = {.max_bytes = 256 << 20};
	static lua_State *L;

	if (!L && (env_new(&memory, &L) < 0 || luaL_loadstring(L, code) != LUA_OK))
		abort();
	lua_settop(L, 1);
	return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t n = end ? (size_t)(end - data) : size;
	lua_State *L = state();

	if (n == 0)
		return 0;
	lua_pushvalue(L, 1);
	lua_pushlstring(L, (const char *)data, 1);
	lua_pushlstring(L, (const char *)data + 1, n - 1);
	lua_pushlstring(L, end ? (const char *)end + 1 : "", end ? size - n - 1 : 0);
	(void)lua_pcall(L, 3, 0, 0);
	lua_settop(L, 1);
	return 0;
}
