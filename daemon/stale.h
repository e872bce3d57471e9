/* SPDX-License-Identifier: MIT */
/*
 * stale.h: backups that grow too old. Looks at the sets on record each time the windows' keeper
 * looks at the clock (at least every 30 s) and tells `backup.stale` once when the newest good set
 * of a component, or its newest proof by a restore, passes the limit, and once, with severity info,
 * at the end. The limits are the parameters stale_after and unproven_after of the policy that keeps
 * the sets. Who was told of what is in the store. The manager owns it. Never blocks, but for one
 * small read at the start.
 */
#ifndef TEND_STALE_H
#define TEND_STALE_H

#include "manager.h"

struct stale;
int stale_new(struct manager *manager, struct stale **ret_stale);
struct stale *stale_free(struct stale *stale);
void stale_look(struct stale *stale);

struct stale_limits { /* 0: none */
	usec_t stale_after, unproven_after;
};
enum stale_why { STALE_NOT, STALE_GOOD, STALE_PROVEN };
struct stale_judgement {
	enum stale_why why;
	usec_t age;	     /* of what is too old */
	usec_t good, proven; /* when; 0: never */
};
/* `sets`: an array of what the policy keeps, of one component. What there never was is as old as
 * the oldest set. Pure. */
struct stale_judgement stale_judge(
	const json_t *sets, const struct stale_limits *limits, usec_t wall);

#endif
