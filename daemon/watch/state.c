/* SPDX-License-Identifier: MIT */
#include "watch/state.h"
#include <assert.h>

void state_init(struct state *s, usec_t wall)
{
	*s = (struct state){
		.now = TEND_STATE_PENDING,
		.hard = TEND_STATE_PENDING,
		.since_wall = wall,
		.hard_since_wall = wall,
	};
}

bool state_failed(enum tend_state state)
{
	return state == TEND_STATE_WARNING || state == TEND_STATE_CRITICAL ||
	       state == TEND_STATE_UNKNOWN;
}

bool state_is_soft(const struct state *s)
{
	return s->now != s->hard;
}

enum tend_state state_worse(enum tend_state a, enum tend_state b)
{
	/* unknown is worse than warning, not than critical: something may be wrong. */
	static const unsigned char rank[TEND_STATE_MAX] = {
		[TEND_STATE_PENDING] = 0,
		[TEND_STATE_OK] = 1,
		[TEND_STATE_UNREACHABLE] = 2,
		[TEND_STATE_WARNING] = 3,
		[TEND_STATE_UNKNOWN] = 4,
		[TEND_STATE_CRITICAL] = 5,
	};

	return rank[a] >= rank[b] ? a : b;
}

static unsigned set_hard(struct state *s, enum tend_state hard, usec_t wall)
{
	unsigned events = STATE_EVENT_HARD;

	if (hard == TEND_STATE_OK && state_failed(s->hard))
		events |= STATE_EVENT_RECOVERED;
	s->hard = hard;
	s->hard_since_wall = wall;
	return events;
}

bool state_confirmed(const struct state *s, const struct state_conf *conf)
{
	uint64_t mask =
		conf->confirm_window >= 64 ? UINT64_MAX : (UINT64_C(1) << conf->confirm_window) - 1;

	return (unsigned)__builtin_popcountll(s->history & mask) >= conf->confirm_failures;
}

static void forget_confirmations(struct state *s)
{
	s->history = 0;
	s->n_history = 0;
	s->n_same = 0;
}

void state_forget_history(struct state *s)
{
	forget_confirmations(s);
	s->verdicts = 0;
	s->n_verdicts = 0;
}

static unsigned step_good(struct state *s, const struct state_conf *conf, usec_t wall)
{
	s->n_same_good++;
	if (s->hard == TEND_STATE_OK)
		return 0;
	if (state_failed(s->hard) && s->n_same_good < conf->confirm_recoveries)
		return 0;
	/* What came before the recovery must not count towards the next failure. */
	forget_confirmations(s);
	return set_hard(s, TEND_STATE_OK, wall);
}

static unsigned step_failed(
	struct state *s, const struct state_conf *conf, enum tend_state verdict, usec_t wall)
{
	s->n_same_good = 0;
	if (verdict == s->hard)
		return 0;
	/* From one failure to another (warning to critical): as many in a row as confirm a failure,
	 * so that a metric at the edge of its range does not tell twice a minute. */
	if (state_failed(s->hard))
		return s->n_same >= conf->confirm_failures ? set_hard(s, verdict, wall) : 0;
	return state_confirmed(s, conf) ? set_hard(s, verdict, wall) : 0;
}

/* ---- flapping ------------------------------------------------------------------------------- */

enum { FLAP_CHANGES = 20, FLAP_VERDICTS = FLAP_CHANGES + 1 };

static enum tend_state verdict_at(const struct state *s, unsigned i)
{
	return (enum tend_state)(s->verdicts >> 2 * i & 3);
}

static void remember_verdict(struct state *s, enum tend_state verdict)
{
	s->verdicts =
		(s->verdicts << 2 | (uint64_t)verdict) & ((UINT64_C(1) << 2 * FLAP_VERDICTS) - 1);
	if (s->n_verdicts < FLAP_VERDICTS)
		s->n_verdicts++;
}

unsigned state_flap_percent(const struct state *s)
{
	unsigned sum = 0; /* in thousandths; all 20 make 20,000 */

	for (unsigned i = 0; i + 1 < s->n_verdicts; i++)
		if (verdict_at(s, i) != verdict_at(s, i + 1))
			sum += 1250 - i * 500 / (FLAP_CHANGES - 1);
	return sum / (10 * FLAP_CHANGES);
}

static enum tend_state worst_verdict(const struct state *s)
{
	enum tend_state worst = TEND_STATE_OK;

	for (unsigned i = 0; i < s->n_verdicts; i++)
		worst = state_worse(worst, verdict_at(s, i));
	return worst;
}

/* Looks whether it begins or ends. A constant verdict always ends it: its changes leave the last 20
 * one by one. */
static unsigned step_flapping(struct state *s, const struct state_conf *conf, usec_t wall)
{
	unsigned percent = conf->flap_high ? state_flap_percent(s) : 0;

	if (s->flapping && (!conf->flap_high || percent < conf->flap_low)) {
		s->flapping = false;
		return STATE_EVENT_STEADY;
	}
	if (s->flapping || !conf->flap_high || percent < conf->flap_high)
		return 0;
	s->flapping = true;
	/* It fails again and again: that is a failure, whatever the last verdict was. */
	return STATE_EVENT_FLAPPING |
	       (state_failed(s->hard) ? 0 : set_hard(s, worst_verdict(s), wall));
}

/* Of what happens meanwhile only that it got worse counts, when that is confirmed. */
static unsigned step_while_flapping(
	struct state *s, const struct state_conf *conf, enum tend_state verdict, usec_t wall)
{
	s->n_same_good = verdict == TEND_STATE_OK ? s->n_same_good + 1 : 0;
	if (verdict == s->hard || state_worse(verdict, s->hard) != verdict ||
		s->n_same < conf->confirm_failures)
		return 0;
	return set_hard(s, verdict, wall);
}

unsigned state_step(
	struct state *s, const struct state_conf *conf, enum tend_state verdict, usec_t wall)
{
	bool failed = state_failed(verdict);
	unsigned events = 0;

	assert(verdict == TEND_STATE_OK || failed);
	assert(conf->confirm_failures >= 1 && conf->confirm_window >= conf->confirm_failures);
	s->history = s->history << 1 | (failed ? 1u : 0u);
	if (s->n_history < 64)
		s->n_history++;
	s->n_same = verdict == s->now ? s->n_same + 1 : 1;
	if (verdict != s->now) {
		s->now = verdict;
		s->since_wall = wall;
		events |= STATE_EVENT_SOFT;
	}
	remember_verdict(s, verdict);
	events |= step_flapping(s, conf, wall);
	if (s->flapping)
		events |= step_while_flapping(s, conf, verdict, wall);
	else
		events |= failed ? step_failed(s, conf, verdict, wall) : step_good(s, conf, wall);
	if (events & STATE_EVENT_HARD)
		events &= ~(unsigned)STATE_EVENT_SOFT;
	return events;
}

unsigned state_glimpse(struct state *s, enum tend_state verdict, usec_t wall)
{
	if (verdict == s->now)
		return 0;
	s->now = verdict;
	s->since_wall = wall;
	s->n_same = 1;
	return STATE_EVENT_SOFT;
}

unsigned state_await(struct state *s, usec_t wall)
{
	bool changed = s->hard != TEND_STATE_PENDING;

	if (changed || s->now != TEND_STATE_PENDING)
		state_init(s, wall);
	return changed ? STATE_EVENT_HARD : 0;
}

unsigned state_force_hard(struct state *s, usec_t wall)
{
	if (!state_failed(s->now) || s->now == s->hard)
		return 0;
	return set_hard(s, s->now, wall);
}
