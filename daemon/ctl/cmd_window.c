/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

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
	auto_free char *limit = client_escape(next ? next : "10", false);
	auto_free char *name = n_args > 0 ? client_escape(args[0], false) : NULL;
	auto_free char *path = limit ? str_printf("/v1/windows?limit=%s%s%s", limit,
					       name ? "&name=" : "", name ? name : "")
				     : NULL;
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, path, &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "[NAME]", 0, 1, CTL_BIT(NEXT), window_list,
		"what is open now, and then the next openings"},
	{0},
};
const struct ctl_command ctl_window = {
	"window", "Maintenance windows and freezes: when, and what they change.", verbs};
