/* SPDX-License-Identifier: MIT */
/*
 * calendar/keeper.h: looks at the clock for the windows: a timer at each edge, and at least every
 * 30 s, as the clock may be set. Says which opened (each opening once, also over a restart: that is
 * in the store) and that something may have changed; others ask calendar/window.h what that means.
 * Owns one timer. Never blocks, but for one small read at the start.
 */
#ifndef CALENDAR_KEEPER_H
#define CALENDAR_KEEPER_H

#include "calendar/window.h"
#include "loop/loop.h"
#include "store/store.h"

struct keeper;
struct keeper_deps {
	struct loop *loop;
	struct store *store; /* NULL: openings are not remembered over a restart */
	/* A window (not a freeze) has opened. */
	void (*on_opened)(
		const struct conf_window *window, const struct window_span *span, void *data);
	/* After each look at the clock. */
	void (*on_look)(void *data);
	void *data;
};
int keeper_new(const struct keeper_deps *deps, struct keeper **ret_keeper);
struct keeper *keeper_free(struct keeper *keeper);
DEFINE_AUTO(struct keeper *, keeper_free)
/* The first, or a new, configuration: looks at once. After the other parts have it. */
int keeper_apply(struct keeper *keeper, struct conf *conf);
/* The clock was set, by Tend itself. */
void keeper_look(struct keeper *keeper);

/* {"name", "kind": "window"|"freeze", "open", "opens", "closes" (null: open-ended), "opens_text",
 * "closes_text", "timezone", "doc", "matches", "switches"} for each opening; NULL: no memory. */
json_t *window_openings_to_json(const struct window_opening *openings, size_t n);

#endif
