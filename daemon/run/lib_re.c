/* SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/env.h"
#include "run/lib.h"

/* Registry keys: the metatable of compiled expressions, and those compiled lately by their text. */
static const char metatable_key, cache_key;

/* A compiled expression; a userdata. PCRE2 takes memory from Lua's allocator, so that it counts for
 * the limit of a run. There is no JIT: the filter allows no executable memory. */
struct expression {
	pcre2_code *code;
	pcre2_match_data *data;
	uint32_t n_captures;
};

struct re {
	pcre2_general_context *general;
	pcre2_compile_context *compile;
	pcre2_match_context *match;
};

/* Lua's allocator wants to be told how large a block was. */
union block {
	size_t size;
	max_align_t align;
};

static void *take_memory(size_t size, void *data)
{
	void *allocator_data;
	lua_Alloc allocator = lua_getallocf(data, &allocator_data);
	union block *block;

	if (size > (size_t)LIB_RE_HEAP_KIB * 2048)
		return NULL;
	block = allocator(allocator_data, NULL, 0, sizeof(*block) + size);
	if (!block)
		return NULL;
	block->size = size;
	return block + 1;
}

static void give_memory(void *p, void *data)
{
	void *allocator_data;
	lua_Alloc allocator = lua_getallocf(data, &allocator_data);
	union block *block = p;

	if (!p)
		return;
	block--;
	(void)allocator(allocator_data, block, sizeof(*block) + block->size, 0);
}

static int expression_free(lua_State *L)
{
	struct expression *e = lua_touserdata(L, 1);

	pcre2_match_data_free(e->data);
	pcre2_code_free(e->code);
	*e = (struct expression){0};
	return 0;
}

static const struct re *re_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static uint32_t read_flags(lua_State *L, int index, const char *name)
{
	static const struct {
		char letter;
		uint32_t option;
	} known[] = {{'i', PCRE2_CASELESS}, {'m', PCRE2_MULTILINE}, {'s', PCRE2_DOTALL},
		{'x', PCRE2_EXTENDED}};
	uint32_t options = 0;

	for (const char *p = luaL_optstring(L, index, ""); *p; p++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && known[i].letter != *p)
			i++;
		if (i == ARRAY_SIZE(known))
			env_error(L, "re.%s: '%c' is none of the flags i, m, s, x", name, *p);
		options |= known[i].option;
	}
	return options;
}

__attribute__((noreturn)) static void refuse_expression(
	lua_State *L, const char *name, int code, size_t at)
{
	char message[160];

	(void)pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
	env_error(L, "re.%s: in the expression, at %zu: %s", name, at + 1, message);
}

static struct expression *push_compiled(lua_State *L, const char *name, int index, uint32_t options)
{
	const struct re *re = re_of(L);
	struct expression *e;
	int code = 0;
	size_t len, at = 0;
	const char *text = lua_tolstring(L, index, &len);

	e = lua_newuserdatauv(L, sizeof(*e), 0);
	*e = (struct expression){0};
	lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
	lua_setmetatable(L, -2);
	e->code = pcre2_compile((PCRE2_SPTR)text, len,
		options | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, re->compile);
	if (!e->code)
		refuse_expression(L, name, code, at);
	e->data = pcre2_match_data_create_from_pattern(e->code, re->general);
	if (!e->data)
		env_error(L, "re.%s: not enough memory", name);
	(void)pcre2_pattern_info(e->code, PCRE2_INFO_CAPTURECOUNT, &e->n_captures);
	return e;
}

