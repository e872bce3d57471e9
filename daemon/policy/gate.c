/* SPDX-License-Identifier: MIT */
/*
 * What must hold before an action, in this order: actions are on, the component is configured, the
 * mode, freezes and windows, operators, a common cause, the breaker, the budgets, fresh evidence,
 * people's approval, and last a probe of now. After whatever takes time all is looked at again.
 */
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "calendar/window.h"
#include "policy/hosts.h"
#include "policy/private.h"

#define UNIT_TIMEOUT_USEC  (5 * USEC_PER_SEC)
#define EXECUTOR_WAIT_USEC (10 * USEC_PER_SEC) /* until it has said what its commands may do */

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

void gate_refuse(struct step *step, bool page, const char *format, ...)
{
	struct run *run = step->run;
	char text[512];
	va_list ap;
	bool first;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	approve_drop(step);
	/* It has counted as an action since its intent. */
	if (step->intent_wall)
		actions_forget(step);
	if (run->dry) {
		step_dry(step, "would be refused: %s", text);
		return;
	}
	first = gate_note(
		run->policies, run->incident, run->policy, "%s: %s", step->verb->name, text);
	/* Without an incident the one before was another deed that was left undone. */
	run->page = run->page || (page && (first || !run->incident[0]));
	if (run_incident(run))
		incident_note(run->policies->deps.incidents, run_incident(run), "refused",
			"%s: %s: %s", run->policy, step->verb->name, text);
	step_outcome(step, STEP_REFUSED, NULL, "%s", text);
}

/* ---- what needs no question to anybody else -------------------------------------------------- */

unsigned gate_budget_per_group(const struct conf_daemon *conf)
{
	return (unsigned)(conf->budget_per_group ? conf->budget_per_group
						 : 3 * conf->budget_per_target);
}

/* The unit whose operators are asked; NULL: none. */
static const char *gate_unit(const struct step *step)
{
	const struct conf_component *c =
		map_get(&step->run->policies->conf->components, step->target);

	if (str_startswith(step->verb->name, "unit."))
		return json_string_value(json_object_get(step->args, "unit"));
	return c ? c->unit : NULL;
}

/* The verbs that stand for something of the executor's manifest. */
static bool names_something(const struct verb *verb)
{
	return str_startswith(verb->name, "command.") || strcmp(verb->name, "sql.execute") == 0;
}

enum verb_risk gate_risk(const struct step *step)
{
	const char *said = act_manifest_risk(step);
	enum verb_risk risk = step->verb->risk;

	for (int i = 0; said && i < RISK_MAX; i++)
		if (strcmp(verb_risk_names[i], said) == 0)
			risk = MAX(risk, (enum verb_risk)i);
	return risk;
}

/* A run by hand was a person's decision; what Tend does by itself the configuration limits. */
static bool allowed_by_conf(struct step *step)
{
	struct run *run = step->run;
	struct policies *p = run->policies;
	const struct conf_component *component = map_get(&p->conf->components, step->target);
	const struct conf_policy *settings = policy_settings(p, run->policy);
	const char *frozen = policies_why_frozen(p);
	char why_not[256];
	uint64_t token;
	int fence;

	if (frozen) {
		run->was_frozen = true;
		gate_refuse(step, true, "actions are off: %s", frozen);
		return false;
	}
	/* That another daemon holds the lock is as it should be. */
	fence = act_fence(&p->conf->daemon, &token, why_not);
	if (fence < 0) {
		gate_refuse(step, fence != -ENOENT, "%s", why_not);
		return false;
	}
	if (!component) {
		gate_refuse(step, true, "'%s' is no component of the configuration", step->target);
		return false;
	}
	if (strcmp(run->author, "tend") != 0)
		return true;
	if (settings && !settings->enabled) {
		gate_refuse(step, false, "the configuration disables the policy");
		return false;
	}
	if (trigger_mode(p, run->policy, component->system) < MODE_APPROVE) {
		gate_refuse(step, false, "the mode is neither auto nor approve any more");
		return false;
	}
	return true;
}

