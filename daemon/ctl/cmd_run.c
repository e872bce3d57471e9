/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/run.h"

static const struct ctl_column columns[] = {
	{"RUN", "id", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"POLICY", "policy", CTL_TEXT},
	{"TARGET", "target", CTL_TEXT},
	{"BY", "author", CTL_TEXT},
	{"STARTED", "started", CTL_TIME},
	{"ENDED", "ended", CTL_AGO},
	{"DRY", "dry", CTL_YESNO},
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
	{"Set off by", "trigger.kind", CTL_TEXT},
	{"Started", "started", CTL_TIME},
	{"Ended", "ended", CTL_TIME},
	{"By", "author", CTL_TEXT},
	{"Dry run", "dry", CTL_YESNO},
	{"Acted", "acted", CTL_YESNO},
	{"Verified", "verified", CTL_YESNO},
	{"Cancelled", "cancelled", CTL_TEXT},
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
	{"APPROVED BY", "approved_by", CTL_JOIN},
	{"OUTCOME", "message|value", CTL_JSON},
	{0},
};

static const struct ctl_column measured_columns[] = {
	{"STEP", "path", CTL_TEXT},
	{"BEFORE", "before", CTL_JSON},
	{"AFTER", "after", CTL_JSON},
	{0},
};

static const struct ctl_column approval_columns[] = {
	{"APPROVAL", "id", CTL_ID},
	{"STEP", "path", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"GIVEN", "given", CTL_TEXT},
	{"OF", "needed", CTL_TEXT},
	{"CREATED", "created", CTL_TIME},
	{"WHAT", "text|deed", CTL_TEXT},
	{0},
};

static int run_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"limit", ask_limit(ctl, "100")},
		{"policy", ctl->values[CTL_OPT_POLICY]}, {"target", ctl->values[CTL_OPT_TARGET]},
		{"state", ctl->values[CTL_OPT_STATE]}, {0}};

	return ask_list(ctl, "/v1/runs", params, columns);
}

/* Steps that say what was measured before and after them; steals nothing. */
static json_t *measured(const json_t *steps)
{
	json_t *list = json_array(), *step;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)steps, i, step)
		if (json_is_object(json_object_get(step, "before")) ||
			json_is_object(json_object_get(step, "after")))
			(void)json_array_append(list, step);
	return list;
}

static void run_page(struct ctl *ctl, const json_t *run)
{
	const json_t *steps = ctl_lookup(run, "steps"), *approvals = ctl_lookup(run, "approvals");
	auto_json json_t *told = measured(steps);

	run_put_waiting(ctl, run);
	text_object(ctl, run, fields);
	text_title(ctl, json_array_size(steps) ? "Steps" : "No steps yet");
	if (json_array_size(steps))
		text_list(ctl, steps, step_columns);
	if (json_array_size(told)) {
		text_title(ctl, "Measured");
		text_list(ctl, told, measured_columns);
	}
	if (json_array_size(approvals)) {
		text_title(ctl, "Approvals");
		text_list(ctl, approvals, approval_columns);
	}
}

static int run_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/runs/", args[0], run_page);
}

static void cancel_page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs("run ", ctl->out);
	text_put(ctl, ctl_string(answer, "run"));
	(void)fputs(" is cancelled: it cleans up and ends, see tendctl run follow ", ctl->out);
	text_put(ctl, ctl_string(answer, "run"));
	(void)fputc('\n', ctl->out);
}

static int run_cancel(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/runs/", args[0], "/cancel");

	return ask_do(ctl, path, json_pack("{s:s*}", "comment", ctl->values[CTL_OPT_COMMENT]),
		cancel_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(LIMIT) | CTL_BIT(POLICY) | CTL_BIT(TARGET) | CTL_BIT(STATE),
		run_list, "the latest runs of policies"},
	{"show", "ID", 1, 1, 0, run_show, "one of them, step by step"},
	{"follow", "ID", 1, 1, 0, run_follow, "what it does, as it does it, until it has ended"},
	{"cancel", "ID [-m COMMENT]", 1, 1, CTL_BIT(COMMENT), run_cancel,
		"tell it to clean up and end"},
	{0},
};
const struct ctl_command ctl_run = {"run", "Executions of policies.", verbs};
