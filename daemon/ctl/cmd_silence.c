/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"ID", "id", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"ENDS", "ends", CTL_TIME},
	{"AUTHOR", "author", CTL_TEXT},
	{"MATCHERS", "matchers", CTL_TEXT},
	{"COMMENT", "comment", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Silence", "id", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Matchers", "matchers", CTL_TEXT},
	{"Begins", "starts", CTL_TIME},
	{"Ends", "ends", CTL_TIME},
	{"Ends with its incidents", "until_resolved", CTL_YESNO},
	{"Author", "author", CTL_TEXT},
	{"Comment", "comment", CTL_TEXT},
	{"Made", "created", CTL_TIME},
	{"Ended", "ended", CTL_TIME},
	{"by", "ended_by", CTL_TEXT},
	{"Open incidents it matches", "incidents", CTL_JOIN},
	{0},
};

static int silence_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"all", ctl->values[CTL_OPT_ALL] ? "1" : NULL}, {0}};

	return ask_list(ctl, "/v1/silences", params, columns);
}

static int show(struct ctl *ctl, const json_t *silence)
{
	ctl->writer->object(ctl, silence, fields);
	return CTL_OK;
}

static int silence_show(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/silences/", args[0], "");
	auto_json json_t *silence = NULL;
	int r = client_get(ctl, path, &silence);

	return r != 0 ? r : show(ctl, silence);
}

static int silence_add(struct ctl *ctl, char *const *args, int n_args)
{
	const char *comment = ctl->values[CTL_OPT_COMMENT];
	auto_json json_t *body = NULL, *silence = NULL;
	json_t *matchers = json_array();
	int r;

	for (int i = 0; i < n_args; i++)
		(void)json_array_append_new(matchers, json_string(args[i]));
	body = json_pack("{s:o, s:s}", "matchers", matchers, "comment", comment ? comment : "");
	if (!comment || !body) {
		ctl_complain(ctl, comment ? "that is no valid UTF-8"
					  : "a comment is needed: -m 'why it is to be quiet'");
		return CTL_USAGE;
	}
	if (!ctl->values[CTL_OPT_FOR] && !ctl->values[CTL_OPT_UNTIL]) {
		ctl_complain(ctl, "how long? --for 2h, or --until 18:00");
		return CTL_USAGE;
	}
	if (ctl->values[CTL_OPT_UNTIL_RESOLVED])
		(void)json_object_set_new(body, "until_resolved", json_true());
	r = ctl_put_times(ctl, body);
	if (r == 0)
		r = client_post(ctl, "/v1/silences", body, false, &silence);
	return r != 0 ? r : show(ctl, silence);
}

static int silence_expire(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/silences/", args[0], "/expire");
	auto_json json_t *silence = NULL;
	int r = client_post(ctl, path, NULL, false, &silence);

	return r != 0 ? r : show(ctl, silence);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(ALL), silence_list, "those that have not ended"},
	{"add", "NAME=VALUE... -m COMMENT", 1, 32,
		CTL_BIT(COMMENT) | CTL_BIT(FOR) | CTL_BIT(UNTIL) | CTL_BIT(FROM) |
			CTL_BIT(UNTIL_RESOLVED),
		silence_add, "keep back the notices of what has these labels (also != =~ !~)"},
	{"show", "ID", 1, 1, 0, silence_show, "one of them, and what it keeps back now"},
	{"expire", "ID", 1, 1, 0, silence_expire, "end one: what still fails is told then"},
	{0},
};
const struct ctl_command ctl_silence = {
	"silence",
	"Ad-hoc quiet: notices wait, and after a fresh look only what still fails is told.",
	verbs,
};
