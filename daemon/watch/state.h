/* SPDX-License-Identifier: MIT */
/*
 * watch/state.h: the state of a check as a pure function: (old state, verdict, configuration) ->
 * (new state, events). No clock, no I/O, no allocation. Soft until confirmed by N of the last M
 * verdicts, then hard.
 */
#ifndef WATCH_STATE_H
#define WATCH_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <tend/option.h>
#include <tend/reason.h>

struct state_conf {
	unsigned confirm_failures;    /* N: 1..M */
	unsigned confirm_window;      /* M: 1..64 */
	unsigned confirm_recoveries;  /* good verdicts in a row that end a hard failure: 1..64 */
	unsigned flap_high, flap_low; /* percent; flap_high 0: flapping is not looked for */
};

struct state {
	enum tend_state now;  /* the last verdict, or pending */
	enum tend_state hard; /* the last confirmed state, or pending */
	uint64_t history;     /* bit 0 = newest verdict; 1 = not ok */
	unsigned n_history;   /* 0..64 */
	unsigned n_same;      /* verdicts like the last in a row */
	unsigned n_same_good; /* good verdicts in a row */
	uint64_t verdicts;    /* the last 21, two bits each (enum tend_state), the newest lowest */
	unsigned n_verdicts;  /* 0..21 */
	bool flapping;	      /* `hard` stays a failure, unless it gets worse, until that ends */
	usec_t since_wall;    /* of `now` */
	usec_t hard_since_wall;
};

enum state_event {
	STATE_EVENT_SOFT = 1u << 0,	 /* `now` changed, not confirmed */
	STATE_EVENT_HARD = 1u << 1,	 /* `hard` changed */
	STATE_EVENT_RECOVERED = 1u << 2, /* `hard` changed from a failure to ok */
	STATE_EVENT_FLAPPING = 1u << 3, /* flapping began: `hard` is a failure now, if it was not */
	STATE_EVENT_STEADY = 1u << 4,	/* it ended: `hard` is what is so, or soon will be */
};

void state_init(struct state *s, usec_t wall);
/* verdict: ok, warning, critical or unknown. Returns state_event bits. */
unsigned state_step(
	struct state *s, const struct state_conf *conf, enum tend_state verdict, usec_t wall);
/* A failing verdict that follows another too closely to confirm it: seen, not counted. */
unsigned state_glimpse(struct state *s, enum tend_state verdict, usec_t wall);
/* Nothing is known of it: whatever was so is neither confirmed nor well. */
unsigned state_await(struct state *s, usec_t wall);
/* How many of the last 20 changes that could be were, in percent; the newest count 1.25, the oldest
 * 0.75, as Nagios does. */
unsigned state_flap_percent(const struct state *s);
/* N of the last M verdicts failed. */
bool state_confirmed(const struct state *s, const struct state_conf *conf);
/* A failure must be confirmed anew from here on; `now` and `hard` stay. */
void state_forget_history(struct state *s);
/* Makes a failing `now` hard at once (a parent's single failing answer locates a fault); events. */
unsigned state_force_hard(struct state *s, usec_t wall);
bool state_is_soft(const struct state *s); /* `now` is not what `hard` says */
bool state_failed(enum tend_state state);  /* warning, critical, unknown */
enum tend_state state_worse(enum tend_state a, enum tend_state b);

#endif
