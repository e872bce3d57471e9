/* SPDX-License-Identifier: MIT */
/*
 * watch/private.h: what the files of this folder share. watch.c has the tables, schedule.c
 * says what is due, judge.c takes results (thresholds, state, locating the cause), views.c makes
 * JSON, host.c runs attempts.
 */
#ifndef WATCH_PRIVATE_H
#define WATCH_PRIVATE_H

#include "watch/depend.h"
#include "watch/host.h"
#include "watch/units.h"
#include "watch/watch.h"

struct watch {
	struct loop *loop;
	struct store *store;
	struct conf *conf;
	struct tend_units *units;
	struct spawns *spawns;
	struct work_pool *work;
	struct host *host;
	/* schedule.c */
	struct loop_source *timer, *overdue;
	struct heap due;
	usec_t last_batch;
	struct map checks, components;
	watch_result_fn on_result;
	void *on_result_data;
	watch_judge_fn on_judge;
	void *on_judge_data;
	watch_component_fn on_component;
	void *on_component_data;
	struct watch_stats stats;
	uint32_t next_check_index, next_component_index;
	struct vec events;	   /* struct event *, each with its check */
	uint64_t n_waiters;	   /* ever; the next one's number */
	json_t *restored_memory;   /* rows of before the start, by check; until the first apply */
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

/* watch.c: it is due. late: so late that it was Tend that stood still. */
void watch_take_turn(struct watch *w, struct check *check, bool late);
/* judge.c */
void watch_take_result(struct watch *w, struct check *check, struct attempt_end *end);
void watch_take_located(struct watch *w, struct check *check, struct attempt_end *end);
void watch_update_component(struct watch *w, struct component *component);
struct locate *watch_locate_free(struct locate *locate);
void watch_conclude(struct watch *w, struct check *check); /* enough has been asked */
void watch_locate(struct watch *w, struct check *check);   /* asks the parents, then tells */
void watch_load_states(struct watch *w);
void watch_restore_state(struct watch *w, const char *name, struct check *check);
void watch_forget_state(struct watch *w, const char *name);
void watch_save_state(struct watch *w, struct check *check); /* and what it remembers */

/* memory.c */
enum { MEMORY_ALL_MAX_BYTES = 64 << 20 };
void memory_load(struct watch *w);
void memory_drop(struct check *check); /* not from the store */
void memory_restore(
	struct watch *w, const struct conf *conf, struct check *check, const struct conf_check *cc);
void memory_loaded(struct watch *w);			   /* what no check has taken goes */
void memory_take(struct check *check, json_t *remembered); /* NULL: nothing new */
/* Its options may be others now: true, and what it remembers is forgotten. */
bool memory_review(const struct conf *conf, struct check *check, const struct conf_check *cc);
int memory_put(const struct check *check, struct store_batch *batch); /* nothing when it is saved */
void memory_put_done(struct check *check);			      /* that batch is on its way */
bool memory_is_due(const struct check *check);		/* it must not wait for a new state */
void memory_save(struct watch *w, struct check *check); /* alone, unless it is saved */

/* schedule.c */
int schedule_begin(struct watch *w);
void schedule_end(struct watch *w);
void schedule_put(struct watch *w, struct check *check, usec_t at);
void schedule_first(struct watch *w, struct check *check); /* somewhere within its interval */
void schedule_soon(struct watch *w, struct check *check);
/* The time after `due`, when now is `now`: whole intervals later, so that a check keeps its place
 * among the others; those that were missed are left out, and at least half of one is between. */
usec_t schedule_following(usec_t due, usec_t interval, usec_t now);

/* Adds the row of what is kept of a check. */
int watch_put_state(const struct check *check, struct store_batch *batch);

/* report.c */
/* What the next attempt of the check reads; NULL: it takes no reports. *into holds what is judged
 * just now. */
const struct report *report_of(const struct check *check, struct report *into);
/* Something new was reported: it is looked at, unless a window has paused the check: then when that
 * ends. */
void watch_reported(struct check *check);
/* A window that paused it has ended. */
void report_resumed(struct check *check);
/* A check that wants reports has been made, or its options changed. */
int watch_await_report(struct check *check);

/* group.c */
void group_report(const struct check *check, struct report *into);
/* Its members have answered: its check is to say now what they do, without waiting. */
void group_look(struct watch *w, struct component *group);
/* A member's state has changed. */
void group_member_changed(struct watch *w, struct component *member);

/* event.c: of a check that was pushed */
struct event {
	struct conf_check conf; /* its own; the component is that of the configuration in force */
	struct check *check;	/* NULL: restored, and not placed yet */
	json_t *labels;		/* as it was said last; NULL */
	char source[41], fingerprint[17];
	usec_t ttl;
};
extern const struct tend_probe watch_reported_probe;
bool event_place(struct event *event, const struct conf *conf); /* false: it has no place there */
void events_restore(struct watch *w);
void event_drop(struct watch *w, struct event *event); /* frees it */
json_t *event_to_json(const struct event *event);      /* NULL: it is none */
bool event_is_over(const struct check *check);
void event_report(const struct event *event, const struct report *report, usec_t now,
	struct report *ret_report);
/* watch.c: its check, which owns it from there on; it is removed as if it were gone from the
 * configuration */
void watch_remove_event(struct watch *w, struct check *check);
int watch_add_event(struct watch *w, struct event *event, struct check **ret_check);

#endif
