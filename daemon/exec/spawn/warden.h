/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/warden.h: the process between tend-spawn and a program. It is the reaper of all that
 * the program starts (PR_SET_CHILD_SUBREAPER), so that nothing escapes by a second fork or a
 * session of its own, and tells over one socket what becomes of the program. It ends when nothing
 * is left, or, killing all, when tend-spawn says so or is gone.
 */
#ifndef EXEC_SPAWN_WARDEN_H
#define EXEC_SPAWN_WARDEN_H

#include <stdint.h>
#include <sys/types.h>

/* Over the socket (SOCK_SEQPACKET): tend-spawn sends one of these bytes, ... */
enum { WARDEN_TERM = 'T', WARDEN_KILL = 'K' };
/* ... and gets these. */
struct warden_message {
	enum {
		WARDEN_FAILED, /* `value` is an errno: the program was not started */
		WARDEN_ENDED,  /* `value` is a status of waitpid() */
	} what;
	int value;
};

/* All descriptors stay the caller's. */
struct warden_spec {
	const char *const *argv;
	int in, out, err;
	int cgroup_procs; /* -EBADF: none */
	/* Where the control group cannot: of all processes of the user, and of each of them. */
	uint64_t user_tasks_max, memory_max_bytes;
	int control; /* the warden's end */
};

/* Forks it; the pid, or a negative errno. */
int warden_start(const struct warden_spec *spec, pid_t *ret_pid);
/* The same, but it is a child of the caller's parent. */
int warden_start_sibling(const struct warden_spec *spec, pid_t *ret_pid);

#endif
