/* SPDX-License-Identifier: MIT */
/*
 * 10,000 random histories: policies ask for actions as the engine does, by the same functions,
 * while the clocks jump in both directions and the process that remembers is restarted from what it
 * wrote. What was let through is judged by counting, in real time and in the time of day. A history
 * that breaks a promise is made as short as it can be and printed.
 *
 * TEND_SEED=N begins at another seed, TEND_HISTORIES=N takes another number of them.
 */
#include "unit.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "policy/limits.h"

#define HOUR	LIMITS_HOUR_USEC
#define MINUTE	(60 * USEC_PER_SEC)
#define T_BEGIN (1000000 * HOUR)

enum { N_HISTORIES = 10000, MAX_OPS = 120, MAX_ACTIONS = 2 * MAX_OPS, N_SLOTS = 6 };

enum op_kind { OP_WAIT, OP_JUMP, OP_RESTART, OP_REBOOT, OP_ACT, OP_CLEAN, OP_END, OP_KIND_MAX };
static const char *const op_names[OP_KIND_MAX] = {
	"wait", "jump", "restart", "reboot", "act", "clean", "end"};

struct op {
	enum op_kind kind;
	int64_t usec;	      /* wait, jump */
	unsigned slot, where; /* which run; which policy and target, if it begins one */
	bool helped;	      /* end */
};

static const struct place {
	const char *policy, *target, *group;
	bool own;
} places[] = {{"restart", "a/web", "a", false}, {"restart", "a/db", "a", false},
	{"restart", "a/app", "a", false}, {"restart", "b/web", "b", false},
	{"fail-over", "a/db", "a", false}, {"fail-over", "b/db", "b", false},
	{"upkeep", "a/db", "a", true}, {"upkeep", "b/db", "b", true}, {"patch", "a/db", "a", true}};

static const struct limits limits = {{3, 5, 6, 8}};
static const struct limits own_limits = {{4, UINT_MAX, 6, 7}};

static const struct limits *limits_for(const struct action *a)
{
	return a->own ? &own_limits : &limits;
}

struct done {
	struct action action; /* as the engine remembers it */
	usec_t t, mono;	      /* real time; what the machine's clock said */
	unsigned boot;
	bool clean;
};

struct live {
	const struct place *place; /* NULL: no run */
	const char *name;	   /* in the world's names */
	unsigned n_actions, n_cleanups;
};

struct world {
	usec_t t, boot; /* real time; of the machine's start */
	int64_t offset; /* of the time of day */
	unsigned n_boots, n_runs;
	bool jumped, leaped; /* the clock was ever moved; by more than a day */
	struct live live[N_SLOTS];
	char names[MAX_OPS][16]; /* of runs */
	struct done done[MAX_ACTIONS];
	size_t n;
	char broken[256]; /* the promise; "" = none */
};

static struct moment now_of(const struct world *w)
{
	return (struct moment){(usec_t)((int64_t)w->t + w->offset), w->t - w->boot};
}

static usec_t distance(usec_t a, usec_t b)
{
	return a > b ? a - b : b - a;
}

/* ---- what must hold -------------------------------------------------------------------------- */

static bool same_scope(const struct action *a, const struct action *b, enum limits_scope scope)
{
	if (scope != LIMITS_POLICY && a->own != b->own)
		return false;
	if ((scope == LIMITS_TARGET || scope == LIMITS_GROUP) && a->own &&
		strcmp(a->policy, b->policy) != 0)
		return false;
	return scope == LIMITS_TARGET	? strcmp(a->target, b->target) == 0
	       : scope == LIMITS_GROUP	? strcmp(a->group, b->group) == 0
	       : scope == LIMITS_POLICY ? strcmp(a->policy, b->policy) == 0
					: true;
}

/* In the hour that begins with action `first`: by the time of day, or in real time as far as the
 * machine was not booted (without a jump, over that, too). */
static unsigned count_hour(
	const struct world *w, size_t first, enum limits_scope scope, bool by_wall)
{
	const struct done *f = &w->done[first];
	unsigned n = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct done *d = &w->done[i];
		usec_t from = by_wall ? f->action.at.wall : f->t;
		usec_t at = by_wall ? d->action.at.wall : d->t;

		if (d->clean || !same_scope(&d->action, &f->action, scope) || at < from ||
			at - from >= HOUR || (!by_wall && w->jumped && d->boot != f->boot))
			continue;
		n++;
	}
	return n;
}

