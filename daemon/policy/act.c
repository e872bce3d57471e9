/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"
#include "watch/units.h"

static const char *arg_text(const struct step *step, const char *name)
{
	return json_string_value(json_object_get(step->args, name));
}

static usec_t arg_duration(const struct step *step, const char *name, usec_t fallback)
{
	usec_t usec;
	const json_t *value = json_object_get(step->args, name);

	return value && verb_duration(value, &usec) == 0 ? usec : fallback;
}

/* ---- again
 * ---------------------------------------------------------------------------------------------
 */

void act_resume(struct step *step)
{
	const char *frozen = policies_why_frozen(step->run->policies);

	step->restored = false;
	/* To ask after a deed is none; to do it again, harmless as it may be, is one. */
	if (frozen && step->verb->risk >= RISK_CHANGE && step->verb->resume == RESUME_AGAIN) {
		step_outcome(step, STEP_UNKNOWN, NULL,
			"it may have happened before Tend ended, and actions are off now: %s",
			frozen);
		return;
	}
	switch (step->verb->resume) {
	case RESUME_ATTACH:
		act_attach(step);
		return;
	case RESUME_DONE:
		step_outcome(step, STEP_DONE, NULL, "%s", "");
		return;
	default:
		step->verb->execute(step);
		return;
	}
}

/* ---- checks
 * ---------------------------------------------------------------------------------------------------
 */

void act_check_ran(int r, struct check *check, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	step->probing = false;
	if (r < 0)
		step_outcome(step, STEP_FAILED, NULL, "the check cannot be run: %s", strerror(-r));
	else
		step_outcome(step, STEP_DONE, watch_check_to_json(check, true), "%s", "");
	run_unref_step(run);
}

void act_check_run(struct step *step)
{
	int r;

	step->run->n_in_flight++;
	step->probing = true;
	r = watch_run_now(step->run->policies->deps.watch, arg_text(step, "check"), clock_now(),
		act_check_ran, step);
	if (r < 0) {
		step->probing = false;
		step_outcome(
			step, STEP_FAILED, NULL, "there is no check '%s'", arg_text(step, "check"));
		run_unref_step(step->run);
	}
}

static unsigned verify_wanted(const struct step *step)
{
	json_int_t ok = json_integer_value(json_object_get(step->args, "ok"));

	return ok > 0 && ok <= 1000 ? (unsigned)ok : 3;
}

static void verify_tick(void *data)
{
	struct step *step = data;
	struct policies *p = step->run->policies;
	const struct check *check = watch_find_check(p->deps.watch, arg_text(step, "check"));
	usec_t now = clock_now();

	if (!check || now >= step->deadline) {
		step_outcome(step, STEP_FAILED, NULL, "%s: %s", arg_text(step, "check"),
			check ? check->last.text : "the check is gone");
		return;
	}
	/* Its own schedule may be slow: ask it often enough to be done well within the limit. */
	(void)watch_run_now(p->deps.watch, check->conf->name, now, NULL, NULL);
	usec_t left = step->deadline - now;
	usec_t pace =
		MIN(check->conf->interval, MAX(left / (verify_wanted(step) + 2), USEC_PER_SEC));
	loop_timer_set(step->timer, MIN(now + pace, step->deadline));
}

void act_verify(struct step *step)
{
	struct run *run = step->run;
	usec_t within = arg_duration(step, "within", 120 * USEC_PER_SEC);

	if (!watch_find_check(run->policies->deps.watch, arg_text(step, "check"))) {
		step_outcome(
			step, STEP_FAILED, NULL, "there is no check '%s'", arg_text(step, "check"));
		return;
	}
	step->n_ok = 0;
	step->deadline = clock_now() + within;
	if (loop_timer_new(run->policies->deps.loop, verify_tick, step, &step->timer) < 0) {
		step_outcome(step, STEP_FAILED, NULL, "out of memory");
		return;
	}
	loop_timer_set(step->timer, clock_now());
}

/* SYSTEM/COMPONENT/CHECK */
static bool is_check_of(const char *check, const char *component)
{
	size_t len = strlen(component);

	return strncmp(check, component, len) == 0 && check[len] == '/' &&
	       !strchr(check + len + 1, '/');
}

bool act_shows_success(const struct run *run, const char *check)
{
	if (str_eq(run->check, check))
		return true;
	MAP_FOREACH (&run->steps, const struct step *, step)
		if (step->verb->risk >= RISK_CHANGE && step->intent_wall &&
			step->state != STEP_REFUSED && step->target &&
			is_check_of(check, step->target))
			return true;
	return false;
}

