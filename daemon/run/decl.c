/* SPDX-License-Identifier: MIT */
#include "run/decl.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>
#include <tend/reason.h>

#include "base/str.h"
#include "run/decl_place.h"
#include "run/env.h"
#include "run/param.h"

/* Registry key of the list of {name, line, body, run}. */
static const char declared;

/* One key a declaration may have. `check` finds the value on top of the stack and leaves there what
 * is kept of it. */
struct field {
	const char *name;
	int type; /* LUA_T*; LUA_TNONE: any, `check` looks */
	void (*check)(lua_State *L, const struct decl_place *place);
};

static const struct field *field_find(const struct field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

__attribute__((noreturn)) static void refuse_key(lua_State *L, const struct decl_place *place,
	const struct field *fields, size_t n, const char *name)
{
	const char *names[16], *nearest;
	size_t n_names = MIN(n, ARRAY_SIZE(names));

	for (size_t i = 0; i < n_names; i++)
		names[i] = fields[i].name;
	nearest = str_nearest(name, names, n_names);
	if (nearest)
		decl_place_error(
			L, place, name, "unknown key '%.64s'; did you mean '%s'?", name, nearest);
	decl_place_error(L, place, name, "unknown key '%.64s'", name);
}

/* The table on top is replaced by what is kept of it, key by key. */
static void check_table(
	lua_State *L, const struct decl_place *place, const struct field *fields, size_t n)
{
	int from = lua_gettop(L), to = from + 1, keys = from + 2;

	luaL_checkstack(L, 16, NULL);
	lua_newtable(L);
	env_push_sorted_keys(L, from);
	for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
		const struct field *field;
		const char *name;

		if (lua_type(L, -1) != LUA_TSTRING)
			decl_place_error(L, place, NULL,
				"a value without a name; a comma or a key is missing before it");
		name = lua_tostring(L, -1);
		field = field_find(fields, n, name);
		if (!field)
			refuse_key(L, place, fields, n, name);
		if (lua_getfield(L, from, name) != field->type && field->type != LUA_TNONE)
			decl_place_error(L, place, name, "'%s' must be a %s, not a %s", name,
				lua_typename(L, field->type), luaL_typename(L, -1));
		if (field->check)
			field->check(L, &(struct decl_place){place->source, place->line,
						place->policy, field->name});
		lua_setfield(L, to, name);
		lua_settop(L, keys);
	}
	lua_settop(L, to);
	lua_replace(L, from);
}

