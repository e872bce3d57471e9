/* SPDX-License-Identifier: MIT */
/*
 * work/pool.h: the tend-work processes of tendd: at most `slots` at work, started when there is
 * work, each for one plugin, kept warm for a while. One plugin, and one component, has at most a
 * quarter of the slots; what finds no place waits in order. A job that is cancelled (its attempt's
 * deadline has come) takes its process with it, by SIGKILL. One that dies by itself ends its job;
 * the plugin's next start then waits, doubling. Owns jobs and processes; never blocks but in
 * work_pool_free(), which waits for killed processes.
 */
#ifndef WORK_POOL_H
#define WORK_POOL_H

#include <jansson.h>
#include "loop/loop.h"

enum { WORK_TEXT_BYTES = 256 };

struct work_pool;
struct work_job;

struct work_order {
	const char *plugin;    /* name: a process serves one */
	const char *component; /* "system/component" */
	const char *files; /* of work_values_files(): a process serves those who name the same */
	json_t *args;	   /* of the call `attempt`; borrowed */
	usec_t deadline;   /* of the attempt */
};

/* r == 0: `ok` is borrowed. Else `message` says what has become of the process. The job is gone
 * with the call. */
struct work_reply {
	int r;
	const json_t *ok;
	const char *message;
	usec_t waited; /* for a place */
};
typedef void (*work_fn)(const struct work_reply *reply, void *data);

int work_pool_new(struct loop *loop, struct work_pool **ret_pool);
struct work_pool *work_pool_free(struct work_pool *pool); /* no callbacks */
DEFINE_AUTO(struct work_pool *, work_pool_free)
/* From now on; what is at work goes on. */
int work_pool_set(struct work_pool *pool, const char *program, size_t slots);
size_t work_pool_share(const struct work_pool *pool); /* of one plugin, or component */

/* `fn` is called once, from the loop, unless the job is cancelled. */
int work_pool_ask(struct work_pool *pool, const struct work_order *order, work_fn fn, void *data,
	struct work_job **ret_job);
void work_job_cancel(struct work_job *job);

struct work_job_state {
	bool waiting;	  /* for a place */
	usec_t waited;	  /* so long, in the end or so far */
	const char *busy; /* what it waits for: "2 of 2 places of mysql are taken"; "" */
	/* What it said last it waits for; reason < 0: nothing. */
	int phase_reason;
	const char *phase;
};
/* `busy` lives in `buf`. */
void work_job_state(
	const struct work_job *job, char buf[WORK_TEXT_BYTES], struct work_job_state *ret_state);

/* Why a process ended that was not simply no longer needed. */
enum work_cause {
	WORK_KILLED_DEADLINE,  /* by us, at the deadline of its attempt */
	WORK_KILLED_CANCELLED, /* by us, for nobody wants the answer any more */
	WORK_CRASHED_SIGNAL,
	WORK_CRASHED_EXIT,
	WORK_CRASHED_START, /* there never was one */
	WORK_CAUSE_MAX,
};
/* "deadline" */
const char *work_cause_name(enum work_cause cause);

struct work_stats {
	size_t n_processes, n_busy, n_waiting;
	uint64_t n_started;
	uint64_t n_ended[WORK_CAUSE_MAX];
	usec_t waited; /* all waiting, ever */
};
void work_pool_stats(const struct work_pool *pool, struct work_stats *ret_stats);

#endif
