/* SPDX-License-Identifier: MIT */
/*
 * watch/units.h on a real bus, by hand: for tests/system/test_units.py. Commands on standard input,
 * one a line: `get UNIT`, `intent UNIT`, `watch UNIT`, `expect UNIT`, `expect-end UNIT`, and `check
 * UNIT` by the unit probe. Answers and changes are lines of JSON. Ends with its input.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/options.h"
#include "watch/host.h"
#include "watch/units.h"

extern const struct tend_probe *const tend_plugin_unit;

struct tool {
	struct loop *loop;
	struct tend_units *units;
	struct host *host;
	struct conf conf; /* owns nothing; never freed */
	struct loop_source *input;
	char line[4096];
	size_t n, n_watches;
	struct units_watch *watches[16];
};

static void say(json_t *what)
{
	char *text = json_dumps(what, JSON_COMPACT);

	puts(text);
	(void)fflush(stdout);
	free(text);
	json_decref(what);
}

static json_t *to_json(const char *event, int r, const struct tend_unit_info *info)
{
	json_t *j = json_pack("{s:s, s:i}", "event", event, "r", r);

	if (!info)
		return j;
	json_t *more = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:b, s:I, s:I, s:i, s:i, s:s}",
		"unit", info->name, "load", info->load_state, "active", info->active_state, "sub",
		info->sub_state, "result", info->result, "invocation", info->invocation_id, "job",
		(json_int_t)info->job_id, "job_type", info->job_type, "stopped_by_job",
		info->stopped_by_job, "end_seen_live", info->end_seen_live, "pid",
		(json_int_t)info->main_pid, "restarts", (json_int_t)info->n_restarts, "exit_code",
		info->exit_code, "exit_status", info->exit_status, "intent", info->intent);
	(void)json_object_update_new(j, more);
	return j;
}

static void on_info(int r, const struct tend_unit_info *info, void *data)
{
	say(to_json("get", r, info));
}

static void on_intent(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	json_t *j = to_json("intent", r, info);

	(void)json_object_set_new(j, "intent", json_string(units_intent_name(intent)));
	(void)json_object_set_new(j, "why", json_string(why));
	say(j);
}

static void on_change(const char *name, void *data)
{
	say(json_pack("{s:s, s:s}", "event", "change", "unit", name));
}

static void on_end(struct attempt_end *end, void *conf)
{
	json_t *metrics = json_object();

	for (size_t i = 0; i < end->n_metrics; i++)
		(void)json_object_set_new(
			metrics, end->metrics[i].name, json_real(end->metrics[i].value));
	say(json_pack("{s:s, s:i, s:s, s:s, s:o}", "event", "check", "r", 0, "reason",
		tend_reason_name(end->reason), "text", end->text, "metrics", metrics));
	conf_options_free(tend_plugin_unit->options, conf);
	free(conf);
}

static void on_unit(const char *check, void *data)
{
	say(json_pack("{s:s, s:s}", "event", "again", "check", check));
}

static int check(struct tool *tool, const char *unit)
{
	void *conf = calloc(1, tend_plugin_unit->conf_size);
	struct tend_error err = {0};
	struct tend_attempt *a = NULL;
	struct attempt_spec spec = {.owner = &tool->conf,
		.probe = tend_plugin_unit,
		.probe_conf = conf,
		.name = "a/b/c",
		.timeout = 2 * USEC_PER_SEC,
		.done = on_end,
		.data = conf};
	int r = conf_options_init(tend_plugin_unit->options, conf, &err);

	if (r == 0)
		r = conf_option_set(&tend_plugin_unit->options[0], conf, unit, &err);
	if (r == 0)
		r = tend_plugin_unit->check(conf, &err);
	if (r == 0)
		return attempt_start(tool->host, &spec, &a);
	say(json_pack("{s:s, s:i, s:s}", "event", "check", "r", r, "text", err.text));
	conf_options_free(tend_plugin_unit->options, conf);
	free(conf);
	return 0;
}

static void command(struct tool *tool, char *line)
{
	char *space = strchr(line, ' ');
	struct units_ask *ask = NULL;
	struct units_watch *watch = NULL;
	int r = -EINVAL;

	if (!space)
		return;
	*space = '\0';
	const char *unit = space + 1;
	if (str_eq(line, "get"))
		r = units_get(tool->units, unit, 5 * USEC_PER_SEC, on_info, NULL, &ask);
	else if (str_eq(line, "intent"))
		r = units_ask_intent(tool->units, unit, 5 * USEC_PER_SEC, on_intent, NULL, &ask);
	else if (str_eq(line, "check"))
		r = check(tool, unit);
	else if (str_eq(line, "watch") && tool->n_watches < ARRAY_SIZE(tool->watches)) {
		r = units_watch_new(tool->units, unit, on_change, NULL, &watch);
		tool->watches[tool->n_watches++] = watch;
	} else if (str_eq(line, "expect") || str_eq(line, "expect-end")) {
		units_expect_job(tool->units, unit, true, str_eq(line, "expect"));
		r = 0;
	}
	if (r < 0 || watch || str_eq(line, "expect") || str_eq(line, "expect-end"))
		say(json_pack("{s:s, s:i}", "event", "done", "r", r));
}

static void on_input(int fd, uint32_t events, void *data)
{
	struct tool *tool = data;
	ssize_t got = read(fd, tool->line + tool->n, sizeof(tool->line) - 1 - tool->n);
	char *end;

	if (got < 0)
		return;
	if (got == 0) {
		loop_stop(tool->loop, 0);
		return;
	}
	tool->n += (size_t)got;
	tool->line[tool->n] = '\0';
	while ((end = strchr(tool->line, '\n'))) {
		*end = '\0';
		command(tool, tool->line);
		tool->n -= (size_t)(end + 1 - tool->line);
		memmove(tool->line, end + 1, tool->n + 1);
	}
}

int main(void)
{
	struct tool tool = {.conf.n_refs = 1};
	int r;

	log_to_stderr();
	log_set_level(LOG_DEBUG);
	if (loop_new(&tool.loop) < 0 || units_new(tool.loop, NULL, &tool.units) < 0 ||
		host_new(tool.loop, NULL, tool.units, on_unit, &tool, &tool.host) < 0 ||
		loop_io_new(tool.loop, STDIN_FILENO, EPOLLIN, on_input, &tool, &tool.input) < 0)
		return 1;
	r = loop_run(tool.loop);
	for (size_t i = 0; i < tool.n_watches; i++)
		units_watch_free(tool.watches[i]);
	loop_source_free(tool.input);
	host_free(tool.host);
	units_free(tool.units);
	loop_free(tool.loop);
	return r == 0 ? 0 : 1;
}
