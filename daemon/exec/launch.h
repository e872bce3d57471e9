/* SPDX-License-Identifier: MIT */
/*
 * exec/launch.h: the way of a command's arguments through systemd. systemd replaces $NAME in
 * arguments, and after a daemon-reload it reads them back from a file that it has written with
 * faults (252: a ';' returns as "\;"): what is executed could differ from what was checked. So the
 * unit's command line is `tend-exec --launch ARG...` with every character that could matter written
 * as =XX, and that process becomes the command. Pure but launch_run(), which does not return when
 * it succeeds.
 */
#ifndef EXEC_LAUNCH_H
#define EXEC_LAUNCH_H

#include "base/str.h"

#define LAUNCH_OPTION "--launch"
enum { LAUNCH_FAILED = 203 }; /* systemd's own EXIT_EXEC */

/* {`self`, "--launch", encoded argv...}; strv_free(). */
int launch_encode(const char *self, char *const *argv, char ***ret_argv);
int launch_decode(const char *text, char **ret_arg); /* -EINVAL; the caller frees */
/* `argv` is what follows --launch. Gives an exit status when it fails. */
int launch_run(char *const *argv);

#endif
