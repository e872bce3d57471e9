/* SPDX-License-Identifier: MIT */
#include "run/branch.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "run/env.h"

enum { UPVALUE_DOOR = 1, UPVALUE_ANY };

/* Lives as a userdata on the stack of who called tend.all; its user value keeps the coroutines. */
struct branch_group {
	struct task *parent;
	bool any;
	bool parent_parked;
	size_t n_tasks, n_live; /* live: begun and not ended */
	size_t winner;		/* counted from 1; 0: none yet */
	struct call won;
	bool won_pending;
	char path[DOOR_PATH_BYTES + 16];
	struct task tasks[];
};

const struct task *branch_parent(const struct task *task)
{
	return task->group ? task->group->parent : NULL;
}

bool branch_may_park(lua_State *L, const struct task *task)
{
	return L == task->L && lua_isyieldable(L);
}

/* Everybody at work is in a list of calls or stands above somebody who is: look from there. */
static bool is_above(const struct call *calls, const lua_State *co)
{
	for (; calls; calls = calls->next) {
		const struct task *task = calls->task ? calls->task : calls->group->parent;

		for (; task; task = branch_parent(task))
			if (task->L == co)
				return true;
	}
	return false;
}

bool branch_is_task(const struct door *door, const lua_State *co)
{
	for (const struct task *task = door->current; task; task = branch_parent(task))
		if (task->L == co)
			return true;
	return is_above(door->waiting, co) || is_above(door->ready, co);
}

static void make_ready(struct door *door, struct call *call)
{
	struct call **at = &door->ready;

	while (*at)
		at = &(*at)->next;
	call->next = NULL;
	*at = call;
}

static bool group_done(const struct branch_group *group)
{
	return group->n_live == 0 && !group->won_pending;
}

static void group_check(struct door *door, struct branch_group *group)
{
	if (!group_done(group) || !group->parent_parked)
		return;
	group->parent_parked = false;
	json_decref(group->parent->call.reply);
	group->parent->call.reply = NULL;
	make_ready(door, &group->parent->call);
}

/* Writes the winner into the journal. A run that is cancelled has none. */
static void tell_winner(struct door *door, struct branch_group *group)
{
	struct tend_error err = {0};
	json_t *args =
		json_pack("{s:s, s:I}", "path", group->path, "winner", (json_int_t)group->winner);

	if (door_is_doomed(door, group->parent)) {
		json_decref(args);
		return;
	}
	/* Branches are at work: no error may pass here. */
	if (!args || door_send(door, &group->won, BRANCH_WON, group->path, args, &err) < 0)
		door_break();
	group->won_pending = true;
}

static void decide(struct door *door, struct branch_group *group, size_t winner)
{
	group->winner = winner;
	for (size_t i = 0; i < group->n_tasks; i++)
		if (!group->tasks[i].ended)
			group->tasks[i].lost = true;
	tell_winner(door, group);
}

/* Its results, `n` of them, lie on top of its own stack, and nothing else. */
static void task_ended(struct door *door, struct task *task, int status, int n)
{
	struct branch_group *group = task->group;
	bool wins;

	task->failed = task->failed || status != LUA_OK;
	wins = group->any && group->winner == 0 && !task->failed && n > 0 &&
	       lua_toboolean(task->L, -n);
	task->ended = true;
	group->n_live--;
	door->n_tasks--;
	json_decref(task->call.reply);
	task->call.reply = NULL;
	if (wins && !door_is_doomed(door, task))
		decide(door, group, (size_t)(task - group->tasks) + 1);
	group_check(door, group);
}

static void task_resume(lua_State *L, struct door *door, struct task *task, int n_args)
{
	struct task *before = door->current;
	int n_results = 0, status;

	door->current = task;
	task->parked = false;
	status = lua_resume(task->L, L, n_args, &n_results);
	door->current = before;
	if (status != LUA_YIELD)
		task_ended(door, task, status, status == LUA_OK ? n_results : 1);
}

/* What a branch raised ends the branch; its message is then its one result. */
static int body_done(lua_State *L, int status, lua_KContext context)
{
	struct door *door = (struct door *)context;

	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L);
	door->current->failed = true;
	return 1;
}

static int task_body(lua_State *L)
{
	lua_KContext context = (lua_KContext)lua_touserdata(L, 2);

	lua_settop(L, 1);
	return body_done(L, lua_pcallk(L, 0, LUA_MULTRET, 0, context, body_done), context);
}

