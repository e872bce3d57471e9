/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "exec/jobs_internal.h"
#include "watch/units.h"

static void on_after(const struct pid1_reply *reply, void *data);

static void on_timeout(void *data)
{
	struct job *job = data;
	char span[CLOCK_TEXT_BYTES];

	job_finish(job, &(struct ending){.outcome = EXEC_UNKNOWN, .result = "timeout"},
		"the job has not ended after %s; it goes on",
		clock_format_span(job->record.timeout, span));
}

static void arm_timeout(struct job *job)
{
	usec_t age = record_age(&job->record, job->jobs->boot_id, boot_clock(), clock_wall());
	usec_t left = age < job->record.timeout ? job->record.timeout - age : USEC_PER_SEC;

	if (loop_timer_new(job->jobs->deps.loop, on_timeout, job, &job->timer) == 0)
		loop_timer_set(job->timer, clock_now() + left);
}

static void look_after(struct job *job)
{
	int r = pid1_get_unit(job->jobs->pid1, job->record.name, on_after, job, &job->call);

	if (r < 0)
		job_finish(job, &(struct ending){.outcome = EXEC_UNKNOWN, .result = "unavailable"},
			"PID 1 cannot be asked: %s", strerror(-r));
}

/* Who asks later how the unit ended must not take our own stop for an operator's. */
void unit_job_expect(struct job *job, bool expect)
{
	if (job->expecting == expect)
		return;
	job->expecting = expect;
	units_expect_job(job->jobs->deps.units, job->record.name,
		job->record.verb == EXEC_VERB_STOP, expect);
}

/* ---- the way forward: look, arm, ask, wait for the job's end ---- */

static void on_verb(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;
	int r;

	job->call = NULL;
	if (reply->r < 0 && reply->maybe) {
		job_finish(job, &(struct ending){.outcome = EXEC_UNKNOWN, .result = "no-answer"},
			"PID 1 gave no answer: %s", reply->message);
		return;
	}
	if (reply->r < 0) {
		job_finish(job, &(struct ending){.outcome = EXEC_REFUSED, .result = "refused"},
			"PID 1 refused: %s", reply->message);
		return;
	}
	job->record.job = reply->job;
	r = ledger_append(job->jobs->deps.ledger, job->record.id, record_job(reply->job));
	if (r < 0)
		log_warning("%s: job %" PRIu32 " cannot be written to the ledger: %s; if tend-exec "
			    "ends now its outcome is unknown",
			job->record.id, reply->job, strerror(-r));
}

/* Why this unit is not touched; NULL if it may be. */
static const char *hands_off(
	const struct pid1_unit *unit, enum exec_verb verb, const char **ret_result)
{
	if (strcmp(unit->load_state, "loaded") != 0) {
		*ret_result = unit->load_state;
		return strcmp(unit->load_state, "masked") == 0	    ? "the unit is masked"
		       : strcmp(unit->load_state, "not-found") == 0 ? "there is no such unit"
								    : "the unit cannot be loaded";
	}
	if (unit->job != 0) {
		*ret_result = "job-queued";
		return "another job is queued for the unit";
	}
	if (verb != EXEC_VERB_STOP && strcmp(unit->sub_state, "auto-restart") == 0) {
		*ret_result = "auto-restart";
		return "systemd itself is about to restart the unit";
	}
	return NULL;
}

static bool is_young(const struct job *job, const struct pid1_unit *unit)
{
	return strcmp(unit->active_state, "active") == 0 && unit->active_since > 0 &&
	       clock_now() < unit->active_since + job->min_up;
}

static void on_before(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;
	struct record *record = &job->record;
	const char *why, *result;
	int r;

	job->call = NULL;
	if (reply->r < 0) {
		job_finish(job, &(struct ending){.outcome = EXEC_REFUSED, .result = "unavailable"},
			"PID 1 does not show the unit: %s", reply->message);
		return;
	}
	why = hands_off(reply->unit, record->verb, &result);
	/* Somebody else was here first: another tendd, or a person. */
	if (!why && job->was_looked_at && strcmp(job->looked_at, reply->unit->invocation) != 0) {
		result = "changed";
		why = "the unit was started or has gone since it was looked at";
	}
	/* What failed before it came up says nothing of it. */
	if (!why && is_young(job, reply->unit)) {
		result = "young";
		why = "the unit has just come up: it is too early to say that it hangs";
	}
	if (why) {
		job_finish(job,
			&(struct ending){.outcome = EXEC_REFUSED,
				.result = result,
				.invocation_after = reply->unit->invocation},
			"%s", why);
		return;
	}
	memcpy(job->state_before, reply->unit->active_state, sizeof(job->state_before));
	memcpy(record->invocation_before, reply->unit->invocation,
		sizeof(record->invocation_before));
	r = ledger_append(
		job->jobs->deps.ledger, record->id, record_armed(record->invocation_before));
	if (r < 0) {
		job_finish(job, &(struct ending){.outcome = EXEC_REFUSED, .result = "ledger"},
			"the ledger cannot be written: %s", strerror(-r));
		return;
	}
	record->armed = true;
	arm_timeout(job);
	unit_job_expect(job, true);
	r = pid1_unit_verb(job->jobs->pid1, record->verb, record->name, on_verb, job, &job->call);
	if (r < 0)
		job_finish(job, &(struct ending){.outcome = EXEC_REFUSED, .result = "unavailable"},
			"PID 1 cannot be asked: %s", strerror(-r));
}

