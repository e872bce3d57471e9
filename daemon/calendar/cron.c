/* SPDX-License-Identifier: MIT */
#include "calendar/cron.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"

enum { N_FIELDS = 5, MAX_NAMES = 12, WORD_BYTES = 32 };

struct field {
	const char *what;
	unsigned min, max;
	unsigned first;		      /* the number of names[0] */
	const char *names[MAX_NAMES]; /* in order; NULL: numbers only */
};

static const struct field fields[N_FIELDS] = {
	{"minute", 0, 59, 0, {NULL}},
	{"hour", 0, 23, 0, {NULL}},
	{"day of the month", 1, 31, 0, {NULL}},
	{"month", 1, 12, 1,
		{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
			"dec"}},
	{"day of the week", 0, 7, 0, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
};
enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY };

static const struct {
	const char *word;
	const char *means;
} words[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

/* ---- reading -------------------------------------------------------------------------------- */

static int unknown_name(const struct field *f, const char *word, struct tend_error *err)
{
	size_t n = 0;
	const char *nearest;

	while (n < MAX_NAMES && f->names[n])
		n++;
	nearest = n ? str_nearest(word, f->names, n) : NULL;
	if (nearest)
		return tend_error_set(err, -EINVAL, "%s: '%s' is no name; the nearest is '%s'",
			f->what, word, nearest);
	return tend_error_set(err, -EINVAL, "%s: '%s' is not a number from %u to %u%s", f->what,
		word, f->min, f->max, n ? " or a name of three letters" : "");
}

static int parse_number(const struct field *f, const char *word, unsigned min, unsigned max,
	unsigned *ret_number, struct tend_error *err)
{
	unsigned number = 0;

	for (unsigned i = 0; i < MAX_NAMES && f->names[i]; i++)
		if (strcasecmp(word, f->names[i]) == 0) {
			*ret_number = f->first + i;
			return 0;
		}
	if (!*word || strspn(word, "0123456789") != strlen(word))
		return unknown_name(f, word, err);
	for (const char *p = word; *p; p++)
		number = number > 9999 ? number : number * 10 + (unsigned)(*p - '0');
	if (number < min || number > max)
		return tend_error_set(
			err, -EINVAL, "%s: %s is not from %u to %u", f->what, word, min, max);
	*ret_number = number;
	return 0;
}

/* "A-B"; sunday may end a week as it may begin one. */
static int parse_range(const struct field *f, char *text, unsigned *ret_from, unsigned *ret_to,
	struct tend_error *err)
{
	char *dash = strchr(text, '-');
	unsigned from = 0, to;
	int r;

	if (dash)
		*dash = '\0';
	r = parse_number(f, text, f->min, f->max, &from, err);
	if (r < 0)
		return r;
	to = from;
	if (dash)
		r = parse_number(f, dash + 1, f->min, f->max, &to, err);
	if (r < 0)
		return r;
	if (to == 0 && from > 0 && f == &fields[FIELD_WEEKDAY])
		to = 7;
	if (to < from)
		return tend_error_set(err, -EINVAL,
			"%s: the range %s-%s ends before it begins, write two with a comma",
			f->what, text, dash ? dash + 1 : "");
	*ret_from = from;
	*ret_to = to;
	return 0;
}

/* "*", "A", "A-B", each of the last two with "/STEP" behind it where it has a length. */
static int parse_part(const struct field *f, char *part, uint64_t *mask, struct tend_error *err)
{
	char *slash = strchr(part, '/');
	unsigned from = f->min, to = MIN(f->max, f == &fields[FIELD_WEEKDAY] ? 6u : f->max);
	unsigned step = 1;
	int r = 0;

	if (slash)
		*slash = '\0';
	if (slash && strcmp(part, "*") != 0 && !strchr(part, '-'))
		return tend_error_set(err, -EINVAL,
			"%s: a step needs a range, write %s-%u/%s or */%s", f->what, part, to,
			slash + 1, slash + 1);
	if (slash) {
		struct field plain = *f;

		plain.names[0] = NULL;
		r = parse_number(&plain, slash + 1, 1, f->max, &step, err);
	}
	if (r == 0 && strcmp(part, "*") != 0)
		r = parse_range(f, part, &from, &to, err);
	if (r < 0)
		return r;
	for (unsigned i = from; i <= to; i += step)
		*mask |= UINT64_C(1) << i;
	return 0;
}

static int parse_field(
	const struct field *f, char *text, uint64_t *ret_mask, struct tend_error *err)
{
	char *part, *next = text;
	uint64_t mask = 0;

	while ((part = strsep(&next, ","))) {
		int r;

		if (!*part)
			return tend_error_set(
				err, -EINVAL, "%s: there is nothing beside a comma", f->what);
		if (strlen(part) >= WORD_BYTES)
			return tend_error_set(err, -EINVAL, "%s: '%.*s...' is too long", f->what,
				WORD_BYTES, part);
		r = parse_part(f, part, &mask, err);
		if (r < 0)
			return r;
	}
	*ret_mask = mask;
	return 0;
}

static int unknown_word(const char *word, struct tend_error *err)
{
	const char *names[ARRAY_SIZE(words)];
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		names[i] = words[i].word;
	nearest = str_nearest(word, names, ARRAY_SIZE(words));
	return tend_error_set(err, -EINVAL, "there is no '%.40s'; %s'%s'", word,
		nearest ? "the nearest is " : "there are @yearly, @monthly, @weekly, @daily and ",
		nearest ? nearest : "@hourly");
}

/* 30 February: such a schedule is a slip, and would be looked for in vain. */
static bool never_comes(const struct cron *c)
{
	if (!c->weekdays_any)
		return false;
	for (int month = 1; month <= 12; month++)
		if (c->months >> month & 1 &&
			c->days & (uint32_t)((UINT64_C(2) << calendar_month_days(2000, month)) - 1))
			return false;
	return true;
}

static int parse_fields(char *text, struct cron *ret_cron, struct tend_error *err)
{
	char *items[N_FIELDS + 1], *saved = NULL;
	uint64_t masks[N_FIELDS];
	struct cron c;
	size_t n = 0;

	for (char *item = strtok_r(text, " \t", &saved); item; item = strtok_r(NULL, " \t", &saved))
		if (n <= N_FIELDS)
			items[n++] = item;
	if (n != N_FIELDS)
		return tend_error_set(err, -EINVAL,
			"a schedule has five fields (minute hour day month weekday), as in "
			"30 2 * * mon-fri; this has %s",
			n > N_FIELDS ? "more" : "fewer");
	c.days_any = items[FIELD_DAY][0] == '*';
	c.weekdays_any = items[FIELD_WEEKDAY][0] == '*';
	for (size_t i = 0; i < N_FIELDS; i++) {
		int r = parse_field(&fields[i], items[i], &masks[i], err);

		if (r < 0)
			return r;
	}
	c.minutes = masks[FIELD_MINUTE];
	c.hours = (uint32_t)masks[FIELD_HOUR];
	c.days = (uint32_t)masks[FIELD_DAY];
	c.months = (uint32_t)masks[FIELD_MONTH];
	c.weekdays = (uint32_t)((masks[FIELD_WEEKDAY] | masks[FIELD_WEEKDAY] >> 7) & 0x7f);
	if (never_comes(&c))
		return tend_error_set(err, -EINVAL, "no month of it has that day of the month");
	*ret_cron = c;
	return 0;
}

int cron_parse(const char *text, struct cron *ret_cron, struct tend_error *err)
{
	char copy[CRON_MAX_BYTES];

	text += strspn(text, " \t");
	if (strlen(text) >= sizeof(copy))
		return tend_error_set(
			err, -EINVAL, "a schedule has at most %d characters", CRON_MAX_BYTES - 1);
	if (text[0] == '@') {
		size_t len = strcspn(text, " \t");
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(words) && !known; i++) {
			known = len == strlen(words[i].word) &&
				!text[len + strspn(text + len, " \t")] &&
				strncasecmp(text, words[i].word, len) == 0;
			if (known)
				text = words[i].means;
		}
		if (!known)
			return unknown_word(text, err);
	}
	(void)snprintf(copy, sizeof(copy), "%s", text);
	return parse_fields(copy, ret_cron, err);
}

