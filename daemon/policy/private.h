/* SPDX-License-Identifier: MIT */
/*
 * policy/private.h: what the files of this folder share. policy.c: the parts and the switch;
 * catalog.c: files and their declarations; trigger.c, schedule.c, event.c, start.c: what starts a
 * run; run*.c, cancel.c: its life; step.c, replay.c: the journal of its verbs; gate.c: what must
 * hold before an action; act*.c: the verbs. README.md has the whole table.
 */
#ifndef POLICY_PRIVATE_H
#define POLICY_PRIVATE_H

#include "calendar/cron.h"
#include "exec/client.h"
#include "loop/child.h"
#include "policy/gates.h"
#include "policy/hosts.h"
#include "policy/limits.h"
#include "policy/policy.h"
#include "policy/verbs.h"

enum {
	POLICY_MAX_RUNS = 64,	  /* live ones */
	POLICY_MAX_QUEUED = 200,  /* that wait for their turn, in the store */
	POLICY_MAX_RECENT = 200,  /* ended runs kept in memory */
	POLICY_MAX_GATES = 500,	  /* gates that said no, kept in memory */
	POLICY_MAX_STEPS = 10000, /* of one run */
	POLICY_MAX_ACTIONS = 10000,
	RUN_MAX_BYTES = 8 << 20, /* of arguments and values of its steps */
	RUN_MAX_RESTARTS = 3,	 /* a runner that dies is started again this often */
	RUN_FEEDS_KEPT = 16,	 /* of ended runs, for those who follow them */
};
#define RUN_WALL_USEC	  (3600 * USEC_PER_SEC)	     /* a run's wall-clock limit, if it says none */
#define RUN_WALL_MAX_USEC (24 * 3600 * USEC_PER_SEC) /* and the most it may say */
#define RUN_CLEANUP_USEC  (600 * USEC_PER_SEC)	     /* a cancelled run's finally functions */

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
	char *library_text; /* compact JSON */
	char library_hash[65];
	size_t n_begun, n_left; /* files: descriptions begun; not yet described */
};

struct policy_def {
	char *name;
	struct policy_file *file;
	json_t *decl;
	char *error;		   /* what the configuration sets is wrong; NULL = fine */
	struct schedule *schedule; /* NULL: it has none */
};

/* When a policy starts by the clock: its declaration, and what the configuration changes of it. */
enum missed { MISSED_SKIP, MISSED_ONCE, MISSED_ALL, MISSED_MAX };
extern const char *const missed_names[MISSED_MAX + 1];
struct schedule {
	struct cron cron;
	struct zone *zone;
	enum missed missed; /* what becomes of ticks while Tend was away */
	usec_t jitter;
};

enum concurrency { CONCURRENCY_SKIP, CONCURRENCY_QUEUE, CONCURRENCY_REPLACE, CONCURRENCY_MAX };
extern const char *const concurrency_names[CONCURRENCY_MAX + 1];

enum run_state {
	RUN_LIVE,
	RUN_DONE,
	RUN_REFUSED,
	RUN_FAILED,
	RUN_UNKNOWN,
	RUN_CANCELLED,
	RUN_STATE_MAX
};
extern const char *const run_state_names[RUN_STATE_MAX + 1];

enum step_state { STEP_INTENT, STEP_DONE, STEP_FAILED, STEP_REFUSED, STEP_UNKNOWN, STEP_STATE_MAX };
extern const char *const step_state_names[STEP_STATE_MAX + 1];