/* "a" and {"a", "b"} both become a list. */
static void check_list(lua_State *L, const struct decl_place *place)
{
	lua_Integer n;

	if (lua_type(L, -1) == LUA_TSTRING) {
		lua_createtable(L, 1, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		decl_place_error(L, place, place->key, "'%s' must be a string or a list of strings",
			place->key);
	env_push_sorted_keys(L, -1);
	n = (lua_Integer)lua_rawlen(L, -1);
	lua_pop(L, 1);
	if (n == 0)
		decl_place_error(L, place, place->key,
			"'%s' is an empty list, which nothing would match; leave it out",
			place->key);
	for (lua_Integer i = 1; i <= n; i++) {
		if (lua_rawgeti(L, -1, i) != LUA_TSTRING)
			decl_place_error(L, place, place->key,
				"'%s' must be a string or a list of strings", place->key);
		lua_pop(L, 1);
	}
}

/* Every word of the list must be one of `names`. */
static void check_words(
	lua_State *L, const struct decl_place *place, const char *const *names, size_t n_names)
{
	check_list(L, place);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const char *word = lua_tostring(L, -1), *nearest;
		bool known = false;

		for (size_t j = 0; j < n_names; j++)
			known = known || strcmp(word, names[j]) == 0;
		nearest = known ? NULL : str_nearest(word, names, n_names);
		if (nearest)
			decl_place_error(L, place, word, "unknown %s '%.64s'; did you mean '%s'?",
				place->key, word, nearest);
		if (!known)
			decl_place_error(L, place, word, "unknown %s '%.64s'", place->key, word);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void check_reasons(lua_State *L, const struct decl_place *place)
{
	const char *names[TEND_REASON_MAX];

	for (int i = 0; i < TEND_REASON_MAX; i++)
		names[i] = tend_reason_name((enum tend_reason)i);
	check_words(L, place, names, ARRAY_SIZE(names));
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const char *word = lua_tostring(L, -1);

		if (strcmp(word, tend_reason_name(TEND_REASON_UNIT_STOPPED)) == 0)
			decl_place_error(L, place, word,
				"'%s' starts nothing: what an operator stopped is left alone",
				word);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void check_severities(lua_State *L, const struct decl_place *place)
{
	static const char *const names[] = {"info", "warning", "critical"};

	check_words(L, place, names, ARRAY_SIZE(names));
}

static void check_incident(lua_State *L, const struct decl_place *place)
{
	static const struct field fields[] = {
		{"component", LUA_TNONE, check_list},
		{"kind", LUA_TNONE, check_list},
		{"unit", LUA_TNONE, check_list},
		{"reason", LUA_TNONE, check_reasons},
		{"check", LUA_TNONE, check_list},
		{"severity", LUA_TNONE, check_severities},
	};

	check_table(L, place, fields, ARRAY_SIZE(fields));
}

static void check_on(lua_State *L, const struct decl_place *place)
{
	static const struct field fields[] = {{"incident", LUA_TTABLE, check_incident}};

	check_table(L, place, fields, ARRAY_SIZE(fields));
	if (lua_getfield(L, -1, "incident") == LUA_TNIL)
		decl_place_error(L, place, place->key, "'on' names no trigger");
	lua_pop(L, 1);
}

static void check_param_type(lua_State *L, const struct decl_place *place)
{
	const char *type = lua_tostring(L, -1);

	for (int i = 0; i < PARAM_TYPE_MAX; i++)
		if (strcmp(type, param_type_names[i]) == 0)
			return;
	decl_place_error(L, place, type,
		"'%.64s' is no type of a parameter: string, integer, number, boolean or duration",
		type);
}

/* The default in its type, within its range; min and max in the type, too. */
static void check_param_values(lua_State *L, const struct decl_place *place, const char *name)
{
	static const char *const values[] = {"min", "max", "default"};
	struct tend_error err = {0};
	int spec = lua_gettop(L);
	enum param_type type;

	if (lua_getfield(L, spec, "type") == LUA_TNIL)
		decl_place_error(L, place, name, "parameter '%.64s' has no type", name);
	type = (enum param_type)luaL_checkoption(L, -1, NULL, param_type_names);
	lua_pop(L, 1);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (lua_getfield(L, spec, values[i]) != LUA_TNIL) {
			if (param_convert(L, type, &err) < 0 ||
				(i == 2 && param_check_range(L, spec, &err) < 0))
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
	static const struct field fields[] = {
		{"type", LUA_TSTRING, check_param_type},
		{"default", LUA_TNONE, NULL},
		{"doc", LUA_TSTRING, NULL},
		{"min", LUA_TNONE, NULL},
		{"max", LUA_TNONE, NULL},
	};

	if (lua_type(L, -1) == LUA_TSTRING) {
		lua_createtable(L, 0, 1);
		lua_insert(L, -2);
		lua_setfield(L, -2, "type");
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		decl_place_error(L, place, name,
			"parameter '%.64s' must be a type or a table {type=, default=, doc=, min=, "
			"max=}",
			name);
	check_table(L, place, fields, ARRAY_SIZE(fields));
	check_param_values(L, place, name);
}

static void check_params(lua_State *L, const struct decl_place *place)
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

static const struct field body_fields[] = {
	{"doc", LUA_TSTRING, NULL},
	{"on", LUA_TTABLE, check_on},
	{"hand", LUA_TBOOLEAN, NULL},
	{"params", LUA_TTABLE, check_params},
	{"run", LUA_TFUNCTION, NULL},
};

/* What nothing can start is a mistake; what only a hand can start needs not say so. */
static void check_triggers(lua_State *L, const struct decl_place *place, int body)
{
	bool on = lua_getfield(L, body, "on") != LUA_TNIL;
	int hand = lua_getfield(L, body, "hand");

	if (hand == LUA_TNIL) {
		lua_pushboolean(L, !on);
		lua_setfield(L, body, "hand");
	} else if (!on && !lua_toboolean(L, -1)) {
		decl_place_error(
			L, place, "hand", "has neither 'on' nor 'hand': nothing can start it");
	}
	lua_pop(L, 2);
}

/* policy "name" { body }: upvalues are the source, the record. */
static int declare_body(lua_State *L)
{
	struct decl_place place = {.source = lua_touserdata(L, lua_upvalueindex(1))};

	lua_settop(L, 1);
	lua_getfield(L, lua_upvalueindex(2), "line");
	lua_getfield(L, lua_upvalueindex(2), "name");
	place.line = (int)lua_tointeger(L, 2);
	place.policy = lua_tostring(L, 3);
	if (!lua_istable(L, 1))
		decl_place_error(L, &place, NULL, "must be followed by a table");
	if (lua_getfield(L, lua_upvalueindex(2), "body") != LUA_TNIL)
		decl_place_error(L, &place, NULL, "has two bodies");
	lua_pushvalue(L, 1);
	check_table(L, &place, body_fields, ARRAY_SIZE(body_fields));
	if (lua_getfield(L, -1, "run") == LUA_TNIL)
		decl_place_error(L, &place, NULL, "has no 'run'");
	lua_setfield(L, lua_upvalueindex(2), "run");
	lua_pushnil(L);
	lua_setfield(L, -2, "run");
	check_triggers(L, &place, lua_gettop(L));
	lua_setfield(L, lua_upvalueindex(2), "body");
	return 0;
}

static bool name_valid(const char *name, size_t len)
{
	if (len == 0 || len > DECL_NAME_BYTES || !isalnum((unsigned char)name[0]))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static void refuse_duplicate(lua_State *L, const struct decl_place *place, int list)
{
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
		lua_getfield(L, -1, "name");
		lua_getfield(L, -2, "line");
		if (strcmp(lua_tostring(L, -2), place->policy) == 0)
			decl_place_error(L, place, NULL, "is declared twice, first in line %d",
				(int)lua_tointeger(L, -1));
		lua_pop(L, 3);
	}
	lua_pop(L, 1);
}

static int caller_line(lua_State *L)
{
	lua_Debug ar;

	if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "l", &ar))
		return 0;
	return MAX(ar.currentline, 0);
}

/* policy "name" -> a function that takes the body */
static int declare(lua_State *L)
{
	const struct decl_source *source = lua_touserdata(L, lua_upvalueindex(1));
	size_t len;
	const char *name = luaL_checklstring(L, 1, &len);
	struct decl_place place = {.source = source, .line = caller_line(L), .policy = name};

	lua_settop(L, 1);
	if (!name_valid(name, len))
		env_error(L, "'%.64s' is no name of a policy: at most %d of a-z 0-9 - _ .", name,
			DECL_NAME_BYTES);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &declared);
	refuse_duplicate(L, &place, 2);
	if (lua_rawlen(L, 2) >= DECL_MAX_POLICIES)
		env_error(L, "more than %d policies in one file", DECL_MAX_POLICIES);
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, place.line);
	lua_setfield(L, -2, "line");
	lua_pushvalue(L, -1);
	lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, -2);
	lua_pushcclosure(L, declare_body, 2);
	return 1;
}

void decl_open(lua_State *L, const struct decl_source *source)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &declared);
	/* Only handed back to C, which reads it. */
	lua_pushlightuserdata(L, (void *)(uintptr_t)source);
	lua_pushcclosure(L, declare, 1);
	lua_setglobal(L, "policy");
}

