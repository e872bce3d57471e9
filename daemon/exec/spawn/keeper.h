/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/keeper.h: the process that keeps the groups of the unit (systemd-journal, adm), for
 * looks at what is in logs; tend-spawn itself, and so every other program, has none. It starts the
 * wardens of those looks and of nothing else: they are tend-spawn's children, not its own
 * (CLONE_PARENT). Its group is the first of these, so that the programs, of the same user, have no
 * way into a look (ptrace(2), "access mode checking"). It ends with tend-spawn. keeper_warden()
 * blocks for as long as a fork takes.
 */
#ifndef EXEC_SPAWN_KEEPER_H
#define EXEC_SPAWN_KEEPER_H

#include <stdbool.h>
#include "exec/spawn/warden.h"

struct keeper {
	int fd; /* -EBADF: there is none, for there are no groups to keep */
	pid_t pid;
};

/* First of all, with CAP_SETGID; afterwards this process has no supplementary group. `look` is
 * borrowed for good. -EPERM: they cannot be given up. */
int keeper_start(const char *look, struct keeper *ret_keeper);
bool keeper_is_for(const struct keeper *keeper, const char *kind);
/* As warden_start(), of `tend-look KIND -`. -ETIMEDOUT: it was stopped; -EPIPE: it is gone. */
int keeper_warden(const struct keeper *keeper, const struct warden_spec *spec, pid_t *ret_pid);

#endif
