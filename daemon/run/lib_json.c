/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "run/env.h"
#include "run/lib.h"
#include "run/value.h"

enum { INDENT_MAX = 8 };

/* json.encode(value [, indent]) */
static int encode(lua_State *L)
{
	lua_Integer indent = luaL_optinteger(L, 2, 0);
	struct tend_error err = {0};
	size_t flags, len;
	json_t *json;
	char *text;

	luaL_checkany(L, 1);
	if (indent < 0 || indent > INDENT_MAX)
		env_error(L, "json.encode: the indent must be 0 to %d", INDENT_MAX);
	if (value_to_json(L, 1, "json.encode", &json, &err) < 0)
		env_error(L, "%s", err.text);
	flags = JSON_ENCODE_ANY | (indent ? JSON_INDENT((size_t)indent) : JSON_COMPACT);
	len = json_dumpb(json, NULL, 0, flags);
	/* A buffer of Lua's: raising in between would lose ours. */
	text = len > 0 && len <= LIB_JSON_BYTES ? lua_newuserdatauv(L, len, 0) : NULL;
	if (text)
		len = json_dumpb(json, text, len, flags);
	json_decref(json);
	if (!text)
		env_error(L, "json.encode: the text would be longer than %d bytes", LIB_JSON_BYTES);
	lua_pushlstring(L, text, len);
	return 1;
}

/* Values and depth before anything is built: each bracket, comma and colon brings a value. */
static const char *find_excess(const char *text, size_t len)
{
	size_t n_values = 1, depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
			continue;
		}
		quoted = c == '"';
		depth += c == '[' || c == '{';
		depth -= depth > 0 && (c == ']' || c == '}');
		n_values += c == '[' || c == '{' || c == ',';
		if (depth > VALUE_MAX_DEPTH)
			return "nested deeper than 32 levels";
		if (n_values > VALUE_MAX_NODES)
			return "more than 100000 values";
	}
	_Static_assert(VALUE_MAX_DEPTH == 32 && VALUE_MAX_NODES == 100000, "the texts above");
	return NULL;
}

static int refuse(lua_State *L, const char *message)
{
	lua_pushnil(L);
	lua_pushstring(L, message);
	return 2;
}

/* json.decode(text): the value; or nil and what is wrong. */
static int decode(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len), *excess;
	json_error_t err;
	json_t *json;

	if (len > LIB_JSON_BYTES)
		return refuse(L, "longer than 1 MiB");
	excess = find_excess(text, len);
	if (excess)
		return refuse(L, excess);
	json = json_loadb(
		text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &err);
	if (!json) {
		lua_pushnil(L);
		lua_pushfstring(
			L, "line %d, column %d: %s", err.line, MAX(err.column, 1), err.text);
		return 2;
	}
	if (json_is_null(json))
		value_push_null(L);
	else
		value_push(L, json);
	json_decref(json);
	return 1;
}

void lib_open_json(lua_State *L)
{
	static const luaL_Reg functions[] = {{"encode", encode}, {"decode", decode}, {NULL, NULL}};

	luaL_newlib(L, functions);
	value_push_null(L);
	lua_setfield(L, -2, "null");
	lua_setglobal(L, "json");
}
