/* SPDX-License-Identifier: MIT */
#include "run/param.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "run/env.h"

const char *const param_type_names[PARAM_TYPE_MAX + 1] = {
	[PARAM_STRING] = "string",
	[PARAM_INTEGER] = "integer",
	[PARAM_NUMBER] = "number",
	[PARAM_BOOLEAN] = "boolean",
	[PARAM_DURATION] = "duration",
	[PARAM_LIST] = "list",
	[PARAM_TYPE_MAX] = NULL,
};

static const struct {
	const char *unit;
	double sec;
} units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

static int unit_take(const char **text, double *ret_sec)
{
	size_t n = strspn(*text, "dhms");

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].unit) != n || strncmp(*text, units[i].unit, n) != 0)
			continue;
		*text += n;
		*ret_sec = units[i].sec;
		return 0;
	}
	return -EINVAL;
}

int param_parse_duration(const char *text, double *ret_sec)
{
	double sum = 0, sec = 0;

	if (!*text)
		return -EINVAL;
	while (*text) {
		/* strtod() also knows signs, hexadecimal, inf and nan. */
		size_t digits = strspn(text, "0123456789.");
		char *end;
		double n = strtod(text, &end);

		if (digits == 0 || end != text + digits)
			return -EINVAL;
		text = end;
		if (*text == '\0' && sum == 0)
			sec = 1;
		else if (unit_take(&text, &sec) < 0)
			return -EINVAL;
		sum += n * sec;
	}
	if (sum > 366.0 * 86400)
		return -EINVAL;
	*ret_sec = sum;
	return 0;
}

static int parse_bool(const char *text)
{
	static const char *const words[2][4] = {
		{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};

	for (int value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++)
			if (strcmp(text, words[value][i]) == 0)
				return value;
	return -EINVAL;
}

/* Replaces the top by a number; integers stay integers. */
static int to_number(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TNUMBER)
		return 0;
	if (lua_type(L, -1) != LUA_TSTRING || !lua_stringtonumber(L, lua_tostring(L, -1)))
		return -EINVAL;
	lua_remove(L, -2);
	return 0;
}

static int to_integer(lua_State *L)
{
	int is_integer;
	lua_Integer i;

	if (to_number(L) < 0)
		return -EINVAL;
	i = lua_tointegerx(L, -1, &is_integer);
	if (!is_integer)
		return -EINVAL;
	lua_pop(L, 1);
	lua_pushinteger(L, i);
	return 0;
}

static int to_boolean(lua_State *L)
{
	int value;

	if (lua_isboolean(L, -1))
		return 0;
	value = lua_type(L, -1) == LUA_TSTRING ? parse_bool(lua_tostring(L, -1)) : -EINVAL;
	if (value < 0)
		return -EINVAL;
	lua_pop(L, 1);
	lua_pushboolean(L, value);
	return 0;
}

static int to_duration(lua_State *L)
{
	double sec;

	if (lua_type(L, -1) == LUA_TNUMBER)
		sec = lua_tonumber(L, -1);
	else if (lua_type(L, -1) != LUA_TSTRING ||
		 param_parse_duration(lua_tostring(L, -1), &sec) < 0)
		return -EINVAL;
	if (!isfinite(sec) || sec < 0)
		return -EINVAL;
	lua_pop(L, 1);
	if (sec == floor(sec))
		lua_pushinteger(L, (lua_Integer)sec);
	else
		lua_pushnumber(L, sec);
	return 0;
}

/* "a, b" becomes {"a", "b"}; a table must be such a list. */
static int to_list(lua_State *L)
{
	lua_Integer n = 0;
	const char *text;

	if (lua_type(L, -1) == LUA_TTABLE) {
		size_t len = lua_rawlen(L, -1);

		for (; n < PARAM_MAX_ENTRIES && lua_rawgeti(L, -1, n + 1) == LUA_TSTRING; n++)
			lua_pop(L, 1);
		if (n < PARAM_MAX_ENTRIES)
			lua_pop(L, 1);
		return (size_t)n == len ? 0 : -EINVAL;
	}
	if (lua_type(L, -1) != LUA_TSTRING)
		return -EINVAL;
	text = lua_tostring(L, -1);
	lua_newtable(L);
	while (*(text += strspn(text, ", \t"))) {
		size_t len = strcspn(text, ",");
		size_t kept = len;

		while (kept > 0 && (text[kept - 1] == ' ' || text[kept - 1] == '\t'))
			kept--;
		if (n == PARAM_MAX_ENTRIES) {
			lua_pop(L, 1);
			return -EINVAL;
		}
		lua_pushlstring(L, text, kept);
		lua_rawseti(L, -2, ++n);
		text += len;
	}
	lua_remove(L, -2);
	return 0;
}

