/* SPDX-License-Identifier: MIT */
/*
 * trim.h: memory that a burst has left goes back to the kernel. While the machine stands still for
 * a moment, or servers hang, all that is due runs at once; what lives on lies between what was
 * freed then, and libc by itself gives back only what lies on top. Owns one timer; a look takes
 * well below a millisecond for 10 MiB of heap. Sets the thresholds of malloc() for the process.
 */
#ifndef TEND_TRIM_H
#define TEND_TRIM_H

#include "loop/loop.h"

struct trim;
int trim_new(struct loop *loop, struct trim **ret_trim);
struct trim *trim_free(struct trim *trim);

#endif
