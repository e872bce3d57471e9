/* SPDX-License-Identifier: MIT */
/*
 * exec/jobs_internal.h: shared by jobs.c (requests, waiters, outcomes), job_unit.c (verbs on
 * units), job_command.c (commands as transient units), job_sql.c (statements: no job, only a
 * record), inspect.c (questions) and reconcile.c (after a start). A job is freed by job_finish()
 * once its outcome is in the ledger and its unit collected.
 */
#ifndef EXEC_JOBS_INTERNAL_H
#define EXEC_JOBS_INTERNAL_H

#include "base/map.h"
#include "base/vec.h"
#include "exec/jobs.h"
#include "exec/outcome.h"
#include "exec/output.h"

struct waiter {
	struct rpc *rpc;
	uint64_t rpc_id;
};

struct job {
	struct jobs *jobs;
	struct record record; /* .outcome once it has ended */
	struct waiter waiters[JOBS_MAX_WAITERS];
	size_t n_waiters;
	struct pid1_call *call; /* the question that is open */
	struct loop_source *timer;
	bool saved; /* the outcome is in the ledger */
	/* unit verbs */
	char job_result[32];   /* JobRemoved said so */
	bool away;	       /* it went on while tend-exec was not there */
	bool expecting;	       /* units_expect_job() is on */
	char state_before[24]; /* "" = not known */
	bool was_looked_at;    /* by whoever asked: it had this InvocationID then */
	char looked_at[INVOCATION_BYTES];
	usec_t min_up; /* 0 = it may have come up just now */
	/* commands */
	char unit[64]; /* tend-job-ID.service */
	struct pid1_watch *watch;
	struct output *output;
	bool look_again, seen, unit_failed;
	unsigned n_ticks;
};

struct jobs {
	struct jobs_deps deps;
	struct pid1 *pid1;
	struct manifest *manifest;
	char *why_none;
	char boot_id[BOOT_ID_BYTES];
	struct map open;   /* struct job *, by id */
	struct vec recent; /* struct record *, of the last hour */
	struct loop_source *prune_timer;
	struct vec inspections; /* struct inspection * */
};

/* A request is over before it began: an error of the protocol, and a line in the log. */
__attribute__((format(printf, 5, 6))) void jobs_refuse(const struct peer *peer, uint64_t rpc_id,
	const struct request *request, const char *code, const char *format, ...);
/* Fencing, a used id, rates; true if it was refused. */
bool jobs_refuse_common(struct jobs *jobs, const struct peer *peer, uint64_t rpc_id,
	const struct request *request, enum record_kind kind, int64_t max_per_hour);
/* Whoever asks believes that it does less than it may: so nobody was asked who should have been. */
bool jobs_refuse_risk(const struct peer *peer, uint64_t rpc_id, const struct request *request,
	enum exec_risk risk);
void request_sql(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request);
void request_inspect(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request);
void inspections_forget(struct jobs *jobs, const struct rpc *rpc); /* NULL: all */

usec_t boot_clock(void);
struct job *job_new(struct jobs *jobs, const struct record *record);
struct job *job_free(struct job *job);
DEFINE_AUTO(struct job *, job_free)

/* What an outcome has beside its words; zeroed fields are left out. */
struct ending {
	enum exec_outcome outcome;
	const char *result, *message;
	const char *invocation_after, *state_after; /* unit verbs */
	int exit_status;			    /* commands: -1 = none */
};
/* The job is over: into the ledger, to the waiters, to the log. The job may be gone afterwards. */
__attribute__((format(printf, 3, 4))) void job_finish(
	struct job *job, const struct ending *ending, const char *format, ...);
/* Tries again to save the outcome, then collects; frees the job when all is done. */
void job_settle(struct job *job);
void job_tell_progress(struct job *job, const char *line);

void unit_job_begin(struct job *job);
void unit_job_expect(struct job *job, bool expect);
void unit_job_reattach(struct job *job);
void unit_job_removed(struct job *job, const char *result);

void command_job_name(struct job *job);
void command_job_begin(struct job *job, const struct command_rule *rule, char *const *argv);
void command_job_reattach(struct job *job);
void command_job_collect(struct job *job);

void jobs_count(struct jobs *jobs, const struct record *record); /* for the rates */
void jobs_uncount(struct jobs *jobs, const char *id);
void jobs_prune(void *data);

#endif
