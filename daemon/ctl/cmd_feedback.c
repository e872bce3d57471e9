/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"REFERENCE", "id", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"COMPONENT", "component", CTL_TEXT},
	{"AT", "at", CTL_TIME},
	{"FROM", "author", CTL_TEXT},
	{"CONTACT", "contact", CTL_TEXT},
	{"INCIDENT", "incident", CTL_ID},
	{"TEXT", "text", CTL_TEXT},
	{"ANSWER", "answer", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Reference", "id", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Component", "component", CTL_TEXT},
	{"At", "at", CTL_TIME},
	{"From", "author", CTL_TEXT},
	{"Contact", "contact", CTL_TEXT},
	{"Text", "text", CTL_TEXT},
	{"Incident", "incident", CTL_TEXT},
	{"Phase", "phase", CTL_STATE},
	{"Summary", "summary", CTL_TEXT},
	{"Answer", "answer", CTL_TEXT},
	{0},
};

static int feedback_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"limit", ask_limit(ctl, "100")},
		{"component", ctl->values[CTL_OPT_COMPONENT]}, {0}};

	return ask_list(ctl, "/v1/feedback", params, columns);
}

static void feedback_page(struct ctl *ctl, const json_t *doc)
{
	text_object(ctl, doc, fields);
}

static int feedback_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/feedback/", args[0], feedback_page);
}

static void taken_page(struct ctl *ctl, const json_t *doc)
{
	(void)fputs("taken, the reference is ", ctl->out);
	text_put(ctl, ctl_string(doc, "id"));
	(void)fputs("\n", ctl->out);
}

static int feedback_add(struct ctl *ctl, char *const *args, int n_args)
{
	const char *text = ask_comment(ctl, "say what does not work: -m 'log in takes minutes'");

	if (!text)
		return CTL_USAGE;
	return ask_do(ctl, "/v1/feedback",
		json_pack("{s:s, s:s}", "component", args[0], "text", text), taken_page);
}

static void answered_page(struct ctl *ctl, const json_t *doc)
{
	(void)fputs(
		json_is_true(ctl_lookup(doc, "closed")) ? "answered, and closed\n" : "answered\n",
		ctl->out);
}

static int say(struct ctl *ctl, const char *id, bool closes)
{
	auto_free char *path = client_path("/v1/feedback/", id, "/answer");
	const char *text =
		ask_comment(ctl, "say it: -m 'it was the mail server, all is well again'");

	if (!text)
		return CTL_USAGE;
	return ask_do(
		ctl, path, json_pack("{s:s, s:b}", "text", text, "close", closes), answered_page);
}

static int feedback_answer(struct ctl *ctl, char *const *args, int n_args)
{
	return say(ctl, args[0], false);
}

static int feedback_close(struct ctl *ctl, char *const *args, int n_args)
{
	return say(ctl, args[0], true);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(LIMIT) | CTL_BIT(COMPONENT), feedback_list,
		"what users have reported, newest first"},
	{"show", "REFERENCE", 1, 1, 0, feedback_show, "one report, and what became of it"},
	{"add", "COMPONENT", 1, 1, CTL_BIT(COMMENT), feedback_add,
		"report that something does not work: a warning on the component"},
	{"answer", "REFERENCE", 1, 1, CTL_BIT(COMMENT), feedback_answer,
		"a word to who reported it"},
	{"close", "REFERENCE", 1, 1, CTL_BIT(COMMENT), feedback_close,
		"the same, and what was reported of the component is over"},
	{0},
};
const struct ctl_command ctl_feedback = {
	"feedback", "What users of the CRM report to be broken.", verbs};
