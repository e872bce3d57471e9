/* SPDX-License-Identifier: MIT */
/*
 * history/history.h: what the metrics of every check were: gathers the results of a minute on the
 * loop, gives it to store/rollups.h when it is over, and finds a series again by its name. A metric
 * of one instance is a series: "crm/database/main", "free", "/var". Without a file that can be
 * opened there is no history, and everything else goes on. Never blocks.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include "store/rollups.h"
#include "watch/watch.h"

struct history;

struct history_series {
	uint32_t id;
	const char *metric, *instance, *unit;
};

/* Blocks for the file. `state_dir` NULL: none is wanted. A file that cannot be opened is logged:
 * -errno only without memory. */
int history_new(struct loop *loop, const char *state_dir, struct history **ret_history);
struct history *history_free(struct history *history); /* what was gathered is written */
DEFINE_AUTO(struct history *, history_free)
void history_apply(struct history *history, const struct conf *conf);

/* A check has a new result. */
void history_take(struct history *history, const struct check *check);

/* The series of a check, also of one that is no more; fn is called for each. */
void history_each(const struct history *history, const char *check,
	void (*fn)(const struct history_series *series, void *data), void *data);
/* -ENOENT. `instance` "": that of a metric without instances. */
int history_find(const struct history *history, const char *check, const char *metric,
	const char *instance, struct history_series *ret_series);
/* As rollups_read(), with what is not written yet; -ENODEV: there is no file. */
int history_read(struct history *history, uint32_t series, enum rollups_step step, int64_t from,
	int64_t to, rollups_points_fn fn, void *data);
void history_forget(struct history *history, void *data);

struct history_stats {
	struct rollups_stats file;
	size_t n_series;
	uint64_t n_refused;  /* results of series that there was no room for */
	uint64_t n_gave_way; /* series whose place a new one of the same check took */
};
void history_get_stats(const struct history *history, struct history_stats *ret_stats);

#endif
