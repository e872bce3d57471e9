/* SPDX-License-Identifier: MIT */
/*
 * base/clock.h: the only clock. clock_now() is monotonic, for deadlines and schedules; clock_wall()
 * is the time of day, for people and for what outlives the process. Tests drive both by
 * clock_set_source(). Neither fails nor blocks.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <jansson.h>
#include <tend/option.h>

usec_t clock_now(void);
usec_t clock_wall(void);

struct clock_source {
	usec_t (*now)(void);
	usec_t (*wall)(void);
};
void clock_set_source(const struct clock_source *source); /* NULL: the real one */

/* "2026-11-22T02:31:39.123456Z" (RFC 3339) */
enum { CLOCK_TEXT_BYTES = 32 };
const char *clock_format(usec_t wall, char buf[CLOCK_TEXT_BYTES]);
json_t *clock_to_json(usec_t wall);		     /* that text; 0 is null */
int clock_parse(const char *text, usec_t *ret_wall); /* what clock_format() writes; -EINVAL */

/* "350ms", "1.5s", "20s", "1m30s", "2h5m", "3d4h": at most two units, for people; what
 * configuration reads is conf_format_span()'s. */
const char *clock_format_span(usec_t span, char buf[CLOCK_TEXT_BYTES]);

#endif
