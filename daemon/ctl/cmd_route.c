/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

static const struct ctl_column columns[] = {
	{"RECEIVER", "receiver", CTL_TEXT},
	{"TYPE", "type", CTL_TEXT},
	{"ROUTE", "route", CTL_TEXT},
	{"WHEN", "when", CTL_TEXT},
	{"THEN", "then", CTL_TEXT},
	{0},
};

static void list_texts(struct ctl *ctl, const json_t *list, const char *path)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *text =
			json_is_string(one) ? json_string_value(one) : ctl_string(one, path);

		(void)fputs("- ", ctl->out);
		text_put(ctl, text);
		(void)fputc('\n', ctl->out);
	}
}

static void page(struct ctl *ctl, const json_t *answer)
{
	const json_t *targets = ctl_lookup(answer, "targets");
	const json_t *holds = ctl_lookup(answer, "holds"), *gates = ctl_lookup(answer, "gates");

	if (json_array_size(holds) > 0) {
		(void)fputs("Nobody is told now:\n", ctl->out);
		list_texts(ctl, holds, "why");
		(void)fputs("When that has ended, and it still fails:\n", ctl->out);
	}
	if (json_array_size(targets) > 0)
		text_list(ctl, targets, columns);
	else
		(void)fputs("Nobody would be told.\n", ctl->out);
	if (json_array_size(gates) > 0) {
		(void)fputs("\nWhat said no:\n", ctl->out);
		list_texts(ctl, gates, "");
	}
}

/* NULL: no memory, or no UTF-8. */
static char *path_of(const json_t *labels, const char *at)
{
	auto_free char *text = json_dumps(labels, JSON_COMPACT);
	auto_free char *escaped = text ? client_escape(text, false) : NULL;

	return escaped ? str_printf("/v1/routes/test?labels=%s%s%s", escaped, at ? "&at=" : "",
				 at ? at : "")
		       : NULL;
}

static int route_test(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *labels = json_object(), *answer = NULL;
	auto_free char *path = NULL;
	const char *at = ctl->values[CTL_OPT_AT];
	char text[CTL_TIME_BYTES];
	int r;

	for (int i = 0; i < n_args; i++) {
		const char *value = strchr(args[i], '=');

		if (!value || value == args[i]) {
			ctl_complain(ctl, "'%s' is no label: write NAME=VALUE", args[i]);
			return CTL_USAGE;
		}
		(void)json_object_setn_new(
			labels, args[i], (size_t)(value - args[i]), json_string(value + 1));
	}
	if (at && ctl_time_text(at, ctl->now, text) < 0) {
		ctl_complain(
			ctl, "--at=%s is no time: write 18:00, 2026-12-01T02:00 or with Z", at);
		return CTL_USAGE;
	}
	path = path_of(labels, at ? text : NULL);
	r = client_get(ctl, path, &answer);
	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, page);
	return json_array_size(ctl_lookup(answer, "targets")) > 0 ? CTL_OK : CTL_FAILED;
}

static const struct ctl_verb verbs[] = {
	{"test", "NAME=VALUE...", 0, 32, CTL_BIT(AT), route_test,
		"who would be told of an incident with these labels, when, and what said no"},
	{0},
};
const struct ctl_command ctl_route = {
	"route",
	"Where notices go. Labels: component=, check=, severity= (critical if not said), reason=, "
	"or your own.",
	verbs,
};
