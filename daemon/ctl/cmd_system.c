/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"
#include "ctl/writer.h"

static const struct ctl_column columns[] = {
	{"SYSTEM", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"ENVIRONMENT", "environment", CTL_TEXT},
	{"COMPONENTS", "components", CTL_COUNT},
	{"OWNER", "owner", CTL_TEXT},
	{"DOC", "doc", CTL_TEXT},
	{0},
};

static int system_list(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, "/v1/systems", &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, system_list, "the systems and their states"},
	{0},
};
const struct ctl_command ctl_system = {"system", "CRM installations.", verbs};
