/* SPDX-License-Identifier: MIT */
/* store/rollups_private.h: the file's side of the history: all of it on the history's own thread.
 */
#ifndef STORE_ROLLUPS_PRIVATE_H
#define STORE_ROLLUPS_PRIVATE_H

#include <sqlite3.h>
#include "store/rollups.h"

/* Series are looked at by parts, so that no step holds many of them in memory. */
enum { PART_SERIES = 512, HOUR_MINUTES = 60, DAY_HOURS = 24, DAY_MINUTES = 1440 };

struct minute_entry {
	uint32_t series;
	struct point point;
};
struct minute_name {
	uint32_t series;
	char *check, *metric, *instance, *unit;
};
struct minute {
	int64_t minute;
	struct minute_entry *entries;
	size_t n_entries, cap_entries;
	struct minute_name *names;
	size_t n_names, cap_names;
	struct minute *next;
};

struct rollups_file {
	sqlite3 *db;
	struct sqlite3_stmt *stmts[16];
	uint64_t n_block_points, n_block_bytes;
	uint32_t last_id; /* no series beyond it has points or a name */
};

int rollups_file_open(const char *dir, struct tend_error *err, struct rollups_file *ret_file);
void rollups_file_close(struct rollups_file *file);
int rollups_file_series(struct rollups_file *file, rollups_series_fn fn, void *data);
int rollups_file_put(struct rollups_file *file, struct minute *minute); /* sorts its entries */
/* Points of `n` minutes (or hours) from `first` on, minutes (or hours) since 1970. */
int rollups_file_minutes(
	struct rollups_file *file, uint32_t series, int64_t first, struct point *points, size_t n);
int rollups_file_hours(
	struct rollups_file *file, uint32_t series, int64_t first, struct point *points, size_t n);
/* One step of what there is to do at `now`: packs a part of an hour that is over, or of a day, or
 * drops what is too old. 1: there is more, 0: nothing to do. */
int rollups_file_tend(
	struct rollups_file *file, int64_t now, int64_t minute_days, int64_t hour_days);

#endif
