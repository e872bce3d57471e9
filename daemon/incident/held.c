/* SPDX-License-Identifier: MIT */
/*
 * What a maintenance window, a silence or another incident holds back. An incident that opens
 * inside has `told` false and makes no notices; one that was told before stays open. When nothing
 * holds it any more its checks are looked at anew: what still fails is told then, what is well
 * closes in silence, or with its clear where the raise was told. All of it is in the incident's
 * row, so a restart changes nothing.
 */
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "incident/private.h"

/* A check that gives no answer must not keep an incident from people. */
#define SETTLE_MAX_USEC (120 * USEC_PER_SEC)

void incidents_set_hold(struct incidents *incidents, incidents_hold_fn fn, void *data)
{
	incidents->hold = fn;
	incidents->hold_data = data;
}

bool incident_held(const struct incidents *incidents, const struct incident *incident, bool closing,
	struct incident_hold *ret_hold)
{
	return incidents->hold &&
	       incidents->hold(incident, closing, ret_hold, incidents->hold_data);
}

const char *const incident_gate_names[INCIDENT_GATE_MAX] = {
	[INCIDENT_GATE_WINDOW] = "window",
	[INCIDENT_GATE_SILENCE] = "silence",
	[INCIDENT_GATE_INHIBITED] = "inhibited",
};

void incident_count_withheld(struct incidents *incidents, const struct incident_hold *hold)
{
	for (size_t i = 0; i < INCIDENT_GATE_MAX; i++)
		incidents->n_withheld[i] += strcmp(hold->kind, incident_gate_names[i]) == 0;
}

uint64_t incidents_n_withheld(const struct incidents *incidents, enum incident_gate gate)
{
	return incidents->n_withheld[gate];
}

static bool is_held(const struct incident *incident)
{
	return !incident->told || incident->change_held || incident->close_held;
}

size_t incidents_n_held(const struct incidents *incidents)
{
	size_t n = 0;

	VEC_FOREACH (&incidents->open, const struct incident *, incident)
		n += is_held(incident);
	return n;
}

/* Fails by an attempt that began after the window. */
static bool still_fails(const struct incidents *incidents, const struct incident *incident)
{
	MAP_FOREACH_KEY (&incident->members, slot) {
		const struct check *check = watch_find_check(incidents->watch, slot->key);

		if (check && map_get(&incidents->by_check, slot->key) == incident &&
			state_failed(check->state.hard) && state_failed(check->last.verdict) &&
			check->last.started >= incident->settle)
			return true;
	}
	return false;
}

void incident_settle(struct incidents *incidents, struct incident *incident)
{
	bool late = clock_now() - incident->settle >= SETTLE_MAX_USEC;

	if (incident->told && !incident->change_held)
		incident->settle = 0; /* its end comes by itself */
	else if (late || still_fails(incidents, incident))
		incident_tell(
			incidents, incident, incident->told ? INCIDENT_CHANGED : INCIDENT_RAISED);
}

static void ask(struct incidents *incidents, const struct incident *incident)
{
	const struct component *component =
		watch_find_component(incidents->watch, incident->component);

	MAP_FOREACH_KEY (&incident->members, slot)
		(void)watch_run_now(incidents->watch, slot->key, incident->settle, NULL, NULL);
	if (component)
		VEC_FOREACH (&component->checks, const struct check *, check)
			(void)watch_run_now(
				incidents->watch, check->conf->name, incident->settle, NULL, NULL);
}

static void begin_to_settle(struct incidents *incidents, struct incident *incident)
{
	incident->settle = clock_now();
	incident->mended = 0; /* what was well inside is proven anew */
	incident_note(incidents, incident, "released",
		"nothing holds it any more: a fresh look before anybody is told");
	ask(incidents, incident);
	incident_look_for_end(incidents, incident);
}

static void on_settle_timer(void *data)
{
	incidents_release(data);
}

void incidents_release(struct incidents *incidents)
{
	bool waiting = false;

	for (size_t i = incidents->open.len; i-- > 0;) {
		struct incident *incident = incidents->open.items[i];
		struct incident_hold hold;

		if (!is_held(incident))
			continue;
		if (incident_held(incidents, incident, incident->close_held, &hold))
			incident->settle = 0;
		else if (!incident->settle)
			begin_to_settle(incidents, incident);
		else
			incident_settle(incidents, incident);
	}
	VEC_FOREACH (&incidents->open, const struct incident *, incident)
		waiting = waiting || incident->settle;
	if (waiting && !incidents->settle_timer &&
		loop_timer_new(
			incidents->loop, on_settle_timer, incidents, &incidents->settle_timer) < 0)
		log_error("incidents: no timer for what was held: out of memory");
	if (incidents->settle_timer)
		loop_timer_set(
			incidents->settle_timer, waiting ? clock_now() + SETTLE_MAX_USEC / 4 : 0);
}
