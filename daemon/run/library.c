/* SPDX-License-Identifier: MIT */
#include "run/library.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "run/env.h"

enum { MODULE_BYTES = 128 };

/* "tend.x" -> the text of "tend/x.lua" in the library the daemon sent. */
static const json_t *find_module(const json_t *library, const char *name, char path[MODULE_BYTES])
{
	size_t len = strlen(name);

	if (len + sizeof(".lua") > MODULE_BYTES)
		return NULL;
	for (size_t i = 0; i < len; i++)
		path[i] = name[i];
	for (size_t i = 0; i < len; i++)
		if (path[i] == '.')
			path[i] = '/';
	memcpy(path + len, ".lua", sizeof(".lua"));
	return json_object_get(library, path);
}

/* require(name): upvalues are the library and the table of what is loaded. */
static int require_module(lua_State *L)
{
	const json_t *library = lua_touserdata(L, lua_upvalueindex(1));
	const char *name = luaL_checkstring(L, 1);
	char path[MODULE_BYTES], chunk[MODULE_BYTES + 1];
	const json_t *text = find_module(library, name, path);

	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TLIGHTUSERDATA)
		env_error(L, "require: '%.64s' requires itself", name);
	if (!lua_isnil(L, -1))
		return 1;
	if (!json_is_string(text))
		env_error(L, "require: there is no '%.64s' in the policy library", name);
	(void)snprintf(chunk, sizeof(chunk), "@%s", path);
	if (luaL_loadbufferx(L, json_string_value(text), json_string_length(text), chunk, "t"))
		return lua_error(L);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, lua_touserdata(L, lua_upvalueindex(1)));
	lua_rawset(L, lua_upvalueindex(2));
	lua_call(L, 0, 1);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, true);
	}
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, lua_upvalueindex(2));
	return 1;
}

void library_open(lua_State *L, const json_t *library)
{
	union { /* Lua takes a pointer to what may be written */
		const json_t *from;
		void *to;
	} pointer = {.from = library};

	lua_pushlightuserdata(L, pointer.to);
	lua_newtable(L);
	lua_pushcclosure(L, require_module, 2);
	lua_setglobal(L, "require");
}
