/* SPDX-License-Identifier: MIT */
#include "run/param.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "run/env.h"

const char *const param_type_names[PARAM_TYPE_MAX] = {
	[PARAM_STRING] = "string",
	[PARAM_INTEGER] = "integer",
	[PARAM_NUMBER] = "number",
	[PARAM_BOOLEAN] = "boolean",
	[PARAM_DURATION] = "duration",
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
	case PARAM_TYPE_MAX:
		break;
	}
	return tend_error_set(err, -EINVAL, "has no known type");
}

int param_check_range(lua_State *L, int spec, struct tend_error *err)
{
	static const char *const names[] = {"min", "max"};
	double value = lua_tonumber(L, -1);

	if (lua_type(L, -1) != LUA_TNUMBER)
		return 0;
	spec = lua_absindex(L, spec);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool limited = lua_getfield(L, spec, names[i]) == LUA_TNUMBER;
		double limit = lua_tonumber(L, -1);

		lua_pop(L, 1);
		if (limited && (i == 0 ? value < limit : value > limit))
			return tend_error_set(err, -ERANGE, "must be at %s %.14g",
				i == 0 ? "least" : "most", limit);
	}
	return 0;
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
