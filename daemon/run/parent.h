/* SPDX-License-Identifier: MIT */
/*
 * run/parent.h: the pre-forked parent: prepares once what every run needs (the Lua state with its
 * libraries, the compiled filter), then makes a run for each `fork` request. The clones are its
 * siblings, children of tendd (CLONE_PARENT). Blocks in recvmsg(); ends at end of file, with 0, or
 * when the daemon breaks the protocol, with a negative errno. Runs go on without it.
 */
#ifndef RUN_PARENT_H
#define RUN_PARENT_H

#include <lua.h>

/* `prepare` (may be NULL) adds to the Lua state before the first fork: for tests. Returns in the
 * parent only. */
int parent_run(int fd, void (*prepare)(lua_State *L));

#endif
