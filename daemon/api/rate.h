/* SPDX-License-Identifier: MIT */
/*
 * api/rate.h: how often who may post: token buckets by name. Owns its buckets; rate_clear() frees
 * them. Pure: the time comes in. Bounded: buckets that are full again go first, and when there are
 * too many nevertheless a new name has to wait. Out of memory counts as too many. Never blocks.
 */
#ifndef API_RATE_H
#define API_RATE_H

#include <stdbool.h>
#include <tend/option.h>
#include "base/map.h"

enum { RATE_MAX_BUCKETS = 20000 };

struct rate_limit {
	unsigned burst; /* so many at once */
	usec_t refill;	/* then one more each */
};

struct rate {
	struct map buckets; /* struct bucket * by name */
};

/* False: too many; *ret_wait: one more will be taken then. */
bool rate_admit(struct rate *rate, const struct rate_limit *limit, const char *name, usec_t now,
	usec_t *ret_wait);
void rate_clear(struct rate *rate);
static inline void cleanup_rate_clear(struct rate *rate) /* for auto(rate_clear) */
{
	rate_clear(rate);
}

#endif
