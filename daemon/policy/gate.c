/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"
#include "watch/units.h"

bool gate_note(
	struct policies *p, const char *incident_id, const char *policy, const char *format, ...)
{
	struct gate *gate;
	char raw[512], text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	/* The same "no" again only gets younger. */
	VEC_FOREACH (&p->gates, struct gate *, old)
		if (strcmp(old->incident, incident_id) == 0 && strcmp(old->policy, policy) == 0 &&
			strcmp(old->why, text) == 0) {
			old->wall = clock_wall();
			return false;
		}
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return true;
	gate->wall = clock_wall();
	(void)snprintf(gate->incident, sizeof(gate->incident), "%s", incident_id);
	gate->policy = strdup(policy);
	gate->why = strdup(text);
	if (!gate->policy || !gate->why || vec_push(&p->gates, gate) < 0) {
		free(gate->policy);
		free(gate->why);
		free(gate);
		return true;
	}
	if (p->gates.len > POLICY_MAX_GATES) {
		struct gate *oldest = p->gates.items[0];

		vec_remove(&p->gates, 0);
		free(oldest->policy);
		free(oldest->why);
		free(oldest);
	}
	return true;
}

/* The gate says no: the step is refused, nothing was begun. `page`: people must know, once. */
__attribute__((format(printf, 3, 4))) static void refuse(
	struct step *step, bool page, const char *format, ...)
{
	struct run *run = step->run;
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (gate_note(run->policies, run->incident, run->policy, "%s: %s", step->verb->name, text))
		run->page = run->page || page;
	if (run_incident(run))
		incident_note(run->policies->deps.incidents, run_incident(run), "refused",
			"%s: %s: %s", run->policy, step->verb->name, text);
	step_outcome(step, STEP_REFUSED, NULL, "%s", text);
}

/* A run by hand was a person's decision; what Tend does by itself the configuration limits. */
static bool allowed_by_conf(struct step *step)
{
	struct run *run = step->run;
	struct policies *p = run->policies;
	const struct conf_component *component = map_get(&p->conf->components, step->target);
	const struct conf_policy *settings = policy_settings(p, run->policy);
	const char *frozen = policies_why_frozen(p);

	if (frozen) {
		run->was_frozen = true;
		refuse(step, true, "actions are off: %s", frozen);
		return false;
	}
	if (!component) {
		refuse(step, true, "'%s' is no component of the configuration", step->target);
		return false;
	}
	if (strcmp(run->author, "tend") != 0)
		return true;
	if (settings && !settings->enabled) {
		refuse(step, false, "the configuration disables the policy");
		return false;
	}
	if (trigger_mode(p, run->policy, component->system) != MODE_AUTO) {
		refuse(step, false, "the mode is not auto any more");
		return false;
	}
	return true;
}

static bool within_limits(struct step *step)
{
	struct policies *p = step->run->policies;
	const struct conf_policy *settings = policy_settings(p, step->run->policy);
	const char *which;
	struct limits limits = {
		.per_target = (unsigned)(settings && settings->budget
						 ? settings->budget
						 : p->conf->daemon.budget_per_target),
		.global = (unsigned)p->conf->daemon.budget_global,
	};
	auto_free struct action *actions = NULL;
	size_t n = actions_plain(p, &actions);
	struct breaker breaker;
	char when[CLOCK_TEXT_BYTES];
	usec_t next;

	if (!actions) {
		refuse(step, true, "out of memory");
		return false;
	}
	breaker = limits_breaker(actions, n, step->target, clock_wall());
	if (breaker.state == BREAKER_OPEN) {
		refuse(step, true,
			"the breaker of %s is open after %u actions that did not help; "
			"one try is let through at %s",
			step->target, breaker.n_failures, clock_format(breaker.until, when));
		return false;
	}
	if (!limits_budget(actions, n, step->target, &limits, clock_wall(), &which, &next)) {
		refuse(step, true, "the budget of %s is used up until %s", which,
			clock_format(next, when));
		return false;
	}
	return true;
}

