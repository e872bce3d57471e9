/* SPDX-License-Identifier: MIT */
/*
 * policy/policy.h: triggers, runs, verbs, limits. Loads lua/policies and the configured folders
 * (each file is described by a tend-run of its own), matches incidents, starts runs, executes their
 * verbs, journals every step before and after, and freezes when it must. Actions are at-most-once
 * and fail closed. Never blocks.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "alert/alert.h"
#include "incident/incident.h"
#include "watch/watch.h"

struct policies;
struct policies_deps {
	struct loop *loop;
	struct store *store;
	struct watch *watch;
	struct incidents *incidents;
	struct alert *alert;
};
int policies_new(const struct policies_deps *deps, struct policies **ret_policies);
/* Before the store and the watch are freed; the loop must not turn in between. */
struct policies *policies_free(struct policies *policies);
DEFINE_AUTO(struct policies *, policies_free)
/* Takes the configuration and reads the policies' files again; the first time, live runs are
 * resumed. */
int policies_apply(struct policies *policies, struct conf *conf);
/* The time of day has jumped: schedules are looked at at once, not within half a minute. */
void policies_clock_jumped(struct policies *policies);
void policies_on_incident(
	struct policies *policies, struct incident *incident, enum incident_event event);
/* A new result arrived (verify steps and open incidents look at it). */
void policies_on_result(struct policies *policies, struct check *check, unsigned events);

/* The switch. Frozen by the store or by an operator; `why` is shown. */
/* It holds at once; fn (may be NULL) hears once whether it is kept over a restart, unless the call
 * itself failed: then the text tells what holds. */
typedef void (*policies_kept_fn)(int r, void *data);
int policies_pause(struct policies *policies, const char *author, const char *comment,
	policies_kept_fn fn, void *data, struct tend_error *err);
int policies_resume(struct policies *policies, const char *author, policies_kept_fn fn, void *data,
	struct tend_error *err);
void policies_freeze(struct policies *policies, const char *cause, bool on); /* "store", "outbox" */
bool policies_actions_enabled(const struct policies *policies);

/* Their files are being read: the list is about to be another. */
bool policies_reading(const struct policies *policies);
/* fn hears once, from the loop, when they have been read, or with -ETIMEDOUT; -ESHUTDOWN: Tend
 * ends. Unless the call itself failed. */
int policies_await(struct policies *policies, usec_t timeout, policies_kept_fn fn, void *data);
json_t *policies_to_json(const struct policies *policies); /* list */
/* Each policy as a row of a table has it; texts are borrowed for the call. */
struct policies_glance {
	const char *name;
	const char *error;   /* why it cannot run; NULL */
	enum conf_mode mode; /* the boldest of all systems */
	const char *modes;   /* "SYSTEM=MODE ..." */
	bool enabled;
	const char *state; /* of its last run that was not a dry one, of the last 200; NULL: none */
	const char *message;
	usec_t started_wall, ended_wall, next_wall; /* 0: none */
};
typedef void (*policies_glance_fn)(const struct policies_glance *glance, void *data);
void policies_glance(const struct policies *policies, policies_glance_fn fn, void *data);
/* A parameter of a policy that is a duration, as it is configured, or else declared. -ENOENT: no
 * such policy (its files may not be read yet), or none of this name. */
int policies_get_duration(
	const struct policies *policies, const char *name, const char *param, usec_t *ret_usec);
size_t policies_n_broken(const struct policies *policies); /* entries of it with an error */
bool policies_runner_up(const struct policies *policies);  /* tend-run */
json_t *policies_actions_to_json(
	const struct policies *policies); /* {enabled, why, author, since, budgets, breakers} */
/* By hand: `target` a component or check or NULL; params JSON object or NULL. */
int policies_run(struct policies *policies, const char *name, const char *target, json_t *params,
	const char *author, char ret_run_id[UUID_TEXT_BYTES], struct tend_error *err);
struct policies_request {
	const char *name, *target, *author;
	json_t *params; /* borrowed; NULL */
	bool dry;	/* it only says what it would do */
};
int policies_start(struct policies *policies, const struct policies_request *request,
	char ret_run_id[UUID_TEXT_BYTES], struct tend_error *err);
/* Tells a live run (its id, or a beginning of it) to clean up and end. `comment` may be NULL. */
int policies_run_cancel(struct policies *policies, const char *id, const char *author,
	const char *comment, struct tend_error *err);
/* A policy that its mistakes have disabled may run again. */
int policies_enable(
	struct policies *policies, const char *name, const char *author, struct tend_error *err);
/* The next `n` times of its schedule over all its targets; NULL: see err. */
json_t *policies_next(
	const struct policies *policies, const char *name, int n, struct tend_error *err);

/* Something happened that policies may wait for; policies are started from the loop. */
enum policy_event {
	POLICY_EVENT_POLICY_ENDED,
	POLICY_EVENT_VERSION_CHANGED,
	POLICY_EVENT_HEARTBEAT_LATE,
	POLICY_EVENT_WINDOW_OPENED,
	POLICY_EVENT_MAX,
};
extern const char *const policy_event_names[POLICY_EVENT_MAX + 1];
/* `component`: where, or NULL; `details`: more members of ctx.trigger.event, stolen, or NULL. */
void policies_event(
	struct policies *policies, enum policy_event type, const char *component, json_t *details);

/* On: no run begins any more, live ones end. Kept over a restart. */
void policies_drain(struct policies *policies, bool on, const char *author);
json_t *policies_drain_to_json(const struct policies *policies); /* {draining, drained, live} */

typedef void (*policies_rows_fn)(int r, json_t *rows, void *data);
struct policies_filter { /* NULL: any */
	const char *policy, *target, *state;
	int limit;
};
int policies_runs(struct policies *policies, int limit, policies_rows_fn fn, void *data);
int policies_runs_where(struct policies *policies, const struct policies_filter *filter,
	policies_rows_fn fn, void *data);
/* News of a live run (its whole id) after number `after`: one row {run, live, last, events}, at the
 * latest after 10 s. -ENOENT: it is not live, nor has it just been. */
int policies_run_follow(
	struct policies *policies, const char *id, uint64_t after, policies_rows_fn fn, void *data);
int policies_run_show(
	struct policies *policies, const char *run_id, policies_rows_fn fn, void *data);
/* Approvals, newest first; of a run, or NULL: of all. */
int policies_approvals(
	struct policies *policies, const char *run, int limit, policies_rows_fn fn, void *data);
/* Those whose id begins so; fn may be called at once. */
int policies_approval_show(
	struct policies *policies, const char *id, policies_rows_fn fn, void *data);
size_t policies_n_waiting_approvals(const struct policies *policies);
/* Users and @groups who may decide on it; NULL: everybody with the role. */
char *const *policies_approval_approvers(const struct policies *policies, const char *id);
/* A person's word; fn hears once whether it was kept, unless the call itself failed. It counts only
 * then. -ENOENT, -EALREADY (it was given, denied, expired), -EPERM, -EBUSY. */
struct policies_voter {
	const char *name; /* of the peer's user */
	bool root;
};
int policies_approval_decide(struct policies *policies, const char *id,
	const struct policies_voter *voter, bool approve, const char *comment, policies_kept_fn fn,
	void *data, struct tend_error *err);
/* Why nothing was done: every gate that said no for this incident, newest last. */
json_t *policies_explain(const struct policies *policies, const char *incident_id);

#endif
