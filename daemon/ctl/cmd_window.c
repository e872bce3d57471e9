/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"WINDOW", "name", CTL_TEXT},
	{"KIND", "kind", CTL_TEXT},
	{"OPEN", "open", CTL_YESNO},
	{"OPENS", "opens_text", CTL_TEXT},
	{"CLOSES", "closes_text", CTL_TEXT},
	{"SWITCHES", "switches", CTL_TEXT},
	{"MATCHES", "matches", CTL_TEXT},
	{"DOC", "doc", CTL_TEXT},
	{0},
};

static int window_list(struct ctl *ctl, char *const *args, int n_args)
{
	const char *next = ctl->values[CTL_OPT_NEXT];
	const struct ask_param params[] = {
		{"limit", next ? next : "10"}, {"name", n_args > 0 ? args[0] : NULL}, {0}};

	return ask_list(ctl, "/v1/windows", params, columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "[NAME]", 0, 1, CTL_BIT(NEXT), window_list,
		"what is open now, and then the next openings"},
	{0},
};
const struct ctl_command ctl_window = {
	"window", "Maintenance windows and freezes: when, and what they change.", verbs};