struct run {
	struct policies *policies;
	char id[UUID_TEXT_BYTES];
	char incident[UUID_TEXT_BYTES]; /* "" when by hand */
	char *policy, *component, *check, *author;
	char *chunk, *source;
	char hash[65], library_hash[65];
	json_t *ctx, *params, *library;
	char *library_text; /* until it is journalled */
	enum run_state state;
	char *message; /* how it ended */
	usec_t started_wall, ended_wall;
	struct rpc *rpc;
	pid_t pid;
	struct loop_source *exited, *wall_timer;
	unsigned n_restarts, n_in_flight; /* steps whose callbacks are still to come */
	struct map steps;		  /* by path */
	size_t steps_bytes;		  /* their arguments and values, as text */
	usec_t limit;			  /* of its wall-clock time */
	bool window_required;		  /* its policy declared so when it began */
	int64_t budget;			  /* and this account of its own; 0 = none */
	bool dry;			  /* it only says what it would do */
	bool pretended;			  /* and has said so of a change */
	bool queued;			  /* it waits until its target is free */
	usec_t due;			  /* the tick of its schedule; 0 = none */
	char *cancelled;		  /* why; NULL = it is not */
	usec_t cancelled_at;		  /* clock_now() */
	bool stopped;			  /* a person did that */
	bool held;			  /* what came of it holds its incident (hold.c) */
	bool limit_hit;			  /* it took too long, or its runner more than it may */
	struct replay *replay;		  /* recorded answers that are still to be given */
	uint64_t last_seq;		  /* of outcomes */
	struct feed *feed;		  /* for those who follow it */
	bool describing;		  /* no policy: a file tells what it declares */
	struct policy_file *file;
	bool acted, verified, any_unknown, page;
	char *worse;	     /* what its actions made worse; NULL = nothing */
	bool undoing;	     /* and its deeds are being taken back */
	bool undo_waits;     /* for one that is still under way */
	bool undo_resumes;   /* that begins again, after a start of tendd */
	bool runner_is_done; /* meanwhile the runner has said its last word */
	unsigned n_undone;
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
	enum verb_risk risk;	   /* by which the gates judged it last; an action's */
	char *host;		   /* [host] whose executor acts; NULL = this one's */
	enum step_state state;
	json_t *value;
	char *message;
	usec_t intent_wall, deadline;
	usec_t patience;     /* with the executor */
	uint64_t token;	     /* of the notice that goes with its intent */
	uint64_t seq;	     /* the how-manieth outcome of its run; 0 = none yet */
	uint64_t rpc_id;     /* the runner waits for it; 0 = nobody */
	bool told_cancelled; /* the runner heard that, and waits no more */
	unsigned n_ok;	     /* verify */
	struct loop_source *timer;
	bool probing;		     /* the watch owes a result */
	struct units_ask *ask;	     /* the bus owes an answer */
	struct exec_ask *remote_ask; /* or another host's executor does */
	units_intent_fn intent_fn;
	int64_t memory_bytes; /* of the unit there; 0 = not known */
	bool has_seen;	      /* the unit was looked at, and had this InvocationID */
	char seen[33];
	bool awaits_hello;	   /* the executor's; `deadline` is of that */
	bool expecting_job;	   /* units_expect_job() is on */
	bool restored;		   /* from the journal, not yet met again by the runner */
	bool recorded;		   /* its answer has a place in the replay */
	bool unit_down;		   /* the unit's own state speaks for the fault, too */
	bool undone;		   /* or about to be (worse.c) */
	char *undoes;		   /* the path of the step that it takes back; NULL = none */
	bool asked_after;	   /* by worse.c, after a start: was it done? */
	usec_t turn_deadline;	   /* it waits for its turn in the dependency group; 0 = no */
	struct approval *approval; /* the people's word that it waits for, or has */
	json_t *approved_by;	   /* their names; NULL: nobody had to agree */
};

/* A gate that said no; for `explain`. */
struct gate {
	usec_t wall;
	char incident[UUID_TEXT_BYTES];
	char *policy, *why;
};

