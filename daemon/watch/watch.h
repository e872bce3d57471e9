/* SPDX-License-Identifier: MIT */
/*
 * watch/watch.h: what is checked, when, and in what state. Owns struct check and struct component,
 * the heap of due checks over one loop timer, the attempts, dependencies. Never blocks. Views
 * (API, SNMP, /metrics, policies) read these structs directly on the loop; nobody else writes them.
 * Pointers stay valid until the next watch_apply() (reload): keep names, not pointers.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "base/heap.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include "store/store.h"
#include "watch/state.h"
#include "work/pool.h"

enum { RESULT_TEXT_BYTES = 513, REPORT_MAX_METRICS = 16 };

struct metric {
	char name[32];
	char instance[64]; /* one of several with this name; "" */
	char unit[8];
	double value;
	struct range warning, critical; /* valid if has_ */
	bool has_warning, has_critical;
	enum tend_state verdict;
};

struct result {
	enum tend_reason reason;
	enum tend_state verdict; /* after thresholds */
	char text[RESULT_TEXT_BYTES];
	usec_t started, finished; /* monotonic */
	usec_t finished_wall;
	size_t n_metrics, max_metrics; /* there is room for so many */
	size_t n_left_out;	       /* more than TEND_SAMPLES_MAX */
	struct metric *metrics;
	uint64_t number; /* of this check, counts up */
};

/* What was told of a check by POST /v1/checks/NAME/report or the verb check.report; kept over
 * restarts. */
struct report {
	enum tend_state state; /* pending: nothing yet, waited for since at_wall; at_wall 0: no
				  report is wanted */
	enum tend_reason reason;
	char text[RESULT_TEXT_BYTES];
	usec_t at_wall;
	usec_t at, aged; /* clock_now() of it, and its age then: more than 0 only after a restart */
	usec_t ttl;	 /* it is believed for so long; 0: as the check says */
	usec_t signalled; /* of heartbeats: clock_now() of the last start, ok or fail */
	/* of heartbeats */
	usec_t started_wall; /* of a run that goes on; 0 */
	usec_t lost_wall;    /* of the first one that was begun, with no end before the next; 0 */
	usec_t runtime;	     /* of the last one, if it had said start; 0 */
	usec_t resumed_wall; /* a window that paused the check ended, and nothing came since; 0 */
	bool judged;	     /* its age has been judged: what it says holds */
	size_t n_metrics;
	struct report_metric {
		char name[32], unit[8];
		double value;
	} metrics[REPORT_MAX_METRICS];
};

struct tend_attempt;
struct locate;
struct run_waiter;
struct component;
struct event;

struct check {
	struct conf *conf_owner; /* reference */
	const struct conf_check *conf;
	struct component *component;
	struct state state;
	usec_t counted;	  /* start of the last attempt that counted towards a confirmation */
	bool unreachable; /* a dependency is down: raises nothing */
	char unreachable_why[256]; /* name of the component that is down */
	bool unconfirmed;	   /* told before its parents had answered */
	struct result last;	   /* number == 0: none yet */
	struct report *report;	   /* of a check that takes reports; NULL */
	json_t *raised;	     /* metrics with a range `clear' that alert: name, or name:instance,
				-> state; NULL */
	json_t *memory;	     /* what its attempts remember; NULL */
	char memory_of[17];  /* the options it was remembered under */
	size_t memory_bytes; /* as text */
	bool memory_unsaved;
	bool memory_refused; /* there was no room for it: told */
	usec_t memory_saved; /* clock_now(); 0: not since the start */
	struct event *event; /* watch/event.h: it was not configured, but pushed; NULL */
	struct watch *watch;
	struct heap_node due;	      /* .at: of clock_now() */
	struct tend_attempt *attempt; /* running */
	struct run_waiter *waiters;
	struct locate *locate; /* its parents are being asked */
	bool located;	       /* its hard failure was handed on (as a fault or as unreachable) */
	bool run_again;	       /* something changed while an attempt ran */
	bool missing_told;     /* that a threshold's metric does not come */
	bool left_out_told;    /* that there are too many metrics */
	bool paused; /* by a window: its schedule goes on, but starts nothing; its state is kept */
	uint64_t n_attempts, n_good, n_failed, n_overruns;
	uint32_t snmp_index; /* small, stable while the daemon lives */
};

struct component {
	const struct conf_component *conf;
	struct vec checks;  /* struct check * */
	struct vec members; /* struct component *: of a group */
	struct vec groups;  /* struct component *: whose member it is */
	enum tend_state
		state; /* worst hard state of its checks; unreachable when a parent is down */
	usec_t since_wall;
	uint32_t snmp_index;
};

struct watch;
/* After every result; `events` are state_event bits. The check holds the new state and result. A
 * hard failure is told (STATE_EVENT_HARD) only when its parents have answered: see
 * check->unreachable. */
typedef void (*watch_result_fn)(struct check *check, unsigned events, void *data);

