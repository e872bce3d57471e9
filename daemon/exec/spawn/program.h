/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/program.h: one foreign program from its start to the last of its descendants. Told
 * twice: `answered` when it has ended (or failed to start, or its time is over), then `gone` when
 * nothing of it is left; the program is freed after that. At its deadline TERM, 2 s later KILL, to
 * all of it. What it leaves running when it ends is killed. Output beyond the bound is read and
 * dropped. Never blocks.
 */
#ifndef EXEC_SPAWN_PROGRAM_H
#define EXEC_SPAWN_PROGRAM_H

#include "base/str.h"
#include "exec/spawn/cgroup.h"
#include "loop/loop.h"

struct program;

struct program_result {
	int start_errno; /* it was not started; nothing else is set */
	bool timed_out;	 /* then it has neither status nor signal */
	int exit_status; /* -1 = none */
	int signo;	 /* 0 = none */
	const struct str *out, *err;
	bool truncated;
	usec_t elapsed;
};

struct program_spec {
	const char *const *argv; /* borrowed for the call */
	const char *stdin_text;	 /* the same; NULL = /dev/null */
	usec_t timeout;
	size_t output_max_bytes;
	uint64_t user_tasks_max, memory_max_bytes; /* see warden.h */
	const struct keeper *keeper;		   /* who starts its warden; NULL: nobody else */
	struct cgroup *cgroup;			   /* taken over, also on failure; NULL = none */
	/* NULL result: cancelled by program_cancel(). */
	void (*answered)(const struct program_result *result, void *data);
	void (*gone)(void *data);
	/* Somebody has killed or stopped its warden: what else is left of it cannot be told. Before
	 * `gone`. */
	void (*foul)(const char *what, void *data);
	void *data;
};

/* What memory_max_bytes is to be: tend-look is ours, and built with a sanitizer where we are; its
 * shadow would count as data. */
uint64_t program_memory_max(uint64_t max_bytes, bool is_look);
int program_start(struct loop *loop, const struct program_spec *spec, struct program **ret_program);
/* TERM now, KILL after the grace; no answer any more, but `gone`. */
void program_cancel(struct program *program);
/* At the end of tend-spawn: kills and frees, no calls back. The warden finishes the rest. */
struct program *program_free(struct program *program);
pid_t program_pid(const struct program *program); /* of the warden */

#endif
