/* SPDX-License-Identifier: MIT */
/*
 * loop/child.h: a helper process of tendd, kept running. Spawned by posix_spawn with a socketpair
 * as fd 3 (passed as fd 3, everything else CLOEXEC) and an emptied environment; when it ends it is
 * started again with backoff (0.1 s doubling to 30 s, reset after 60 s of life). The owner gets a
 * new rpc at each start. Frees: child_free() closes the socket (the child exits at end of file),
 * TERM after 1 s, KILL after 2 more. Never blocks.
 */
#ifndef LOOP_CHILD_H
#define LOOP_CHILD_H

#include "loop/rpc.h"

struct child;

/* The child is up and `rpc` is connected; send what it needs to know (its first message is ours).
 */
typedef void (*child_up_fn)(struct child *child, struct rpc *rpc, void *data);
/* It has gone: `rpc` is freed after this call; what_next is the time of the next start. */
typedef void (*child_down_fn)(struct child *child, const char *why, void *data);

struct child_spec {
	const char *name;	 /* for the log: "tend-snmp notify" */
	const char *const *argv; /* argv[0] is the path; NULL-terminated; copied */
	rpc_call_fn on_call;
	child_up_fn on_up;
	child_down_fn on_down;
	void *data;
};

int child_new(struct loop *loop, const struct child_spec *spec, struct child **ret_child);
struct child *child_free(struct child *child);
DEFINE_AUTO(struct child *, child_free)
struct rpc *child_rpc(struct child *child); /* NULL while it is down */
pid_t child_pid(const struct child *child); /* 0 while it is down */
usec_t child_cpu(
	const struct child *child); /* CPU time of its process so far; 0 while it is down */
uint64_t child_n_starts(const struct child *child);
/* The start alone, for who keeps its processes itself. `ret_sock`: our end of its fd 3. */
int child_spawn(char *const *argv, pid_t *ret_pid, int *ret_sock);
/* The end of one of those: KILL, and it is reaped here, at the latest by children_drain(). */
void child_abandon(struct loop *loop, pid_t pid);
/* It hangs: KILL, so that it is started again. */
void child_kill(struct child *child);
/* After the loop's end, and the only call here that blocks: waits for all that was told to go, at
 * most `patience`; what is left then is killed. */
void children_drain(usec_t patience);

#endif