void unit_job_begin(struct job *job)
{
	int r = pid1_get_unit(job->jobs->pid1, job->record.name, on_before, job, &job->call);

	if (r < 0)
		job_finish(job, &(struct ending){.outcome = EXEC_REFUSED, .result = "unavailable"},
			"PID 1 cannot be asked: %s", strerror(-r));
}

void unit_job_removed(struct job *job, const char *result)
{
	(void)snprintf(job->job_result, sizeof(job->job_result), "%s", result);
	job->call = pid1_call_cancel(job->call);
	look_after(job);
}

/* ---- the end ---- */

static bool is_state(const struct pid1_unit *unit, const char *state)
{
	return strcmp(unit->active_state, state) == 0;
}

/* The job ended while tend-exec was away: what the unit looks like must tell. */
static enum exec_outcome judge(const struct record *record, const struct pid1_unit *unit)
{
	bool changed = strcmp(record->invocation_before, unit->invocation) != 0;
	bool up = is_state(unit, "active") || is_state(unit, "reloading");
	bool down = is_state(unit, "inactive") || is_state(unit, "failed");

	switch (record->verb) {
	case EXEC_VERB_START:
		return up ? EXEC_DONE : is_state(unit, "failed") ? EXEC_FAILED : EXEC_UNKNOWN;
	case EXEC_VERB_RESTART:
		if (up)
			return changed ? EXEC_DONE : EXEC_FAILED;
		return is_state(unit, "failed") ? EXEC_FAILED : EXEC_UNKNOWN;
	case EXEC_VERB_STOP:
		if (down && !changed)
			return EXEC_DONE;
		return up && !changed ? EXEC_FAILED : EXEC_UNKNOWN;
	case EXEC_VERB_RELOAD: /* leaves no trace on the unit */
	default:
		return EXEC_UNKNOWN;
	}
}

static void on_after(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;
	struct record *record = &job->record;
	const struct pid1_unit *unit = reply->unit;
	struct ending ending = {.outcome = EXEC_UNKNOWN, .result = job->job_result};

	job->call = NULL;
	if (reply->r < 0 || !unit) {
		if (job->job_result[0])
			ending.outcome =
				strcmp(job->job_result, "done") == 0 ? EXEC_DONE : EXEC_FAILED;
		job_finish(job, &ending, "PID 1 does not show the unit: %s", reply->message);
		return;
	}
	ending.invocation_after = unit->invocation;
	ending.state_after = unit->active_state;
	if (job->job_result[0]) {
		ending.outcome = strcmp(job->job_result, "done") == 0 ? EXEC_DONE : EXEC_FAILED;
		job_finish(job, &ending, "job %" PRIu32 " ended as '%s', the unit is %s (%s)",
			record->job, job->job_result, unit->active_state, unit->sub_state);
	} else if (record->job == 0) {
		ending.result = "interrupted";
		job_finish(job, &ending,
			"tend-exec ended between asking and PID 1's answer; the unit is %s (%s)",
			unit->active_state, unit->sub_state);
	} else {
		ending.outcome = judge(record, unit);
		ending.result = "away";
		job_finish(job, &ending,
			"job %" PRIu32 " ended while tend-exec was away, the unit is %s (%s)",
			record->job, unit->active_state, unit->sub_state);
	}
}

/* ---- found again ---- */

static void on_job(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;

	job->call = NULL;
	if (reply->r < 0)
		look_after(job);
	else {
		unit_job_expect(job, true);
		arm_timeout(job); /* it is still there: its end will be signalled */
	}
}

void unit_job_reattach(struct job *job)
{
	struct record *record = &job->record;
	int r;

	if (!record->armed) {
		job_finish(job, &(struct ending){.outcome = EXEC_REFUSED, .result = "interrupted"},
			"tend-exec ended before it asked PID 1");
		return;
	}
	if (strcmp(record->boot_id, job->jobs->boot_id) != 0) {
		job_finish(job, &(struct ending){.outcome = EXEC_UNKNOWN, .result = "boot"},
			"the machine was started again before the outcome was known");
		return;
	}
	if (record->job == 0) {
		look_after(job);
		return;
	}
	r = pid1_get_job(job->jobs->pid1, record->job, on_job, job, &job->call);
	if (r < 0)
		look_after(job);
}
