/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include <errno.h>
#include "base/str.h"

enum { MAX_PATH_BYTES = 65536 };

int ask_page(struct ctl *ctl, const char *path, ctl_page_fn page)
{
	auto_json json_t *found = NULL;
	int r = client_get(ctl, path, &found);

	if (r == CTL_OK)
		ctl->writer->page(ctl, found, page);
	return r;
}

int ask_show(struct ctl *ctl, const char *prefix, const char *name, ctl_page_fn page)
{
	auto_free char *path = client_path(prefix, name, "");

	return ask_page(ctl, path, page);
}

int ask_rows(struct ctl *ctl, const char *path, const struct ask_param *params, json_t **ret_rows)
{
	auto_str struct str whole = STR_INIT(MAX_PATH_BYTES);
	const char *before = "?";
	int r = path ? str_appendf(&whole, "%s", path) : -ENOMEM;

	for (; params && params->key && r == 0; params++) {
		auto_free char *value = params->value ? client_escape(params->value, false) : NULL;

		if (!params->value)
			continue;
		r = value ? str_appendf(&whole, "%s%s=%s", before, params->key, value) : -ENOMEM;
		before = "&";
	}
	if (r == -ENOMEM)
		return client_get(ctl, NULL, ret_rows);
	if (r < 0) {
		ctl_complain(ctl, "that is too long");
		return CTL_USAGE;
	}
	return client_get(ctl, str_get(&whole), ret_rows);
}

int ask_list(struct ctl *ctl, const char *path, const struct ask_param *params,
	const struct ctl_column *columns)
{
	auto_json json_t *rows = NULL;
	int r = ask_rows(ctl, path, params, &rows);

	if (r == CTL_OK)
		ctl->writer->list(ctl, rows, columns);
	return r;
}

const char *ask_limit(const struct ctl *ctl, const char *otherwise)
{
	const char *limit = ctl->values[CTL_OPT_LIMIT];

	return limit ? limit : otherwise;
}

int ask_change(struct ctl *ctl, const char *path, json_t *body, json_t **ret_answer)
{
	auto_json json_t *taken = body;

	if (!taken) {
		ctl_complain(ctl, "what was said is no valid UTF-8");
		return CTL_USAGE;
	}
	return client_post(ctl, path, taken, false, ret_answer);
}

int ask_do(struct ctl *ctl, const char *path, json_t *body, ctl_page_fn page)
{
	auto_json json_t *answer = NULL;
	int r = ask_change(ctl, path, body, &answer);

	if (r == CTL_OK)
		ctl->writer->page(ctl, answer, page);
	return r;
}

const char *ask_comment(struct ctl *ctl, const char *hint)
{
	const char *comment = ctl->values[CTL_OPT_COMMENT];

	if (!comment)
		ctl_complain(ctl, "%s", hint);
	return comment;
}
