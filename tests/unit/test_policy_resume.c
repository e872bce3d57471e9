/* SPDX-License-Identifier: MIT */
/* Tend, its runners or its journal die in the middle of a run: nothing is done twice, nothing is
 * lost. */
#include "policy_fixture.h"

/* ---- what dies meanwhile
 * ------------------------------------------------------------------------------------------ */

/* In the middle of an action: the next Tend asks after it and does not do it again. */
static void test_restart_in_action(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "silent");
	break_web(w);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	for (int i = 0; i < 3; i++) {
		restart(w);
		WAIT_FOR(w->core.loop, requests(w, "attach") == (size_t)i + 1);
	}
	behave(w, "done");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_VERIFIED);
}

/* At any moment: however often, and wherever, it is one request. */
static void test_restart_anywhere(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	break_web(w);
	for (int turns = 0; turns < 40 && !ended(w, 1); turns++) {
		for (int i = 0; i < turns; i++)
			assert_true(loop_turn(w->core.loop, 5 * USEC_PER_MSEC) >= 0);
		if (!ended(w, 1))
			restart(w);
	}
	WAIT_FOR(w->core.loop, live(w) == 0);
	assert_int_equal(
		w->policies->recent.len, 1); /* one that cools down does so over a restart */
	assert_in_range(requests(w, "command"), 0, 1);
	/* One that was never sent is told apart: nothing was begun. */
	assert_int_equal(last_run(w)->state, requests(w, "command") ? RUN_DONE : RUN_REFUSED);
}

/* In the middle of a sleep: what is left of it is slept, what was done is done. */
static void test_restart_in_sleep(void **state)
{
	struct world *w = *state;
	usec_t began;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  local before = tend.now().unix\n"
		"  tend.command.run('mend')\n"
		"  tend.sleep('2s')\n"
		"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\nend }\n");
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, step_of(w, "3") && step_of(w, "3")->timer);
	began = clock_now();
	restart(w);
	WAIT_FOR(w->core.loop, step_of(w, "3") && step_of(w, "3")->timer);
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_true(clock_now() - began > 1500 * USEC_PER_MSEC);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(requests(w, "attach"), 0);
}

/* Before the action, and no result has come since the start: the probe before the deed speaks. */
static void test_restart_before_action(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  tend.sleep('1s')\n"
		"  tend.command.run('mend')\n"
		"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\nend }\n");
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, step_of(w, "1") && step_of(w, "1")->timer);
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
}

/* Its file was changed meanwhile: the run goes on with what it began with. */
static void test_restart_with_other_source(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "silent");
	break_web(w);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function() tend.command.run('other') end }\n");
	behave(w, "done");
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
}

/* Whether it happened cannot be known: the run is unknown, and people are told. */
static void test_unknown(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "unknown");
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_UNKNOWN);
	assert_int_equal(notices(w, "policy.failed"), 1);
	assert_int_equal(requests(w, "command"), 1);
}

static bool held(struct world *w)
{
	char why[HOLD_WHY_BYTES];
	const struct incident *incident = incidents_open(w->incidents)->items[0];

	return hold_is(w->policies, "another", incident->id, why);
}

/* Then nothing begins there, also over a restart, until a person says so. */
static void test_unknown_holds(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "unknown");
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	for (int i = 0; i < 2; i++) {
		assert_true(held(w));
		trigger_all(w->policies);
		assert_int_equal(live(w), 0);
		assert_true(explained(w, "nobody knows what run"));
		restart(w);
		WAIT_FOR(w->core.loop, described(w));
	}
	assert_int_equal(policies_enable(w->policies, "mend", "ann", &err), 0);
	assert_false(held(w));
	assert_int_equal(policies_enable(w->policies, "mend", "ann", &err), -EALREADY);
	restart(w);
	assert_false(held(w));
	assert_int_equal(requests(w, "command"), 1);
}

/* Its run cannot be taken up again after a restart: an action without an outcome is unknown, and
 * paged. */
