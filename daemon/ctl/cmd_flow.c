/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "ctl/become.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

static int become_try(struct ctl *ctl, const char *command, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	ctl_call_add(&call, strdup("tend-try"));
	ctl_call_add(&call, strdup(command));
	if (ctl->writer == ctl_writer_find("json"))
		ctl_call_option(&call, "json", "");
	if (ctl->writer == ctl_writer_find("names"))
		ctl_call_option(&call, "names", "");
	ctl_call_option(&call, "verbose", ctl->values[CTL_OPT_VERBOSE]);
	ctl_call_add(&call, strdup("--"));
	for (int i = 0; i < n_args; i++)
		ctl_call_add(&call, strdup(args[i]));
	return ctl_become(ctl, &call);
}

static int flow_list(struct ctl *ctl, char *const *args, int n_args)
{
	return become_try(ctl, "flow-list", args, n_args);
}

static int flow_check(struct ctl *ctl, char *const *args, int n_args)
{
	return become_try(ctl, "flow-check", args, n_args);
}

static int flow_run(struct ctl *ctl, char *const *args, int n_args)
{
	return become_try(ctl, "flow-run", args, n_args);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, flow_list, "the shipped flows (no daemon)"},
	{"check", "FILE|NAME", 1, 1, 0, flow_check,
		"load one; its parameters, secrets and steps (no daemon)"},
	{"run", "FILE|NAME [NAME=VALUE...]", 1, CTL_MAX_ARGS, CTL_BIT(VERBOSE), flow_run,
		"try one now, step by step (no daemon)"},
	{0},
};
const struct ctl_command ctl_flow = {"flow", "What checks do as a user does, as Lua files.", verbs};
