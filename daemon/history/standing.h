/* SPDX-License-Identifier: MIT */
/*
 * history/standing.h: how each component stood, and from when on: a row in the store at every
 * change, for reports of availability. While tendd does not run, or a component is not configured,
 * it is "unmonitored": that counts neither for nor against. A row that is lost is a state that
 * lasted too long; nothing waits for one. Never blocks after the first standing_apply().
 */
#ifndef HISTORY_STANDING_H
#define HISTORY_STANDING_H

#include "store/store.h"
#include "watch/watch.h"

struct standing;

/* Reads when tendd was last alive. */
int standing_new(struct loop *loop, struct store *store, struct watch *watch,
	struct standing **ret_standing);
struct standing *standing_free(struct standing *standing); /* says until when it was alive */
DEFINE_AUTO(struct standing *, standing_free)
/* After watch_apply(): components have come or gone. The first one blocks on a read: those that
 * went while no tendd ran. */
void standing_apply(struct standing *standing);

/* Adds to a row of the store's AVAILABILITY, in place: availability (share of the time that is
 * known; null: none is), mtbf_seconds (up time for each failure; null: none), mttr_seconds, and the
 * spans in seconds. Pure. */
void standing_report(json_t *row);

#endif