/* ---- walking -------------------------------------------------------------------------------- */

/* cron(5): when both days are given, either will do. */
static bool day_fits(const struct cron *c, const struct calendar_time *t)
{
	bool day = c->days >> t->day & 1;
	bool weekday = c->weekdays >> t->weekday & 1;

	return c->days_any || c->weekdays_any ? day && weekday : day || weekday;
}

/* The first bit at or above `from`; -1: none. */
static int next_bit(uint64_t mask, int from)
{
	uint64_t rest = from > 63 ? 0 : mask >> from << from;

	return rest ? __builtin_ctzll(rest) : -1;
}

static void move_to_day(struct calendar_time *t, int64_t day)
{
	calendar_from_days(day, t);
	t->hour = t->minute = 0;
}

/* Moves `t` to the first wall-clock minute at or after it that fits; false: none up to `last_day`.
 */
static bool find_fit(const struct cron *c, struct calendar_time *t, int64_t last_day)
{
	int64_t day = calendar_days(t->year, t->month, t->day);

	while (day <= last_day) {
		if (!(c->months >> t->month & 1)) {
			day += calendar_month_days(t->year, t->month) - t->day + 1;
		} else {
			int minute = -1, hour = -1;

			if (day_fits(c, t)) {
				minute = next_bit(c->minutes, t->minute);
				hour = next_bit(c->hours, minute < 0 ? t->hour + 1 : t->hour);
			}
			if (hour >= 0) {
				t->minute = hour == t->hour ? minute : next_bit(c->minutes, 0);
				t->hour = hour;
				return true;
			}
			day++;
		}
		move_to_day(t, day);
	}
	return false;
}

/* The walk goes over local times, and each is turned into the one instant it stands for: so neither
 * a gap nor an overlap of the clock can lose or double one. */
usec_t cron_next(const struct cron *cron, const struct zone *zone, usec_t after_wall)
{
	struct calendar_time t;
	int64_t last_day;

	if (after_wall == USEC_INFINITY)
		return USEC_INFINITY;
	zone_local(zone, after_wall, &t);
	t.second = 0;
	last_day = calendar_days(t.year, t.month, t.day) + CRON_HORIZON_YEARS * 366;
	while (find_fit(cron, &t, last_day)) {
		usec_t instant = zone_instant(zone, &t);

		if (instant > after_wall)
			return instant;
		if (++t.minute > 59) {
			t.minute = 0;
			if (++t.hour > 23)
				move_to_day(&t, calendar_days(t.year, t.month, t.day) + 1);
		}
	}
	return USEC_INFINITY;
}