int param_convert(lua_State *L, enum param_type type, struct tend_error *err)
{
	switch (type) {
	case PARAM_STRING:
		if (lua_type(L, -1) != LUA_TSTRING)
			return tend_error_set(err, -EINVAL, "must be a string");
		return 0;
	case PARAM_INTEGER:
		if (to_integer(L) < 0)
			return tend_error_set(err, -EINVAL, "must be an integer");
		return 0;
	case PARAM_NUMBER:
		if (to_number(L) < 0 || !isfinite(lua_tonumber(L, -1)))
			return tend_error_set(err, -EINVAL, "must be a number");
		return 0;
	case PARAM_BOOLEAN:
		if (to_boolean(L) < 0)
			return tend_error_set(err, -EINVAL, "must be true or false");
		return 0;
	case PARAM_DURATION:
		if (to_duration(L) < 0)
			return tend_error_set(
				err, -EINVAL, "must be a duration such as 30s, 2m or 1h30m");
		return 0;
	case PARAM_LIST:
		if (to_list(L) < 0)
			return tend_error_set(err, -EINVAL, "must be a list of at most %d strings",
				PARAM_MAX_ENTRIES);
		return 0;
	case PARAM_TYPE_MAX:
		break;
	}
	return tend_error_set(err, -EINVAL, "has no known type");
}

/* Is the value on top one of the list beneath it? */
static bool is_choice(lua_State *L)
{
	bool found = false;

	for (lua_Integer i = 1; !found && lua_rawgeti(L, -2, i) != LUA_TNIL; i++) {
		found = lua_rawequal(L, -1, -2);
		if (!found)
			lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return found;
}

static int refuse_choice(lua_State *L, struct tend_error *err)
{
	char names[256] = "";
	size_t len = 0;

	for (lua_Integer i = 1; lua_rawgeti(L, -2, i) != LUA_TNIL && len < sizeof(names); i++) {
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.64s",
			i > 1 ? ", " : "", luaL_tolstring(L, -1, NULL));
		lua_pop(L, 2);
	}
	lua_settop(L, -2);
	return tend_error_set(err, -ERANGE, "must be one of %s", names);
}

/* The value is on top. */
static int check_choices(lua_State *L, int spec, struct tend_error *err)
{
	int value = lua_gettop(L), r = 0;
	bool is_list = lua_type(L, value) == LUA_TTABLE;

	if (lua_getfield(L, spec, "choices") != LUA_TTABLE) {
		lua_settop(L, value);
		return 0;
	}
	for (lua_Integer i = 1; r == 0; i++) {
		if (is_list && lua_rawgeti(L, value, i) == LUA_TNIL)
			break;
		if (!is_list)
			lua_pushvalue(L, value);
		if (!is_choice(L))
			r = refuse_choice(L, err);
		lua_settop(L, value + 1);
		if (!is_list)
			break;
	}
	lua_settop(L, value);
	return r;
}

int param_check_range(lua_State *L, int spec, struct tend_error *err)
{
	static const char *const names[] = {"min", "max"};
	bool is_list = lua_type(L, -1) == LUA_TTABLE;
	double value = is_list ? (double)lua_rawlen(L, -1) : lua_tonumber(L, -1);

	spec = lua_absindex(L, spec);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool limited = lua_getfield(L, spec, names[i]) == LUA_TNUMBER;
		double limit = lua_tonumber(L, -1);

		lua_pop(L, 1);
		limited = limited && (is_list || lua_type(L, -1) == LUA_TNUMBER);
		if (limited && (i == 0 ? value < limit : value > limit))
			return tend_error_set(err, -ERANGE, "must %s %.14g%s",
				is_list ? (i == 0 ? "have at least" : "have at most")
					: (i == 0 ? "be at least" : "be at most"),
				limit, is_list ? " entries" : "");
	}
	return check_choices(L, spec, err);
}

static void refuse_unknown(lua_State *L, int spec, int given)
{
	env_push_sorted_keys(L, given);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const char *name = luaL_tolstring(L, -1, NULL), *nearest;

		lua_pushvalue(L, -2);
		if (lua_rawget(L, spec) != LUA_TNIL) {
			lua_pop(L, 3);
			continue;
		}
		nearest = env_nearest_key(L, spec, name);
		if (nearest)
			luaL_error(L, "unknown parameter '%s'; did you mean '%s'?", name, nearest);
		luaL_error(L, "unknown parameter '%s'", name);
	}
	lua_pop(L, 2);
}

/* The spec of one parameter is on top; pushes its value. */
static void push_one(lua_State *L, int given, const char *name)
{
	struct tend_error err = {0};
	int spec = lua_gettop(L);
	enum param_type type;

	lua_getfield(L, spec, "type");
	type = (enum param_type)luaL_checkoption(L, -1, NULL, param_type_names);
	lua_pop(L, 1);
	if (lua_getfield(L, given, name) == LUA_TNIL) {
		lua_pop(L, 1);
		if (lua_getfield(L, spec, "default") == LUA_TNIL)
			luaL_error(L, "parameter '%s' is not set and has no default", name);
		return;
	}
	if (param_convert(L, type, &err) < 0 || param_check_range(L, spec, &err) < 0)
		luaL_error(L, "parameter '%s' %s", name, err.text);
}

void param_push_all(lua_State *L, int spec, int given)
{
	int result, names;

	spec = lua_absindex(L, spec);
	given = lua_absindex(L, given);
	refuse_unknown(L, spec, given);
	lua_newtable(L);
	result = lua_gettop(L);
	env_push_sorted_keys(L, spec);
	names = lua_gettop(L);
	for (lua_Integer i = 1; lua_rawgeti(L, names, i) != LUA_TNIL; i++) {
		const char *name = lua_tostring(L, -1);

		lua_getfield(L, spec, name);
		push_one(L, given, name);
		lua_setfield(L, result, name);
		lua_settop(L, names);
	}
	lua_settop(L, result);
}
