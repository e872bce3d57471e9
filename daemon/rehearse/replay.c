/* SPDX-License-Identifier: MIT */
/*
 * What a policy would have done: the incidents of this installation's history, as GET /v1/history
 * gives them, become the timeline of a scenario over its configuration. Verbs answer `done', faults
 * end as they did.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"
#include "rehearse/rehearse.h"
#include "rehearse/report.h"
#include "rehearse/source.h"

/* So many attempts are played at their own pace; beyond it checks are asked less often. */
#define MAX_ATTEMPTS   2000000u
#define REAL_LIMIT_SEC 900
/* What began at the very end is played to its own. */
#define AFTERWARDS_USEC (900 * USEC_PER_SEC)

struct replay {
	const struct rehearse_options *options;
	json_t *history, *checks; /* checks: {NAME: true} of those that are roots and configured */
	struct conf *conf;
	usec_t since, until, pace; /* pace: 0 = as configured */
	size_t n_incidents, n_gone;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static usec_t wall_of(const json_t *object, const char *key)
{
	json_int_t wall = json_integer_value(json_object_get(object, key));

	return wall > 0 ? (usec_t)wall : 0;
}

/* ---- the scenario
 * ------------------------------------------------------------------------------------------------
 */

/* A value in quotes, on one line, that the ini reader takes. */
static void append_quoted(struct str *out, const char *text)
{
	(void)str_append(out, "\"", 1);
	for (; *text; text++) {
		char c = (unsigned char)*text < 0x20 || *text == ';' ? ' ' : *text;

		if (c == '"' || c == '\\')
			(void)str_append(out, "\\", 1);
		(void)str_append(out, &c, 1);
	}
	(void)str_append(out, "\"", 1);
}

/* An incident opens when its fault is confirmed: the fault began so long before. */
static usec_t confirmed_after(const struct replay *rp, const struct conf_check *check)
{
	usec_t retry = check->retry_interval ? check->retry_interval : check->interval;

	return MAX(check->interval, rp->pace) +
	       (usec_t)(check->confirm_failures - 1) * MAX(retry, rp->pace);
}

static void append_incident(struct replay *rp, struct str *out, const json_t *incident)
{
	const json_t *doc = json_object_get(incident, "doc_json");
	const char *check = text_of(doc, "check"), *reason = text_of(doc, "reason");
	usec_t opened = wall_of(incident, "opened"), closed = wall_of(incident, "closed");

	rp->n_incidents++;
	if (!map_get(&rp->conf->checks, check) || tend_reason_from_name(reason) < 0) {
		rp->n_gone++;
		return;
	}
	opened = opened > rp->since ? opened - rp->since : 0;
	opened -= MIN(opened, confirmed_after(rp, map_get(&rp->conf->checks, check)));
	(void)str_appendf(
		out, "\t%" PRIu64 "ms fail %s %s text=", opened / USEC_PER_MSEC, check, reason);
	append_quoted(out, text_of(doc, "text"));
	(void)str_append(out, "\n", 1);
	if (closed > rp->since && closed <= rp->until)
		(void)str_appendf(out, "\t%" PRIu64 "ms heal %s\n",
			(closed - rp->since) / USEC_PER_MSEC, check);
}

static void append_settings(struct replay *rp, struct str *out)
{
	char span[CLOCK_TEXT_BYTES];

	(void)str_appendf(out,
		"settings =\n\t[policy %s] mode = auto\n\t[policy %s] enabled = yes\n",
		rp->options->files[0], rp->options->files[0]);
	MAP_FOREACH (&rp->conf->checks, const struct conf_check *, check)
		if (rp->pace > check->interval && json_object_get(rp->checks, check->name))
			(void)str_appendf(out, "\t[check %s] interval = %s\n", check->name,
				clock_format_span(rp->pace, span));
}

static char *make_text(struct replay *rp)
{
	struct str out = STR_INIT(64 << 20);
	const char *name = rp->options->files[0];
	time_t start = (time_t)(rp->since / USEC_PER_SEC);
	struct tm tm;
	char when[32];
	size_t i;
	json_t *incident;

	gmtime_r(&start, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)str_appendf(&out,
		"[scenario replay of %s]\nstart = %s\ntimezone = UTC\nduration = %" PRIu64
		"s\nreal_limit = %ds\npolicies = %s\n",
		name, when, (rp->until + AFTERWARDS_USEC - rp->since) / USEC_PER_SEC,
		REAL_LIMIT_SEC, name);
	append_settings(rp, &out);
	(void)str_appendf(&out,
		"answer =\n\tsql.query -> done "
		"value={\"columns\":[],\"rows\":[],\"truncated\":false}\n\t* -> done\n"
		"at =\n");
	json_array_foreach (json_object_get(rp->history, "incidents"), i, incident)
		append_incident(rp, &out, incident);
	return str_take(&out);
}

/* ---- what is looked at
 * ---------------------------------------------------------------------------------------------------
 */

static void find_checks(struct replay *rp)
{
	size_t i;
	json_t *incident;

	json_array_foreach (json_object_get(rp->history, "incidents"), i, incident) {
		const char *check = text_of(json_object_get(incident, "doc_json"), "check");

		if (map_get(&rp->conf->checks, check))
			(void)json_object_set_new(rp->checks, check, json_true());
	}
}

static uint64_t attempts_at(const struct replay *rp, usec_t pace)
{
	uint64_t n = 0;

	MAP_FOREACH (&rp->conf->checks, const struct conf_check *, check)
		if (json_object_get(rp->checks, check->name))
			n += (rp->until - rp->since) / MAX(check->interval, pace);
	return n;
}

static void choose_pace(struct replay *rp)
{
	while (attempts_at(rp, rp->pace) > MAX_ATTEMPTS)
		rp->pace = rp->pace ? rp->pace * 2 : 10 * USEC_PER_SEC;
}

/* ---- what came of it
 * -----------------------------------------------------------------------------------------------------
 */

static const char *class_of(const char *why)
{
	static const struct {
		const char *word, *name;
	} rows[] = {
		{"not for this incident", NULL},
		{"cools down", "cool-down"},
		{"budget", "budget"},
		{"breaker", "breaker"},
		{"window", "window"},
		{"freeze", "window"},
		{"common cause", "common cause"},
		{"well again", "well again"},
		{"evidence", "evidence"},
		{"hands off", "operator"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strstr(why, rows[i].word))
			return rows[i].name;
	return "other";
}

static void count(json_t *counts, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(counts, name));

	(void)json_object_set_new(counts, name, json_integer(n + 1));
}

static void note_action(json_t *runs, const json_t *event)
{
	json_t *actions = json_object_get(runs, text_of(event, "run"));
	auto_free char *text = report_event(event);

	if (!actions) {
		actions = json_array();
		(void)json_object_set_new(runs, text_of(event, "run"), actions);
	}
	(void)json_array_append_new(
		actions, json_string(text && strlen(text) > 7 ? text + strlen("action ") : ""));
}

static json_t *run_row(const json_t *event, const json_t *actions)
{
	return json_pack("{s:o, s:O?, s:O?, s:O, s:O?, s:o}", "started",
		clock_to_json(wall_of(event, "started")), "target", json_object_get(event, "on"),
		"check", json_object_get(event, "check"), "state", json_object_get(event, "state"),
		"message", json_object_get(event, "message"), "actions",
		actions ? json_deep_copy(actions) : json_array());
}

static size_t ran_in_history(const struct replay *rp)
{
	size_t i, n = 0;
	json_t *run;

	json_array_foreach (json_object_get(rp->history, "runs"), i, run)
		n += strcmp(text_of(run, "policy"), rp->options->files[0]) == 0 &&
		     !json_is_true(json_object_get(run, "dry"));
	return n;
}

/* Runs that the history set off are played to their end. */
static json_t *find_begun(const struct replay *rp, const json_t *timeline)
{
	json_t *begun = json_object(), *event;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)timeline, i, event)
		if (strcmp(text_of(event, "kind"), "run") == 0 &&
			wall_of(event, "started") < rp->until)
			(void)json_object_set_new(begun, text_of(event, "run"), json_true());
	return begun;
}

