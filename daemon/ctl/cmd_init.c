/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "ctl/become.h"
#include "ctl/commands.h"

static int init(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	ctl_call_add(&call, strdup("tend-init"));
	ctl_call_option(&call, "output", ctl->values[CTL_OPT_OUTPUT]);
	return ctl_become(ctl, &call);
}

static const struct ctl_verb verbs[] = {
	{NULL, "[--output=FILE]", 0, 0, 0, init,
		"look at this machine and write a configuration of what was found (no daemon)"},
	{0},
};
const struct ctl_command ctl_init = {"init", "A first configuration for this machine.", verbs};
