/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"APPROVAL", "id", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"POLICY", "policy", CTL_TEXT},
	{"TARGET", "target", CTL_TEXT},
	{"GIVEN", "given", CTL_TEXT},
	{"OF", "needed", CTL_TEXT},
	{"EXPIRES", "expires", CTL_TIME},
	{"WHAT", "text|deed", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Approval", "id", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"What", "text|deed", CTL_TEXT},
	{"Risk", "risk", CTL_TEXT},
	{"Policy", "policy", CTL_TEXT},
	{"Target", "target", CTL_TEXT},
	{"Run", "run", CTL_TEXT},
	{"Started by", "started_by", CTL_TEXT},
	{"Step", "path", CTL_TEXT},
	{"Verb", "verb", CTL_TEXT},
	{"Arguments", "args", CTL_JSON},
	{"Incident", "incident", CTL_TEXT},
	{"People needed", "needed", CTL_TEXT},
	{"given", "given", CTL_TEXT},
	{"Asked for", "created", CTL_TIME},
	{"Expires", "expires", CTL_TIME},
	{"Ended", "ended", CTL_TIME},
	{"Bound to", "hash", CTL_TEXT},
	{0},
};

static const struct ctl_column vote_columns[] = {
	{"WHO", "author", CTL_TEXT},
	{"DECISION", "decision", CTL_STATE},
	{"WHEN", "at", CTL_TIME},
	{"COMMENT", "comment", CTL_TEXT},
	{0},
};

static int approval_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"limit", ask_limit(ctl, "100")}, {0}};

	return ask_list(ctl, "/v1/approvals", params, columns);
}

static void approval_page(struct ctl *ctl, const json_t *approval)
{
	const json_t *votes = ctl_lookup(approval, "votes");

	text_object(ctl, approval, fields);
	text_title(ctl, json_array_size(votes) ? "Decisions" : "Nobody has decided yet");
	if (json_array_size(votes))
		text_list(ctl, votes, vote_columns);
}

static int approval_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/approvals/", args[0], approval_page);
}

static void decided_page(struct ctl *ctl, const json_t *approval)
{
	(void)fputs("approval ", ctl->out);
	text_put(ctl, ctl_string(approval, "id"));
	(void)fputs(" is ", ctl->out);
	text_state(ctl, ctl_string(approval, "state"));
	if (json_integer_value(ctl_lookup(approval, "given")) <
			json_integer_value(ctl_lookup(approval, "needed")) &&
		str_eq(ctl_string(approval, "state"), "waiting"))
		(void)fputs(": another person must approve it", ctl->out);
	(void)fputc('\n', ctl->out);
}

static int decide(struct ctl *ctl, const char *id, const char *decision)
{
	auto_free char *path = client_path("/v1/approvals/", id, "");

	return ask_do(ctl, path,
		json_pack("{s:s, s:s*}", "decision", decision, "comment",
			ctl->values[CTL_OPT_COMMENT]),
		decided_page);
}

static int approval_grant(struct ctl *ctl, char *const *args, int n_args)
{
	return decide(ctl, args[0], "approve");
}

static int approval_deny(struct ctl *ctl, char *const *args, int n_args)
{
	if (!ask_comment(ctl, "a comment is needed: -m 'why not'"))
		return CTL_USAGE;
	return decide(ctl, args[0], "deny");
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(LIMIT), approval_list, "what waits for people, and what has"},
	{"show", "ID", 1, 1, 0, approval_show, "what will be done, and who has decided"},
	{"grant", "ID [-m COMMENT]", 1, 1, CTL_BIT(COMMENT), approval_grant,
		"approve it, in your own name"},
	{"deny", "ID -m COMMENT", 1, 1, CTL_BIT(COMMENT), approval_deny,
		"refuse it: the step is not done"},
	{0},
};
const struct ctl_command ctl_approval = {
	"approval",
	"Steps of policies that wait for people. An approval is for one step as it is shown, once.",
	verbs,
};
