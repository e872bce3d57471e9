/* SPDX-License-Identifier: MIT */
/*
 * watch/unit_memory.h: what the processes of a unit hold of memory that is theirs alone: anonymous
 * and swapped. Pages of files, which the kernel takes back as it likes, say nothing about a leak.
 * tendd asks it of units of its own host, tend-exec when a tendd on another host looks at a unit.
 * Reads /proc and the cgroup; the caller frees the answer.
 */
#ifndef WATCH_UNIT_MEMORY_H
#define WATCH_UNIT_MEMORY_H

#include <jansson.h>
#include <tend/plugin.h>

/* Bytes of the unit's processes on this host, an integer; null: not known. */
json_t *unit_memory(const struct tend_unit_info *info);

#endif
