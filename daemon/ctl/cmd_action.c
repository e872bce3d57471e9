/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column fields[] = {
	{"Enabled", "enabled", CTL_YESNO},
	{"Because", "why", CTL_TEXT},
	{"Paused by", "author", CTL_TEXT},
	{"Comment", "comment", CTL_TEXT},
	{"Since", "since", CTL_TIME},
	{"Frozen by", "freezes", CTL_JOIN},
	{"Actions in the last hour", "budgets.used", CTL_TEXT},
	{"of at most", "budgets.global", CTL_TEXT},
	{"For maintenance", "budgets.maintenance_used", CTL_TEXT},
	{"of at most", "budgets.maintenance", CTL_TEXT},
	{"Executor", "executor_connected", CTL_YESNO},
	{"Trouble", "executor_trouble", CTL_TEXT},
	{0},
};

static const struct ctl_column breaker_columns[] = {
	{"POLICY", "policy", CTL_TEXT},
	{"TARGET", "target", CTL_TEXT},
	{"BREAKER", "state", CTL_STATE},
	{"FAILURES", "failures", CTL_TEXT},
	{"UNTIL", "until", CTL_TIME},
	{0},
};

static const struct ctl_column recent_columns[] = {
	{"AT", "at", CTL_TIME},
	{"TARGET", "target", CTL_TEXT},
	{"POLICY", "policy", CTL_TEXT},
	{"VERB", "verb", CTL_TEXT},
	{"OUTCOME", "outcome", CTL_STATE},
	{"RUN", "run", CTL_ID},
	{0},
};

static void actions_page(struct ctl *ctl, const json_t *actions)
{
	const json_t *breakers = ctl_lookup(actions, "breakers");
	const json_t *recent = ctl_lookup(actions, "recent");

	text_object(ctl, actions, fields);
	if (json_array_size(breakers)) {
		text_title(ctl, "Breakers");
		text_list(ctl, breakers, breaker_columns);
	}
	if (json_array_size(recent)) {
		text_title(ctl, "Recent actions");
		text_list(ctl, recent, recent_columns);
	}
}

static int answer(struct ctl *ctl, int r, json_t *actions)
{
	if (r == 0)
		ctl->writer->page(ctl, actions, actions_page);
	json_decref(actions);
	return r;
}

static int action_show(struct ctl *ctl, char *const *args, int n_args)
{
	json_t *actions = NULL;
	int r = client_get(ctl, "/v1/actions", &actions);

	return answer(ctl, r, actions);
}

static int action_pause(struct ctl *ctl, char *const *args, int n_args)
{
	const char *comment = ask_comment(ctl, "a comment is needed: -m 'why actions stop'");
	json_t *actions = NULL;
	int r;

	if (!comment)
		return CTL_USAGE;
	r = ask_change(ctl, "/v1/actions/pause", json_pack("{s:s}", "comment", comment), &actions);
	return answer(ctl, r, actions);
}

static int action_resume(struct ctl *ctl, char *const *args, int n_args)
{
	json_t *actions = NULL;
	int r = client_post(ctl, "/v1/actions/resume", NULL, false, &actions);

	return answer(ctl, r, actions);
}

static void drain_page(struct ctl *ctl, const json_t *drain)
{
	json_int_t n = json_integer_value(json_object_get(drain, "live"));

	if (json_is_true(json_object_get(drain, "drained")))
		(void)fputs("drained: no run is live, and none begins\n", ctl->out);
	else if (json_is_true(json_object_get(drain, "draining")))
		(void)fprintf(ctl->out,
			"draining: no run begins, %" JSON_INTEGER_FORMAT
			" live; see tendctl status\n",
			n);
	else
		(void)fputs("runs begin again\n", ctl->out);
}

static int drain(struct ctl *ctl, bool on)
{
	return ask_do(ctl, "/v1/drain", json_pack("{s:b}", "on", on), drain_page);
}

static int action_drain(struct ctl *ctl, char *const *args, int n_args)
{
	return drain(ctl, true);
}

static int action_undrain(struct ctl *ctl, char *const *args, int n_args)
{
	return drain(ctl, false);
}

static const struct ctl_verb verbs[] = {
	{"show", "", 0, 0, 0, action_show, "whether actions are done, budgets and breakers"},
	{"pause", "-m COMMENT", 0, 0, CTL_BIT(COMMENT), action_pause,
		"stop everything that changes a system"},
	{"resume", "", 0, 0, 0, action_resume, "let it go on"},
	{"drain", "", 0, 0, 0, action_drain,
		"begin no runs and let live ones end, before an upgrade (until undrain)"},
	{"undrain", "", 0, 0, 0, action_undrain, "begin runs again"},
	{0},
};
const struct ctl_command ctl_action = {
	"action",
	"The one switch that stops everything that changes a system. Watching and telling go on.",
	verbs,
};
