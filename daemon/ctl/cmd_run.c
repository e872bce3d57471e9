/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

static const struct ctl_column columns[] = {
	{"RUN", "id", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"POLICY", "policy", CTL_TEXT},
	{"TARGET", "target", CTL_TEXT},
	{"STARTED", "started", CTL_TIME},
	{"ENDED", "ended", CTL_AGO},
	{"INCIDENT", "incident", CTL_ID},
	{"MESSAGE", "message", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Run", "id", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Policy", "policy", CTL_TEXT},
	{"Target", "target", CTL_TEXT},
	{"Incident", "incident", CTL_TEXT},
	{"Started", "started", CTL_TIME},
	{"Ended", "ended", CTL_TIME},
	{"By", "author", CTL_TEXT},
	{"Acted", "acted", CTL_YESNO},
	{"Verified", "verified", CTL_YESNO},
	{"Message", "message", CTL_TEXT},
	{0},
};

static const struct ctl_column step_columns[] = {
	{"STEP", "path", CTL_TEXT},
	{"VERB", "verb", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"BEGAN", "at", CTL_TIME},
	{"ENDED", "ended", CTL_AGO},
	{"ARGUMENTS", "args", CTL_JSON},
	{"OUTCOME", "message|value", CTL_JSON},
	{0},
};

static int run_list(struct ctl *ctl, char *const *args, int n_args)
{
	const char *limit = ctl->values[CTL_OPT_LIMIT];
	auto_free char *escaped = client_escape(limit ? limit : "100", false);
	auto_free char *path = escaped ? str_printf("/v1/runs?limit=%s", escaped) : NULL;
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, path, &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static void run_page(struct ctl *ctl, const json_t *run)
{
	const json_t *steps = ctl_lookup(run, "steps");

	text_object(ctl, run, fields);
	text_title(ctl, json_array_size(steps) ? "Steps" : "No steps yet");
	if (json_array_size(steps))
		text_list(ctl, steps, step_columns);
}

static int run_show(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/runs/", args[0], "");
	auto_json json_t *run = NULL;
	int r = client_get(ctl, path, &run);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, run, run_page);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(LIMIT), run_list, "the latest runs of policies"},
	{"show", "ID", 1, 1, 0, run_show, "one of them, step by step"},
	{0},
};
const struct ctl_command ctl_run = {"run", "Executions of policies.", verbs};
