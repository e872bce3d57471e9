/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

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
	const char *component = n_args ? args[0] : NULL, *limit = ctl->values[CTL_OPT_LIMIT];
	auto_free char *c = client_escape(component ? component : "", false);
	auto_free char *n = client_escape(limit ? limit : "100", false);
	auto_free char *path = c && n ? str_printf("/v1/backups?limit=%s%s%s", n,
						component ? "&component=" : "", c)
				      : NULL;
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, path, &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "[COMPONENT]", 0, 1, CTL_BIT(LIMIT), backup_list,
		"the sets on record: which are proven by a restore, how long that took, what would "
		"have been lost"},
	{0},
};
const struct ctl_command ctl_backup = {"backup", "Backup sets, and what proves them.", verbs};
