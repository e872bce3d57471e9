/* SPDX-License-Identifier: MIT */
/* What a flow may ask for: steps, time, words, figures. Requests are in request.c. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "flow.h"

static const char *text_of(const json_t *args, const char *key)
{
	const char *text = json_string_value(json_object_get(args, key));

	return text ? text : "";
}

/* ---- steps ---------------------------------------------------------------------------------- */

void flow_step_close(struct flow_run *run)
{
	double seconds = (double)(tend_now() - run->step.started) / (double)USEC_PER_SEC;

	if (!run->step.started)
		return;
	(void)tend_attempt_metric_of(run->attempt, "step_seconds", run->step.name, seconds, "s");
	tend_attempt_progress(run->attempt, "%s%s: %.3f s", run->step.cleanup ? "clean-up " : "",
		run->step.name, seconds);
	run->step.started = 0;
}

static void verb_begin(struct flow_run *run, uint64_t id, const json_t *args)
{
	run->has_cleanup = json_is_true(json_object_get(args, "cleanup"));
	flow_answer(run, id, json_object());
}

/* What tend-run ends it by, which requests and sleeps do not: a clean-up has all that is left, what
 * comes before one, half. */
static json_t *time_left(const struct flow_run *run, const json_t *args)
{
	double left = (double)(flow_run_deadline(run) - tend_now()) / (double)USEC_PER_SEC;

	if (json_is_true(json_object_get(args, "half")))
		left /= 2;
	else if (run->step.cleanup)
		return json_object();
	return json_pack("{s:f}", "left", left > 0 ? left : 0);
}

static void verb_step(struct flow_run *run, uint64_t id, const json_t *args)
{
	flow_step_close(run);
	if (run->n_steps++ == FLOW_MAX_STEPS) {
		flow_answer_failed(
			run, id, TEND_REASON_STEP_FAILED, "more than %d steps", FLOW_MAX_STEPS);
		return;
	}
	run->step = (struct flow_step){
		.started = tend_now(), .cleanup = json_is_true(json_object_get(args, "cleanup"))};
	(void)snprintf(run->step.name, sizeof(run->step.name), "%s", text_of(args, "name"));
	if (run->step.started >= flow_run_deadline(run))
		flow_answer_failed(run, id, TEND_REASON_TOO_SLOW, "no time is left for it");
	else
		flow_answer(run, id, time_left(run, args));
}

static void verb_step_end(struct flow_run *run, uint64_t id, const json_t *args)
{
	flow_step_close(run);
	flow_answer(run, id, json_object());
}

/* Told before the clean-up, so that it is known if that does not end. */
static void verb_failed(struct flow_run *run, uint64_t id, const json_t *args)
{
	int reason = tend_reason_from_name(text_of(args, "reason"));

	run->failed = true;
	run->failed_reason = reason >= 0 ? (enum tend_reason)reason : TEND_REASON_STEP_FAILED;
	secrets_show(
		&run->secrets, text_of(args, "text"), run->failed_text, sizeof(run->failed_text));
	flow_answer(run, id, json_object());
}

/* ---- time, words, figures ------------------------------------------------------------------- */

static void on_slept(struct tend_attempt *a, void *data)
{
	struct flow_run *run = data;
	uint64_t id = run->sleeping;

	run->sleeping = 0;
	flow_answer(run, id, json_object());
}

static void verb_sleep(struct flow_run *run, uint64_t id, const json_t *args)
{
	double seconds = json_number_value(json_object_get(args, "seconds"));
	usec_t now = tend_now(), until;
	struct tend_timer *timer;

	if (!(seconds >= 0 && seconds <= 3600)) {
		flow_answer_failed(
			run, id, TEND_REASON_STEP_FAILED, "flow.sleep: seconds from 0 to 3600");
		return;
	}
	until = now + (usec_t)(seconds * (double)USEC_PER_SEC);
	if (until >= flow_run_deadline(run)) {
		flow_answer_failed(
			run, id, TEND_REASON_TOO_SLOW, "no time is left to wait %.3g s", seconds);
		return;
	}
	if (run->n_sleeps++ == FLOW_MAX_SLEEPS) {
		flow_answer_failed(
			run, id, TEND_REASON_STEP_FAILED, "more than %d sleeps", FLOW_MAX_SLEEPS);
		return;
	}
	run->sleeping = id;
	if (tend_timer_new(run->attempt, until, on_slept, run, &timer) < 0)
		on_slept(run->attempt, run);
}

static void verb_log(struct flow_run *run, uint64_t id, const json_t *args)
{
	char text[FLOW_TEXT_BYTES];

	secrets_show(&run->secrets, text_of(args, "text"), text, sizeof(text));
	tend_attempt_progress(run->attempt, "  %s", text);
	flow_answer(run, id, json_object());
}

static bool is_metric_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < 48 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n &&
	       strcmp(name, "step_seconds") != 0 && strcmp(name, "total_seconds") != 0 &&
	       strcmp(name, "requests") != 0;
}

static void verb_metric(struct flow_run *run, uint64_t id, const json_t *args)
{
	static const char *const units[] = {"", "s", "%", "B", "c"};
	const json_t *value = json_object_get(args, "value");
	const char *name = text_of(args, "name"), *instance = text_of(args, "instance");
	const char *unit = text_of(args, "unit"), *known = NULL;

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(units[i], unit) == 0)
			known = units[i];
	if (!is_metric_name(name) || !known || !json_is_number(value) ||
		!isfinite(json_number_value(value))) {
		flow_answer_failed(run, id, TEND_REASON_STEP_FAILED,
			"flow.metric: a name of small letters, digits and '_', a number, and a "
			"unit "
			"of s, %%, B, c or none");
		return;
	}
	(void)tend_attempt_metric_of(run->attempt, name, instance, json_number_value(value), known);
	flow_answer(run, id, json_object());
}

static void verb_hide(struct flow_run *run, uint64_t id, const json_t *args)
{
	if (secrets_hide(&run->secrets, text_of(args, "value")) < 0)
		flow_answer_failed(run, id, TEND_REASON_STEP_FAILED,
			"flow.hide: more than %d values", SECRETS_MAX_HIDDEN);
	else
		flow_answer(run, id, json_object());
}

void flow_on_call(
	struct tend_attempt *a, uint64_t id, const char *call, const json_t *args, void *data)
{
	static const struct {
		const char *name;
		void (*verb)(struct flow_run *run, uint64_t id, const json_t *args);
	} verbs[] = {
		{"begin", verb_begin},
		{"step", verb_step},
		{"step_end", verb_step_end},
		{"failed", verb_failed},
		{"http", request_start},
		{"sleep", verb_sleep},
		{"log", verb_log},
		{"metric", verb_metric},
		{"hide", verb_hide},
	};
	struct flow_run *run = data;

	/* A script waits for each answer; one that does not is none of ours. */
	if (run->request.id || run->sleeping) {
		flow_finish(run, TEND_REASON_INTERNAL, "tend-run asked twice at once");
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, call) == 0) {
			verbs[i].verb(run, id, args);
			return;
		}
	flow_answer_failed(run, id, TEND_REASON_STEP_FAILED, "flows cannot ask for '%.32s'", call);
}
