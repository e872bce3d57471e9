/* SPDX-License-Identifier: MIT */
/*
 * run/decl_fields.h: the keys of a declaration as tables of rows: what a key may hold, how it is
 * checked, and the one shape in which it is kept ("a" becomes {"a"}, "2h" becomes 7200), so that
 * who acts on a description need not check again. Raises by decl_place_error(); borrows everything
 * and blocks nowhere.
 */
#ifndef RUN_DECL_FIELDS_H
#define RUN_DECL_FIELDS_H

#include <lua.h>
#include "run/decl_place.h"

enum { DECL_TIMEOUT_SEC = 24 * 3600, DECL_JITTER_SEC = 24 * 3600, DECL_BUDGET_MAX = 1000 };

/* The table on top, what follows `policy "name"`, is replaced by what is kept of it. */
void decl_check_body(lua_State *L, const struct decl_place *place);
/* `params` (decl_params.c): the table on top, in place. */
void decl_check_params(lua_State *L, const struct decl_place *place);

/* For both: one key a table may have. `check` finds the value on top of the stack and leaves there
 * what is kept of it. */
struct decl_field {
	const char *name;
	int type; /* LUA_T*; LUA_TNONE: any, `check` looks */
	void (*check)(lua_State *L, const struct decl_place *place);
};

void decl_check_table(lua_State *L, const struct decl_place *place, const struct decl_field *fields,
	size_t n_fields);
/* "a" and {"a", "b"} both become a list of strings, never an empty one. */
void decl_check_list(lua_State *L, const struct decl_place *place);

#endif
