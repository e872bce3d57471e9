/* SPDX-License-Identifier: MIT */
/*
 * policy/private.h: what the files of this folder share. policy.c: the parts and the switch;
 * catalog.c: files and their declarations; trigger.c: which policy is for which incident; run.c:
 * the life of a run; step.c: the journal of its verbs; gate.c: what must hold before an action;
 * act.c: the verbs.
 */
#ifndef POLICY_PRIVATE_H
#define POLICY_PRIVATE_H

#include "exec/client.h"
#include "loop/child.h"
#include "policy/limits.h"
#include "policy/policy.h"
#include "policy/verbs.h"

enum {
	POLICY_MAX_RUNS = 64,	  /* live ones */
	POLICY_MAX_RECENT = 200,  /* ended runs kept in memory */
	POLICY_MAX_GATES = 500,	  /* gates that said no, kept in memory */
	POLICY_MAX_STEPS = 10000, /* of one run */
	POLICY_MAX_ACTIONS = 10000,
	RUN_MAX_BYTES = 8 << 20, /* of arguments and values of its steps */
	RUN_MAX_RESTARTS = 3,	 /* a runner that dies is started again this often */
};
#define RUN_WALL_USEC (3600 * USEC_PER_SEC) /* a run's wall-clock limit */

struct policy_file {
	char *path, *chunk; /* chunk: "restart-unit.lua" */
	char *source;
	char hash[65];
	char *error;	      /* "restart-unit.lua:12: ..."; NULL = fine or not yet described */
	json_t *declarations; /* NULL = not described */
};

/* All files of the folders and what they declare. The one in force stays until its successor has
 * been described whole. */
struct catalog {
	struct vec files; /* struct policy_file * */
	struct map defs;  /* struct policy_def * by name */
	json_t *library;
	size_t n_begun, n_left; /* files: descriptions begun; not yet described */
};

struct policy_def {
	char *name;
	struct policy_file *file;
	json_t *decl;
	char *error; /* what the configuration sets is wrong; NULL = fine */
};

enum run_state { RUN_LIVE, RUN_DONE, RUN_REFUSED, RUN_FAILED, RUN_UNKNOWN, RUN_STATE_MAX };
extern const char *const run_state_names[RUN_STATE_MAX + 1];

enum step_state { STEP_INTENT, STEP_DONE, STEP_FAILED, STEP_REFUSED, STEP_UNKNOWN, STEP_STATE_MAX };
extern const char *const step_state_names[STEP_STATE_MAX + 1];

struct run {
	struct policies *policies;
	char id[UUID_TEXT_BYTES];
	char incident[UUID_TEXT_BYTES]; /* "" when by hand */
	char *policy, *component, *check, *author;
	char *chunk, *source;
	char hash[65];
	json_t *ctx, *params, *library;
	enum run_state state;
	char *message; /* how it ended */
	usec_t started_wall, ended_wall;
	struct rpc *rpc;
	pid_t pid;
	struct loop_source *exited, *wall_timer;
	unsigned n_restarts, n_in_flight; /* steps whose callbacks are still to come */
	struct map steps;		  /* by path */
	size_t steps_bytes;		  /* their arguments and values, as text */
	bool describing;		  /* no policy: a file tells what it declares */
	struct policy_file *file;
	bool acted, verified, any_unknown, page;
	bool was_frozen; /* a step was refused: actions are off, or cannot be recorded */
	bool intent_committed, settled;
	uint64_t token; /* of the notices that go with its end */
};

struct step {
	struct run *run;
	char *path;
	const struct verb *verb;
	json_t *args;
	char job[UUID_TEXT_BYTES]; /* the executor's id, or the notice's */
	char *target;		   /* component that an action is on; NULL */
	enum step_state state;
	json_t *value;
	char *message;
	usec_t intent_wall, deadline;
	uint64_t token;	 /* of the notice that goes with its intent */
	uint64_t rpc_id; /* the runner waits for it; 0 = nobody */
	unsigned n_ok;	 /* verify */
	struct loop_source *timer;
	bool probing;	       /* the watch owes a result */
	struct units_ask *ask; /* the bus owes an answer */
	bool expecting_job;    /* units_expect_job() is on */
	bool restored;	       /* from the journal, not yet met again by the runner */
};

/* A gate that said no; for `explain`. */
struct gate {
	usec_t wall;
	char incident[UUID_TEXT_BYTES];
	char *policy, *why;
};

struct action_row {
	struct action action;
	char *target;
	char run[UUID_TEXT_BYTES];
	char *path, *verb;
};

