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
	[ARG_SEVERITY] = "info, warning or critical",
	[ARG_ANY] = "a value",
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
		.name = "check.report",
		.args = {{"check", ARG_STRING, true}, {"state", ARG_STRING, true},
			{"reason", ARG_STRING, false}, {"text", ARG_STRING, true},
			{"metrics", ARG_OBJECT, false}},
		.risk = RISK_OBSERVE,
		.pretend = true,
		.timeout = 2 * MINUTE_USEC,
		.doc = "Gives a check of the probe passive its state (ok, warning, critical, "
		       "unknown), with a text for people and metrics.",
		.execute = act_report,
	},
	{
		.name = "verify",
		.args = {{"check", ARG_STRING, true}, {"ok", ARG_INTEGER, false},
			{"within", ARG_DURATION, false}},
		.risk = RISK_OBSERVE,
		.timeout = 30 * MINUTE_USEC,
		.doc = "Waits until a check was well `ok` times in a row (3), `within` a time "
		       "(2m); success of a run is the symptom gone: its own check well, or one of "
		       "what it acted on.",
		.execute = act_verify,
	},
	{
		.name = "unit.start",
		.args = {{"unit", ARG_STRING, true}, {"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "unit.stop",
		.doc = "Starts a systemd unit of a component: the run's own if it has that unit, "
		       "else the "
		       "only one that has it, or the `component` that is named.",
		.execute = act_unit,
	},
	{
		.name = "unit.stop",
		.args = {{"unit", ARG_STRING, true}, {"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "unit.start",
		.doc = "Stops a systemd unit of a component, found as by unit.start.",
		.execute = act_unit,
	},
	{
		.name = "unit.restart",
		.args = {{"unit", ARG_STRING, true}, {"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "none: what ran before has ended",
		.doc = "Restarts a systemd unit of a component, found as by unit.start.",
		.execute = act_unit,
	},
	{
		.name = "unit.reload",
		.args = {{"unit", ARG_STRING, true}, {"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = 5 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "none: what was configured before has gone",
		.doc = "Makes a systemd unit of a component, found as by unit.start, read its "
		       "configuration again.",
		.execute = act_unit,
	},
	{
		.name = "command.run",
		.args = {{"command", ARG_STRING, true}, {"args", ARG_OBJECT, false},
			{"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = 60 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "as the command says",
		.doc = "Runs a command of the executor's manifest with typed arguments; on another "
		       "`component` than the run's, by its limits and on its host.",
		.dry = "{\"result\":\"done\",\"exit_status\":0,\"stdout\":\"\","
		       "\"stderr\":\"\"}",
		.execute = act_command,
	},
	{
		.name = "command.query",
		.args = {{"command", ARG_STRING, true}, {"args", ARG_OBJECT, false},
			{"component", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.timeout = 12 * 60 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.doc = "The same for a command of which the manifest says `risk = observe`: it "
		       "changes nothing, so it is no action and counts against no limit.",
		.execute = act_command_query,
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
		.name = "sql.execute",
		.args = {{"name", ARG_STRING, true}, {"params", ARG_OBJECT, false},
			{"component", ARG_STRING, false}},
		.risk = RISK_CHANGE,
		.timeout = 30 * MINUTE_USEC,
		.resume = RESUME_ATTACH,
		.undo = "as the statement says",
		.doc = "Runs a statement of the executor's manifest, [sql NAME], with typed "
		       "parameters, under the role that may change things; one that would "
		       "change more rows than the manifest allows is rolled back.",
		.execute = act_sql_execute,
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
		.name = "components",
		.args = {{"kind", ARG_STRING, false}, {"system", ARG_STRING, false},
			{"depends_on", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "The configured components by name, each with unit, host (if it is "
		       "another), kind, system, environment; `depends_on`: those that depend on "
		       "that one, nearest first.",
		.execute = act_components,
	},
	{
		.name = "component.checks",
		.args = {{"component", ARG_STRING, true}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "The checks of a component as they stand: name, state, reason, text.",
		.execute = act_component_checks,
	},
	{
		.name = "window.check",
		.args = {{"component", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "Whether a window with actions = allow is open for this policy on the "
		       "component: open, window, until, left (seconds), next, freeze, "
		       "frozen_until.",
		.execute = act_window,
	},
	{
		.name = "unit.show",
		.args = {{"unit", ARG_STRING, true}, {"component", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "What systemd says of a unit: state, sub_state, result, invocation_id, "
		       "main_pid, memory_bytes (anonymous and swapped, of all its processes; null "
		       "when it is not known), intent.",
		.execute = act_unit_show,
	},
	{
		.name = "record.put",
		.args = {{"kind", ARG_STRING, true}, {"key", ARG_STRING, true},
			{"value", ARG_ANY, true}, {"scope", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.pretend = true,
		.timeout = MINUTE_USEC,
		.doc = "Keeps a value beyond the run, replacing the one of before. Kinds: note, "
		       "backup, inventory, baseline, report, finding, exception.",
		.execute = act_record_put,
	},
	{
		.name = "record.get",
		.args = {{"kind", ARG_STRING, true}, {"key", ARG_STRING, true},
			{"scope", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "The value kept under the key; false if there is none.",
		.execute = act_record_get,
	},
	{
		.name = "record.list",
		.args = {{"kind", ARG_STRING, true}, {"scope", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.doc = "The records of a kind, newest first, at most 1,000: scope, key, at, value; "
		       "of every scope unless one is given.",
		.execute = act_record_list,
	},
	{
		.name = "record.remove",
		.args = {{"kind", ARG_STRING, true}, {"key", ARG_STRING, true},
			{"scope", ARG_STRING, false}},
		.risk = RISK_OBSERVE,
		.pretend = true,
		.timeout = MINUTE_USEC,
		.doc = "Removes a record.",
		.execute = act_record_remove,
	},
	{
		.name = "notice.send",
		.args = {{"text", ARG_STRING, true}, {"severity", ARG_SEVERITY, false}},
		.risk = RISK_NOTIFY,
		.timeout = MINUTE_USEC,
		.resume = RESUME_DONE,
		.doc = "Tells people; severity is info (the default), warning or critical.",
		.execute = act_notice,
	},
	{
		.name = "sign_off",
		.args = {{"text", ARG_STRING, true}, {"people", ARG_INTEGER, false},
			{"within", ARG_DURATION, false}},
		.risk = RISK_OBSERVE,
		.timeout = 24 * 60 * MINUTE_USEC,
		.pretend = true,
		.dry = "{\"by\":[]}",
		.doc = "Asks people for their word and waits for it: `people` different ones (1; "
		       "of "
		       "two or more none is root), `within` a time ([daemon] approval_expires). "
		       "Done gives who it was; failed is denied, or nobody in time.",
		.execute = act_sign_off,
	},
	{
		.name = "log",
		.args = {{"text", ARG_STRING, true}},
		.risk = RISK_OBSERVE,
		.pretend = true,
		.timeout = MINUTE_USEC,
		.resume = RESUME_DONE,
		.doc = "A line in the log and on the incident's timeline.",
		.execute = act_log,
	},
	{
		.name = "sleep",
		.args = {{"duration", ARG_DURATION, true}},
		.risk = RISK_OBSERVE,
		.pretend = true,
		.timeout = 24 * 60 * MINUTE_USEC,
		.doc = "Waits; what is left of it after a restart is waited then.",
		.execute = act_sleep,
	},
	{
		.name = "branch.won",
		.args = {{"path", ARG_STRING, true}, {"winner", ARG_INTEGER, true}},
		.risk = RISK_OBSERVE,
		.timeout = MINUTE_USEC,
		.resume = RESUME_DONE,
		.doc = "Said by the runner itself: which branch of tend.any was first.",
		.internal = true,
		.execute = act_noted,
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

int verb_severity(const json_t *value, enum conf_severity *ret_severity)
{
	for (int i = 0; i < SEVERITY_MAX; i++)
		if (str_eq(json_string_value(value), conf_severity_names[i])) {
			*ret_severity = (enum conf_severity)i;
			return 0;
		}
	return -EINVAL;
}

static bool arg_fits(enum verb_arg_type type, const json_t *value)
{
	enum conf_severity severity;
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
		return json_is_object(value) ||
		       (json_is_array(value) && json_array_size(value) == 0);
	case ARG_ARRAY:
		return json_is_array(value) ||
		       (json_is_object(value) && json_object_size(value) == 0);
	case ARG_SEVERITY:
		return verb_severity(value, &severity) == 0;
	case ARG_ANY:
		return true;
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
