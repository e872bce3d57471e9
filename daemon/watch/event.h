/* SPDX-License-Identifier: MIT */
/*
 * watch/event.h: what other systems push in: each event that stands is a check of its own, of the
 * component it is about, that nobody configured: SYSTEM/COMPONENT/SOURCE-FINGERPRINT, or
 * SYSTEM/COMPONENT/SOURCE for a source that has one a component. It lives in the tables of watch/
 * like any other check, over restarts and reloads, is over when the source says so or is silent for
 * its ttl, and goes some minutes later. Bounded by source and in all, so that no source can take
 * the room of another. Never blocks.
 */
#ifndef WATCH_EVENT_H
#define WATCH_EVENT_H

#include "watch/watch.h"

#define EVENT_SOURCE_FEEDBACK "feedback"
enum { EVENT_FINGERPRINT_BYTES = 17, EVENT_SOURCE_BYTES = 41, EVENT_MAX = 5000 };
/* What an event comes with, for matchers. */
enum { EVENT_MAX_LABELS = 24, EVENT_LABEL_BYTES = 257, EVENT_LABELS_BYTES = 2048 };

struct event_in {
	const char *source;			/* of [source], or EVENT_SOURCE_FEEDBACK */
	const char *fingerprint;		/* 16 hex digits; "" = one a component */
	const struct conf_component *component; /* NULL: wherever it stands; only for its end */
	enum tend_state state;			/* ok: it is over */
	const char *text;
	json_t *labels; /* object text -> text, borrowed and kept: what it came with; NULL */
	usec_t ttl;
	int64_t max;  /* of the source */
	double count; /* shown as the metric `reports'; 0 = none */
};

/* Adds what is to be kept to `batch`. *ret_check: NULL when something is over that nobody knew.
 * -ENOBUFS: too many stand. -ENOENT: no component was named, and it stands nowhere. */
int watch_event(struct watch *watch, const struct event_in *in, struct store_batch *batch,
	struct check **ret_check, struct tend_error *err);
/* The check that stands for it; NULL. */
struct check *watch_find_event(
	struct watch *watch, const char *component, const char *source, const char *fingerprint);
/* What the event came with, as it was said last; NULL: nothing, or it was not pushed. Borrowed. */
const json_t *watch_event_labels(const struct check *check);
/* So many of the source stand. */
size_t watch_n_events(const struct watch *watch, const char *source);

#endif
