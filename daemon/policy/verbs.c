/* SPDX-License-Identifier: MIT */
#include "policy/verbs.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "conf/conf.h"
#include "policy/private.h"

const char *const verb_risk_names[RISK_MAX + 1] = {
	[RISK_OBSERVE] = "observe",
	[RISK_NOTIFY] = "notify",
	[RISK_CHANGE] = "change",
	[RISK_DESTROY] = "destroy",
};

static const char *const arg_type_names[ARG_TYPE_MAX] = {
	[ARG_STRING] = "a string",
	[ARG_INTEGER] = "an integer",
	[ARG_DURATION] = "a duration such as \"30s\", or seconds",
	[ARG_OBJECT] = "a table of names and values",
	[ARG_ARRAY] = "a list",
};

#define MINUTE_USEC (60 * USEC_PER_SEC)

const struct verb verbs[] = {
	{
		.name = "check.run",
		.args = {{"check", ARG_STRING, true}},
		.risk = RISK_OBSERVE,
		.timeout = 2 * MINUTE_USEC,
		.doc = "Runs a check now and gives its state, reason, text and metrics.",
		.execute = act_check_run,
	},
	{
		.name = "verify",
		.args = {{"check", ARG_STRING, true}, {"ok", ARG_INTEGER, false},
			{"within", ARG_DURATION, false}},
		.risk = RISK_OBSERVE,
		.timeout = 30 * MINUTE_USEC,
		.doc = "Waits until a check was well `ok` times in a row (3), `within` a time "
		       "(2m); "
		       "success of a run is the symptom gone.",
		.execute = act_verify,
	},
	{
		.name = "unit.start",
		.args = {{"unit", ARG_STRING, true}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "unit.stop",
		.doc = "Starts a systemd unit of a component.",
		.execute = act_unit,
	},
	{
		.name = "unit.stop",
		.args = {{"unit", ARG_STRING, true}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "unit.start",
		.doc = "Stops a systemd unit of a component.",
		.execute = act_unit,
	},
	{
		.name = "unit.restart",
		.args = {{"unit", ARG_STRING, true}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "none: what ran before has ended",
		.doc = "Restarts a systemd unit of a component.",
		.execute = act_unit,
	},
	{
		.name = "command.run",
		.args = {{"command", ARG_STRING, true}, {"args", ARG_OBJECT, false}},
		.risk = RISK_CHANGE,
		.timeout = 60 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "as the command says",
		.doc = "Runs a command of the executor's manifest with typed arguments.",
		.execute = act_command,
	},
	{
		.name = "sql.query",
		.args = {{"sql", ARG_STRING, true}, {"params", ARG_ARRAY, false},
			{"component", ARG_STRING, false}, {"max_rows", ARG_INTEGER, false}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "One statement in a read-only transaction under the role that only reads.",
		.execute = act_sql,
	},
	{
		.name = "sql.terminate_backend",
		.args = {{"pid", ARG_INTEGER, true}, {"backend_start", ARG_STRING, true},
			{"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = MINUTE_USEC,
		/* Bound to the session's own start: a second time finds nobody. */
		.resume = RESUME_AGAIN,
		.undo = "none: the session's transaction is rolled back",
		.doc = "Ends one database session, named by its pid and its start.",
		.execute = act_sql,
	},
	{
		.name = "notice.send",
		.args = {{"text", ARG_STRING, true}, {"severity", ARG_STRING, false}},
		.risk = RISK_NOTIFY,
		.timeout = MINUTE_USEC,
		.resume = RESUME_DONE,
		.doc = "Tells people; severity is info, warning or critical.",
		.execute = act_notice,
	},
	{
		.name = "log",
		.args = {{"text", ARG_STRING, true}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.resume = RESUME_DONE,
		.doc = "A line in the log and on the incident's timeline.",
		.execute = act_log,
	},
	{
		.name = "sleep",
		.args = {{"duration", ARG_DURATION, true}},
		.risk = RISK_OBSERVE,
		.timeout = 24 * 60 * MINUTE_USEC,
		.doc = "Waits; what is left of it after a restart is waited then.",
		.execute = act_sleep,
	},
	{
		.name = "now",
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "The time: seconds since 1970 and as RFC 3339 text.",
		.execute = act_now,
	},
};
const size_t n_verbs = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

int verb_duration(const json_t *value, usec_t *ret_usec)
{
	double sec = json_is_number(value) ? json_number_value(value) : -1;

	if (json_is_string(value))
		return conf_parse_span(json_string_value(value), ret_usec);
	if (sec < 0 || sec > 1e9)
		return -EINVAL;
	*ret_usec = (usec_t)(sec * 1e6);
	return 0;
}

static bool arg_fits(enum verb_arg_type type, const json_t *value)
{
	usec_t usec;

	switch (type) {
	case ARG_STRING:
		return json_is_string(value);
	case ARG_INTEGER:
		return json_is_integer(value);
	case ARG_DURATION:
		return verb_duration(value, &usec) == 0;
	case ARG_OBJECT:
		/* An empty Lua table is an empty list on the wire. */
		return json_is_object(value) || json_array_size(value) == 0;
	case ARG_ARRAY:
		return json_is_array(value) || json_object_size(value) == 0;
	default:
		return false;
	}
}

static const struct verb_arg *find_arg(const struct verb *verb, const char *name)
{
	for (size_t i = 0; i < VERB_MAX_ARGS && verb->args[i].name; i++)
		if (strcmp(verb->args[i].name, name) == 0)
			return &verb->args[i];
	return NULL;
}

static int unknown_arg(const struct verb *verb, const char *name, struct tend_error *err)
{
	const char *names[VERB_MAX_ARGS];
	size_t n = 0;

	while (n < VERB_MAX_ARGS && verb->args[n].name) {
		names[n] = verb->args[n].name;
		n++;
	}
	const char *nearest = str_nearest(name, names, n);
	return tend_error_set(err, -EINVAL, "%s takes no argument '%.64s'%s%s%s", verb->name, name,
		nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

int verb_check_args(const struct verb *verb, const json_t *args, struct tend_error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(args) && json_array_size(args) > 0)
		return tend_error_set(err, -EINVAL, "%s takes named arguments", verb->name);
	json_object_foreach ((json_t *)(uintptr_t)args, key, value) {
		const struct verb_arg *arg = find_arg(verb, key);

		if (!arg)
			return unknown_arg(verb, key, err);
		if (!arg_fits(arg->type, value))
			return tend_error_set(err, -EINVAL, "%s: '%s' must be %s", verb->name, key,
				arg_type_names[arg->type]);
	}
	for (size_t i = 0; i < VERB_MAX_ARGS && verb->args[i].name; i++)
		if (verb->args[i].required && !json_object_get(args, verb->args[i].name))
			return tend_error_set(err, -EINVAL, "%s: '%s' is missing", verb->name,
				verb->args[i].name);
	return 0;
}

json_t *verbs_to_json(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n_verbs; i++) {
		json_t *args = json_array();

		for (size_t k = 0; k < VERB_MAX_ARGS && verbs[i].args[k].name; k++)
			(void)json_array_append_new(args, json_string(verbs[i].args[k].name));
		(void)json_array_append_new(
			list, json_pack("{s:s, s:o}", "name", verbs[i].name, "args", args));
	}
	return list;
}
