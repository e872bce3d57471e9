/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

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
	const char *incident = ctl->values[CTL_OPT_INCIDENT];
	const char *receiver = ctl->values[CTL_OPT_RECEIVER];
	const char *limit = ctl->values[CTL_OPT_LIMIT];
	auto_free char *i = client_escape(incident ? incident : "", false);
	auto_free char *w = client_escape(receiver ? receiver : "", false);
	auto_free char *n = client_escape(limit ? limit : "100", false);
	auto_free char *path = i && w && n ? str_printf("/v1/deliveries?limit=%s%s%s%s%s", n,
						     incident ? "&incident=" : "", i,
						     receiver ? "&receiver=" : "", w)
					   : NULL;
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, path, &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
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
	return ctl_show(ctl, "/v1/deliveries/", args[0], delivery_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(INCIDENT) | CTL_BIT(RECEIVER) | CTL_BIT(LIMIT), delivery_list,
		"what was told to whom, when, after how many tries"},
	{"show", "ID", 1, 1, 0, delivery_show,
		"was it delivered: every try of a notice, or of several that went together"},
	{0},
};
const struct ctl_command ctl_delivery = {"delivery", "Notices on their way to receivers.", verbs};
