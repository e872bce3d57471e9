/* SPDX-License-Identifier: MIT */
/* The struct of a run, and the journal of its beginning. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

const char *const run_state_names[RUN_STATE_MAX + 1] = {
	[RUN_LIVE] = "live",
	[RUN_DONE] = "done",
	[RUN_REFUSED] = "refused",
	[RUN_FAILED] = "failed",
	[RUN_UNKNOWN] = "unknown",
	[RUN_CANCELLED] = "cancelled",
};

int run_new(struct policies *p, struct run **ret_run)
{
	struct run *run;

	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->policies = p;
	run->started_wall = clock_wall();
	run->limit = RUN_WALL_USEC;
	uuid7(run->id);
	if (vec_push(&p->runs, run) < 0) {
		free(run);
		return -ENOMEM;
	}
	*ret_run = run;
	return 0;
}

void run_forget_live(struct run *run)
{
	struct vec *runs = &run->policies->runs;

	for (size_t i = 0; i < runs->len; i++)
		if (runs->items[i] == run) {
			vec_remove(runs, i);
			return;
		}
}

/* The journal shows the steps of a run that has ended. */
void run_drop_work(struct run *run)
{
	replay_free(run);
	MAP_FOREACH (&run->steps, struct step *, step)
		step_free(step);
	map_clear(&run->steps);
	json_decref(TAKE(run->ctx));
	json_decref(TAKE(run->params));
	json_decref(TAKE(run->library));
	free(TAKE(run->library_text));
	free(TAKE(run->source));
}

struct run *run_free(struct run *run)
{
	if (!run)
		return NULL;
	run_forget_live(run);
	run_close_runner(run);
	loop_source_free(run->exited);
	loop_source_free(run->wall_timer);
	run_drop_work(run);
	feed_free(run);
	free(run->policy);
	free(run->component);
	free(run->check);
	free(run->author);
	free(run->chunk);
	free(run->message);
	free(run->worse);
	free(run->cancelled);
	free(run);
	return NULL;
}

struct run *run_find_live(const struct policies *p, const char *component)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		if (!run->describing && !run->queued && !run->dry && run->state == RUN_LIVE &&
			strcmp(run->component, component) == 0)
			return run;
	return NULL;
}

struct incident *run_incident(const struct run *run)
{
	struct incident *incident =
		run->incident[0] ? incidents_find(run->policies->deps.incidents, run->incident)
				 : NULL;

	return incident && incident->phase != INCIDENT_CLOSED ? incident : NULL;
}

bool run_has_own_account(const struct run *run)
{
	return !run->incident[0] && run->budget > 0;
}

/* ---- the journal of the run itself
 * --------------------------------------------------------------------------- */

json_t *run_doc(const struct run *run)
{
	return json_pack("{s:s?, s:s, s:s, s:s, s:s, s:O?, s:O?, s:I, s:s?, s:s*, s:b, s:b, s:b, "
			 "s:b, s:s*, s:b, s:b, s:b, s:I}",
		"check", run->check, "author", run->author, "chunk", run->chunk, "source",
		run->hash, "library_hash", run->library_hash, "ctx", run->ctx, "params",
		run->params, "limit_usec", (json_int_t)run->limit, "message", run->message,
		"cancelled", run->cancelled, "acted", run->acted, "verified", run->verified,
		"was_frozen", run->was_frozen, "dry", run->dry, "worse", run->worse, "undoing",
		run->undoing, "stopped", run->stopped, "window_required", run->window_required,
		"budget", (json_int_t)run->budget);
}

static const char *state_name(const struct run *run)
{
	return run->queued ? "queued" : run_state_names[run->state];
}

int run_add_put(const struct run *run, struct store_batch *batch)
{
	auto_json json_t *doc = run_doc(run);

	return doc ? store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id, run->policy,
			     run->component, run->incident[0] ? run->incident : NULL,
			     state_name(run), (int64_t)run->started_wall, (int64_t)run->ended_wall,
			     doc)
		   : -ENOMEM;
}

void run_journal(struct run *run, store_done_fn fn)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = run_add_put(run, batch);
	run->n_in_flight++;
	if (r == 0)
		r = store_commit(run->policies->deps.store, TAKE(batch), fn, run);
	if (r < 0)
		fn(r, run);
}

static void on_begun(int r, void *data)
{
	struct run *run = data;

	if (r == -EINPROGRESS)
		return;
	free(TAKE(run->library_text));
	if (run->state == RUN_LIVE && r < 0) {
		run->page = !run->dry;
		run_end(run, RUN_REFUSED, "the journal cannot be written: nothing is done");
	} else if (run->state == RUN_LIVE) {
		run->intent_committed = true;
		if (run_launch(run) < 0)
			run_end(run, RUN_FAILED, "its runner cannot be started");
	}
	run_unref_step(run);
}

static int add_begin(struct run *run, struct store_batch *batch)
{
	int r = store_batch_add(batch, STORE_SOURCE_PUT, "ss", run->hash, run->source);

	if (r == 0 && run->library_text)
		r = store_batch_add(
			batch, STORE_SOURCE_PUT, "ss", run->library_hash, run->library_text);
	if (r == 0)
		r = run_add_put(run, batch);
	/* The tick is done with the run: neither is lost, neither comes twice. */
	return r == 0 ? schedule_add_tick(run, batch) : r;
}

static void on_queued(int r, void *data)
{
	struct run *run = data;

	if (r == -EINPROGRESS)
		return;
	/* Its turn may have come meanwhile: then on_begun() needs the text. */
	if (r == 0 && run->queued)
		free(TAKE(run->library_text));
	if (r < 0 && run->queued)
		run_end(run, RUN_REFUSED, "the journal cannot be written: it does not wait");
	run_unref_step(run);
}

void run_queue(struct run *run)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	run->queued = true;
	if (r == 0)
		r = add_begin(run, batch);
	run->n_in_flight++;
	if (r == 0)
		r = store_commit(run->policies->deps.store, TAKE(batch), on_queued, run);
	if (r < 0)
		on_queued(r, run);
}

void run_begin(struct run *run)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	run->queued = false;
	if (r == 0)
		r = add_begin(run, batch);
	run->n_in_flight++;
	if (r == 0)
		r = store_commit(run->policies->deps.store, TAKE(batch), on_begun, run);
	if (r < 0) {
		on_begun(r, run);
		return;
	}
	/* Its process is made meanwhile; it is told what to run when the journal has it. */
	if (run_launch(run) < 0)
		run_end(run, RUN_FAILED, "its runner cannot be started");
}

json_t *run_to_json(const struct run *run)
{
	char started[CLOCK_TEXT_BYTES], ended[CLOCK_TEXT_BYTES];

	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:b, s:b, s:b}",
		"id", run->id, "policy", run->policy, "target", run->component, "incident",
		run->incident[0] ? run->incident : NULL, "state", state_name(run), "author",
		run->author, "started", clock_format(run->started_wall, started), "ended",
		run->ended_wall ? clock_format(run->ended_wall, ended) : NULL, "message",
		run->message, "cancelled", run->cancelled, "acted", run->acted, "verified",
		run->verified, "dry", run->dry);
}
