/* SPDX-License-Identifier: MIT */
/*
 * run/library.h: require() for the modules the daemon sent with `start`: {"tend/x.lua": TEXT}.
 * Borrows the JSON, which must live as long as the state. A module is loaded once; one that is not
 * there, or requires itself, is raised with the line of who asked.
 */
#ifndef RUN_LIBRARY_H
#define RUN_LIBRARY_H

#include <jansson.h>
#include <lua.h>

void library_open(lua_State *L, const json_t *library);

#endif
