/* SPDX-License-Identifier: MIT */
/* JSON of runs for the API: lists, and one of them with its steps and approvals. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

enum { ROWS_SEARCHED = 10000, APPROVALS_SHOWN = 100 };

struct rows_call {
	policies_rows_fn fn;
	void *data;
	struct policies *policies;
	json_t *runs;
	/* of a list */
	char *policy, *target, *state;
	int limit;
	char *id; /* of one; or its beginning */
};

static struct rows_call *call_free(struct rows_call *call)
{
	if (!call)
		return NULL;
	json_decref(call->runs);
	free(call->policy);
	free(call->target);
	free(call->state);
	free(call->id);
	free(call);
	return NULL;
}
DEFINE_AUTO(struct rows_call *, call_free)

static struct rows_call *call_new(struct policies *policies, policies_rows_fn fn, void *data)
{
	struct rows_call *call = calloc(1, sizeof(*call));

	if (call)
		*call = (struct rows_call){.fn = fn, .data = data, .policies = policies};
	return call;
}

static json_t *time_of(json_t *row, const char *key)
{
	return clock_to_json((usec_t)json_integer_value(json_object_get(row, key)));
}

static json_t *run_row_to_json(json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");

	return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:o, s:o, s:O?, s:O?, s:O?, s:O?, "
			 "s:b, s:O?}",
		"id", json_object_get(row, "id"), "policy", json_object_get(row, "policy"),
		"target", json_object_get(row, "target"), "incident",
		json_object_get(row, "incident"), "state", json_object_get(row, "state"), "author",
		json_object_get(doc, "author"), "started", time_of(row, "started"), "ended",
		time_of(row, "ended"), "message", json_object_get(doc, "message"), "cancelled",
		json_object_get(doc, "cancelled"), "acted", json_object_get(doc, "acted"),
		"verified", json_object_get(doc, "verified"), "dry",
		json_is_true(json_object_get(doc, "dry")), "trigger",
		json_object_get(json_object_get(doc, "ctx"), "trigger"));
}

/* ---- a list
 * ------------------------------------------------------------------------------------------------------
 */

static bool member_fits(const char *wanted, const json_t *run, const char *key)
{
	const char *text = json_string_value(json_object_get(run, key));

	return !wanted || (text && str_glob(wanted, text));
}

static void add_fitting(const struct rows_call *call, json_t *list, json_t *run)
{
	if (run && json_array_size(list) < (size_t)call->limit &&
		member_fits(call->policy, run, "policy") &&
		member_fits(call->target, run, "target") && member_fits(call->state, run, "state"))
		(void)json_array_append(list, run);
	json_decref(run);
}

static void on_runs(int r, json_t *rows, void *data)
{
	auto(call_free) struct rows_call *call = data;
	auto_json json_t *list = json_array();
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		add_fitting(call, list, run_row_to_json(row));
	call->fn(r, list, call->data);
}

int policies_runs_where(struct policies *policies, const struct policies_filter *filter,
	policies_rows_fn fn, void *data)
{
	auto(call_free) struct rows_call *call = call_new(policies, fn, data);
	bool any = filter->policy || filter->target || filter->state;
	int r;

	if (!call)
		return -ENOMEM;
	call->limit = filter->limit;
	call->policy = filter->policy ? strdup(filter->policy) : NULL;
	call->target = filter->target ? strdup(filter->target) : NULL;
	call->state = filter->state ? strdup(filter->state) : NULL;
	if ((filter->policy && !call->policy) || (filter->target && !call->target) ||
		(filter->state && !call->state))
		return -ENOMEM;
	r = store_read(policies->deps.store, STORE_QUERY_RUNS, on_runs, call, "i",
		(int64_t)(any ? ROWS_SEARCHED : filter->limit));
	if (r == 0)
		TAKE(call);
	return r;
}

int policies_runs(struct policies *policies, int limit, policies_rows_fn fn, void *data)
{
	return policies_runs_where(policies, &(struct policies_filter){.limit = limit}, fn, data);
}

/* ---- one
 * ---------------------------------------------------------------------------------------------------------
 */

static json_t *step_row_to_json(json_t *row)
{
	json_t *intent = json_object_get(row, "args_json");
	json_t *outcome = json_object_get(row, "outcome_json");
	json_t *value = json_object_get(outcome, "value");

	return json_pack("{s:O?, s:O?, s:O?, s:O?, s:o, s:o, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, "
			 "s:O?}",
		"path", json_object_get(row, "path"), "verb", json_object_get(row, "verb"), "args",
		json_object_get(intent, "args"), "state", json_object_get(row, "state"), "at",
		time_of(row, "at_intent"), "ended", time_of(row, "at_outcome"), "value", value,
		"message", json_object_get(outcome, "message"), "target",
		json_object_get(intent, "target"), "host", json_object_get(intent, "host"),
		"approved_by", json_object_get(intent, "approved_by"), "before",
		json_object_get(value, "before"), "after", json_object_get(value, "after"));
}

static void on_approvals(int r, json_t *rows, void *data)
{
	auto(call_free) struct rows_call *call = data;

	if (r == 0)
		(void)json_object_set(json_array_get(call->runs, 0), "approvals", rows);
	call->fn(0, call->runs, call->data);
}

static void on_steps(int r, json_t *rows, void *data)
{
	auto(call_free) struct rows_call *call = data;
	json_t *run = json_array_get(call->runs, 0), *steps = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		(void)json_array_append_new(steps, step_row_to_json(row));
	(void)json_object_set_new(run, "steps", steps);
	if (r < 0)
		call->fn(r, call->runs, call->data);
	else if (policies_approvals(call->policies, json_string_value(json_object_get(run, "id")),
			 APPROVALS_SHOWN, on_approvals, call) == 0)
		TAKE(call);
	else
		call->fn(0, call->runs, call->data);
}

static void on_run_row(int r, json_t *rows, void *data)
{
	auto(call_free) struct rows_call *call = data;
	const char *id = json_string_value(json_object_get(json_array_get(rows, 0), "id"));

	/* None, or a beginning that fits several: the caller says so. */
	if (r < 0 || json_array_size(rows) != 1 || !id) {
		call->fn(r < 0 ? r : json_array_size(rows) ? -ENOTUNIQ : -ENOENT, NULL, call->data);
		return;
	}
	call->runs = json_pack("[o]", run_row_to_json(json_array_get(rows, 0)));
	r = store_read(call->policies->deps.store, STORE_QUERY_STEPS_OF, on_steps, call, "s", id);
	if (r < 0)
		call->fn(r, NULL, call->data);
	else
		TAKE(call);
}

int policies_run_show(
	struct policies *policies, const char *run_id, policies_rows_fn fn, void *data)
{
	auto(call_free) struct rows_call *call = call_new(policies, fn, data);
	int r;

	if (call)
		call->id = strdup(run_id);
	if (!call || !call->id)
		return -ENOMEM;
	r = store_read(policies->deps.store, STORE_QUERY_RUN_ONE, on_run_row, call, "s", run_id);
	if (r == 0)
		TAKE(call);
	return r;
}
