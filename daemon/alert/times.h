/* SPDX-License-Identifier: MIT */
/*
 * alert/times.h: times of a week, "mon-fri 08:00-18:00, sat 10:00-12:00", by a zone's wall clock. A
 * struct times is plain data and owns nothing; the functions are pure. A span that ends before it
 * begins goes over midnight and belongs to the day on which it begins. Where the clock is set, what
 * it shows counts: an hour that comes twice is inside twice. Below conf/.
 */
#ifndef ALERT_TIMES_H
#define ALERT_TIMES_H

#include <stdbool.h>
#include <tend/error.h>
#include "calendar/zone.h"

enum { TIMES_MAX_SPANS = 32, TIMES_TEXT_BYTES = 1024 };

struct times_span {
	unsigned days;	/* bits 0..6, Sunday is 0: on which it begins */
	int begin, end; /* minutes of the day, end exclusive; end <= begin: over midnight */
};
struct times {
	struct times_span spans[TIMES_MAX_SPANS];
	unsigned n;
};
/* DAYS HH:MM-HH:MM, or either alone; DAYS: daily, a day or a range of days, by their names or the
 * first three letters. -EINVAL with what is wrong. */
int times_parse(const char *text, struct tend_error *err, struct times *ret_times);
bool times_inside(const struct times *times, const struct zone *zone, usec_t wall);
/* The next beginning of a span after `wall`; USEC_INFINITY: none. */
usec_t times_next(const struct times *times, const struct zone *zone, usec_t wall);

/* One moment of the week: "daily 08:00", "mon-fri 08:00": a span of no length. */
int times_parse_moment(const char *text, struct tend_error *err, struct times *ret_times);
/* "monday", "mon": 0..6, Sunday is 0; -EINVAL. */
int times_parse_day(const char *text, size_t len);
/* "08:00": minutes; -EINVAL. *end is behind it. 24:00 only if `midnight`. */
int times_parse_clock(const char *text, bool midnight, const char **ret_end);

#endif
