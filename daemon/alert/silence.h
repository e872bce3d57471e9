/* SPDX-License-Identifier: MIT */
/*
 * alert/silence.h: ad-hoc quiet. A silence has matchers over labels, a beginning, an end, an author
 * and a comment; while it is in force it keeps back the notices of what it matches. struct silences
 * owns them all and one timer. One counts from when the store has it, never before; what the store
 * does not take is not in force. Loaded before anything is sent. Never blocks, but for a read at
 * start-up. Bounded: SILENCE_MAX that have not ended.
 */
#ifndef ALERT_SILENCE_H
#define ALERT_SILENCE_H

#include "alert/match.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "loop/loop.h"
#include "store/store.h"

enum {
	SILENCE_MAX = 1000,
	SILENCE_MAX_ENDED = 200, /* that are still shown */
	SILENCE_COMMENT_BYTES = 1000,
};

struct silence {
	char id[UUID_TEXT_BYTES];
	struct matchers *matchers;
	usec_t created_wall, starts_wall, ends_wall; /* [starts, ends) */
	usec_t ended_wall; /* before its end, by somebody or something; 0 */
	char *author, *comment;
	char *ended_by;	     /* NULL */
	bool until_resolved; /* ends with the last incident that it matches */
};
enum silence_state { SILENCE_PENDING, SILENCE_ACTIVE, SILENCE_ENDED, SILENCE_STATE_MAX };
extern const char *const silence_state_names[SILENCE_STATE_MAX]; /* pending active ended */
enum silence_state silence_state(const struct silence *silence, usec_t wall);

struct silences;
int silences_new(struct loop *loop, struct store *store, struct silences **ret_silences);
struct silences *silences_free(struct silences *silences);
DEFINE_AUTO(struct silences *, silences_free)
/* One has come into force, or has ended. */
void silences_on_change(struct silences *silences, void (*fn)(void *data), void *data);

/* The one in force that matches and ends last; NULL. `stays`: one that ends with the incident does
 * not count, as when it is to be told that the incident has ended. */
const struct silence *silences_match(
	const struct silences *silences, const json_t *labels, bool stays);
/* An incident with these labels has ended; still_open(): another one is open that the silence
 * matches. */
void silences_resolved(struct silences *silences, const json_t *labels,
	bool (*still_open)(const struct silence *silence, void *data), void *data);

struct silence_wanted {
	const char *matchers, *author, *comment;
	usec_t starts_wall, ends_wall;
	bool until_resolved;
};
/* r: 0, it is in the store and counts; else it does not. `silence` borrowed, NULL on failure. */
typedef void (*silence_done_fn)(int r, const struct silence *silence, void *data);
/* -EINVAL with what is wrong, -ENOSPC: too many. fn is called later, and only when it returns 0. */
int silences_add(struct silences *silences, const struct silence_wanted *wanted, silence_done_fn fn,
	void *data, struct tend_error *err);
/* -ENOENT, -EALREADY. */
int silences_expire(struct silences *silences, const char *id, const char *author,
	silence_done_fn fn, void *data, struct tend_error *err);
const struct silence *silences_find(
	const struct silences *silences, const char *id); /* or a unique prefix */
const struct vec *silences_list(
	const struct silences *silences); /* struct silence *, oldest first */
/* {"id", "state", "matchers", "starts", "ends", "author", "comment", "until_resolved", "created",
 * "ended", "ended_by"} */
json_t *silence_to_json(const struct silence *silence);

#endif
