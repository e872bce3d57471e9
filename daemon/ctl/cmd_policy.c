/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>
#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/policy.h"
#include "ctl/rehearse.h"

static const struct ctl_column next_columns[] = {
	{"AT", "at", CTL_TIME},
	{"TARGET", "target", CTL_TEXT},
	{"SCHEDULED", "local", CTL_TEXT},
	{0},
};

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
	return ask_list(ctl, "/v1/policies", NULL, columns);
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
	(void)fputs(" has begun: tendctl run follow ", ctl->out);
	text_put(ctl, ctl_string(answer, "run"));
	(void)fputc('\n', ctl->out);
}

/* One line of the terminal, without its end; the caller frees; NULL: there is none. */
static char *ask(const struct ctl *ctl, const char *name, const json_t *spec)
{
	const char *type = ctl_string(spec, "type"), *doc = ctl_string(spec, "doc");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	(void)fprintf(
		ctl->err, "%s (%s)%s%s: ", name, *type ? type : "string", *doc ? ", " : "", doc);
	(void)fflush(ctl->err);
	n = getline(&line, &size, stdin);
	if (n > 0 && line[n - 1] == '\n')
		line[--n] = '\0';
	if (n > 0)
		return line;
	free(line);
	return NULL;
}

/* On a terminal, parameters that have no default and were not given are asked for. */
static int ask_missing(struct ctl *ctl, const char *policy, json_t *params)
{
	auto_json json_t *row = NULL;
	json_t *spec;
	const char *name;
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(fileno(ctl->err)))
		return CTL_OK;
	r = client_get_named(ctl, "/v1/policies", "policy", policy, &row);
	if (r != 0)
		return r;
	json_object_foreach (json_object_get(row, "params"), name, spec) {
		auto_free char *value = NULL;

		if (json_object_get(spec, "default") || json_object_get(params, name))
			continue;
		value = ask(ctl, name, spec);
		if (!value || json_object_set_new(params, name, json_string(value)) < 0) {
			ctl_complain(ctl, "'%s' needs a value: nothing was begun", name);
			return CTL_USAGE;
		}
	}
	return CTL_OK;
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
	r = ask_missing(ctl, args[0], json_object_get(body, "params"));
	if (r != 0)
		return r;
	if (ctl->values[CTL_OPT_DRY_RUN])
		(void)json_object_set_new(body, "dry_run", json_true());
	r = client_post(ctl, path, body, false, &answer);
	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, run_page);
	return CTL_OK;
}

static int policy_next(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"n", ask_limit(ctl, "5")}, {0}};
	auto_free char *path = client_path("/v1/policies/", args[0], "/next");

	return ask_list(ctl, path, params, next_columns);
}

static void enable_page(struct ctl *ctl, const json_t *answer)
{
	(void)fputs("policy ", ctl->out);
	text_put(ctl, ctl_string(answer, "policy"));
	(void)fputs(" may run again\n", ctl->out);
}

static int policy_enable(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/policies/", args[0], "/enable");

	return ask_do(ctl, path, json_object(), enable_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, policy_list, "the policies, and what is wrong with them"},
	{"run", "NAME [TARGET] [KEY=VALUE...]", 1, CTL_MAX_ARGS, CTL_BIT(DRY_RUN), policy_run,
		"start one by hand on a component or check"},
	{"next", "NAME [-n N]", 1, 1, CTL_BIT(LIMIT), policy_next,
		"the next times of its schedule (5)"},
	{"enable", "NAME", 1, 1, 0, policy_enable,
		"let one run again that its own mistakes, or open breakers, stopped"},
	{"check", "[FILE...]", 0, CTL_MAX_ARGS, CTL_BIT(CONFIG), policy_check,
		"look at policies without running them (no daemon)"},
	{"test", "FILE...", 1, CTL_MAX_ARGS, CTL_BIT(JUNIT) | CTL_BIT(VERBOSE) | CTL_BIT(CONFIG),
		policy_test, "rehearse scenarios, files or folders (no daemon)"},
	{"replay", "NAME", 1, 1,
		CTL_BIT(SINCE) | CTL_BIT(CONFIG) | CTL_BIT(FILE) | CTL_BIT(VERBOSE), policy_replay,
		"what it would have done over the recorded history"},
	{0},
};
const struct ctl_command ctl_policy = {"policy", "Lua files that heal and maintain.", verbs};
