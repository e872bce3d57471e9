/* SPDX-License-Identifier: MIT */
/*
 * A run is told to end: what only looks or waits is answered `cancelled` at once, a change that was
 * begun is awaited for a while (its outcome should stand in the journal before anybody cleans up),
 * and no verb begins any more but those of finally functions.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

#define DESCRIBE_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define AWAIT_USEC	      (RUN_CLEANUP_USEC / 2) /* of changes that were begun */

bool cancel_spares(const char *path)
{
	return path_is_cleanup(path);
}

/* `all`: also changes that were begun. */
static void answer_waiting(struct run *run, bool all)
{
	MAP_FOREACH (&run->steps, struct step *, step) {
		bool begun = step->verb->risk >= RISK_CHANGE && step->intent_wall;

		if (step->state != STEP_INTENT || step->told_cancelled ||
			cancel_spares(step->path) || (begun && !all))
			continue;
		if (!begun)
			step_cancel(step);
		step_answer_cancelled(step);
	}
}

static void on_wall(void *data)
{
	struct run *run = data;
	char text[512], span[CLOCK_TEXT_BYTES];

	if (run->describing) {
		run_end(run, RUN_FAILED, "it took longer than its limit to declare its policies");
	} else if (!run->cancelled) {
		run->page = true;
		(void)snprintf(text, sizeof(text), "it ran longer than %s",
			clock_format_span(run->limit, span));
		cancel_run(run, text);
	} else if (clock_now() < run->cancelled_at + RUN_CLEANUP_USEC) {
		answer_waiting(run, true);
		loop_timer_set(run->wall_timer, run->cancelled_at + RUN_CLEANUP_USEC);
	} else {
		(void)snprintf(text, sizeof(text), "%.300s; its clean-up did not end within %s",
			run->cancelled, clock_format_span(RUN_CLEANUP_USEC, span));
		strike_count(run->policies, run, true, text);
		run_end(run, RUN_FAILED, text);
	}
}

int cancel_arm(struct run *run)
{
	usec_t wall = clock_wall(), now = clock_now(), at = now + DESCRIBE_TIMEOUT_USEC;
	usec_t ran = wall > run->started_wall ? wall - run->started_wall : 0;
	int r;

	if (!run->wall_timer) {
		r = loop_timer_new(run->policies->deps.loop, on_wall, run, &run->wall_timer);
		if (r < 0)
			return r;
	} else if (run->describing) {
		return 0;
	}
	/* A clean-up that Tend's own end broke off gets its time again. */
	if (run->cancelled) {
		if (!run->cancelled_at)
			run->cancelled_at = now;
		at = now < run->cancelled_at + AWAIT_USEC ? run->cancelled_at + AWAIT_USEC
							  : run->cancelled_at + RUN_CLEANUP_USEC;
	} else if (!run->describing) {
		at = now + (ran < run->limit ? run->limit - ran : 0);
	}
	loop_timer_set(run->wall_timer, at);
	return 0;
}

static void on_cancel_kept(int r, void *data)
{
	struct run *run = data;

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_warning("run %s: that it is cancelled is not journalled", run->id);
	run_unref_step(run);
}

void cancel_run(struct run *run, const char *why)
{
	struct incident *incident = run_incident(run);
	char text[512];

	if (run->state != RUN_LIVE || run->cancelled || run->describing)
		return;
	str_sanitize(text, sizeof(text), why, strlen(why));
	run->cancelled = strdup(text);
	if (run->queued)
		schedule_give_up(run);
	if (!run->cancelled || run->queued || !run->intent_committed) {
		run_end(run, RUN_CANCELLED, text); /* nothing was begun */
		return;
	}
	run->cancelled_at = clock_now();
	log_notice("run %s: policy '%s' on '%s' is cancelled: %s", run->id, run->policy,
		run->component, text);
	if (incident)
		incident_note(run->policies->deps.incidents, incident, "policy",
			"%s is cancelled: %s", run->policy, text);
	feed_add(run, "cancelled", NULL, "%s", text);
	run_journal(run, on_cancel_kept);
	approve_void_run(run);
	if (cancel_arm(run) < 0) {
		run_end(run, RUN_CANCELLED, text);
		return;
	}
	if (run->rpc)
		(void)rpc_call(
			run->rpc, "cancel", json_pack("{s:s}", "why", text), 0, NULL, NULL, NULL);
	answer_waiting(run, false);
}

int policies_run_cancel(struct policies *policies, const char *id, const char *author,
	const char *comment, struct tend_error *err)
{
	struct run *found = NULL;
	char why[512];

	VEC_FOREACH (&policies->runs, struct run *, run) {
		if (run->describing || run->state != RUN_LIVE || !str_startswith(run->id, id))
			continue;
		if (found)
			return tend_error_set(err, -ENOTUNIQ,
				"several runs begin with '%.64s': write more of it", id);
		found = run;
	}
	if (!found)
		return tend_error_set(err, -ENOENT, "no run '%.64s' is live", id);
	/* One that has just ended may have been meant. */
	VEC_FOREACH (&policies->recent, const struct run *, run)
		if (str_startswith(run->id, id))
			return tend_error_set(err, -ENOTUNIQ,
				"several runs begin with '%.64s': write more of it", id);
	if (found->cancelled)
		return tend_error_set(err, -EALREADY, "run %s is cancelled already: %s", found->id,
			found->cancelled);
	(void)snprintf(why, sizeof(why), "by %s%s%.400s", author, comment && *comment ? ": " : "",
		comment ? comment : "");
	found->stopped = true;
	cancel_run(found, why);
	return 0;
}
