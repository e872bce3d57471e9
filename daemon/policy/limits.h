/* SPDX-License-Identifier: MIT */
/*
 * policy/limits.h: may Tend act? Pure functions over plain data: the history of actions, a time,
 * the limits. No clock, no I/O, no allocation. Limits outlive restarts, so the history is in the
 * time of day; that may jump, so each entry has the monotonic time as well. What happened in the
 * last hour by either of the two clocks counts: a jump makes no room, whatever its direction.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/option.h>

struct moment {
	usec_t wall, mono;
};

enum action_verdict {
	ACTION_OPEN,	   /* begun, its run has not ended */
	ACTION_VERIFIED,   /* the symptom was seen gone afterwards */
	ACTION_UNVERIFIED, /* it failed, or helped nothing */
	ACTION_CANCELLED,  /* a person ended the run: it says nothing of what would have helped */
	ACTION_VERDICT_MAX,
};
extern const char *const action_verdict_names[ACTION_VERDICT_MAX + 1];

/* An action of a policy that declares a budget, in a run that heals no incident, has an account of
 * its own: it is none of the target's, the group's or all actions together, so that a night of
 * maintenance does not use up what is kept for healing; nor do those count for it. Globally all
 * such accounts are one. */
struct action {
	struct moment at;
	const char *target, *group, *policy, *run; /* a NULL equals only NULL */
	enum action_verdict verdict;
	bool own; /* on an account of its policy's own */
};

/* Did it happen less than `span` ago by one of the clocks? What lies in the future of the time of
 * day by less than that counts too: the clock went back. */
bool limits_recent(struct moment at, struct moment now, usec_t span);
/* When the process that recorded it has gone: its place on the monotonic clock of now. `mono`: what
 * that process read there since the machine booted; 0 = before that, or not known: then the time of
 * day must do. */
usec_t limits_mono_of(struct moment at, struct moment now);
/* Was `a` not after `b`? By the monotonic clock, which nobody sets, where that tells them apart. */
bool limits_until(struct moment a, struct moment b);

/* ---- budgets: actions in any hour */

#define LIMITS_HOUR_USEC (3600 * USEC_PER_SEC)

enum limits_scope { LIMITS_TARGET, LIMITS_GROUP, LIMITS_POLICY, LIMITS_GLOBAL, LIMITS_SCOPE_MAX };
extern const char *const limits_scope_names[LIMITS_SCOPE_MAX + 1];

struct limits {
	unsigned max[LIMITS_SCOPE_MAX]; /* 0 = none at all */
};

/* Is one more action like `next` (target, group, policy) within every budget? If not: which says
 * no, and the time of day when it will not (0 = never). */
bool limits_budget(const struct action *actions, size_t n, const struct action *next,
	const struct limits *limits, struct moment now, enum limits_scope *ret_scope,
	usec_t *ret_next);
/* What was used of a budget in the last hour. */
unsigned limits_used(const struct action *actions, size_t n, const struct action *next,
	enum limits_scope scope, struct moment now);
/* What undoes and cleans up after an action that was let through is not held by a budget or a
 * breaker (a node that was drained must come back), but there is not more of it than of those. */
bool limits_cleanup(unsigned n_actions, unsigned n_cleanups);

/* ---- one at a time in a dependency group */

/* Must `next` wait for the run that did `before`? One of its own policy, or (`restarts`) one that
 * starts and stops units, which has not ended: until then nobody has seen its target well again. */
bool limits_holds_group(const struct action *before, bool restarts, const struct action *next);

/* ---- breakers: one of each policy on each target */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATE_MAX };
extern const char *const breaker_state_names[BREAKER_STATE_MAX + 1];

#define BREAKER_FAILURES      3u /* runs in a row whose actions were not verified */
#define BREAKER_OPEN_USEC     (15 * 60 * USEC_PER_SEC)
#define BREAKER_OPEN_MAX_USEC (4 * 3600 * USEC_PER_SEC)
/* A run ends within a day and its clean-up; an action that is open for longer was never judged. */
#define ACTION_OPEN_MAX_USEC (25 * 3600 * USEC_PER_SEC)

struct breaker {
	enum breaker_state state;
	usec_t until;	     /* of an open one: the time of day when one try is let through */
	unsigned n_failures; /* runs: one that did ten things was one try */
};

/* `actions` in the order in which they were begun. Half-open lets one try through, which is a run:
 * while its actions are open the breaker is, too, for all others; to `run` (NULL: nobody) it is
 * half-open then. */
struct breaker limits_breaker(const struct action *actions, size_t n, const char *policy,
	const char *target, const char *run, struct moment now);

/* ---- cool-down: a policy on a target */

#define COOLDOWN_MIN_USEC (30 * USEC_PER_SEC) /* how soon a trigger is looked at again */
#define COOLDOWN_MAX_USEC (3600 * USEC_PER_SEC)

struct limits_run {
	usec_t started, ended; /* time of day */
};

/* When the policy may run again: `first` after the last run, twice that after each further run
 * that began before `stable` had passed in peace; 0 = now. `runs` oldest first. */
usec_t limits_cooldown(
	const struct limits_run *runs, size_t n, usec_t first, usec_t stable, usec_t wall);

/* ---- evidence */

/* The last result is younger than two intervals. */
bool limits_fresh(usec_t result_age, usec_t interval);

struct limits_member { /* of a dependency group */
	bool failing;  /* hard, and not for the sake of a dependency that is down */
	usec_t since;
};

/* More than `share_pct` of the group, and at least `n_min`, began to fail within one span of
 * `within` and still do: not so many faults, but one that no action on a part will mend. */
bool limits_common_cause(const struct limits_member *members, size_t n, unsigned share_pct,
	unsigned n_min, usec_t within, unsigned *ret_n_failing);

/* A component of the group that was well when the action began fails within the window after it. */
bool limits_worse(bool was_well, bool fails_hard, usec_t acted, usec_t failed, usec_t within);

/* ---- holding off */

/* Which of an incident's policies begin no more by themselves once a run there has ended. */
enum limits_hold { LIMITS_HOLD_NONE, LIMITS_HOLD_POLICY, LIMITS_HOLD_ALL };

/* `unknown`: what it did is not known, it may still go on. `stopped`: a person cancelled it. */
enum limits_hold limits_hold(bool unknown, bool stopped);

/* ---- people */

struct limits_asking {
	bool approve;	 /* the mode asks */
	bool by_hand;	 /* a person has started the run */
	bool destroy;	 /* the verb's risk; else it is a change */
	bool production; /* the target's environment */
	bool unattended; /* the configuration lets the policy destroy in mode auto */
};

/* How many different people must approve the step: 0 to 2. */
unsigned limits_people(const struct limits_asking *asking);

#endif
