/* SPDX-License-Identifier: MIT */
#include "run/guard.h"

#include <lauxlib.h>

#include "run/branch.h"
#include "run/env.h"

enum { UPVALUE_DOOR = 1, UPVALUE_ORIGINAL };

static struct door *door_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(UPVALUE_DOOR));
}

static bool is_doomed(lua_State *L)
{
	const struct door *door = door_of(L);

	return door_is_doomed(door, door->current);
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

static int guard_pcall(lua_State *L)
{
	int n_args = lua_gettop(L) - 1;

	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	return protected_done(L, lua_pcallk(L, n_args, LUA_MULTRET, 0, 0, protected_done), 0);
}

static int guard_xpcall(lua_State *L)
{
	int n_args = lua_gettop(L) - 2;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	/* f, handler, args -> f, handler, true, f, args */
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	lua_rotate(L, 3, 2);
	return protected_done(L, lua_pcallk(L, n_args, LUA_MULTRET, 2, 2, protected_done), 2);
}

/* Calls the original with all that is on the stack; false and a message of a doomed run is raised
 * on. */
static int call_original(lua_State *L)
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

static int guard_resume(lua_State *L)
{
	const lua_State *co = lua_tothread(L, 1);

	if (co && branch_is_task(door_of(L), co))
		env_error(L, "coroutine: a branch of tend.all or tend.any goes on by itself");
	return call_original(L);
}

static bool is_task_itself(lua_State *L)
{
	return L == door_of(L)->current->L;
}

static int guard_yield(lua_State *L)
{
	if (is_task_itself(L))
		env_error(L, "attempt to yield from outside a coroutine");
	return lua_yield(L, lua_gettop(L));
}

static int guard_isyieldable(lua_State *L)
{
	if (is_task_itself(L) && lua_isnone(L, 1)) {
		lua_pushboolean(L, 0);
		return 1;
	}
	return call_original(L);
}

/* The function `name` of the table on top. */
static void put(lua_State *L, struct door *door, const char *name, lua_CFunction fn)
{
	lua_pushlightuserdata(L, door);
	lua_getfield(L, -2, name);
	lua_pushcclosure(L, fn, 2);
	lua_setfield(L, -2, name);
}

void guard_open(lua_State *L, struct door *door)
{
	lua_pushglobaltable(L);
	put(L, door, "pcall", guard_pcall);
	put(L, door, "xpcall", guard_xpcall);
	lua_getfield(L, -1, "coroutine");
	put(L, door, "resume", guard_resume);
	put(L, door, "close", guard_resume);
	put(L, door, "yield", guard_yield);
	put(L, door, "isyieldable", guard_isyieldable);
	lua_pop(L, 2);
}
