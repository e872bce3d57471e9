/* SPDX-License-Identifier: MIT */
/*
 * policy/limits.h: may Tend act? Pure functions over plain data: the history of actions, a time,
 * the limits. No clock, no I/O, no allocation. Times are wall-clock microseconds: limits outlive
 * restarts.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/option.h>

enum action_verdict {
	ACTION_OPEN,	   /* begun, its run has not ended */
	ACTION_VERIFIED,   /* the symptom was seen gone afterwards */
	ACTION_UNVERIFIED, /* it failed, or helped nothing */
	ACTION_VERDICT_MAX,
};
extern const char *const action_verdict_names[ACTION_VERDICT_MAX + 1];

struct action {
	usec_t wall;
	const char *target;
	enum action_verdict verdict;
};

struct limits {
	unsigned per_target; /* actions an hour on one target; 0 = none at all */
	unsigned global;     /* actions an hour on everything */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATE_MAX };
extern const char *const breaker_state_names[BREAKER_STATE_MAX + 1];

#define BREAKER_FAILURES      3u /* unverified actions in a row that open it */
#define BREAKER_OPEN_USEC     (15 * 60 * USEC_PER_SEC)
#define BREAKER_OPEN_MAX_USEC (4 * 3600 * USEC_PER_SEC)
#define COOLDOWN_MIN_USEC     (30 * USEC_PER_SEC)
#define COOLDOWN_MAX_USEC     (3600 * USEC_PER_SEC)

struct breaker {
	enum breaker_state state;
	usec_t until; /* of an open one: when one try is let through */
	unsigned n_failures;
};

#define ACTION_OPEN_MAX_USEC (3600 * USEC_PER_SEC) /* a run ends within this */

/* `actions` in order of time. Half-open lets one try through: while that is open, the breaker is,
 * too. */
struct breaker limits_breaker(
	const struct action *actions, size_t n, const char *target, usec_t now);
/* Is one more action within the budgets? *ret_next: when it will be, if not. */
bool limits_budget(const struct action *actions, size_t n, const char *target,
	const struct limits *limits, usec_t now, const char **ret_which, usec_t *ret_next);
/* How long a policy waits after the n-th run that did not help (n >= 1) before it tries again. */
usec_t limits_cooldown(unsigned n_failed_runs);
/* Evidence is fresh: the last result is younger than two intervals. */
bool limits_fresh(usec_t result_age, usec_t interval);

#endif
