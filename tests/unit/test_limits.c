/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <stdlib.h>
#include "policy/limits.h"

#define MIN_USEC (60 * USEC_PER_SEC)
#define T0	 (1000000 * USEC_PER_SEC)

/* v verified, x unverified, o open; one letter a minute from T0. */
static size_t history(const char *letters, struct action *actions)
{
	size_t n = 0;

	for (; letters[n]; n++)
		actions[n] = (struct action){
			.wall = T0 + n * MIN_USEC,
			.target = "crm/web",
			.verdict = letters[n] == 'v'   ? ACTION_VERIFIED
				   : letters[n] == 'x' ? ACTION_UNVERIFIED
						       : ACTION_OPEN,
		};
	return n;
}

static const struct {
	const char *letters;
	usec_t after; /* the last action */
	enum breaker_state state;
} breaker_rows[] = {
	{"", 0, BREAKER_CLOSED}, {"xx", 0, BREAKER_CLOSED}, {"xxx", 0, BREAKER_OPEN},
	{"xxx", 14 * 60 * USEC_PER_SEC, BREAKER_OPEN},
	{"xxx", 16 * 60 * USEC_PER_SEC, BREAKER_HALF_OPEN}, {"xxvxx", 0, BREAKER_CLOSED},
	{"xxxv", 0, BREAKER_CLOSED},
	{"xxxo", 16 * 60 * USEC_PER_SEC, BREAKER_HALF_OPEN}, /* it was begun before it opened */
	{"xxxx", 16 * 60 * USEC_PER_SEC, BREAKER_OPEN},	     /* doubled: 30 min */
	{"xxxx", 31 * 60 * USEC_PER_SEC, BREAKER_HALF_OPEN},
	{"xxxxxxxxxx", 241 * 60 * USEC_PER_SEC, BREAKER_HALF_OPEN}, /* never above 4 h */
};

static void test_breaker(void **unused)
{
	struct action actions[32];

	for (size_t i = 0; i < sizeof(breaker_rows) / sizeof(breaker_rows[0]); i++) {
		size_t n = history(breaker_rows[i].letters, actions);
		usec_t now = (n ? actions[n - 1].wall : T0) + breaker_rows[i].after;
		struct breaker b = limits_breaker(actions, n, "crm/web", now);

		if (b.state != breaker_rows[i].state)
			fail_msg("'%s': %s", breaker_rows[i].letters, breaker_state_names[b.state]);
		assert_int_equal(
			limits_breaker(actions, n, "crm/other", now).state, BREAKER_CLOSED);
	}
}

/* Half-open lets one try through: a second one waits for its end. */
static void test_one_try(void **unused)
{
	struct action actions[32];
	size_t n = history("xxx", actions);
	usec_t half_open = limits_breaker(actions, n, "crm/web", T0).until;

	assert_int_equal(limits_breaker(actions, n, "crm/web", half_open).state, BREAKER_HALF_OPEN);
	actions[n] = actions[0];
	actions[n].verdict = ACTION_OPEN;
	actions[n++].wall = half_open + MIN_USEC;
	assert_int_equal(limits_breaker(actions, n, "crm/web", half_open + 2 * MIN_USEC).state,
		BREAKER_OPEN);
	/* one that nobody ever judged does not hold it for good */
	assert_int_equal(limits_breaker(actions, n, "crm/web", half_open + 62 * MIN_USEC).state,
		BREAKER_HALF_OPEN);
	actions[n - 1].verdict = ACTION_VERIFIED;
	assert_int_equal(limits_breaker(actions, n, "crm/web", half_open + 2 * MIN_USEC).state,
		BREAKER_CLOSED);
}

static void test_budget(void **unused)
{
	struct limits limits = {.per_target = 3, .global = 5};
	struct action actions[32];
	size_t n = history("vvv", actions);
	const char *which;
	usec_t next;

	assert_false(
		limits_budget(actions, n, "crm/web", &limits, T0 + 10 * MIN_USEC, &which, &next));
	assert_int_equal(next, T0 + 60 * MIN_USEC);
	assert_true(
		limits_budget(actions, n, "crm/db", &limits, T0 + 10 * MIN_USEC, &which, &next));
	assert_true(
		limits_budget(actions, n, "crm/web", &limits, T0 + 61 * MIN_USEC, &which, &next));
	/* A clock that went back an hour makes no room. */
	assert_false(
		limits_budget(actions, n, "crm/web", &limits, T0 - 60 * MIN_USEC, &which, &next));
	n = history("vvvvv", actions);
	assert_false(
		limits_budget(actions, n, "crm/db", &limits, T0 + 10 * MIN_USEC, &which, &next));
	assert_string_equal(which, "all targets together");
}

/* Random histories in which every action was let through never exceed a budget in any hour. */
static void test_budget_property(void **unused)
{
	struct limits limits = {.per_target = 3, .global = 7};
	static const char *const targets[] = {"a", "b", "c", "d"};
	static struct action actions[1000];

	srand(7);
	for (int history_n = 0; history_n < 200; history_n++) {
		size_t n = 0;
		usec_t now = T0;

		for (int step = 0; step < 300; step++) {
			const char *target = targets[rand() % 4], *which;
			unsigned n_target = 0, n_all = 0;
			usec_t next;

			now += (usec_t)(rand() % 600) * USEC_PER_SEC;
			if (!limits_budget(actions, n, target, &limits, now, &which, &next)) {
				assert_true(next > now);
				continue;
			}
			actions[n++] = (struct action){now, target, ACTION_VERIFIED};
			for (size_t i = 0; i < n; i++)
				if (actions[i].wall + 3600 * USEC_PER_SEC > now) {
					n_all++;
					n_target += actions[i].target == target;
				}
			assert_true(n_target <= limits.per_target);
			assert_true(n_all <= limits.global);
		}
	}
}

static void test_cooldown(void **unused)
{
	assert_int_equal(limits_cooldown(1), 30 * USEC_PER_SEC);
	assert_int_equal(limits_cooldown(2), 60 * USEC_PER_SEC);
	assert_int_equal(limits_cooldown(100), 3600 * USEC_PER_SEC);
	assert_true(limits_fresh(3, 2));
	assert_false(limits_fresh(4, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_breaker),
		cmocka_unit_test(test_one_try),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_budget_property),
		cmocka_unit_test(test_cooldown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
