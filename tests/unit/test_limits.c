/* SPDX-License-Identifier: MIT */
/* The limits, case by case; test_limits_random.c walks through random histories. */
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "policy/limits.h"

#define MIN_USEC (60 * USEC_PER_SEC)
#define T0	 (1000000 * USEC_PER_SEC)
#define M0	 (5000 * USEC_PER_SEC)

/* Both clocks go on alike. */
static struct moment at(usec_t since)
{
	return (struct moment){T0 + since, M0 + since};
}

/* v verified, x unverified, o open; one letter a minute. Each a run of its own but those in
 * brackets. */
static size_t history(const char *letters, struct action *actions)
{
	static char runs[64][8];
	size_t n = 0;
	bool together = false;

	for (size_t i = 0; letters[i]; i++) {
		if (strchr("()", letters[i])) {
			together = letters[i] == '(';
			continue;
		}
		(void)snprintf(runs[n], sizeof(runs[n]), "r%zu", n);
		actions[n] = (struct action){
			.at = at(n * MIN_USEC),
			.target = "crm/web",
			.group = "crm/database",
			.policy = "restart",
			.run = together && n > 0 && letters[i - 1] != '(' ? actions[n - 1].run
									  : runs[n],
			.verdict = letters[i] == 'v'   ? ACTION_VERIFIED
				   : letters[i] == 'x' ? ACTION_UNVERIFIED
						       : ACTION_OPEN,
		};
		n++;
	}
	return n;
}

static const struct {
	const char *letters;
	unsigned after_min; /* the last action */
	enum breaker_state state;
} breaker_rows[] = {
	{"", 0, BREAKER_CLOSED}, {"xx", 0, BREAKER_CLOSED}, {"xxx", 0, BREAKER_OPEN},
	{"xxx", 14, BREAKER_OPEN}, {"xxx", 15, BREAKER_HALF_OPEN}, {"xxvxx", 0, BREAKER_CLOSED},
	{"xxxv", 0, BREAKER_CLOSED}, {"xxxo", 16, BREAKER_OPEN}, /* a try is under way */
	{"xxxx", 16, BREAKER_OPEN},				 /* doubled: 30 min */
	{"xxxx", 30, BREAKER_HALF_OPEN}, {"xxxxx", 59, BREAKER_OPEN},
	{"xxxxx", 60, BREAKER_HALF_OPEN}, {"xxxxxxxxxx", 239, BREAKER_OPEN}, /* never above 4 h */
	{"xxxxxxxxxx", 240, BREAKER_HALF_OPEN},
	{"xxx(xxx)", 29, BREAKER_OPEN}, /* three actions of one try double once */
	{"xxx(xxx)", 30, BREAKER_HALF_OPEN},
	{"(xxx)", 0, BREAKER_CLOSED}, /* a run is one try, whatever it did */
	{"x(xxx)", 0, BREAKER_CLOSED}, {"x(xx)(xx)", 0, BREAKER_OPEN},
	{"xxxxxv", 0, BREAKER_CLOSED},
	{"xxxxxvxxx", 15, BREAKER_HALF_OPEN}, /* what helped forgets the doubling */
};

static void test_breaker(void **unused)
{
	struct action actions[32];

	for (size_t i = 0; i < ARRAY_SIZE(breaker_rows); i++) {
		size_t n = history(breaker_rows[i].letters, actions);
		struct moment now = at((n ? n - 1 + breaker_rows[i].after_min : 0) * MIN_USEC);
		struct breaker b = limits_breaker(actions, n, "restart", "crm/web", NULL, now);

		if (b.state != breaker_rows[i].state)
			fail_msg("'%s' after %u min: %s", breaker_rows[i].letters,
				breaker_rows[i].after_min, breaker_state_names[b.state]);
		if (b.state == BREAKER_OPEN)
			assert_true(b.until > now.wall);
		/* another target, another policy: breakers of their own */
		assert_int_equal(
			limits_breaker(actions, n, "restart", "crm/other", NULL, now).state,
			BREAKER_CLOSED);
		assert_int_equal(limits_breaker(actions, n, "other", "crm/web", NULL, now).state,
			BREAKER_CLOSED);
	}
}

