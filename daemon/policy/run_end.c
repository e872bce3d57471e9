/* SPDX-License-Identifier: MIT */
/* The end of a run: what it was, who is told, and when it can be let go. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

enum { REFUSED_TEXT_BYTES = 640 };

/* ---- kept
 * ------------------------------------------------------------------------------------------------------
 */

/* Into the list of ended runs, once nothing will call back into it. */
void run_settle(struct run *run)
{
	struct policies *p = run->policies;

	if (run->n_in_flight > 0 || run->exited || run->settled)
		return;
	run->settled = true;
	if (run->describing || vec_push(&p->recent, run) < 0) {
		run_free(run);
		return;
	}
	run_forget_live(run);
	run_drop_work(run);
	/* Who follows it may be between two questions. */
	if (p->recent.len > RUN_FEEDS_KEPT)
		feed_free(p->recent.items[p->recent.len - 1 - RUN_FEEDS_KEPT]);
	if (p->recent.len > POLICY_MAX_RECENT) {
		struct run *oldest = p->recent.items[0];

		vec_remove(&p->recent, 0);
		run_free(oldest);
	}
}

void run_unref_step(struct run *run)
{
	run->n_in_flight--;
	if (run->state != RUN_LIVE)
		run_settle(run);
}

static void on_end_kept(int r, void *data)
{
	struct run *run = data;

	alert_committed(run->policies->deps.alert, run->token, r);
	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_warning("run %s: its end is not journalled, it is resumed at the next start",
			run->id);
	run_unref_step(run);
}

/* What a run that went on was refused, if its own words do not say so: the first, and how many
 * more. */
static void say_refused(const struct run *run, char text[REFUSED_TEXT_BYTES])
{
	const struct step *first = NULL;
	unsigned n = 0;

	text[0] = '\0';
	MAP_FOREACH (&run->steps, const struct step *, step) {
		if (step->state != STEP_REFUSED || !step->message)
			continue;
		if (run->message && strstr(run->message, step->message))
			return;
		n++;
		if (!first || step->seq < first->seq)
			first = step;
	}
	if (!first)
		return;
	(void)snprintf(text, REFUSED_TEXT_BYTES, "; %s on %.128s was refused: %.400s",
		first->verb->name, first->target ? first->target : run->component, first->message);
	if (n > 1)
		(void)snprintf(text + strlen(text), REFUSED_TEXT_BYTES - strlen(text),
			"; and %u more", n - 1);
}

static void page_end(struct run *run, struct store_batch *batch)
{
	bool bad = run->state == RUN_FAILED || run->state == RUN_UNKNOWN;
	char refused[REFUSED_TEXT_BYTES] = "";

	if (run->dry || !(run->page || bad))
		return;
	if (run->page)
		say_refused(run, refused);
	policies_page(run->policies, run, batch, "policy %s on %s: %s%s%.600s%s%s%s", run->policy,
		run->component, run_state_names[run->state], run->message ? ": " : "",
		run->message ? run->message : "", refused,
		run->held ? "; no policy begins there by itself until somebody has looked: "
			    "tendctl policy enable "
			  : "",
		run->held ? run->policy : "");
}

/* The end and its page are accepted by one commit: a run that is over in the journal and of which
 * nobody was told would stay so. */
static void journal_end(struct run *run)
{
	struct policies *p = run->policies;
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = run_add_put(run, batch);
	if (r < 0)
		batch = store_batch_free(batch);
	event_run_ended(run, batch);
	page_end(run, batch);
	run->token = batch ? alert_seal(p->deps.alert) : 0;
	run->n_in_flight++;
	if (r == 0)
		r = store_commit(p->deps.store, TAKE(batch), on_end_kept, run);
	if (r < 0)
		on_end_kept(r, run);
}

static void tell_end(struct run *run)
{
	struct policies *p = run->policies;
	struct incident *incident =
		run->incident[0] ? incidents_find(p->deps.incidents, run->incident) : NULL;
	char id[64];
	const char *const fields[] = {LOG_ID_RUN, id, NULL};

	(void)snprintf(id, sizeof(id), "TEND_RUN=%s", run->id);
	log_at(run->state == RUN_DONE ? LOG_NOTICE : LOG_WARNING, fields,
		"policy '%s' on '%s': %s%s%s", run->policy, run->component,
		run_state_names[run->state], run->message ? ": " : "",
		run->message ? run->message : "");
	if (incident)
		incident_note(p->deps.incidents, incident, "policy", "%s: %s%s%s", run->policy,
			run_state_names[run->state], run->message ? ": " : "",
			run->message ? run->message : "");
}

