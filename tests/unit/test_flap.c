/* SPDX-License-Identifier: MIT */
/* Flapping: tables, and histories by the ten thousand: it always ends, and no recovery is lost.
 */
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "watch/state.h"

/* Verdicts: o ok, w warning, c critical, u unknown. Events: F flapping begins, E it ends, R it ends
 * and is well, H hard changes, r recovered, s soft, . none; a capital L: it ends and hard changes.
 */
static const struct {
	const char *name;
	struct state_conf conf;
	const char *verdicts, *events;
	enum tend_state hard;
} rows[] = {
	{"five changes are 29 %, six are more", {1, 1, 1, 30, 25}, "ococococ", "HHrHrHFs",
		TEND_STATE_CRITICAL},
	{"well again at the end", {1, 1, 1, 30, 25}, "ocococooooooooooooooooo",
		"HHrHrHF.............R..", TEND_STATE_OK},
	{"failed at the end", {1, 1, 1, 30, 25}, "ococococcccccccccccccccc",
		"HHrHrHFs.............E..", TEND_STATE_CRITICAL},
	{"what is never confirmed is told so", {3, 3, 1, 30, 25}, "ococococ", "HsssssFs",
		TEND_STATE_CRITICAL},
	{"it waits for as many good ones as always", {1, 1, 20, 30, 25},
		"ocococoooooooooooooooooooooo", "HHssssF.............E....r..", TEND_STATE_OK},
	{"it got worse meanwhile", {2, 2, 1, 30, 25}, "owowowocc", "HsssssFsH",
		TEND_STATE_CRITICAL},
	{"it ends as something milder", {2, 2, 1, 30, 25}, "ocococowwwwwwwwwwwwwwwww",
		"HsssssFs.............L..", TEND_STATE_WARNING},
	{"off", {1, 1, 1, 0, 25}, "ococococ", "HHrHrHrH", TEND_STATE_CRITICAL},
	{"a rare fault is none", {1, 1, 1, 30, 25}, "ocooooooooooocoooooooooooco",
		"HHr..........Hr..........Hr", TEND_STATE_OK},
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
	if (events & STATE_EVENT_FLAPPING)
		return 'F';
	if (events & STATE_EVENT_STEADY)
		return events & STATE_EVENT_RECOVERED ? 'R' : events & STATE_EVENT_HARD ? 'L' : 'E';
	return events & STATE_EVENT_RECOVERED ? 'r'
	       : events & STATE_EVENT_HARD    ? 'H'
	       : events & STATE_EVENT_SOFT    ? 's'
					      : '.';
}

static void test_table(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char events[64] = "";
		struct state s;

		state_init(&s, 1);
		for (size_t k = 0; rows[i].verdicts[k]; k++)
			events[k] = letter_of(state_step(
				&s, &rows[i].conf, verdict_of(rows[i].verdicts[k]), k + 2));
		if (strcmp(events, rows[i].events) != 0 || s.hard != rows[i].hard)
			fail_msg("%s:\n %s\n %s\n %s expected; hard %s", rows[i].name,
				rows[i].verdicts, events, rows[i].events, tend_state_name(s.hard));
	}
}

/* All 20 changes are 100 %; one is 6 % when it is new and 3 % when it is the oldest. */
static void test_percent(void **unused)
{
	struct state_conf conf = {1, 1, 1, 0, 0};
	struct state s;

	state_init(&s, 1);
	for (unsigned i = 0; i < 30; i++)
		state_step(&s, &conf, i % 2 ? TEND_STATE_OK : TEND_STATE_CRITICAL, i + 2);
	assert_int_equal(state_flap_percent(&s), 100);
	for (unsigned i = 0; i < 21; i++)
		state_step(&s, &conf, TEND_STATE_OK, i + 40);
	assert_int_equal(state_flap_percent(&s), 0);
	state_step(&s, &conf, TEND_STATE_CRITICAL, 70);
	assert_int_equal(state_flap_percent(&s), 6);
	for (unsigned i = 0; i < 19; i++)
		state_step(&s, &conf, TEND_STATE_CRITICAL, i + 80);
	assert_int_equal(state_flap_percent(&s), 3);
	state_step(&s, &conf, TEND_STATE_CRITICAL, 100);
	assert_int_equal(state_flap_percent(&s), 0);
}

static unsigned pick(uint64_t *seed, unsigned n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % n;
}

static struct state_conf random_conf(uint64_t *seed)
{
	unsigned window = 1 + pick(seed, 8), high = pick(seed, 4) ? 10 + pick(seed, 80) : 0;

	return (struct state_conf){
		.confirm_window = window,
		.confirm_failures = 1 + pick(seed, window),
		.confirm_recoveries = 1 + pick(seed, 6),
		.flap_high = high,
		.flap_low = high ? 1 + pick(seed, high) : 0,
	};
}

/* What people know by the events alone is what is so. */
struct told {
	enum tend_state hard;
	bool flapping;
};

static void follow(struct told *told, const struct state *s, const struct state_conf *conf,
	unsigned events, uint64_t seed)
{
	bool was_failed = state_failed(told->hard);

	if (events & STATE_EVENT_FLAPPING) {
		if (told->flapping || !conf->flap_high)
			fail_msg("seed %lu: it flaps already, or cannot", (unsigned long)seed);
		told->flapping = true;
	}
	if (events & STATE_EVENT_STEADY) {
		if (!told->flapping)
			fail_msg("seed %lu: it did not flap", (unsigned long)seed);
		told->flapping = false;
	}
	if (events & STATE_EVENT_HARD) {
		if (told->flapping && !(events & STATE_EVENT_FLAPPING) &&
			state_worse(s->hard, told->hard) != s->hard)
			fail_msg("seed %lu: told that it is better while it flaps",
				(unsigned long)seed);
		told->hard = s->hard;
	}
	if (!!(events & STATE_EVENT_RECOVERED) != (was_failed && s->hard == TEND_STATE_OK))
		fail_msg("seed %lu: a recovery is lost, or none", (unsigned long)seed);
	if (told->hard != s->hard || told->flapping != s->flapping)
		fail_msg("seed %lu: %s is known, it is %s", (unsigned long)seed,
			tend_state_name(told->hard), tend_state_name(s->hard));
	if (s->flapping && !state_failed(s->hard))
		fail_msg("seed %lu: it flaps and is well", (unsigned long)seed);
}

static void play(uint64_t seed)
{
	uint64_t start = seed;
	struct state_conf conf = random_conf(&seed);
	struct told told = {.hard = TEND_STATE_PENDING};
	unsigned length = pick(&seed, 200), mood = pick(&seed, 3);
	enum tend_state last = mood == 0 ? TEND_STATE_OK : (enum tend_state)pick(&seed, 4);
	struct state s;

	state_init(&s, 1);
	for (unsigned i = 0; i < length; i++)
		follow(&told, &s, &conf,
			state_step(&s, &conf,
				pick(&seed, 10) < 3 + 3 * mood ? (enum tend_state)pick(&seed, 4)
							       : TEND_STATE_OK,
				i + 2),
			start);
	/* Whatever was: 64 verdicts of one kind, and that is what is known. */
	for (unsigned i = 0; i < 64; i++)
		follow(&told, &s, &conf, state_step(&s, &conf, last, 1000 + i), start);
	if (s.flapping || s.hard != last)
		fail_msg("seed %lu: stuck at %s%s, it is %s", (unsigned long)start,
			tend_state_name(s.hard), s.flapping ? ", flapping" : "",
			tend_state_name(last));
}

static void test_histories(void **unused)
{
	for (uint64_t seed = 1; seed <= 50000; seed++)
		play(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