/* Half-open lets one try through, which is a run: its further actions pass, others wait. */
static void test_one_try(void **unused)
{
	struct action actions[32];
	size_t n = history("xxx", actions);
	usec_t then = 20 * MIN_USEC;

	assert_int_equal(limits_breaker(actions, n, "restart", "crm/web", NULL, at(then)).state,
		BREAKER_HALF_OPEN);
	actions[n] = actions[0];
	actions[n].run = "try";
	actions[n].verdict = ACTION_OPEN;
	actions[n++].at = at(then);
	then += 2 * MIN_USEC;
	assert_int_equal(limits_breaker(actions, n, "restart", "crm/web", "other", at(then)).state,
		BREAKER_OPEN);
	assert_int_equal(limits_breaker(actions, n, "restart", "crm/web", "try", at(then)).state,
		BREAKER_HALF_OPEN);
	/* one that nobody ever judged is a failure, and does not hold it for good */
	then = 20 * MIN_USEC + ACTION_OPEN_MAX_USEC + 1;
	assert_int_equal(limits_breaker(actions, n, "restart", "crm/web", NULL, at(then)).state,
		BREAKER_HALF_OPEN);
	actions[n - 1].verdict = ACTION_VERIFIED;
	assert_int_equal(
		limits_breaker(actions, n, "restart", "crm/web", NULL, at(22 * MIN_USEC)).state,
		BREAKER_CLOSED);
}

static const struct {
	struct limits limits;
	const char *target, *group, *policy;
	bool allowed;
	enum limits_scope scope;
	bool own;
} budget_rows[] = {
	/* five actions of the history: on crm/web, by restart */
	{{{9, 9, 9, 9}}, "crm/web", "crm/database", "restart", true, 0, false},
	{{{5, 9, 9, 9}}, "crm/web", "crm/database", "restart", false, LIMITS_TARGET, false},
	{{{5, 9, 9, 9}}, "crm/app", "crm/database", "restart", true, 0, false},
	{{{9, 5, 9, 9}}, "crm/app", "crm/database", "other", false, LIMITS_GROUP, false},
	{{{9, 5, 9, 9}}, "erp/app", "erp/app", "other", true, 0, false},
	{{{9, 9, 5, 9}}, "erp/app", "erp/app", "restart", false, LIMITS_POLICY, false},
	{{{9, 9, 5, 9}}, "erp/app", "erp/app", "other", true, 0, false},
	{{{9, 9, 9, 5}}, "erp/app", "erp/app", "other", false, LIMITS_GLOBAL, false},
	{{{0, 9, 9, 9}}, "erp/app", "erp/app", "other", false, LIMITS_TARGET, false},
	/* an account of its own does not see them, but the policy's total does */
	{{{5, 5, 9, 5}}, "crm/web", "crm/database", "other", true, 0, true},
	{{{5, 5, 5, 5}}, "crm/web", "crm/database", "restart", false, LIMITS_POLICY, true},
};

static void test_budgets(void **unused)
{
	struct action actions[32];
	size_t n = history("vvvvv", actions);

	for (size_t i = 0; i < ARRAY_SIZE(budget_rows); i++) {
		struct action next = {.target = budget_rows[i].target,
			.group = budget_rows[i].group,
			.policy = budget_rows[i].policy,
			.own = budget_rows[i].own};
		enum limits_scope scope = LIMITS_SCOPE_MAX;
		usec_t until = 1;
		bool allowed = limits_budget(actions, n, &next, &budget_rows[i].limits,
			at(10 * MIN_USEC), &scope, &until);

		if (allowed != budget_rows[i].allowed ||
			(!allowed && scope != budget_rows[i].scope))
			fail_msg("row %zu: %s", i, allowed ? "allowed" : limits_scope_names[scope]);
		if (!allowed && budget_rows[i].limits.max[scope] > 0)
			assert_int_equal(until, T0 + 60 * MIN_USEC);
		else if (!allowed)
			assert_int_equal(until, 0);
	}
}

