/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"
#include "ctl/writer.h"

static const struct ctl_column columns[] = {
	{"RECEIVER", "name", CTL_TEXT},
	{"TYPE", "type", CTL_TEXT},
	{"DELIVERED", "delivered", CTL_TEXT},
	{"FAILED", "failed", CTL_TEXT},
	{"TRIES", "tries", CTL_TEXT},
	{"WAITING", "waiting", CTL_TEXT},
	{"SEQUENCE", "sequence", CTL_TEXT},
	{"LAST ERROR", "last_error", CTL_TEXT},
	{0},
};

static int receiver_list(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, "/v1/receivers", &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, receiver_list, "who is told, and how that goes"},
	{0},
};
const struct ctl_command ctl_receiver = {"receiver", "Where notices go.", verbs};
