/* SPDX-License-Identifier: MIT */
#include "run/door.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "run/branch.h"
#include "run/env.h"
#include "run/guard.h"
#include "run/value.h"

enum { UPVALUE_DOOR = 1, UPVALUE_VERB, UPVALUE_NAMES };

enum { EXIT_TOLD = 0, EXIT_PROTOCOL = 2 };

void door_leave(void)
{
	_exit(EXIT_TOLD);
}

void door_break(void)
{
	_exit(EXIT_PROTOCOL);
}

static bool is_named_arguments(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return false;
	if (!value_push_reference_name(L, index))
		return true;
	lua_pop(L, 1);
	return false;
}

static void copy_named(lua_State *L, const char *verb, int from, int to)
{
	env_push_sorted_keys(L, from);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		if (lua_type(L, -1) != LUA_TSTRING)
			env_error(L, "tend.%s: every argument in {} needs a name", verb);
		lua_pushvalue(L, -1);
		lua_gettable(L, from);
		lua_rawset(L, to);
	}
	lua_pop(L, 2);
}

/* tend.unit.restart("x"), tend.unit.restart{unit = "x"} and tend.verify(check, {ok = 3}) all become
 * one table of named arguments. */
static void push_arguments(lua_State *L, const char *verb)
{
	int n = lua_gettop(L), n_positional, to = n + 1;
	int n_names = (int)lua_rawlen(L, lua_upvalueindex(UPVALUE_NAMES));
	bool named = n > 0 && is_named_arguments(L, n);

	n_positional = named ? n - 1 : n;
	if (n_positional > n_names && n_names == 0)
		env_error(L, "tend.%s: arguments need names, as in tend.%s{name = value}", verb,
			verb);
	if (n_positional > n_names)
		env_error(L, "tend.%s: takes at most %d argument(s) without a name", verb, n_names);
	lua_newtable(L);
	if (named)
		copy_named(L, verb, n, to);
	for (int i = 1; i <= n_positional; i++) {
		lua_rawgeti(L, lua_upvalueindex(UPVALUE_NAMES), i);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, to) != LUA_TNIL)
			env_error(L, "tend.%s: '%.64s' is given twice", verb, lua_tostring(L, -2));
		lua_pop(L, 1);
		if (lua_isnil(L, i))
			env_error(L, "tend.%s: '%.64s' is nil", verb, lua_tostring(L, -1));
		lua_pushvalue(L, i);
		lua_rawset(L, to);
	}
}

int door_next_path(struct door *door, struct task *task, char path[DOOR_PATH_BYTES + 16])
{
	if (door->n_steps == DOOR_MAX_STEPS)
		return -E2BIG;
	door->n_steps++;
	task->branch.n_steps++;
	(void)snprintf(path, DOOR_PATH_BYTES + 16, "%s%s%u", task->branch.prefix,
		task->branch.prefix[0] ? "." : "", task->branch.n_steps);
	return 0;
}

bool door_is_doomed(const struct door *door, const struct task *task)
{
	if (door->cancelled && !door->in_finally)
		return true;
	for (; task; task = branch_parent(task))
		if (task->lost)
			return true;
	return false;
}

void door_raise_doomed(lua_State *L, const struct door *door)
{
	if (!door->cancelled || door->in_finally)
		env_error(L, "another branch has won");
	env_error(L, "cancelled%s%s", door->why[0] ? ": " : "", door->why);
}

