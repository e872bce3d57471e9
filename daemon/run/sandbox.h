/* SPDX-License-Identifier: MIT */
/*
 * run/sandbox.h: what a run may do: read and write its one socket, and memory. Owns the compiled
 * filter, built once by the parent and freed by sandbox_free(); applied after the fork, for good.
 * Anything beyond the list kills the process (SIGSYS). Neither blocks; sandbox_apply() fails
 * closed: the caller must exit.
 */
#ifndef RUN_SANDBOX_H
#define RUN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"

enum {
	/* Lua's own share; a run that wants more ends with "not enough memory". */
	SANDBOX_LUA_BYTES = 64 << 20,
	/* All of the process: Lua, one message on its way in and out, the program itself. */
	SANDBOX_AS_BYTES = 192 << 20,
	SANDBOX_CPU_SEC = 10,
	/* The one descriptor a run has. */
	SANDBOX_FD = 3,
};

struct sandbox;

/* `clock`: the process may ask how late it is, and how much of the CPU it has used. */
int sandbox_new(bool clock, struct sandbox **ret_sandbox);
struct sandbox *sandbox_free(struct sandbox *sandbox);
DEFINE_AUTO(struct sandbox *, sandbox_free)

/* What waits in read() wants no EAGAIN; the daemon's sockets are non-blocking from birth. */
int sandbox_make_blocking(int fd);
/* In the child: moves `fd` to SANDBOX_FD, closes all else, sets limits, loads the filter. CPU time
 * is limited to the wall time rounded up, at most SANDBOX_CPU_SEC; wall_msec 0 = only that.
 * SANDBOX_RESIDENT: no limit of CPU time and no low priority, as whoever asks keeps the time. */
#define SANDBOX_RESIDENT UINT64_MAX
uint64_t sandbox_cpu_sec(uint64_t wall_msec);
int sandbox_apply(const struct sandbox *sandbox, int fd, uint64_t wall_msec);

#endif
