/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

static json_t *declared(const struct policy_def *def, const char *key)
{
	return json_object_get(def->decl, key);
}

static const char *error_of(const struct policies *p, const struct policy_def *def)
{
	return def->error ? def->error : strike_disabled(p, def);
}

static const struct run *last_run(const struct policies *p, const struct policy_def *def)
{
	const struct run *last = NULL;

	VEC_FOREACH (&p->recent, const struct run *, run)
		if (!run->dry && strcmp(run->policy, def->name) == 0)
			last = run;
	return last;
}

static bool is_enabled(const struct policies *p, const struct policy_def *def)
{
	const struct conf_policy *settings = policy_settings(p, def->name);

	return (settings ? settings->enabled : true) && !strike_disabled(p, def);
}

static json_t *policy_to_json(const struct policies *p, const struct policy_def *def)
{
	const struct run *last = last_run(p, def);
	json_t *modes = json_object();

	MAP_FOREACH (&p->conf->systems, const struct conf_system *, system)
		(void)json_object_set_new(modes, system->name,
			json_string(conf_mode_names[trigger_mode(p, def->name, system)]));
	return json_pack("{s:s, s:s, s:O?, s:O?, s:O?, s:O?, s:O?, s:b, s:s, s:b, s:o, s:s, s:o, "
			 "s:o*, s:s*}",
		"name", def->name, "file", def->file->path, "doc", declared(def, "doc"), "on",
		declared(def, "on"), "params", declared(def, "params"), "targets",
		declared(def, "targets"), "schedule", declared(def, "schedule"), "hand",
		json_is_true(declared(def, "hand")), "concurrency",
		concurrency_names[start_concurrency(def)], "enabled", is_enabled(p, def), "mode",
		modes, "source", def->file->hash, "last_run",
		last ? run_to_json(last) : json_null(), "strikes", strike_to_json(p, def), "error",
		error_of(p, def));
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

static void glance_at(
	const struct policies *p, const struct policy_def *def, policies_glance_fn fn, void *data)
{
	const struct run *last = last_run(p, def);
	struct policies_glance glance = {
		.name = def->name,
		.error = error_of(p, def),
		.enabled = is_enabled(p, def),
		.next_wall = schedule_next(p, def),
	};
	char modes[512] = "";
	size_t len = 0;

	MAP_FOREACH (&p->conf->systems, const struct conf_system *, system) {
		enum conf_mode mode = trigger_mode(p, def->name, system);
		int n = snprintf(modes + len, sizeof(modes) - len, "%s%s=%s", len ? " " : "",
			system->name, conf_mode_names[mode]);

		glance.mode = MAX(glance.mode, mode);
		if (n > 0 && (size_t)n < sizeof(modes) - len)
			len += (size_t)n;
		modes[len] = '\0';
	}
	glance.modes = modes;
	VEC_FOREACH (&p->runs, const struct run *, run)
		if (!run->dry && !run->describing && !run->queued &&
			strcmp(run->policy, def->name) == 0)
			last = run;
	if (last) {
		glance.state = run_state_names[last->state];
		glance.message = last->message;
		glance.started_wall = last->started_wall;
		glance.ended_wall = last->ended_wall;
	}
	fn(&glance, data);
}

void policies_glance(const struct policies *policies, policies_glance_fn fn, void *data)
{
	if (policies->catalog)
		MAP_FOREACH (&policies->catalog->defs, const struct policy_def *, def)
			glance_at(policies, def, fn, data);
}

size_t policies_n_broken(const struct policies *policies)
{
	size_t n = 0;

	if (!policies->catalog)
		return 0;
	MAP_FOREACH (&policies->catalog->defs, const struct policy_def *, def)
		n += error_of(policies, def) != NULL;
	VEC_FOREACH (&policies->catalog->files, const struct policy_file *, file)
		n += file->error != NULL;
	return n;
}

bool policies_runner_up(const struct policies *policies)
{
	return policies->runner && child_rpc(policies->runner);
}

json_t *policies_actions_to_json(const struct policies *policies)
{
	const char *why = policies_why_frozen(policies);
	json_t *recent = json_array(), *freezes = json_array();
	char at[CLOCK_TEXT_BYTES];

	VEC_FOREACH (&policies->freezes, const char *, cause)
		(void)json_array_append_new(freezes, json_string(cause));
	VEC_FOREACH (&policies->actions, const struct action_row *, row)
		(void)json_array_append_new(recent,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "at",
				clock_format(row->action.at.wall, at), "target", row->target,
				"policy", row->policy, "verb", row->verb, "run", row->run,
				"outcome", action_verdict_names[row->action.verdict]));
	return json_pack("{s:b, s:s?, s:s?, s:s?, s:s?, s:o, s:b, s:s, s:o, s:o, s:o, s:o, "
			 "s:I}",
		"enabled", why == NULL, "why", why, "author",
		policies->switched_off ? policies->switch_author : NULL, "comment",
		policies->switched_off ? policies->switch_comment : NULL, "since",
		policies->switched_off ? clock_format(policies->switch_wall, at) : NULL, "freezes",
		freezes, "executor_connected", exec_client_connected(policies->exec),
		"executor_trouble", exec_client_trouble(policies->exec), "executors",
		hosts_to_json(policies), "budgets", budgets_to_json(policies), "breakers",
		breakers_to_json(policies), "recent", recent, "dropped_events",
		(json_int_t)policies->n_dropped);
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