struct action_row {
	struct action action;
	char *target, *policy;
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
	struct map hosts;	 /* struct host *, see hosts.c */
	struct catalog *catalog; /* in force; NULL before the first */
	struct catalog *loading; /* its successor */
	struct vec runs;	 /* live: struct run * */
	struct vec recent;	 /* ended runs, newest last */
	struct vec gates;
	struct vec actions;   /* struct action_row *, oldest first */
	struct vec freezes;   /* char * causes */
	struct map groups;    /* name of its dependency group, by component */
	struct vec approvals; /* struct approval *, waiting or granted */
	struct vec holds;     /* struct hold *: incidents that wait for a person */
	struct vec worse;     /* struct worse *: actions whose after-effects are watched */
	bool switched_off;
	char *switch_author, *switch_comment;
	usec_t switch_wall;
	struct loop_source *retry_timer, *tell, *wake;
	struct reaper *reapers;
	usec_t retry_at; /* the earliest wish; 0 = none */
	bool resumed, told_frozen;
	struct map ticks;		 /* struct tick * by "policy\ntarget": schedules */
	struct loop_source *clock_timer; /* the schedules are looked at */
	struct map strikes;		 /* struct strike * by policy */
	json_t *breakers_closed;	 /* by a person: policy -> when; NULL: none */
	bool draining;			 /* no run begins any more */
	struct vec followers;		 /* struct follower *: who waits for news of a run */
	struct vec events;		 /* json_t *: nobody was started for them yet */
	uint64_t n_dropped;		 /* events for which there was no room to wait */
	struct vec readers;		 /* struct reader *: who waits for the catalog */
};

/* catalog.c */
int catalog_load(struct policies *p);
struct catalog *catalog_free(struct catalog *catalog);
void catalog_described(
	struct policies *p, struct policy_file *file, json_t *declarations, const char *error);
const struct conf_policy *policy_settings(const struct policies *p, const char *name);
/* await.c: r < 0: the catalog is not read, nor will it be. */
void readers_tell(struct policies *p, int r);
/* What is wrong with the parameter, freed by the caller; NULL: the policy declares it. */
char *catalog_unknown_param(const struct policy_def *def, const char *param);
json_t *policy_params(const struct policies *p, const char *name);
char *hash_text(const char *text, char buf[65]);

/* trigger.c: pure but for reading the structs */
bool trigger_matches(const json_t *decl, const struct conf_policy *settings,
	const struct incident *incident, const struct component *component, const char **ret_why);
/* A pattern of a declaration: absent (anything), a text, or a list of them. */
bool trigger_pattern(const json_t *pattern, const char *text);
/* Is the component one of the declaration's `targets`? Without any, none is. */
bool trigger_is_target(const struct policy_def *def, const struct conf_policy *settings,
	const struct conf_component *component);
/* A parameter without a default that the configuration does not set: nothing starts it but a hand.
 * NULL: it is configured; else what is missing, for the caller to free. */
char *trigger_unset(const struct policies *p, const struct policy_def *def);
void trigger_wish(struct policies *p, usec_t at); /* look again then, or earlier */
enum conf_mode trigger_mode(
	const struct policies *p, const char *policy, const struct conf_system *system);
void trigger_incident(struct policies *p, struct incident *incident);
void trigger_all(struct policies *p);

/* start.c: from a trigger to a run */
enum trigger_kind { TRIGGER_INCIDENT, TRIGGER_SCHEDULE, TRIGGER_EVENT, TRIGGER_HAND, TRIGGER_MAX };
extern const char *const trigger_kind_names[TRIGGER_MAX + 1];
struct trigger {
	enum trigger_kind kind;
	const struct policy_def *def;
	const struct component *component;
	const struct check *check;	 /* NULL: none */
	const struct incident *incident; /* NULL: none */
	usec_t due;			 /* of a schedule */
	const json_t *event;		 /* of an event; borrowed */
	json_t *params;			 /* stolen */
	const char *author;
	bool dry;
};
/* Is there room for one more live run, or for one that waits? */
bool start_has_room(const struct policies *p, bool queued);
/* Makes the run; the caller, who has asked for room, begins it. NULL: no memory. */
struct run *start_make(struct policies *p, const struct trigger *trigger);
enum start {
	START_NOT_NOW, /* look again later: actions are off, Tend drains, no room */
	START_PASSED,  /* it comes to nothing, and that is told */
	START_BEGUN,   /* or waits in the queue */
};
/* A schedule or an event: looks at mode, concurrency and room, and begins. What an event starts
 * waits in the queue when it cannot begin now; a schedule's tick waits by itself. */