static void check_budgets(struct world *w)
{
	const struct done *last = &w->done[w->n - 1];

	/* Only the hours that the newest one is in. */
	for (size_t i = 0; i < w->n; i++)
		for (enum limits_scope scope = 0; scope < LIMITS_SCOPE_MAX; scope++)
			for (int by_wall = 0; by_wall < 2; by_wall++) {
				unsigned n;

				if (distance(by_wall ? w->done[i].action.at.wall : w->done[i].t,
					    by_wall ? last->action.at.wall : last->t) >= HOUR)
					continue;
				n = count_hour(w, i, scope, by_wall);
				if (n > limits_for(&w->done[i].action)->max[scope])
					(void)snprintf(w->broken, sizeof(w->broken),
						"%u actions in an hour of the budget %s, by %s", n,
						limits_scope_names[scope],
						by_wall ? "the time of day" : "real time");
			}
}

static bool same_pair(const struct done *d, const struct done *e)
{
	return strcmp(d->action.policy, e->action.policy) == 0 &&
	       strcmp(d->action.target, e->action.target) == 0;
}

/* Runs and tries of the pair that failed in a row up to this one. */
static void count_failures(const struct world *w, const struct done *last, unsigned *ret_runs,
	unsigned *ret_tries, const struct done **ret_newest)
{
	const char *run = NULL;
	const struct done *in_a_row[MAX_ACTIONS];
	size_t n = 0;

	for (const struct done *d = last - 1; d >= w->done; d--) {
		if (d->clean || !same_pair(d, last) || d->action.verdict == ACTION_OPEN)
			continue;
		if (d->action.verdict == ACTION_VERIFIED)
			break;
		in_a_row[n++] = d;
	}
	*ret_runs = *ret_tries = 0;
	*ret_newest = n ? in_a_row[0] : NULL;
	/* oldest first: what fails after the third is a try */
	for (size_t i = n; i-- > 0;) {
		const char *of = in_a_row[i]->action.run;

		if (run && strcmp(of, run) == 0)
			continue;
		if (++*ret_runs > BREAKER_FAILURES)
			(*ret_tries)++;
		run = of;
	}
}

/* The newest action was let through: was the breaker one that may? */
static void check_breaker(struct world *w)
{
	const struct done *last = &w->done[w->n - 1], *newest;
	unsigned n_failed, n_tries;
	usec_t span = BREAKER_OPEN_USEC;

	count_failures(w, last, &n_failed, &n_tries, &newest);
	if (n_failed < BREAKER_FAILURES)
		return;
	for (const struct done *d = w->done; d < last; d++)
		/* one that nobody ever judged apart */
		if (!d->clean && same_pair(d, last) && d->action.verdict == ACTION_OPEN &&
			distance(d->action.at.wall, last->action.at.wall) < ACTION_OPEN_MAX_USEC &&
			strcmp(d->action.run, last->action.run) != 0)
			(void)snprintf(w->broken, sizeof(w->broken),
				"a second try of a half-open breaker beside %s", d->action.run);
	while (n_tries-- > 0 && span < BREAKER_OPEN_MAX_USEC)
		span = MIN(span * 2, BREAKER_OPEN_MAX_USEC);
	if (distance(last->action.at.wall, newest->action.at.wall) < span ||
		(last->boot == newest->boot && last->t - newest->t < span))
		(void)snprintf(w->broken, sizeof(w->broken),
			"a try %" PRIu64 " s after the failure, the breaker is open for %" PRIu64,
			(last->t - newest->t) / USEC_PER_SEC, span / USEC_PER_SEC);
}

/* ---- what the engine does -------------------------------------------------------------------- */

static size_t plain(const struct world *w, bool own, struct action *actions)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (!own || !w->done[i].clean)
			actions[n++] = w->done[i].action;
	return n;
}

static void add(struct world *w, const struct live *live, bool clean)
{
	w->done[w->n++] = (struct done){
		.action = {now_of(w), live->place->target, live->place->group, live->place->policy,
			live->name, ACTION_OPEN, live->place->own},
		.t = w->t,
		.mono = now_of(w).mono,
		.boot = w->n_boots,
		.clean = clean,
	};
}

