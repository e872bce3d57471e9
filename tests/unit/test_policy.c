/* SPDX-License-Identifier: MIT */
/* Files, triggers, modes, gates: what is done, and what is refused. */
#include "policy_fixture.h"

/* ---- files
 * ----------------------------------------------------------------------------------------------------
 */

/* A broken file is told by file and line, the others run; more files than runs may live at once. */
static void test_files(void **state)
{
	struct world *w = *state;
	auto_json json_t *list = NULL;

	write_policy(w, "mend", mend);
	write_policy(w, "broken", "policy 'broken' {\n  run = function( end,\n}\n");
	write_policy(w, "twin", mend);
	for (int i = 0; i < POLICY_MAX_RUNS + 10; i++) {
		auto_free char *name = str_printf("many-%d", i);
		auto_free char *text =
			str_printf("policy 'many-%d' { run = function() return true end }\n", i);

		write_policy(w, name, text);
	}
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_true(str_startswith(file_error(w, "broken.lua"), "broken.lua:2: "));
	assert_non_null(strstr(file_error(w, "twin.lua"), "declared in another file"));
	assert_string_equal(file_error(w, "mend.lua"), "");
	assert_int_equal(w->policies->catalog->defs.len, POLICY_MAX_RUNS + 11);
	list = policies_to_json(w->policies);
	assert_int_equal(json_array_size(list), POLICY_MAX_RUNS + 13);
	/* a reload while it is being described, and one that mends the file */
	write_policy(w, "broken", "policy 'broken' { run = function() return true end }\n");
	apply(w);
	apply(w);
	assert_int_equal(w->policies->catalog->defs.len, POLICY_MAX_RUNS + 11);
	WAIT_FOR(w->core.loop, described(w));
	assert_string_equal(file_error(w, "broken.lua"), "");
	assert_int_equal(w->policies->catalog->defs.len, POLICY_MAX_RUNS + 12);
	WAIT_FOR(w->core.loop, w->policies->runs.len == 0);
}

/* What the configuration gets wrong is told before a fault needs it: folders, names, parameters. */
static void test_settings(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];
	auto_json json_t *wrong = json_pack("{s:i}", "often", 3);
	auto_json json_t *right = json_pack("{s:i}", "times", 3);
	const struct policy_def *def;

	write_policy(w, "mend",
		"policy 'mend' { hand = true, params = { times = { type = 'integer', default = 1 } "
		"},\n"
		"  run = function(ctx) return ctx.params.times == 3 end }\n");
	w->daemon = "policy_dirs = /nowhere/policies\n[policy mend]\nparam.times = 2\n"
		    "[policy mand]\nenabled = no\n";
	ready(w);
	assert_non_null(strstr(file_error(w, "/nowhere/policies"), "No such file or directory"));
	assert_non_null(strstr(file_error(w, "mand"), "no policy 'mand', did you mean 'mend'?"));
	def = map_get(&w->policies->catalog->defs, "mend");
	assert_null(def->error);
	assert_int_equal(policies_n_broken(w->policies), 2);
	assert_int_equal(
		policies_run(w->policies, "mend", "s/web", wrong, "ann", id, &err), -EINVAL);
	assert_string_equal(err.text, "mend has no parameter 'often'");
	assert_int_equal(live(w), 0);
	assert_int_equal(policies_run(w->policies, "mend", "s/web", right, "ann", id, &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	w->daemon = "[policy mend]\nparam.time = 2\n";
	apply(w);
	WAIT_FOR(w->core.loop, described(w));
	def = map_get(&w->policies->catalog->defs, "mend");
	assert_non_null(def->error);
	assert_non_null(strstr(def->error, "no parameter 'time', did you mean 'times'?"));
	assert_int_equal(policies_n_broken(w->policies), 1);
}

/* ---- a fault is healed
 * ----------------------------------------------------------------------------------------- */

static void test_healed(void **state)
{
	struct world *w = *state;
	struct incident *incident;

	write_policy(w, "mend", mend);
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_true(last_run(w)->verified);
	assert_int_equal(requests(w, "command"), 1);
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	incident = incidents_recent(w->incidents)->items[0];
	assert_non_null(strstr(incident->summary, "last action: command.run mend: done"));
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_VERIFIED);
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* An incident that was open before the policies were known, or before Tend's start, is healed as
 * well. */
static void test_healed_after_restart(void **state)
{
	struct world *w = *state;

	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
	break_web(w);
	write_policy(w, "mend", mend);
	restart(w);
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, ended(w, 1) || requests(w, "command") == 1);
	WAIT_FOR(w->core.loop, ended(w, 1) && incidents_open(w->incidents)->len == 0);
}

