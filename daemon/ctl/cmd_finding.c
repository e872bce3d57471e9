/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"COMPONENT", "scope", CTL_TEXT},
	{"FINDING", "key", CTL_TEXT},
	{"STATE", "value.state", CTL_STATE},
	{"SEVERITY", "value.severity", CTL_TEXT},
	{"SINCE", "value.since", CTL_TEXT},
	{"TEXT", "value.text", CTL_TEXT},
	{0},
};

static const struct ctl_column exception_columns[] = {
	{"COMPONENT", "scope", CTL_TEXT},
	{"FINDING", "key", CTL_TEXT},
	{"UNTIL", "value.until_date", CTL_TEXT},
	{"BY", "value.author", CTL_TEXT},
	{"WHY", "value.why", CTL_TEXT},
	{0},
};

static int list(struct ctl *ctl, const char *kind, const char *scope,
	const struct ctl_column *shown, bool only_open)
{
	const struct ask_param params[] = {
		{"kind", kind}, {"limit", ask_limit(ctl, "100")}, {"scope", scope}, {0}};
	auto_json json_t *rows = NULL;
	int r = ask_rows(ctl, "/v1/records", params, &rows);

	if (r != 0)
		return r;
	for (size_t i = json_array_size(rows); only_open && i-- > 0;)
		if (!str_eq(json_string_value(ctl_lookup(json_array_get(rows, i), "value.state")),
			    "open"))
			(void)json_array_remove(rows, i);
	ctl->writer->list(ctl, rows, shown);
	return CTL_OK;
}

static int finding_list(struct ctl *ctl, char *const *args, int n_args)
{
	return list(ctl, "finding", n_args ? args[0] : NULL, columns,
		ctl->values[CTL_OPT_OPEN] != NULL);
}

static int finding_exceptions(struct ctl *ctl, char *const *args, int n_args)
{
	return list(ctl, "exception", n_args ? args[0] : NULL, exception_columns, false);
}

static void accepted_page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs("accepted; it is told again after that day\n", ctl->out);
}

static int finding_accept(struct ctl *ctl, char *const *args, int n_args)
{
	const char *comment =
		ask_comment(ctl, "a comment is needed: -m 'why this is fine until then'");

	if (!comment)
		return CTL_USAGE;
	return ask_do(ctl, "/v1/findings/accept",
		json_pack("{s:s, s:s, s:s, s:s}", "scope", args[0], "key", args[1], "until",
			args[2], "comment", comment),
		accepted_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "[COMPONENT]", 0, 1, CTL_BIT(OPEN) | CTL_BIT(LIMIT), finding_list,
		"what audits found, and whether it is still so"},
	{"accept", "COMPONENT FINDING DAY -m COMMENT", 3, 3, CTL_BIT(COMMENT), finding_accept,
		"live with it until a day (2026-12-31): it is not told until then"},
	{"exceptions", "[COMPONENT]", 0, 1, CTL_BIT(LIMIT), finding_exceptions,
		"what was accepted, by whom, until when"},
	{0},
};
const struct ctl_command ctl_finding = {"finding", "Findings of audits: open until closed.", verbs};
