/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include "base/cleanup.h"

static usec_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t real_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

static usec_t real_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

static const struct clock_source real_source = {real_now, real_wall};
static const struct clock_source *source = &real_source;

void clock_set_source(const struct clock_source *s)
{
	source = s ? s : &real_source;
}

usec_t clock_now(void)
{
	return source->now();
}

usec_t clock_wall(void)
{
	return source->wall();
}

const char *clock_format(usec_t wall, char buf[CLOCK_TEXT_BYTES])
{
	time_t sec = (time_t)(wall / USEC_PER_SEC);
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(buf, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf + n, CLOCK_TEXT_BYTES - n, ".%06uZ", (unsigned)(wall % USEC_PER_SEC));
	return buf;
}

json_t *clock_to_json(usec_t wall)
{
	char buf[CLOCK_TEXT_BYTES];

	return wall ? json_string(clock_format(wall, buf)) : json_null();
}

int clock_parse(const char *text, usec_t *ret_wall)
{
	struct tm tm = {0};
	unsigned usec = 0, digits = 0;
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!p)
		return -EINVAL;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++)
			if (digits < 6) {
				usec = usec * 10 + (unsigned)(*p - '0');
				digits++;
			}
	for (; digits < 6; digits++)
		usec *= 10;
	if (p[0] != 'Z' || p[1] != '\0')
		return -EINVAL;
	time_t sec = timegm(&tm);
	if (sec < 0)
		return -EINVAL;
	*ret_wall = (usec_t)sec * USEC_PER_SEC + usec;
	return 0;
}

const char *clock_format_span(usec_t span, char buf[CLOCK_TEXT_BYTES])
{
	static const struct {
		usec_t usec;
		const char *name;
	} units[] = {
		{86400 * USEC_PER_SEC, "d"},
		{3600 * USEC_PER_SEC, "h"},
		{60 * USEC_PER_SEC, "m"},
		{USEC_PER_SEC, "s"},
		{USEC_PER_MSEC, "ms"},
		{1, "us"},
	};

	if (span == USEC_INFINITY) {
		(void)snprintf(buf, CLOCK_TEXT_BYTES, "never");
		return buf;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (span < units[i].usec)
			continue;
		usec_t rest = span % units[i].usec, tenths = rest / (100 * USEC_PER_MSEC);
		int n = snprintf(buf, CLOCK_TEXT_BYTES, "%" PRIu64 "%s", span / units[i].usec,
			units[i].name);
		if (i < 3 && rest >= units[i + 1].usec)
			(void)snprintf(buf + n, CLOCK_TEXT_BYTES - (size_t)n, "%" PRIu64 "%s",
				rest / units[i + 1].usec, units[i + 1].name);
		else if (units[i].usec == USEC_PER_SEC && span < 10 * USEC_PER_SEC && tenths > 0)
			(void)snprintf(buf, CLOCK_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 "s",
				span / USEC_PER_SEC, tenths);
		return buf;
	}
	(void)snprintf(buf, CLOCK_TEXT_BYTES, "0s");
	return buf;
}
