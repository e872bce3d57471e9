/* SPDX-License-Identifier: MIT */
/*
 * calendar/private.h: what zone.c (which reads zones) and local.c (which computes with them) share.
 * A zone's table is complete from 1970 to ZONE_LAST_YEAR; before and after it the nearest offset
 * holds. Written once by zone.c before anybody else sees the zone.
 */
#ifndef CALENDAR_PRIVATE_H
#define CALENDAR_PRIVATE_H

#include <sys/stat.h>
#include "calendar/zone.h"

enum { ZONE_NAME_BYTES = 64, ZONE_LAST_YEAR = 2100, DAY_SEC = 86400 };

struct zone_span {	  /* until the next one begins */
	int64_t from_sec; /* the first: INT64_MIN */
	int32_t offset_sec;
};

struct zone {
	unsigned n_refs;
	char name[ZONE_NAME_BYTES];
	struct timespec modified; /* of its file */
	struct zone_span *spans;
	size_t n_spans; /* at least one */
};

#endif
