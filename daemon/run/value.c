/* SPDX-License-Identifier: MIT */
#include "run/value.h"

#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "run/keys.h"

/* Its address is the key, in a reference's metatable, of the name. */
static const char reference_key;

enum { PATH_BYTES = 256 };

struct writer {
	lua_State *L;
	struct tend_error *err;
	const void *open[VALUE_MAX_DEPTH]; /* tables from the root to here */
	unsigned depth;
	unsigned n_nodes;
	struct str path;
};

static int write_value(struct writer *w, int index, json_t **ret_json);

__attribute__((format(printf, 2, 3))) static int refuse(struct writer *w, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return tend_error_set(w->err, -EINVAL, "%s: %s", str_get(&w->path), text);
}

static int write_string(struct writer *w, int index, json_t **ret_json)
{
	size_t len;
	const char *text = lua_tolstring(w->L, index, &len);

	if (!str_utf8_valid(text, len))
		return refuse(w, "the string is not valid UTF-8");
	*ret_json = json_stringn_nocheck(text, len);
	return *ret_json ? 0 : -ENOMEM;
}

static int write_number(struct writer *w, int index, json_t **ret_json)
{
	lua_Number n = lua_tonumber(w->L, index);

	if (lua_isinteger(w->L, index)) {
		*ret_json = json_integer(lua_tointeger(w->L, index));
		return *ret_json ? 0 : -ENOMEM;
	}
	if (!isfinite(n))
		return refuse(w, "the number is %s, which has no JSON",
			isnan(n) ? "not a number" : "infinite");
	*ret_json = json_real(n);
	return *ret_json ? 0 : -ENOMEM;
}

/* Extends the path for one member; the caller cuts it back. A path too long is left as it is. */
static size_t enter(struct writer *w, const struct key *key)
{
	size_t before = w->path.len;
	char name[64];

	if (key->kind == KEY_STRING) {
		str_sanitize(name, sizeof(name), key->text, key->len);
		(void)str_appendf(&w->path, ".%s", name);
	} else {
		(void)str_appendf(&w->path, "[%lld]", (long long)key->integer);
	}
	return before;
}

static void leave(struct writer *w, size_t before)
{
	w->path.len = before;
	w->path.data[before] = '\0';
}

static int write_list(struct writer *w, int table, size_t n, json_t **ret_json)
{
	auto_json json_t *list = json_array();
	int r = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 1; i <= n && r == 0; i++) {
		struct key key = {.kind = KEY_INTEGER, .integer = (lua_Integer)i};
		json_t *item = NULL;
		size_t before = enter(w, &key);

		lua_rawgeti(w->L, table, (lua_Integer)i);
		r = write_value(w, lua_gettop(w->L), &item);
		lua_pop(w->L, 1);
		if (r == 0 && json_array_append_new(list, item) < 0)
			r = -ENOMEM;
		leave(w, before);
	}
	if (r == 0)
		*ret_json = TAKE(list);
	return r;
}

/* Leaves all values on the stack, each in the slot its key names: looking one up again by a long
 * string would allocate, and so might raise while C holds memory. */
static void read_members(lua_State *L, int table, struct key *keys, size_t n)
{
	lua_pushnil(L);
	for (size_t i = 0; lua_next(L, table) && i < n; i++) {
		keys_read(L, -2, &keys[i]);
		lua_insert(L, -2);
		keys[i].slot = lua_gettop(L) - 1;
	}
}

static int write_members(struct writer *w, const struct key *keys, size_t n, json_t *object)
{
	for (size_t i = 0; i < n; i++) {
		json_t *item = NULL;
		size_t before = enter(w, &keys[i]);
		int r;

		if (keys[i].kind != KEY_STRING)
			r = refuse(w,
				"a table is either a list from 1 on without holes or has only "
				"names as keys");
		else if (!str_utf8_valid(keys[i].text, keys[i].len))
			r = refuse(w, "the name is not valid UTF-8");
		else
			r = write_value(w, keys[i].slot, &item);
		if (r == 0 &&
			json_object_setn_new_nocheck(object, keys[i].text, keys[i].len, item) < 0)
			r = -ENOMEM;
		if (r < 0)
			return r;
		leave(w, before);
	}
	return 0;
}

static int write_object(struct writer *w, int table, size_t n, json_t **ret_json)
{
	auto_json json_t *object = json_object();
	auto_free struct key *keys = calloc(2 * n + 1, sizeof(*keys));
	int top = lua_gettop(w->L), r;

	if (!object || !keys)
		return -ENOMEM;
	if (!lua_checkstack(w->L, (int)n + 4))
		return refuse(w, "too many members");
	read_members(w->L, table, keys, n);
	keys_sort(keys, keys + n, n);
	r = write_members(w, keys, n, object);
	lua_settop(w->L, top);
	if (r == 0)
		*ret_json = TAKE(object);
	return r;
}

