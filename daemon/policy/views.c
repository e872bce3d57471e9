/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

static json_t *policy_to_json(const struct policies *p, const struct policy_def *def)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	json_t *modes = json_object();
	const struct run *last = NULL;

	MAP_FOREACH (&p->conf->systems, const struct conf_system *, system)
		(void)json_object_set_new(modes, system->name,
			json_string(conf_mode_names[trigger_mode(p, def->name, system)]));
	VEC_FOREACH (&p->recent, const struct run *, run)
		if (strcmp(run->policy, def->name) == 0)
			last = run;
	return json_pack("{s:s, s:s, s:O?, s:O?, s:O?, s:b, s:o, s:s, s:o, s:s*}", "name",
		def->name, "file", def->file->path, "doc", json_object_get(def->decl, "doc"), "on",
		json_object_get(def->decl, "on"), "params", json_object_get(def->decl, "params"),
		"enabled", settings ? settings->enabled : true, "mode", modes, "source",
		def->file->hash, "last_run", last ? run_to_json(last) : json_null(), "error",
		def->error);
}

json_t *policies_to_json(const struct policies *policies)
{
	json_t *list = json_array();

	if (!policies->catalog)
		return list;
	MAP_FOREACH (&policies->catalog->defs, const struct policy_def *, def)
		(void)json_array_append_new(list, policy_to_json(policies, def));
	VEC_FOREACH (&policies->catalog->files, const struct policy_file *, file)
		if (file->error)
			(void)json_array_append_new(
				list, json_pack("{s:s, s:s, s:s, s:b}", "name", file->chunk, "file",
					      file->path, "error", file->error, "enabled", 0));
	return list;
}

size_t policies_n_broken(const struct policies *policies)
{
	size_t n = 0;

	if (!policies->catalog)
		return 0;
	MAP_FOREACH (&policies->catalog->defs, const struct policy_def *, def)
		n += def->error != NULL;
	VEC_FOREACH (&policies->catalog->files, const struct policy_file *, file)
		n += file->error != NULL;
	return n;
}

bool policies_runner_up(const struct policies *policies)
{
	return policies->runner && child_rpc(policies->runner);
}

static json_t *breakers_to_json(const struct policies *p)
{
	auto_free struct action *actions = NULL;
	size_t n = actions_plain(p, &actions);
	json_t *list = json_array();
	char until[CLOCK_TEXT_BYTES];

	MAP_FOREACH (&p->conf->components, const struct conf_component *, component) {
		struct breaker b = limits_breaker(actions, n, component->name, clock_wall());

		if (b.state != BREAKER_CLOSED || b.n_failures)
			(void)json_array_append_new(
				list, json_pack("{s:s, s:s, s:i, s:s?}", "target", component->name,
					      "state", breaker_state_names[b.state], "failures",
					      (int)b.n_failures, "until",
					      b.until ? clock_format(b.until, until) : NULL));
	}
	return list;
}

json_t *policies_actions_to_json(const struct policies *policies)
{
	const char *why = policies_why_frozen(policies);
	json_t *recent = json_array(), *freezes = json_array();
	char at[CLOCK_TEXT_BYTES];

	VEC_FOREACH (&policies->freezes, const char *, cause)
		(void)json_array_append_new(freezes, json_string(cause));
	VEC_FOREACH (&policies->actions, const struct action_row *, row)
		(void)json_array_append_new(
			recent, json_pack("{s:s, s:s, s:s, s:s, s:s}", "at",
					clock_format(row->action.wall, at), "target", row->target,
					"verb", row->verb, "run", row->run, "outcome",
					action_verdict_names[row->action.verdict]));
	return json_pack("{s:b, s:s?, s:s?, s:s?, s:s?, s:o, s:b, s:s, s:o, s:o}", "enabled",
		why == NULL, "why", why, "author",
		policies->switched_off ? policies->switch_author : NULL, "comment",
		policies->switched_off ? policies->switch_comment : NULL, "since",
		policies->switched_off ? clock_format(policies->switch_wall, at) : NULL, "freezes",
		freezes, "executor_connected", exec_client_connected(policies->exec),
		"executor_trouble", exec_client_trouble(policies->exec), "breakers",
		breakers_to_json(policies), "recent", recent);
}