static void verify_look(struct step *step, const struct check *check)
{
	struct run *run = step->run;

	/* Only attempts that began after the action speak of what it did. */
	if (check->last.started + (clock_wall() - clock_now()) < step->intent_wall)
		return;
	step->n_ok = check->last.verdict == TEND_STATE_OK ? step->n_ok + 1 : 0;
	if (step->n_ok < verify_wanted(step))
		return;
	run->verified = run->verified || act_shows_success(run, check->conf->name);
	step_outcome(step, STEP_DONE, json_true(), "%s was well %u times in a row",
		check->conf->name, step->n_ok);
}

void act_on_result(struct policies *p, struct check *check)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		MAP_FOREACH (&run->steps, struct step *, step)
			if (step->timer && step->state == STEP_INTENT &&
				step->verb->execute == act_verify &&
				strcmp(arg_text(step, "check"), check->conf->name) == 0)
				verify_look(step, check);
}

/* ---- databases
 * --------------------------------------------------------------------------------------------------
 */

/* It was sent, or may have been, and no answer came. */
static bool may_have_happened(enum tend_reason reason)
{
	return reason == TEND_REASON_TOO_SLOW || reason == TEND_REASON_CANCELLED ||
	       reason == TEND_REASON_PROTOCOL || reason == TEND_REASON_INTERNAL;
}

static void on_sql(enum tend_reason reason, const char *text, json_t *outcome, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	bool unknown = step->verb->risk >= RISK_CHANGE && may_have_happened(reason);

	if (reason == TEND_REASON_OK)
		step_outcome(step, STEP_DONE, json_incref(outcome), "%s", "");
	else
		step_outcome(step, unknown ? STEP_UNKNOWN : STEP_FAILED, NULL, "%s: %s",
			tend_reason_name(reason), text);
	run_unref_step(run);
}

void act_sql(struct step *step)
{
	struct run *run = step->run;
	struct conf *conf = run->policies->conf;
	const struct conf_database *database = map_get(&conf->databases, step->target);
	const void *probe_conf = database ? database->query_conf : NULL;
	const char *name = step->target;
	uint64_t token;
	int r;

	if (database && step->verb->risk >= RISK_CHANGE)
		probe_conf = database->admin_conf;
	if (!probe_conf) {
		actions_forget(step);
		step_outcome(step, STEP_REFUSED, NULL, "[database %s] is not configured%s", name,
			database ? " with admin.* for this verb" : "");
		return;
	}
	/* No executor stands between: what is fenced there is at least looked at here. */
	if (step->verb->risk >= RISK_CHANGE && !act_may(step, &token))
		return;
	run->n_in_flight++;
	r = watch_call(run->policies->deps.watch, conf, database->service, probe_conf, name,
		step->verb->name, step->args, step->verb->timeout, on_sql, step);
	if (r == 0)
		return;
	actions_forget(step);
	step_outcome(step, STEP_REFUSED, NULL, "nothing could be sent: %s", strerror(-r));
	run_unref_step(run);
}

/* ---- words and time
 * ------------------------------------------------------------------------------------------------
 */

void act_notice(struct step *step)
{
	step_outcome(step, STEP_DONE, NULL, "%s", "");
}

void act_log(struct step *step)
{
	struct run *run = step->run;
	struct incident *incident = run_incident(run);

	log_info("policy '%s' on '%s': %s", run->policy, run->component, arg_text(step, "text"));
	if (incident)
		incident_note(run->policies->deps.incidents, incident, "log", "%s: %s", run->policy,
			arg_text(step, "text"));
	step_outcome(step, STEP_DONE, NULL, "%s", "");
}

static void on_slept(void *data)
{
	step_outcome(data, STEP_DONE, NULL, "%s", "");
}

void act_sleep(struct step *step)
{
	usec_t end = step->intent_wall + arg_duration(step, "duration", 0), now = clock_wall();

	if (loop_timer_new(step->run->policies->deps.loop, on_slept, step, &step->timer) < 0) {
		step_outcome(step, STEP_FAILED, NULL, "out of memory");
		return;
	}
	loop_timer_set(step->timer, clock_now() + (end > now ? end - now : 0));
}

void act_now(struct step *step)
{
	char text[CLOCK_TEXT_BYTES];
	usec_t now = clock_wall();

	step_outcome(step, STEP_DONE,
		json_pack("{s:I, s:s}", "unix", (json_int_t)(now / USEC_PER_SEC), "text",
			clock_format(now, text)),
		"%s", "");
}

void act_noted(struct step *step)
{
	step_outcome(step, STEP_DONE, NULL, "%s", "");
}