/* The accounts of several policies: each its own, and one for all of them together. */
static void test_own_accounts(void **unused)
{
	const struct action actions[] = {
		{.at = at(0), .target = "crm/db", .policy = "backup", .own = true},
		{.at = at(0), .target = "crm/db", .policy = "backup", .own = true},
		{.at = at(0), .target = "crm/db", .policy = "patch", .own = true},
		{.at = at(0), .target = "crm/db", .policy = "patch"}, /* for an incident */
	};
	static const struct {
		const char *target, *policy;
		bool own;
		unsigned used[LIMITS_SCOPE_MAX];
	} rows[] = {
		{"crm/db", "backup", true, {2, 2, 2, 3}},
		{"crm/db", "patch", true, {1, 1, 2, 3}},
		{"erp/db", "upkeep", true, {0, 0, 0, 3}},
		{"crm/db", "patch", false, {1, 1, 2, 1}},
		{"crm/db", "restart", false, {1, 1, 0, 1}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (enum limits_scope scope = 0; scope < LIMITS_SCOPE_MAX; scope++) {
			const struct action next = {.target = rows[i].target,
				.policy = rows[i].policy,
				.own = rows[i].own};
			unsigned used = limits_used(
				actions, ARRAY_SIZE(actions), &next, scope, at(MIN_USEC));

			if (used != rows[i].used[scope] && scope != LIMITS_GROUP)
				fail_msg("row %zu: %u of %s", i, used, limits_scope_names[scope]);
		}
}

/* When there is room again, also after the limit was lowered. */
static void test_budget_room(void **unused)
{
	struct action actions[32];
	size_t n = history("vvvvv", actions);
	struct action next = actions[0];
	struct limits limits = {{2, 99, 99, 99}};
	enum limits_scope scope;
	usec_t until;

	assert_false(limits_budget(actions, n, &next, &limits, at(10 * MIN_USEC), &scope, &until));
	assert_int_equal(until, T0 + 63 * MIN_USEC); /* when four of the five have gone */
	assert_false(
		limits_budget(actions, n, &next, &limits, at(63 * MIN_USEC - 1), &scope, &until));
	assert_true(limits_budget(actions, n, &next, &limits, at(63 * MIN_USEC), &scope, &until));
}

static const struct {
	long wall_min, mono_min; /* of now, against an action at 0 */
	bool counts;
} clock_rows[] = {
	{10, 10, true}, {59, 59, true}, {60, 60, false}, {61, 61, false},
	{180, 10, true},  /* the clock went forward: it was ten minutes ago all the same */
	{-30, 10, true},  /* it went back */
	{-59, 120, true}, /* ... and by the time of day they may stand within an hour */
	{-61, 120, false}, {-10000, 10, true}, {-10000, 61, false}, /* it was wrong for years */
};

static void test_clocks(void **unused)
{
	struct moment then = {T0, M0};

	for (size_t i = 0; i < ARRAY_SIZE(clock_rows); i++) {
		struct moment now = {(usec_t)((long)T0 + clock_rows[i].wall_min * (long)MIN_USEC),
			(usec_t)((long)M0 + clock_rows[i].mono_min * (long)MIN_USEC)};

		if (limits_recent(then, now, LIMITS_HOUR_USEC) != clock_rows[i].counts)
			fail_msg("row %zu", i);
	}
	/* Over a boot the monotonic clock begins anew, over a restart it goes on. */
	assert_int_equal(limits_mono_of((struct moment){T0, 0}, at(MIN_USEC)), M0);
	assert_int_equal(limits_mono_of((struct moment){T0 + 5, 0}, at(0)), M0);
	assert_int_equal(
		limits_mono_of((struct moment){T0, 0}, (struct moment){T0 + 2 * M0, M0}), 0);
	assert_int_equal(limits_mono_of((struct moment){T0, 5}, at(MIN_USEC)), 5);
	assert_int_equal(limits_mono_of((struct moment){T0 + M0, M0}, at(MIN_USEC)), M0);
	assert_int_equal(limits_mono_of((struct moment){T0, 3 * M0}, at(MIN_USEC)), M0);
	/* Which was first: the time of day was set back by two minutes in between. */
	assert_true(limits_until(at(0), at(1)));
	assert_true(limits_until(at(0), at(0)));
	assert_true(limits_until((struct moment){T0, M0}, (struct moment){T0 - M0, M0 + 1}));
	assert_false(limits_until((struct moment){T0 - M0, M0 + 1}, (struct moment){T0, M0}));
	assert_false(limits_until((struct moment){T0 + 1, 0}, (struct moment){T0, 0}));
}

static const struct {
	unsigned
		gaps[8]; /* seconds from the end of one run to the start of the next; 0 = no more */
	unsigned wait;	 /* seconds after the last */
} cooldown_rows[] = {
	{{0}, 30},
	{{30}, 60},
	{{30, 60}, 120},
	{{30, 60, 120, 240, 480, 960, 1920}, 3600}, /* never above an hour */
	{{629}, 60},				    /* not stable for long enough after the wait */
	{{630}, 30},				    /* 30 s of waiting, 10 min of peace */
	{{30, 60, 720}, 30},
	{{30, 60, 719}, 240},
};

static void test_cooldown(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(cooldown_rows); i++) {
		struct limits_run runs[10] = {{T0, T0 + USEC_PER_SEC}};
		usec_t until;
		size_t n = 1;

		for (; cooldown_rows[i].gaps[n - 1]; n++) {
			runs[n].started =
				runs[n - 1].ended + cooldown_rows[i].gaps[n - 1] * USEC_PER_SEC;
			runs[n].ended = runs[n].started + USEC_PER_SEC;
		}
		until = limits_cooldown(
			runs, n, 30 * USEC_PER_SEC, 600 * USEC_PER_SEC, runs[n - 1].ended);
		assert_int_equal(until - runs[n - 1].ended, cooldown_rows[i].wait * USEC_PER_SEC);
		assert_int_equal(
			limits_cooldown(runs, n, 30 * USEC_PER_SEC, 600 * USEC_PER_SEC, until), 0);
		assert_int_equal(
			limits_cooldown(runs, n, 0, 600 * USEC_PER_SEC, runs[n - 1].ended), 0);
		/* a clock that went back for a day keeps nothing waiting for a day */
		assert_int_equal(limits_cooldown(runs, 1, 30 * USEC_PER_SEC, 0, T0 / 2),
			T0 / 2 + 30 * USEC_PER_SEC);
	}
	assert_int_equal(limits_cooldown(NULL, 0, 30, 600, T0), 0);
	assert_true(limits_fresh(3, 2));
	assert_false(limits_fresh(4, 2));
}

static const struct {
	const char *since; /* minute in which each began to fail; '.' does not */
	bool common;
	unsigned n_failing;
} common_rows[] = {
	{"", false, 0},
	{"0", false, 1},
	{"00", false, 2},     /* all, but not enough of them */
	{"000", true, 3},     /* all three */
	{"000...", false, 3}, /* half is not more than half */
	{"0000...", true, 4},
	{"012345....", true, 6}, /* within five minutes */
	{"0129....", false, 3},
	{"0189.", false, 2}, /* three of five fail, but one after the other */
	{"08888.", true, 4},
};

static void test_common_cause(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(common_rows); i++) {
		struct limits_member members[16] = {{0}};
		unsigned n_failing = 99;
		size_t n = 0;

		for (const char *c = common_rows[i].since; *c; c++, n++)
			if (*c != '.')
				members[n] = (struct limits_member){
					true, T0 + (usec_t)(*c - '0') * MIN_USEC};
		if (limits_common_cause(members, n, 50, 3, 5 * MIN_USEC, &n_failing) !=
			common_rows[i].common)
			fail_msg("'%s'", common_rows[i].since);
		assert_int_equal(n_failing, common_rows[i].n_failing);
	}
}

