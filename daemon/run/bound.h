/* SPDX-License-Identifier: MIT */
/*
 * run/bound.h: what a step of a flow may take, so that enough is left for the clean-up: time of the
 * clock and of the CPU, and memory. What is used up ends the step by an error that nothing in it
 * can catch: raised by a hook, which coroutines inherit, and passed on by the shield.
 * Functions in C are not interrupted; they have budgets of their own. Owns nothing but its own
 * state; the struct is the caller's and outlives the Lua state. Neither blocks nor fails.
 */
#ifndef RUN_BOUND_H
#define RUN_BOUND_H

#include <stdint.h>
#include "base/clock.h"
#include "run/env.h"
#include "run/shield.h"

enum { BOUND_STEP_BYTES = 48 << 20, BOUND_WHY_BYTES = 160 };

struct bound {
	struct env_memory *memory;
	struct shield shield;
	usec_t cpu_max;	     /* of the process, that all steps may use; 0: as much as it likes */
	usec_t started, end; /* of the step under way; end 0: it has none by the clock */
	usec_t cpu_due;	     /* not before that can the CPU's be used up */
	bool is_late;	     /* an answer came at the end: a little was added */
	usec_t waited;	     /* of that time, for answers */
	bool under_way;	     /* a step */
	const char *reason;  /* why it is over; NULL: it is not */
	char why[BOUND_WHY_BYTES];
};

/* Before any of the foreign code is loaded: what it makes then is bound, too. */
void bound_open(lua_State *L, struct bound *bound);
/* The Lua function bounded(fn, seconds) -> true; or false and what it raised; or false, why it was
 * ended, and the reason. Without `seconds` it has all the time. Its upvalue is the bound. */
int bound_call(lua_State *L);
/* An answer came that was asked for at `asked`. What it says of the time, at the end of that, it
 * may still say. */
void bound_answered(struct bound *bound, usec_t asked);
/* From within the allocator: memory is at an end. True: the step ends, and there is some for that.
 */
bool bound_take_reserve(struct bound *bound);

#endif