/* All else that comes after it is none of it: also of an incident that is open yet. */
static bool is_of_history(const struct replay *rp, const json_t *begun, const json_t *event)
{
	return wall_of(event, "wall") < rp->until || json_object_get(begun, text_of(event, "run"));
}

static void count_stop(json_t *stopped, const char *text)
{
	const char *why = class_of(text);

	if (why)
		count(stopped, why);
}

struct sums {
	json_t *runs, *states, *actions, *stopped;
	json_t *acted; /* texts of actions, by run */
};

static void sum_event(struct sums *sums, const json_t *event)
{
	const char *kind = text_of(event, "kind");

	if (strcmp(kind, "action") == 0) {
		count(sums->actions, text_of(event, "verb"));
		note_action(sums->acted, event);
	} else if (strcmp(kind, "run") == 0) {
		count(sums->states, text_of(event, "state"));
		if (strcmp(text_of(event, "state"), "refused") == 0)
			count_stop(sums->stopped, text_of(event, "message"));
		(void)json_array_append_new(sums->runs,
			run_row(event, json_object_get(sums->acted, text_of(event, "run"))));
	} else if (strcmp(kind, "refusal") == 0) {
		count_stop(sums->stopped, text_of(event, "text"));
	}
}

static json_t *summarize(const struct replay *rp, const json_t *result)
{
	const json_t *timeline = json_object_get(result, "timeline");
	auto_json json_t *acted = json_object(), *begun = find_begun(rp, timeline);
	struct sums sums = {json_array(), json_object(), json_object(), json_object(), acted};
	size_t i;
	json_t *event;

	json_array_foreach ((json_t *)(uintptr_t)timeline, i, event)
		if (is_of_history(rp, begun, event))
			sum_event(&sums, event);
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "policy",
		rp->options->files[0], "since", clock_to_json(rp->since), "until",
		clock_to_json(rp->until), "incidents", (json_int_t)rp->n_incidents,
		"incidents_not_replayed", (json_int_t)rp->n_gone, "ran_in_history",
		(json_int_t)ran_in_history(rp), "pace_usec", (json_int_t)rp->pace, "states",
		sums.states, "actions", sums.actions, "stopped_by", sums.stopped, "runs",
		sums.runs);
}

