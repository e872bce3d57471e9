/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"
#include "ctl/writer.h"

static int config_dump(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *config = NULL;
	auto_free char *text = NULL;
	bool json = ctl->writer == ctl_writer_find("json");
	int r = json ? client_get(ctl, "/v1/config", &config)
		     : client_get_text(ctl, "/v1/config?format=ini", &text);

	if (r != 0)
		return r;
	if (json)
		ctl->writer->page(ctl, config, NULL);
	else
		/* It is ini of tendd's own making, to be read again by tendd: not to be touched. */
		(void)fputs(text, ctl->out);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"dump", "", 0, 0, 0, config_dump, "everything in force, defaults too, secrets hidden"},
	{0},
};
const struct ctl_command ctl_config = {"config", "The configuration in force.", verbs};
