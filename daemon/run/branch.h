/* SPDX-License-Identifier: MIT */
/*
 * run/branch.h: tend.all and tend.any: several branches of a run at work, each in a coroutine of
 * its own, on the one socket. A branch that waits for an answer parks, and the others go on; they
 * are taken up again in the order of the answers and nothing else, so that the same answers give
 * the same walk. Where Lua cannot park (in a comparator of table.sort, in a coroutine of the
 * policy's own) the branch waits by itself and holds up the others, whose answers keep their order.
 * A group lives in Lua's memory; it is left only when all of its branches have ended.
 */
#ifndef RUN_BRANCH_H
#define RUN_BRANCH_H

#include "run/door.h"

#define BRANCH_WON "branch.won"
enum { BRANCH_MAX = 64, BRANCH_MAX_TASKS = 256 };

/* Puts `all` and `any` into the table at `tend`. */
void branch_open(lua_State *L, struct door *door, int tend);
/* The task whose branch this is; NULL for the run function. */
const struct task *branch_parent(const struct task *task);
/* May the task, running in L, yield to whoever drives it? */
bool branch_may_park(lua_State *L, const struct task *task);
/* Is the coroutine a branch, which only this module may resume? */
bool branch_is_task(const struct door *door, const lua_State *co);

#endif