struct reaper;

struct policies {
	struct policies_deps deps;
	struct conf *conf;
	struct child *runner;
	struct exec_client *exec;
	char *exec_path;
	struct catalog *catalog; /* in force; NULL before the first */
	struct catalog *loading; /* its successor */
	struct vec runs;	 /* live: struct run * */
	struct vec recent;	 /* ended runs, newest last */
	struct vec gates;
	struct vec actions; /* struct action_row *, oldest first */
	struct vec freezes; /* char * causes */
	bool switched_off;
	char *switch_author, *switch_comment;
	usec_t switch_wall;
	struct loop_source *retry_timer, *tell;
	struct reaper *reapers;
	usec_t retry_at; /* the earliest wish; 0 = none */
	bool resumed, told_frozen;
};

/* catalog.c */
int catalog_load(struct policies *p);
struct catalog *catalog_free(struct catalog *catalog);
void catalog_described(
	struct policies *p, struct policy_file *file, json_t *declarations, const char *error);
const struct conf_policy *policy_settings(const struct policies *p, const char *name);
/* What is wrong with the parameter, freed by the caller; NULL: the policy declares it. */
char *catalog_unknown_param(const struct policy_def *def, const char *param);
json_t *policy_params(const struct policies *p, const char *name);
char *hash_text(const char *text, char buf[65]);

/* trigger.c: pure but for reading the structs */
bool trigger_matches(const json_t *decl, const struct conf_policy *settings,
	const struct incident *incident, const struct component *component, const char **ret_why);
void trigger_wish(struct policies *p, usec_t at); /* look again then, or earlier */
enum conf_mode trigger_mode(
	const struct policies *p, const char *policy, const struct conf_system *system);
void trigger_incident(struct policies *p, struct incident *incident);
void trigger_all(struct policies *p);

/* run.c */
int run_new(struct policies *p, struct run **ret_run);
void run_begin(struct run *run); /* journals the run, then starts a runner */
int run_launch(struct run *run); /* a runner for a journalled run, or for a description */
void run_end(struct run *run, enum run_state state, const char *message);
void run_unref_step(struct run *run); /* a step's last callback has come */
struct run *run_free(struct run *run);
void reapers_free(struct policies *p);
struct run *run_find_live(const struct policies *p, const char *component);
json_t *run_to_json(const struct run *run);
json_t *run_doc(const struct run *run);
int runs_resume(struct policies *p);
struct incident *run_incident(const struct run *run); /* open; NULL */

/* step.c */
void step_on_call(struct run *run, struct rpc *rpc, uint64_t id, json_t *args);
void step_intend(struct step *step);
/* Ends the step: journals the outcome, then answers the runner. Steals value (NULL = null). */
__attribute__((format(printf, 4, 5))) void step_outcome(
	struct step *step, enum step_state state, json_t *value, const char *format, ...);
/* The run has ended: nothing that only looks or waits is wanted any more. */
void step_cancel(struct step *step);
struct step *step_free(struct step *step);
int steps_restore(struct run *run, json_t *rows);

/* gate.c */
void gate_enter(struct step *step); /* an action: lets it through to step_intend() or refuses */
/* Returns false when this was said before. */
__attribute__((format(printf, 4, 5))) bool gate_note(
	struct policies *p, const char *incident_id, const char *policy, const char *format, ...);

/* act.c */
void act_check_run(struct step *step);
void act_verify(struct step *step);
void act_unit(struct step *step);
void act_command(struct step *step);
void act_sql(struct step *step);
void act_notice(struct step *step);
void act_log(struct step *step);
void act_sleep(struct step *step);
void act_now(struct step *step);
void act_resume(struct step *step); /* a step with an intent and no outcome */
const struct conf_component *act_component_of_unit(const struct conf *conf, const char *unit);
/* A result arrived: verify steps look at it. */
void act_on_result(struct policies *p, struct check *check);

/* policy.c */
void actions_add(struct policies *p, usec_t wall, const char *target, const char *run,
	const char *path, const char *verb, enum action_verdict verdict);
void actions_judge(struct policies *p, struct run *run);
size_t actions_plain(const struct policies *p, struct action **ret_actions);
const char *policies_why_frozen(const struct policies *p); /* NULL: actions are enabled */
/* Into the batch, which the caller seals; NULL: by itself. */
__attribute__((format(printf, 4, 5))) void policies_page(struct policies *p, const struct run *run,
	struct store_batch *batch, const char *format, ...);

#endif