static void test_holds_group(void **unused)
{
	static const struct action next = {.group = "g", .policy = "p", .run = "2"};
	static const struct {
		struct action before;
		bool restarts, held;
	} rows[] = {
		{{.group = "g", .policy = "p", .run = "1"}, false, true},
		{{.group = "g", .policy = "other", .run = "1"}, false, false},
		{{.group = "g", .policy = "other", .run = "1"}, true, true},
		{{.group = "h", .policy = "p", .run = "1"}, true, false},
		{{.group = NULL, .policy = "p", .run = "1"}, true, false},
		{{.group = "g", .policy = "p", .run = "2"}, true, false}, /* its own */
		{{.group = "g", .policy = "p", .run = "1", .verdict = ACTION_VERIFIED}, true,
			false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (limits_holds_group(&rows[i].before, rows[i].restarts, &next) != rows[i].held)
			fail_msg("row %zu", i);
}

static void test_hold(void **unused)
{
	assert_int_equal(limits_hold(false, false), LIMITS_HOLD_NONE);
	assert_int_equal(limits_hold(false, true), LIMITS_HOLD_POLICY);
	assert_int_equal(limits_hold(true, false), LIMITS_HOLD_ALL);
	assert_int_equal(limits_hold(true, true), LIMITS_HOLD_ALL);
}

static void test_worse(void **unused)
{
	assert_true(limits_worse(true, true, T0, T0, MIN_USEC));
	assert_true(limits_worse(true, true, T0, T0 + MIN_USEC, MIN_USEC));
	assert_false(limits_worse(true, true, T0, T0 + MIN_USEC + 1, MIN_USEC));
	assert_false(limits_worse(true, true, T0, T0 - 1, MIN_USEC));
	assert_false(limits_worse(false, true, T0, T0 + 1, MIN_USEC));
	assert_false(limits_worse(true, false, T0, T0 + 1, MIN_USEC));
}

static void test_cleanup(void **unused)
{
	assert_false(limits_cleanup(0, 0));
	assert_true(limits_cleanup(1, 0));
	assert_false(limits_cleanup(1, 1));
	assert_true(limits_cleanup(3, 2));
}

static const struct {
	struct limits_asking asking;
	unsigned people;
} people_rows[] = {
	/* approve, by hand, destroy, production, unattended */
	{{false, false, false, true, false}, 0},
	{{true, false, false, true, false}, 1},
	{{true, false, false, false, false}, 1},
	{{true, true, false, true, false}, 0}, /* who starts it has decided */
	{{true, false, true, true, false}, 2},
	{{true, true, true, true, false}, 2}, /* ... but not about destroying */
	{{false, true, true, true, true}, 2},
	{{true, false, true, false, false}, 1},
	{{false, false, true, true, false}, 2},
	{{false, false, true, true, true}, 0}, /* the configuration says so */
	{{false, false, true, false, false}, 0},
	{{true, false, true, true, true}, 2},
};

static void test_people(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(people_rows); i++)
		if (limits_people(&people_rows[i].asking) != people_rows[i].people)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_breaker),
		cmocka_unit_test(test_one_try),
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_own_accounts),
		cmocka_unit_test(test_budget_room),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_cooldown),
		cmocka_unit_test(test_common_cause),
		cmocka_unit_test(test_holds_group),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_worse),
		cmocka_unit_test(test_cleanup),
		cmocka_unit_test(test_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
