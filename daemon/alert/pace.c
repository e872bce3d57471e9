/* SPDX-License-Identifier: MIT */
/* alert/pace.c: backoff, token bucket, rates. Pure. */
#include <string.h>
#include "alert/outbox.h"
#include "base/str.h"

usec_t backoff_delay(unsigned n_tries, usec_t retry_min, usec_t retry_max, double random)
{
	usec_t delay = retry_min, half;

	for (unsigned i = 1; i < n_tries && delay < retry_max; i++)
		delay *= 2;
	delay = MIN(delay, retry_max);
	half = delay / 2;
	return half + (usec_t)((double)(delay - half) * random);
}

usec_t bucket_wait(struct bucket *bucket, int64_t rate_per_minute, usec_t now)
{
	double rate = (double)rate_per_minute / (60.0 * USEC_PER_SEC), cap;

	if (rate_per_minute <= 0)
		return 0;
	cap = MAX(1.0, rate * 10 * USEC_PER_SEC);
	if (bucket->filled_at == 0)
		bucket->tokens = cap;
	else
		bucket->tokens += (double)(now - bucket->filled_at) * rate;
	bucket->tokens = MIN(bucket->tokens, cap);
	bucket->filled_at = now;
	return bucket->tokens < 1 ? (usec_t)((1 - bucket->tokens) / rate) + 1 : 0;
}

usec_t bucket_take(struct bucket *bucket, int64_t rate_per_minute, usec_t now)
{
	usec_t wait = bucket_wait(bucket, rate_per_minute, now);

	if (wait == 0 && rate_per_minute > 0)
		bucket->tokens -= 1;
	return wait;
}

/* ---- rates ---------------------------------------------------------------------------------- */

static uint64_t minute_of(usec_t now)
{
	return now / (60 * USEC_PER_SEC);
}

void rate_add(struct rate *rate, usec_t now, uint32_t n)
{
	uint64_t minute = minute_of(now);

	if (minute - rate->minute >= RATE_SLOTS)
		memset(rate->counts, 0, sizeof(rate->counts));
	else
		for (uint64_t m = rate->minute + 1; m <= minute; m++)
			rate->counts[m % RATE_SLOTS] = 0;
	rate->minute = minute;
	rate->counts[minute % RATE_SLOTS] += n;
}

/* The minute that has only begun counts as far as it has come. */
double rate_per_minute_of(const struct rate *rate, usec_t now, unsigned n_minutes)
{
	uint64_t minute = minute_of(now), sum = 0;
	double part = (double)(now % (60 * USEC_PER_SEC)) / (60.0 * USEC_PER_SEC);

	n_minutes = MIN(n_minutes, RATE_SLOTS - 1u);
	for (unsigned i = 0; i <= n_minutes; i++)
		if (minute - i <= rate->minute && rate->minute - (minute - i) < RATE_SLOTS)
			sum += rate->counts[(minute - i) % RATE_SLOTS];
	/* To a tenth: more would be noise. */
	return (double)(int64_t)(10 * (double)sum / ((double)n_minutes + part) + 0.5) / 10;
}
