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

json_t *policies_to_json(const struct policies *policies); /* list */
size_t policies_n_broken(const struct policies *policies); /* entries of it with an error */
bool policies_runner_up(const struct policies *policies);  /* tend-run */
json_t *policies_actions_to_json(
	const struct policies *policies); /* {enabled, why, author, since, budgets, breakers} */
/* By hand: `target` a component or check or NULL; params JSON object or NULL. */
int policies_run(struct policies *policies, const char *name, const char *target, json_t *params,
	const char *author, char ret_run_id[UUID_TEXT_BYTES], struct tend_error *err);
typedef void (*policies_rows_fn)(int r, json_t *rows, void *data);
int policies_runs(struct policies *policies, int limit, policies_rows_fn fn, void *data);
int policies_run_show(
	struct policies *policies, const char *run_id, policies_rows_fn fn, void *data);
/* Why nothing was done: every gate that said no for this incident, newest last. */
json_t *policies_explain(const struct policies *policies, const char *incident_id);

#endif