static int write_open_table(struct writer *w, int table, json_t **ret_json)
{
	size_t n = 0;
	int refused = LUA_TNIL;

	if (!lua_checkstack(w->L, 4))
		return -ENOMEM;
	if (!keys_count(w->L, table, &n, &refused))
		return refuse(w, "a %s cannot be a key", lua_typename(w->L, refused));
	if (n > VALUE_MAX_NODES - w->n_nodes)
		return refuse(w, "more than %d values", VALUE_MAX_NODES);
	/* With n keys in all and 1..n among them there are no others. */
	for (size_t i = n; i > 0; i--) {
		bool hole = lua_rawgeti(w->L, table, (lua_Integer)i) == LUA_TNIL;

		lua_pop(w->L, 1);
		if (hole)
			return write_object(w, table, n, ret_json);
	}
	return n ? write_list(w, table, n, ret_json) : write_object(w, table, n, ret_json);
}

static int write_table(struct writer *w, int table, json_t **ret_json)
{
	const void *self = lua_topointer(w->L, table);
	int r;

	if (!lua_checkstack(w->L, 4))
		return -ENOMEM;
	if (value_push_reference_name(w->L, table)) {
		r = write_value(w, lua_gettop(w->L), ret_json);
		lua_pop(w->L, 1);
		return r;
	}
	for (unsigned i = 0; i < w->depth; i++)
		if (w->open[i] == self)
			return refuse(w, "the table contains itself");
	if (w->depth == VALUE_MAX_DEPTH)
		return refuse(w, "nested deeper than %d levels", VALUE_MAX_DEPTH);
	w->open[w->depth++] = self;
	r = write_open_table(w, table, ret_json);
	w->depth--;
	return r;
}

static int write_value(struct writer *w, int index, json_t **ret_json)
{
	int type = lua_type(w->L, index);

	if (++w->n_nodes > VALUE_MAX_NODES)
		return refuse(w, "more than %d values", VALUE_MAX_NODES);
	switch (type) {
	case LUA_TNIL:
		*ret_json = json_null();
		return 0;
	case LUA_TBOOLEAN:
		*ret_json = json_boolean(lua_toboolean(w->L, index));
		return 0;
	case LUA_TNUMBER:
		return write_number(w, index, ret_json);
	case LUA_TSTRING:
		return write_string(w, index, ret_json);
	case LUA_TTABLE:
		return write_table(w, index, ret_json);
	case LUA_TLIGHTUSERDATA:
		/* The only one there is: tend.null. */
		*ret_json = json_null();
		return 0;
	default:
		return refuse(w, "a %s cannot be sent", lua_typename(w->L, type));
	}
}

int value_to_json(
	lua_State *L, int index, const char *what, json_t **ret_json, struct tend_error *err)
{
	struct writer w = {.L = L, .err = err, .path = STR_INIT(PATH_BYTES)};
	int top = lua_gettop(L), r;

	r = str_appendf(&w.path, "%s", what);
	if (r == 0)
		r = write_value(&w, lua_absindex(L, index), ret_json);
	lua_settop(L, top);
	str_clear(&w.path);
	if (r == -ENOMEM)
		(void)tend_error_set(err, r, "%s: not enough memory", what);
	return r;
}

static void push_list(lua_State *L, const json_t *list)
{
	size_t n = json_array_size(list);

	lua_createtable(L, (int)MIN(n, (size_t)VALUE_MAX_NODES), 0);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);

		if (json_is_null(item))
			value_push_null(L);
		else
			value_push(L, item);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_object(lua_State *L, const json_t *object)
{
	/* Iterating changes nothing; jansson 2.14 wants it without const all the same. */
	json_t *o = (json_t *)(uintptr_t)object;

	lua_createtable(L, 0, (int)MIN(json_object_size(o), (size_t)VALUE_MAX_NODES));
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		lua_pushlstring(L, json_object_iter_key(it), json_object_iter_key_len(it));
		value_push(L, json_object_iter_value(it));
		lua_rawset(L, -3);
	}
}

void value_push(lua_State *L, const json_t *json)
{
	luaL_checkstack(L, 8, "JSON is nested too deeply");
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		push_object(L, json);
		break;
	case JSON_ARRAY:
		push_list(L, json);
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(json), json_string_length(json));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(json));
		break;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(json));
		break;
	case JSON_NULL:
		lua_pushnil(L);
		break;
	}
}

void value_push_null(lua_State *L)
{
	lua_pushlightuserdata(L, NULL);
}

void value_mark_reference(lua_State *L, const char *field)
{
	lua_createtable(L, 0, 2);
	lua_getfield(L, -2, field);
	lua_rawsetp(L, -2, &reference_key);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

bool value_push_reference_name(lua_State *L, int index)
{
	int type;

	if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
		return false;
	type = lua_rawgetp(L, -1, &reference_key);
	lua_remove(L, -2);
	if (type != LUA_TSTRING)
		lua_pop(L, 1);
	return type == LUA_TSTRING;
}