enum start start_automatic(struct policies *p, const struct trigger *trigger);
void start_queued(struct policies *p); /* runs whose target is free now */
enum concurrency start_concurrency(const struct policy_def *def);

/* schedule.c */
usec_t schedule_next(const struct policies *p, const struct policy_def *def); /* 0: never */
int schedule_new(const struct policies *p, const struct policy_def *def,
	struct schedule **ret_schedule, struct tend_error *err); /* 0 and NULL: it has none */
struct schedule *schedule_free(struct schedule *schedule);
int schedules_load(struct policies *p);
/* Starts what is due, sets the timer. Whenever the catalog or the configuration changes, too. */
void schedules_look(struct policies *p);
void schedules_free(struct policies *p);
/* For store batches of a run that begins: its tick is done with it. */
int schedule_add_tick(const struct run *run, struct store_batch *batch);
/* A run that waited in the queue never begins: its tick is done with. */
void schedule_give_up(const struct run *run);

/* event.c */
int events_load(struct policies *p);
/* policies_event(); with a batch (NULL: none) it outlives tendd as soon as that is committed. */
void event_tell(struct policies *policies, enum policy_event type, const char *component,
	json_t *details, struct store_batch *batch);
void event_run_ended(struct run *run, struct store_batch *batch);
/* How many events stand one behind the other in what the run brings about. */
json_int_t event_depth(const struct run *run);
void events_look(struct policies *p); /* starts what waits for what happened */
void events_free(struct policies *p);

/* strike.c */
int strikes_load(struct policies *p);
/* What was done by the policy until then moves no breaker any more; 0, 0 = all counts. */
struct moment breakers_closed_at(const struct policies *p, const char *policy);
int drain_load(struct policies *p);
void strikes_free(struct policies *p);
/* A run ended: by a mistake of its own (an error, a limit), or not. */
void strike_count(struct policies *p, const struct run *run, bool mistake, const char *why);
/* NULL: it may run; else why not. */
const char *strike_disabled(const struct policies *p, const struct policy_def *def);
json_t *strike_to_json(const struct policies *p, const struct policy_def *def);

/* params.c: pure */
/* Are the values what the declaration wants? NULL: they are; else what is wrong, for the caller to
 * free. `complete`: those without a default must be there. */
char *params_check(const struct policy_def *def, const json_t *params, bool complete);

/* run.c */
int run_new(struct policies *p, struct run **ret_run);
void run_begin(struct run *run); /* journals the run, then starts a runner */
void run_queue(struct run *run); /* journals that it waits for its turn */
struct run *run_free(struct run *run);
void run_forget_live(struct run *run);
void run_drop_work(struct run *run); /* what only a runner needs */
/* Live or, if there is none, NULL. Queued and dry ones hold no target. */
struct run *run_find_live(const struct policies *p, const char *component);
json_t *run_to_json(const struct run *run);
json_t *run_doc(const struct run *run);
int run_add_put(const struct run *run, struct store_batch *batch);
/* As it is now; `fn` with the run in any case, and it ends with run_unref_step(). */
void run_journal(struct run *run, store_done_fn fn);
struct incident *run_incident(const struct run *run); /* open; NULL */
/* Do its actions go on the account that its policy declares? What heals an incident never does. */
bool run_has_own_account(const struct run *run);

/* run_process.c */
int run_launch(struct run *run); /* a runner for a journalled run, or for a description */
void run_close_runner(struct run *run);
void reapers_free(struct policies *p);

/* run_end.c */
void run_end(struct run *run, enum run_state state, const char *message);
void run_settle(struct run *run);
void run_on_ended(struct run *run, json_t *args); /* the runner's last word */
void run_unref_step(struct run *run);		  /* a step's last callback has come */

/* run_resume.c */
int runs_resume(struct policies *p);