static void do_act(struct world *w, const struct op *op)
{
	struct live *live = &w->live[op->slot];
	struct action actions[MAX_ACTIONS], next;
	enum limits_scope scope;
	usec_t until = 0;
	size_t n = plain(w, true, actions);

	if (!live->place) {
		(void)snprintf(w->names[w->n_runs], sizeof(w->names[0]), "run%u", w->n_runs);
		*live = (struct live){.place = &places[op->where], .name = w->names[w->n_runs++]};
	}
	if (limits_breaker(
		    actions, n, live->place->policy, live->place->target, live->name, now_of(w))
			.state == BREAKER_OPEN)
		return;
	n = plain(w, false, actions);
	next = (struct action){.target = live->place->target,
		.group = live->place->group,
		.policy = live->place->policy,
		.own = live->place->own};
	if (!limits_budget(actions, n, &next, limits_for(&next), now_of(w), &scope, &until)) {
		if (until <= now_of(w).wall)
			(void)snprintf(w->broken, sizeof(w->broken), "room was in the past");
		return;
	}
	live->n_actions++;
	add(w, live, false);
	check_budgets(w);
	if (!w->leaped)
		check_breaker(w);
}

static void do_clean(struct world *w, const struct op *op)
{
	struct live *live = &w->live[op->slot];

	if (!live->place || !limits_cleanup(live->n_actions, live->n_cleanups))
		return;
	live->n_cleanups++;
	add(w, live, true);
	if (live->n_cleanups > live->n_actions)
		(void)snprintf(w->broken, sizeof(w->broken), "more cleaned up than done");
}

static void do_end(struct world *w, const struct op *op)
{
	struct live *live = &w->live[op->slot];

	for (size_t i = 0; live->place && i < w->n; i++)
		if (strcmp(w->done[i].action.run, live->name) == 0)
			w->done[i].action.verdict =
				op->helped ? ACTION_VERIFIED : ACTION_UNVERIFIED;
	live->place = NULL;
}

/* Only what was written comes back: the time of day, and the machine's while it is up. */
static void do_restart(struct world *w, bool machine)
{
	if (machine) {
		w->n_boots++;
		w->boot = w->t - USEC_PER_SEC;
	}
	for (size_t i = 0; i < w->n; i++) {
		struct done *d = &w->done[i];
		usec_t mono = d->boot == w->n_boots ? d->mono : 0;

		d->action.at.mono =
			limits_mono_of((struct moment){d->action.at.wall, mono}, now_of(w));
	}
}

static void do_op(struct world *w, const struct op *op)
{
	switch (op->kind) {
	case OP_WAIT:
		w->t += (usec_t)op->usec;
		break;
	case OP_JUMP:
		w->offset += op->usec;
		w->jumped = true;
		w->leaped = w->leaped || llabs(op->usec) > (int64_t)(24 * HOUR);
		break;
	case OP_RESTART:
	case OP_REBOOT:
		do_restart(w, op->kind == OP_REBOOT);
		break;
	case OP_ACT:
		do_act(w, op);
		break;
	case OP_CLEAN:
		do_clean(w, op);
		break;
	default:
		do_end(w, op);
		break;
	}
}

/* Plays them; the promise that is broken, in `broken`. The number of actions that were done. */
static size_t play(const struct op *ops, size_t n, char broken[256])
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.t = T_BEGIN;
	w.boot = T_BEGIN - 10 * HOUR;
	for (size_t i = 0; i < n && !w.broken[0]; i++)
		do_op(&w, &ops[i]);
	memcpy(broken, w.broken, sizeof(w.broken));
	return w.n;
}

/* ---- histories ------------------------------------------------------------------------------- */

static uint64_t state;

/* xorshift64*: the same on every machine. */
static uint64_t roll(uint64_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545F4914F6CDD1DULL >> 16) % limit;
}

static int64_t any_jump(void)
{
	static const usec_t sizes[] = {
		10 * USEC_PER_SEC, 10 * MINUTE, 2 * HOUR, 20 * HOUR, 1000 * HOUR};
	int64_t usec = (int64_t)(1 + roll(sizes[roll(ARRAY_SIZE(sizes))]));

	return roll(2) ? usec : -usec;
}

static usec_t any_wait(void)
{
	static const usec_t sizes[] = {USEC_PER_SEC, MINUTE, 5 * MINUTE, 20 * MINUTE, 5 * HOUR};

	return 1 + roll(sizes[roll(ARRAY_SIZE(sizes))]);
}

