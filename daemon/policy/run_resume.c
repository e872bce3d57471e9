/* SPDX-License-Identifier: MIT */
/* What the journal knows of earlier lives: runs that go on, and runs that have ended. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Its source by hash: what it began with, not what the file says now. */
static char *read_source(struct policies *p, const char *hash)
{
	auto_json json_t *rows = NULL;
	const char *text;

	if (store_read_now(p->deps.store, STORE_QUERY_SOURCE_GET, &rows, "s", hash) < 0)
		return NULL;
	text = json_string_value(json_object_get(json_array_get(rows, 0), "text"));
	return text ? strdup(text) : NULL;
}

/* The first version kept the library in the document itself. Many runs have the same. */
static json_t *read_library(struct policies *p, const json_t *doc, const char *hash)
{
	json_t *library = json_object_get(doc, "library");
	auto_free char *text = NULL;

	if (json_is_object(library))
		return json_incref(library);
	VEC_FOREACH (&p->runs, const struct run *, run)
		if (run->library && strcmp(run->library_hash, hash) == 0)
			return json_incref(run->library);
	text = read_source(p, hash);
	return text ? json_loads(text, 0, NULL) : NULL;
}

static void read_doc(struct run *run, json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");
	usec_t limit = (usec_t)json_integer_value(json_object_get(doc, "limit_usec"));

	(void)snprintf(run->id, sizeof(run->id), "%s", text_of(row, "id"));
	(void)snprintf(run->incident, sizeof(run->incident), "%s", text_of(row, "incident"));
	(void)snprintf(run->hash, sizeof(run->hash), "%s", text_of(doc, "source"));
	(void)snprintf(
		run->library_hash, sizeof(run->library_hash), "%s", text_of(doc, "library_hash"));
	run->started_wall = (usec_t)json_integer_value(json_object_get(row, "started"));
	run->limit = limit ? MIN(limit, RUN_WALL_MAX_USEC) : RUN_WALL_USEC;
	/* Of one that an older version began it is not known. */
	run->window_required = !json_is_false(json_object_get(doc, "window_required"));
	run->budget = json_integer_value(json_object_get(doc, "budget"));
	run->dry = json_is_true(json_object_get(doc, "dry"));
	run->cancelled = *text_of(doc, "cancelled") ? strdup(text_of(doc, "cancelled")) : NULL;
	run->stopped = json_is_true(json_object_get(doc, "stopped"));
	run->worse = *text_of(doc, "worse") ? strdup(text_of(doc, "worse")) : NULL;
	run->page = run->worse != NULL;
	run->undoing = run->undo_resumes =
		run->worse && json_is_true(json_object_get(doc, "undoing"));
	run->queued = strcmp(text_of(row, "state"), "queued") == 0;
	run->policy = strdup(text_of(row, "policy"));
	run->component = strdup(text_of(row, "target"));
	run->check = *text_of(doc, "check") ? strdup(text_of(doc, "check")) : NULL;
	run->author = strdup(text_of(doc, "author"));
	run->chunk = strdup(text_of(doc, "chunk"));
	run->source = read_source(run->policies, run->hash);
	run->ctx = json_incref(json_object_get(doc, "ctx"));
	run->params = json_incref(json_object_get(doc, "params"));
	run->library = read_library(run->policies, doc, run->library_hash);
}

static int resume_one(struct policies *p, json_t *row)
{
	auto_json json_t *steps = NULL;
	auto_free char *why = NULL;
	struct run *run;
	int r = run_new(p, &run);

	if (r < 0)
		return r;
	read_doc(run, row);
	run->intent_committed = !run->queued;
	if (!run->policy || !run->component || !run->author || !run->chunk) {
		run_free(run);
		return -ENOMEM;
	}
	r = store_read_now(p->deps.store, STORE_QUERY_STEPS_OF, &steps, "s", run->id);
	if (r == 0)
		r = steps_restore(run, steps, &why);
	if (r == 0 && run->source && run->ctx && run->params && run->library) {
		if (run->queued)
			log_notice("run %s: policy '%s' on '%s' still waits for its turn", run->id,
				run->policy, run->component);
		else
			log_notice("run %s: policy '%s' on '%s' is resumed with %zu recorded steps",
				run->id, run->policy, run->component, run->steps.len);
		/* What was being undone, and whose turn has come: from the loop. */
		loop_defer_set(p->wake, true);
		return 0;
	}
	log_error("run %s: it cannot be resumed: %s", run->id,
		why ? why : "its journal is not whole");
	run->page = true;
	run->any_unknown = run->any_unknown || !why;
	run_end(run, RUN_FAILED, why ? why : "its journal is not whole");
	return 0;
}

/* One that has ended: for cool-downs and views. */
static int remember_one(struct policies *p, json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");
	const char *state = text_of(row, "state");
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->policies = p;
	run->settled = true;
	run->state = RUN_FAILED;
	for (int i = 0; i < RUN_STATE_MAX; i++)
		if (strcmp(run_state_names[i], state) == 0)
			run->state = (enum run_state)i;
	(void)snprintf(run->id, sizeof(run->id), "%s", text_of(row, "id"));
	(void)snprintf(run->incident, sizeof(run->incident), "%s", text_of(row, "incident"));
	run->policy = strdup(text_of(row, "policy"));
	run->component = strdup(text_of(row, "target"));
	run->author = strdup(text_of(doc, "author"));
	run->message = *text_of(doc, "message") ? strdup(text_of(doc, "message")) : NULL;
	run->started_wall = (usec_t)json_integer_value(json_object_get(row, "started"));
	run->ended_wall = (usec_t)json_integer_value(json_object_get(row, "ended"));
	run->acted = json_is_true(json_object_get(doc, "acted"));
	run->verified = json_is_true(json_object_get(doc, "verified"));
	run->was_frozen = json_is_true(json_object_get(doc, "was_frozen"));
	run->dry = json_is_true(json_object_get(doc, "dry"));
	run->cancelled = *text_of(doc, "cancelled") ? strdup(text_of(doc, "cancelled")) : NULL;
	if (run->policy && run->component && run->author && vec_push(&p->recent, run) == 0)
		return 0;
	run_free(run);
	return -ENOMEM;
}

static int remember_ended(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(
		p->deps.store, STORE_QUERY_RUNS, &rows, "i", (int64_t)POLICY_MAX_RECENT);

	/* Newest first in the database, newest last here. */
	for (size_t i = json_array_size(rows); r == 0 && i-- > 0;) {
		json_t *row = json_array_get(rows, i);

		if (json_integer_value(json_object_get(row, "ended")) > 0)
			r = remember_one(p, row);
	}
	return r;
}

int runs_resume(struct policies *p)
{
	auto_json json_t *rows = NULL;
	size_t i;
	json_t *row;
	int r = remember_ended(p);

	if (r == 0)
		r = holds_load(p);
	if (r == 0)
		r = store_read_now(p->deps.store, STORE_QUERY_RUNS_LIVE, &rows, "");
	json_array_foreach (rows, i, row)
		if (r == 0)
			r = resume_one(p, row);
	return r;
}