/* Pushes the compiled expression at `index`, and keeps it for the next time. */
static struct expression *push_expression(
	lua_State *L, const char *name, int index, int index_flags)
{
	uint32_t options = read_flags(L, index_flags, name);
	size_t len;
	struct expression *e;

	luaL_checklstring(L, index, &len);
	if (len > LIB_RE_PATTERN_BYTES)
		env_error(L, "re.%s: the expression is longer than %d bytes", name,
			LIB_RE_PATTERN_BYTES);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
	lua_pushfstring(L, "%d ", (int)options);
	lua_pushvalue(L, index);
	lua_concat(L, 2);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, -3) != LUA_TUSERDATA) {
		lua_Integer n;

		lua_pop(L, 1);
		(void)push_compiled(L, name, index, options);
		/* Full: begin anew. [1] counts. */
		lua_rawgeti(L, -3, 1);
		n = lua_tointeger(L, -1) + 1;
		lua_pop(L, 1);
		if (n > LIB_RE_CACHED) {
			lua_newtable(L);
			lua_pushvalue(L, -1);
			lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
			lua_replace(L, -4);
			n = 1;
		}
		lua_pushinteger(L, n);
		lua_rawseti(L, -4, 1);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_replace(L, -3);
	lua_pop(L, 1);
	e = lua_touserdata(L, -1);
	return e;
}

__attribute__((noreturn)) static void refuse_match(lua_State *L, const char *name, int code)
{
	char message[160];

	if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT ||
		code == PCRE2_ERROR_HEAPLIMIT)
		env_error(L,
			"re.%s: the expression takes too many steps on this text; make it simpler, "
			"or anchor it",
			name);
	if (code <= PCRE2_ERROR_UTF8_ERR1 && code >= PCRE2_ERROR_UTF8_ERR21)
		env_error(L, "re.%s: the text is not valid UTF-8", name);
	(void)pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
	env_error(L, "re.%s: %s", name, message);
}

struct subject {
	const char *text;
	size_t len;
	bool checked; /* its UTF-8 */
};

/* Finds at or behind `from`; the ovector is in e->data until the next match. */
static bool find_from(lua_State *L, const char *name, const struct expression *e,
	struct subject *subject, size_t from, bool not_empty_here)
{
	uint32_t options = subject->checked ? PCRE2_NO_UTF_CHECK : 0;
	int r;

	if (not_empty_here)
		options |= PCRE2_NOTEMPTY_ATSTART;
	r = pcre2_match(e->code, (PCRE2_SPTR)subject->text, subject->len, from, options, e->data,
		re_of(L)->match);
	if (r == PCRE2_ERROR_NOMATCH)
		return false;
	if (r < 0)
		refuse_match(L, name, r);
	subject->checked = true;
	return true;
}

static void push_group(
	lua_State *L, const struct expression *e, const struct subject *subject, uint32_t i)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(e->data);

	if (at[2 * i] == PCRE2_UNSET)
		lua_pushnil(L);
	else
		lua_pushlstring(
			L, subject->text + at[2 * i], MAX(at[2 * i + 1], at[2 * i]) - at[2 * i]);
}

/* The groups, or without any the whole match; how many. */
static int push_groups(lua_State *L, const struct expression *e, const struct subject *subject)
{
	if (e->n_captures == 0) {
		push_group(L, e, subject, 0);
		return 1;
	}
	luaL_checkstack(L, (int)e->n_captures + 4, "too many groups");
	for (uint32_t i = 1; i <= e->n_captures; i++)
		push_group(L, e, subject, i);
	return (int)e->n_captures;
}

/* Byte positions from 1, negative ones from the end, moved to the next character's start. */
static size_t start_of(lua_State *L, int index, const struct subject *subject)
{
	lua_Integer init = luaL_optinteger(L, index, 1);
	lua_Integer len = (lua_Integer)subject->len;
	size_t from;

	if (init < 0)
		init = MAX(len + init + 1, (lua_Integer)1);
	from = init <= 1 ? 0 : (size_t)MIN(init - 1, len + 1);
	while (from < subject->len && ((unsigned char)subject->text[from] & 0xc0) == 0x80)
		from++;
	return from;
}

/* Replaces re.NAME(text, expression, init, flags): the expression lies on top, then. */
static bool find_once(
	lua_State *L, const char *name, struct expression **ret_e, struct subject *ret_subject)
{
	size_t from;

	ret_subject->text = luaL_checklstring(L, 1, &ret_subject->len);
	from = start_of(L, 3, ret_subject);
	*ret_e = push_expression(L, name, 2, 4);
	return from <= ret_subject->len && find_from(L, name, *ret_e, ret_subject, from, false);
}

