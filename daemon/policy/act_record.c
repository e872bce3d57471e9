/* SPDX-License-Identifier: MIT */
/* The verbs record.*: what policies keep beyond a run, in the store. A record has a kind (a closed
 * list), a scope (the run's component unless given) and a key. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

enum { RECORD_MAX_KEY_BYTES = 200, RECORD_MAX_BYTES = 64 << 10, RECORD_MAX_ROWS = 1000 };

/* What people and other parts of Tend look for by name; a policy of one's own takes note. */
static const char *const kinds[] = {
	"note", "backup", "inventory", "baseline", "report", "finding", "exception"};

static const char *arg_text(const struct step *step, const char *name)
{
	return json_string_value(json_object_get(step->args, name));
}

static const char *scope_of(const struct step *step)
{
	const char *scope = arg_text(step, "scope");

	return scope ? scope : step->run->component;
}

static bool text_fits(const char *text)
{
	return !text || (*text && strlen(text) <= RECORD_MAX_KEY_BYTES);
}

/* False: the step has ended. */
static bool args_fit(struct step *step)
{
	const char *kind = arg_text(step, "kind"), *nearest;

	if (!text_fits(arg_text(step, "key")) || !text_fits(arg_text(step, "scope"))) {
		step_outcome(step, STEP_FAILED, NULL, "a key or a scope has 1 to %d bytes",
			RECORD_MAX_KEY_BYTES);
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	nearest = str_nearest(kind, kinds, ARRAY_SIZE(kinds));
	step_outcome(step, STEP_FAILED, NULL, "there is no kind of record '%.64s'%s%s%s", kind,
		nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return false;
}

static void on_written(int r, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		step_outcome(
			step, STEP_FAILED, NULL, "the record cannot be kept: %s", strerror(-r));
	else
		step_outcome(step, STEP_DONE, NULL, "%s", "");
	run_unref_step(run);
}

/* The batch has the one statement, or r < 0. */
static void write_record(struct step *step, struct store_batch *batch, int r)
{
	step->run->n_in_flight++;
	if (r == 0)
		r = store_commit(step->run->policies->deps.store, TAKE(batch), on_written, step);
	store_batch_free(batch);
	if (r < 0)
		on_written(r, step);
}

/* `changed`: the details of an event that goes with it; NULL: none. */
static void put_record(struct step *step, json_t *changed)
{
	json_t *value = json_object_get(step->args, "value");
	auto_json json_t *doc = json_pack("{s:O, s:s, s:s}", "value", value, "policy",
		step->run->policy, "run", step->run->id);
	struct store_batch *batch = NULL;
	int r;

	if (!doc || step_json_bytes(value) > RECORD_MAX_BYTES) {
		json_decref(changed);
		step_outcome(step, STEP_FAILED, NULL, "a record has at most %d KiB",
			RECORD_MAX_BYTES >> 10);
		return;
	}
	r = store_batch_new(&batch);
	if (r == 0)
		r = store_batch_add(batch, STORE_RECORD_PUT, "sssij", arg_text(step, "kind"),
			scope_of(step), arg_text(step, "key"), (int64_t)clock_wall(), doc);
	if (changed)
		event_tell(step->run->policies, POLICY_EVENT_VERSION_CHANGED, step->run->component,
			changed, r == 0 ? batch : NULL);
	write_record(step, batch, r);
}

/* What is installed is another thing now than it was: policies may wait for that. */
static void on_inventory(int r, json_t *rows, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	json_t *doc = json_object_get(json_array_get(rows, 0), "doc_json");
	json_t *before = json_object_get(doc, "value");
	json_t *after = json_object_get(step->args, "value"), *changed = NULL;

	if (r == 0 && before && !replay_same(before, after))
		changed = json_pack("{s:s, s:s, s:O, s:O, s:I}", "key", arg_text(step, "key"),
			"scope", scope_of(step), "before", before, "after", after, "depth",
			event_depth(run));
	if (run->state == RUN_LIVE)
		put_record(step, changed);
	else
		json_decref(changed);
	run_unref_step(run);
}

void act_record_put(struct step *step)
{
	int r;

	if (!args_fit(step))
		return;
	if (strcmp(arg_text(step, "kind"), "inventory") != 0) {
		put_record(step, NULL);
		return;
	}
	step->run->n_in_flight++;
	r = store_read(step->run->policies->deps.store, STORE_QUERY_RECORD_ONE, on_inventory, step,
		"sss", arg_text(step, "kind"), scope_of(step), arg_text(step, "key"));
	if (r < 0)
		on_inventory(r, NULL, step);
}

void act_record_remove(struct step *step)
{
	struct store_batch *batch = NULL;
	int r;

	if (!args_fit(step))
		return;
	r = store_batch_new(&batch);
	if (r == 0)
		r = store_batch_add(batch, STORE_RECORD_DELETE, "sss", arg_text(step, "kind"),
			scope_of(step), arg_text(step, "key"));
	write_record(step, batch, r);
}

json_t *record_row_to_json(json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");

	return json_pack("{s:O?, s:O?, s:O?, s:o, s:O?, s:O?, s:O?}", "kind",
		json_object_get(row, "kind"), "scope", json_object_get(row, "scope"), "key",
		json_object_get(row, "key"), "at",
		clock_to_json((usec_t)json_integer_value(json_object_get(row, "at"))), "value",
		json_object_get(doc, "value"), "policy", json_object_get(doc, "policy"), "run",
		json_object_get(doc, "run"));
}

static void on_list(int r, json_t *rows, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	json_t *list = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		(void)json_array_append_new(list, record_row_to_json(row));
	if (r < 0) {
		json_decref(list);
		step_outcome(step, STEP_FAILED, NULL, "records cannot be read: %s", strerror(-r));
	} else {
		step_outcome(step, STEP_DONE, list, "%s", "");
	}
	run_unref_step(run);
}

void act_record_list(struct step *step)
{
	int r;

	if (!args_fit(step))
		return;
	step->run->n_in_flight++;
	r = store_read(step->run->policies->deps.store, STORE_QUERY_RECORDS, on_list, step, "ssi",
		arg_text(step, "kind"), arg_text(step, "scope"), (int64_t)RECORD_MAX_ROWS);
	if (r < 0)
		on_list(r, NULL, step);
}

static void on_one(int r, json_t *rows, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	json_t *doc = json_object_get(json_array_get(rows, 0), "doc_json");
	json_t *value = json_object_get(doc, "value");

	if (r < 0)
		step_outcome(step, STEP_FAILED, NULL, "records cannot be read: %s", strerror(-r));
	else /* none is false: null would reach Lua as true, done */
		step_outcome(step, STEP_DONE, value ? json_incref(value) : json_false(), "%s", "");
	run_unref_step(run);
}

void act_record_get(struct step *step)
{
	int r;

	if (!args_fit(step))
		return;
	step->run->n_in_flight++;
	r = store_read(step->run->policies->deps.store, STORE_QUERY_RECORD_ONE, on_one, step, "sss",
		arg_text(step, "kind"), scope_of(step), arg_text(step, "key"));
	if (r < 0)
		on_one(r, NULL, step);
}
