/* SPDX-License-Identifier: MIT */
#include "policy/limits.h"
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"

const char *const action_verdict_names[ACTION_VERDICT_MAX + 1] = {
	[ACTION_OPEN] = "open",
	[ACTION_VERIFIED] = "verified",
	[ACTION_UNVERIFIED] = "unverified",
	[ACTION_CANCELLED] = "cancelled",
};
const char *const breaker_state_names[BREAKER_STATE_MAX + 1] = {
	[BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_HALF_OPEN] = "half-open",
};
const char *const limits_scope_names[LIMITS_SCOPE_MAX + 1] = {
	[LIMITS_TARGET] = "target",
	[LIMITS_GROUP] = "group",
	[LIMITS_POLICY] = "policy",
	[LIMITS_GLOBAL] = "global",
};

/* ---- time */

static bool recent_by_wall(usec_t wall, usec_t now, usec_t span)
{
	return wall < now + span && now < wall + span;
}

bool limits_recent(struct moment at, struct moment now, usec_t span)
{
	return recent_by_wall(at.wall, now.wall, span) || now.mono < at.mono + span;
}

usec_t limits_mono_of(struct moment at, struct moment now)
{
	usec_t age = now.wall > at.wall ? now.wall - at.wall : 0;

	if (at.mono && at.mono <= now.mono)
		return at.mono;
	return now.mono > age ? now.mono - age : 0;
}

bool limits_until(struct moment a, struct moment b)
{
	return a.mono != b.mono ? a.mono < b.mono : a.wall <= b.wall;
}

/* The time of day when limits_recent() will be false. */
static usec_t recent_until(struct moment at, struct moment now, usec_t span)
{
	usec_t by_wall = recent_by_wall(at.wall, now.wall, span) ? at.wall + span : 0;
	usec_t by_mono =
		now.mono < at.mono + span ? now.wall + (at.mono + span - now.mono) : now.wall;

	/* The two clocks are not read at once: the same answer each time, while they go alike. */
	if (by_wall && by_mono < by_wall + USEC_PER_SEC)
		return by_wall;
	return MAX(by_wall, by_mono);
}

/* ---- budgets */

static bool in_scope(const struct action *a, const struct action *next, enum limits_scope scope)
{
	bool same_account = a->own == next->own && (!a->own || str_eq(a->policy, next->policy));

	if (scope == LIMITS_GLOBAL)
		return a->own == next->own;
	if (scope != LIMITS_POLICY && !same_account)
		return false;
	switch (scope) {
	case LIMITS_TARGET:
		return str_eq(a->target, next->target);
	case LIMITS_GROUP:
		return str_eq(a->group, next->group);
	default:
		return str_eq(a->policy, next->policy);
	}
}

unsigned limits_used(const struct action *actions, size_t n, const struct action *next,
	enum limits_scope scope, struct moment now)
{
	unsigned used = 0;

	for (size_t i = 0; i < n; i++)
		used += in_scope(&actions[i], next, scope) &&
			limits_recent(actions[i].at, now, LIMITS_HOUR_USEC);
	return used;
}

/* When so many of those that count will not count any more that there is room again. */
static usec_t room_at(const struct action *actions, size_t n, const struct action *next,
	enum limits_scope scope, struct moment now, unsigned n_too_many)
{
	usec_t at = 0;

	for (size_t i = 0; i < n && n_too_many > 0; i++) {
		if (!in_scope(&actions[i], next, scope) ||
			!limits_recent(actions[i].at, now, LIMITS_HOUR_USEC))
			continue;
		at = MAX(at, recent_until(actions[i].at, now, LIMITS_HOUR_USEC));
		n_too_many--;
	}
	return at;
}

bool limits_budget(const struct action *actions, size_t n, const struct action *next,
	const struct limits *limits, struct moment now, enum limits_scope *ret_scope,
	usec_t *ret_next)
{
	for (enum limits_scope scope = 0; scope < LIMITS_SCOPE_MAX; scope++) {
		unsigned used = limits_used(actions, n, next, scope, now);
		unsigned max = limits->max[scope];

		if (used < max)
			continue;
		*ret_scope = scope;
		*ret_next = max ? room_at(actions, n, next, scope, now, used - max + 1) : 0;
		return false;
	}
	return true;
}

bool limits_cleanup(unsigned n_actions, unsigned n_cleanups)
{
	return n_cleanups < n_actions;
}

bool limits_holds_group(const struct action *before, bool restarts, const struct action *next)
{
	return before->verdict == ACTION_OPEN && !str_eq(before->run, next->run) && next->group &&
	       str_eq(before->group, next->group) &&
	       (restarts || str_eq(before->policy, next->policy));
}

/* ---- breakers */

/* The walk over the history of one policy on one target. */
struct tally {
	unsigned n_failures;
	usec_t span;
	bool tripped;
	struct moment failed; /* the last failure; a tripped breaker counts from it */
	const char *run;      /* of that */
};

