/* SPDX-License-Identifier: MIT */
/*
 * calendar/window.h: maintenance windows and freezes ([window NAME], [freeze NAME]) as pure
 * functions over the configuration and a time of day. Nothing is kept, nothing fails, nothing
 * blocks; what windows do to checks and notices is done by watch/ and alert/, which ask here.
 * A span is [opens, closes); a duration is time that passes, whatever the clock does meanwhile.
 */
#ifndef CALENDAR_WINDOW_H
#define CALENDAR_WINDOW_H

#include <jansson.h>
#include "conf/conf.h"

enum { WINDOW_WHY_BYTES = 256 };

struct window_span {
	usec_t opens, closes; /* closes: USEC_INFINITY = open-ended */
};

/* May a policy change something on the component now? `required`: only inside a window that has
 * `actions = allow` and matches. False: `why` names the window or freeze and the next opening. */
bool windows_may_act(const struct conf *conf, const struct conf_component *c, const char *policy,
	bool required, usec_t wall, char why[WINDOW_WHY_BYTES]);

/* What the verb window.check answers: {"open": BOOL, "window": NAME or null, "until": TIME or null,
 * "left": SECONDS or null, "next": TIME or null, "freeze": NAME or null, "frozen_until": TIME or
 * null}. Times are RFC 3339 in UTC. NULL: no memory. */
json_t *windows_check(
	const struct conf *conf, const struct conf_component *c, const char *policy, usec_t wall);

/* The window that keeps notices of the check back, or the check from running, the one that closes
 * last; NULL: none. check NULL: what is not of a check, but of the component. `ret_span` may be
 * NULL. */
const struct conf_window *windows_quiet(const struct conf *conf, const struct conf_component *c,
	const struct conf_check *check, usec_t wall, struct window_span *ret_span);
const struct conf_window *windows_paused(const struct conf *conf, const struct conf_component *c,
	const struct conf_check *check, usec_t wall, struct window_span *ret_span);

/* All open windows that pause checks (struct conf_window *): for who asks for many components. */
int windows_pausing(const struct conf *conf, usec_t wall, struct vec *ret_windows);

/* One window. At `wall`, and the first opening after it. */
bool window_open(const struct conf_window *window, usec_t wall, struct window_span *ret_span);
bool window_next(const struct conf_window *window, usec_t wall, struct window_span *ret_span);
/* Is it about the check, or without one about the component itself? */
bool window_matches(const struct conf_window *window, const struct conf_component *c,
	const struct conf_check *check);

/* What is open now and then the next openings, in order of time, over all windows and freezes (or
 * only the one called `name`), at most `max`. */
struct window_opening {
	const struct conf_window *window;
	struct window_span span;
	bool open; /* now */
};
size_t windows_next(const struct conf *conf, const char *name, usec_t wall,
	struct window_opening *ret_openings, size_t max);
/* Only what is open now. */
size_t windows_open_now(
	const struct conf *conf, usec_t wall, struct window_opening *ret_openings, size_t max);
/* The next time at which any window opens or closes; USEC_INFINITY: none. */
usec_t windows_edge(const struct conf *conf, usec_t wall);

#endif
