/* SPDX-License-Identifier: MIT */
/* Computing with a zone's table: instants and local times, and how both are written. */
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "calendar/private.h"

const char *const calendar_weekdays[7] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

/* ---- dates ---------------------------------------------------------------------------------- */

/* Years that begin in March have their leap day at the end; eras of 400 years are all alike. */
int64_t calendar_days(int year, int month, int day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

void calendar_from_days(int64_t days, struct calendar_time *ret_date)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153; /* 0 is March */

	ret_date->day = (int)(of_year - (153 * month + 2) / 5 + 1);
	ret_date->month = (int)(month < 10 ? month + 3 : month - 9);
	ret_date->year = (int)(year + era * 400 + (ret_date->month <= 2));
	ret_date->weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

int calendar_month_days(int year, int month)
{
	static const int8_t n_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return n_days[month - 1] + (month == 2 && leap);
}

/* ---- the table ------------------------------------------------------------------------------ */

const char *zone_name(const struct zone *zone)
{
	return zone->name;
}

/* The last span that begins at or before it. */
static size_t span_of(const struct zone *zone, int64_t sec)
{
	size_t low = 0, high = zone->n_spans;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (zone->spans[middle].from_sec <= sec)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int64_t to_sec(usec_t wall)
{
	return (int64_t)(wall / USEC_PER_SEC);
}

void zone_local(const struct zone *zone, usec_t wall, struct calendar_time *ret_local)
{
	int64_t sec = to_sec(wall);
	int32_t offset = zone->spans[span_of(zone, sec)].offset_sec;
	int64_t local = sec + offset;
	int64_t days = local >= 0 ? local / DAY_SEC : (local - (DAY_SEC - 1)) / DAY_SEC;
	int of_day = (int)(local - days * DAY_SEC);

	calendar_from_days(days, ret_local);
	ret_local->hour = of_day / 3600;
	ret_local->minute = of_day / 60 % 60;
	ret_local->second = of_day % 60;
	ret_local->offset_sec = offset;
}

/* Every span in which the local time could lie is looked at, from the first on; no offset is more
 * than a day, and no gap longer. */
usec_t zone_instant(const struct zone *zone, const struct calendar_time *local)
{
	int64_t sec = calendar_days(local->year, local->month, local->day) * DAY_SEC +
		      local->hour * 3600 + local->minute * 60 + local->second;
	int64_t found = sec - zone->spans[0].offset_sec;

	for (size_t i = span_of(zone, sec - 2 * DAY_SEC); i < zone->n_spans; i++) {
		bool last = i + 1 == zone->n_spans;

		/* Before the span's own beginning: it was skipped by the change to this span. */
		found = MAX(sec - zone->spans[i].offset_sec, zone->spans[i].from_sec);
		if (last || found < zone->spans[i + 1].from_sec)
			break;
	}
	return found > 0 ? (usec_t)found * USEC_PER_SEC : 0;
}

usec_t zone_transition(const struct zone *zone, usec_t wall)
{
	size_t next = span_of(zone, to_sec(wall)) + 1;

	return next < zone->n_spans ? (usec_t)zone->spans[next].from_sec * USEC_PER_SEC
				    : USEC_INFINITY;
}

/* ---- text ----------------------------------------------------------------------------------- */

const char *zone_format(const struct zone *zone, usec_t wall, char buf[ZONE_TEXT_BYTES])
{
	struct calendar_time t;
	char seconds[16] = "", offset[32] = "";

	if (wall == USEC_INFINITY) {
		(void)snprintf(buf, ZONE_TEXT_BYTES, "never");
		return buf;
	}
	zone_local(zone, wall, &t);
	if (t.second)
		(void)snprintf(seconds, sizeof(seconds), ":%02d", t.second);
	if (strcmp(zone->name, "UTC") != 0)
		(void)snprintf(offset, sizeof(offset), "%c%02d:%02d", t.offset_sec < 0 ? '-' : '+',
			abs(t.offset_sec) / 3600, abs(t.offset_sec) / 60 % 60);
	(void)snprintf(buf, ZONE_TEXT_BYTES, "%04d-%02d-%02d %02d:%02d%s%s %s", t.year, t.month,
		t.day, t.hour, t.minute, seconds, offset, zone->name);
	return buf;
}

/* `n` digits and then one of `ends` (its NUL counts); moves on behind the digits. */
static bool digits(const char **p, int n, int min, int max, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		value = value * 10 + ((*p)[i] - '0');
	}
	*p += n;
	*ret_value = value;
	return value >= min && value <= max;
}

static bool mark(const char **p, const char *any_of)
{
	if (!**p || !strchr(any_of, **p))
		return false;
	(*p)++;
	return true;
}

static bool parse_date(const char **p, struct calendar_time *t)
{
	return digits(p, 4, 1970, ZONE_LAST_YEAR, &t->year) && mark(p, "-") &&
	       digits(p, 2, 1, 12, &t->month) && mark(p, "-") &&
	       digits(p, 2, 1, calendar_month_days(t->year, t->month), &t->day);
}

static bool parse_clock(const char **p, struct calendar_time *t)
{
	if (!mark(p, "Tt ") || !digits(p, 2, 0, 23, &t->hour) || !mark(p, ":") ||
		!digits(p, 2, 0, 59, &t->minute))
		return false;
	return !mark(p, ":") || digits(p, 2, 0, 59, &t->second);
}

static bool parse_offset(const char **p, int *ret_sec)
{
	int sign = **p == '-' ? -1 : 1;
	int hours, minutes;

	*ret_sec = 0;
	if (mark(p, "Zz"))
		return true;
	if (!mark(p, "+-") || !digits(p, 2, 0, 15, &hours) || !mark(p, ":") ||
		!digits(p, 2, 0, 59, &minutes))
		return false;
	*ret_sec = sign * (hours * 3600 + minutes * 60);
	return true;
}

int zone_parse(const struct zone *zone, const char *text, usec_t *ret_wall, struct tend_error *err)
{
	struct calendar_time t = {0};
	const char *p = text;
	int offset = 0;
	bool local = false;

	if (!parse_date(&p, &t) || !parse_clock(&p, &t) ||
		!((local = !*p) || parse_offset(&p, &offset)) || *p)
		return tend_error_set(err, -EINVAL,
			"'%.80s' is not a time, write it as in 2026-12-01T02:00 (local) or "
			"2026-12-01T02:00Z",
			text);
	if (local) {
		*ret_wall = zone_instant(zone, &t);
	} else {
		int64_t sec = calendar_days(t.year, t.month, t.day) * DAY_SEC + t.hour * 3600 +
			      t.minute * 60 + t.second - offset;

		*ret_wall = sec > 0 ? (usec_t)sec * USEC_PER_SEC : 0;
	}
	return 0;
}
