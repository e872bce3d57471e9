/* SPDX-License-Identifier: MIT */
/*
 * run/env.h: the Lua a policy sees: the same in every process, and with no way out. pairs() in a
 * fixed order, stable sort, no addresses, no next, load, os, io, debug, package, random or
 * collectgarbage; an unknown global is an error with the nearest name. Owns the state's memory
 * limit. env_new() fails with -ENOMEM; lua_close() frees. What runs inside may raise.
 */
#ifndef RUN_ENV_H
#define RUN_ENV_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>

enum { ENV_STRING_BYTES = 1 << 20, ENV_MOVE_VALUES = 10000000 };

struct env_memory {
	size_t used_bytes, max_bytes;
	/* Called when memory is at an end, from within the allocator: must not touch Lua. If it
	 * returns, or is NULL: an ordinary memory error. */
	void (*exhausted)(void *data);
	void *data;
	size_t refused_old_bytes, refused_new_bytes; /* the last refusal */
};

/* `memory` is the caller's and outlives the state. */
int env_new(struct env_memory *memory, lua_State **ret_L);

/* "file.lua:12: " of the innermost Lua function, on the stack; "" if there is none. */
void env_push_where(lua_State *L);
/* Raises with that place in front, whatever the depth of C functions between. */
__attribute__((noreturn, format(printf, 2, 3))) void env_error(
	lua_State *L, const char *format, ...);
/* The nearest string key of the table at `index`, or NULL; borrowed from the table. */
const char *env_nearest_key(lua_State *L, int index, const char *word);

/* Pushes the list of the keys of a table in order; raises on a key that has none. */
void env_push_sorted_keys(lua_State *L, int table);

/* table.sort (env_sort.c): stable, the same order everywhere. */
int env_sort(lua_State *L);
/* tostring and what the string library becomes (env_text.c). */
int env_tostring(lua_State *L);
void env_open_text(lua_State *L);
/* find, match, gmatch, gsub with a budget of steps (env_find.c). */
void env_open_find(lua_State *L);
/* A replacement (argument 3 of a gsub) with its groups: `mark` and a digit; the mark twice is
 * itself. `add_group` adds one to `out`; -1: it is none, which it raises. */
typedef void (*env_group_fn)(lua_State *L, luaL_Buffer *out, int n, const void *data);
void env_add_text(
	lua_State *L, luaL_Buffer *out, char mark, env_group_fn add_group, const void *data);
/* The function `name` of the table on top becomes the upvalue of `fn`, which takes its place. */
void env_wrap(lua_State *L, const char *name, lua_CFunction fn);

#endif
