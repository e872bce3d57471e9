/* SPDX-License-Identifier: MIT */
#include "policy/limits.h"
#include <string.h>
#include "base/cleanup.h"

#define HOUR_USEC (3600 * USEC_PER_SEC)

const char *const action_verdict_names[ACTION_VERDICT_MAX + 1] = {
	[ACTION_OPEN] = "open",
	[ACTION_VERIFIED] = "verified",
	[ACTION_UNVERIFIED] = "unverified",
};
const char *const breaker_state_names[BREAKER_STATE_MAX + 1] = {
	[BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_HALF_OPEN] = "half-open",
};

struct breaker limits_breaker(
	const struct action *actions, size_t n, const char *target, usec_t now)
{
	struct breaker b = {.state = BREAKER_CLOSED};
	usec_t span = BREAKER_OPEN_USEC;
	usec_t open = 0;
	bool tripped = false;

	for (size_t i = 0; i < n; i++) {
		const struct action *a = &actions[i];

		if (strcmp(a->target, target) != 0)
			continue;
		if (a->verdict == ACTION_OPEN) {
			open = a->wall;
			continue;
		}
		if (a->verdict == ACTION_VERIFIED) {
			b = (struct breaker){.state = BREAKER_CLOSED};
			tripped = false;
			span = BREAKER_OPEN_USEC;
			continue;
		}
		b.n_failures++;
		/* The try of a half-open breaker that failed too opens it for twice as long. */
		if (tripped)
			span = MIN(span * 2, BREAKER_OPEN_MAX_USEC);
		if (b.n_failures >= BREAKER_FAILURES) {
			tripped = true;
			b.until = a->wall + span;
		}
	}
	if (tripped && open >= b.until && now < open + ACTION_OPEN_MAX_USEC)
		b.until = open + ACTION_OPEN_MAX_USEC;
	if (tripped)
		b.state = now < b.until ? BREAKER_OPEN : BREAKER_HALF_OPEN;
	return b;
}

bool limits_budget(const struct action *actions, size_t n, const char *target,
	const struct limits *limits, usec_t now, const char **ret_which, usec_t *ret_next)
{
	usec_t since = now > HOUR_USEC ? now - HOUR_USEC : 0;
	usec_t oldest_target = 0, oldest = 0;
	unsigned n_target = 0, n_all = 0;

	for (size_t i = 0; i < n; i++) {
		/* A clock that went back must not make room: what lies in the future counts. */
		if (actions[i].wall <= since)
			continue;
		oldest = n_all++ == 0 ? actions[i].wall : oldest;
		if (strcmp(actions[i].target, target) != 0)
			continue;
		oldest_target = n_target++ == 0 ? actions[i].wall : oldest_target;
	}
	if (n_target < limits->per_target && n_all < limits->global)
		return true;
	*ret_which = n_target >= limits->per_target ? target : "all targets together";
	*ret_next = (n_target >= limits->per_target ? oldest_target : oldest) + HOUR_USEC;
	return false;
}

usec_t limits_cooldown(unsigned n_failed_runs)
{
	usec_t span = COOLDOWN_MIN_USEC;

	while (n_failed_runs-- > 1 && span < COOLDOWN_MAX_USEC)
		span *= 2;
	return MIN(span, COOLDOWN_MAX_USEC);
}

bool limits_fresh(usec_t result_age, usec_t interval)
{
	return result_age < 2 * interval;
}
