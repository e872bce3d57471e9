/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include "base/heap.h"
#include "watch/state.h"

/* One row: verdicts in order and the events each is expected to make. Letters of verdicts: o ok,
 * w warning, c critical, u unknown. Events: . none, s soft, H hard, R recovered. */
static const struct {
	const char *name;
	struct state_conf conf;
	const char *verdicts, *events;
	enum tend_state hard;
} rows[] = {
	{"first ok is hard at once", {2, 2, 1, 0, 0}, "o", "H", TEND_STATE_OK},
	{"one failure is soft", {2, 2, 1, 0, 0}, "oc", "Hs", TEND_STATE_OK},
	{"two of two are hard", {2, 2, 1, 0, 0}, "occ", "HsH", TEND_STATE_CRITICAL},
	{"an ok between starts anew", {2, 2, 1, 0, 0}, "ococ", "Hsss", TEND_STATE_OK},
	{"two of three forgive one", {2, 3, 1, 0, 0}, "ococ", "HssH", TEND_STATE_CRITICAL},
	{"one of one", {1, 1, 1, 0, 0}, "oc", "HH", TEND_STATE_CRITICAL},
	{"recovers on one ok", {2, 2, 1, 0, 0}, "occo", "HsHR", TEND_STATE_OK},
	{"recovers on two", {2, 2, 2, 0, 0}, "occoo", "HsHsR", TEND_STATE_OK},
	{"a failure in between keeps it", {2, 2, 2, 0, 0}, "occoco", "HsHsss", TEND_STATE_CRITICAL},
	{"after a recovery both must fail again", {2, 3, 1, 0, 0}, "occoc", "HsHRs", TEND_STATE_OK},
	{"pending fails hard when confirmed", {2, 2, 1, 0, 0}, "cc", "sH", TEND_STATE_CRITICAL},
	{"warning to critical needs as many in a row", {2, 2, 1, 0, 0}, "wwcwcc", "sHsssH",
		TEND_STATE_CRITICAL},
	{"kinds of failure mix", {2, 2, 1, 0, 0}, "ocu", "HsH", TEND_STATE_UNKNOWN},
};

static enum tend_state verdict_of(char c)
{
	return c == 'o'	  ? TEND_STATE_OK
	       : c == 'w' ? TEND_STATE_WARNING
	       : c == 'c' ? TEND_STATE_CRITICAL
			  : TEND_STATE_UNKNOWN;
}

static char letter_of(unsigned events)
{
	return events & STATE_EVENT_RECOVERED ? 'R'
	       : events & STATE_EVENT_HARD    ? 'H'
	       : events & STATE_EVENT_SOFT    ? 's'
					      : '.';
}

static void test_table(void **unused)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char events[32] = "";
		struct state s;

		state_init(&s, 1);
		for (size_t k = 0; rows[i].verdicts[k]; k++)
			events[k] = letter_of(state_step(
				&s, &rows[i].conf, verdict_of(rows[i].verdicts[k]), k + 2));
		if (strcmp(events, rows[i].events) != 0 || s.hard != rows[i].hard)
			fail_msg("%s: events %s, expected %s; hard %s", rows[i].name, events,
				rows[i].events, tend_state_name(s.hard));
	}
}

static void test_force_and_forget(void **unused)
{
	struct state_conf conf = {2, 2, 1, 0, 0};
	struct state s;

	state_init(&s, 1);
	state_step(&s, &conf, TEND_STATE_OK, 2);
	assert_int_equal(state_force_hard(&s, 3), 0); /* it does not fail */
	state_step(&s, &conf, TEND_STATE_CRITICAL, 4);
	assert_int_equal(state_force_hard(&s, 5), STATE_EVENT_HARD);
	assert_int_equal(s.hard, TEND_STATE_CRITICAL);
	state_step(&s, &conf, TEND_STATE_CRITICAL, 6);
	assert_true(state_confirmed(&s, &conf));
	state_forget_history(&s);
	assert_false(state_confirmed(&s, &conf));
	assert_int_equal(s.hard, TEND_STATE_CRITICAL);
}

/* Random inserts, moves and removals against a plain array. */
static void test_heap(void **unused)
{
	enum { N = 200 };
	struct heap heap = {0};
	struct heap_node nodes[N];
	unsigned seed = 12345;

	for (int i = 0; i < N; i++)
		nodes[i] = (struct heap_node){.index = HEAP_NOWHERE};
	for (int round = 0; round < 20000; round++) {
		struct heap_node *node;
		usec_t least = USEC_INFINITY;

		seed = seed * 1103515245 + 12345;
		node = &nodes[(seed >> 8) % N];
		if ((seed >> 20) % 4 == 0)
			heap_remove(&heap, node);
		else
			assert_int_equal(heap_put(&heap, node, (seed >> 12) % 1000), 0);
		for (int i = 0; i < N; i++)
			if (nodes[i].index != HEAP_NOWHERE && nodes[i].at < least)
				least = nodes[i].at;
		if (heap_top(&heap))
			assert_int_equal(heap_top(&heap)->at, least);
		else
			assert_true(least == USEC_INFINITY);
	}
	heap_clear(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_force_and_forget),
		cmocka_unit_test(test_heap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