json_t *policies_explain(const struct policies *policies, const char *incident_id)
{
	json_t *list = json_array();
	char at[CLOCK_TEXT_BYTES];

	VEC_FOREACH (&policies->gates, const struct gate *, gate)
		if (strcmp(gate->incident, incident_id) == 0)
			(void)json_array_append_new(list,
				json_pack("{s:s, s:s, s:s}", "at", clock_format(gate->wall, at),
					"policy", gate->policy, "why", gate->why));
	return list;
}

/* ---- runs
 * ------------------------------------------------------------------------------------------------------
 */

struct rows_call {
	policies_rows_fn fn;
	void *data;
	struct policies *policies;
	json_t *runs;
};

static json_t *time_of(json_t *row, const char *key)
{
	return clock_to_json((usec_t)json_integer_value(json_object_get(row, key)));
}

static json_t *run_row_to_json(json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");

	return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:o, s:o, s:O?, s:O?, s:O?}", "id",
		json_object_get(row, "id"), "policy", json_object_get(row, "policy"), "target",
		json_object_get(row, "target"), "incident", json_object_get(row, "incident"),
		"state", json_object_get(row, "state"), "author", json_object_get(doc, "author"),
		"started", time_of(row, "started"), "ended", time_of(row, "ended"), "message",
		json_object_get(doc, "message"), "acted", json_object_get(doc, "acted"), "verified",
		json_object_get(doc, "verified"));
}

static void on_runs(int r, json_t *rows, void *data)
{
	auto_free struct rows_call *call = data;
	auto_json json_t *list = json_array();
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		(void)json_array_append_new(list, run_row_to_json(row));
	call->fn(r, list, call->data);
}

int policies_runs(struct policies *policies, int limit, policies_rows_fn fn, void *data)
{
	struct rows_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	*call = (struct rows_call){fn, data, policies, NULL};
	r = store_read(policies->deps.store, STORE_QUERY_RUNS, on_runs, call, "i", (int64_t)limit);
	if (r < 0)
		free(call);
	return r;
}

static json_t *step_row_to_json(json_t *row)
{
	json_t *args = json_object_get(json_object_get(row, "args_json"), "args");
	json_t *outcome = json_object_get(row, "outcome_json");

	return json_pack("{s:O?, s:O?, s:O?, s:O?, s:o, s:o, s:O?, s:O?}", "path",
		json_object_get(row, "path"), "verb", json_object_get(row, "verb"), "args", args,
		"state", json_object_get(row, "state"), "at", time_of(row, "at_intent"), "ended",
		time_of(row, "at_outcome"), "value", json_object_get(outcome, "value"), "message",
		json_object_get(outcome, "message"));
}

static void on_steps(int r, json_t *rows, void *data)
{
	auto_free struct rows_call *call = data;
	auto_json json_t *runs = call->runs;
	json_t *steps = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		(void)json_array_append_new(steps, step_row_to_json(row));
	(void)json_object_set_new(json_array_get(runs, 0), "steps", steps);
	call->fn(r, runs, call->data);
}

static void on_run_row(int r, json_t *rows, void *data)
{
	struct rows_call *call = data;
	const char *id = json_string_value(json_object_get(json_array_get(rows, 0), "id"));

	/* None, or a beginning that fits several: the caller says so. */
	if (r < 0 || json_array_size(rows) != 1 || !id) {
		call->fn(r < 0 ? r : json_array_size(rows) ? -ENOTUNIQ : -ENOENT, NULL, call->data);
		free(call);
		return;
	}
	call->runs = json_pack("[o]", run_row_to_json(json_array_get(rows, 0)));
	r = store_read(call->policies->deps.store, STORE_QUERY_STEPS_OF, on_steps, call, "s", id);
	if (r < 0) {
		call->fn(r, NULL, call->data);
		json_decref(call->runs);
		free(call);
	}
}

int policies_run_show(
	struct policies *policies, const char *run_id, policies_rows_fn fn, void *data)
{
	struct rows_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	*call = (struct rows_call){fn, data, policies, NULL};
	r = store_read(policies->deps.store, STORE_QUERY_RUN_ONE, on_run_row, call, "s", run_id);
	if (r < 0)
		free(call);
	return r;
}
