/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"
#include "ctl/writer.h"

static void reload_page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs(json_is_false(json_object_get(answer, "policies_read"))
			    ? "the new configuration is in force, but its policies are still "
			      "being read: until then those of before are\n"
			    : "the new configuration is in force\n",
		ctl->out);
}

static int reload_run(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *answer = NULL;
	int r = client_post(ctl, "/v1/reload", NULL, true, &answer);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, reload_page);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{NULL, "", 0, 0, 0, reload_run,
		"read the configuration again; a wrong one changes nothing"},
	{0},
};
const struct ctl_command ctl_reload = {"reload", "Read the configuration again.", verbs};
