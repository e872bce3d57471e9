/* SPDX-License-Identifier: MIT */
#include "rehearse/play.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"
#include "policy/private.h"

struct play *play;

static usec_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

/* ---- the manager
 * ------------------------------------------------------------------------------------------------
 */

/* Errors of the configuration belong to lines of the scenario where they come from there. */
static void take_errors(struct play *p, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->len; i++) {
		const struct tend_error *e = &errors->items[i];
		bool ours = str_eq(e->file, p->conf_path);
		unsigned line = ours ? prepare_line(p, e->line) : e->line;

		(void)conf_errors_add(
			&p->errors, ours ? p->file->path : e->file, line, -EINVAL, "%s", e->text);
	}
}

static int load_conf(struct play *p)
{
	struct conf_errors errors = {0};
	int r = conf_load(p->conf_path, p->options->plugin_dir, &errors, &p->manager.conf);

	take_errors(p, &errors);
	conf_errors_clear(&errors);
	return r;
}

static int open_manager(struct play *p)
{
	struct tend_error why = {0};
	int r = p->manager.conf ? 0 : load_conf(p);

	if (r < 0)
		return r;
	p->manager.without_history = true;
	r = manager_open(&p->manager, &why);
	if (r < 0)
		play_fault("%s", why.text[0] ? why.text : strerror(-r));
	p->last_run[0] = '\0';
	p->last_gate = NULL;
	return r;
}

/* A kill of tendd: nobody is told anything, the journal has what was committed. */
static void restart(struct play *p)
{
	p->want_restart = false;
	seen_tell("restart", "%s", "tendd is killed and comes back");
	delivered_drop();
	manager_close(&p->manager);
	p->manager.policies = NULL;
	if (open_manager(p) < 0)
		loop_stop(p->manager.loop, 0);
}

static void on_turn(void *data)
{
	struct play *p = data;

	seen_look(p);
	if (p->want_restart)
		restart(p);
}

/* ---- one scenario
 * ------------------------------------------------------------------------------------------------
 */

static void look_at_policies(struct play *p)
{
	auto_json json_t *list = policies_to_json(p->manager.policies);
	size_t i;
	json_t *row;

	json_array_foreach (list, i, row) {
		const char *error = json_string_value(json_object_get(row, "error"));

		if (error)
			(void)conf_errors_add(&p->errors, NULL, 0, -EINVAL, "%s", error);
	}
}

static int run_until(struct play *p, usec_t until, usec_t real_until)
{
	const struct loop_simulation s = {.until = until,
		.real_until = real_until,
		.busy = play_busy,
		.turned = on_turn,
		.data = p};

	return loop_simulate_until(p->manager.loop, &s);
}

static int begin(struct play *p, usec_t real_until)
{
	auto_free char *socket = str_printf("%s/exec.sock", p->dir);
	int r = load_conf(p);

	p->began = clock_now();
	if (r < 0)
		return r;
	r = socket ? executor_new(p, socket, &p->executor) : -ENOMEM;
	if (r == 0)
		r = world_new(p, &p->world);
	if (r == 0)
		r = open_manager(p);
	/* A moment, in which the policies are described. */
	if (r == 0)
		r = run_until(p, clock_now(), real_until);
	if (r == 0)
		look_at_policies(p);
	return r == 0 ? timeline_arm(p) : r;
}

static void play_it(struct play *p, usec_t real_until)
{
	char span[CLOCK_TEXT_BYTES];
	int r = begin(p, real_until);

	if (r == 0 && p->errors.len == 0)
		r = run_until(p, p->began + p->scenario->duration, real_until);
	if (r == -ETIMEDOUT)
		play_fault("it took longer than real_limit (%s) of real time",
			clock_format_span(p->scenario->real_limit, span));
	else if (r < 0 && p->errors.len == 0)
		play_fault("it cannot be played: %s", strerror(-r));
	if (r == 0 && p->errors.len == 0)
		seen_states(p);
}

static void end(struct play *p)
{
	VEC_FOREACH (&p->timers, struct loop_source *, timer)
		loop_source_free(timer);
	vec_clear(&p->timers);
	delivered_drop();
	if (p->manager.conf)
		manager_close(&p->manager);
	p->executor = executor_free(p->executor);
	p->world = world_free(p->world);
	p->manager.loop = loop_free(p->manager.loop);
	vec_clear(&p->conf_lines);
	free(p->conf_path);
}

static json_t *errors_to_json(const struct conf_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->len; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s?, s:i, s:s}", "file", errors->items[i].file, "line",
				      (int)errors->items[i].line, "text", errors->items[i].text));
	return list;
}

static json_t *result(struct play *p, usec_t began)
{
	json_t *failures = p->errors.len == 0 && json_array_size(p->faults) == 0 ? judge_failures(p)
										 : json_array();
	bool passed = json_array_size(failures) == 0 && json_array_size(p->faults) == 0 &&
		      p->errors.len == 0;

	return json_pack("{s:s, s:s, s:i, s:b, s:o, s:O, s:o, s:O, s:o*, s:I, s:s, s:I}", "file",
		p->file->path, "name", p->scenario->name, "line", (int)p->scenario->line, "passed",
		passed, "errors", errors_to_json(&p->errors), "faults", p->faults, "failures",
		failures, "timeline", p->seen, "policies",
		p->manager.policies ? policies_to_json(p->manager.policies) : NULL, "virtual_sec",
		(json_int_t)(p->scenario->duration / USEC_PER_SEC), "timezone",
		p->scenario->timezone, "real_msec",
		(json_int_t)((real_now() - began) / USEC_PER_MSEC));
}

json_t *play_scenario(const struct play_options *options, const struct scenario_file *file,
	const struct scenario *scenario)
{
	struct play p = {
		.options = options, .file = file, .scenario = scenario, .dir = options->dir};
	struct tend_error why = {0};
	usec_t began = real_now();
	json_t *answer;
	int r;

	play = &p;
	p.seen = json_array();
	p.faults = json_array();
	r = prepare_folder(&p, &why);
	if (r == 0)
		r = loop_new(&p.manager.loop);
	if (r == 0)
		r = loop_simulate(p.manager.loop, scenario->start_wall);
	if (r < 0)
		(void)conf_errors_add(&p.errors, file->path, scenario->line, r, "%s",
			why.text[0] ? why.text : strerror(-r));
	else
		play_it(&p, began + scenario->real_limit);
	answer = result(&p, began);
	end(&p);
	conf_errors_clear(&p.errors);
	json_decref(p.seen);
	json_decref(p.faults);
	play = NULL;
	return answer;
}
