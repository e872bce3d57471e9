/* SPDX-License-Identifier: MIT */
/* snmp/rate.h: how fast a counter rises, by two samples of it. Pure. */
#ifndef SNMP_RATE_H
#define SNMP_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* When samples were taken: by our time of day, and by the agent's own sysUpTime. */
struct rate_time {
	double wall;	      /* seconds since 1970 */
	int64_t uptime_ticks; /* hundredths of a second; < 0: it does not tell */
};

/* Seconds between the two, by the agent's clock if it tells; 0: it began anew in between, or that
 * is not known, so no counter of before counts. */
double rate_elapsed(const struct rate_time *then, const struct rate_time *now);
/* A Counter32 that is lower has wrapped, unless that would be more than half of its range: then, as
 * a Counter64 that is lower, it was set anew. False: no rate. */
bool rate_of(uint64_t then, uint64_t now, bool is_64, double elapsed, double *ret_per_second);

#endif
