/* SPDX-License-Identifier: MIT */
/*
 * store/rollups.h: the history of metrics, STATE_DIR/history.db: each series' minutes, packed into
 * a block an hour, and its hours, packed into a block a day (store/block.h). A thread of its own
 * writes and reads it, so that neither the outbox nor the loop ever waits for it. What it is for
 * bears a loss: synchronous=NORMAL, and when the disk does not take a minute it is gone, and
 * counted. A file that is corrupt, or of a newer version, is set aside and a fresh one begun.
 * Callbacks come on the loop. Times are Unix seconds; days and hours those of UTC.
 */
#ifndef STORE_ROLLUPS_H
#define STORE_ROLLUPS_H

#include <tend/error.h>
#include "loop/loop.h"
#include "store/block.h"

enum { ROLLUPS_MAX_SERIES = 200000, ROLLUPS_MAX_POINTS = 50000 };

struct rollups;

/* Called for each series that the file knows, before rollups_open() returns. */
typedef void (*rollups_series_fn)(uint32_t id, const char *check, const char *metric,
	const char *instance, const char *unit, void *data);
/* Blocks: for start-up. */
int rollups_open(struct loop *loop, const char *state_dir, rollups_series_fn fn, void *data,
	struct tend_error *err, struct rollups **ret_rollups);
/* Writes what was handed over, at most 5 s. */
struct rollups *rollups_free(struct rollups *rollups);
DEFINE_AUTO(struct rollups *, rollups_free)

/* The greatest number of a series that the file knew when it was opened. */
uint32_t rollups_last_id(const struct rollups *rollups);
/* How long minutes and hours are kept, in days. Until it is set: 14 and 400. */
void rollups_set_retention(struct rollups *rollups, int64_t minute_days, int64_t hour_days);

/* One minute of many series. Add, then give away. */
struct minute;
int minute_new(int64_t minute /* since 1970 */, struct minute **ret_minute);
struct minute *minute_free(struct minute *minute);
DEFINE_AUTO(struct minute *, minute_free)
int minute_add(struct minute *minute, uint32_t series, const struct point *point);
/* A series that the file may not know yet. */
int minute_name(struct minute *minute, uint32_t series, const char *check, const char *metric,
	const char *instance, const char *unit);
/* Steals it, also on failure: -ENOBUFS, the thread is behind by several minutes. */
int rollups_put(struct rollups *rollups, struct minute *minute);

enum rollups_step { ROLLUPS_MINUTES, ROLLUPS_HOURS };
/* Points from `from` on in steps of a minute or an hour; those without samples too. Borrowed. */
typedef void (*rollups_points_fn)(
	int r, const struct point *points, size_t n_points, int64_t from, void *data);
/* `from` is rounded down to the step; `to` is not part of it. -E2BIG: more than ROLLUPS_MAX_POINTS;
 * -ENOBUFS: too many wait. */
int rollups_read(struct rollups *rollups, uint32_t series, enum rollups_step step, int64_t from,
	int64_t to, rollups_points_fn fn, void *data);
/* No callback with this `data` any more. */
void rollups_forget(struct rollups *rollups, void *data);

struct rollups_stats {
	uint64_t n_minutes, n_lost;		/* minutes written, and not taken by the disk */
	uint64_t n_block_points, n_block_bytes; /* of the hours packed since the start */
	int64_t file_bytes;
};
void rollups_get_stats(struct rollups *rollups, struct rollups_stats *ret_stats);

#endif
