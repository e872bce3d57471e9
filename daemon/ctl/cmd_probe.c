/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "ctl/become.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

static void begin(struct ctl *ctl, struct ctl_call *call, const char *command)
{
	ctl_call_add(call, strdup("tend-try"));
	ctl_call_add(call, strdup(command));
	if (ctl->writer == ctl_writer_find("json"))
		ctl_call_option(call, "json", "");
	if (ctl->writer == ctl_writer_find("names"))
		ctl_call_option(call, "names", "");
}

static int probe_list(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	begin(ctl, &call, "list");
	return ctl_become(ctl, &call);
}

static int probe_show(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	begin(ctl, &call, "show");
	ctl_call_add(&call, strdup("--"));
	ctl_call_add(&call, strdup(args[0]));
	return ctl_become(ctl, &call);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, probe_list, "the probes that a check can have (no daemon)"},
	{"show", "PROBE", 1, 1, 0, probe_show,
		"its options, metrics, reasons and an example (no daemon)"},
	{0},
};
const struct ctl_command ctl_probe = {"probe", "What checks look with.", verbs};