struct net;
int watch_new(struct loop *loop, struct store *store, struct net *net, struct watch **ret_watch);
struct watch *watch_free(struct watch *watch);
DEFINE_AUTO(struct watch *, watch_free)
void watch_on_result(struct watch *watch, watch_result_fn fn, void *data);
/* After a result's thresholds, before its verdict counts: may make it worse. */
typedef void (*watch_judge_fn)(const struct conf_check *conf, struct result *result, void *data);
void watch_on_judge(struct watch *watch, watch_judge_fn fn, void *data);
/* The range of "metric=range" rows; NULL: none of this metric. */
const char *watch_threshold(char *const *map, const char *metric);
/* The state of a component is another one. */
typedef void (*watch_component_fn)(const struct component *component, void *data);
void watch_on_component(struct watch *watch, watch_component_fn fn, void *data);
/* Takes the new configuration, keeps state of checks that did not change. */
int watch_apply(struct watch *watch, struct conf *conf);
/* The time of day has jumped: what depends on it is looked at anew. */
void watch_clock_jumped(struct watch *watch);
/* A window may have opened or ended: checks are paused, or go on, those at once. */
void watch_look_at_windows(struct watch *watch);
/* The end is near: no attempt begins any more, who waits for a result is told -ESHUTDOWN. Whoever
 * must not hear of it forgets first (watch_run_forget()). */
void watch_stop(struct watch *watch);

/* Starts the check now; fn is called once, from the loop, with the first result of an attempt that
 * began at `not_before` (clock_now()) or later: 0 joins one that is running. fn may be NULL. r < 0:
 * it is gone from the configuration or Tend ends (-ESHUTDOWN), there is no such check (-ENOENT). */
typedef void (*watch_run_fn)(int r, struct check *check, void *data);
int watch_run_now(struct watch *watch, const char *check_name, usec_t not_before, watch_run_fn fn,
	void *data);
void watch_run_forget(struct watch *watch, void *data); /* no callback with this `data` any more */

/* Takes a report for a check of the probe `passive`, keeps it and runs the check on it; fn as
 * above. `reason` NULL: the plain one of the state. `metrics`: a JSON object of numbers, or NULL.
 * -ENOENT: no such check; -EINVAL: not passive, or something does not fit, with a text. */
int watch_report(struct watch *watch, const char *check_name, const char *state, const char *reason,
	const char *text, const json_t *metrics, watch_run_fn fn, void *data,
	struct tend_error *err);

/* How long a report for the check is believed at most (its option `ttl`); 0: it is a heartbeat, or
 * takes none. */
usec_t watch_report_ttl(const struct check *check);
/* Takes what report_read() has read, hands it to the store and has the check look at it, unless a
 * window has paused that. `observed`: it says itself when it was found out, so -EEXIST when a later
 * one is there. -EINVAL: not passive. */
int watch_take_report(
	struct check *check, const struct report *report, bool observed, struct tend_error *err);

/* A verb served by a plugin's call(): outcome is borrowed, NULL on failure. */
typedef void (*watch_call_fn)(
	enum tend_reason reason, const char *text, json_t *outcome, void *data);
int watch_call(struct watch *watch, struct conf *owner, const struct tend_probe *probe,
	const void *probe_conf, const char *name, const char *method, json_t *args, usec_t timeout,
	watch_call_fn fn, void *data);

struct conf *watch_conf(const struct watch *watch);
struct check *watch_find_check(struct watch *watch, const char *name); /* NULL */
struct component *watch_find_component(struct watch *watch, const char *name);
const struct map *watch_checks(const struct watch *watch);     /* struct check * by name */
const struct map *watch_components(const struct watch *watch); /* struct component * by name */
enum tend_state watch_check_shown_state(
	const struct check *check); /* what people see: hard, or unreachable */
enum tend_state watch_system_state(const struct watch *watch, const struct conf_system *system);
enum tend_state watch_worst_state(const struct watch *watch);
struct tend_units *watch_units(struct watch *watch); /* see watch/units.h */

/* JSON for every view: API, CLI, explain. */
json_t *watch_check_to_json(const struct check *check, bool full);
json_t *watch_component_to_json(const struct component *component, bool full);
json_t *watch_system_to_json(const struct watch *watch, const struct conf_system *system);

enum { WATCH_LATE_MAX = 10 };
extern const usec_t watch_late_bounds[WATCH_LATE_MAX]; /* rising */
struct watch_stats {
	struct work_stats work; /* tend-work processes */
	/* Starts that were due: as late as the bound or less, but later than the one before; the
	 * last: all the rest. */
	uint64_t n_late[WATCH_LATE_MAX + 1];
	usec_t sum_late_usec;
	size_t n_checks, n_by_state[TEND_STATE_MAX], n_running;
	uint64_t n_attempts, n_overruns;
	size_t memory_bytes; /* what attempts remember, as text */
	uint64_t n_memories_refused;
	uint64_t n_left_out;  /* metrics of results that had too many */
	usec_t max_late_usec; /* lateness of starts since the last call */
	usec_t last_start;    /* monotonic; for the watchdog */
};
void watch_get_stats(struct watch *watch, struct watch_stats *ret_stats);
bool watch_healthy(const struct watch *watch); /* due checks were started */

#endif
