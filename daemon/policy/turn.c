/* SPDX-License-Identifier: MIT */
/*
 * One at a time in a dependency group: what touches a target that nobody has found failing waits
 * until the run before, of its own policy or one that restarts units, has ended and so has seen its
 * own target well again. Pure is limits_holds_group(); here is who is asked, and the wait.
 */
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

#define TURN_WAIT_USEC (900 * USEC_PER_SEC)
#define TURN_LOOK_USEC (500 * USEC_PER_MSEC)

static bool is_live(const struct policies *p, const char *id)
{
	VEC_FOREACH (&p->runs, const struct run *, run)
		if (strcmp(run->id, id) == 0)
			return run->state == RUN_LIVE;
	return false;
}

static bool has_acted(const struct policies *p, const char *id)
{
	VEC_FOREACH (&p->actions, const struct action_row *, row)
		if (strcmp(row->run, id) == 0)
			return true;
	return false;
}

static const struct action_row *who_is_at_it(const struct step *step)
{
	const struct policies *p = step->run->policies;
	const struct action next = {.run = step->run->id,
		.target = step->target,
		.group = group_of(p, step->target),
		.policy = step->run->policy};

	VEC_FOREACH (&p->actions, const struct action_row *, row) {
		struct action before = row->action;

		before.group = group_of(p, row->target);
		if (limits_holds_group(&before, str_startswith(row->verb, "unit."), &next) &&
			is_live(p, row->run))
			return row;
	}
	return NULL;
}

static void on_turn(void *data)
{
	struct step *step = data;

	step->timer = loop_source_free(step->timer);
	gate_enter(step);
}

/* True: it waits. */
static bool wait_for_turn(struct step *step, const struct action_row *other)
{
	struct run *run = step->run;
	usec_t now = clock_now();

	if (!step->turn_deadline) {
		step->turn_deadline = now + TURN_WAIT_USEC;
		feed_add(run, "waits", step, "until run %s of %s on %s has ended", other->run,
			other->policy, other->target);
		(void)gate_note(run->policies, run->incident, run->policy,
			"%s on %s waits until run %s of %s on %s has ended: one at a time in a "
			"dependency group",
			step->verb->name, step->target, other->run, other->policy, other->target);
	}
	if (now >= step->turn_deadline ||
		loop_timer_new(run->policies->deps.loop, on_turn, step, &step->timer) < 0)
		return false;
	loop_timer_set(step->timer, now + TURN_LOOK_USEC);
	return true;
}

bool turn_has_come(struct step *step)
{
	struct run *run = step->run;
	const struct action_row *other;

	/* What fails already is no worse for being healed beside another; a run that has begun is
	 * not held in the middle, between a stop and a start. */
	if (run->incident[0] || run->dry || has_acted(run->policies, run->id))
		return true;
	other = who_is_at_it(step);
	if (!other)
		return true;
	if (!wait_for_turn(step, other))
		gate_refuse(step, false,
			"one at a time in a dependency group: run %s of %s on %s has not ended",
			other->run, other->policy, other->target);
	return false;
}
