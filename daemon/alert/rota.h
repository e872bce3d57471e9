/* SPDX-License-Identifier: MIT */
/*
 * alert/rota.h: who is on call, from a simple calendar file. A struct rota owns its lines and a
 * reference to its zone; rota_free() frees it. Reading a text and asking for a time are pure; who
 * has read the file is conf/. A line is one of
 *     2026-11-23T08:00 alice-phone              from then on
 *     weekly 2026-11-23T08:00 alice bob carol   from then on, a week (or: daily, a day) each in
 * turn 2026-12-24T08:00 2026-12-27T08:00 bob     between these two, whatever the others say The
 * latest that has begun counts; of exchanges the last in the file. Times are of the zone: a turn
 * begins at the same time of day before and after the clock is set. '#' begins a comment.
 */
#ifndef ALERT_ROTA_H
#define ALERT_ROTA_H

#include <tend/error.h>
#include "base/vec.h"
#include "calendar/zone.h"

enum { ROTA_MAX_BYTES = 1 << 20, ROTA_MAX_LINES = 10000, ROTA_MAX_NAMES = 64 };

struct rota;
/* Keeps a reference of its own to the zone. -EINVAL: `err` says what is wrong, *ret_line (may be
 * NULL) where. */
int rota_parse(const char *text, const struct zone *zone, struct tend_error *err,
	unsigned *ret_line, struct rota **ret_rota);
struct rota *rota_free(struct rota *rota); /* NULL is fine */
DEFINE_AUTO(struct rota *, rota_free)

/* Who is on call at `wall`: their number, and the names, borrowed from the rota; 0: nobody.
 * `ret_until` (may be NULL): when that may be somebody else; USEC_INFINITY: never. */
size_t rota_at(const struct rota *rota, usec_t wall, char *const **ret_names, usec_t *ret_until);
/* Every name that the file has: calls fn for each line's names. Stops when fn is not 0. */
int rota_each_name(const struct rota *rota, int (*fn)(const char *name, unsigned line, void *data),
	void *data);

#endif
