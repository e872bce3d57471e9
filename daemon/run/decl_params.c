/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/decl_fields.h"
#include "run/env.h"
#include "run/param.h"

static void check_type(lua_State *L, const struct decl_place *place)
{
	const char *type = lua_tostring(L, -1);

	for (int i = 0; i < PARAM_TYPE_MAX; i++)
		if (strcmp(type, param_type_names[i]) == 0)
			return;
	decl_place_error(L, place, type,
		"'%.64s' is no type of a parameter: string, integer, number, boolean, duration or "
		"list",
		type);
}

/* Each of the choices in the type of the parameter; of a list, in that of its entries. */
static void check_choices(
	lua_State *L, const struct decl_place *place, const char *name, enum param_type type)
{
	struct tend_error err = {0};

	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		if (param_convert(L, type == PARAM_LIST ? PARAM_STRING : type, &err) < 0)
			decl_place_error(L, place, "choices", "parameter '%.64s': a choice %s",
				name, err.text);
		lua_rawseti(L, -2, i);
	}
	lua_pop(L, 1);
	if (lua_rawlen(L, -1) == 0)
		decl_place_error(L, place, "choices",
			"parameter '%.64s': 'choices' must be a list of values", name);
}

/* The default in its type, within its range; min and max in the type, too. */
static void check_values(lua_State *L, const struct decl_place *place, const char *name)
{
	static const char *const values[] = {"min", "max", "default"};
	struct tend_error err = {0};
	int spec = lua_gettop(L);
	enum param_type type;

	if (lua_getfield(L, spec, "type") == LUA_TNIL)
		decl_place_error(L, place, name, "parameter '%.64s' has no type", name);
	type = (enum param_type)luaL_checkoption(L, -1, NULL, param_type_names);
	lua_pop(L, 1);
	if (lua_getfield(L, spec, "choices") != LUA_TNIL)
		check_choices(L, place, name, type);
	lua_pop(L, 1);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		bool is_limit = i < 2;
		enum param_type want = is_limit && type == PARAM_LIST ? PARAM_INTEGER : type;

		if (lua_getfield(L, spec, values[i]) != LUA_TNIL) {
			if (param_convert(L, want, &err) < 0 ||
				(!is_limit && param_check_range(L, spec, &err) < 0))
				decl_place_error(L, place, name, "parameter '%.64s': %s %s", name,
					values[i], err.text);
			lua_pushvalue(L, -1);
			lua_setfield(L, spec, values[i]);
		}
		lua_pop(L, 1);
	}
}

static void check_param(lua_State *L, const struct decl_place *place, const char *name)
{
	static const struct decl_field fields[] = {
		{"type", LUA_TSTRING, check_type},
		{"default", LUA_TNONE, NULL},
		{"doc", LUA_TSTRING, NULL},
		{"min", LUA_TNONE, NULL},
		{"max", LUA_TNONE, NULL},
		{"choices", LUA_TTABLE, NULL},
	};

	if (lua_type(L, -1) == LUA_TSTRING) {
		lua_createtable(L, 0, 1);
		lua_insert(L, -2);
		lua_setfield(L, -2, "type");
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		decl_place_error(L, place, name,
			"parameter '%.64s' must be a type or a table {type=, default=, doc=, min=, "
			"max=, choices=}",
			name);
	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
	check_values(L, place, name);
}

void decl_check_params(lua_State *L, const struct decl_place *place)
{
	int from = lua_gettop(L), keys = from + 1;

	env_push_sorted_keys(L, from);
	for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
		const char *name;

		if (lua_type(L, -1) != LUA_TSTRING)
			decl_place_error(L, place, place->key, "every parameter needs a name");
		name = lua_tostring(L, -1);
		lua_getfield(L, from, name);
		check_param(L, place, name);
		lua_setfield(L, from, name);
		lua_settop(L, keys);
	}
	lua_settop(L, from);
}
