/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/env.h"

/* tostring() without addresses: they vary between processes. */
int env_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	switch (lua_type(L, 1)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		luaL_tolstring(L, 1, NULL);
		return 1;
	case LUA_TLIGHTUSERDATA:
		lua_pushliteral(L, "null");
		return 1;
	default:
		if (!luaL_callmeta(L, 1, "__tostring"))
			lua_pushstring(L, luaL_typename(L, 1));
		else if (!lua_isstring(L, -1))
			return luaL_error(L, "'__tostring' must return a string");
		return 1;
	}
}

static void refuse_pointers(lua_State *L, const char *format)
{
	for (const char *p = format; (p = strchr(p, '%')); p++) {
		p += 1 + strspn(p + 1, "-+ #0123456789.");
		if (*p == 'p')
			luaL_argerror(L, 1, "%p shows an address, which differs from run to run");
		if (*p == '\0')
			break;
	}
}

static int text_format(lua_State *L)
{
	int n = lua_gettop(L);

	refuse_pointers(L, luaL_checkstring(L, 1));
	for (int i = 2; i <= n; i++) {
		int type = lua_type(L, i);

		if (type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER ||
			type == LUA_TSTRING)
			continue;
		lua_pushcfunction(L, env_tostring);
		lua_pushvalue(L, i);
		lua_call(L, 1, 1);
		lua_replace(L, i);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, 1);
	return 1;
}

static int text_rep(lua_State *L)
{
	size_t len, len_between = 0;
	lua_Integer n = luaL_checkinteger(L, 2);

	luaL_checklstring(L, 1, &len);
	(void)luaL_optlstring(L, 3, "", &len_between);
	/* Both are lengths of strings that exist, so their sum does not wrap. */
	if (n > 0 && len + len_between > 0 &&
		(size_t)n > (size_t)ENV_STRING_BYTES / (len + len_between))
		return luaL_error(L, "string.rep: the result would be longer than %d bytes",
			(int)ENV_STRING_BYTES);
	lua_settop(L, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 3, 1);
	return 1;
}

void env_open_text(lua_State *L)
{
	/* dump makes bytecode; pack and unpack are for binary formats, which policies have none of.
	 */
	static const char *const dropped[] = {"dump", "pack", "unpack", "packsize"};

	lua_getglobal(L, "string");
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		lua_pushnil(L);
		lua_setfield(L, -2, dropped[i]);
	}
	env_wrap(L, "format", text_format);
	env_wrap(L, "rep", text_rep);
	lua_pop(L, 1);
	/* The metatable of all strings is shared by everything in a run. */
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}
