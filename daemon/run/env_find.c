/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/env.h"
#include "run/pattern.h"

/* string.find, match, gmatch and gsub over run/pattern.h. */

static void compile(
	lua_State *L, const char *name, int index, bool anchor, struct pattern *ret_pattern)
{
	struct tend_error err = {0};
	size_t len;
	const char *text = luaL_checklstring(L, index, &len);

	if (pattern_compile(text, len, anchor, ret_pattern, &err) < 0)
		env_error(L, "string.%s: %s", name, err.text);
}

static bool try_at(
	lua_State *L, const char *name, struct pattern_match *match, size_t at, size_t *ret_end)
{
	int r = pattern_try(match, at, ret_end);

	if (r < 0)
		env_error(L,
			"string.%s: the pattern takes more than %d steps on this text; make it "
			"simpler, or anchor it",
			name, PATTERN_MAX_STEPS);
	return r > 0;
}

/* The first match at or behind `from`. */
static bool search(lua_State *L, const char *name, struct pattern_match *match, size_t from,
	size_t *ret_start, size_t *ret_end)
{
	for (size_t at = from; at <= match->len; at++) {
		if (try_at(L, name, match, at, ret_end)) {
			*ret_start = at;
			return true;
		}
		if (match->pattern->anchored)
			break;
	}
	return false;
}

static void push_capture(lua_State *L, const struct pattern_match *match, size_t i)
{
	const struct pattern_capture *capture = &match->captures[i];

	if (capture->len == PATTERN_POSITION_LEN)
		lua_pushinteger(L, capture->start - match->text + 1);
	else
		lua_pushlstring(L, capture->start, (size_t)capture->len);
}

/* All captures, or without any the whole match if `whole` says so; how many. */
static int push_captures(
	lua_State *L, const struct pattern_match *match, size_t start, size_t end, bool whole)
{
	int n = (int)match->n_captures;

	luaL_checkstack(L, n + 1, "too many captures");
	for (size_t i = 0; i < match->n_captures; i++)
		push_capture(L, match, i);
	if (n > 0 || !whole)
		return n;
	lua_pushlstring(L, match->text + start, end - start);
	return 1;
}

/* Where to begin, from 0; more than `len` if there is nothing to be found any more. */
static size_t start_of(lua_State *L, int index, size_t len)
{
	lua_Integer init = luaL_optinteger(L, index, 1);

	if (init > 0)
		return (size_t)init - 1 > len ? len + 1 : (size_t)init - 1;
	if (init == 0 || (size_t) - (init + 1) + 1 > len)
		return 0;
	return len - (size_t)-init;
}

static int push_plain(lua_State *L, const char *text, size_t len, size_t from)
{
	size_t len_word;
	const char *word = luaL_checklstring(L, 2, &len_word);
	const char *found =
		len_word ? memmem(text + from, len - from, word, len_word) : text + from;

	if (!found) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, found - text + 1);
	lua_pushinteger(L, found - text + (lua_Integer)len_word);
	return 2;
}

static int find_or_match(lua_State *L, const char *name, bool find)
{
	struct pattern pattern;
	struct pattern_match match = {.pattern = &pattern};
	size_t from, start = 0, end = 0;

	match.text = luaL_checklstring(L, 1, &match.len);
	from = start_of(L, 3, match.len);
	if (from > match.len) {
		lua_pushnil(L);
		return 1;
	}
	if (find && lua_toboolean(L, 4))
		return push_plain(L, match.text, match.len, from);
	compile(L, name, 2, true, &pattern);
	if (!search(L, name, &match, from, &start, &end)) {
		lua_pushnil(L);
		return 1;
	}
	if (!find)
		return push_captures(L, &match, start, end, true);
	lua_pushinteger(L, (lua_Integer)start + 1);
	lua_pushinteger(L, (lua_Integer)end);
	return 2 + push_captures(L, &match, start, end, false);
}

static int text_find(lua_State *L)
{
	return find_or_match(L, "find", true);
}

static int text_match(lua_State *L)
{
	return find_or_match(L, "match", false);
}

