/* SPDX-License-Identifier: MIT */
/*
 * rehearse/play.h: one scenario being played: the real manager on a simulated loop, the world that
 * answers in place of probes, executors and buses, and what was seen. There is one a process (the
 * seams are functions of the engine's that the linker put here, and have no other way to it). Owned
 * by play_scenario(), which blocks until the scenario has ended.
 */
#ifndef REHEARSE_PLAY_H
#define REHEARSE_PLAY_H

#include "manager.h"
#include "rehearse/scenario.h"

enum { PLAY_MAX_SEEN = 200000 };

enum { PLAY_DIR_BYTES = 64 };

struct play_options {
	const char *dir; /* an empty temporary folder for it; its maker removes it */
	const char *libexec_dir, *plugin_dir, *lua_dir;
	const char *config;	 /* an installation's own; NULL: the scenario's sections are all */
	const char *policy_file; /* instead of the file of that policy; NULL */
	const json_t *only_checks; /* of the installation's: an object by name; NULL: all */
	bool verbose;		   /* keep log lines and steps as well */
};

struct executor;
struct world;
struct delivered;

struct play {
	const struct play_options *options;
	const struct scenario_file *file;
	const struct scenario *scenario;
	const char *dir; /* state, sockets, policies */
	char *conf_path;
	struct vec conf_lines; /* unsigned, as pointers: lines of the scenario by line of conf */
	struct manager manager;
	usec_t began; /* clock_now() */
	struct world *world;
	struct executor *executor;
	struct delivered *delivered;
	struct vec timers;	   /* struct loop_source * of the timeline */
	json_t *seen;		   /* array of {"at","kind",...} */
	struct conf_errors errors; /* of the scenario against its configuration */
	json_t *faults;		   /* texts: why it failed beside the expectations */
	bool want_restart;
	char last_run[UUID_TEXT_BYTES]; /* the youngest ended run that was seen */
	struct gate *last_gate;
	char last_approval[UUID_TEXT_BYTES];
};
extern struct play *play;

/* Plays it and judges: {"name","passed","errors":[...],"faults":[...],"failures":[...],
 * "timeline":[...],"virtual_sec","real_msec"}. */
json_t *play_scenario(const struct play_options *options, const struct scenario_file *file,
	const struct scenario *scenario);

/* prepare.c: the temporary folder: configuration, policies, library. */
int prepare_folder(struct play *p, struct tend_error *err);
int prepare_temporary(char ret_dir[PLAY_DIR_BYTES]);
void prepare_remove(const char *dir);
unsigned prepare_line(const struct play *p, unsigned line); /* of the scenario file; 0 */

/* seen.c. Steals `fields` (an object) and returns it, borrowed: an outcome may come later. */
json_t *seen_add(enum seen_kind kind, json_t *fields);
__attribute__((format(printf, 2, 3))) void seen_tell(const char *what, const char *format, ...);
void seen_look(struct play *p); /* runs that ended, gates that said no */
void seen_states(struct play *p);
__attribute__((format(printf, 1, 2))) void play_fault(const char *format, ...);

/* judge.c */
json_t *judge_failures(const struct play *p); /* array of objects */

/* timeline.c */
int timeline_arm(struct play *p);
void timeline_kill_runner(const char *policy); /* NULL: any */
void play_meanwhile(const char *what);

/* world.c: what is ill and what is well, how units stand, how verbs answer */
int world_new(struct play *p, struct world **ret_world);
struct world *world_free(struct world *world);
void world_fail(struct world *w, const char *pattern, enum tend_reason reason, const char *text,
	const json_t *metrics, usec_t lasts, usec_t every);
void world_heal(struct world *w, const char *pattern);
void world_unit(struct world *w, const char *unit, const char *state, bool by_verb);
const char *world_unit_state(struct world *w, const char *unit);
/* Of a unit that the timeline names; lasts until it is started anew. */
void world_unit_set_memory(struct world *w, const char *unit, int64_t bytes);
int64_t world_unit_memory(struct world *w, const char *unit);
struct tend_attempt;
bool world_knows_check(struct world *w, const char *name); /* the timeline has a word on it */
/* Who is at the host, so that actions are held; NULL: nobody. "none" is nobody, too. */
void world_set_people(struct world *w, const char *text, usec_t lasts);
const char *world_people(struct world *w);
void world_answer_check(struct world *w, struct tend_attempt *a);
/* NULL: no line fits. Counts it as used. */
struct answer *world_find_answer(const char *verb, const json_t *args);
/* It has answered: heals, breaks; a unit that was started runs. */
void world_answered(const struct answer *answer, const char *verb, const json_t *args);

/* executor.c: tend-exec's part, on the socket that the configuration names */
int executor_new(struct play *p, const char *path, struct executor **ret_executor);
struct executor *executor_free(struct executor *executor);
/* The arguments of sql.execute as the policy gave them, from the grant; NULL: it is another verb.
 */
json_t *executor_sql_args(const char *method, const json_t *args);
/* What the bus says of a unit, as tend-exec's `inspect' answers. */
json_t *unit_to_json(const char *name);

/* seams.c */
void delivered_drop(void); /* deliveries that wait to be told: before the alert is freed */
bool play_busy(void *data);

#endif