static void put_counts(const char *title, const json_t *counts)
{
	const char *name;
	json_t *n;
	bool any = false;

	(void)printf("%s:", title);
	json_object_foreach ((json_t *)(uintptr_t)counts, name, n) {
		(void)printf(
			"%s %s %" JSON_INTEGER_FORMAT, any ? "," : "", name, json_integer_value(n));
		any = true;
	}
	(void)puts(any ? "" : " nothing");
}

static void put_summary(const json_t *summary)
{
	char span[CLOCK_TEXT_BYTES];
	usec_t pace = wall_of(summary, "pace_usec");
	size_t i;
	json_t *row;

	(void)printf("%s over the history of %.10s to %.10s, in mode auto\n"
		     "%" JSON_INTEGER_FORMAT " incidents (%" JSON_INTEGER_FORMAT
		     " of checks that are gone), it ran %" JSON_INTEGER_FORMAT " times then\n",
		text_of(summary, "policy"), text_of(summary, "since"), text_of(summary, "until"),
		json_integer_value(json_object_get(summary, "incidents")),
		json_integer_value(json_object_get(summary, "incidents_not_replayed")),
		json_integer_value(json_object_get(summary, "ran_in_history")));
	if (pace)
		(void)printf("checks are asked every %s, less often than configured: the history "
			     "is long\n",
			clock_format_span(pace, span));
	put_counts("It would have run", json_object_get(summary, "states"));
	put_counts("It would have done", json_object_get(summary, "actions"));
	put_counts("It would have been stopped by", json_object_get(summary, "stopped_by"));
	if (json_array_size(json_object_get(summary, "runs")) > 0)
		(void)printf("\n%-20s %-24s %-9s %s\n", "STARTED (UTC)", "TARGET", "STATE",
			"ACTIONS, MESSAGE");
	json_array_foreach (json_object_get(summary, "runs"), i, row) {
		size_t k;
		json_t *action;

		(void)printf("%-20.19s %-24s %-9s ", text_of(row, "started"),
			text_of(row, "target"), text_of(row, "state"));
		json_array_foreach (json_object_get(row, "actions"), k, action)
			(void)printf("%s%s", k > 0 ? "; " : "", json_string_value(action));
		(void)printf("%s%s\n", k > 0 && *text_of(row, "message") ? "; " : "",
			text_of(row, "message"));
	}
}

