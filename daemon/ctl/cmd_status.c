/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

enum { WATCH_SECONDS = 2 };

static const struct ctl_column system_columns[] = {
	{"SYSTEM", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"ENVIRONMENT", "environment", CTL_TEXT},
	{"COMPONENTS", "components", CTL_COUNT},
	{"OWNER", "owner", CTL_TEXT},
	{0},
};

static const struct ctl_column incident_columns[] = {
	{"ID", "id", CTL_ID},
	{"SEVERITY", "severity", CTL_STATE},
	{"PHASE", "phase", CTL_STATE},
	{"OPENED", "opened", CTL_AGO},
	{"ACK", "acknowledged.author", CTL_TEXT},
	{"ROOT", "fingerprint", CTL_TEXT},
	{"TEXT", "text", CTL_TEXT},
	{0},
};

static const struct ctl_column window_columns[] = {
	{"WINDOW", "name", CTL_TEXT},
	{"KIND", "kind", CTL_TEXT},
	{"CLOSES", "closes_text", CTL_TEXT},
	{"SWITCHES", "switches", CTL_TEXT},
	{"MATCHES", "matches", CTL_TEXT},
	{0},
};

static const struct ctl_column receiver_columns[] = {
	{"RECEIVER", "name", CTL_TEXT},
	{"TYPE", "type", CTL_TEXT},
	{"DELIVERED", "delivered", CTL_TEXT},
	{"FAILED", "failed", CTL_TEXT},
	{"WAITING", "waiting", CTL_TEXT},
	{"LAST ERROR", "last_error", CTL_TEXT},
	{0},
};

static void status_counts(struct ctl *ctl, const json_t *counts)
{
	const char *state, *separator = "";
	json_t *n;

	(void)fputs("checks:   ", ctl->out);
	json_object_foreach ((json_t *)(uintptr_t)counts, state, n) {
		if (json_integer_value(n) == 0)
			continue;
		(void)fprintf(
			ctl->out, "%s%" JSON_INTEGER_FORMAT " ", separator, json_integer_value(n));
		text_state(ctl, state);
		separator = ", ";
	}
	(void)fputs(*separator ? "\n" : "none\n", ctl->out);
}

static void status_actions(struct ctl *ctl, const json_t *actions)
{
	(void)fputs("actions:  ", ctl->out);
	if (json_is_true(json_object_get(actions, "enabled"))) {
		text_state(ctl, "enabled");
	} else {
		text_state(ctl, "stopped");
		if (*ctl_string(actions, "why")) {
			(void)fputs(": ", ctl->out);
			text_put(ctl, ctl_string(actions, "why"));
		}
	}
	(void)fputc('\n', ctl->out);
}

static void status_drain(struct ctl *ctl, const json_t *status)
{
	if (json_is_true(ctl_lookup(status, "drain.drained")))
		(void)fputs("runs:     drained, none begins\n", ctl->out);
	else if (json_is_true(ctl_lookup(status, "drain.draining")))
		(void)fprintf(ctl->out,
			"runs:     draining, %" JSON_INTEGER_FORMAT " live, none begins\n",
			json_integer_value(ctl_lookup(status, "drain.live")));
}

static void status_head(struct ctl *ctl, const json_t *status)
{
	auto_free char *uptime =
		ctl_format_value(ctl, ctl_lookup(status, "uptime_seconds"), CTL_SPAN);

	(void)fputs("tendd ", ctl->out);
	text_put(ctl, ctl_string(status, "version"));
	(void)fputs(" on ", ctl->out);
	text_put(ctl, ctl_string(status, "hostname"));
	(void)fprintf(ctl->out, ", up %s: ", uptime ? uptime : "?");
	text_state(ctl, ctl_string(status, "state"));
	(void)fputc('\n', ctl->out);
}

static void status_page(struct ctl *ctl, const json_t *status)
{
	const json_t *problems = ctl_lookup(status, "problems");
	const json_t *incidents = ctl_lookup(status, "incidents");
	const json_t *receivers = ctl_lookup(status, "receivers");
	json_t *problem;
	size_t i;

	status_head(ctl, status);
	status_counts(ctl, ctl_lookup(status, "counts"));
	status_actions(ctl, ctl_lookup(status, "actions"));
	status_drain(ctl, status);
	(void)fprintf(ctl->out, "outbox:   %" JSON_INTEGER_FORMAT " waiting\n",
		json_integer_value(ctl_lookup(status, "outbox")));
	json_array_foreach (problems, i, problem) {
		(void)fputs("problem:  ", ctl->out);
		text_put(ctl, json_string_value(problem) ? json_string_value(problem) : "?");
		(void)fputc('\n', ctl->out);
	}
	text_title(ctl, "Systems");
	text_list(ctl, ctl_lookup(status, "systems"), system_columns);
	if (json_array_size(receivers)) {
		text_title(ctl, "Receivers");
		text_list(ctl, receivers, receiver_columns);
	}
	if (json_array_size(ctl_lookup(status, "windows"))) {
		text_title(ctl, "Open windows");
		text_list(ctl, ctl_lookup(status, "windows"), window_columns);
	}
	text_title(ctl, json_array_size(incidents) ? "Open incidents" : "No open incidents");
	if (json_array_size(incidents))
		text_list(ctl, incidents, incident_columns);
}

static int status_once(struct ctl *ctl)
{
	auto_json json_t *status = NULL;
	int r = client_get(ctl, "/v1/status", &status);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, status, status_page);
	return ctl_exit_of_state(ctl_string(status, "state"));
}

static int status_run(struct ctl *ctl, char *const *args, int n_args)
{
	bool terminal = isatty(fileno(ctl->out));

	if (!ctl->values[CTL_OPT_WATCH])
		return status_once(ctl);
	for (;;) {
		if (terminal)
			(void)fputs("\033[H\033[2J", ctl->out);
		ctl->now = clock_wall();
		/* A daemon that restarts is seen as such, and seen again. */
		(void)status_once(ctl);
		if (fflush(ctl->out) != 0)
			return CTL_FAILED;
		(void)sleep(WATCH_SECONDS);
	}
}

static const struct ctl_verb verbs[] = {
	{NULL, "", 0, 0, CTL_BIT(WATCH), status_run,
		"how everything is; exits 0 ok, 1 warning, 2 critical, 3 unknown"},
	{0},
};
const struct ctl_command ctl_status = {"status", "How everything is, on one page.", verbs};
