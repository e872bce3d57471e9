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

static bool is_doomed(const void *data)
{
	const struct door *door = data;

	return door_is_doomed(door, door->current);
}

static int call_original(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_ORIGINAL));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
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

void guard_open(lua_State *L, struct door *door)
{
	door->shield = (struct shield){is_doomed, door};
	shield_open(L, &door->shield);
	lua_getglobal(L, "coroutine");
	shield_put(L, door, "resume", guard_resume);
	shield_put(L, door, "close", guard_resume);
	shield_put(L, door, "yield", guard_yield);
	shield_put(L, door, "isyieldable", guard_isyieldable);
	lua_pop(L, 1);
}
