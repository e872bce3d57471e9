/* SPDX-License-Identifier: MIT */
/* A line for each thing that a run does: first what the journal has, then what comes. */
#include "ctl/run.h"
#include <string.h>
#include "base/str.h"
#include "ctl/writer.h"

static bool as_json(const struct ctl *ctl)
{
	return strcmp(ctl->writer->name, "json") == 0;
}

/* "02:31:39" of this place's time. */
static void put_clock(struct ctl *ctl, const json_t *event)
{
	auto_free char *text = ctl_format_value(ctl, ctl_lookup(event, "at"), CTL_TIME);
	const char *clock = text ? strchr(text, ' ') : NULL;

	(void)fprintf(ctl->out, "%.8s  ", clock ? clock + 1 : "        ");
}

static void put_event(struct ctl *ctl, const json_t *event)
{
	const char *kind = ctl_string(event, "kind"), *text = ctl_string(event, "text");
	auto_free char *args = ctl_format_value(ctl, ctl_lookup(event, "args"), CTL_JSON);

	if (as_json(ctl)) {
		(void)json_dumpf(event, ctl->out, JSON_COMPACT);
		(void)fputc('\n', ctl->out);
		return;
	}
	put_clock(ctl, event);
	if (*ctl_string(event, "path")) {
		(void)fprintf(ctl->out, "%-8s ", ctl_string(event, "path"));
		text_put(ctl, ctl_string(event, "verb"));
		(void)fputc(' ', ctl->out);
	}
	if (strcmp(kind, "step") == 0)
		text_put(ctl, args ? args : "");
	else if (strcmp(kind, "outcome") == 0)
		text_state(ctl, ctl_string(event, "state"));
	else if (strcmp(kind, "progress") == 0)
		(void)fputc('|', ctl->out);
	else
		text_put(ctl, kind);
	if (*text) {
		(void)fputs(strcmp(kind, "progress") == 0 ? " " : ": ", ctl->out);
		text_put(ctl, text);
	}
	(void)fputc('\n', ctl->out);
}

/* A recorded step as the events that it was. */
static void put_step(struct ctl *ctl, const json_t *step)
{
	auto_json json_t *began = json_pack("{s:s, s:O, s:O, s:O, s:O*}", "kind", "step", "at",
		json_object_get(step, "at"), "path", json_object_get(step, "path"), "verb",
		json_object_get(step, "verb"), "args", json_object_get(step, "args"));
	const char *message = json_string_value(json_object_get(step, "message"));
	auto_json json_t *ended = json_pack("{s:s, s:O, s:O, s:O, s:O, s:s*}", "kind", "outcome",
		"at", json_object_get(step, "ended"), "path", json_object_get(step, "path"), "verb",
		json_object_get(step, "verb"), "state", json_object_get(step, "state"), "text",
		message);

	if (began)
		put_event(ctl, began);
	if (ended && json_is_string(json_object_get(step, "ended")))
		put_event(ctl, ended);
}

/* Those before the first of the events, which have the rest. */
static void put_recorded(struct ctl *ctl, const json_t *run, const json_t *events)
{
	const json_t *first = json_array_get(events, 0);
	const char *cut = ctl_string(first, "at");
	json_t *steps = json_object_get(run, "steps"), *step;
	size_t i;

	json_array_foreach (steps, i, step)
		if (!*cut || strcmp(ctl_string(step, "at"), cut) < 0)
			put_step(ctl, step);
}

static int put_end(struct ctl *ctl, const json_t *run)
{
	const char *state = ctl_string(run, "state"), *message = ctl_string(run, "message");

	if (as_json(ctl)) {
		(void)json_dumpf(run, ctl->out, JSON_COMPACT);
		(void)fputc('\n', ctl->out);
	} else {
		(void)fputs("run ", ctl->out);
		text_put(ctl, ctl_string(run, "id"));
		(void)fputs(" of ", ctl->out);
		text_put(ctl, ctl_string(run, "policy"));
		(void)fputs(" on ", ctl->out);
		text_put(ctl, ctl_string(run, "target"));
		(void)fputs(": ", ctl->out);
		text_state(ctl, state);
		if (*message) {
			(void)fputs(": ", ctl->out);
			text_put(ctl, message);
		}
		(void)fputc('\n', ctl->out);
	}
	return strcmp(state, "done") == 0 ? CTL_OK : CTL_FAILED;
}

static int get_run(struct ctl *ctl, const char *id, json_t **ret_run)
{
	auto_free char *path = client_path("/v1/runs/", id, "");

	return client_get(ctl, path, ret_run);
}

static int get_news(struct ctl *ctl, const char *id, json_int_t after, json_t **ret_news)
{
	auto_free char *head = client_path("/v1/runs/", id, "/follow");
	auto_free char *path =
		head ? str_printf("%s?after=%" JSON_INTEGER_FORMAT, head, after) : NULL;

	return client_get(ctl, path, ret_news);
}

static bool is_live(const json_t *run)
{
	const char *state = ctl_string(run, "state");

	return strcmp(state, "live") == 0 || strcmp(state, "queued") == 0;
}

/* Until it has ended; 0, or an exit code. */
static int put_news(struct ctl *ctl, const json_t *run, const char *id)
{
	json_int_t after = 0;
	bool live = true, recorded = false;

	while (live) {
		auto_json json_t *news = NULL;
		json_t *events, *event;
		size_t i;
		int r = get_news(ctl, id, after, &news);

		if (r != 0)
			return r;
		events = json_object_get(news, "events");
		if (!recorded)
			put_recorded(ctl, run, events);
		recorded = true;
		json_array_foreach (events, i, event)
			put_event(ctl, event);
		(void)fflush(ctl->out);
		after = json_integer_value(json_object_get(news, "last"));
		live = json_is_true(json_object_get(news, "live"));
	}
	return 0;
}

void run_put_waiting(struct ctl *ctl, const json_t *run)
{
	const json_t *approval;
	size_t i;

	json_array_foreach (json_object_get(run, "approvals"), i, approval)
		if (strcmp(ctl_string(approval, "state"), "waiting") == 0) {
			(void)fputs("waits for approval ", ctl->out);
			text_put(ctl, ctl_string(approval, "id"));
			(void)fputs(": tendctl approval grant ", ctl->out);
			text_put(ctl, ctl_string(approval, "id"));
			(void)fputc('\n', ctl->out);
		}
}

int run_follow(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *run = NULL, *ended = NULL;
	int r = get_run(ctl, args[0], &run);

	if (r != 0)
		return r;
	if (!is_live(run)) {
		put_recorded(ctl, run, NULL);
		return put_end(ctl, run);
	}
	if (!as_json(ctl)) {
		run_put_waiting(ctl, run);
		(void)fflush(ctl->out);
	}
	r = put_news(ctl, run, ctl_string(run, "id"));
	if (r == 0)
		r = get_run(ctl, ctl_string(run, "id"), &ended);
	return r != 0 ? r : put_end(ctl, ended);
}
