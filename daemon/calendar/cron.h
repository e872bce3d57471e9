/* SPDX-License-Identifier: MIT */
/*
 * calendar/cron.h: cron expressions as cron(5) has them, in a zone. A struct cron is plain data and
 * owns nothing; the functions are pure (zone_get() has read the zone before) and never block.
 * A local time that the clock skips runs once, at the end of the gap; one that comes twice runs
 * once, the first time. What cannot ever run is an error of cron_parse().
 */
#ifndef CALENDAR_CRON_H
#define CALENDAR_CRON_H

#include <stdbool.h>
#include <stdint.h>
#include <tend/error.h>
#include "base/clock.h"
#include "calendar/zone.h"

enum { CRON_MAX_BYTES = 256, CRON_HORIZON_YEARS = 8 };

struct cron {
	uint64_t minutes;  /* bits 0..59 */
	uint32_t hours;	   /* bits 0..23 */
	uint32_t days;	   /* of the month, bits 1..31 */
	uint32_t months;   /* bits 1..12 */
	uint32_t weekdays; /* bits 0..6, Sunday is 0 */
	bool days_any;	   /* the field begins with '*': it does not widen the weekdays */
	bool weekdays_any; /* likewise */
};

/* Five fields (minute hour day-of-month month day-of-week; numbers, names, ranges, steps, lists) or
 * @yearly @annually @monthly @weekly @daily @midnight @hourly. -EINVAL with the field in `err`. */
int cron_parse(const char *text, struct cron *ret_cron, struct tend_error *err);

/* The first instant after `after_wall` that fits; USEC_INFINITY: none within CRON_HORIZON_YEARS. */
usec_t cron_next(const struct cron *cron, const struct zone *zone, usec_t after_wall);

#endif
