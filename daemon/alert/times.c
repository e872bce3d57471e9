/* SPDX-License-Identifier: MIT */
#include "alert/times.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"

enum { DAY_MINUTES = 24 * 60, ALL_DAYS = 0x7f };

/* ---- parsing -------------------------------------------------------------------------------- */

int times_parse_day(const char *text, size_t len)
{
	for (int day = 0; day < 7; day++)
		if ((len == 3 || len == strlen(calendar_weekdays[day])) &&
			strncasecmp(text, calendar_weekdays[day], len) == 0)
			return day;
	return -EINVAL;
}

static bool two_digits(const char *p, int max, int *ret_value)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*ret_value = (p[0] - '0') * 10 + p[1] - '0';
	return *ret_value <= max;
}

int times_parse_clock(const char *text, bool midnight, const char **ret_end)
{
	int hour, minute;

	if (!two_digits(text, 24, &hour) || text[2] != ':' || !two_digits(text + 3, 59, &minute))
		return -EINVAL;
	if (hour == 24 && (minute > 0 || !midnight))
		return -EINVAL;
	*ret_end = text + 5;
	return hour * 60 + minute;
}

/* "mon", "mon-fri", "daily". */
static int parse_days(const char *text, size_t len, unsigned *ret_days)
{
	const char *dash = memchr(text, '-', len);
	int from, to;

	if (len == 5 && strncasecmp(text, "daily", len) == 0) {
		*ret_days = ALL_DAYS;
		return 0;
	}
	from = times_parse_day(text, dash ? (size_t)(dash - text) : len);
	to = dash ? times_parse_day(dash + 1, len - (size_t)(dash + 1 - text)) : from;
	if (from < 0 || to < 0)
		return -EINVAL;
	*ret_days = 1u << from;
	while (from != to) {
		from = (from + 1) % 7;
		*ret_days |= 1u << from;
	}
	return 0;
}

/* `item`: one of the list, without blanks around it. */
static int parse_item(const char *item, size_t len, bool moment, struct times_span *ret_span)
{
	struct times_span span = {.days = ALL_DAYS, .begin = 0, .end = DAY_MINUTES};
	const char *end = item + len, *p = item;
	size_t word = strcspn(item, " \t\r\n,");

	word = word > len ? len : word;
	if (word > 0 && (*p < '0' || *p > '9')) {
		if (parse_days(p, word, &span.days) < 0)
			return -EINVAL;
		p += word;
		p += strspn(p, " \t\r\n");
		if (p >= end)
			goto whole_days;
	}
	if (end - p < 5)
		return -EINVAL;
	span.begin = times_parse_clock(p, false, &p);
	span.end = span.begin;
	if (span.begin < 0)
		return -EINVAL;
	if (!moment) {
		if (end - p < 6 || *p != '-')
			return -EINVAL;
		span.end = times_parse_clock(p + 1, true, &p);
		if (span.end < 0 || span.end == span.begin)
			return -EINVAL;
	}
	if (p != end)
		return -EINVAL;
	*ret_span = span;
	return 0;
whole_days:
	if (moment)
		return -EINVAL;
	*ret_span = span;
	return 0;
}

static int parse_list(
	const char *text, bool moment, struct tend_error *err, struct times *ret_times)
{
	struct times times = {0};
	const char *p = text;

	if (strnlen(text, TIMES_TEXT_BYTES + 1) > TIMES_TEXT_BYTES)
		return tend_error_set(err, -EINVAL, "it is longer than %d bytes", TIMES_TEXT_BYTES);
	for (;;) {
		size_t len;

		p += strspn(p, " \t\r\n");
		len = strcspn(p, ",");
		while (len > 0 && strchr(" \t\r\n", p[len - 1]))
			len--;
		if (times.n == TIMES_MAX_SPANS)
			return tend_error_set(
				err, -EINVAL, "there are more than %d spans", TIMES_MAX_SPANS);
		if (parse_item(p, len, moment, &times.spans[times.n]) < 0)
			return tend_error_set(err, -EINVAL, "'%.*s' is not %s",
				(int)(len > 60 ? 60 : len), p,
				moment ? "DAYS HH:MM, as in daily 08:00 or mon-fri 08:00"
				       : "DAYS HH:MM-HH:MM, as in mon-fri 08:00-18:00");
		times.n++;
		p += strcspn(p, ",");
		if (!*p)
			break;
		p++;
	}
	*ret_times = times;
	return 0;
}

int times_parse(const char *text, struct tend_error *err, struct times *ret_times)
{
	return parse_list(text, false, err, ret_times);
}

int times_parse_moment(const char *text, struct tend_error *err, struct times *ret_times)
{
	return parse_list(text, true, err, ret_times);
}

/* ---- asking --------------------------------------------------------------------------------- */

static bool span_inside(const struct times_span *span, int weekday, int minute)
{
	bool today = span->days & (1u << weekday);
	bool yesterday = span->days & (1u << ((weekday + 6) % 7));

	if (span->end > span->begin)
		return today && minute >= span->begin && minute < span->end;
	if (span->end == span->begin) /* a moment */
		return false;
	return (today && minute >= span->begin) || (yesterday && minute < span->end);
}

bool times_inside(const struct times *times, const struct zone *zone, usec_t wall)
{
	struct calendar_time local;

	zone_local(zone, wall, &local);
	for (unsigned i = 0; i < times->n; i++)
		if (span_inside(&times->spans[i], local.weekday, local.hour * 60 + local.minute))
			return true;
	return false;
}

static usec_t span_next(
	const struct times_span *span, const struct zone *zone, int64_t today, usec_t wall)
{
	/* A week and a day: today's may be over. A day before: the zone's day may have just begun.
	 */
	for (int i = -1; i <= 8; i++) {
		struct calendar_time local = {0};
		usec_t at;

		calendar_from_days(today + i, &local);
		if (!(span->days & (1u << local.weekday)))
			continue;
		local.hour = span->begin / 60;
		local.minute = span->begin % 60;
		at = zone_instant(zone, &local);
		if (at > wall)
			return at;
	}
	return USEC_INFINITY;
}

usec_t times_next(const struct times *times, const struct zone *zone, usec_t wall)
{
	struct calendar_time local;
	usec_t next = USEC_INFINITY;
	int64_t today;

	zone_local(zone, wall, &local);
	today = calendar_days(local.year, local.month, local.day);
	for (unsigned i = 0; i < times->n; i++) {
		usec_t at = span_next(&times->spans[i], zone, today, wall);

		next = at < next ? at : next;
	}
	return next;
}