void door_note_reply(struct door *door, const struct call *call)
{
	const json_t *error = json_object_get(call->reply, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	if (!code)
		return;
	if (strcmp(code, "ended") == 0)
		door_leave();
	if (strcmp(code, "cancelled") != 0)
		return;
	door->cancelled = true;
	if (message && !door->why[0])
		str_sanitize(door->why, sizeof(door->why), message, strlen(message));
}

static void append(struct call **list, struct call *call)
{
	while (*list)
		list = &(*list)->next;
	call->next = NULL;
	*list = call;
}

/* The call the message answers, out of the list; NULL if it is none of ours. */
static struct call *take_answered(struct door *door, const json_t *message)
{
	const json_t *id = json_object_get(message, "id");

	for (struct call **at = &door->waiting; json_is_integer(id) && *at; at = &(*at)->next) {
		struct call *call = *at;

		if (call->id != (uint64_t)json_integer_value(id))
			continue;
		*at = call->next;
		return call;
	}
	return NULL;
}

static void note_cancel(struct door *door, const json_t *message)
{
	const char *note = json_string_value(json_object_get(message, "call"));
	const json_t *args = json_object_get(message, "args");
	const char *why = json_string_value(json_object_get(args, "why"));

	/* That it is cancelled each verb hears as its answer; here it is only said why. */
	if (note && strcmp(note, "cancel") == 0 && why)
		str_sanitize(door->why, sizeof(door->why), why, strlen(why));
}

void door_read(struct door *door)
{
	json_t *message = NULL;
	struct call *call;
	int r = wire_read(door->wire, &message);

	if (r == 0 || r == -ECONNRESET)
		door_leave();
	if (r < 0)
		door_break();
	call = take_answered(door, message);
	if (!call) {
		note_cancel(door, message);
		json_decref(message);
		return;
	}
	json_decref(call->reply);
	call->reply = message;
	if (!call->blocking)
		append(&door->ready, call);
}

int door_send(struct door *door, struct call *call, const char *verb, const char *path,
	json_t *args, struct tend_error *err)
{
	uint64_t id = ++door->last_id;
	auto_json json_t *message = json_pack("{s:I, s:s, s:{s:s, s:s, s:o}}", "id", (json_int_t)id,
		"call", "verb", "args", "path", path, "verb", verb, "args", args);
	int r;

	if (!message)
		return tend_error_set(err, -ENOMEM, "not enough memory");
	r = wire_write(door->wire, message);
	if (r == -EPIPE || r == -ECONNRESET)
		door_leave();
	if (r == -EMSGSIZE)
		return tend_error_set(
			err, r, "the arguments are larger than %d bytes", WIRE_LINE_BYTES);
	if (r < 0)
		return tend_error_set(err, r, "the daemon cannot be reached: %s", strerror(-r));
	json_decref(call->reply);
	call->reply = NULL;
	call->id = id;
	append(&door->waiting, call);
	return 0;
}

static int push_outcome(lua_State *L, const char *verb, const json_t *ok)
{
	const char *outcome = json_string_value(json_object_get(ok, "outcome"));
	const char *message = json_string_value(json_object_get(ok, "message"));
	const json_t *value = json_object_get(ok, "value");

	if (!outcome)
		env_error(L, "tend.%s: the daemon's answer has no outcome", verb);
	if (strcmp(outcome, "done") == 0) {
		/* `if tend.unit.restart(x) then` must hold for verbs that have nothing to say. */
		if (!value || json_is_null(value))
			lua_pushboolean(L, true);
		else
			value_push(L, value);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, message ? message : outcome);
	lua_pushstring(L, outcome);
	return 3;
}

static int push_reply(lua_State *L, struct door *door, const char *verb)
{
	const struct call *call = &door->current->call;
	const json_t *error = json_object_get(call->reply, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	door_note_reply(door, call);
	if (door_is_doomed(door, door->current))
		door_raise_doomed(L, door);
	if (!error)
		return push_outcome(L, verb, json_object_get(call->reply, "ok"));
	message = message ? message : code ? code : "failed";
	/* The daemon names the verb, too. */
	if (str_startswith(message, verb))
		env_error(L, "tend.%s", message);
	env_error(L, "tend.%s: %s", verb, message);
}

static int verb_answered(lua_State *L, int status, lua_KContext context)
{
	return push_reply(L, lua_touserdata(L, lua_upvalueindex(UPVALUE_DOOR)),
		lua_tostring(L, lua_upvalueindex(UPVALUE_VERB)));
}

static int call_verb(lua_State *L)
{
	struct door *door = lua_touserdata(L, lua_upvalueindex(UPVALUE_DOOR));
	const char *verb = lua_tostring(L, lua_upvalueindex(UPVALUE_VERB));
	struct task *task = door->current;
	struct tend_error err = {0};
	char path[DOOR_PATH_BYTES + 16];
	json_t *args;

	if (!door->open)
		env_error(L, "tend.%s: verbs can be called only in a policy's run function", verb);
	if (door_is_doomed(door, task))
		door_raise_doomed(L, door);
	push_arguments(L, verb);
	if (value_to_json(L, -1, verb, &args, &err) < 0)
		env_error(L, "tend.%s", err.text);
	if (door_next_path(door, task, path) < 0) {
		json_decref(args);
		env_error(L, "tend.%s: more than %d steps in one run", verb, DOOR_MAX_STEPS);
	}
	if (door_send(door, &task->call, verb, path, args, &err) < 0)
		env_error(L, "tend.%s: %s", verb, err.text);
	if (branch_may_park(L, task)) {
		task->parked = true;
		return lua_yieldk(L, 0, 0, verb_answered);
	}
	task->call.blocking = true;
	while (!task->call.reply)
		door_read(door);
	task->call.blocking = false;
	return verb_answered(L, LUA_OK, 0);
}

/* tend.X and tend.GROUP.X that do not exist; the upvalue is "tend" or "tend.GROUP". */
static int unknown_verb(lua_State *L)
{
	const char *group = lua_tostring(L, lua_upvalueindex(1));
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
	const char *nearest = env_nearest_key(L, 1, name);

	if (nearest)
		env_error(L, "there is no %s.%.64s; did you mean %s.%.64s?", group, name, group,
			nearest);
	env_error(L, "there is no %s.%.64s", group, name);
}

/* Takes the group's name from the top and guards the table beneath it. */
static void guard(lua_State *L)
{
	lua_pushcclosure(L, unknown_verb, 1);
	lua_createtable(L, 0, 2);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

static void push_verb(lua_State *L, struct door *door, const char *name, const json_t *names)
{
	lua_pushlightuserdata(L, door);
	lua_pushstring(L, name);
	lua_createtable(L, (int)MIN(json_array_size(names), (size_t)8), 0);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *argument = json_string_value(json_array_get(names, i));

		if (!argument)
			luaL_error(L, "verb '%s': an argument's name is no string", name);
		lua_pushstring(L, argument);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushcclosure(L, call_verb, 3);
}

/* The group's table lies raw in `tend`; pushes it, made if need be. */
static void push_group(lua_State *L, int tend, const char *name, size_t len)
{
	lua_pushlstring(L, name, len);
	if (lua_rawget(L, tend) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushliteral(L, "tend.");
	lua_pushlstring(L, name, len);
	lua_concat(L, 2);
	guard(L);
	lua_pushlstring(L, name, len);
	lua_pushvalue(L, -2);
	lua_rawset(L, tend);
}

static void add_verb(lua_State *L, struct door *door, int tend, const json_t *verb)
{
	const json_t *named = json_is_object(verb) ? json_object_get(verb, "name") : verb;
	const char *name = json_string_value(named), *dot;
	int top = lua_gettop(L);

	if (!name || strlen(name) >= DOOR_VERB_BYTES) {
		luaL_error(L, "the list of verbs has an entry without a name");
		return;
	}
	/* Ours to tell, not a policy's. */
	if (strcmp(name, BRANCH_WON) == 0)
		return;
	dot = strchr(name, '.');
	if (dot)
		push_group(L, tend, name, (size_t)(dot - name));
	else
		lua_pushvalue(L, tend);
	lua_pushstring(L, dot ? dot + 1 : name);
	push_verb(L, door, name, json_object_get(verb, "args"));
	lua_rawset(L, -3);
	lua_settop(L, top);
}

/* While a file is only described there are no verbs, but a library may take hold of one at its top:
 * any name gives this, which is for calling in a run only. */
static int placeholder_called(lua_State *L)
{
	env_error(L, "verbs can be called only in a policy's run function");
}

static int placeholder_itself(lua_State *L)
{
	lua_settop(L, 1);
	return 1;
}

static void push_placeholder(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, placeholder_itself);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, placeholder_called);
	lua_setfield(L, -2, "__call");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	value_push_null(L);
	lua_setfield(L, -2, "null");
}

void door_open(lua_State *L, struct door *door, const json_t *verbs)
{
	int tend;

	door->main.call.task = &door->main;
	door->current = &door->main;
	guard_open(L, door);
	if (!verbs) {
		push_placeholder(L);
		lua_setglobal(L, "tend");
		return;
	}
	lua_newtable(L);
	tend = lua_gettop(L);
	value_push_null(L);
	lua_setfield(L, tend, "null");
	if (json_array_size(verbs) > DOOR_MAX_VERBS)
		luaL_error(L, "more than %d verbs", DOOR_MAX_VERBS);
	for (size_t i = 0; i < json_array_size(verbs); i++)
		add_verb(L, door, tend, json_array_get(verbs, i));
	branch_open(L, door, tend);
	lua_pushliteral(L, "tend");
	guard(L);
	lua_setglobal(L, "tend");
}
