/* SPDX-License-Identifier: MIT */
#include "run/format.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "run/decl_fields.h"
#include "run/env.h"
#include "run/library.h"
#include "run/sandbox.h"
#include "run/value.h"
#include "run/wire.h"

enum { MESSAGE_BYTES = 4096, CHUNK_BYTES = 256, EXIT_PROTOCOL = 2, EXIT_SANDBOX = 3 };
enum { COLLECT_BYTES = 4 << 20 };
/* What a format may declare. */
enum {
	RATE_MAX = 1000000,
	BODY_MIN_BYTES = 256,
	BODY_MAX_BYTES = 512 << 10,
	NOTICES_MAX = 2000,
	REPEAT_MAX_SEC = 86400,
	MAX_OPTIONS = 64
};

struct server {
	struct wire wire;
	struct sandbox *sandbox;
	struct env_memory memory;
	lua_State *L;
	json_t *start; /* its texts live as long as the process */
	json_t *args;
	struct decl_source source;
	char chunk[CHUNK_BYTES];
	json_t *options; /* as declared; NULL: none */
	uint64_t id;	 /* of the call at work; 0: the file is being loaded */
};

/* ---- words with the daemon ------------------------------------------------------------------ */

__attribute__((noreturn)) static void give_up(struct server *s, json_t *args)
{
	(void)wire_note(&s->wire, "failed", args);
	_exit(0);
}

static json_t *message_json(const char *message, size_t len)
{
	char text[MESSAGE_BYTES];

	str_sanitize(text, sizeof(text), message, len);
	return json_string(text);
}

static json_t *error_json(struct server *s)
{
	size_t len;
	const char *message = lua_tolstring(s->L, -1, &len);
	char text[CHUNK_BYTES + 64];

	if (message)
		return message_json(message, len);
	(void)snprintf(text, sizeof(text), "%s: an error that is a %s, not a text", s->chunk,
		luaL_typename(s->L, -1));
	return json_string(text);
}

/* From within Lua's allocator, with no memory to be had. */
__attribute__((noreturn)) static void out_of_memory(void *data)
{
	const struct server *s = data;
	char line[256];
	int n;

	_Static_assert(SANDBOX_LUA_BYTES == 64 << 20, "the texts say how much");
	if (s->id)
		n = snprintf(line, sizeof(line),
			"{\"id\":%" PRIu64 ",\"error\":{\"code\":\"memory\",\"message\":"
			"\"not enough memory: a format has 64 MiB\"}}\n",
			s->id);
	else
		n = snprintf(line, sizeof(line),
			"{\"call\":\"failed\",\"args\":{\"message\":"
			"\"not enough memory: a format has 64 MiB\"}}\n");
	_exit(write(s->wire.fd, line, (size_t)n) < 0 ? EXIT_PROTOCOL : 0);
}

static int answer(struct server *s, const char *what, json_t *value)
{
	auto_json json_t *reply = json_pack("{s:I, s:o}", "id", (json_int_t)s->id, what, value);

	return reply ? wire_write(&s->wire, reply) : -ENOMEM;
}

static int answer_error(struct server *s, json_t *message)
{
	return answer(s, "error", json_pack("{s:s, s:o}", "code", "failed", "message", message));
}

/* ---- the file ------------------------------------------------------------------------------- */

static lua_Integer check_integer(
	lua_State *L, const struct decl_place *place, lua_Integer min, lua_Integer max)
{
	int is_integer;
	lua_Integer value = lua_tointegerx(L, -1, &is_integer);

	if (!is_integer || value < min || value > max)
		decl_place_error(L, place, place->key, "'%s' must be a whole number, %lld to %lld",
			place->key, (long long)min, (long long)max);
	return value;
}

static void check_rate(lua_State *L, const struct decl_place *place)
{
	(void)check_integer(L, place, 0, RATE_MAX);
}

static void check_bytes(lua_State *L, const struct decl_place *place)
{
	(void)check_integer(L, place, BODY_MIN_BYTES, BODY_MAX_BYTES);
}

