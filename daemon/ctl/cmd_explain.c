/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"
#include "ctl/writer.h"

static void explain_page(struct ctl *ctl, const json_t *answer)
{
	json_t *sentence;
	size_t i;

	json_array_foreach (ctl_lookup(answer, "because"), i, sentence) {
		(void)fputs("- ", ctl->out);
		text_put(ctl, json_string_value(sentence) ? json_string_value(sentence) : "?");
		(void)fputc('\n', ctl->out);
	}
}

static int explain_run(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/explain/", args[0], "");
	auto_json json_t *answer = NULL;
	int r = client_get(ctl, path, &answer);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, explain_page);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{NULL, "ID|CHECK", 1, 1, 0, explain_run, "why nobody was told, or nothing was done"},
	{0},
};
const struct ctl_command ctl_explain = {
	"explain",
	"Why it is as it is: who was told, and every gate that said no to an action.",
	verbs,
};
