/* SPDX-License-Identifier: MIT */
/*
 * run/session.h: the life of one run: reads `start` from its socket, describes the file or runs one
 * of its policies, says how it ended, exits. Owns everything in its process and frees nothing: the
 * process ends. Blocks in read() only. Any breach of the protocol ends it without a word, which the
 * daemon takes as failed.
 */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include <lua.h>
#include "run/env.h"

/* `L` is a state fresh from env_new(&memory). */
__attribute__((noreturn)) void session_run(lua_State *L, struct env_memory *memory, int fd);

#endif
