/* SPDX-License-Identifier: MIT */
/*
 * run/guard.h: pcall, xpcall and the functions of coroutine as policies get them: they let a
 * cancelled run and a branch that has lost pass (run/shield.h); and a branch of tend.all is
 * nobody's to resume, to close, or to yield from.
 */
#ifndef RUN_GUARD_H
#define RUN_GUARD_H

#include "run/door.h"

void guard_open(lua_State *L, struct door *door);

#endif
