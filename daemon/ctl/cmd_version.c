/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"

static int version_run(struct ctl *ctl, char *const *args, int n_args)
{
	(void)fprintf(ctl->out, "tendctl %s\n", TEND_VERSION);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{NULL, "", 0, 0, 0, version_run, "which tendctl this is"},
	{0},
};
const struct ctl_command ctl_version = {"version", "Which tendctl this is.", verbs};