/* The body of the record on top, with its name and line. */
static void push_description(lua_State *L, const struct decl_source *source)
{
	static const char *const copied[] = {"name", "line"};
	int record = lua_gettop(L);

	if (lua_getfield(L, record, "body") == LUA_TNIL) {
		lua_getfield(L, record, "line");
		lua_getfield(L, record, "name");
		decl_place_error(L,
			&(struct decl_place){
				source, (int)lua_tointeger(L, -2), lua_tostring(L, -1), NULL},
			NULL, "has no body");
	}
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
		lua_getfield(L, record, copied[i]);
		lua_setfield(L, -2, copied[i]);
	}
}

void decl_push_descriptions(lua_State *L, const struct decl_source *source)
{
	int list, result;

	lua_newtable(L);
	result = lua_gettop(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &declared);
	list = lua_gettop(L);
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
		push_description(L, source);
		lua_rawseti(L, result, i);
		lua_settop(L, list);
	}
	if (lua_rawlen(L, result) == 0)
		luaL_error(L, "%s: declares no policy", source->chunk);
	lua_settop(L, result);
}

void decl_push_run(lua_State *L, const char *name)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &declared);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		lua_getfield(L, -1, "name");
		if (strcmp(lua_tostring(L, -1), name) == 0) {
			lua_pop(L, 1);
			if (lua_getfield(L, -1, "run") != LUA_TFUNCTION)
				luaL_error(L, "policy '%s' has no body", name);
			lua_getfield(L, -2, "body");
			if (lua_getfield(L, -1, "params") == LUA_TNIL) {
				lua_pop(L, 1);
				lua_newtable(L);
			}
			lua_remove(L, -2);
			return;
		}
		lua_pop(L, 2);
	}
	luaL_error(L, "there is no policy '%s'", name);
}
