/* SPDX-License-Identifier: MIT */
/*
 * run/value.h: Lua values as JSON and back, the same way in every process. Integers and floats stay
 * what they are; keys go out in the order of run/keys.h; null inside a list is tend.null, elsewhere
 * nil. value_to_json() never raises and names the place of what cannot go (cycles, functions, bad
 * UTF-8, NaN, mixed tables, too deep, too many); value_push() may raise for want of memory. Neither
 * blocks.
 */
#ifndef RUN_VALUE_H
#define RUN_VALUE_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include <tend/error.h>

enum { VALUE_MAX_DEPTH = 32, VALUE_MAX_NODES = 100000 };

/* -EINVAL with the text in err ("args.limit: a function cannot be sent"), -ENOMEM. `what` names the
 * value in it. An empty table becomes {}; the receiver takes that for an empty list, too. */
int value_to_json(
	lua_State *L, int index, const char *what, json_t **ret_json, struct tend_error *err);

void value_push(lua_State *L, const json_t *json);
void value_push_null(lua_State *L); /* tend.null */

/* A reference is a table the daemon gave (ctx.check, ctx.component): given to a verb it stands for
 * its name alone. Marks the table on top; `field` says which of its fields is the name. */
void value_mark_reference(lua_State *L, const char *field);
/* Pushes the name and returns true, or pushes nothing. Never raises. */
bool value_push_reference_name(lua_State *L, int index);

#endif
