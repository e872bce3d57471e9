/* SPDX-License-Identifier: MIT */
/*
 * exec/jobs.h: the jobs of tend-exec: checks a request against the manifest, the rates and the
 * ledger, carries it out through PID 1, and tells the outcome to everyone who waits for it. Every
 * request is answered exactly once, and logged with who asked. Frees: jobs_free(); what PID 1 does
 * goes on and is found again by jobs_reconcile(). Blocks only for the ledger's disk.
 */
#ifndef EXEC_JOBS_H
#define EXEC_JOBS_H

#include "exec/ledger.h"
#include "exec/manifest.h"
#include "exec/pid1.h"
#include "exec/request.h"
#include "loop/rpc.h"

enum {
	JOBS_MAX_OPEN = 16,	  /* at once; one on a unit, one of a command line */
	JOBS_MAX_PER_HOUR = 2000, /* of everything together */
	JOBS_MAX_WAITERS = 16,	  /* on one job */
	JOBS_MAX_INSPECTIONS = 64,
};

struct jobs;

struct jobs_deps {
	struct loop *loop;
	struct ledger *ledger;
	struct fences *fences;
	struct tend_units *units; /* how units end, for inspect */
	const char *self;	  /* the path of this program, for launch.h; outlives the jobs */
};
int jobs_new(const struct jobs_deps *deps, struct jobs **ret_jobs);
struct jobs *jobs_free(struct jobs *jobs);
DEFINE_AUTO(struct jobs *, jobs_free)

void jobs_set_pid1(struct jobs *jobs, struct pid1 *pid1);
/* Takes the manifest over; NULL with the reason: nothing is allowed until there is a good one. */
void jobs_set_manifest(struct jobs *jobs, struct manifest *manifest, const char *why_none);
/* Reads the ledger: jobs still open are found again or judged, old records go. Once, after PID 1's
 * signals arrive and before any request. */
int jobs_reconcile(struct jobs *jobs);

struct peer {
	struct rpc *rpc;
	long pid, uid;
};
void jobs_request(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request);
void jobs_on_job_removed(struct jobs *jobs, uint32_t job, const char *result);
/* This connection waits no more. */
void jobs_forget(struct jobs *jobs, const struct rpc *rpc);

#endif
