/* SPDX-License-Identifier: MIT */
/*
 * exec/look/mounts.h: the file systems of this machine, how full they are, and which of them hang.
 * Each is asked in a child process, so that one that does not answer (a dead server of NFS) is told
 * by name and holds up nothing else. Blocks for at most the timeout a file system that hangs.
 */
#ifndef EXEC_LOOK_MOUNTS_H
#define EXEC_LOOK_MOUNTS_H

#include <jansson.h>
#include <tend/option.h>

enum { MOUNTS_MAX = 64 };

/* `wanted`: mount points that are told whatever their type, and whether they are mounted at all
 * (an array of texts, or NULL). `stuck`: {"MOUNT":{"pid","start"}}: children of looks before that
 * still hang there; while they do, the file system is not touched. A new array. */
json_t *mounts_look(const json_t *wanted, const json_t *stuck, usec_t timeout);

#endif
