/* SPDX-License-Identifier: MIT */
#include "run/bound.h"

#include <lauxlib.h>
#include <stdio.h>
#include <time.h>

#include "run/sandbox.h"

enum { COUNT = 1000, LATE_PART = 10 };

static const char slow[] = "too-slow", failed[] = "step-failed";

/* The bound a state belongs to; coroutines inherit the place. */
static struct bound **bound_of(lua_State *L)
{
	return lua_getextraspace(L);
}

static bool is_over(const void *data)
{
	const struct bound *bound = data;

	return bound->reason != NULL;
}

/* ---- time ----------------------------------------------------------------------------------- */

static usec_t cpu_left(const struct bound *bound)
{
	struct timespec ts = {0};
	usec_t used;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	used = (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
	return used < bound->cpu_max ? bound->cpu_max - used : 0;
}

/* A process of one thread uses no more of the CPU's time than passes. */
static bool is_time_over(struct bound *bound, usec_t now)
{
	usec_t left;

	if (bound->end && now >= bound->end)
		return true;
	if (!bound->cpu_max || now < bound->cpu_due)
		return false;
	left = cpu_left(bound);
	bound->cpu_due = now + left;
	return left == 0;
}

/* Who waited for answers most of the time is slow; who did not, computed. */
static void end_for_time(lua_State *L, struct bound *bound, usec_t now)
{
	static const char computed[] = "it computed until the time for steps was over (an endless "
				       "loop?)";
	bool waited = bound->waited > (now - bound->started) / 2;
	const char *why = waited ? "the time for steps is over" : computed;

	bound->reason = waited ? slow : failed;
	(void)snprintf(bound->why, sizeof(bound->why), "%s", why);
	env_push_where(L); /* may raise */
	(void)snprintf(bound->why, sizeof(bound->why), "%.80s%s", lua_tostring(L, -1), why);
	lua_pop(L, 1);
}

void bound_answered(struct bound *bound, usec_t asked)
{
	usec_t now = clock_now(), grace = (bound->end - bound->started) / LATE_PART;

	bound->waited += now - asked;
	if (!bound->under_way || !bound->end || bound->is_late || now + grace < bound->end)
		return;
	bound->end = now + grace;
	bound->is_late = true;
}

static void look_at(lua_State *L, lua_Debug *ar)
{
	struct bound *bound = *bound_of(L);
	usec_t now;

	(void)ar;
	if (!bound->under_way)
		return;
	if (!bound->reason) {
		now = clock_now();
		if (!is_time_over(bound, now))
			return;
		end_for_time(L, bound, now);
	}
	lua_pushstring(L, bound->why);
	(void)lua_error(L);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void end_for_memory(struct bound *bound)
{
	_Static_assert(BOUND_STEP_BYTES == 48 << 20, "the text says how much");
	bound->reason = failed;
	(void)snprintf(bound->why, sizeof(bound->why),
		"not enough memory: steps have 48 MiB, the rest is the clean-up's");
	bound->memory->max_bytes = SANDBOX_LUA_BYTES;
}

bool bound_take_reserve(struct bound *bound)
{
	if (!bound->under_way)
		return false;
	if (!bound->reason) /* else it is on its way out */
		end_for_memory(bound);
	return true;
}

/* ---- a step --------------------------------------------------------------------------------- */

static void begin(struct bound *bound, double seconds)
{
	struct env_memory *memory = bound->memory;

	bound->started = clock_now();
	bound->end = seconds >= 0 && seconds < 1e6
			     ? bound->started + (usec_t)(seconds * (double)USEC_PER_SEC)
			     : 0;
	bound->cpu_due = bound->started + cpu_left(bound);
	bound->waited = 0;
	bound->is_late = false;
	bound->reason = NULL;
	memory->max_bytes = MAX((size_t)BOUND_STEP_BYTES, memory->used_bytes);
	bound->under_way = true;
}

static void end(lua_State *L, struct bound *bound, int status)
{
	/* What was refused last, and not asked for again: a string buffer's. */
	if (status != LUA_OK && bound->memory->refused_new_bytes > 0 && !bound->reason)
		end_for_memory(bound);
	bound->memory->refused_new_bytes = 0;
	bound->memory->max_bytes = SANDBOX_LUA_BYTES;
	bound->under_way = false;
	if (bound->reason)
		(void)lua_gc(L, LUA_GCCOLLECT, 0);
}

int bound_call(lua_State *L)
{
	struct bound *bound = lua_touserdata(L, lua_upvalueindex(1));
	double seconds = luaL_optnumber(L, 2, -1);
	int status;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	if (bound->under_way)
		env_error(L, "tend.bounded: a step is under way");
	lua_settop(L, 1);
	begin(bound, seconds);
	status = lua_pcall(L, 0, 0, 0);
	end(L, bound, status);
	lua_pushboolean(L, status == LUA_OK && !bound->reason);
	lua_insert(L, 1);
	if (bound->reason) {
		lua_settop(L, 1);
		lua_pushstring(L, bound->why);
		lua_pushstring(L, bound->reason);
		bound->reason = NULL;
	}
	return lua_gettop(L);
}

void bound_open(lua_State *L, struct bound *bound)
{
	*bound_of(L) = bound;
	bound->shield = (struct shield){is_over, bound};
	shield_open(L, &bound->shield);
	/* Calls, too: a few of those that search a text take long. */
	lua_sethook(L, look_at, LUA_MASKCALL | LUA_MASKCOUNT, COUNT);
}