static void test_journal_not_whole(void **state)
{
	struct world *w = *state;
	struct store_batch *batch;
	const struct run *run;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "silent");
	break_web(w);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	run = live_run(w);
	{
		auto_json json_t *doc = run_doc(run);

		(void)json_object_set_new(doc, "source", json_string("lost"));
		assert_int_equal(store_batch_new(&batch), 0);
		assert_int_equal(store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id,
					 run->policy, run->component, run->incident, "live",
					 (int64_t)run->started_wall, (int64_t)0, doc),
			0);
		assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	}
	restart(w);
	WAIT_FOR(w->core.loop, w->policies->recent.len >= 1);
	assert_int_equal(((struct run *)w->policies->recent.items[0])->state, RUN_UNKNOWN);
	assert_int_equal(notices(w, "policy.failed"), 1);
	assert_int_equal(requests(w, "command"), 1);
	/* it counts: for the budget, and as one that did not help */
	assert_int_equal(w->policies->actions.len, 1);
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_UNVERIFIED);
}

static pid_t runner_of(const struct world *w)
{
	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		if (!run->describing)
			return run->pid;
	return 0;
}

/* The runner dies: the run goes on with another, from its journal; the fourth time it has failed.
 */
static void test_runner_killed(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function(ctx)\n"
		"  tend.command.run('mend')\n"
		"  tend.sleep('1h')\nend }\n");
	ready(w);
	break_web(w);
	run_by_hand(w, "mend");
	for (int i = 0; i <= RUN_MAX_RESTARTS; i++) {
		pid_t pid;

		WAIT_FOR(w->core.loop, runner_of(w) > 0 && step_of(w, "2") &&
					       step_of(w, "2")->timer && step_of(w, "2")->rpc_id);
		pid = runner_of(w);
		assert_int_equal(kill(pid, SIGKILL), 0);
		WAIT_FOR(w->core.loop, runner_of(w) != pid);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(last_run(w)->steps.len, 0); /* the journal has them */
	assert_null(last_run(w)->source);
}

/* tend-run itself dies while it describes and while runs live: it is started again, nothing is
 * lost. */
static void test_parent_killed(void **state)
{
	struct world *w = *state;
	pid_t pid;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  tend.sleep('1s')\n"
		"  tend.command.run('mend')\n"
		"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\nend }\n");
	begin(w);
	WAIT_FOR(w->core.loop, child_pid(w->policies->runner) > 0);
	assert_int_equal(kill(child_pid(w->policies->runner), SIGKILL), 0);
	WAIT_FOR(w->core.loop, described(w));
	assert_string_equal(file_error(w, "mend.lua"), "");
	core_run(&w->core, "s/web/a");
	break_web(w);
	WAIT_FOR(w->core.loop, runner_of(w) > 0);
	pid = child_pid(w->policies->runner);
	assert_int_equal(kill(pid, SIGKILL), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	WAIT_FOR(w->core.loop, child_pid(w->policies->runner) > 0);
	assert_int_not_equal(child_pid(w->policies->runner), pid);
}

/* The teardown takes everything away under a probe, a verify, an action and a description. */
static void test_end_in_flight(void **state)
{
	struct world *w = *state;
	static const char *const steps[] = {"tend.check.run('s/web/a')",
		"tend.verify('s/web/a', { within = '10m' })", "tend.sleep('1h')",
		"tend.command.run('mend')"};

	behave(w, "silent");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		auto_free char *text = str_printf(
			"policy 'mend' { hand = true, run = function(ctx) %s end }\n", steps[i]);

		write_policy(w, "mend", text);
		ready(w);
		break_web(w);
		core_tell(&w->core, "s/web/a", "silence");
		run_by_hand(w, "mend");
		WAIT_FOR(w->core.loop, step_of(w, "1") || w->policies->recent.len);
		apply(w);
		end(w);
		{ /* the run is not wanted any more */
			auto_free char *command =
				str_printf("rm -rf %s/state %s/s.web.a", w->core.dir, w->core.dir);

			assert_int_equal(system(command), 0);
		}
		core_open(&w->core);
	}
	begin(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_restart_in_action),
		TEST(test_restart_anywhere),
		TEST(test_restart_in_sleep),
		TEST(test_restart_before_action),
		TEST(test_restart_with_other_source),
		TEST(test_unknown),
		TEST(test_unknown_holds),
		TEST(test_journal_not_whole),
		TEST(test_runner_killed),
		TEST(test_parent_killed),
		TEST(test_end_in_flight),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
