/* SPDX-License-Identifier: MIT */
#include "run/decl.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/decl_fields.h"
#include "run/decl_place.h"
#include "run/env.h"

/* Registry key of the list of {name, line, body, run}. */
static const char declared;

/* policy "name" { body }: upvalues are the source, the record. */
static int declare_body(lua_State *L)
{
	struct decl_place place = {.source = lua_touserdata(L, lua_upvalueindex(1))};

	lua_settop(L, 1);
	lua_getfield(L, lua_upvalueindex(2), "line");
	lua_getfield(L, lua_upvalueindex(2), "name");
	place.line = (int)lua_tointeger(L, 2);
	place.policy = lua_tostring(L, 3);
	if (!lua_istable(L, 1))
		decl_place_error(L, &place, NULL, "must be followed by a table");
	if (lua_getfield(L, lua_upvalueindex(2), "body") != LUA_TNIL)
		decl_place_error(L, &place, NULL, "has two bodies");
	lua_pushvalue(L, 1);
	decl_check_body(L, &place);
	lua_getfield(L, -1, "run");
	lua_setfield(L, lua_upvalueindex(2), "run");
	lua_pushnil(L);
	lua_setfield(L, -2, "run");
	lua_setfield(L, lua_upvalueindex(2), "body");
	return 0;
}

static bool name_valid(const char *name, size_t len)
{
	if (len == 0 || len > DECL_NAME_BYTES || !isalnum((unsigned char)name[0]))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static void refuse_duplicate(lua_State *L, const struct decl_place *place, int list)
{
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
		lua_getfield(L, -1, "name");
		lua_getfield(L, -2, "line");
		if (strcmp(lua_tostring(L, -2), place->policy) == 0)
			decl_place_error(L, place, NULL, "is declared twice, first in line %d",
				(int)lua_tointeger(L, -1));
		lua_pop(L, 3);
	}
	lua_pop(L, 1);
}

static int caller_line(lua_State *L)
{
	lua_Debug ar;

	if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "l", &ar))
		return 0;
	return MAX(ar.currentline, 0);
}

/* policy "name" -> a function that takes the body */
static int declare(lua_State *L)
{
	const struct decl_source *source = lua_touserdata(L, lua_upvalueindex(1));
	size_t len;
	const char *name = luaL_checklstring(L, 1, &len);
	struct decl_place place = {.source = source, .line = caller_line(L), .policy = name};

	lua_settop(L, 1);
	if (!name_valid(name, len))
		env_error(L, "'%.64s' is no name of a policy: at most %d of a-z 0-9 - _ .", name,
			DECL_NAME_BYTES);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &declared);
	refuse_duplicate(L, &place, 2);
	if (lua_rawlen(L, 2) >= DECL_MAX_POLICIES)
		env_error(L, "more than %d policies in one file", DECL_MAX_POLICIES);
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, place.line);
	lua_setfield(L, -2, "line");
	lua_pushvalue(L, -1);
	lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, -2);
	lua_pushcclosure(L, declare_body, 2);
	return 1;
}

void decl_open(lua_State *L, const struct decl_source *source)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &declared);
	/* Only handed back to C, which reads it. */
	lua_pushlightuserdata(L, (void *)(uintptr_t)source);
	lua_pushcclosure(L, declare, 1);
	lua_setglobal(L, "policy");
}

/* The body of the record on top, with its name and line. */
static void push_description(lua_State *L, const struct decl_source *source)
{
	static const char *const copied[] = {"name", "line"};
	int record = lua_gettop(L);

	if (lua_getfield(L, record, "body") == LUA_TNIL) {
		lua_getfield(L, record, "line");
		lua_getfield(L, record, "name");
		decl_place_error(L,
			&(struct decl_place){
				source, (int)lua_tointeger(L, -2), lua_tostring(L, -1), NULL},
			NULL, "has no body");
	}
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
		lua_getfield(L, record, copied[i]);
		lua_setfield(L, -2, copied[i]);
	}
}

void decl_push_descriptions(lua_State *L, const struct decl_source *source)
{
	int list, result;

	lua_newtable(L);
	result = lua_gettop(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &declared);
	list = lua_gettop(L);
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
		push_description(L, source);
		lua_rawseti(L, result, i);
		lua_settop(L, list);
	}
	if (lua_rawlen(L, result) == 0)
		luaL_error(L, "%s: declares no policy", source->chunk);
	lua_settop(L, result);
}

void decl_push_run(lua_State *L, const char *name)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &declared);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		lua_getfield(L, -1, "name");
		if (strcmp(lua_tostring(L, -1), name) == 0) {
			lua_pop(L, 1);
			if (lua_getfield(L, -1, "run") != LUA_TFUNCTION)
				luaL_error(L, "policy '%s' has no body", name);
			lua_getfield(L, -2, "body");
			if (lua_getfield(L, -1, "params") == LUA_TNIL) {
				lua_pop(L, 1);
				lua_newtable(L);
			}
			lua_remove(L, -2);
			return;
		}
		lua_pop(L, 2);
	}
	luaL_error(L, "there is no policy '%s'", name);
}
