/* SPDX-License-Identifier: MIT */
#include "run/keys.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"

bool keys_count(lua_State *L, int table, size_t *ret_n, int *ret_refused)
{
	size_t n = 0;

	table = lua_absindex(L, table);
	lua_pushnil(L);
	while (lua_next(L, table)) {
		int type = lua_type(L, -2);

		if (type != LUA_TNUMBER && type != LUA_TSTRING) {
			*ret_refused = type;
			lua_pop(L, 2);
			return false;
		}
		n++;
		lua_pop(L, 1);
	}
	*ret_n = n;
	return true;
}

void keys_read(lua_State *L, int index, struct key *ret_key)
{
	*ret_key = (struct key){0};
	if (lua_type(L, index) == LUA_TSTRING) {
		ret_key->kind = KEY_STRING;
		ret_key->text = lua_tolstring(L, index, &ret_key->len);
	} else if (lua_isinteger(L, index)) {
		ret_key->kind = KEY_INTEGER;
		ret_key->integer = lua_tointeger(L, index);
	} else {
		ret_key->kind = KEY_FLOAT;
		ret_key->number = lua_tonumber(L, index);
	}
}

/* Lua turns floats with an integer value into integers as keys, so the two are never equal. */
static int compare_mixed(lua_Integer i, lua_Number f)
{
	if (f >= 0x1p63)
		return -1;
	if (f < -0x1p63)
		return 1;
	return i <= (lua_Integer)floor(f) ? -1 : 1;
}

static int compare_text(const struct key *a, const struct key *b)
{
	int r = memcmp(a->text, b->text, MIN(a->len, b->len));

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

int keys_compare(const struct key *a, const struct key *b)
{
	if (a->kind == KEY_STRING || b->kind == KEY_STRING)
		return a->kind != b->kind ? (a->kind == KEY_STRING ? 1 : -1) : compare_text(a, b);
	if (a->kind == KEY_INTEGER && b->kind == KEY_INTEGER)
		return (a->integer > b->integer) - (a->integer < b->integer);
	if (a->kind == KEY_INTEGER)
		return compare_mixed(a->integer, b->number);
	if (b->kind == KEY_INTEGER)
		return -compare_mixed(b->integer, a->number);
	return (a->number > b->number) - (a->number < b->number);
}

static void merge(const struct key *from, struct key *to, size_t left, size_t middle, size_t right)
{
	size_t i = left, j = middle;

	for (size_t k = left; k < right; k++) {
		bool take_left =
			j >= right || (i < middle && keys_compare(&from[i], &from[j]) <= 0);

		to[k] = take_left ? from[i++] : from[j++];
	}
}

void keys_sort(struct key *keys, struct key *scratch, size_t n)
{
	struct key *from = keys, *to = scratch, *swap;

	for (size_t width = 1; width < n; width *= 2) {
		for (size_t left = 0; left < n; left += 2 * width)
			merge(from, to, left, MIN(left + width, n), MIN(left + 2 * width, n));
		swap = from;
		from = to;
		to = swap;
	}
	if (from != keys)
		memcpy(keys, from, n * sizeof(*keys));
}

void keys_push(lua_State *L, const struct key *key)
{
	switch (key->kind) {
	case KEY_INTEGER:
		lua_pushinteger(L, key->integer);
		break;
	case KEY_FLOAT:
		lua_pushnumber(L, key->number);
		break;
	case KEY_STRING:
		lua_pushlstring(L, key->text, key->len);
		break;
	}
}