static size_t any_history(uint64_t seed, struct op *ops)
{
	size_t n;
	bool steady; /* clocks that nobody moves: real time counts over restarts, too */
	unsigned mood;

	state = seed * 0x9E3779B97F4A7C15ULL + 1;
	n = MAX_OPS / 2 + roll(MAX_OPS / 2);
	steady = roll(3) == 0;
	mood = (unsigned)roll(4); /* how often what was done helps */
	for (size_t i = 0; i < n; i++) {
		uint64_t kind = roll(100);

		ops[i] = (struct op){.slot = (unsigned)roll(N_SLOTS),
			.where = (unsigned)roll(ARRAY_SIZE(places)),
			.helped = roll(4) < mood};
		if (kind < 45)
			ops[i].kind = OP_ACT;
		else if (kind < 65)
			ops[i].kind = OP_END;
		else if (kind < 85)
			ops[i] = (struct op){.kind = OP_WAIT, .usec = (int64_t)any_wait()};
		else if (kind < 90)
			ops[i].kind = OP_CLEAN;
		else if (kind < 94)
			ops[i].kind = roll(4) ? OP_RESTART : OP_REBOOT;
		else if (!steady)
			ops[i] = (struct op){.kind = OP_JUMP, .usec = any_jump()};
	}
	return n;
}

/* Takes out what is not needed for the promise to be broken. */
static size_t shrink(struct op *ops, size_t n)
{
	char broken[256];
	bool smaller = true;

	while (smaller) {
		smaller = false;
		for (size_t i = n; i-- > 0;) {
			struct op without[MAX_OPS];

			memcpy(without, ops, i * sizeof(*ops));
			memcpy(without + i, ops + i + 1, (n - i - 1) * sizeof(*ops));
			(void)play(without, n - 1, broken);
			if (!broken[0])
				continue;
			memcpy(ops, without, --n * sizeof(*ops));
			smaller = true;
		}
	}
	return n;
}

static void print_history(const struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct op *op = &ops[i];

		print_error("  %-7s", op_names[op->kind]);
		if (op->kind == OP_WAIT || op->kind == OP_JUMP)
			print_error(" %.3f s", (double)op->usec / 1e6);
		else if (op->kind == OP_ACT)
			print_error(" slot %u, a new run would be %s on %s", op->slot,
				places[op->where].policy, places[op->where].target);
		else if (op->kind == OP_END)
			print_error(" slot %u, %s", op->slot, op->helped ? "it helped" : "no help");
		else if (op->kind == OP_CLEAN)
			print_error(" slot %u", op->slot);
		print_error("\n");
	}
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_histories(void **unused)
{
	uint64_t seed = setting("TEND_SEED", 1),
		 n_histories = setting("TEND_HISTORIES", N_HISTORIES);
	uint64_t n_actions = 0, n_asked = 0;

	for (uint64_t end = seed + n_histories; seed < end; seed++) {
		struct op ops[MAX_OPS];
		char broken[256];
		size_t n = any_history(seed, ops);

		for (size_t i = 0; i < n; i++)
			n_asked += ops[i].kind == OP_ACT;
		n_actions += play(ops, n, broken);
		if (!broken[0])
			continue;
		n = shrink(ops, n);
		(void)play(ops, n, broken);
		print_error("seed %" PRIu64 ": %s, after\n", seed, broken);
		print_history(ops, n);
		fail_msg("a limit does not hold: TEND_SEED=%" PRIu64 " TEND_HISTORIES=1", seed);
	}
	/* Neither everything nor nothing was let through, or the walk would prove little. */
	print_message("%" PRIu64 " actions of %" PRIu64 " wanted\n", n_actions, n_asked);
	assert_true(n_actions > n_asked / 20 && n_actions < n_asked);
}

/* The judge itself: without the limits a history is found out, and made short. */
static void test_judge(void **unused)
{
	static struct world w = {.t = T_BEGIN, .boot = T_BEGIN - HOUR};
	static const char *const runs[] = {"run0", "run1", "run2"};
	struct live live = {.place = &places[0]};

	assert_int_equal(limits.max[LIMITS_TARGET], ARRAY_SIZE(runs));
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		live.name = runs[i];
		add(&w, &live, false);
	}
	check_budgets(&w);
	assert_string_equal(w.broken, "");
	w.t += HOUR - 1;
	add(&w, &live, false);
	check_budgets(&w);
	assert_non_null(strstr(w.broken, "4 actions in an hour of the budget target"));
	w.broken[0] = '\0';
	for (size_t i = 0; i < w.n; i++)
		w.done[i].action.verdict = ACTION_UNVERIFIED;
	add(&w, &live, false);
	check_breaker(&w);
	assert_non_null(strstr(w.broken, "the breaker is open for 900"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_histories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
