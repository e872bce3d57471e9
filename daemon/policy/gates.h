/* SPDX-License-Identifier: MIT */
/*
 * policy/gates.h: what may keep an action from being done, as the files of this folder share it.
 * history.c: the actions of before, the groups; gate.c: the gates in their order; operators.c:
 * what people are at; evidence.c: what must be known; approve.c: who must agree; worse.c: what is
 * watched after the deed. All on the loop; nothing here blocks but reads of small files of /proc
 * and /run.
 */
#ifndef POLICY_GATES_H
#define POLICY_GATES_H

#include <jansson.h>
#include <sys/types.h>
#include "base/uuid.h"
#include "conf/conf.h"
#include "policy/limits.h"
#include "policy/verbs.h"

struct policies;
struct run;
struct step;
struct store_batch;
struct incident;
struct check;

/* ---- history.c */
struct action_row;
struct moment limits_now(void);
const char *boot_id(void);	      /* of the machine; NULL: not known */
int groups_apply(struct policies *p); /* after a change of the configuration */
const char *group_of(const struct policies *p, const char *component); /* NULL: none such */
void action_row_free(struct action_row *row);
int actions_load(struct policies *p);
/* Its intent is on its way with the batch: it counts from here on. */
int actions_begun(struct step *step, struct store_batch *batch);
void actions_forget(struct step *step); /* it was not kept: nothing was begun */
/* In the store its row stays: nothing was begun. */
int actions_add_refused(const struct step *step, struct store_batch *batch);
void actions_judge(struct policies *p, struct run *run); /* the run has ended */
/* The caller frees; groups are filled in. */
size_t actions_plain(const struct policies *p, struct action **ret_actions);
int policies_breaker(const struct policies *p, const char *policy, const char *target,
	const char *run, struct breaker *ret_breaker);
/* The path of a step that undoes or cleans up: f1.2 (ctx:finally), u1 (worse.c). */
bool path_is_cleanup(const char *path);
/* The time of day until which the policy rests after its runs on the component; 0 = it may run. */
usec_t cooldown_until(const struct policies *p, const char *policy, const char *component);
usec_t cooldown_wish(const struct policies *p); /* clock_now() at which a trigger looks again */
json_t *breakers_to_json(const struct policies *p);
json_t *budgets_to_json(const struct policies *p);

/* ---- hold.c: what people must look at first */
enum { HOLD_WHY_BYTES = 400 };
int holds_load(struct policies *p);
void holds_free(struct policies *p);
void hold_begun(struct run *run); /* one by hand says that people have looked */
bool hold_ended(struct run *run); /* true: no policy begins on its incident by itself any more */
/* May the policy not begin by itself on the incident? Then `why` says so. */
bool hold_is(const struct policies *p, const char *policy, const char *incident,
	char why[HOLD_WHY_BYTES]);
size_t holds_release(struct policies *p, const char *policy); /* a person says so; how many */

/* ---- gate.c */
void gate_enter(struct step *step); /* an action: lets it through to step_intend() or refuses */
/* Returns false when this was said before. */
__attribute__((format(printf, 4, 5))) bool gate_note(
	struct policies *p, const char *incident_id, const char *policy, const char *format, ...);
/* The gate says no: the step is refused, nothing was begun. `page`: people must know, once of an
 * incident, and of each run that has none. */
__attribute__((format(printf, 3, 4))) void gate_refuse(
	struct step *step, bool page, const char *format, ...);
/* The intent is on disk and time has passed: false: the step was refused after all. */
bool gate_last_look(struct step *step);
/* People have agreed, or nobody had to: time has passed, so all is looked at again. */
void gate_approved(struct step *step);
/* What a command may do only the executor knows; after a start of tendd it has not said so yet.
 * True: the step waits and is entered (or executed) again, or it was refused. */
bool gate_wait_for_executor(struct step *step);
unsigned gate_budget_per_group(const struct conf_daemon *conf);
/* Of the step, or of the command or statement that it names. */
enum verb_risk gate_risk(const struct step *step);

/* ---- turn.c: false: the step waits and is entered again, or it was refused */
bool turn_has_come(struct step *step);

/* ---- operators.c: false: `why` says who is at it */
bool operators_allow(const struct conf_daemon *conf, char why[256]);

/* ---- evidence.c: false: the step was refused */
bool evidence_is_fresh(struct step *step);
bool evidence_no_common_cause(struct step *step);
/* Destroy verbs: another check of the component fails, or its unit is down, besides the check that
 * the run is for. */
bool evidence_is_enough(struct step *step);
/* The unit is down, and that is not the very thing that the check has found. */
bool evidence_unit_speaks(const struct step *step);

/* ---- approve.c */
struct approval;
/* Needs nobody: returns true. Else the step waits; gate_approved() or a refusal comes later. */
bool approve_enter(struct step *step);
void approve_forget(struct step *step); /* it waits no more */
void approve_drop(struct step *step);	/* and nothing is done by its approval any more */
/* Into the batch of the step's intent: this approval is used up. */
int approve_use(struct step *step, struct store_batch *batch);
void approve_used(struct step *step, bool kept);
void approve_void_run(struct run *run); /* the run has ended */
int approve_load(struct policies *p);
void approve_free_all(struct policies *p);
json_t *approve_authors(const struct step *step); /* ["ann"]; NULL: nobody had to */
void act_sign_off(struct step *step);
enum { APPROVE_MAX_WAITING = 200 };

/* ---- worse.c */
void worse_begin(struct step *step); /* right before the deed: who is well now */
void worse_on_result(struct policies *p, const struct check *check, unsigned events);
void worse_undone(struct step *step);  /* a step that undoes has its outcome */
void worse_settled(struct step *step); /* any other has: the undoing may have waited for it */
/* After a start of tendd: the undoing goes on where it was. */
void worse_resume_all(struct policies *p);
void worse_free_all(struct policies *p);

#endif
