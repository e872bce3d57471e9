/* SPDX-License-Identifier: MIT */
/* What an action was begun under, and what was used of its limits, outlives a reload of the
 * policies, a restart and a clock that steps. */
#include "policy_fixture.h"
#include <time.h>

/* ---- what the policy declared when the run began ----------------------------------------------
 */

/* Acts, waits until it is woken, and acts again. */
#define WAITING(decl)                                                                              \
	"policy 'upkeep' { hand = true, " decl ", run = function(ctx)\n"                           \
	"  tend.sleep('1h')\n"                                                                     \
	"  local done, why, outcome = tend.command.run('mend')\n"                                  \
	"  if not done then return nil, why, outcome end\n"                                        \
	"  done, why, outcome = tend.command.run('mend')\n"                                        \
	"  return done, why, outcome\nend }\n"

static bool sleeps(const struct world *w)
{
	const struct step *step = live(w) ? step_of(w, "1") : NULL;

	return step && step->timer;
}

static void remove_policy(struct world *w, const char *name)
{
	auto_free char *path = str_printf("%s/lua/policies/%s.lua", w->core.dir, name);

	assert_int_equal(unlink(path), 0);
}

enum change { GONE, BROKEN, RESTARTED, CHANGE_MAX };

/* The catalog does not have the policy any more, or not yet; its run goes on. */
static void lose_policy(struct world *w, enum change change)
{
	if (change == BROKEN)
		write_policy(w, "upkeep", "policy 'upkeep' { hand = ");
	else
		remove_policy(w, "upkeep");
	if (change == RESTARTED)
		restart(w);
	else
		apply(w);
	WAIT_FOR(w->core.loop, described(w) && sleeps(w));
	assert_null(map_get(&w->policies->catalog->defs, "upkeep"));
	loop_timer_set(step_of(w, "1")->timer, clock_now());
}

static void test_window_of_run(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < CHANGE_MAX; i++) {
		write_policy(w, "upkeep", WAITING("window = 'required'"));
		if (i == 0)
			ready(w);
		else
			apply(w);
		WAIT_FOR(w->core.loop, described(w));
		run_by_hand(w, "upkeep");
		WAIT_FOR(w->core.loop, sleeps(w));
		lose_policy(w, (enum change)i);
		WAIT_FOR(w->core.loop, ended(w, i + 1));
		assert_int_equal(last_run(w)->state, RUN_REFUSED);
		assert_non_null(strstr(last_run(w)->message, "window"));
	}
	assert_int_equal(requests(w, "command"), 0);
}

/* Its own account, of the size that it declared. */
static void test_budget_of_run(void **state)
{
	struct world *w = *state;

	w->daemon = "mode.production = auto\nbudget_per_target = 1\n";
	for (size_t i = 0; i < CHANGE_MAX; i++) {
		write_policy(w, "upkeep", WAITING("budget = 6"));
		if (i == 0)
			ready(w);
		else
			apply(w);
		WAIT_FOR(w->core.loop, described(w));
		run_by_hand(w, "upkeep");
		WAIT_FOR(w->core.loop, sleeps(w));
		lose_policy(w, (enum change)i);
		WAIT_FOR(w->core.loop, ended(w, i + 1));
		assert_int_equal(last_run(w)->state, RUN_DONE);
	}
	assert_int_equal(requests(w, "command"), 2 * CHANGE_MAX);
}

/* ---- what was used ----------------------------------------------------------------------------
 */

static json_int_t budget(const struct world *w, const char *key)
{
	auto_json json_t *seen = policies_actions_to_json(w->policies);

	return json_integer_value(json_object_get(json_object_get(seen, "budgets"), key));
}

static void run_on(struct world *w, const char *name, size_t n)
{
	run_by_hand(w, name);
	WAIT_FOR(w->core.loop, ended(w, n));
}

#define ACTING(name, decl)                                                                         \
	"policy '" name "' { budget = 5, " decl ", run = function(ctx)\n"                          \
	"  local done, why, outcome = tend.command.run('mend')\n"                                  \
	"  return done and true or nil, why, outcome\nend }\n"

/* What healed an incident was on the common account, and is after a restart. */
static void test_accounts(void **state)
{
	struct world *w = *state;

	write_policy(w, "upkeep", ACTING("upkeep", "hand = true"));
	write_policy(w, "heal", ACTING("heal", "on = { incident = { component = 's/web' } }"));
	w->daemon = "mode.production = auto\ncooldown = 1h\n";
	ready(w);
	run_on(w, "upkeep", 1);
	run_on(w, "upkeep", 2);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 3));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(budget(w, "used"), 1);
		assert_int_equal(budget(w, "maintenance_used"), 2);
		restart(w);
		WAIT_FOR(w->core.loop, described(w));
	}
}

static usec_t ahead;

static usec_t told_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t told_wall(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000 + ahead;
}

static int clock_teardown(void **state)
{
	clock_set_source(NULL);
	return teardown(state);
}

/* The time of day steps, tendd is restarted: the machine's own clock still knows. */
static void test_clock_and_restart(void **state)
{
	static const struct clock_source source = {told_now, told_wall};
	static const usec_t steps[] = {2, 72}; /* hours */
	struct world *w = *state;

	ahead = 0;
	clock_set_source(&source);
	write_policy(w, "upkeep", ACTING("upkeep", "hand = true"));
	ready(w);
	run_on(w, "upkeep", 1);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		ahead = steps[i] * 3600 * USEC_PER_SEC;
		restart(w);
		assert_int_equal(budget(w, "maintenance_used"), 1);
	}
}

/* A person closed the breaker while the clock was ahead: what fails later opens it again. */
static void test_closed_ahead(void **state)
{
	static const struct clock_source source = {told_now, told_wall};
	struct world *w = *state;
	struct tend_error err = {0};

	ahead = 0;
	clock_set_source(&source);
	write_policy(w, "often",
		"policy 'often' { hand = true, budget = 20, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return nil, why or 'no help', outcome\nend }\n");
	ready(w);
	for (size_t i = 1; i <= 4; i++)
		run_on(w, "often", i);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	ahead = 2 * 3600 * USEC_PER_SEC;
	if (policies_enable(w->policies, "often", "ann", &err) < 0)
		fail_msg("%s", err.text);
	ahead = 0;
	run_on(w, "often", 5);
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	for (size_t i = 6; i <= 8; i++) {
		assert_int_equal(last_run(w)->state, RUN_FAILED);
		run_on(w, "often", i);
	}
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_int_equal(requests(w, "command"), 6);
}

#define CLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, clock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_window_of_run),
		TEST(test_budget_of_run),
		TEST(test_accounts),
		CLOCK_TEST(test_clock_and_restart),
		CLOCK_TEST(test_closed_ahead),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
