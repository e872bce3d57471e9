/* SPDX-License-Identifier: MIT */
#include "run/session.h"

#include <jansson.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "run/decl.h"
#include "run/door.h"
#include "run/finally.h"
#include "run/library.h"
#include "run/param.h"
#include "run/sandbox.h"
#include "run/value.h"
#include "run/wire.h"

enum { MESSAGE_BYTES = 4096, CHUNK_BYTES = 256 };
enum { EXIT_PROTOCOL = 2, EXIT_TOLD = 0 };

struct session {
	struct wire wire;
	struct door door;
	json_t *start; /* the whole message; its texts live as long as the process */
	json_t *args;
	bool describe;
	struct decl_source source;
	char chunk[CHUNK_BYTES];
};

/* Says how it ended; there is nothing to be done when that fails. */
__attribute__((noreturn)) static void tell(struct session *s, const char *call, json_t *args)
{
	(void)wire_note(&s->wire, call, args);
	_exit(EXIT_TOLD);
}

__attribute__((noreturn)) static void tell_failed(
	struct session *s, const char *message, size_t len, const char *outcome)
{
	char text[MESSAGE_BYTES];
	json_t *args;

	str_sanitize(text, sizeof(text), message, len);
	args = json_pack("{s:s}", "message", text);
	if (s->describe)
		tell(s, "failed", args);
	(void)json_object_set_new(args, "ok", json_false());
	if (s->door.cancelled)
		(void)json_object_set_new(args, "cancelled", json_true());
	if (outcome)
		(void)json_object_set_new(args, "outcome", json_string(outcome));
	tell(s, "ended", args);
}

/* From within Lua's allocator, with no memory to be had: fixed text only. */
__attribute__((noreturn)) static void out_of_memory(void *data)
{
	static const char *const lines[] = {
		"{\"call\":\"ended\",\"args\":{\"ok\":false,\"message\":\"not enough memory: a run "
		"has 64 MiB\"}}\n",
		"{\"call\":\"failed\",\"args\":{\"message\":\"not enough memory: a run has 64 "
		"MiB\"}}\n",
	};
	const struct session *s = data;
	const char *line = lines[s->describe];

	_Static_assert(SANDBOX_LUA_BYTES == 64 << 20, "the text above says how much");
	_exit(write(s->wire.fd, line, strlen(line)) < 0 ? EXIT_PROTOCOL : EXIT_TOLD);
}

static void push_given_params(lua_State *L, const struct session *s)
{
	const json_t *params = json_object_get(s->args, "params");

	if (json_is_object(params))
		value_push(L, params);
	else
		lua_newtable(L);
}

/* The context is what the daemon gave, its params replaced by those the policy declared. */
static void push_context(lua_State *L, struct session *s, int spec)
{
	static const struct {
		const char *field, *name;
	} references[] = {{"component", "name"}, {"check", "name"}, {"incident", "id"}};
	const json_t *ctx = json_object_get(s->args, "ctx");
	int given;

	push_given_params(L, s);
	given = lua_gettop(L);
	if (json_is_object(ctx))
		value_push(L, ctx);
	else
		lua_newtable(L);
	for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
		if (lua_getfield(L, -1, references[i].field) == LUA_TTABLE)
			value_mark_reference(L, references[i].name);
		lua_pop(L, 1);
	}
	param_push_all(L, spec, given);
	lua_setfield(L, -2, "params");
	finally_open(L, &s->door);
	lua_remove(L, given);
}

