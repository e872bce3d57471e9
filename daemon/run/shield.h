/* SPDX-License-Identifier: MIT */
/*
 * run/shield.h: pcall, xpcall, coroutine.resume and coroutine.close that let pass what is to end
 * all that runs: a cancelled run, a step whose time is over. It is no error that foreign code may
 * hold up. Owns nothing; the shield is the caller's and outlives the state.
 */
#ifndef RUN_SHIELD_H
#define RUN_SHIELD_H

#include <lua.h>
#include <stdbool.h>

struct shield {
	bool (*is_doomed)(const void *data);
	void *data;
};

void shield_open(lua_State *L, struct shield *shield);
/* Puts `fn` in place of the function `name` of the table on top; its upvalues are `data` and the
 * one that was there. May raise. */
void shield_put(lua_State *L, void *data, const char *name, lua_CFunction fn);

#endif
