/* SPDX-License-Identifier: MIT */
/* Zones and schedules: tables, and glibc as a second opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "calendar/cron.h"
#include "calendar/zone.h"

static struct zone *need_zone(const char *name)
{
	struct tend_error err = {0};
	struct zone *zone = NULL;

	if (zone_get(name, &zone, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	return zone;
}

static struct cron need_cron(const char *text)
{
	struct tend_error err = {0};
	struct cron cron;

	if (cron_parse(text, &cron, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return cron;
}

static usec_t need_time(const struct zone *zone, const char *text)
{
	struct tend_error err = {0};
	usec_t wall = 0;

	if (zone_parse(zone, text, &wall, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return wall;
}

/* ---- zones ---------------------------------------------------------------------------------- */

/* Years in which all of these have changes, or none; and those after 2037, where the tables of
 * tzdata end and its rules take over. */
static const struct {
	const char *zone;
	int from_year, to_year;
} compared[] = {
	{"Europe/Berlin", 2025, 2030},
	{"America/New_York", 2025, 2030},
	{"Australia/Lord_Howe", 2025, 2030},
	{"Asia/Shanghai", 2025, 2030},
	{"Africa/Casablanca", 2025, 2030},
	{"America/Sao_Paulo", 2016, 2020},
	{"Asia/Kathmandu", 2025, 2026},
	{"America/St_Johns", 2025, 2027},
	{"Pacific/Apia", 2010, 2013},
	{"Pacific/Chatham", 2025, 2027},
	{"Europe/Dublin", 2025, 2027},
	{"Antarctica/Troll", 2025, 2027},
	{"Asia/Gaza", 2025, 2030},
	{"Europe/Berlin", 2037, 2060},
	{"America/New_York", 2037, 2060},
};

static void use_glibc_zone(const char *name)
{
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
}

static void local_times_agree_with_glibc(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(compared); i++) {
		auto(zone_free) struct zone *zone = need_zone(compared[i].zone);
		int64_t end = calendar_days(compared[i].to_year + 1, 1, 1) * 86400;

		use_glibc_zone(compared[i].zone);
		for (int64_t sec = calendar_days(compared[i].from_year, 1, 1) * 86400; sec < end;
			sec += 900) {
			struct calendar_time t;
			time_t at = (time_t)sec;
			struct tm tm;

			zone_local(zone, (usec_t)sec * USEC_PER_SEC, &t);
			assert_non_null(localtime_r(&at, &tm));
			if (t.year != tm.tm_year + 1900 || t.month != tm.tm_mon + 1 ||
				t.day != tm.tm_mday || t.hour != tm.tm_hour ||
				t.minute != tm.tm_min || t.second != tm.tm_sec ||
				t.weekday != tm.tm_wday || t.offset_sec != tm.tm_gmtoff)
				fail_msg("%s at %lld: %04d-%02d-%02d %02d:%02d %+d",
					compared[i].zone, (long long)sec, t.year, t.month, t.day,
					t.hour, t.minute, t.offset_sec);
		}
	}
}