/* The whole of it, under one lua_pcall. Leaves the descriptions, or what run() returned. */
static int body(lua_State *L)
{
	struct session *s = lua_touserdata(L, 1);
	const char *policy = json_string_value(json_object_get(s->args, "policy"));
	char chunk[CHUNK_BYTES + 1];
	int spec;

	lua_settop(L, 0);
	decl_open(L, &s->source);
	door_open(L, &s->door, json_object_get(s->args, "verbs"));
	library_open(L, json_object_get(s->args, "library"));
	(void)snprintf(chunk, sizeof(chunk), "@%s", s->chunk);
	if (luaL_loadbufferx(L, s->source.text, s->source.len, chunk, "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	if (s->describe) {
		decl_push_descriptions(L, &s->source);
		return 1;
	}
	decl_push_run(L, policy ? policy : "");
	spec = lua_gettop(L);
	lua_pushvalue(L, spec - 1);
	push_context(L, s, spec);
	s->door.open = true;
	finally_call(L, &s->door);
	s->door.open = false;
	return 3;
}

__attribute__((noreturn)) static void tell_error(struct session *s, lua_State *L)
{
	char text[CHUNK_BYTES + 64];
	size_t len;
	const char *message = lua_tolstring(L, -1, &len);

	if (!message) {
		(void)snprintf(text, sizeof(text), "%s: an error that is a %s, not a text",
			s->chunk, luaL_typename(L, -1));
		message = text;
		len = strlen(text);
	}
	tell_failed(s, message, len, NULL);
}

__attribute__((noreturn)) static void tell_described(struct session *s, lua_State *L)
{
	struct tend_error err = {0};
	json_t *policies;

	if (value_to_json(L, -1, "policy", &policies, &err) < 0)
		tell_failed(s, err.text, strlen(err.text), NULL);
	tell(s, "described", json_pack("{s:o}", "policies", policies));
}

/* nil or false with a message is how verbs and functions say no; a run that returns it has failed.
 */
__attribute__((noreturn)) static void tell_result(struct session *s, lua_State *L)
{
	static const char said_false[] = "the policy returned false";
	struct tend_error err = {0};
	json_t *value;
	size_t len;

	if (!lua_toboolean(L, -3) && lua_type(L, -2) == LUA_TSTRING) {
		const char *message = lua_tolstring(L, -2, &len);

		tell_failed(s, message, len,
			lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL);
	}
	if (lua_isboolean(L, -3) && !lua_toboolean(L, -3))
		tell_failed(s, said_false, strlen(said_false), NULL);
	if (value_to_json(L, -3, "the policy's result", &value, &err) < 0)
		tell_failed(s, err.text, strlen(err.text), NULL);
	tell(s, "ended", json_pack("{s:b, s:o}", "ok", 1, "value", value));
}

static int read_start(struct session *s)
{
	const char *call, *mode, *chunk = NULL, *why;
	json_t *source;
	int r = wire_read(&s->wire, &s->start);

	if (r <= 0)
		return r < 0 ? r : -ECONNRESET;
	call = json_string_value(json_object_get(s->start, "call"));
	s->args = json_object_get(s->start, "args");
	mode = json_string_value(json_object_get(s->args, "mode"));
	chunk = json_string_value(json_object_get(s->args, "chunk"));
	source = json_object_get(s->args, "source");
	if (!call || strcmp(call, "start") != 0 || !mode || !chunk || !json_is_string(source))
		return -EBADMSG;
	s->describe = strcmp(mode, "describe") == 0;
	if (!s->describe && strcmp(mode, "run") != 0)
		return -EBADMSG;
	str_sanitize(s->chunk, sizeof(s->chunk), chunk, strlen(chunk));
	why = json_string_value(json_object_get(s->args, "cancelled"));
	if (why)
		str_sanitize(s->door.why, sizeof(s->door.why), why, strlen(why));
	s->source = (struct decl_source){
		s->chunk, json_string_value(source), json_string_length(source)};
	return 0;
}

void session_run(lua_State *L, struct env_memory *memory, int fd)
{
	static struct session s;

	s.wire.fd = fd;
	s.door.wire = &s.wire;
	if (read_start(&s) < 0)
		_exit(EXIT_PROTOCOL);
	memory->exhausted = out_of_memory;
	memory->data = &s;
	lua_pushcfunction(L, body);
	lua_pushlightuserdata(L, &s);
	if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) {
		if (memory->refused_new_bytes > 0)
			out_of_memory(&s);
		tell_error(&s, L);
	}
	if (s.describe)
		tell_described(&s, L);
	tell_result(&s, L);
}