/* The reason that a policy is for comes later than the incident. */
static void test_reason_follows(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = { reason = 'connect-refused' } },\n"
		"run = function(ctx)\n"
		"  tend.command.run('mend')\n"
		"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\nend }\n");
	ready(w);
	core_fail(&w->core, "s/web/a", "too-slow");
	assert_true(explained(w, "the reason is another"));
	assert_int_equal(live(w), 0);
	core_tell(&w->core, "s/web/a", "connect-refused");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
}

static const struct {
	const char *daemon, *why;
	size_t n_suggested;
} quiet_modes[] = {
	{"mode.production = observe\n", "mode is observe: it would run now", 0},
	{"mode.production = suggest\n", "mode is suggest: it would run now", 1},
	{"mode.production = auto\nactions = no\n", "actions are off: [daemon] actions = no", 0},
	{"mode.production = auto\n[policy mend]\nmode = observe\n", "mode is observe", 0},
	{"mode.production = auto\n[policy mend]\nenabled = no\n", "disables it", 0},
	{"mode.production = auto\n[policy mend]\nmatch_component = other/*\n", "narrows it", 0},
};

static void test_quiet_modes(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	for (size_t i = 0; i < ARRAY_SIZE(quiet_modes); i++) {
		const struct incident *incident;
		size_t n = 0;

		w->daemon = quiet_modes[i].daemon;
		ready(w);
		break_web(w);
		incident = incidents_open(w->incidents)->items[0];
		trigger_all(w->policies);
		trigger_all(w->policies);
		assert_int_equal(live(w), 0);
		if (!explained(w, quiet_modes[i].why))
			fail_msg("'%s' is not explained", quiet_modes[i].why);
		VEC_FOREACH (&incident->timeline, const struct timeline_entry *, entry)
			n += strcmp(entry->kind, "suggested") == 0;
		assert_int_equal(n, quiet_modes[i].n_suggested);
		core_tell(&w->core, "s/web/a", "ok");
		core_run(&w->core, "s/web/a");
		WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
		end(w);
		core_open(&w->core);
	}
	assert_int_equal(requests(w, "command"), 0);
	begin(w); /* for the teardown */
}

static void on_kept(int r, void *data)
{
	int *n_kept = data;

	assert_int_equal(r, 0);
	(*n_kept)++;
}

