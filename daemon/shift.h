/* SPDX-License-Identifier: MIT */
/*
 * shift.h: tendd --calendar FILE: on a test machine, weeks pass in minutes. The time of day is the
 * machine's plus the seconds that stand in the file, read each second and on SIGHUP; the monotonic
 * clock, and with it every time limit, stays real. Owns the process' clock while it lives. Reads a
 * small file on the loop, which nothing else here may: it is for rehearsals.
 */
#ifndef TEND_SHIFT_H
#define TEND_SHIFT_H

#include <tend/error.h>
#include "base/cleanup.h"
#include "loop/loop.h"

struct shift;

/* Reads the file, which must be there with a number in it, and sets the clock. `path` is
 * borrowed. */
int shift_new(const char *path, struct shift **ret_shift, struct tend_error *err);
/* From now on looks each second; `jumped` is called when the time of day has jumped. */
int shift_start(struct shift *shift, struct loop *loop, void (*jumped)(void *data), void *data);
void shift_look(struct shift *shift);
struct shift *shift_free(struct shift *shift);
DEFINE_AUTO(struct shift *, shift_free)

#endif
