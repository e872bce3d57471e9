/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/cgroup.h: a control group for each program, in the part of the tree that systemd has
 * handed over (Delegate=yes): its processes are bounded together and none outlives a kill, whatever
 * sessions and parents it has made up. struct cgroups is NULL where nothing was handed over; all
 * calls take that and do nothing. Frees: cgroups_free(), cgroup_free(). Blocks on the kernel only.
 */
#ifndef EXEC_SPAWN_CGROUP_H
#define EXEC_SPAWN_CGROUP_H

#include <stdint.h>
#include "base/cleanup.h"

struct cgroups;
struct cgroup;

/* Moves this process into a leaf of its own and removes what an earlier one left. */
int cgroups_new(struct cgroups **ret_cgroups);
struct cgroups *cgroups_free(struct cgroups *cgroups);
DEFINE_AUTO(struct cgroups *, cgroups_free)

/* *ret_cgroup is NULL when `cgroups` is. */
int cgroup_new(struct cgroups *cgroups, int64_t tasks_max, uint64_t memory_max_bytes,
	struct cgroup **ret_cgroup);
/* Where a process writes "0" to enter; -EBADF if there is none. Stays the group's. */
int cgroup_procs_fd(const struct cgroup *cgroup);
void cgroup_kill(const struct cgroup *cgroup);
/* Kills what is in it and removes it, now or with a later call of this kind. */
struct cgroup *cgroup_free(struct cgroup *cgroup);

#endif
