/* SPDX-License-Identifier: MIT */
#include "rate.h"

/* Clocks differ and questions take their time. */
#define SLACK_SECONDS 5
#define SLACK_SHARE   0.1

double rate_elapsed(const struct rate_time *then, const struct rate_time *now)
{
	double wall = now->wall - then->wall, agent;

	if (then->uptime_ticks < 0 || now->uptime_ticks < 0)
		return then->uptime_ticks < 0 && now->uptime_ticks < 0 && wall > 0 ? wall : 0;
	agent = (double)(now->uptime_ticks - then->uptime_ticks) / 100;
	/* Less than has passed here: it began anew, and is up for longer already than it was. */
	if (agent <= 0 || agent < wall * (1 - SLACK_SHARE) - SLACK_SECONDS)
		return 0;
	return agent;
}

bool rate_of(uint64_t then, uint64_t now, bool is_64, double elapsed, double *ret_per_second)
{
	uint64_t grown;

	if (elapsed <= 0 || (is_64 && now < then))
		return false;
	grown = is_64 ? now - then : (now - then) & UINT32_MAX;
	if (now < then && grown > UINT32_MAX / 2)
		return false;
	*ret_per_second = (double)grown / elapsed;
	return true;
}