static void check_notices(lua_State *L, const struct decl_place *place)
{
	(void)check_integer(L, place, 1, NOTICES_MAX);
}

static void check_repeat(lua_State *L, const struct decl_place *place)
{
	(void)check_integer(L, place, 1, REPEAT_MAX_SEC);
}

static void check_name(lua_State *L, const struct decl_place *place)
{
	size_t len;
	const char *name = lua_tolstring(L, -1, &len);

	if (len == 0 || len > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		decl_place_error(L, place, place->key,
			"'name' must be made of small letters, digits, '-' and '_'");
}

static void check_option(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"doc", LUA_TSTRING, NULL},
		{"default", LUA_TSTRING, NULL},
		{"required", LUA_TBOOLEAN, NULL},
	};

	if (lua_type(L, -1) != LUA_TTABLE)
		decl_place_error(
			L, place, place->key, "an option is a table {doc=..., default=...}");
	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
}

static void check_options(lua_State *L, const struct decl_place *place)
{
	int table = lua_gettop(L), keys;
	lua_Integer n = 0;

	env_push_sorted_keys(L, table);
	keys = lua_gettop(L);
	for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
		const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

		if (!name || ++n > MAX_OPTIONS)
			decl_place_error(L, place, place->key,
				"'options' is a table NAME = {...} of at most %d names",
				MAX_OPTIONS);
		lua_getfield(L, table, name);
		check_option(L, &(struct decl_place){place->source, place->line, NULL, name});
		lua_setfield(L, table, name);
		lua_settop(L, keys);
	}
	lua_settop(L, table);
}

