/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"

static int help_run(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_args parsed = {0};
	struct tend_error err = {0};
	char program[] = "tendctl", option[] = "-h";
	char *const argv[] = {program, option, n_args ? args[0] : NULL, NULL};

	if (ctl_parse(2 + n_args, argv, &err, &parsed) < 0) {
		ctl_complain(ctl, "%s", err.text);
		return CTL_USAGE;
	}
	ctl_print_help(ctl->out, parsed.command);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{NULL, "[COMMAND]", 0, 1, 0, help_run, "this text, or that of one command"},
	{0},
};
const struct ctl_command ctl_help = {"help", "What tendctl can do.", verbs};
