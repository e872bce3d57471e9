/* SPDX-License-Identifier: MIT */
/*
 * exec/look/sockdiag.h: the systemd units of listening sockets: the kernel tells everybody the
 * control group of a socket, while whose descriptor it is only root may know. Blocks on the kernel
 * only; fails by knowing nothing.
 */
#ifndef EXEC_LOOK_SOCKDIAG_H
#define EXEC_LOOK_SOCKDIAG_H

#include <jansson.h>

/* {INODE: UNIT}, a new object. */
json_t *sockdiag_units(void);

#endif
