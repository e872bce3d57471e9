/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

static void put_lines(struct ctl *ctl, const char *text)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		auto_free char *line = NULL;

		end = text + strcspn(text, "\n");
		line = strndup(text, (size_t)(end - text));
		text_put(ctl, line ? line : "");
		(void)fputc('\n', ctl->out);
	}
}

static void put_body(struct ctl *ctl, const json_t *answer)
{
	const json_t *body = ctl_lookup(answer, "request.body");
	auto_free char *text = NULL;

	if (!body)
		body = ctl_lookup(answer, "event");
	text = json_is_string(body) ? strdup(json_string_value(body))
				    : json_dumps(body, JSON_INDENT(2));
	text_title(ctl, ctl_lookup(answer, "request") ? "Request" : "Event");
	put_lines(ctl, text ? text : "");
}

static void page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs("To ", ctl->out);
	text_put(ctl, ctl_string(answer, "receiver"));
	(void)fputs(" (", ctl->out);
	text_put(ctl, ctl_string(answer, "type"));
	if (*ctl_string(answer, "format")) {
		(void)fputs(", ", ctl->out);
		text_put(ctl, ctl_string(answer, "format"));
	}
	(void)fputs("):\n\n", ctl->out);
	put_lines(ctl, ctl_string(answer, "view.title"));
	(void)fputc('\n', ctl->out);
	put_lines(ctl, ctl_string(answer, "view.text"));
	if (*ctl_string(answer, "format_error")) {
		(void)fputs("\nThe format fails: ", ctl->out);
		text_put(ctl, ctl_string(answer, "format_error"));
		(void)fputc('\n', ctl->out);
	}
	put_body(ctl, answer);
}

static int notice_preview(struct ctl *ctl, char *const *args, int n_args)
{
	const char *receiver = ctl->values[CTL_OPT_RECEIVER];
	auto_free char *name = receiver ? client_escape(receiver, false) : NULL;
	auto_free char *tail = str_printf("%s%s", name ? "?receiver=" : "", name ? name : "");
	auto_free char *path = tail ? client_path("/v1/preview/", args[0], tail) : NULL;
	auto_json json_t *answer = NULL;
	int r = client_get(ctl, path, &answer);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, page);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"preview", "INCIDENT|CHECK", 1, 1, CTL_BIT(RECEIVER), notice_preview,
		"the notice as a receiver would get it now; nothing is sent"},
	{0},
};
const struct ctl_command ctl_notice = {"notice", "What notices say.", verbs};