/* Upvalues: the text, the compiled pattern, where to go on, where the last match ended. */
static int gmatch_next(lua_State *L)
{
	struct pattern_match match = {.pattern = lua_touserdata(L, lua_upvalueindex(2))};
	size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	size_t start = 0, end = 0;

	match.text = lua_tolstring(L, lua_upvalueindex(1), &match.len);
	while (from <= match.len && search(L, "gmatch", &match, from, &start, &end)) {
		if ((lua_Integer)end == last) {
			/* Nothing, where the last one ended. */
			from = start + 1;
			continue;
		}
		lua_pushinteger(L, (lua_Integer)end);
		lua_copy(L, -1, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return push_captures(L, &match, start, end, true);
	}
	lua_pushinteger(L, (lua_Integer)match.len + 1);
	lua_replace(L, lua_upvalueindex(3));
	return 0;
}

static int text_gmatch(lua_State *L)
{
	struct pattern *pattern;
	size_t len, from;

	luaL_checklstring(L, 1, &len);
	from = start_of(L, 3, len);
	lua_pushvalue(L, 1);
	pattern = lua_newuserdatauv(L, sizeof(*pattern), 0);
	compile(L, "gmatch", 2, false, pattern);
	lua_pushinteger(L, (lua_Integer)from);
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

void env_add_text(
	lua_State *L, luaL_Buffer *out, char mark, env_group_fn add_group, const void *data)
{
	size_t len;
	const char *text = lua_tolstring(L, 3, &len);

	for (size_t i = 0; i < len; i++) {
		if (text[i] != mark) {
			luaL_addchar(out, text[i]);
			continue;
		}
		i++;
		if (i < len && text[i] == mark)
			luaL_addchar(out, mark);
		else
			add_group(L, out,
				i < len && text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : -1,
				data);
	}
}

struct found {
	const struct pattern_match *match;
	size_t start, end;
};

static void add_capture(lua_State *L, luaL_Buffer *out, int n, const void *data)
{
	const struct found *found = data;
	const struct pattern_match *match = found->match;

	if (n < 0)
		env_error(L, "string.gsub: invalid use of '%%' in the replacement");
	if (n == 0 || (n == 1 && match->n_captures == 0)) {
		luaL_addlstring(out, match->text + found->start, found->end - found->start);
		return;
	}
	if ((size_t)n > match->n_captures)
		env_error(L, "string.gsub: invalid capture index %%%d in the replacement", n);
	push_capture(L, match, (size_t)n - 1);
	luaL_addvalue(out);
}

/* The replacement text with its %0 to %9. */
static void add_text(
	lua_State *L, luaL_Buffer *out, const struct pattern_match *match, size_t start, size_t end)
{
	const struct found found = {match, start, end};

	env_add_text(L, out, '%', add_capture, &found);
}

/* What the table or the function says; nil and false leave the match as it is. */
static void add_value(
	lua_State *L, luaL_Buffer *out, const struct pattern_match *match, size_t start, size_t end)
{
	int n = push_captures(L, match, start, end, true);

	if (lua_type(L, 3) == LUA_TTABLE) {
		lua_pop(L, n - 1);
		(void)lua_gettable(L, 3);
	} else {
		lua_pushvalue(L, 3);
		lua_insert(L, -n - 1);
		lua_call(L, n, 1);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(out, match->text + start, end - start);
	} else if (!lua_isstring(L, -1)) {
		env_error(L, "string.gsub: invalid replacement value (a %s)", luaL_typename(L, -1));
	} else {
		luaL_addvalue(out);
	}
}

static void gsub_all(lua_State *L, struct pattern_match *match, lua_Integer most)
{
	bool is_text = lua_isstring(L, 3);
	size_t at = 0, end = 0, last = SIZE_MAX;
	lua_Integer n = 0;
	luaL_Buffer out;

	luaL_buffinit(L, &out);
	while (n < most) {
		if (try_at(L, "gsub", match, at, &end) && end != last) {
			n++;
			if (is_text)
				add_text(L, &out, match, at, end);
			else
				add_value(L, &out, match, at, end);
			at = last = end;
		} else if (at < match->len) {
			luaL_addchar(&out, match->text[at++]);
		} else {
			break;
		}
		if (match->pattern->anchored)
			break;
	}
	luaL_addlstring(&out, match->text + at, match->len - at);
	luaL_pushresult(&out);
	lua_pushinteger(L, n);
}

static int text_gsub(lua_State *L)
{
	struct pattern pattern;
	struct pattern_match match = {.pattern = &pattern};
	int type = lua_type(L, 3);

	match.text = luaL_checklstring(L, 1, &match.len);
	luaL_argexpected(L,
		type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TTABLE ||
			type == LUA_TFUNCTION,
		3, "string/function/table");
	compile(L, "gsub", 2, true, &pattern);
	/* A number becomes its text where it stands. */
	if (type == LUA_TNUMBER)
		(void)lua_tostring(L, 3);
	gsub_all(L, &match, luaL_optinteger(L, 4, (lua_Integer)match.len + 1));
	return 2;
}

void env_open_find(lua_State *L)
{
	static const luaL_Reg own[] = {
		{"find", text_find},
		{"match", text_match},
		{"gmatch", text_gmatch},
		{"gsub", text_gsub},
		{NULL, NULL},
	};

	lua_getglobal(L, "string");
	luaL_setfuncs(L, own, 0);
	lua_pop(L, 1);
}