/* The zone's names, and those that are none. */
static void zones_are_known_by_name(void **state)
{
	static const struct {
		const char *name, *says; /* NULL: it is one */
	} rows[] = {
		{"UTC", NULL},
		{"Etc/GMT+5", NULL},
		{"America/Argentina/Buenos_Aires", NULL},
		{"Europe/Berln", "the nearest is 'Europe/Berlin'"},
		{"europe/berlin", "the nearest is 'Europe/Berlin'"},
		{"", "is not a time zone"},
		{"+02:00", "is not a time zone"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "is not a time zone"},
		{"../../etc/passwd", "is not a time zone"},
		{"/etc/localtime", "is not a time zone"},
		{"right/Europe/Berlin", "is not a time zone"},
		{"posix/Europe/Berlin", "is not a time zone"},
		{"Europe", "is not a time zone"},
		{"zone.tab", "is not a time zone"},
		{"leapseconds", "is not a time zone"},
		{"Europe/Berlin\nX", "is not a time zone"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		struct zone *zone = NULL;
		int r = zone_get(rows[i].name, &zone, &err);

		if (r != (rows[i].says ? -EINVAL : 0) ||
			(rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("'%s': %d %s", rows[i].name, r, err.text);
		if (r == 0)
			assert_string_equal(zone_name(zone), rows[i].name);
		zone_free(zone);
	}
}

static void zones_are_shared(void **state)
{
	auto(zone_free) struct zone *a = need_zone("Europe/Berlin");
	auto(zone_free) struct zone *b = need_zone("Europe/Berlin");
	auto(zone_free) struct zone *c = need_zone("Europe/Paris");

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
}

static void times_are_read_and_written(void **state)
{
	static const struct {
		const char *zone, *text, *written; /* NULL: refused */
	} rows[] = {
		{"Europe/Berlin", "2026-12-01T02:00", "2026-12-01 02:00+01:00 Europe/Berlin"},
		{"Europe/Berlin", "2026-07-01 02:00:30", "2026-07-01 02:00:30+02:00 Europe/Berlin"},
		{"Europe/Berlin", "2026-12-01T02:00Z", "2026-12-01 03:00+01:00 Europe/Berlin"},
		{"Europe/Berlin", "2026-12-01T02:00-05:00", "2026-12-01 08:00+01:00 Europe/Berlin"},
		{"Europe/Berlin", "2026-03-29T02:30", "2026-03-29 03:00+02:00 Europe/Berlin"},
		{"Europe/Berlin", "2026-10-25T02:30", "2026-10-25 02:30+02:00 Europe/Berlin"},
		{"America/St_Johns", "2026-01-01T00:00", "2026-01-01 00:00-03:30 America/St_Johns"},
		{"UTC", "2028-02-29T23:59", "2028-02-29 23:59 UTC"},
		{"Pacific/Apia", "2011-12-30T12:00", "2011-12-31 00:00+14:00 Pacific/Apia"},
		{"UTC", "2026-02-29T00:00", NULL},
		{"UTC", "2026-13-01T00:00", NULL},
		{"UTC", "2026-12-01T24:00", NULL},
		{"UTC", "2026-12-01", NULL},
		{"UTC", "2026-12-01T02:00Zulu", NULL},
		{"UTC", "2026-12-01T02:00+1:00", NULL},
		{"UTC", "", NULL},
		{"UTC", "2126-12-01T02:00", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(zone_free) struct zone *zone = need_zone(rows[i].zone);
		char text[ZONE_TEXT_BYTES];
		struct tend_error err = {0};
		usec_t wall;
		int r = zone_parse(zone, rows[i].text, &wall, &err);

		assert_int_equal(r, rows[i].written ? 0 : -EINVAL);
		if (r == 0)
			assert_string_equal(zone_format(zone, wall, text), rows[i].written);
		else
			assert_non_null(strstr(err.text, "is not a time"));
	}
}

/* ---- what cron_parse() takes ---------------------------------------------------------------- */

static void schedules_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: it is fine */
	} rows[] = {
		{"30 2 * * *", NULL},
		{" 30\t2  * * * ", NULL},
		{"*/15 0-6/2,22 1,15 JAN-mar Mon-FRI", NULL},
		{"0 0 * * 7", NULL},
		{"0 0 * * fri-sun", NULL},
		{"0 0 31 2 mon", NULL}, /* a Monday will do */
		{"@Daily", NULL},
		{"@hourly ", NULL},
		{"", "five fields"},
		{"* * * *", "this has fewer"},
		{"* * * * * *", "this has more"},
		{"60 * * * *", "minute: 60 is not from 0 to 59"},
		{"* 24 * * *", "hour: 24 is not from 0 to 23"},
		{"* * 0 * *", "day of the month: 0 is not from 1 to 31"},
		{"* * * 13 *", "month: 13 is not from 1 to 12"},
		{"* * * * 8", "day of the week: 8 is not from 0 to 7"},
		{"* * * * munday", "day of the week: 'munday' is"},
		{"* * * jab *", "month: 'jab' is no name; the nearest is 'jan'"},
		{"a * * * *", "minute: 'a' is not a number from 0 to 59"},
		{"5-1 * * * *", "the range 5-1 ends before it begins"},
		{"* * * * fri-mon", "ends before it begins"},
		{"*/0 * * * *", "minute: 0 is not from 1 to 59"},
		{"*/99999999999999999999 * * * *", "is not from 1 to 59"},
		{"5/15 * * * *", "write 5-59/15"},
		{"1,,2 * * * *", "beside a comma"},
		{", * * * *", "beside a comma"},
		{"1- * * * *", "minute: '' is not a number"},
		{"-1 * * * *", "minute: '' is not a number"},
		{"*5 * * * *", "'*5' is not a number"},
		{"0 0 30 2 *", "no month of it has that day"},
		{"0 0 31 4,6,9,11 *", "no month of it has that day"},
		{"@dayly", "the nearest is '@daily'"},
		{"@reboot", "there is no '@reboot'"},
		{"@daily 5", "there is no '@daily 5'"},
		{"0 0 1111111111111111111111111111111111111111111 * *", "is too long"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		struct cron cron;
		int r = cron_parse(rows[i].text, &cron, &err);

		if (r != (rows[i].says ? -EINVAL : 0) ||
			(rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("'%s': %d %s", rows[i].text, r, err.text);
	}
}

/* ---- when they come ------------------------------------------------------------------------- */

/* The rule: a local time that is skipped comes once, at the end of the gap; a repeated one once,
 * the first. Times of tzdata: Berlin 2026-03-29 01:00Z and 2026-10-25 01:00Z, New York 03-08 07:00Z
 * and 11-01 06:00Z, Lord Howe (30 minutes) 04-04 15:00Z and 10-03 15:30Z, Casablanca 02-15 02:00Z
 * and 03-22 02:00Z, Sao Paulo at midnight 2018-11-04 03:00Z and 2019-02-17 02:00Z. */
static const struct {
	const char *zone, *cron, *after;
	const char *expected[5]; /* UTC; ended by NULL */
} table[] = {
	{"Europe/Berlin", "30 2 * * *", "2026-03-28T00:00Z",
		{"2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"}},
	{"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00Z",
		{"2026-10-25T00:30Z", "2026-10-26T01:30Z"}},
	{"Europe/Berlin", "*/20 2 * * *", "2026-03-28T12:00Z",
		{"2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T00:20Z"}},
	{"Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00Z",
		{"2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T01:00Z"}},
	{"Europe/Berlin", "0 * * * *", "2026-10-24T23:30Z",
		{"2026-10-25T00:00Z", "2026-10-25T02:00Z", "2026-10-25T03:00Z"}},
	{"Europe/Berlin", "*/30 * * * *", "2026-03-29T00:15Z",
		{"2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"}},
	{"Europe/Berlin", "30 2 * * *", "2026-03-29T01:00Z", {"2026-03-30T00:30Z"}},
	{"Europe/Berlin", "30 2 * * *", "2026-03-29T00:59Z", {"2026-03-29T01:00Z"}},
	{"Europe/Berlin", "30 2 25 10 *", "2026-10-25T00:31Z", {"2027-10-25T00:30Z"}},
	{"Europe/Berlin", "30 2 25 10 *", "2026-10-25T01:10Z", {"2027-10-25T00:30Z"}},
	{"America/New_York", "30 2 * * *", "2026-03-07T12:00Z",
		{"2026-03-08T07:00Z", "2026-03-09T06:30Z"}},
	{"America/New_York", "30 1 * * *", "2026-10-31T12:00Z",
		{"2026-11-01T05:30Z", "2026-11-02T06:30Z"}},
	{"America/New_York", "@hourly", "2026-11-01T04:30Z",
		{"2026-11-01T05:00Z", "2026-11-01T07:00Z"}},
	{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00Z",
		{"2026-10-03T15:30Z", "2026-10-04T15:15Z"}},
	{"Australia/Lord_Howe", "15,45 2 * * *", "2026-10-03T00:00Z",
		{"2026-10-03T15:30Z", "2026-10-03T15:45Z", "2026-10-04T15:15Z"}},
	{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00Z",
		{"2026-04-04T14:45Z", "2026-04-05T15:15Z"}},
	{"Australia/Lord_Howe", "*/30 * * * *", "2026-04-04T14:00Z",
		{"2026-04-04T14:30Z", "2026-04-04T15:30Z"}},
	{"Asia/Shanghai", "0 2 * * *", "2026-03-28T00:00Z",
		{"2026-03-28T18:00Z", "2026-03-29T18:00Z", "2026-03-30T18:00Z"}},
	{"America/Sao_Paulo", "@daily", "2018-11-03T12:00Z",
		{"2018-11-04T03:00Z", "2018-11-05T02:00Z"}},
	{"America/Sao_Paulo", "30 23 * * *", "2019-02-16T12:00Z",
		{"2019-02-17T01:30Z", "2019-02-18T02:30Z"}},
	{"Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00Z",
		{"2026-02-15T01:30Z", "2026-02-16T02:30Z"}},
	{"Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00Z",
		{"2026-03-22T02:00Z", "2026-03-23T01:30Z"}},
	/* The 30th of December 2011 did not take place in Samoa. */
	{"Pacific/Apia", "0 12 * * *", "2011-12-29T00:00Z",
		{"2011-12-29T22:00Z", "2011-12-30T10:00Z", "2011-12-30T22:00Z"}},
	{"Pacific/Apia", "* * 30 * *", "2011-12-29T00:00Z",
		{"2011-12-30T10:00Z", "2012-01-29T10:00Z"}},
	/* The day rule of cron(5), months, leap years, weekdays. */
	{"UTC", "0 0 13 * 5", "2026-02-01T00:00Z",
		{"2026-02-06T00:00Z", "2026-02-13T00:00Z", "2026-02-20T00:00Z"}},
	{"UTC", "0 0 13 * *", "2026-02-01T00:00Z", {"2026-02-13T00:00Z", "2026-03-13T00:00Z"}},
	{"UTC", "0 0 * * 5", "2026-02-07T00:00Z", {"2026-02-13T00:00Z", "2026-02-20T00:00Z"}},
	{"UTC", "0 0 */2 * 5", "2026-02-01T00:00Z", {"2026-02-13T00:00Z", "2026-02-27T00:00Z"}},
	{"UTC", "0 0 29 2 *", "2026-01-01T00:00Z", {"2028-02-29T00:00Z", "2032-02-29T00:00Z"}},
	{"UTC", "0 0 31 * *", "2026-01-31T00:00Z", {"2026-03-31T00:00Z", "2026-05-31T00:00Z"}},
	{"UTC", "0 0 * * sat-sun", "2026-11-22T00:00Z", {"2026-11-28T00:00Z", "2026-11-29T00:00Z"}},
	{"UTC", "@weekly", "2026-11-22T00:00Z", {"2026-11-29T00:00Z"}},
	{"UTC", "@monthly", "2026-11-22T00:00Z", {"2026-12-01T00:00Z", "2027-01-01T00:00Z"}},
	{"UTC", "@yearly", "2026-11-22T00:00Z", {"2027-01-01T00:00Z", "2028-01-01T00:00Z"}},
	{"UTC", "59 23 31 12 *", "2026-12-31T23:58Z", {"2026-12-31T23:59Z", "2027-12-31T23:59Z"}},
	{"UTC", "0-10/5 9-17/4 * * *", "2026-01-01T13:10Z",
		{"2026-01-01T17:00Z", "2026-01-01T17:05Z", "2026-01-01T17:10Z",
			"2026-01-02T09:00Z"}},
};

static void schedules_come_when_they_should(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		auto(zone_free) struct zone *zone = need_zone(table[i].zone);
		struct cron cron = need_cron(table[i].cron);
		usec_t at = need_time(zone, table[i].after);

		for (const char *const *e = table[i].expected; *e; e++) {
			char text[ZONE_TEXT_BYTES];

			at = cron_next(&cron, zone, at);
			if (at != need_time(zone, *e))
				fail_msg("row %zu, '%s' in %s: %s instead of %s", i, table[i].cron,
					table[i].zone, zone_format(zone, at, text), *e);
		}
	}
}

/* ---- random ones against a walk over every minute -------------------------------------------- */

enum { MINUTES_A_DAY = 1440 };

/* The local minute (since 1970-01-01 00:00 local) of each UTC minute, by glibc alone. */
struct clockwork {
	int64_t first_sec;
	int64_t *local;
	size_t n;
};

static void clockwork_fill(struct clockwork *c, const char *zone, int from_year, int to_year)
{
	use_glibc_zone(zone);
	c->first_sec = calendar_days(from_year, 1, 1) * 86400;
	c->n = (size_t)((calendar_days(to_year + 1, 1, 1) * 86400 - c->first_sec) / 60);
	c->local = calloc(c->n, sizeof(*c->local));
	assert_non_null(c->local);
	for (size_t i = 0; i < c->n; i++) {
		time_t at = (time_t)(c->first_sec + (int64_t)i * 60);
		struct tm tm;

		if (i % 15) { /* offsets change at whole quarters in these years */
			c->local[i] = c->local[i - 1] + 1;
			continue;
		}
		assert_non_null(localtime_r(&at, &tm));
		c->local[i] = (int64_t)at / 60 + tm.tm_gmtoff / 60;
	}
}

struct random_field {
	bool on[60];
	bool star;
	char text[128];
};

static uint64_t random_state = 1;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

static void random_part(struct random_field *f, unsigned min, unsigned max)
{
	unsigned from = min + random_below(max - min + 1);
	unsigned to = from + random_below(max - from + 1);
	unsigned step = 1 + random_below(6);
	size_t len = strlen(f->text);
	char *end = f->text + len;
	size_t room = sizeof(f->text) - len;

	switch (random_below(3)) {
	case 0:
		to = from;
		(void)snprintf(end, room, "%s%u", len ? "," : "", from);
		break;
	case 1:
		step = 1;
		(void)snprintf(end, room, "%s%u-%u", len ? "," : "", from, to);
		break;
	default:
		(void)snprintf(end, room, "%s%u-%u/%u", len ? "," : "", from, to, step);
	}
	for (unsigned i = from; i <= to; i += step)
		f->on[i] = true;
}

static void random_field(struct random_field *f, unsigned min, unsigned max, unsigned star_of_10)
{
	memset(f, 0, sizeof(*f));
	if (random_below(10) < star_of_10) {
		unsigned step = random_below(3) ? 1 : 1 + random_below(7);

		f->star = true;
		(void)snprintf(f->text, sizeof(f->text), step == 1 ? "*" : "*/%u", step);
		for (unsigned i = min; i <= max; i += step)
			f->on[i] = true;
		return;
	}
	for (unsigned n = 1 + random_below(3); n > 0; n--)
		random_part(f, min, max);
}

static bool day_fits(const struct random_field f[5], int64_t days)
{
	struct calendar_time t;
	bool day, weekday;

	calendar_from_days(days, &t);
	day = f[2].on[t.day];
	weekday = f[4].on[t.weekday];
	return f[3].on[t.month] && (f[2].star || f[4].star ? day && weekday : day || weekday);
}

static bool minute_fits(const struct random_field f[5], int64_t minute)
{
	return f[0].on[minute % 60] && f[1].on[minute / 60 % 24] &&
	       day_fits(f, minute / MINUTES_A_DAY);
}

/* Local minutes are taken as they are reached for the first time; those that were jumped over are
 * reached at the jump. */
static void compare_with_minute_walk(
	const struct clockwork *c, const struct zone *zone, const struct random_field f[5])
{
	char text[5 * 130];
	struct cron cron;
	usec_t expected;
	int64_t reached = c->local[0];
	struct tend_error err;

	(void)snprintf(text, sizeof(text), "%s %s %s %s %s", f[0].text, f[1].text, f[2].text,
		f[3].text, f[4].text);
	if (cron_parse(text, &cron, &err) < 0) {
		if (!strstr(err.text, "no month of it") && !strstr(err.text, "at most"))
			fail_msg("'%s': %s", text, err.text);
		return;
	}
	expected = cron_next(&cron, zone, (usec_t)c->first_sec * USEC_PER_SEC);
	for (size_t i = 1; i < c->n; i++) {
		usec_t now = (usec_t)(c->first_sec + (int64_t)i * 60) * USEC_PER_SEC;
		bool fires = false;

		for (; reached < c->local[i]; reached++)
			fires = fires || minute_fits(f, reached + 1);
		if (fires != (now == expected))
			fail_msg("'%s' in %s: at %llu it %s, cron_next said %llu", text,
				zone_name(zone), (unsigned long long)now / USEC_PER_SEC,
				fires ? "fires" : "does not fire",
				(unsigned long long)expected / USEC_PER_SEC);
		if (fires)
			expected = cron_next(&cron, zone, now);
	}
}

static void random_schedules_agree_with_a_minute_walk(void **state)
{
	static const char *const zones[] = {"Europe/Berlin", "America/New_York",
		"Australia/Lord_Howe", "Asia/Shanghai", "Africa/Casablanca", "Europe/Dublin",
		"America/St_Johns", "America/Santiago", "Pacific/Chatham", "Antarctica/Troll",
		"Asia/Gaza", "Africa/Cairo", "America/Havana", "UTC"};
	const char *more = getenv("TEND_TEST_ROUNDS");
	int n_rounds = more ? atoi(more) : 3;

	for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
		auto(zone_free) struct zone *zone = need_zone(zones[z]);
		struct clockwork c;

		clockwork_fill(&c, zones[z], 2025, 2030);
		for (int i = 0; i < n_rounds; i++) {
			struct random_field f[5];

			random_field(&f[0], 0, 59, 1);
			random_field(&f[1], 0, 23, 4);
			random_field(&f[2], 1, 31, 6);
			random_field(&f[3], 1, 12, 7);
			random_field(&f[4], 0, 6, 6);
			compare_with_minute_walk(&c, zone, f);
		}
		free(c.local);
	}
}

static void zones_are_read_quickly(void **state)
{
	const size_t n = ARRAY_SIZE(compared);
	usec_t began = clock_now();

	for (size_t i = 0; i < n; i++)
		zone_free(need_zone(compared[i].zone));
	print_message("%.0f us a zone\n", (double)(clock_now() - began) / (double)n);
}

static void a_step_is_cheap(void **state)
{
	static const char *const texts[] = {
		"30 2 * * *", "* * * * *", "0 4 1 * *", "0 0 29 2 *", "15 3 * * mon-fri"};
	auto(zone_free) struct zone *zone = need_zone("Europe/Berlin");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct cron cron = need_cron(texts[i]);
		usec_t at = need_time(zone, "2026-01-01T00:00Z"), began = clock_now();
		enum { N = 20000 };

		for (size_t n = 0; n < N; n++) {
			usec_t next = cron_next(&cron, zone, at);

			at = n % 8 == 7 || next == USEC_INFINITY
				     ? need_time(zone, "2026-01-01T00:00Z")
				     : next;
		}
		print_message(
			"%-18s %.3f us a step\n", texts[i], (double)(clock_now() - began) / N);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_times_agree_with_glibc),
		cmocka_unit_test(zones_are_known_by_name),
		cmocka_unit_test(zones_are_shared),
		cmocka_unit_test(times_are_read_and_written),
		cmocka_unit_test(schedules_are_refused_with_a_reason),
		cmocka_unit_test(schedules_come_when_they_should),
		cmocka_unit_test(random_schedules_agree_with_a_minute_walk),
		cmocka_unit_test(zones_are_read_quickly),
		cmocka_unit_test(a_step_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
