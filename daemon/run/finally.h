/* SPDX-License-Identifier: MIT */
/*
 * run/finally.h: ctx:finally(fn): what is to be done when the run function has ended, however it
 * ended: well, by an error, cancelled. Functions live in the Lua state. They run last registered
 * first, each as a sequence of steps of its own ("f1.1", ...), so that on a replay each step is
 * done once.
 */
#ifndef RUN_FINALLY_H
#define RUN_FINALLY_H

#include "run/door.h"

/* Gives the context on top its method. */
void finally_open(lua_State *L, struct door *door);
/* The run function and its context are on top: calls it, then what was registered, and leaves its
 * three results, or raises its error. An error in a clean-up is raised when all have had their
 * turn, if the run itself went well. */
void finally_call(lua_State *L, struct door *door);

#endif