/* What has begun to go wrong goes no further, but is cleaned up. */
static bool run_may_go_on(struct step *step)
{
	struct run *run = step->run;

	if (path_is_cleanup(step->path))
		return true;
	if (run->worse) {
		gate_refuse(step, true, "%s", run->worse);
		return false;
	}
	if (run->cancelled) {
		gate_refuse(step, false, "the run was cancelled: %s", run->cancelled);
		return false;
	}
	return true;
}

/* Not as the catalog has it now: the policy may be gone, broken, or not read yet. */
static bool window_required(const struct run *run)
{
	const struct conf_policy *settings = policy_settings(run->policies, run->policy);

	if (settings && settings->window >= 0)
		return settings->window == POLICY_WINDOW_REQUIRED;
	return run->window_required;
}

/* Freezes hold always, windows those policies that need one; a clean-up may end late. */
static bool in_window(struct step *step)
{
	struct policies *p = step->run->policies;
	const struct conf_component *component = map_get(&p->conf->components, step->target);
	char why[WINDOW_WHY_BYTES];

	if ((path_is_cleanup(step->path) && gate_risk(step) < RISK_DESTROY) ||
		windows_may_act(p->conf, component, step->run->policy, window_required(step->run),
			clock_wall(), why))
		return true;
	gate_refuse(step, false, "%s", why);
	return false;
}

static bool no_operator_at_it(struct step *step)
{
	struct policies *p = step->run->policies;
	char why[256];

	/* Who is at another host its executor sees, and refuses the action. */
	if (step->host || operators_allow(&p->conf->daemon, why))
		return true;
	gate_refuse(step, false, "hands off: %s", why);
	return false;
}

static bool breaker_lets_through(struct step *step)
{
	const struct run *run = step->run;
	char when[CLOCK_TEXT_BYTES];
	struct breaker breaker;

	if (policies_breaker(run->policies, run->policy, step->target, run->id, &breaker) < 0) {
		gate_refuse(step, true, "out of memory");
		return false;
	}
	if (breaker.state != BREAKER_OPEN)
		return true;
	/* People were paged when it opened. */
	gate_refuse(step, false,
		"the breaker of %s is open after %u runs of policy %s that did not help; one "
		"try is let through at %s",
		step->target, breaker.n_failures, run->policy, clock_format(breaker.until, when));
	return false;
}

static struct limits limits_of(const struct run *run)
{
	const struct policies *p = run->policies;
	const struct conf_daemon *conf = &p->conf->daemon;
	const struct conf_policy *settings = policy_settings(p, run->policy);
	bool own = run_has_own_account(run);
	int64_t per_target = settings && settings->budget ? settings->budget
			     : own			  ? run->budget
							  : conf->budget_per_target;
	int64_t total = settings && settings->budget_total ? settings->budget_total : UINT_MAX;
	unsigned group = MAX(gate_budget_per_group(conf), (unsigned)per_target);

	return (struct limits){.max = {
				       [LIMITS_TARGET] = (unsigned)per_target,
				       [LIMITS_GROUP] = own ? UINT_MAX : group,
				       [LIMITS_POLICY] = (unsigned)total,
				       [LIMITS_GLOBAL] = (unsigned)(own ? conf->budget_maintenance
									: conf->budget_global),
			       }};
}

static void refuse_for_budget(struct step *step, enum limits_scope scope, usec_t next)
{
	const char *policy = step->run->policy, *target = step->target;
	bool own = run_has_own_account(step->run);
	char when[CLOCK_TEXT_BYTES], whose[512];

	(void)snprintf(whose, sizeof(whose), "%s%s",
		scope == LIMITS_GROUP	 ? "the components that hang together with "
		: scope == LIMITS_POLICY ? "policy "
					 : "",
		scope == LIMITS_POLICY	 ? policy
		: scope == LIMITS_GLOBAL ? own ? "all maintenance together" : "all targets together"
					 : target);
	if (next)
		gate_refuse(step, true, "the budget of %s is used up until %s", whose,
			clock_format(next, when));
	else
		gate_refuse(step, true, "the budget of %s is 0", whose);
}