static void tally_failure(struct tally *t, const struct action *a)
{
	bool same_try = a->run && str_eq(a->run, t->run);

	t->n_failures += !same_try;
	/* The try of a half-open breaker that failed too opens it for twice as long. */
	if (t->tripped && !same_try)
		t->span = MIN(t->span * 2, BREAKER_OPEN_MAX_USEC);
	t->tripped = t->tripped || t->n_failures >= BREAKER_FAILURES;
	t->failed = a->at;
	t->run = a->run;
}

/* An action that nobody ever judged is none that helped. */
static bool counts_as_failure(const struct action *a, struct moment now)
{
	return a->verdict == ACTION_UNVERIFIED ||
	       (a->verdict == ACTION_OPEN && !limits_recent(a->at, now, ACTION_OPEN_MAX_USEC));
}

/* A try that is under way, begun once the breaker had become half-open; not `run`'s own. */
static const struct action *find_try(const struct action *actions, size_t n, const char *policy,
	const char *target, const char *run, struct moment now)
{
	for (size_t i = n; i-- > 0;) {
		const struct action *a = &actions[i];

		if (a->verdict == ACTION_OPEN && str_eq(a->target, target) &&
			str_eq(a->policy, policy) && !counts_as_failure(a, now) &&
			!(run && str_eq(a->run, run)))
			return a;
	}
	return NULL;
}

struct breaker limits_breaker(const struct action *actions, size_t n, const char *policy,
	const char *target, const char *run, struct moment now)
{
	struct tally t = {.span = BREAKER_OPEN_USEC};
	const struct action *other;

	for (size_t i = 0; i < n; i++) {
		const struct action *a = &actions[i];

		if (!str_eq(a->target, target) || !str_eq(a->policy, policy))
			continue;
		if (a->verdict == ACTION_VERIFIED)
			t = (struct tally){.span = BREAKER_OPEN_USEC};
		else if (counts_as_failure(a, now))
			tally_failure(&t, a);
	}
	if (!t.tripped)
		return (struct breaker){.state = BREAKER_CLOSED, .n_failures = t.n_failures};
	if (limits_recent(t.failed, now, t.span))
		return (struct breaker){
			BREAKER_OPEN, recent_until(t.failed, now, t.span), t.n_failures};
	other = find_try(actions, n, policy, target, run, now);
	if (other)
		return (struct breaker){BREAKER_OPEN,
			recent_until(other->at, now, ACTION_OPEN_MAX_USEC), t.n_failures};
	return (struct breaker){BREAKER_HALF_OPEN, now.wall, t.n_failures};
}

/* ---- cool-down */

/* A clock that went back cannot keep it for longer than the wait itself. */
static usec_t wait_until(usec_t ended, usec_t span, usec_t wall)
{
	usec_t at = MIN(ended, wall) + span;

	return at > wall ? at : 0;
}

usec_t limits_cooldown(
	const struct limits_run *runs, size_t n, usec_t first, usec_t stable, usec_t wall)
{
	usec_t span = MIN(first, COOLDOWN_MAX_USEC);

	for (size_t i = 1; i < n; i++) {
		/* The wait itself is no peace. */
		bool calm = runs[i].started >= runs[i - 1].ended + span + stable;

		span = calm ? MIN(first, COOLDOWN_MAX_USEC) : MIN(span * 2, COOLDOWN_MAX_USEC);
	}
	return n ? wait_until(runs[n - 1].ended, span, wall) : 0;
}

/* ---- evidence */

bool limits_fresh(usec_t result_age, usec_t interval)
{
	return result_age < 2 * interval;
}

/* How many began to fail within the span that begins with this one. */
static unsigned failing_from(
	const struct limits_member *members, size_t n, usec_t begin, usec_t within)
{
	unsigned failing = 0;

	for (size_t i = 0; i < n; i++)
		failing += members[i].failing && members[i].since >= begin &&
			   members[i].since - begin <= within;
	return failing;
}

bool limits_common_cause(const struct limits_member *members, size_t n, unsigned share_pct,
	unsigned n_min, usec_t within, unsigned *ret_n_failing)
{
	unsigned most = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned failing =
			members[i].failing ? failing_from(members, n, members[i].since, within) : 0;

		most = MAX(most, failing);
	}
	*ret_n_failing = most;
	return most >= n_min && (size_t)most * 100 > n * share_pct;
}

bool limits_worse(bool was_well, bool fails_hard, usec_t acted, usec_t failed, usec_t within)
{
	return was_well && fails_hard && failed >= acted && failed - acted <= within;
}

/* ---- holding off */

enum limits_hold limits_hold(bool unknown, bool stopped)
{
	return unknown ? LIMITS_HOLD_ALL : stopped ? LIMITS_HOLD_POLICY : LIMITS_HOLD_NONE;
}

/* ---- people */

unsigned limits_people(const struct limits_asking *asking)
{
	bool alone = !asking->approve && !asking->by_hand && asking->unattended;

	if (asking->destroy && asking->production && !alone)
		return 2;
	return asking->approve && !asking->by_hand ? 1 : 0;
}
