/* SPDX-License-Identifier: MIT */
/*
 * run/decl.h: `policy "name" { ... }`: checks what a file declares and keeps it for the description
 * and for the run. What is wrong is raised as "file:line: policy 'name': ...", with the nearest
 * name for an unknown key. Declarations live in the Lua state; nothing is to be freed and nothing
 * blocks.
 */
#ifndef RUN_DECL_H
#define RUN_DECL_H

#include <lua.h>
#include <stddef.h>

enum { DECL_MAX_POLICIES = 64, DECL_NAME_BYTES = 64 };

/* What is being loaded; outlives the state. */
struct decl_source {
	const char *chunk; /* "restart-unit.lua" */
	const char *text;
	size_t len;
};

/* Defines the global `policy`. */
void decl_open(lua_State *L, const struct decl_source *source);
/* Pushes the list of descriptions: name and line, and what was declared but for `run`: lists are
 * lists, durations seconds, `schedule` a table. Raises when a declaration is incomplete or there is
 * none. */
void decl_push_descriptions(lua_State *L, const struct decl_source *source);
/* Pushes the run function and the table of parameters of a policy; raises when there is none. */
void decl_push_run(lua_State *L, const char *name);

#endif