static bool within_budgets(struct step *step)
{
	struct policies *p = step->run->policies;
	struct limits limits = limits_of(step->run);
	auto_free struct action *actions = NULL;
	size_t n = actions_plain(p, &actions);
	struct action next = {
		.target = step->target,
		.group = group_of(p, step->target),
		.policy = step->run->policy,
		.own = run_has_own_account(step->run),
	};
	enum limits_scope scope;
	usec_t at;

	if (!actions) {
		gate_refuse(step, true, "out of memory");
		return false;
	}
	if (limits_budget(actions, n, &next, &limits, limits_now(), &scope, &at))
		return true;
	refuse_for_budget(step, scope, at);
	return false;
}

/* For each action of the run that was let through, one that undoes or cleans up is, too. */
static bool within_cleanups(struct step *step)
{
	unsigned n_actions = 0, n_cleanups = 0;

	if (step->run->dry)
		return true;
	VEC_FOREACH (&step->run->policies->actions, const struct action_row *, row) {
		if (strcmp(row->run, step->run->id) != 0)
			continue;
		if (path_is_cleanup(row->path))
			n_cleanups++;
		else
			n_actions++;
	}
	if (limits_cleanup(n_actions, n_cleanups))
		return true;
	gate_refuse(step, true, "the run has cleaned up as often as it has acted (%u)", n_actions);
	return false;
}

static bool plain_gates(struct step *step)
{
	return allowed_by_conf(step) && run_may_go_on(step) && in_window(step) &&
	       no_operator_at_it(step);
}

bool gate_last_look(struct step *step)
{
	return plain_gates(step);
}

static bool limits_allow(struct step *step)
{
	if (path_is_cleanup(step->path))
		return within_cleanups(step);
	return evidence_no_common_cause(step) && breaker_lets_through(step) &&
	       within_budgets(step) && turn_has_come(step) && evidence_is_fresh(step);
}

/* What people are asked, and what must be known first, goes by what the manifest says now: so that
 * goes to the executor, which has it from the manifest itself. */
static bool risk_allows(struct step *step)
{
	step->risk = gate_risk(step);
	return evidence_is_enough(step) && approve_enter(step);
}

/* ---- the last look --------------------------------------------------------------------------- */

static void on_probed(int r, struct check *check, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	step->probing = false;
	if (r < 0)
		gate_refuse(step, true, "the check cannot be run again: %s", strerror(-r));
	else if (!state_failed(check->last.verdict))
		gate_refuse(step, false, "it is well again: %s", check->last.text);
	else if (check->unreachable)
		gate_refuse(step, false, "it is unreachable: %s is down", check->unreachable_why);
	/* again: time has passed */
	else if (plain_gates(step) && limits_allow(step) && risk_allows(step))
		step_intend(step);
	run_unref_step(run);
}

/* It must still fail right before the deed. */
static void reprobe(struct step *step)
{
	struct run *run = step->run;
	int r;

	if (!run->check || !run->incident[0] || path_is_cleanup(step->path)) {
		step_intend(step);
		return;
	}
	run->n_in_flight++;
	step->probing = true;
	r = watch_run_now(run->policies->deps.watch, run->check, clock_now(), on_probed, step);
	if (r < 0) {
		step->probing = false;
		gate_refuse(step, true, "the check cannot be run again: %s", strerror(-r));
		run_unref_step(run);
	}
}

/* The operators have let it through. */
static void late_gates(struct step *step)
{
	if (!limits_allow(step) || !risk_allows(step))
		return;
	reprobe(step);
}

/* ---- operators, by the unit ------------------------------------------------------------------ */

/* Tend's own stop looks like an operator's to a tendd that has not seen it. */
static bool run_stopped_it(const struct step *step, const char *unit)
{
	usec_t at = 0;
	bool stopped = false;

	MAP_FOREACH (&step->run->steps, const struct step *, other) {
		const char *of = json_string_value(json_object_get(other->args, "unit"));

		if (!str_startswith(other->verb->name, "unit.") || other->state != STEP_DONE ||
			!str_eq(of, unit) || !str_eq(other->target, step->target) ||
			other->verb->risk < RISK_CHANGE || other->intent_wall < at)
			continue;
		at = other->intent_wall;
		stopped = strcmp(other->verb->name, "unit.stop") == 0;
	}
	return stopped;
}

