/* SPDX-License-Identifier: MIT */
#include "run/env.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/str.h"
#include "run/keys.h"
#include "run/lib.h"
#include "run/value.h"

enum { NEAREST_NAMES = 256 };

/* Lua asks, collects all it can when refused, and asks for the same again. Is it then refused
 * again, or does it ask for something else (its string buffers do not collect), memory is at an
 * end. That ends a policy's run here and now: as an error it could be caught, over and over, and
 * where it strikes would differ from run to run. */
static void judge_refusal(
	struct env_memory *memory, size_t old_bytes, size_t new_bytes, bool granted)
{
	bool same =
		memory->refused_old_bytes == old_bytes && memory->refused_new_bytes == new_bytes;
	bool pending = memory->refused_new_bytes > 0;

	if (pending && !(same && granted) && memory->exhausted) {
		memory->exhausted(memory->data);
		granted = true; /* it returned: the refusal is dealt with */
	}
	memory->refused_old_bytes = granted ? 0 : old_bytes;
	memory->refused_new_bytes = granted ? 0 : new_bytes;
}

static void *allocate(void *data, void *p, size_t old_bytes, size_t new_bytes)
{
	struct env_memory *memory = data;
	void *q;

	/* For a new block Lua passes its kind as the old size. */
	if (!p)
		old_bytes = 0;
	if (new_bytes == 0) {
		free(p);
		memory->used_bytes -= old_bytes;
		return NULL;
	}
	/* Shrinking is no new demand, and must not fail. */
	if (new_bytes <= old_bytes) {
		q = realloc(p, new_bytes);
		q = q ? q : p;
	} else {
		q = new_bytes - old_bytes <= memory->max_bytes - memory->used_bytes
			    ? realloc(p, new_bytes)
			    : NULL;
		judge_refusal(memory, old_bytes, new_bytes, q != NULL);
	}
	if (q)
		memory->used_bytes += new_bytes - old_bytes;
	return q;
}

void env_push_where(lua_State *L)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		(void)lua_getinfo(L, "Sl", &ar);
		if (ar.currentline > 0) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			return;
		}
	}
	lua_pushliteral(L, "");
}

void env_error(lua_State *L, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	env_push_where(L);
	lua_pushstring(L, text);
	lua_concat(L, 2);
	(void)lua_error(L);
	abort();
}

const char *env_nearest_key(lua_State *L, int index, const char *word)
{
	const char *names[NEAREST_NAMES];
	size_t n = 0;

	index = lua_absindex(L, index);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		if (n < NEAREST_NAMES && lua_type(L, -2) == LUA_TSTRING)
			names[n++] = lua_tostring(L, -2);
		lua_pop(L, 1);
	}
	return str_nearest(word, names, n);
}

/* The iterator of pairs(): upvalues are the table, its keys in order, and how far we are. A key
 * whose value has gone meanwhile is left out; one that came meanwhile is not seen. */
static int pairs_step(lua_State *L)
{
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));

	for (;;) {
		if (lua_rawgeti(L, lua_upvalueindex(2), ++i) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
			break;
		lua_pop(L, 2);
	}
	lua_pushinteger(L, i);
	lua_replace(L, lua_upvalueindex(3));
	return 2;
}

void env_push_sorted_keys(lua_State *L, int table)
{
	size_t n = 0;
	int refused = LUA_TNIL, top = lua_gettop(L);
	struct key *keys;

	table = lua_absindex(L, table);
	if (!keys_count(L, table, &n, &refused))
		env_error(L, "a %s is a key, and such keys have no fixed order",
			lua_typename(L, refused));
	keys = lua_newuserdatauv(L, (2 * n + 1) * sizeof(*keys), 0);
	lua_pushnil(L);
	for (size_t i = 0; i < n && lua_next(L, table); i++) {
		keys_read(L, -2, &keys[i]);
		lua_pop(L, 1);
	}
	lua_settop(L, top + 1);
	keys_sort(keys, keys + n, n);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		keys_push(L, &keys[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_remove(L, -2);
}

static int base_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushvalue(L, 1);
	env_push_sorted_keys(L, 1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_step, 3);
	lua_pushvalue(L, 1);
	return 2;
}

/* Weak tables and finalizers show when the collector ran. */
static int base_setmetatable(lua_State *L)
{
	static const char *const refused[] = {"__gc", "__mode"};

	for (size_t i = 0; lua_istable(L, 2) && i < ARRAY_SIZE(refused); i++) {
		lua_pushstring(L, refused[i]);
		if (lua_rawget(L, 2) != LUA_TNIL)
			env_error(L, "setmetatable: %s is not allowed in a policy", refused[i]);
		lua_pop(L, 1);
	}
	lua_settop(L, 2);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 2, 1);
	return 1;
}

static int unknown_global(lua_State *L)
{
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
	const char *nearest = env_nearest_key(L, 1, name);

	if (nearest)
		env_error(L, "unknown name '%.64s'; did you mean '%.64s'?", name, nearest);
	env_error(L, "unknown name '%.64s'", name);
}

static void drop(lua_State *L, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lua_pushnil(L);
		lua_setfield(L, -2, names[i]);
	}
}

void env_wrap(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

static void open_base(lua_State *L)
{
	static const char *const dropped[] = {
		"collectgarbage", "dofile", "load", "loadfile", "next", "print", "warn"};
	static const luaL_Reg own[] = {
		{"pairs", base_pairs},
		{"tostring", env_tostring},
		{NULL, NULL},
	};

	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	drop(L, dropped, ARRAY_SIZE(dropped));
	luaL_setfuncs(L, own, 0);
	env_wrap(L, "setmetatable", base_setmetatable);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, unknown_global);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

/* A loop in C that no limit but that of the CPU would end. */
static int table_move(lua_State *L)
{
	lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

	if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from >= ENV_MOVE_VALUES)
		env_error(L, "table.move: more than %d values", ENV_MOVE_VALUES);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static int open_all(lua_State *L)
{
	static const char *const math_dropped[] = {"random", "randomseed"};

	open_base(L);
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
	luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
	luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
	drop(L, math_dropped, ARRAY_SIZE(math_dropped));
	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
	lua_pushcfunction(L, env_sort);
	lua_setfield(L, -2, "sort");
	env_wrap(L, "move", table_move);
	env_open_text(L);
	env_open_find(L);
	lib_open_json(L);
	lib_open_re(L);
	lib_open_time(L);
	/* Lua searches it for names of functions in messages, in an order that varies. */
	lua_newtable(L);
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	return 0;
}

int env_new(struct env_memory *memory, lua_State **ret_L)
{
	lua_State *L = lua_newstate(allocate, memory);

	if (!L)
		return -ENOMEM;
	lua_pushcfunction(L, open_all);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
		lua_close(L);
		return -ENOMEM;
	}
	*ret_L = L;
	return 0;
}
