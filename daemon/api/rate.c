/* SPDX-License-Identifier: MIT */
#include "api/rate.h"
#include <stdlib.h>
#include "base/cleanup.h"

/* Kept as the time at which it will be full: nothing is to be counted up. */
struct bucket {
	usec_t full_at;
};

static void sweep(struct rate *rate, usec_t now)
{
	for (size_t i = rate->buckets.len; i-- > 0;) {
		struct bucket *bucket = rate->buckets.slots[i].value;

		if (bucket->full_at > now)
			continue;
		(void)map_remove(&rate->buckets, rate->buckets.slots[i].key);
		free(bucket);
	}
}

static struct bucket *find(struct rate *rate, const char *name, usec_t now)
{
	struct bucket *bucket = map_get(&rate->buckets, name);

	if (bucket)
		return bucket;
	if (rate->buckets.len >= RATE_MAX_BUCKETS)
		sweep(rate, now);
	if (rate->buckets.len >= RATE_MAX_BUCKETS)
		return NULL;
	bucket = calloc(1, sizeof(*bucket));
	if (bucket && map_put(&rate->buckets, name, bucket) < 0) {
		free(bucket);
		return NULL;
	}
	return bucket;
}

bool rate_admit(struct rate *rate, const struct rate_limit *limit, const char *name, usec_t now,
	usec_t *ret_wait)
{
	struct bucket *bucket = find(rate, name, now);
	usec_t most = now + limit->burst * limit->refill, full_at;

	if (!bucket) {
		*ret_wait = limit->refill;
		return false;
	}
	/* The limit may have been another one before. */
	bucket->full_at = MIN(MAX(bucket->full_at, now), most);
	full_at = bucket->full_at + limit->refill;
	if (full_at > most) {
		*ret_wait = full_at - most;
		return false;
	}
	bucket->full_at = full_at;
	return true;
}

void rate_clear(struct rate *rate)
{
	MAP_FOREACH (&rate->buckets, struct bucket *, bucket)
		free(bucket);
	map_clear(&rate->buckets);
}
