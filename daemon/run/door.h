/* SPDX-License-Identifier: MIT */
/*
 * run/door.h: the one door: every tend.GROUP.VERB{...} becomes a step with a path and a call of the
 * daemon. Blocks until it is answered, or lets other branches (run/branch.h) go on meanwhile; ends
 * the process when the daemon is gone or says the run is over. What the daemon did not do comes
 * back as nil, message, outcome; misuse is raised with the policy's line, and so is a cancelled
 * run, which no pcall() of the policy's holds up (run/guard.c).
 */
#ifndef RUN_DOOR_H
#define RUN_DOOR_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include <tend/error.h>
#include "run/shield.h"
#include "run/wire.h"

enum { DOOR_PATH_BYTES = 128, DOOR_VERB_BYTES = 64, DOOR_MAX_VERBS = 256, DOOR_MAX_STEPS = 100000 };
enum { DOOR_WHY_BYTES = 256, DOOR_MAX_FINALLY = 100 };

/* A sequence of steps. The first has no prefix: "1", "2", ...; the second branch of its third step
 * is "3.b2" with steps "3.b2.1", ...; clean-up is "f1" with "f1.1", ... Counters belong to a
 * branch, never to the run: the order in which branches take turns must not show in their paths. */
struct door_branch {
	char prefix[DOOR_PATH_BYTES];
	unsigned n_steps;
};

struct branch_group;
struct task;

/* One question on its way. It belongs to a task or, for what is told of a group, to the group. */
struct call {
	uint64_t id;
	json_t *reply; /* owned here so that it is not lost when Lua raises; NULL: none yet */
	bool blocking; /* somebody reads until this one is answered */
	struct task *task;
	struct branch_group *group;
	struct call *next; /* in door.waiting or in door.ready */
};

/* A sequence of steps at work: the run function itself, or one branch of tend.all or tend.any. */
struct task {
	struct door_branch branch;
	lua_State *L;		    /* NULL: the run function, which never parks */
	struct branch_group *group; /* it is a branch of; NULL: the run function */
	struct call call;
	bool parked, ended, failed;
	bool lost; /* another branch has won */
};

struct door {
	struct wire *wire;
	struct shield shield;
	bool open; /* verbs may be called: only while a policy's run function does */
	struct task main;
	struct task *current;
	unsigned n_steps, n_tasks;
	unsigned n_finally; /* registered */
	bool in_finally;
	bool cancelled;
	char why[DOOR_WHY_BYTES]; /* of the cancellation, "" if it was not said */
	uint64_t last_id;
	struct call *waiting; /* sent, not answered */
	struct call *ready;   /* to be given to their tasks, first come first */
};

/* Defines the global `tend`. A verb is "unit.restart" or {"name":"unit.restart","args":["unit"]}:
 * args are the names of arguments that may be given without one. NULL: none can be called, any can
 * be named. Raises on a list that makes no sense. */
void door_open(lua_State *L, struct door *door, const json_t *verbs);
/* Ends the process: nobody is there to hear a word more. */
__attribute__((noreturn)) void door_leave(void);
/* The same, telling the parent of a breach of the protocol. */
__attribute__((noreturn)) void door_break(void);

/* For branch.c: the next path of a task; -E2BIG. */
int door_next_path(struct door *door, struct task *task, char path[DOOR_PATH_BYTES + 16]);
/* Asks; `call` then waits for its reply. Steals `args`, never raises. */
int door_send(struct door *door, struct call *call, const char *verb, const char *path,
	json_t *args, struct tend_error *err);
/* Reads one message and gives it to the call it answers; ends the process when the daemon is not
 * understood. */
void door_read(struct door *door);
/* The reply of an answered call is looked at for what concerns the run as a whole. */
void door_note_reply(struct door *door, const struct call *call);

/* Is what this task does in vain: the run cancelled, or another branch the winner? */
bool door_is_doomed(const struct door *door, const struct task *task);
__attribute__((noreturn)) void door_raise_doomed(lua_State *L, const struct door *door);

#endif
