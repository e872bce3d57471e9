/* SPDX-License-Identifier: MIT */
/*
 * ctl/become.h: commands that need no daemon: a helper program of libexec does the work in place of
 * this process. A call owns its arguments until it becomes the program.
 */
#ifndef CTL_BECOME_H
#define CTL_BECOME_H

#include "ctl/ctl.h"

enum { CTL_MAX_ARGV = CTL_MAX_ARGS + 16 };

struct ctl_call {
	char *argv[CTL_MAX_ARGV];
	size_t n;
};
/* argv[0] is the program's name; takes `arg`. What is too many is left out. */
void ctl_call_add(struct ctl_call *call, char *arg);
/* --name=value, or --name when the value is ""; nothing when it is NULL. */
void ctl_call_option(struct ctl_call *call, const char *name, const char *value);
/* Returns only when the program cannot be started, the exit code. */
int ctl_become(struct ctl *ctl, struct ctl_call *call);

#endif
