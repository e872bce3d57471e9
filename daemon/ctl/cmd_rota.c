/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

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
	auto_free char *limit = client_escape(next ? next : "4", false);
	auto_free char *name = n_args > 0 ? client_escape(args[0], false) : NULL;
	auto_free char *path = limit ? str_printf("/v1/rotas?limit=%s%s%s", limit,
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
	{"show", "[NAME]", 0, 1, CTL_BIT(NEXT), rota_show,
		"who is on call now, and who after that"},
	{0},
};
const struct ctl_command ctl_rota = {"rota", "Who is on call, by [rota NAME].", verbs};
