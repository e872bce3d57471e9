/* SPDX-License-Identifier: MIT */
#include "run/shield.h"

#include <lauxlib.h>

enum { UPVALUE_SHIELD = 1, UPVALUE_ORIGINAL };

static bool is_doomed(lua_State *L)
{
	const struct shield *shield = lua_touserdata(L, lua_upvalueindex(UPVALUE_SHIELD));

	return shield->is_doomed(shield->data);
}

/* `below` values on the stack are no results. */
static int protected_done(lua_State *L, int status, lua_KContext below)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - (int)below;
	if (is_doomed(L))
		return lua_error(L);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

static int shield_pcall(lua_State *L)
{
	int n_args = lua_gettop(L) - 1;

	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	return protected_done(L, lua_pcallk(L, n_args, LUA_MULTRET, 0, 0, protected_done), 0);
}

/* Lua calls it within the hook that raises, where no hook would end it. */
static int handle(lua_State *L)
{
	if (is_doomed(L))
		return 1;
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_ORIGINAL));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static int shield_xpcall(lua_State *L)
{
	int n_args = lua_gettop(L) - 2;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_SHIELD));
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, handle, 2);
	lua_replace(L, 2);
	/* f, handler, args -> f, handler, true, f, args */
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	lua_rotate(L, 3, 2);
	return protected_done(L, lua_pcallk(L, n_args, LUA_MULTRET, 2, 2, protected_done), 2);
}

/* Calls the original with all that is on the stack; false and a message of what is doomed is
 * raised on. */
static int shield_coroutine(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_ORIGINAL));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	if (lua_gettop(L) >= 2 && !lua_toboolean(L, 1) && is_doomed(L)) {
		lua_settop(L, 2);
		return lua_error(L);
	}
	return lua_gettop(L);
}

void shield_put(lua_State *L, void *data, const char *name, lua_CFunction fn)
{
	lua_pushlightuserdata(L, data);
	lua_getfield(L, -2, name);
	lua_pushcclosure(L, fn, 2);
	lua_setfield(L, -2, name);
}

void shield_open(lua_State *L, struct shield *shield)
{
	lua_pushglobaltable(L);
	shield_put(L, shield, "pcall", shield_pcall);
	shield_put(L, shield, "xpcall", shield_xpcall);
	lua_getfield(L, -1, "coroutine");
	shield_put(L, shield, "resume", shield_coroutine);
	shield_put(L, shield, "close", shield_coroutine);
	lua_pop(L, 2);
}