static void test_pause(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	int n_kept = 0;

	write_policy(w, "mend", mend);
	ready(w);
	assert_int_equal(
		policies_pause(w->policies, "ann", "moving house", on_kept, &n_kept, &err), 0);
	WAIT_FOR(w->core.loop, n_kept == 1);
	restart(w); /* the switch holds */
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
	break_web(w);
	assert_true(explained(w, "actions are off: paused by ann: moving house"));
	assert_int_equal(live(w) + w->policies->recent.len, 0);
	assert_int_equal(policies_resume(w->policies, "ann", on_kept, &n_kept, &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(notices(w, "policy.failed"), 0);
	assert_int_equal(n_kept, 2);
	assert_int_equal(notices(w, "actions.frozen"), 2); /* and its end */
}

/* What nobody can start by hand is suggested, too. */
static void test_suggested_without_hand(void **state)
{
	struct world *w = *state;
	const struct incident *incident;
	const char *text = NULL;

	write_policy(w, "mend", "policy 'mend' { on = { incident = {} }, run = function() end }\n");
	w->daemon = "mode.production = suggest\n";
	ready(w);
	break_web(w);
	incident = incidents_open(w->incidents)->items[0];
	VEC_FOREACH (&incident->timeline, const struct timeline_entry *, entry)
		if (strcmp(entry->kind, "suggested") == 0)
			text = entry->text;
	assert_non_null(text);
	assert_string_equal(text, "policy mend would run in mode auto");
}

/* Frozen and thawed again: told once each, and what waited is healed. */
static void test_freeze(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	policies_freeze(w->policies, "store", true);
	policies_freeze(w->policies, "outbox", true);
	break_web(w);
	assert_int_equal(live(w), 0);
	policies_freeze(w->policies, "store", false);
	assert_false(policies_actions_enabled(w->policies));
	policies_freeze(w->policies, "outbox", false);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(requests(w, "command"), 1);
	assert_true(notices(w, "actions.frozen") >= 1);
}

/* A run that hoards what it was answered ends, and with its end it lets go. */
static void test_hoarder(void **state)
{
	struct world *w = *state;

	write_policy(w, "hoard",
		"policy 'hoard' { hand = true, run = function(ctx)\n"
		"  local text = string.rep('x', 100000)\n"
		"  for i = 1, 1000 do tend.log(text) end\nend }\n");
	ready(w);
	run_by_hand(w, "hoard");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	assert_non_null(strstr(last_run(w)->message, "more than 8 MiB"));
	assert_int_equal(last_run(w)->steps.len, 0);
}

/* ---- what is refused
 * --------------------------------------------------------------------------------------------- */

/* Wrong arguments are named before anything happens. */
static void test_wrong_arguments(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function(ctx)\n"
		"  tend.command.run{ comand = 'mend' }\nend }\n");
	ready(w);
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	assert_string_equal(last_run(w)->message,
		"mend.lua:2: tend.command.run takes no argument 'comand', did you mean 'command'?");
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(w->policies->actions.len, 0);
	assert_int_equal(notices(w, "policy.failed"), 1);
}

static void test_by_hand(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *policy, *target, *error;
	} rows[] = {
		{"mand", "s/web", "there is no policy 'mand'"},
		{"mend", "s/wob", "'s/wob' is no component"},
		{"mend", NULL, "name one"},
		{"alone", "s/web", "cannot be started by hand"},
	};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "mend", mend);
	write_policy(w, "alone",
		"policy 'alone' { on = { incident = { component = 'x/y' } }, run = function() end "
		"}\n");
	w->daemon = "mode.production = suggest\n"; /* by hand is by hand */
	ready(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};

		assert_true(policies_run(w->policies, rows[i].policy, rows[i].target, NULL, "ann",
				    id, &err) < 0);
		if (!strstr(err.text, rows[i].error))
			fail_msg("'%s'", err.text);
	}
	break_web(w);
	behave(w, "silent");
	run_by_hand(w, "mend");
	{
		struct tend_error err = {0};

		assert_int_equal(
			policies_run(w->policies, "mend", "s/web/a", NULL, "bob", id, &err),
			-EBUSY);
	}
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	behave(w, "done");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
}

/* The last look before the deed says that it is well again. Recorded as refused, also over a
 * restart. */
static void test_well_again(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  tend.sleep('2s')\n"
		"  return nil, why, outcome\nend }\n");
	ready(w);
	core_tell(&w->core, "s/web/a", "connect-refused");
	core_run(&w->core, "s/web/a");
	core_run(&w->core, "s/web/a");
	core_tell(&w->core, "s/web/a", "ok");
	WAIT_FOR(w->core.loop, step_of(w, "2"));
	(void)snprintf(id, sizeof(id), "%s", live_run(w)->id);
	WAIT_FOR(w->core.loop, step_of(w, "2")->timer);
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_string_equal(last_run(w)->id, id);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "well again"));
	check_step(w, id, "1", "refused");
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* What never helps: the budget, then the breaker, and each is paged once. */
static void test_budget_and_breaker(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return nil, why or 'no help', outcome\nend }\n");
	w->daemon = "budget_per_target = 2\n";
	ready(w);
	break_web(w);
	for (size_t i = 1; i <= 3; i++) {
		behave(w, "failed");
		run_by_hand(w, "mend");
		WAIT_FOR(w->core.loop, ended(w, i));
	}
	assert_int_equal(requests(w, "command"), 2);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "the budget of s/web is used up"));
	assert_int_equal(notices(w, "policy.failed"), 3);
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 4));
	assert_int_equal(notices(w, "policy.failed"), 3); /* said before */
	w->daemon = "budget_per_target = 9\n";
	restart(w); /* the history of actions holds */
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 5));
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 6));
	assert_int_equal(requests(w, "command"), 3);
	assert_non_null(strstr(last_run(w)->message, "the breaker of s/web is open after 3"));
	assert_int_equal(notices(w, "policy.failed"), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_settings),
		TEST(test_hoarder),
		TEST(test_suggested_without_hand),
		TEST(test_healed),
		TEST(test_healed_after_restart),
		TEST(test_reason_follows),
		TEST(test_quiet_modes),
		TEST(test_pause),
		TEST(test_freeze),
		TEST(test_wrong_arguments),
		TEST(test_by_hand),
		TEST(test_well_again),
		TEST(test_budget_and_breaker),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