static int re_match(lua_State *L)
{
	struct expression *e;
	struct subject subject = {0};

	if (find_once(L, "match", &e, &subject))
		return push_groups(L, e, &subject);
	lua_pushnil(L);
	return 1;
}

static int re_find(lua_State *L)
{
	struct expression *e;
	struct subject subject = {0};
	const PCRE2_SIZE *at;

	if (!find_once(L, "find", &e, &subject)) {
		lua_pushnil(L);
		return 1;
	}
	at = pcre2_get_ovector_pointer(e->data);
	lua_pushinteger(L, (lua_Integer)at[0] + 1);
	lua_pushinteger(L, (lua_Integer)at[1]);
	return 2 + (e->n_captures ? push_groups(L, e, &subject) : 0);
}

/* Where to look next, behind the match in e->data; *not_empty: it was empty. */
static size_t behind(const struct expression *e, bool *not_empty)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(e->data);

	*not_empty = at[1] <= at[0];
	return MAX(at[1], at[0]);
}

/* Upvalues: the module, the text, the expression, where to go on, was the last match empty. */
static int gmatch_next(lua_State *L)
{
	const struct expression *e = lua_touserdata(L, lua_upvalueindex(3));
	size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(4));
	bool not_empty = lua_toboolean(L, lua_upvalueindex(5));
	struct subject subject = {.checked = from > 0};

	subject.text = lua_tolstring(L, lua_upvalueindex(2), &subject.len);
	if (from > subject.len || !find_from(L, "gmatch", e, &subject, from, not_empty))
		return 0;
	lua_pushinteger(L, (lua_Integer)behind(e, &not_empty));
	lua_replace(L, lua_upvalueindex(4));
	lua_pushboolean(L, not_empty);
	lua_replace(L, lua_upvalueindex(5));
	return push_groups(L, e, &subject);
}

/* re.gmatch(text, expression [, flags]) */
static int re_gmatch(lua_State *L)
{
	luaL_checkstring(L, 1);
	lua_settop(L, 3);
	(void)push_expression(L, "gmatch", 2, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 4);
	lua_pushinteger(L, 0);
	lua_pushboolean(L, false);
	lua_pushcclosure(L, gmatch_next, 5);
	return 1;
}

struct found {
	const struct expression *e;
	const struct subject *subject;
};

static void add_group(lua_State *L, luaL_Buffer *out, int n, const void *data)
{
	const struct found *found = data;

	if (n < 0 || (uint32_t)n > found->e->n_captures)
		env_error(L, "re.gsub: after '$' in the replacement must come the number of a "
			     "group, or '$'");
	push_group(L, found->e, found->subject, (uint32_t)n);
	if (lua_isnil(L, -1))
		lua_pop(L, 1);
	else
		luaL_addvalue(out);
}

/* $0 to $9 and $$. */
static void add_text(
	lua_State *L, luaL_Buffer *out, const struct expression *e, const struct subject *subject)
{
	const struct found found = {e, subject};

	env_add_text(L, out, '$', add_group, &found);
}

/* What the table or the function says; nil and false leave the match [start, end) as it is. */
static void add_value(lua_State *L, luaL_Buffer *out, const struct expression *e,
	const struct subject *subject, size_t start, size_t end)
{
	int n = push_groups(L, e, subject);

	if (lua_type(L, 3) == LUA_TTABLE) {
		lua_pop(L, n - 1);
		if (lua_isnil(L, -1))
			lua_pushliteral(L, "");
		(void)lua_gettable(L, 3);
	} else {
		lua_pushvalue(L, 3);
		lua_insert(L, -n - 1);
		lua_call(L, n, 1);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(out, subject->text + start, end - start);
	} else if (!lua_isstring(L, -1)) {
		env_error(L, "re.gsub: invalid replacement value (a %s)", luaL_typename(L, -1));
	} else {
		luaL_addvalue(out);
	}
}

