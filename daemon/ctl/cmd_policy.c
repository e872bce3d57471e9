/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/policy.h"
#include "ctl/writer.h"

static const struct ctl_column columns[] = {
	{"POLICY", "name", CTL_TEXT},
	{"MODE", "mode", CTL_JOIN},
	{"ENABLED", "enabled", CTL_YESNO},
	{"LAST RUN", "last_run.started", CTL_AGO},
	{"LAST STATE", "last_run.state", CTL_STATE},
	{"ERROR", "error", CTL_TEXT},
	{"DOC", "doc", CTL_TEXT},
	{0},
};

static int policy_list(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, "/v1/policies", &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

int policy_request(char *const *args, int n_args, struct tend_error *err, json_t **ret_body)
{
	auto_json json_t *params = json_object(), *body = NULL;
	const char *target = NULL;

	for (int i = 0; i < n_args; i++) {
		const char *equal = strchr(args[i], '=');
		auto_free char *key = equal ? strndup(args[i], (size_t)(equal - args[i])) : NULL;

		if (!equal && target)
			return tend_error_set(err, -EINVAL,
				"'%s' is a second target: parameters are written key=value",
				args[i]);
		if (!equal) {
			target = args[i];
			continue;
		}
		if (!key || !*key)
			return tend_error_set(
				err, -EINVAL, "'%s' has no name before the '='", args[i]);
		if (json_object_get(params, key))
			return tend_error_set(err, -EINVAL, "'%s' is given twice", key);
		if (json_object_set_new(params, key, json_string(equal + 1)) < 0)
			return tend_error_set(err, -EINVAL, "'%s' is no valid UTF-8", key);
	}
	body = json_pack("{s:s?,s:O}", "target", target, "params", params);
	if (!body)
		return tend_error_set(err, -EINVAL, "the target is no valid UTF-8");
	*ret_body = TAKE(body);
	return 0;
}

static void run_page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs("run ", ctl->out);
	text_put(ctl, ctl_string(answer, "run"));
	(void)fputs(" has begun: tendctl run show ", ctl->out);
	text_put(ctl, ctl_string(answer, "run"));
	(void)fputc('\n', ctl->out);
}

static int policy_run(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/policies/", args[0], "/run");
	auto_json json_t *body = NULL, *answer = NULL;
	struct tend_error err = {0};
	int r;

	if (policy_request(args + 1, n_args - 1, &err, &body) < 0) {
		ctl_complain(ctl, "%s", err.text);
		return CTL_USAGE;
	}
	r = client_post(ctl, path, body, false, &answer);
	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, run_page);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, policy_list, "the policies, and what is wrong with them"},
	{"run", "NAME [TARGET] [KEY=VALUE...]", 1, CTL_MAX_ARGS, 0, policy_run,
		"start one by hand on a component or check"},
	{0},
};
const struct ctl_command ctl_policy = {"policy", "Lua files that heal and maintain.", verbs};
