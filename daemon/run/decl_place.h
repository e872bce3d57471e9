/* SPDX-License-Identifier: MIT */
/*
 * run/decl_place.h: where in a policy's file something is wrong. Lua knows the line of the
 * declaration; the line of one key in it is found by looking for the word in the text. Raises;
 * borrows everything.
 */
#ifndef RUN_DECL_PLACE_H
#define RUN_DECL_PLACE_H

#include <lua.h>
#include "run/decl.h"

struct decl_place {
	const struct decl_source *source;
	int line;	    /* of the declaration */
	const char *policy; /* NULL: the file is none of policies */
	const char *key;    /* being checked, NULL at the top */
};

/* Line of the first `word =`, `["word"]` or "word" at or below `line`, and above the next
 * declaration; `line` if there is none. */
int decl_place_line(const struct decl_source *source, int line, const char *word);
__attribute__((noreturn, format(printf, 4, 5))) void decl_place_error(
	lua_State *L, const struct decl_place *place, const char *word, const char *format, ...);

#endif
