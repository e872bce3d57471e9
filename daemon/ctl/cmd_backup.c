/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"LABEL", "label", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"COMPONENT", "component", CTL_TEXT},
	{"KIND", "kind", CTL_TEXT},
	{"AGE", "age", CTL_SPAN},
	{"SIZE", "size", CTL_TEXT},
	{"PROVEN", "proven_at", CTL_TIME},
	{"RTO", "rto", CTL_SPAN},
	{"RPO", "rpo", CTL_SPAN},
	{"WHY NOT", "why", CTL_TEXT},
	{0},
};

static int backup_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {
		{"limit", ask_limit(ctl, "100")}, {"component", n_args ? args[0] : NULL}, {0}};

	return ask_list(ctl, "/v1/backups", params, columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "[COMPONENT]", 0, 1, CTL_BIT(LIMIT), backup_list,
		"the sets on record: which are proven by a restore, how long that took, what would "
		"have been lost"},
	{0},
};
const struct ctl_command ctl_backup = {"backup", "Backup sets, and what proves them.", verbs};
