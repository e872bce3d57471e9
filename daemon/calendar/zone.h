/* SPDX-License-Identifier: MIT */
/*
 * calendar/zone.h: time zones by their IANA names, from the system's zoneinfo. zone_get() reads a
 * small file the first time and shares the zone then (anew when tzdata was updated); the rest is
 * arithmetic on its table of transitions. A zone is immutable; zone_free() gives one reference
 * back. zone.c is the one file that knows GLib. An unknown name is an error with the nearest one.
 */
#ifndef CALENDAR_ZONE_H
#define CALENDAR_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <tend/error.h>
#include "base/cleanup.h"
#include "base/clock.h"

struct zone;

struct calendar_time {		  /* wall-clock time */
	int year, month, day;	  /* month 1..12, day 1..31 */
	int hour, minute, second; /* 0..59 */
	int weekday;		  /* 0..6, Sunday is 0; calendar_weekdays[] has the names */
	int offset_sec;		  /* east of UTC; filled by zone_local() */
};
extern const char *const calendar_weekdays[7]; /* "sunday" .. */

/* "Europe/Berlin", "UTC". -EINVAL: not a name of the system's zoneinfo; -ENOMEM. */
int zone_get(const char *iana, struct zone **ret_zone, struct tend_error *err);
struct zone *zone_free(struct zone *zone); /* NULL is fine */
DEFINE_AUTO(struct zone *, zone_free)
const char *zone_name(const struct zone *zone);

void zone_local(const struct zone *zone, usec_t wall, struct calendar_time *ret_local);
/* The instant of a local time (weekday and offset are not looked at): the first of two, the end of
 * the gap of one that is skipped. */
usec_t zone_instant(const struct zone *zone, const struct calendar_time *local);
/* The next change of the offset after `wall`; USEC_INFINITY: none known. */
usec_t zone_transition(const struct zone *zone, usec_t wall);

/* "2026-12-01 02:00+01:00 Europe/Berlin" (seconds only when there are any); "2026-12-01 02:00 UTC";
 * "never" for USEC_INFINITY. */
enum { ZONE_TEXT_BYTES = 192 };
const char *zone_format(const struct zone *zone, usec_t wall, char buf[ZONE_TEXT_BYTES]);
/* "2026-12-01T02:00[:00]" in the zone, or with Z or +HH:MM wherever. -EINVAL with text. */
int zone_parse(const struct zone *zone, const char *text, usec_t *ret_wall, struct tend_error *err);

/* Proleptic Gregorian; days since 1970-01-01. */
int64_t calendar_days(int year, int month, int day);
void calendar_from_days(int64_t days, struct calendar_time *ret_date); /* year month day weekday */
int calendar_month_days(int year, int month);

#endif
