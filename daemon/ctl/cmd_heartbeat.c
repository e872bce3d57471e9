/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"CHECK", "check", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"LAST", "last", CTL_AGO},
	{"RUNNING SINCE", "started", CTL_AGO},
	{"EXPECTED", "expected", CTL_TEXT},
	{"DEADLINE", "deadline", CTL_TIME},
	{"TOOK S", "runtime_seconds", CTL_TEXT},
	{"TEXT", "text", CTL_TEXT},
	{0},
};

static int heartbeat_list(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_list(ctl, "/v1/heartbeats", NULL, columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, heartbeat_list,
		"the outside jobs that report by themselves, and how they are"},
	{0},
};
const struct ctl_command ctl_heartbeat = {
	"heartbeat", "Outside jobs that report start, ok and fail.", verbs};
