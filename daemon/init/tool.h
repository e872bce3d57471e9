/* SPDX-License-Identifier: MIT */
/*
 * init/tool.h: a program run and awaited, with a bound on its time and its output. Blocks. The
 * output is the caller's. Fails with -errno: -ENOENT (no such program), -ETIMEDOUT, -EFBIG.
 */
#ifndef INIT_TOOL_H
#define INIT_TOOL_H

#include <tend/option.h>

/* Standard error goes to /dev/null; *ret_status as exit_status, -1 of a signal. */
int tool_run(const char *const *argv, usec_t timeout, char **ret_out, int *ret_status);

#endif