/* The function lies at `fn`, the group's list of coroutines at `list`. */
static void task_begin(
	lua_State *L, struct door *door, struct branch_group *group, size_t i, int list, int fn)
{
	struct task *task = &group->tasks[i];

	task->call.task = task;
	task->group = group;
	(void)snprintf(task->branch.prefix, sizeof(task->branch.prefix), "%.*s.b%zu",
		DOOR_PATH_BYTES - 16, group->path, i + 1);
	task->L = lua_newthread(L);
	lua_rawseti(L, list, (lua_Integer)i + 1);
	lua_pushcfunction(task->L, task_body);
	lua_pushvalue(L, fn);
	lua_xmove(L, task->L, 1);
	lua_pushlightuserdata(task->L, door);
	group->n_live++;
	door->n_tasks++;
	task_resume(L, door, task, 2);
}

static bool is_under(const struct call *call, const struct branch_group *group)
{
	const struct branch_group *g = call->task ? call->task->group : call->group;

	while (g && g != group)
		g = g->parent->group;
	return g != NULL;
}

static struct call *take_ready(struct door *door, const struct branch_group *group)
{
	for (struct call **at = &door->ready; *at; at = &(*at)->next) {
		struct call *call = *at;

		if (!is_under(call, group))
			continue;
		*at = call->next;
		return call;
	}
	return NULL;
}

static void dispatch(lua_State *L, struct door *door, struct call *call)
{
	if (call->task) {
		task_resume(L, door, call->task, 0);
		return;
	}
	door_note_reply(door, call);
	json_decref(call->reply);
	call->reply = NULL;
	call->group->won_pending = false;
	group_check(door, call->group);
}

/* Until all of the group have ended. What comes for others meanwhile waits in its order. */
static void drive(lua_State *L, struct door *door, const struct branch_group *group)
{
	while (!group_done(group)) {
		struct call *call = take_ready(door, group);

		if (call)
			dispatch(L, door, call);
		else
			door_read(door);
	}
}

/* An error in a branch is an error here, once the others have ended. The first by number: which
 * came first in time is chance. */
static void raise_failure(lua_State *L, const struct branch_group *group)
{
	for (size_t i = 0; i < group->n_tasks; i++) {
		const struct task *task = &group->tasks[i];

		if (!task->failed || task->lost)
			continue;
		luaL_checkstack(task->L, 1, NULL);
		lua_pushvalue(task->L, -1);
		lua_xmove(task->L, L, 1);
		if (lua_type(L, -1) == LUA_TSTRING) {
			lua_pushfstring(L, " (branch %d of tend.%s)", (int)i + 1,
				group->any ? "any" : "all");
			lua_concat(L, 2);
		}
		(void)lua_error(L);
	}
}

/* As with a run: nil or false with a message, or false, is how functions say no. */
static bool is_well(lua_State *co, int n)
{
	if (n == 0 || lua_toboolean(co, 1))
		return true;
	return lua_isnil(co, 1) && (n == 1 || lua_type(co, 2) != LUA_TSTRING);
}

/* Pushes {ok, n, values...}, and of what is not well message and outcome, too. */
static bool push_result(lua_State *L, const struct task *task)
{
	static const char *const names[] = {NULL, "message", "outcome"};
	lua_State *co = task->L;
	int n = lua_gettop(co);
	bool ok = is_well(co, n);

	luaL_checkstack(co, 1, NULL);
	lua_createtable(L, n, ok ? 2 : 4);
	for (int i = 1; i <= n; i++) {
		lua_pushvalue(co, i);
		lua_xmove(co, L, 1);
		if (!ok && i > 1 && i <= 3) {
			lua_pushvalue(L, -1);
			lua_setfield(L, -3, names[i - 1]);
		}
		lua_rawseti(L, -2, i);
	}
	lua_pushboolean(L, ok);
	lua_setfield(L, -2, "ok");
	lua_pushinteger(L, n);
	lua_setfield(L, -2, "n");
	return ok;
}

