/* SPDX-License-Identifier: MIT */
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

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(INCIDENT) | CTL_BIT(RECEIVER) | CTL_BIT(LIMIT), delivery_list,
		"what was told to whom, when, after how many tries"},
	{0},
};
const struct ctl_command ctl_delivery = {"delivery", "Notices on their way to receivers.", verbs};
