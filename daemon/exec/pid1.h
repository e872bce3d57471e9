/* SPDX-License-Identifier: MIT */
/*
 * exec/pid1.h: what tend-exec asks of PID 1, over the system bus; the only user of sd-bus in this
 * folder. Every question is a struct pid1_call that is freed right before its answer is given
 * (forget the pointer first thing), or by pid1_call_cancel(): then there is no answer, but what was
 * asked may happen all the same. Never blocks.
 * When the bus is lost the loop ends with an error: the service is started again and looks anew.
 */
#ifndef EXEC_PID1_H
#define EXEC_PID1_H

#include "base/cleanup.h"
#include "exec/manifest.h"
#include "exec/record.h"
#include "loop/loop.h"

struct pid1;
struct pid1_call;
struct pid1_watch;

/* A unit as PID 1 sees it; texts are systemd's own words. */
struct pid1_unit {
	char load_state[24], active_state[24], sub_state[32], result[32];
	char invocation[INVOCATION_BYTES]; /* "" = none */
	uint32_t job;			   /* 0 = none is queued */
	uint32_t main_pid;
	uint64_t active_since;	    /* CLOCK_MONOTONIC, microseconds; 0 = never */
	int exec_code, exec_status; /* CLD_*; exit code or signal */
};

/* r < 0: an errno; `error` is then the bus's name of it ("" if there is none), `message` for
 * people. */
struct pid1_reply {
	int r;
	const char *error, *message;
	bool maybe;		      /* it failed in a way that leaves open whether PID 1 did it */
	const struct pid1_unit *unit; /* of pid1_get_unit() */
	uint32_t job;		      /* of a verb or a start */
};
typedef void (*pid1_fn)(const struct pid1_reply *reply, void *data);

struct pid1_handlers {
	void (*ready)(void *data); /* signals arrive from here on */
	void (*job_removed)(uint32_t job, const char *unit, const char *result, void *data);
	void *data;
};

int pid1_new(struct loop *loop, const struct pid1_handlers *handlers, struct pid1 **ret_pid1,
	struct tend_error *err);
struct pid1 *pid1_free(struct pid1 *pid1);
DEFINE_AUTO(struct pid1 *, pid1_free)
/* The kernel's boot id, a dot, and when PID 1 started: containers share the kernel's. */
int pid1_boot_id(char ret[BOOT_ID_BYTES]);

/* Loads the unit if need be; one that does not exist has load_state not-found. */
int pid1_get_unit(
	struct pid1 *pid1, const char *unit, pid1_fn fn, void *data, struct pid1_call **ret_call);
/* Mode "fail": a job that somebody else has queued is not replaced, ours is refused instead. */
int pid1_unit_verb(struct pid1 *pid1, enum exec_verb verb, const char *unit, pid1_fn fn, void *data,
	struct pid1_call **ret_call);
/* Is this job still queued or running? r is -ENOENT when not. */
int pid1_get_job(
	struct pid1 *pid1, uint32_t job, pid1_fn fn, void *data, struct pid1_call **ret_call);

struct pid1_transient {
	const char *name, *description;
	char *const *argv;
	const char *user;
	const char *stdout_path, *stderr_path;
	usec_t timeout;
	uint64_t memory_max_bytes, tasks_max;
	char *const *writable; /* NULL = none */
};
int pid1_start_transient(struct pid1 *pid1, const struct pid1_transient *transient, pid1_fn fn,
	void *data, struct pid1_call **ret_call);
/* Lets a transient unit that has ended be forgotten. */
int pid1_collect(struct pid1 *pid1, const char *unit, bool failed, pid1_fn fn, void *data,
	struct pid1_call **ret_call);

/* `fn` when some property of the unit has changed. */
int pid1_watch(struct pid1 *pid1, const char *unit, void (*fn)(void *data), void *data,
	struct pid1_watch **ret_watch);
struct pid1_watch *pid1_watch_free(struct pid1_watch *watch);
struct pid1_call *pid1_call_cancel(struct pid1_call *call); /* NULL is fine; returns NULL */

#endif
