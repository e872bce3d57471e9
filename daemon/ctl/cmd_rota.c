/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"ROTA", "name", CTL_TEXT},
	{"ON CALL", "receivers", CTL_JOIN},
	{"FROM", "from_text", CTL_TEXT},
	{"UNTIL", "until_text", CTL_TEXT},
	{0},
};

static int rota_show(struct ctl *ctl, char *const *args, int n_args)
{
	const char *next = ctl->values[CTL_OPT_NEXT];
	const struct ask_param params[] = {
		{"limit", next ? next : "4"}, {"name", n_args > 0 ? args[0] : NULL}, {0}};

	return ask_list(ctl, "/v1/rotas", params, columns);
}

static const struct ctl_verb verbs[] = {
	{"show", "[NAME]", 0, 1, CTL_BIT(NEXT), rota_show,
		"who is on call now, and who after that"},
	{0},
};
const struct ctl_command ctl_rota = {"rota", "Who is on call, by [rota NAME].", verbs};
