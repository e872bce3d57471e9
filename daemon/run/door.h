/* SPDX-License-Identifier: MIT */
/*
 * run/door.h: the one door: every tend.GROUP.VERB{...} becomes a step with a path and a call of the
 * daemon. Blocks until it is answered; ends the process when the daemon is gone or says the run is
 * over. What the daemon did not do comes back as nil, message, outcome; misuse is raised with the
 * policy's line.
 */
#ifndef RUN_DOOR_H
#define RUN_DOOR_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include "run/wire.h"

enum { DOOR_PATH_BYTES = 128, DOOR_VERB_BYTES = 64, DOOR_MAX_VERBS = 256, DOOR_MAX_STEPS = 100000 };

/* A sequence of steps. The first has no prefix: "1", "2", ...; the second branch of its third step
 * would be "3.b2" with steps "3.b2.1", ... Counters belong to a branch, never to the run: the order
 * in which branches take turns must not show in their paths. */
struct door_branch {
	char prefix[DOOR_PATH_BYTES];
	unsigned n_steps;
};

struct door {
	struct wire *wire;
	bool open; /* verbs may be called: only while a policy's run function does */
	struct door_branch branch;
	uint64_t last_id;
	json_t *reply; /* the last one; owned here so that it is not lost when Lua raises */
};

/* Defines the global `tend`. A verb is "unit.restart" or {"name":"unit.restart","args":["unit"]}:
 * args are the names of arguments that may be given without one. NULL: none can be called, any can
 * be named. Raises on a list that makes no sense. */
void door_open(lua_State *L, struct door *door, const json_t *verbs);
/* Ends the process: nobody is there to hear a word more. */
__attribute__((noreturn)) void door_leave(void);

#endif