static bool unit_verb_fits(struct step *step, enum units_intent intent, const char *why)
{
	const char *verb = step->verb->name + strlen("unit.");
	bool starts = strcmp(verb, "start") == 0, restarts = strcmp(verb, "restart") == 0;

	if (intent == UNITS_INTENT_RUNNING && starts)
		gate_refuse(step, false, "the unit is running: nothing to start");
	else if (intent == UNITS_INTENT_ENDED && !starts && !restarts)
		gate_refuse(step, false, "the unit is down: nothing to %s", verb);
	else if (intent == UNITS_INTENT_ENDED || intent == UNITS_INTENT_RUNNING)
		return true;
	else
		gate_refuse(step, false, "hands off: %s", why);
	return false;
}

/* What acts on the component by another way than its unit. */
static bool other_verb_fits(struct step *step, enum units_intent intent, const char *why)
{
	if (intent != UNITS_INTENT_STOPPED_BY_OPERATOR && intent != UNITS_INTENT_MASKED)
		return true;
	gate_refuse(step, false, "hands off: %s", why);
	return false;
}

static void on_intent(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	const char *unit = gate_unit(step);
	bool by_unit = str_startswith(step->verb->name, "unit.");

	step->ask = NULL;
	if (intent == UNITS_INTENT_STOPPED_BY_OPERATOR && run_stopped_it(step, unit))
		intent = UNITS_INTENT_ENDED;
	step->unit_down = r >= 0 && intent == UNITS_INTENT_ENDED;
	if (r < 0 || intent == UNITS_INTENT_UNKNOWN)
		gate_refuse(step, true, "how the unit ended cannot be read: %s", why);
	else if (by_unit ? unit_verb_fits(step, intent, why) : other_verb_fits(step, intent, why))
		late_gates(step);
	run_unref_step(run);
}

/* An operator's stop, a masked unit, a job of systemd's own: hands off. */
static void ask_intent(struct step *step, const char *unit)
{
	int r;

	step->run->n_in_flight++;
	r = act_ask_intent(step, unit, UNIT_TIMEOUT_USEC, on_intent);
	if (r < 0)
		on_intent(r, UNITS_INTENT_UNKNOWN, strerror(-r), NULL, step);
}

/* ---- the way in ------------------------------------------------------------------------------ */

static void on_executor_wait(void *data)
{
	struct step *step = data;

	step->timer = loop_source_free(step->timer);
	if (step->verb->risk >= RISK_CHANGE)
		gate_enter(step);
	else
		step->verb->execute(step);
}

bool gate_wait_for_executor(struct step *step)
{
	struct policies *p = step->run->policies;
	const struct exec_client *client = hosts_client(p, step->host);
	usec_t now = clock_now();

	if (!names_something(step->verb) || !client || exec_client_hello(client)) {
		step->awaits_hello = false;
		return false;
	}
	if (!step->awaits_hello)
		step->deadline = now + EXECUTOR_WAIT_USEC;
	step->awaits_hello = true;
	if (now >= step->deadline ||
		loop_timer_new(p->deps.loop, on_executor_wait, step, &step->timer) < 0)
		gate_refuse(step, step->verb->risk >= RISK_CHANGE,
			"tend-exec has not said what its commands may do: %s",
			exec_client_trouble(client));
	else
		loop_timer_set(step->timer, now + 100 * USEC_PER_MSEC);
	return true;
}

void gate_enter(struct step *step)
{
	const char *unit;

	if (!plain_gates(step) || gate_wait_for_executor(step))
		return;
	unit = gate_unit(step);
	if (unit)
		ask_intent(step, unit);
	else
		late_gates(step);
}

void gate_approved(struct step *step)
{
	gate_enter(step);
}
