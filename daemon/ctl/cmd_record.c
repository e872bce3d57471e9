/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"SCOPE", "scope", CTL_TEXT},
	{"KEY", "key", CTL_TEXT},
	{"AT", "at", CTL_TIME},
	{"BY", "policy|author", CTL_TEXT},
	{"VALUE", "value.summary|value.text|value", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"scope", "scope", CTL_TEXT},
	{"key", "key", CTL_TEXT},
	{"at", "at", CTL_TIME},
	{"by", "policy|author", CTL_TEXT},
	{"summary", "value.summary|value.text", CTL_TEXT},
	{0},
};

static bool is_kind(struct ctl *ctl, const char *text)
{
	static const char *const kinds[] = {
		"note", "backup", "inventory", "baseline", "report", "finding", "exception"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i], text) == 0)
			return true;
	ctl_complain(ctl,
		"there are no records of the kind '%s', only note, backup, inventory, baseline, "
		"report, finding and exception",
		text);
	return false;
}

static int record_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"kind", args[0]}, {"limit", ask_limit(ctl, "100")},
		{"scope", n_args > 1 ? args[1] : NULL}, {0}};

	return is_kind(ctl, args[0]) ? ask_list(ctl, "/v1/records", params, columns) : CTL_USAGE;
}

static void put_value(struct ctl *ctl, const char *name, const json_t *value)
{
	auto_free char *text =
		json_is_string(value)
			? NULL
			: json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	(void)fprintf(ctl->out, "  ");
	if (name) {
		text_put(ctl, name);
		(void)fputs(": ", ctl->out);
	}
	text_put(ctl, text ? text : json_string_value(value));
	(void)fputc('\n', ctl->out);
}

/* Lists as a line each: a report is read by people. */
static void record_page(struct ctl *ctl, const json_t *row)
{
	json_t *value = json_object_get(row, "value"), *member, *line;
	const char *name;
	size_t i;

	text_object(ctl, row, fields);
	if (!json_is_object(value)) {
		put_value(ctl, NULL, value);
		return;
	}
	json_object_foreach (value, name, member) {
		if (strcmp(name, "summary") == 0 || strcmp(name, "text") == 0)
			continue;
		if (!json_is_array(member)) {
			put_value(ctl, name, member);
			continue;
		}
		text_title(ctl, name);
		json_array_foreach (member, i, line)
			put_value(ctl, NULL, line);
	}
}

static int record_show(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *k = client_escape(args[0], false);
	auto_free char *s = client_escape(args[1], false);
	auto_free char *key = client_escape(args[2], false);
	auto_free char *path =
		k && s && key ? str_printf("/v1/records?kind=%s&scope=%s&key=%s", k, s, key) : NULL;
	auto_json json_t *rows = NULL;
	int r = is_kind(ctl, args[0]) ? client_get(ctl, path, &rows) : CTL_USAGE;

	if (r != 0)
		return r;
	if (json_array_size(rows) == 0) {
		ctl_complain(ctl, "there is no %s '%s' of %s", args[0], args[2], args[1]);
		return CTL_FAILED;
	}
	ctl->writer->page(ctl, json_array_get(rows, 0), record_page);
	return CTL_OK;
}

static void removed_page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs("removed\n", ctl->out);
}

static int record_remove(struct ctl *ctl, char *const *args, int n_args)
{
	const char *comment;

	if (!is_kind(ctl, args[0]))
		return CTL_USAGE;
	comment = ask_comment(ctl, "a comment is needed: -m 'why it holds no more'");
	if (!comment)
		return CTL_USAGE;
	return ask_do(ctl, "/v1/records/remove",
		json_pack("{s:s, s:s, s:s, s:s}", "kind", args[0], "scope", args[1], "key", args[2],
			"comment", comment),
		removed_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "KIND [SCOPE]", 1, 2, CTL_BIT(LIMIT), record_list,
		"what policies keep: note, backup, inventory, baseline, report, finding or "
		"exception"},
	{"show", "KIND SCOPE KEY", 3, 3, 0, record_show, "one of them, as in a report to be read"},
	{"remove", "KIND SCOPE KEY -m COMMENT", 3, 3, CTL_BIT(COMMENT), record_remove,
		"take it back, for a policy that goes by it: a note that holds versions back, say"},
	{0},
};
const struct ctl_command ctl_record = {"record", "What policies keep: reports, notes.", verbs};
