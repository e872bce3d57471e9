/* SPDX-License-Identifier: MIT */
/*
 * flow/script.h: one `tend-run --flow`: a process that reads a Lua file, gives up all rights, runs
 * it and asks for what it needs, over one socket. Owns the process and its end of the socket.
 * Never blocks. Ends once, with on_end(); script_free() kills what still runs, and somebody else
 * reaps it. A process that cannot be started is the -errno of script_new().
 */
#ifndef FLOW_SCRIPT_H
#define FLOW_SCRIPT_H

#include <jansson.h>
#include "loop/loop.h"

enum { SCRIPT_TEXT_BYTES = 1024 };

struct script;
struct script_events {
	/* A question: answer it once by script_answer(), now or later. */
	void (*on_call)(uint64_t id, const char *call, const json_t *args, void *data);
	/* 0: `value` is what it said at its end ("described" or "ended"), borrowed; -ENOEXEC: the
	 * file cannot be used, `message` says why; -EPIPE: the process went without a word. The
	 * script may be freed from within. */
	void (*on_end)(int r, const char *message, const json_t *value, void *data);
	void *data;
};
/* `start` is what it is told first (run/flow.h); stolen, also on failure. */
int script_new(struct loop *loop, const char *program, json_t *start,
	const struct script_events *events, struct script **ret_script);
struct script *script_free(struct script *s);
DEFINE_AUTO(struct script *, script_free)
/* Steals `ok`. */
int script_answer(struct script *s, uint64_t id, json_t *ok);

#endif
