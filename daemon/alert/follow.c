/* SPDX-License-Identifier: MIT */
/*
 * alert/follow.c: what comes after the raise of an incident that is open and that nobody has
 * acknowledged: reminders to who was told, the steps of an escalation, and those to whom the time
 * of day (a route's times, a rota's turn) brings it only now. Everything follows from who was told
 * when, so a restart changes nothing. Pure.
 */
#include <string.h>
#include "alert/plan.h"

void follow_clear(struct follow *follow)
{
	plan_clear(&follow->raise);
	plan_clear(&follow->remind);
}

static const struct follow_told *told_of(
	const struct follow_question *q, const struct conf_receiver *receiver)
{
	for (size_t i = 0; i < q->n_told; i++)
		if (q->told[i].receiver == receiver)
			return &q->told[i];
	return NULL;
}

static void come_back(struct follow *follow, usec_t wall)
{
	follow->next_wall = MIN(follow->next_wall, wall);
}

static bool in_plan(const struct plan *plan, const struct conf_receiver *receiver)
{
	VEC_FOREACH (&plan->targets, const struct plan_target *, target)
		if (target->receiver == receiver)
			return true;
	return false;
}

static int add_raise(const struct follow_question *q, const struct conf_receiver *receiver,
	struct follow *follow)
{
	if (told_of(q, receiver) || in_plan(&follow->raise, receiver))
		return 0;
	return plan_add_told(&q->plan, receiver, &follow->raise);
}

/* ---- by the time of day, or in place of those who are gone ---------------------------------- */

/* The next edge of a rota among the names. */
static void watch_rotas(const struct follow_question *q, char *const *names, struct follow *follow)
{
	for (; names && *names; names++) {
		const struct conf_rota *rota = strncmp(*names, "rota:", 5) == 0
						       ? map_get(&q->plan.conf->rotas, *names + 5)
						       : NULL;
		char *const *on_call;
		usec_t until;

		if (!rota || !rota->rota)
			continue;
		(void)rota_at(rota->rota, q->plan.wall, &on_call, &until);
		come_back(follow, until);
	}
}

static int add_newcomers(const struct follow_question *q, struct follow *follow)
{
	auto(plan_clear) struct plan now = {0};
	struct plan_question question = q->plan;
	int r;

	question.terse = true;
	r = plan_make(&question, &now);
	VEC_FOREACH (&now.targets, const struct plan_target *, target)
		if (r == 0 && (q->abandoned ||
				      (target->from && (target->on_call || target->from->times.n))))
			r = add_raise(q, target->receiver, follow);
	VEC_FOREACH (&q->plan.conf->routes, const struct conf_route *, route) {
		if (route->times.n)
			come_back(follow, times_next(&route->times, route->zone, q->plan.wall));
		watch_rotas(q, route->receivers, follow);
	}
	return r;
}

/* ---- escalation ----------------------------------------------------------------------------- */

static int add_step(
	const struct follow_question *q, const struct conf_step *step, struct follow *follow)
{
	struct route_receiver found[ROUTE_MAX_RECEIVERS];
	size_t n;
	int r = 0;

	if (q->since + step->after > q->plan.wall) {
		come_back(follow, q->since + step->after);
		return 0;
	}
	n = route_receivers(&q->plan, step->receivers, NULL, found);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_raise(q, found[i].receiver, follow);
	watch_rotas(q, step->receivers, follow);
	return r;
}

/* Of the routes that took the raise, as they were then: by day what the day's routes say. */
static int add_steps(const struct follow_question *q, struct follow *follow)
{
	struct plan_question then = q->plan;
	int r = 0;

	then.wall = q->n_told > 0 ? q->told[0].told_wall : q->since;
	VEC_FOREACH (&q->plan.conf->routes, const struct conf_route *, route) {
		if (!route_takes(route, &then, NULL))
			continue;
		VEC_FOREACH (&route->steps, const struct conf_step *, step)
			if (r == 0)
				r = add_step(q, step, follow);
		if (r < 0 || !route->go_on)
			break;
	}
	return r;
}

/* ---- reminders ------------------------------------------------------------------------------ */

static bool route_means(const struct plan_question *then, const struct conf_route *route,
	const struct conf_receiver *receiver)
{
	struct route_receiver found[ROUTE_MAX_RECEIVERS];
	size_t n = route_receivers(then, route->receivers, NULL, found);

	for (size_t i = 0; i < n; i++)
		if (found[i].receiver == receiver)
			return true;
	VEC_FOREACH (&route->steps, const struct conf_step *, step) {
		n = route_receivers(then, step->receivers, NULL, found);
		for (size_t i = 0; i < n; i++)
			if (found[i].receiver == receiver)
				return true;
	}
	return false;
}

/* The first route with reminders that told this one. NULL. */
static const struct conf_route *reminding_route(
	const struct follow_question *q, const struct follow_told *told)
{
	struct plan_question then = q->plan;

	then.wall = told->told_wall;
	VEC_FOREACH (&q->plan.conf->routes, const struct conf_route *, route) {
		if (!route_takes(route, &then, NULL))
			continue;
		if (route->remind && route_means(&then, route, told->receiver))
			return route;
		if (!route->go_on)
			break;
	}
	return NULL;
}

/* When the next one is due; USEC_INFINITY: none. By night nobody is reminded who is told by day. */
static usec_t reminder_due(const struct follow_question *q, const struct follow_told *told)
{
	const struct conf_route *route;
	usec_t due;

	if (told->repeat)
		return told->last_wall + told->repeat;
	if (q->acknowledged)
		return USEC_INFINITY;
	route = reminding_route(q, told);
	if (!route || told->n_reminders >= (uint64_t)route->remind_max)
		return USEC_INFINITY;
	due = MAX(told->last_wall, q->since) + route->remind;
	if (route->times.n && due <= q->plan.wall &&
		!times_inside(&route->times, route->zone, q->plan.wall))
		return times_next(&route->times, route->zone, q->plan.wall);
	return due;
}

static int add_reminder(
	const struct follow_question *q, const struct follow_told *told, struct follow *follow)
{
	usec_t due;

	if (told->refused || told->receiver->type == RECEIVER_SNMP) /* a manager reads the table */
		return 0;
	due = reminder_due(q, told);
	if (due > q->plan.wall) {
		come_back(follow, due);
		return 0;
	}
	return plan_add_told(&q->plan, told->receiver, &follow->remind);
}

int follow_make(const struct follow_question *question, struct follow *ret_follow)
{
	auto(follow_clear) struct follow follow = {.next_wall = USEC_INFINITY};
	int r = 0;

	if (!question->acknowledged) {
		r = add_newcomers(question, &follow);
		if (r == 0 && question->n_told > 0)
			r = add_steps(question, &follow);
	}
	for (size_t i = 0; i < question->n_told && r == 0; i++)
		r = add_reminder(question, &question->told[i], &follow);
	if (r < 0)
		return r;
	*ret_follow = follow;
	follow = (struct follow){0};
	return 0;
}
