/* SPDX-License-Identifier: MIT */
/* What must be known before an action: that the fault is there now, and that it is one fault. */
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

/* The latest fault of the component's own: not for the sake of a dependency that is down. */
static struct limits_member member_of(const struct component *component)
{
	struct limits_member member = {0};

	VEC_FOREACH (&component->checks, const struct check *, check) {
		if (!state_failed(check->state.hard) || check->unreachable)
			continue;
		if (!member.failing || check->state.hard_since_wall < member.since)
			member.since = check->state.hard_since_wall;
		member.failing = true;
	}
	return member;
}

bool evidence_no_common_cause(struct step *step)
{
	struct policies *p = step->run->policies;
	const struct conf_daemon *conf = &p->conf->daemon;
	const struct map *components = watch_components(p->deps.watch);
	const char *group = group_of(p, step->target);
	auto_free struct limits_member *members = calloc(components->len + 1, sizeof(*members));
	unsigned n_failing = 0;
	size_t n = 0;

	if (strcmp(step->run->author, "tend") != 0)
		return true; /* a person has looked */
	if (!members) {
		gate_refuse(step, true, "out of memory");
		return false;
	}
	MAP_FOREACH (components, const struct component *, component)
		if (str_eq(group_of(p, component->conf->name), group))
			members[n++] = member_of(component);
	if (!limits_common_cause(members, n, (unsigned)conf->common_cause_share,
		    (unsigned)conf->common_cause_min, conf->common_cause_within, &n_failing))
		return true;
	gate_refuse(step, true,
		"a common cause is suspected: %u of the %zu components that hang together with %s "
		"began to fail at about the same time; look for it, nothing is done",
		n_failing, n, step->target);
	return false;
}

bool evidence_is_fresh(struct step *step)
{
	struct run *run = step->run;
	const struct check *check =
		run->check ? watch_find_check(run->policies->deps.watch, run->check) : NULL;
	const struct incident *incident = run_incident(run);

	if (!run->incident[0])
		return true; /* by hand without an incident: a person has looked */
	if (!incident) {
		gate_refuse(step, false, "the incident is closed: nothing is left to heal");
		return false;
	}
	if (strcmp(run->author, "tend") == 0 && strcmp(incident->component, run->component) != 0) {
		gate_refuse(step, false, "the root cause is at %s now", incident->component);
		return false;
	}
	if (!check ||
		(check->last.number && !limits_fresh(clock_now() - check->last.finished,
					       MAX(check->conf->interval, check->conf->timeout)))) {
		gate_refuse(step, true, "there is no fresh result of the check");
		return false;
	}
	/* Without a result since the start, the confirmed state is of before; the probe that comes
	 * now says whether it holds. */
	if (!state_failed(check->state.hard)) {
		gate_refuse(step, false, "it is well again: %s", check->last.text);
		return false;
	}
	return true;
}

/* Another check of the target says so, too, and has said so just now. */
static bool other_check_fails(const struct policies *p, const char *target, const char *first)
{
	const struct component *component = watch_find_component(p->deps.watch, target);

	if (!component)
		return false;
	VEC_FOREACH (&component->checks, const struct check *, check)
		if (!str_eq(check->conf->name, first) && state_failed(check->state.hard) &&
			check->last.number &&
			limits_fresh(clock_now() - check->last.finished,
				MAX(check->conf->interval, check->conf->timeout)))
			return true;
	return false;
}

bool evidence_unit_speaks(const struct step *step)
{
	const struct run *run = step->run;
	const struct check *check =
		run->check ? watch_find_check(run->policies->deps.watch, run->check) : NULL;

	return step->unit_down && !(check && str_eq(check->conf->probe_name, "unit"));
}

bool evidence_is_enough(struct step *step)
{
	struct run *run = step->run;

	if (gate_risk(step) < RISK_DESTROY || !run->incident[0] || evidence_unit_speaks(step) ||
		other_check_fails(run->policies, step->target, run->check))
		return true;
	gate_refuse(step, true,
		"what destroys needs a second kind of evidence: no other check of %s fails, and "
		"its unit is not down",
		step->target);
	return false;
}
