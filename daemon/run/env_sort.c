/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "run/env.h"

/* Lua's own sort picks pivots by the clock, and so orders equals by chance. This is a bottom-up
 * merge sort over two tables of its own; the caller's table changes only when all is done. */
enum { SLOT_TABLE = 1, SLOT_LESS, SLOT_FROM, SLOT_TO };

/* Is to[j] < to[i]? Then the right one goes first; equals stay as they were. */
static bool right_is_less(lua_State *L, lua_Integer i, lua_Integer j)
{
	bool less;

	if (lua_isnil(L, SLOT_LESS)) {
		lua_rawgeti(L, SLOT_FROM, j);
		lua_rawgeti(L, SLOT_FROM, i);
		less = lua_compare(L, -2, -1, LUA_OPLT);
		lua_pop(L, 2);
		return less;
	}
	lua_pushvalue(L, SLOT_LESS);
	lua_rawgeti(L, SLOT_FROM, j);
	lua_rawgeti(L, SLOT_FROM, i);
	lua_call(L, 2, 1);
	less = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return less;
}

static void merge(lua_State *L, lua_Integer left, lua_Integer middle, lua_Integer right)
{
	lua_Integer i = left, j = middle;

	for (lua_Integer k = left; k < right; k++) {
		bool take_right = i >= middle || (j < right && right_is_less(L, i, j));

		lua_rawgeti(L, SLOT_FROM, take_right ? j++ : i++);
		lua_rawseti(L, SLOT_TO, k);
	}
}

int env_sort(lua_State *L)
{
	lua_Integer n;

	luaL_checktype(L, 1, LUA_TTABLE);
	n = luaL_len(L, 1);
	luaL_argcheck(L, n < (1 << 24), 1, "too many values to sort");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_createtable(L, (int)MAX(n, (lua_Integer)0), 0);
	lua_createtable(L, (int)MAX(n, (lua_Integer)0), 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, SLOT_TABLE, i);
		lua_rawseti(L, SLOT_FROM, i);
	}
	for (lua_Integer width = 1; width < n; width *= 2) {
		for (lua_Integer left = 1; left <= n; left += 2 * width)
			merge(L, left, MIN(left + width, n + 1), MIN(left + 2 * width, n + 1));
		lua_pushvalue(L, SLOT_FROM);
		lua_copy(L, SLOT_TO, SLOT_FROM);
		lua_replace(L, SLOT_TO);
	}
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, SLOT_FROM, i);
		lua_seti(L, SLOT_TABLE, i);
	}
	return 0;
}