static lua_Integer gsub_all(
	lua_State *L, const struct expression *e, struct subject *subject, lua_Integer most)
{
	bool is_text = lua_isstring(L, 3), not_empty = false;
	size_t copied = 0, from = 0;
	lua_Integer n = 0;
	luaL_Buffer out;

	luaL_buffinit(L, &out);
	for (; n < most && find_from(L, "gsub", e, subject, from, not_empty); n++) {
		const PCRE2_SIZE *at = pcre2_get_ovector_pointer(e->data);
		size_t start = MAX(at[0], copied), end = MAX(at[1], start);

		/* Before the function is called, which may use the same expression. */
		from = behind(e, &not_empty);
		luaL_addlstring(&out, subject->text + copied, start - copied);
		copied = end;
		if (is_text)
			add_text(L, &out, e, subject);
		else
			add_value(L, &out, e, subject, start, end);
	}
	luaL_addlstring(&out, subject->text + copied, subject->len - copied);
	luaL_pushresult(&out);
	return n;
}

/* re.gsub(text, expression, replacement [, most [, flags]]) */
static int re_gsub(lua_State *L)
{
	struct subject subject = {0};
	const struct expression *e;
	lua_Integer most;
	int type = lua_type(L, 3);

	subject.text = luaL_checklstring(L, 1, &subject.len);
	luaL_argexpected(L,
		type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TTABLE ||
			type == LUA_TFUNCTION,
		3, "string/function/table");
	most = luaL_optinteger(L, 4, (lua_Integer)subject.len + 1);
	lua_settop(L, 5);
	if (type == LUA_TNUMBER)
		(void)lua_tostring(L, 3);
	e = push_expression(L, "gsub", 2, 5);
	lua_pushinteger(L, gsub_all(L, e, &subject, most));
	return 2;
}

/* re.escape(text): the text as an expression that matches it. */
static int re_escape(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	luaL_Buffer out;

	luaL_buffinit(L, &out);
	for (size_t i = 0; i < len; i++) {
		if (text[i] && strchr("\\^$.[]|()?*+{}-#/ \t\n", text[i]))
			luaL_addchar(&out, '\\');
		luaL_addchar(&out, text[i]);
	}
	luaL_pushresult(&out);
	return 1;
}

static void prepare(lua_State *L, struct re *re)
{
	lua_State *main;

	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	main = lua_tothread(L, -1);
	lua_pop(L, 1);
	re->general = pcre2_general_context_create(take_memory, give_memory, main);
	re->compile = re->general ? pcre2_compile_context_create(re->general) : NULL;
	re->match = re->general ? pcre2_match_context_create(re->general) : NULL;
	if (!re->compile || !re->match)
		luaL_error(L, "not enough memory");
	(void)pcre2_set_parens_nest_limit(re->compile, 64);
	(void)pcre2_set_match_limit(re->match, LIB_RE_STEPS);
	(void)pcre2_set_depth_limit(re->match, LIB_RE_DEPTH);
	(void)pcre2_set_heap_limit(re->match, LIB_RE_HEAP_KIB);
}

static int module_free(lua_State *L)
{
	struct re *re = lua_touserdata(L, 1);

	pcre2_match_context_free(re->match);
	pcre2_compile_context_free(re->compile);
	pcre2_general_context_free(re->general);
	*re = (struct re){0};
	return 0;
}

/* Pushes a userdata of `size`, zero, that `fn` frees at the end. */
static void *push_owned(lua_State *L, size_t size, lua_CFunction fn)
{
	void *p = lua_newuserdatauv(L, size, 0);

	memset(p, 0, size);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, fn);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	return p;
}

void lib_open_re(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"match", re_match},
		{"find", re_find},
		{"gmatch", re_gmatch},
		{"gsub", re_gsub},
		{"escape", re_escape},
		{NULL, NULL},
	};

	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, expression_free);
	lua_setfield(L, -2, "__gc");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
	luaL_newlibtable(L, functions);
	prepare(L, push_owned(L, sizeof(struct re), module_free));
	luaL_setfuncs(L, functions, 1);
	lua_setglobal(L, "re");
}
