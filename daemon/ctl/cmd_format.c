/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "ctl/become.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

static void begin(struct ctl *ctl, struct ctl_call *call, const char *command)
{
	ctl_call_add(call, strdup("tend-format"));
	ctl_call_add(call, strdup(command));
	if (ctl->writer == ctl_writer_find("json"))
		ctl_call_option(call, "json", "");
	if (ctl->writer == ctl_writer_find("names"))
		ctl_call_option(call, "names", "");
}

static int format_list(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	begin(ctl, &call, "list");
	return ctl_become(ctl, &call);
}

static int format_test(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	begin(ctl, &call, "test");
	ctl_call_option(&call, "receiver", ctl->values[CTL_OPT_RECEIVER]);
	ctl_call_option(&call, "config", ctl->values[CTL_OPT_CONFIG]);
	ctl_call_option(&call, "language", ctl->values[CTL_OPT_LANGUAGE]);
	ctl_call_option(&call, "sample", ctl->values[CTL_OPT_SAMPLE]);
	ctl_call_option(&call, "send", ctl->values[CTL_OPT_SEND]);
	ctl_call_add(&call, strdup("--"));
	for (int i = 0; i < n_args; i++)
		ctl_call_add(&call, strdup(args[i]));
	return ctl_become(ctl, &call);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, format_list, "the shipped formats and their options (no daemon)"},
	{"test", "FILE|NAME [OPTION=VALUE...]", 1, CTL_MAX_ARGS,
		CTL_BIT(RECEIVER) | CTL_BIT(CONFIG) | CTL_BIT(LANGUAGE) | CTL_BIT(SAMPLE) |
			CTL_BIT(SEND),
		format_test, "show the request it makes of a made-up notice (no daemon)"},
	{0},
};
const struct ctl_command ctl_format = {"format", "What webhooks are sent, as Lua files.", verbs};
