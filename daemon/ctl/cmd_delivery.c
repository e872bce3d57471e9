/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"NOTICE", "notice", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"RECEIVER", "receiver", CTL_TEXT},
	{"KIND", "kind", CTL_TEXT},
	{"SUBJECT", "fingerprint", CTL_TEXT},
	{"AT", "at", CTL_TIME},
	{"TRIES", "tries", CTL_TEXT},
	{"DELIVERED", "delivered_at", CTL_AGO},
	{"LAST ERROR", "last_error", CTL_TEXT},
	{0},
};

static int delivery_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"limit", ask_limit(ctl, "100")},
		{"incident", ctl->values[CTL_OPT_INCIDENT]},
		{"receiver", ctl->values[CTL_OPT_RECEIVER]}, {0}};

	return ask_list(ctl, "/v1/deliveries", params, columns);
}

static const struct ctl_column notice_fields[] = {
	{"Notice", "id", CTL_TEXT},
	{"Kind", "kind", CTL_TEXT},
	{"Severity", "severity", CTL_TEXT},
	{"Subject", "fingerprint", CTL_TEXT},
	{"Incident", "incident", CTL_TEXT},
	{"At", "at", CTL_TIME},
	{"Text", "text", CTL_TEXT},
	{0},
};

static const struct ctl_column row_columns[] = {
	{"RECEIVER", "receiver", CTL_TEXT},
	{"SEQUENCE", "sequence", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"TRIES", "tries", CTL_TEXT},
	{"ADDED", "added_at", CTL_TIME},
	{"NEXT TRY", "next_at", CTL_TIME},
	{"DELIVERED", "delivered_at", CTL_TIME},
	{"TOGETHER AS", "batch", CTL_ID},
	{"INSTEAD OF", "via", CTL_TEXT},
	{"SUPERSEDED BY", "superseded_by", CTL_ID},
	{"LAST ERROR", "last_error", CTL_TEXT},
	{0},
};

static const struct ctl_column attempt_columns[] = {
	{"RECEIVER", "receiver", CTL_TEXT},
	{"TRY", "n", CTL_TEXT},
	{"AT", "at", CTL_TIME},
	{"TOOK MS", "elapsed_msec", CTL_TEXT},
	{"VERDICT", "verdict", CTL_STATE},
	{"CODE", "code", CTL_TEXT},
	{"ERROR", "error", CTL_TEXT},
	{"ANSWER", "detail", CTL_TEXT},
	{0},
};

static void delivery_page(struct ctl *ctl, const json_t *doc)
{
	const json_t *notice = ctl_lookup(doc, "notice");

	if (json_is_object(notice))
		text_object(ctl, notice, notice_fields);
	else
		(void)fprintf(ctl->out, "Several notices that went together as %s\n",
			ctl_string(doc, "id"));
	text_title(ctl, "Deliveries");
	text_list(ctl, ctl_lookup(doc, "deliveries"), row_columns);
	text_title(ctl, "Tries");
	text_list(ctl, ctl_lookup(doc, "attempts"), attempt_columns);
}

static int delivery_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/deliveries/", args[0], delivery_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(INCIDENT) | CTL_BIT(RECEIVER) | CTL_BIT(LIMIT), delivery_list,
		"what was told to whom, when, after how many tries"},
	{"show", "ID", 1, 1, 0, delivery_show,
		"was it delivered: every try of a notice, or of several that went together"},
	{0},
};
const struct ctl_command ctl_delivery = {"delivery", "Notices on their way to receivers.", verbs};