/* cancel.c */
void cancel_run(struct run *run, const char *why);
int cancel_arm(struct run *run); /* its wall-clock limit, or the end of its clean-up */
/* Is the step one of a finally function? */
bool cancel_spares(const char *path);

/* step.c */
void step_on_call(struct run *run, struct rpc *rpc, uint64_t id, json_t *args);
void step_intend(struct step *step);
/* Ends the step: journals the outcome, then answers the runner. Steals value (NULL = null). */
__attribute__((format(printf, 4, 5))) void step_outcome(
	struct step *step, enum step_state state, json_t *value, const char *format, ...);
/* In a dry run: done, and what would have been ("would ...", "would be refused: ..."). */
__attribute__((format(printf, 2, 3))) void step_dry(struct step *step, const char *format, ...);
/* The run has ended: nothing that only looks or waits is wanted any more. */
void step_cancel(struct step *step);
struct step *step_new(struct run *run, const char *path, const struct verb *verb, json_t *args);
struct step *step_free(struct step *step);
size_t step_json_bytes(const json_t *json);
void step_answer(struct step *step); /* now: replay_answer() decides when */
void step_answer_cancelled(struct step *step);

/* replay.c: recorded outcomes are answered in the order in which they became known */
int steps_restore(struct run *run, json_t *rows, char **ret_why);
int replay_begin(struct run *run);     /* a runner starts from the top */
void replay_answer(struct step *step); /* the step has an outcome */
void replay_free(struct run *run);
bool replay_same(const json_t *a, const json_t *b); /* canonical; {} and [] are the same */

/* follow.c */
__attribute__((format(printf, 4, 5))) void feed_add(
	struct run *run, const char *kind, const struct step *step, const char *format, ...);
void feed_free(struct run *run);
void followers_free(struct policies *p);
void feed_on_progress(const char *job, const char *line, void *data); /* of exec's client */

/* act.c */
void act_check_run(struct step *step);
void act_check_ran(int r, struct check *check, void *step); /* its end, and that of a report */
void act_verify(struct step *step);
/* A check that is well says that the run has helped: its own, or one of what it acted on. */
bool act_shows_success(const struct run *run, const char *check);
void act_report(struct step *step); /* act_report.c */
void act_window(struct step *step); /* the same */
void act_unit(struct step *step);
void act_components(struct step *step); /* act_view.c */
void act_component_checks(struct step *step);
void act_unit_show(struct step *step);
void act_record_put(struct step *step); /* act_record.c */
void act_record_get(struct step *step);
void act_record_list(struct step *step);
void act_record_remove(struct step *step);
json_t *record_row_to_json(json_t *row); /* of STORE_QUERY_RECORDS */
void act_command(struct step *step);
void act_command_query(struct step *step);
void act_attach(struct step *step);
void act_sql_execute(struct step *step); /* act_sql.c */
void act_sql_on_attached(const struct exec_result *result, void *data);
/* act_exec.c: id, why and token of an action. -EPERM: the step was refused. `ret_why` is freed by
 * the caller, after the order was used. */
int act_order(struct step *step, struct exec_order *order, char **ret_why);
/* The executor's client has taken the request, or r < 0: not even that, the step ends so. */
void act_requested(struct step *step, int r, enum step_state otherwise);
void act_sql(struct step *step);
void act_notice(struct step *step);
void act_log(struct step *step);
void act_sleep(struct step *step);
void act_now(struct step *step);
void act_noted(struct step *step);  /* that it stands in the journal is all */
void act_resume(struct step *step); /* a step with an intent and no outcome */
/* A result arrived: verify steps look at it. */
void act_on_result(struct policies *p, struct check *check);

/* policy.c */
const char *policies_why_frozen(const struct policies *p); /* NULL: actions are enabled */
/* Into the batch, which the caller seals; NULL: by itself. */
__attribute__((format(printf, 4, 5))) void policies_page(struct policies *p, const struct run *run,
	struct store_batch *batch, const char *format, ...);

#endif
