/* SPDX-License-Identifier: MIT */
/*
 * watch/private.h: what the files of this folder share. watch.c has the tables and the schedule,
 * judge.c takes results (thresholds, state, locating the cause), views.c makes JSON, host.c runs
 * attempts.
 */
#ifndef WATCH_PRIVATE_H
#define WATCH_PRIVATE_H

#include "watch/depend.h"
#include "watch/heap.h"
#include "watch/host.h"
#include "watch/units.h"
#include "watch/watch.h"

struct watch {
	struct loop *loop;
	struct store *store;
	struct conf *conf;
	struct tend_units *units;
	struct spawns *spawns;
	struct host *host;
	struct loop_source *timer;
	struct heap due;
	struct map checks, components;
	watch_result_fn on_result;
	void *on_result_data;
	struct watch_stats stats;
	uint32_t next_check_index, next_component_index;
	uint64_t n_waiters;	   /* ever; the next one's number */
	json_t *restored;	   /* states of before the start, by check; until the first apply */
	struct plugin_call *calls; /* running */
	bool stopped;
};

struct run_waiter {
	uint64_t number;
	usec_t not_before;
	watch_run_fn fn;
	void *data;
	struct run_waiter *next;
};

/* judge.c */
void watch_take_result(struct watch *w, struct check *check, struct attempt_end *end);
void watch_update_component(struct watch *w, struct component *component);
struct locate *watch_locate_free(struct locate *locate);
void watch_locate(struct watch *w, struct check *check); /* asks the parents, then tells */
void watch_load_states(struct watch *w);
void watch_restore_state(struct watch *w, const char *name, struct check *check);
void watch_forget_state(struct watch *w, const char *name);
void watch_save_state(struct watch *w, const struct check *check);
const char *watch_threshold(char *const *map, const char *metric); /* of "metric=range"; NULL */

/* report.c */
json_t *report_to_json(const struct report *report); /* NULL: no report is wanted */
void report_from_json(const json_t *doc, struct report *report);
/* A check that wants reports has been made, or its options changed. */
void watch_await_report(struct check *check);

#endif