/* What needs no question to anybody else. */
static bool plain_gates(struct step *step)
{
	return allowed_by_conf(step) && within_limits(step);
}

static bool evidence_is_fresh(struct step *step)
{
	struct run *run = step->run;
	const struct check *check =
		run->check ? watch_find_check(run->policies->deps.watch, run->check) : NULL;
	const struct incident *incident = run_incident(run);

	if (!run->incident[0])
		return true; /* by hand without an incident: a person has looked */
	if (!incident) {
		refuse(step, false, "the incident is closed: nothing is left to heal");
		return false;
	}
	if (strcmp(run->author, "tend") == 0 && strcmp(incident->component, run->component) != 0) {
		refuse(step, false, "the root cause is at %s now", incident->component);
		return false;
	}
	if (!check ||
		(check->last.number && !limits_fresh(clock_now() - check->last.finished,
					       MAX(check->conf->interval, check->conf->timeout)))) {
		refuse(step, true, "there is no fresh result of the check");
		return false;
	}
	/* Without a result since the start, the confirmed state is of before; the probe that comes
	 * now says whether it holds. */
	if (!state_failed(check->state.hard)) {
		refuse(step, false, "it is well again: %s", check->last.text);
		return false;
	}
	return true;
}

static void on_probed(int r, struct check *check, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	step->probing = false;
	if (r < 0)
		refuse(step, true, "the check cannot be run again: %s", strerror(-r));
	else if (!state_failed(check->last.verdict))
		refuse(step, false, "it is well again: %s", check->last.text);
	else if (check->unreachable)
		refuse(step, false, "it is unreachable: %s is down", check->unreachable_why);
	else if (plain_gates(step) && evidence_is_fresh(step)) /* again: time has passed */
		step_intend(step);
	run_unref_step(run);
}

static void reprobe(struct step *step);

static void on_intent(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	bool hung = intent == UNITS_INTENT_RUNNING && strcmp(step->verb->name, "unit.start") != 0;
	bool stop = strcmp(step->verb->name, "unit.stop") == 0;

	step->ask = NULL;
	if (r < 0 || intent == UNITS_INTENT_UNKNOWN)
		refuse(step, true, "how the unit ended cannot be read: %s", why);
	else if (intent == UNITS_INTENT_RUNNING && !hung)
		refuse(step, false, "the unit is running: nothing to start");
	else if (intent == UNITS_INTENT_ENDED && stop)
		refuse(step, false, "the unit is down: nothing to stop");
	else if (intent == UNITS_INTENT_ENDED || hung)
		reprobe(step);
	else
		refuse(step, false, "hands off: %s", why);
	run_unref_step(run);
}

/* An operator's stop, a masked unit, a job of systemd's own: hands off. */
static void ask_intent(struct step *step)
{
	const char *unit = json_string_value(json_object_get(step->args, "unit"));
	int r;

	step->run->n_in_flight++;
	r = units_ask_intent(watch_units(step->run->policies->deps.watch), unit, 5 * USEC_PER_SEC,
		on_intent, step, &step->ask);
	if (r < 0)
		on_intent(r, UNITS_INTENT_UNKNOWN, strerror(-r), NULL, step);
}

/* The last look before the deed: it must still fail. */
static void reprobe(struct step *step)
{
	struct run *run = step->run;
	int r;

	if (!run->check || !run->incident[0]) {
		step_intend(step);
		return;
	}
	run->n_in_flight++;
	step->probing = true;
	r = watch_run_now(run->policies->deps.watch, run->check, clock_now(), on_probed, step);
	if (r < 0) {
		step->probing = false;
		refuse(step, true, "the check cannot be run again: %s", strerror(-r));
		run_unref_step(run);
	}
}

void gate_enter(struct step *step)
{
	if (!plain_gates(step) || !evidence_is_fresh(step))
		return;
	if (str_startswith(step->verb->name, "unit."))
		ask_intent(step);
	else
		reprobe(step);
}
