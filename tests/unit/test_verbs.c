/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <jansson.h>
#include <string.h>
#include "policy/private.h"

static const struct {
	const char *verb, *args, *error; /* error NULL = fine */
} rows[] = {
	{"unit.restart", "{\"unit\":\"a.service\"}", NULL},
	{"unit.restart", "{}", "unit.restart: 'unit' is missing"},
	{"unit.restart", "[]", "unit.restart: 'unit' is missing"},
	{"unit.restart", "{\"unit\":7}", "unit.restart: 'unit' must be a string"},
	{"unit.restart", "{\"units\":\"a\"}",
		"unit.restart takes no argument 'units', did you mean 'unit'?"},
	{"verify", "{\"check\":\"c\",\"within\":\"2m\",\"ok\":3}", NULL},
	{"verify", "{\"check\":\"c\",\"within\":90.5}", NULL},
	{"verify", "{\"check\":\"c\",\"within\":\"soon\"}",
		"verify: 'within' must be a duration such as \"30s\", or seconds"},
	{"sql.query", "{\"sql\":\"select 1\",\"params\":[1]}", NULL},
	{"sql.query", "{\"sql\":\"select 1\",\"params\":{}}", NULL},
	{"sql.query", "{\"sql\":\"select 1\",\"params\":{\"a\":1}}",
		"sql.query: 'params' must be a list"},
	{"sql.query", "{\"sql\":\"select 1\",\"params\":\"no\"}",
		"sql.query: 'params' must be a list"},
	{"sql.query", "{\"sql\":\"select 1\",\"params\":5}", "sql.query: 'params' must be a list"},
	{"command.run", "{\"command\":\"x\",\"args\":[]}", NULL},
	{"command.run", "{\"command\":\"x\",\"args\":{\"a\":\"b\"}}", NULL},
	{"command.run", "{\"command\":\"x\",\"args\":[1]}",
		"command.run: 'args' must be a table of names and values"},
	{"command.run", "{\"command\":\"x\",\"args\":\"no\"}",
		"command.run: 'args' must be a table of names and values"},
	{"command.run", "{\"command\":\"x\",\"args\":true}",
		"command.run: 'args' must be a table of names and values"},
	{"sql.execute", "{\"name\":\"x\",\"params\":\"no\"}",
		"sql.execute: 'params' must be a table of names and values"},
	{"notice.send", "{\"text\":\"x\"}", NULL},
	{"notice.send", "{\"text\":\"x\",\"severity\":\"critical\"}", NULL},
	{"notice.send", "{\"text\":\"x\",\"severity\":\"crit\"}",
		"notice.send: 'severity' must be info, warning or critical"},
	{"notice.send", "{\"text\":\"x\",\"severity\":2}",
		"notice.send: 'severity' must be info, warning or critical"},
	{"now", "{}", NULL},
	{"now", "{\"x\":1}", "now takes no argument 'x'"},
};

static void test_args(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *args = json_loads(rows[i].args, 0, NULL);
		struct tend_error err = {0};
		int r = verb_check_args(verb_find(rows[i].verb), args, &err);

		if ((r < 0) != (rows[i].error != NULL) ||
			(rows[i].error && strcmp(err.text, rows[i].error) != 0))
			fail_msg("%s %s: '%s'", rows[i].verb, rows[i].args, err.text);
	}
}

/* What a verb promises must hang together: who changes something says how it is undone, and is
 * never begun twice unless that is harmless. */
static void test_table(void **unused)
{
	for (size_t i = 0; i < n_verbs; i++) {
		assert_non_null(verbs[i].doc);
		assert_non_null(verbs[i].execute);
		assert_true(verbs[i].timeout > 0);
		assert_int_equal(verbs[i].risk >= RISK_CHANGE, verbs[i].undo != NULL);
		if ((strncmp(verbs[i].name, "unit.", 5) == 0 && verbs[i].risk >= RISK_CHANGE) ||
			strcmp(verbs[i].name, "command.run") == 0)
			assert_int_equal(verbs[i].resume, RESUME_ATTACH);
	}
	assert_null(verb_find("unit.explode"));
}

static void test_trigger(void **unused)
{
	static const struct {
		const char *on;
		bool expected;
	} triggers[] = {
		{"{\"incident\":{}}", true},
		{"{\"incident\":{\"component\":\"*/web\"}}", true},
		{"{\"incident\":{\"component\":\"*/db\"}}", false},
		{"{\"incident\":{\"reason\":[\"too-slow\",\"unit-failed\"]}}", true},
		{"{\"incident\":{\"reason\":\"unit-stopped\"}}", false},
		{"{\"incident\":{\"severity\":\"critical\",\"check\":\"*/unit\"}}", true},
		{"{}", false},
	};
	char check[] = "crm/web/unit", component[] = "crm/web";
	struct incident incident = {
		.check = check,
		.component = component,
		.reason = TEND_REASON_UNIT_FAILED,
		.severity = SEVERITY_CRITICAL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(triggers); i++) {
		auto_json json_t *on = json_loads(triggers[i].on, 0, NULL);
		auto_json json_t *decl = json_pack("{s:O}", "on", on);
		const char *why;

		if (trigger_matches(decl, NULL, &incident, NULL, &why) != triggers[i].expected)
			fail_msg("%s", triggers[i].on);
	}
}

/* What needs a unit is not started where there is none; what an operator stopped never is. */
static void test_trigger_unit(void **unused)
{
	char check[] = "crm/web/unit", name[] = "crm/web", unit[] = "web.service";
	struct conf_system system = {.environment = 0};
	struct conf_component conf = {.name = name, .system = &system};
	struct component component = {.conf = &conf};
	struct incident incident = {
		.check = check,
		.component = name,
		.reason = TEND_REASON_TOO_SLOW,
	};
	auto_json json_t *decl = json_pack("{s:{s:{s:s}}}", "on", "incident", "unit", "*");
	const char *why;

	assert_false(trigger_matches(decl, NULL, &incident, &component, &why));
	assert_string_equal(why, "the component has no unit, or another");
	conf.unit = unit;
	assert_true(trigger_matches(decl, NULL, &incident, &component, &why));
	incident.reason = TEND_REASON_UNIT_STOPPED;
	assert_false(trigger_matches(decl, NULL, &incident, &component, &why));
	assert_string_equal(why, "an operator has stopped it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_trigger),
		cmocka_unit_test(test_trigger_unit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
