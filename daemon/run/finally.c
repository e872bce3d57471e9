/* SPDX-License-Identifier: MIT */
#include "run/finally.h"

#include <lauxlib.h>
#include <stdio.h>

#include "run/env.h"

/* Registry key of the list of functions. */
static const char registered;

enum { RUN_RESULTS = 3 };

/* ctx:finally(fn) */
static int register_function(lua_State *L)
{
	struct door *door = lua_touserdata(L, lua_upvalueindex(1));

	if (!lua_isfunction(L, 2))
		env_error(L, "ctx:finally: must be given a function, as in ctx:finally(function() "
			     "... end)");
	if (door->in_finally)
		env_error(L, "ctx:finally: the run has ended, its clean-up is under way");
	if (door->n_finally == DOOR_MAX_FINALLY)
		env_error(L, "ctx:finally: more than %d functions", DOOR_MAX_FINALLY);
	door->n_finally++;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &registered);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, door->n_finally);
	return 0;
}

void finally_open(lua_State *L, struct door *door)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &registered);
	/* Not in the context itself, which is data and may be given to a verb. */
	lua_createtable(L, 0, 2);
	lua_createtable(L, 0, 1);
	lua_pushlightuserdata(L, door);
	lua_pushcclosure(L, register_function, 1);
	lua_setfield(L, -2, "finally");
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

/* nil or false with a message, or false: the results are at `base`. */
static bool said_no(lua_State *L, int base)
{
	return !lua_toboolean(L, base) &&
	       (lua_type(L, base + 1) == LUA_TSTRING || lua_isboolean(L, base));
}

/* What a clean-up is told: {ok, message, cancelled}. The results or the error are at `base`. */
static void push_end(lua_State *L, const struct door *door, int base, bool raised)
{
	bool failed = raised || said_no(L, base);
	int message = raised ? base : base + 1;

	lua_createtable(L, 0, 3);
	lua_pushboolean(L, !failed);
	lua_setfield(L, -2, "ok");
	lua_pushboolean(L, door->cancelled);
	lua_setfield(L, -2, "cancelled");
	if (failed && lua_type(L, message) == LUA_TSTRING) {
		lua_pushvalue(L, message);
		lua_setfield(L, -2, "message");
	}
}

static void begin_steps(struct door *door, unsigned n)
{
	door->current = &door->main;
	door->main.branch.n_steps = 0;
	(void)snprintf(door->main.branch.prefix, sizeof(door->main.branch.prefix), "f%u", n);
}

/* Runs all; leaves the first error on top, or nothing. */
static bool clean_up(lua_State *L, struct door *door, int base, bool raised)
{
	bool failed = false;

	door->in_finally = true;
	for (unsigned n = door->n_finally; n > 0; n--) {
		begin_steps(door, n);
		lua_rawgetp(L, LUA_REGISTRYINDEX, &registered);
		lua_rawgeti(L, -1, n);
		lua_remove(L, -2);
		push_end(L, door, base, raised);
		if (lua_pcall(L, 1, 0, 0) == LUA_OK)
			continue;
		if (failed)
			lua_pop(L, 1);
		failed = true;
	}
	door->in_finally = false;
	return failed;
}

void finally_call(lua_State *L, struct door *door)
{
	int base = lua_gettop(L) - 1;
	bool raised = lua_pcall(L, 1, RUN_RESULTS, 0) != LUA_OK;
	bool unclean;

	luaL_checkstack(L, 16, NULL);
	/* However it came out of a verb that was cancelled: it did not do what it was to do. And a
	 * handler of xpcall() may have made anything of the message. */
	if (door->cancelled && (!raised || lua_type(L, base) != LUA_TSTRING)) {
		lua_settop(L, base - 1);
		lua_pushfstring(L, "cancelled%s%s", door->why[0] ? ": " : "", door->why);
		raised = true;
	}
	unclean = clean_up(L, door, base, raised);
	if (raised) {
		lua_settop(L, base);
		(void)lua_error(L);
	}
	if (unclean && !said_no(L, base))
		(void)lua_error(L);
	lua_settop(L, base + RUN_RESULTS - 1);
}