static int last_return_line(const struct decl_source *source)
{
	const char *p = source->text;
	int found = 1;

	for (int line = 1; p; line++) {
		if (strncmp(p, "return", 6) == 0)
			found = line;
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return found;
}

/* Leaves the table of what the file returned, checked. */
static int load_file(lua_State *L)
{
	static const struct decl_field fields[] = {
		{"name", LUA_TSTRING, check_name},
		{"doc", LUA_TSTRING, NULL},
		{"group", LUA_TBOOLEAN, NULL},
		{"rate_per_minute", LUA_TNUMBER, check_rate},
		{"max_bytes", LUA_TNUMBER, check_bytes},
		{"max_notices", LUA_TNUMBER, check_notices},
		{"sign", LUA_TSTRING, NULL},
		{"repeat_seconds", LUA_TNUMBER, check_repeat},
		{"options", LUA_TTABLE, check_options},
		{"format", LUA_TFUNCTION, NULL},
		{"judge", LUA_TFUNCTION, NULL},
	};
	static const char *const needed[] = {"name", "doc", "format"};
	struct server *s = lua_touserdata(L, 1);
	struct decl_place place = {
		.source = &s->source, .line = last_return_line(&s->source), .policy = NULL};
	char chunk[CHUNK_BYTES + 1];

	lua_settop(L, 0);
	library_open(L, json_object_get(s->args, "library"));
	(void)snprintf(chunk, sizeof(chunk), "@%s", s->chunk);
	if (luaL_loadbufferx(L, s->source.text, s->source.len, chunk, "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	if (lua_type(L, 1) != LUA_TTABLE)
		decl_place_error(
			L, &place, NULL, "a format returns a table, not a %s", luaL_typename(L, 1));
	decl_check_table(L, &place, fields, ARRAY_SIZE(fields));
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (lua_getfield(L, 1, needed[i]) == LUA_TNIL)
			decl_place_error(L, &place, NULL, "a format needs '%s'", needed[i]);
		lua_pop(L, 1);
	}
	return 1;
}

/* The declaration, without its functions; these are kept in the registry. */
static json_t *describe(struct server *s, struct tend_error *err)
{
	static const char *const functions[] = {"format", "judge"};
	lua_State *L = s->L;
	int table = lua_gettop(L);
	bool judges = false;
	json_t *json;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		judges = lua_getfield(L, table, functions[i]) == LUA_TFUNCTION;
		lua_setfield(L, LUA_REGISTRYINDEX, functions[i]);
		lua_pushnil(L);
		lua_setfield(L, table, functions[i]);
	}
	if (value_to_json(L, table, s->chunk, &json, err) < 0)
		return NULL;
	(void)json_object_set_new(json, "judge", json_boolean(judges));
	s->options = json_incref(json_object_get(json, "options"));
	lua_settop(L, 0);
	return json;
}

static void load_and_describe(struct server *s)
{
	struct tend_error err = {0};
	json_t *format;

	lua_pushcfunction(s->L, load_file);
	lua_pushlightuserdata(s->L, s);
	if (lua_pcall(s->L, 1, 1, 0) != LUA_OK)
		give_up(s, json_pack("{s:o}", "message", error_json(s)));
	format = describe(s, &err);
	if (!format)
		give_up(s, json_pack("{s:o}", "message", message_json(err.text, strlen(err.text))));
	if (wire_note(&s->wire, "described", json_pack("{s:o}", "format", format)) < 0)
		_exit(EXIT_PROTOCOL);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* format(notice, options) -> the request; the light userdata is its arguments as JSON. */
static int call_format(lua_State *L)
{
	const json_t *args = lua_touserdata(L, 1);

	lua_getfield(L, LUA_REGISTRYINDEX, "format");
	value_push(L, json_object_get(args, "notice"));
	value_push(L, json_object_get(args, "options"));
	lua_call(L, 2, 1);
	if (lua_type(L, -1) != LUA_TTABLE)
		env_error(L, "format() returned a %s, not a table", luaL_typename(L, -1));
	return 1;
}

/* judge(response, options) -> {verdict, after, why}. */
static int call_judge(lua_State *L)
{
	const json_t *args = lua_touserdata(L, 1);
	int after = 2, why = 3;

	if (lua_getfield(L, LUA_REGISTRYINDEX, "judge") != LUA_TFUNCTION)
		env_error(L, "this format has no judge()");
	value_push(L, json_object_get(args, "response"));
	/* What is no JSON is nil: a judge looks at the body then. */
	lua_getglobal(L, "json");
	lua_getfield(L, -1, "decode");
	lua_replace(L, -2);
	lua_getfield(L, -2, "body");
	if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
	lua_setfield(L, -2, "json");
	lua_remove(L, 1);
	value_push(L, json_object_get(args, "options"));
	lua_call(L, 2, 3);
	if (lua_type(L, 1) != LUA_TSTRING)
		env_error(L,
			"judge() returned a %s, not \"delivered\", \"retry\", \"failed\" or "
			"\"unclear\"",
			luaL_typename(L, 1));
	/* "failed", why: the second is the text. */
	if (lua_type(L, after) == LUA_TSTRING && lua_isnil(L, why)) {
		why = 2;
		after = 3;
	}
	lua_newtable(L);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "verdict");
	lua_pushvalue(L, after);
	lua_setfield(L, -2, "after");
	lua_pushvalue(L, why);
	lua_setfield(L, -2, "why");
	return 1;
}

/* What the receiver does not give has its default. */
static int fill_options(struct server *s, json_t *args, char text[MESSAGE_BYTES])
{
	json_t *options = json_object_get(args, "options"), *one, *value;
	const char *name;

	json_object_foreach (s->options, name, one) {
		if (json_object_get(options, name))
			continue;
		value = json_object_get(one, "default");
		if (!value && json_is_true(json_object_get(one, "required"))) {
			(void)snprintf(text, MESSAGE_BYTES, "option.%.64s is not set: %.500s", name,
				json_string_value(json_object_get(one, "doc")));
			return -EINVAL;
		}
		if (value && json_object_set(options, name, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int serve_call(struct server *s, lua_CFunction function, json_t *args)
{
	union { /* Lua takes a pointer to what may be written */
		const json_t *from;
		void *to;
	} pointer = {.from = args};
	struct tend_error err = {0};
	char text[MESSAGE_BYTES] = "no memory";
	json_t *result;
	int r;

	if (fill_options(s, args, text) < 0)
		return answer_error(s, json_string(text));
	lua_settop(s->L, 0);
	lua_pushcfunction(s->L, function);
	lua_pushlightuserdata(s->L, pointer.to);
	if (lua_pcall(s->L, 1, 1, 0) != LUA_OK) {
		if (s->memory.refused_new_bytes > 0)
			out_of_memory(s);
		return answer_error(s, error_json(s));
	}
	r = value_to_json(s->L, 1, "the request", &result, &err);
	if (r < 0)
		return answer_error(s, message_json(err.text, strlen(err.text)));
	r = answer(s, "ok", result);
	if (r == -EMSGSIZE)
		return answer_error(s, json_string("the request is longer than 1 MiB"));
	return r;
}

static int serve_one(struct server *s, const json_t *message)
{
	const char *call = json_string_value(json_object_get(message, "call"));
	json_t *args = json_object_get(message, "args");
	int r;

	s->id = (uint64_t)json_integer_value(json_object_get(message, "id"));
	if (!call || s->id == 0 || !json_is_object(args))
		return -EBADMSG;
	if (strcmp(call, "format") == 0)
		r = serve_call(s, call_format, args);
	else if (strcmp(call, "judge") == 0)
		r = serve_call(s, call_judge, args);
	else
		r = answer_error(s, json_string("a format answers format and judge only"));
	lua_settop(s->L, 0);
	/* It lives for months: what a call left is not kept until the limit. */
	if (s->memory.used_bytes > COLLECT_BYTES)
		lua_gc(s->L, LUA_GCCOLLECT, 0);
	return r;
}

static int read_start(struct server *s)
{
	const char *call, *mode, *chunk;
	json_t *source;
	int r = wire_read(&s->wire, &s->start);

	if (r <= 0)
		return r < 0 ? r : -ECONNRESET;
	call = json_string_value(json_object_get(s->start, "call"));
	s->args = json_object_get(s->start, "args");
	mode = json_string_value(json_object_get(s->args, "mode"));
	chunk = json_string_value(json_object_get(s->args, "chunk"));
	source = json_object_get(s->args, "source");
	if (!call || strcmp(call, "start") != 0 || !mode || strcmp(mode, "format") != 0 || !chunk ||
		!json_is_string(source))
		return -EBADMSG;
	str_sanitize(s->chunk, sizeof(s->chunk), chunk, strlen(chunk));
	s->source = (struct decl_source){
		s->chunk, json_string_value(source), json_string_length(source)};
	return 0;
}

__attribute__((noreturn)) static void serve(struct server *s)
{
	if (read_start(s) < 0)
		_exit(EXIT_PROTOCOL);
	load_and_describe(s);
	for (;;) {
		json_t *message = NULL;
		int r = wire_read(&s->wire, &message);

		if (r == 0 || r == -ECONNRESET)
			_exit(0);
		if (r > 0)
			r = serve_one(s, message);
		json_decref(message);
		if (r < 0)
			_exit(EXIT_PROTOCOL);
	}
}

static int prepare(struct server *s)
{
	sigset_t none;
	int r;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Else the first object would open /dev/urandom. */
	json_object_seed(0);
	r = sandbox_new(false, &s->sandbox);
	if (r == 0)
		r = env_new(&s->memory, &s->L);
	return r;
}

int format_run(int fd)
{
	static struct server s;
	int r;

	s.memory.max_bytes = SANDBOX_LUA_BYTES;
	r = prepare(&s);
	if (r < 0) {
		log_error("cannot prepare the sandbox of formats: %s", strerror(-r));
		return r;
	}
	if (sandbox_make_blocking(fd) < 0 || sandbox_apply(s.sandbox, fd, SANDBOX_RESIDENT) < 0)
		_exit(EXIT_SANDBOX);
	s.wire.fd = SANDBOX_FD;
	s.memory.exhausted = out_of_memory;
	s.memory.data = &s;
	serve(&s);
}