/* An action whose outcome nobody knows may have happened. */
static void end_steps(struct run *run)
{
	MAP_FOREACH (&run->steps, struct step *, step) {
		step_cancel(step);
		if (step->state == STEP_INTENT && step->intent_wall &&
			step->verb->risk >= RISK_CHANGE)
			run->any_unknown = true;
	}
}

void run_end(struct run *run, enum run_state state, const char *message)
{
	struct policies *p = run->policies;
	bool retry;

	if (run->state != RUN_LIVE)
		return;
	end_steps(run);
	run->state = run->any_unknown && !run->describing ? RUN_UNKNOWN : state;
	run->ended_wall = clock_wall();
	if (message && *message) {
		char text[1024];

		str_sanitize(text, sizeof(text), message, strlen(message));
		run->message = strdup(text);
	}
	run_close_runner(run);
	run->wall_timer = loop_source_free(run->wall_timer);
	if (run->describing) {
		struct policy_file *file = TAKE(run->file);

		run_settle(run);
		if (file)
			catalog_described(
				p, file, NULL, message ? message : "it cannot be described");
		return;
	}
	run->queued = false;
	approve_void_run(run);
	if (!run->dry)
		actions_judge(p, run);
	run->held = hold_ended(run);
	journal_end(run);
	tell_end(run);
	feed_add(run, "ended", NULL, "%s%s%s", run_state_names[run->state],
		run->message ? ": " : "", run->message ? run->message : "");
	/* Its own incident, or one that was opened there while it ran, and waited for it. */
	retry = !run->dry && (run_incident(run) || incidents_at(p->deps.incidents, run->component));
	run_settle(run);
	/* Its target is free: for those in the queue, and for ticks that were missed. */
	loop_defer_set(p->wake, true);
	/* Still open: the triggers decide again; each policy has its cool-down. */
	if (retry)
		trigger_wish(p, cooldown_wish(p));
}

/* ---- the runner's last word
 * ---------------------------------------------------------------------------------- */

/* An error of Lua's, rather than `return nil, why`: it begins with where; or there was no memory.
 */
static bool was_raised(const json_t *args, const char *message)
{
	const char *where = message ? strstr(message, ".lua:") : NULL;

	if (!message || json_object_get(args, "outcome"))
		return false;
	if (str_startswith(message, "not enough memory"))
		return true;
	return where && (size_t)(where - message) < strcspn(message, " \t") &&
	       isdigit((unsigned char)where[strlen(".lua:")]);
}

void run_on_ended(struct run *run, json_t *args)
{
	bool ok = json_is_true(json_object_get(args, "ok"));
	const char *message = json_string_value(json_object_get(args, "message"));
	json_t *value = json_object_get(args, "value");
	bool refused = false, failed = false;

	/* It has nothing more to say; what it did is taken back all the same (worse.c). */
	if (run->undoing) {
		run->runner_is_done = true;
		return;
	}
	MAP_FOREACH (&run->steps, const struct step *, step) {
		refused = refused || step->state == STEP_REFUSED;
		failed = failed || (step->state == STEP_FAILED && step->verb &&
					   step->verb->risk >= RISK_CHANGE);
		if ((step->state == STEP_REFUSED || step->state == STEP_FAILED) && !message)
			message = step->message;
	}
	if (!run->cancelled)
		strike_count(run->policies, run, !ok && was_raised(args, message), message);
	if (run->cancelled && (!ok || json_is_true(json_object_get(args, "cancelled"))))
		run_end(run, RUN_CANCELLED, run->cancelled);
	/* `return nil, message, outcome`: what a step was refused is no failure of the policy. */
	else if (!ok && !run->acted &&
		 str_eq(json_string_value(json_object_get(args, "outcome")), "refused"))
		run_end(run, RUN_REFUSED, message);
	else if (!ok)
		run_end(run, RUN_FAILED, message ? message : "it failed without a word");
	else if (run->verified && !json_is_false(value))
		run_end(run, RUN_DONE,
			json_is_string(value) ? json_string_value(value)
					      : "verified: the symptom is gone");
	else if (refused && !run->acted)
		run_end(run, RUN_REFUSED, message);
	else if (failed || json_is_false(value) || (run->acted && json_is_null(value)))
		run_end(run, RUN_FAILED, message ? message : "it did not help");
	else
		run_end(run, RUN_DONE, json_string_value(value));
}