/* ---- the policy's file
 * -------------------------------------------------------------------------------------------- */

/* Where tendd has it from. NULL: nowhere. */
static char *find_policy(const struct replay *rp)
{
	const char *name = rp->options->files[0];
	auto_free char *shipped = str_printf("%s/policies", rp->conf->daemon.lua_dir);
	char *found = shipped ? policy_find(shipped, name) : NULL;

	for (char **dir = rp->conf->daemon.policy_dirs; dir && *dir && !found; dir++)
		found = policy_find(*dir, name);
	return found;
}

/* ---- together
 * ------------------------------------------------------------------------------------------------------
 */

static int no_policy(const char *name)
{
	(void)fprintf(stderr,
		"tend-rehearse: no file of the configuration's folders declares the "
		"policy '%s'\n",
		name);
	return REHEARSE_USAGE;
}

static int not_in_file(const char *path, const char *name)
{
	auto_free char *other = policy_first(path);

	(void)fprintf(stderr, "tend-rehearse: %s does not declare the policy '%s'%s%s%s\n", path,
		name, other ? ", but '" : "", other ? other : "",
		other ? "': replay that name" : "");
	return REHEARSE_USAGE;
}

static int play_history(struct replay *rp)
{
	struct play_options options = rp->options->play;
	struct conf_errors errors = {0};
	auto(scenario_file_free) struct scenario_file *file = NULL;
	auto_json json_t *result = NULL, *summary = NULL;
	auto_free char *text = make_text(rp), *found = NULL, *place = NULL;
	struct results_page page = {.out = stdout, .colour = rp->options->colour, .verbose = true};

	if (options.policy_file && !policy_declares(options.policy_file, rp->options->files[0]))
		return not_in_file(options.policy_file, rp->options->files[0]);
	found = options.policy_file ? NULL : find_policy(rp);
	if (found)
		options.policy_file = found;
	if (!options.policy_file)
		return no_policy(rp->options->files[0]);
	options.lua_dir = rp->conf->daemon.lua_dir;
	options.only_checks = rp->checks;
	/* Its library is looked for beside its folder. */
	place = str_printf("%s.history", options.policy_file);
	if (!text || !place || scenario_text_read(place, text, strlen(text), &errors, &file) < 0) {
		int code = rehearse_tell_errors(&errors);

		conf_errors_clear(&errors);
		return code;
	}
	result = rehearse_apart(&options, file, file->scenarios.items[0]);
	if (json_array_size(json_object_get(result, "errors")) > 0 ||
		json_array_size(json_object_get(result, "faults")) > 0) {
		page.verbose = false;
		report_result(&page, result);
		return REHEARSE_FAILED;
	}
	if (options.verbose && !rp->options->json)
		report_result(&page, result);
	summary = summarize(rp, result);
	if (rp->options->json) {
		(void)json_dumpf(summary, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else {
		put_summary(summary);
	}
	return REHEARSE_OK;
}

int rehearse_replay(const struct rehearse_options *o)
{
	struct replay rp = {.options = o, .checks = json_object()};
	struct conf_errors errors = {0};
	json_error_t why;
	int code;

	rp.history = json_loadf(stdin, 0, &why);
	rp.since = wall_of(rp.history, "since");
	rp.until = wall_of(rp.history, "until");
	if (!o->play.config) {
		(void)fputs("tend-rehearse: replay needs --config\n", stderr);
		code = REHEARSE_USAGE;
	} else if (!rp.history || rp.since == 0 || rp.until <= rp.since + USEC_PER_SEC) {
		(void)fputs("tend-rehearse: no history on the standard input\n", stderr);
		code = REHEARSE_USAGE;
	} else if (conf_load(o->play.config, o->play.plugin_dir, &errors, &rp.conf) < 0) {
		code = rehearse_tell_errors(&errors);
	} else {
		find_checks(&rp);
		choose_pace(&rp);
		code = play_history(&rp);
	}
	conf_errors_clear(&errors);
	conf_unref(rp.conf);
	json_decref(rp.history);
	json_decref(rp.checks);
	return code;
}