static int push_all(lua_State *L, const struct branch_group *group)
{
	bool all_ok = true;

	lua_createtable(L, (int)group->n_tasks, 0);
	for (size_t i = 0; i < group->n_tasks; i++) {
		all_ok = push_result(L, &group->tasks[i]) && all_ok;
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushboolean(L, all_ok);
	return 2;
}

/* The number of the winner and its values; or nil, a message, and the outcome of the first. */
static int push_any(lua_State *L, const struct branch_group *group)
{
	const struct task *task;
	int n;

	if (group->winner == 0) {
		lua_State *co = group->n_tasks > 0 ? group->tasks[0].L : NULL;
		bool said = co && lua_gettop(co) >= 2 && lua_type(co, 2) == LUA_TSTRING;

		lua_pushnil(L);
		lua_pushfstring(L, "none of %d branches gave a true value%s%s", (int)group->n_tasks,
			said ? "; the first: " : "", said ? lua_tostring(co, 2) : "");
		if (!said || lua_type(co, 3) != LUA_TSTRING)
			return 2;
		lua_pushstring(L, lua_tostring(co, 3));
		return 3;
	}
	task = &group->tasks[group->winner - 1];
	n = lua_gettop(task->L);
	luaL_checkstack(L, n + 1, NULL);
	luaL_checkstack(task->L, n, NULL);
	lua_pushinteger(L, (lua_Integer)group->winner);
	for (int i = 1; i <= n; i++)
		lua_pushvalue(task->L, i);
	lua_xmove(task->L, L, n);
	return n + 1;
}

static int group_ended(lua_State *L, int status, lua_KContext context)
{
	const struct branch_group *group = (const struct branch_group *)context;
	const struct door *door = lua_touserdata(L, lua_upvalueindex(UPVALUE_DOOR));

	if (door_is_doomed(door, group->parent))
		door_raise_doomed(L, door);
	raise_failure(L, group);
	return group->any ? push_any(L, group) : push_all(L, group);
}

/* f, g, ... or {f, g, ...}: leaves the functions alone on the stack. */
static int take_functions(lua_State *L, const char *what)
{
	int n = lua_gettop(L);

	if (n == 1 && lua_istable(L, 1)) {
		size_t len = lua_rawlen(L, 1);

		n = len > BRANCH_MAX ? BRANCH_MAX + 1 : (int)len;
		luaL_checkstack(L, n + 8, NULL);
		for (int i = 1; i <= n; i++)
			lua_rawgeti(L, 1, i);
		lua_remove(L, 1);
	}
	if (n > BRANCH_MAX)
		env_error(L, "tend.%s: more than %d branches", what, BRANCH_MAX);
	for (int i = 1; i <= n; i++)
		if (!lua_isfunction(L, i))
			env_error(L, "tend.%s: branch %d must be a function, not a %s", what, i,
				luaL_typename(L, i));
	return n;
}

static struct branch_group *push_group(lua_State *L, struct door *door, size_t n, bool any)
{
	const char *what = any ? "any" : "all";
	size_t size = sizeof(struct branch_group) + n * sizeof(struct task);
	struct branch_group *group;

	if (door->n_tasks + n > BRANCH_MAX_TASKS)
		env_error(L, "tend.%s: more than %d branches at work", what, BRANCH_MAX_TASKS);
	if (strlen(door->current->branch.prefix) > DOOR_PATH_BYTES - 48)
		env_error(L, "tend.%s: branches within branches, nested too deeply", what);
	group = lua_newuserdatauv(L, size, 1);
	memset(group, 0, size);
	group->parent = door->current;
	group->any = any;
	group->n_tasks = n;
	group->won.group = group;
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, -3, 1);
	if (door_next_path(door, door->current, group->path) < 0)
		env_error(L, "tend.%s: more than %d steps in one run", what, DOOR_MAX_STEPS);
	return group;
}

/* tend.all and tend.any */
static int branch_call(lua_State *L)
{
	struct door *door = lua_touserdata(L, lua_upvalueindex(UPVALUE_DOOR));
	bool any = lua_toboolean(L, lua_upvalueindex(UPVALUE_ANY));
	const char *what = any ? "any" : "all";
	struct branch_group *group;
	int n;

	if (!door->open)
		env_error(L, "tend.%s can be called only in a policy's run function", what);
	if (door_is_doomed(door, door->current))
		door_raise_doomed(L, door);
	n = take_functions(L, what);
	luaL_checkstack(L, 16, NULL);
	group = push_group(L, door, (size_t)n, any);
	for (int i = 0; i < n && group->winner == 0; i++)
		task_begin(L, door, group, (size_t)i, n + 2, i + 1);
	if (!group_done(group)) {
		if (branch_may_park(L, group->parent)) {
			group->parent->parked = true;
			group->parent_parked = true;
			return lua_yieldk(L, 0, (lua_KContext)group, group_ended);
		}
		drive(L, door, group);
	}
	return group_ended(L, LUA_OK, (lua_KContext)group);
}

void branch_open(lua_State *L, struct door *door, int tend)
{
	static const char *const names[] = {"all", "any"};

	for (int i = 0; i < 2; i++) {
		lua_pushstring(L, names[i]);
		lua_pushlightuserdata(L, door);
		lua_pushboolean(L, i == 1);
		lua_pushcclosure(L, branch_call, 2);
		lua_rawset(L, tend);
	}
}
