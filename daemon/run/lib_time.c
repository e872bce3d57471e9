/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/env.h"
#include "run/lib.h"
#include "run/param.h"

/* Times are seconds since 1970-01-01T00:00:00Z, as numbers; the years 1 to 9999. Calendars are
 * Gregorian throughout, and there are no leap seconds. */
enum { MINUTE = 60, HOUR = 3600, DAY = 86400, FORMAT_BYTES = 256, OFFSET_MAX_MIN = 18 * 60 };
static const lua_Integer first_sec = -62135596800, last_sec = 253402300799;

static const char *const weekdays[] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
static const char *const months[] = {"january", "february", "march", "april", "may", "june", "july",
	"august", "september", "october", "november", "december"};

struct fields {
	int year, month, day, hour, minute, second;
	int weekday, yearday; /* 0 is Sunday; 1 is the first of January */
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_before_month(int year, int month)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

	return before[month - 1] + (month > 2 && is_leap(year));
}

static int days_in_month(int year, int month)
{
	return month == 12 ? 31
			   : days_before_month(year, month + 1) - days_before_month(year, month);
}

/* Days from 1970-01-01 to the first of January of a year from 1 on. */
static lua_Integer days_before_year(int year)
{
	lua_Integer y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static lua_Integer to_seconds(const struct fields *f)
{
	lua_Integer days =
		days_before_year(f->year) + days_before_month(f->year, f->month) + f->day - 1;

	return days * DAY + f->hour * HOUR + f->minute * MINUTE + f->second;
}

static void from_seconds(lua_Integer sec, struct fields *ret)
{
	lua_Integer days = (sec - first_sec) / DAY + days_before_year(1);
	int rest = (int)((sec - first_sec) % DAY);
	int year = (int)((days + 719162) / 366) + 1, month = 12;

	while (days_before_year(year + 1) <= days)
		year++;
	days -= days_before_year(year);
	while (days_before_month(year, month) > days)
		month--;
	*ret = (struct fields){.year = year,
		.month = month,
		.day = (int)days - days_before_month(year, month) + 1,
		.hour = rest / HOUR,
		.minute = rest % HOUR / MINUTE,
		.second = rest % MINUTE,
		.weekday = (int)(((sec - first_sec) / DAY + 1) % 7),
		.yearday = (int)days + 1};
}

static bool take_number(const char **p, size_t digits, int *ret)
{
	int n = 0;

	for (size_t i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		n = n * 10 + ((*p)[i] - '0');
	}
	*p += digits;
	*ret = n;
	return true;
}

static bool take_letter(const char **p, const char *letters)
{
	if (!**p || !strchr(letters, **p))
		return false;
	(*p)++;
	return true;
}

static bool parse_date(const char **p, struct fields *f)
{
	return take_number(p, 4, &f->year) && take_letter(p, "-") && take_number(p, 2, &f->month) &&
	       take_letter(p, "-") && take_number(p, 2, &f->day) && f->year >= 1 && f->month >= 1 &&
	       f->month <= 12 && f->day >= 1 && f->day <= days_in_month(f->year, f->month);
}

static bool parse_clock(const char **p, struct fields *f, double *ret_fraction)
{
	double unit = 0.1;

	if (!take_number(p, 2, &f->hour) || !take_letter(p, ":") ||
		!take_number(p, 2, &f->minute) || !take_letter(p, ":") ||
		!take_number(p, 2, &f->second) || f->hour > 23 || f->minute > 59 || f->second > 59)
		return false;
	if (!take_letter(p, "."))
		return true;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		*ret_fraction += (**p - '0') * unit;
	return true;
}

/* Z, +01:00 or -05:30, to the end. */
static bool parse_offset(const char **p, int *ret_min)
{
	bool west = **p == '-';
	int hours, minutes;

	if (take_letter(p, "Zz")) {
		*ret_min = 0;
		return true;
	}
	if (!take_letter(p, "+-") || !take_number(p, 2, &hours) || !take_letter(p, ":") ||
		!take_number(p, 2, &minutes) || hours > 18 || minutes > 59)
		return false;
	*ret_min = (hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

/* time.parse(text): seconds; or nil and what is wrong. A date alone is its midnight, UTC. */
static int parse(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len), *p = text;
	struct fields f = {0};
	double fraction = 0;
	int offset_min = 0;
	bool good = parse_date(&p, &f);

	if (good && *p)
		good = take_letter(&p, "Tt ") && parse_clock(&p, &f, &fraction) &&
		       parse_offset(&p, &offset_min);
	if (!good || p != text + len) {
		lua_pushnil(L);
		lua_pushfstring(L,
			"'%s' is no time such as 2026-03-01T02:00:00Z or 2026-03-01T02:00:00+01:00",
			len <= 64 ? text : "...");
		return 2;
	}
	lua_pushinteger(L, to_seconds(&f) - offset_min * MINUTE);
	if (fraction > 0) {
		lua_pushnumber(L, fraction);
		lua_arith(L, LUA_OPADD);
	}
	return 1;
}

static lua_Number check_time(lua_State *L, int index, const char *name)
{
	lua_Number sec = luaL_checknumber(L, index);

	if (!(sec >= (lua_Number)first_sec + DAY && sec <= (lua_Number)last_sec - DAY))
		env_error(L, "time.%s: the time is outside of the years 1 to 9999", name);
	return sec;
}

/* The offset from UTC, in minutes: an argument, 0 without. */
static int check_offset(lua_State *L, int index, const char *name)
{
	lua_Integer offset_min = luaL_optinteger(L, index, 0);

	if (offset_min < -OFFSET_MAX_MIN || offset_min > OFFSET_MAX_MIN)
		env_error(L, "time.%s: the offset is in minutes, at most %d", name, OFFSET_MAX_MIN);
	return (int)offset_min;
}

static void check_fields(lua_State *L, int index_offset, const char *name, struct fields *ret)
{
	lua_Number sec = check_time(L, 1, name);

	from_seconds((lua_Integer)floor(sec) + check_offset(L, index_offset, name) * MINUTE, ret);
}

static void add_name(luaL_Buffer *out, const char *name, size_t most)
{
	luaL_addchar(out, (char)toupper((unsigned char)name[0]));
	luaL_addlstring(out, name + 1, MIN(strlen(name), most) - 1);
}

static void add_offset(luaL_Buffer *out, int offset_min, bool zulu)
{
	char text[32];
	int minutes = offset_min < 0 ? -offset_min : offset_min;

	if (offset_min == 0 && zulu)
		(void)snprintf(text, sizeof(text), "Z");
	else
		(void)snprintf(text, sizeof(text), "%c%02d:%02d", offset_min < 0 ? '-' : '+',
			minutes / 60, minutes % 60);
	luaL_addstring(out, text);
}

static void add_number(luaL_Buffer *out, int digits, int n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%0*d", digits, n);
	luaL_addstring(out, text);
}

static bool add_letter(luaL_Buffer *out, char letter, const struct fields *f, int offset_min)
{
	switch (letter) {
	case 'Y':
		add_number(out, 4, f->year);
		return true;
	case 'm':
		add_number(out, 2, f->month);
		return true;
	case 'd':
		add_number(out, 2, f->day);
		return true;
	case 'H':
		add_number(out, 2, f->hour);
		return true;
	case 'M':
		add_number(out, 2, f->minute);
		return true;
	case 'S':
		add_number(out, 2, f->second);
		return true;
	case 'j':
		add_number(out, 3, f->yearday);
		return true;
	case 'a':
	case 'A':
		add_name(out, weekdays[f->weekday], letter == 'a' ? 3 : 16);
		return true;
	case 'b':
	case 'B':
		add_name(out, months[f->month - 1], letter == 'b' ? 3 : 16);
		return true;
	case 'z':
		add_offset(out, offset_min, false);
		return true;
	case '%':
		luaL_addchar(out, '%');
		return true;
	default:
		return false;
	}
}

/* time.format(seconds [, format [, offset]]); without a format RFC 3339 to the second. */
static int format(lua_State *L)
{
	const char *text = luaL_optstring(L, 2, "%Y-%m-%dT%H:%M:%S");
	int offset_min = check_offset(L, 3, "format");
	bool rfc3339 = lua_isnoneornil(L, 2);
	struct fields f;
	luaL_Buffer out;

	check_fields(L, 3, "format", &f);
	if (strlen(text) > FORMAT_BYTES)
		env_error(L, "time.format: the format is longer than %d bytes", FORMAT_BYTES);
	luaL_buffinit(L, &out);
	for (const char *p = text; *p; p++) {
		if (*p != '%')
			luaL_addchar(&out, *p);
		else if (!add_letter(&out, *++p, &f, offset_min))
			env_error(L,
				"time.format: '%%%c' is none of %%Y %%m %%d %%H %%M %%S %%j "
				"%%a %%A %%b %%B %%z %%%%",
				*p ? *p : ' ');
	}
	if (rfc3339)
		add_offset(&out, offset_min, true);
	luaL_pushresult(&out);
	return 1;
}

/* time.fields(seconds [, offset]) */
static int fields(lua_State *L)
{
	struct fields f;

	check_fields(L, 2, "fields", &f);
	const struct {
		const char *name;
		int value;
	} all[] = {{"year", f.year}, {"month", f.month}, {"day", f.day}, {"hour", f.hour},
		{"minute", f.minute}, {"second", f.second}, {"yearday", f.yearday}};

	lua_createtable(L, 0, 8);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		lua_pushinteger(L, all[i].value);
		lua_setfield(L, -2, all[i].name);
	}
	lua_pushstring(L, weekdays[f.weekday]);
	lua_setfield(L, -2, "weekday");
	return 1;
}

static int weekday(lua_State *L)
{
	struct fields f;

	check_fields(L, 2, "weekday", &f);
	lua_pushstring(L, weekdays[f.weekday]);
	return 1;
}

/* Pushes the seconds of "1h30m" or of a number, below zero too. */
static void push_span(lua_State *L, int index, const char *name)
{
	const char *text;
	double sec;
	bool negative;

	if (lua_type(L, index) == LUA_TNUMBER) {
		lua_pushvalue(L, index);
		return;
	}
	text = luaL_checkstring(L, index);
	negative = *text == '-';
	if (param_parse_duration(text + negative, &sec) < 0)
		env_error(
			L, "time.%s: '%.64s' is no duration such as 30s, 2m or 1h30m", name, text);
	sec = negative ? -sec : sec;
	if (sec == floor(sec))
		lua_pushinteger(L, (lua_Integer)sec);
	else
		lua_pushnumber(L, sec);
}

static int duration(lua_State *L)
{
	push_span(L, 1, "duration");
	return 1;
}

static int add(lua_State *L)
{
	luaL_checknumber(L, 1);
	lua_pushvalue(L, 1);
	push_span(L, 2, "add");
	lua_arith(L, LUA_OPADD);
	return 1;
}

/* time.sub(a, b): the seconds from b to a; time.sub(a, "1h"): an hour before a. */
static int sub(lua_State *L)
{
	luaL_checknumber(L, 1);
	lua_pushvalue(L, 1);
	push_span(L, 2, "sub");
	lua_arith(L, LUA_OPSUB);
	return 1;
}

/* time.text(seconds): "1d2h", "1m30s", "0s": the two largest units. */
static int text(lua_State *L)
{
	static const struct {
		lua_Integer sec;
		char letter;
	} units[] = {{DAY, 'd'}, {HOUR, 'h'}, {MINUTE, 'm'}, {1, 's'}};
	lua_Number given = luaL_checknumber(L, 1);
	char out[64];
	lua_Integer left;
	size_t len = 0, i = 0;

	if (!(fabs(given) < 1e15))
		env_error(L, "time.text: not a number of seconds");
	left = (lua_Integer)floor(fabs(given));
	if (given < 0 && left > 0)
		out[len++] = '-';
	while (i < ARRAY_SIZE(units) - 1 && left < units[i].sec)
		i++;
	for (size_t end = MIN(i + 2, ARRAY_SIZE(units)), first = i; i < end; i++) {
		if (i == first || left >= units[i].sec)
			len += (size_t)snprintf(out + len, sizeof(out) - len, "%lld%c",
				(long long)(left / units[i].sec), units[i].letter);
		left %= units[i].sec;
	}
	lua_pushlstring(L, out, len);
	return 1;
}

void lib_open_time(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"parse", parse},
		{"format", format},
		{"fields", fields},
		{"weekday", weekday},
		{"duration", duration},
		{"add", add},
		{"sub", sub},
		{"text", text},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	lua_setglobal(L, "time");
}
