/* SPDX-License-Identifier: MIT */
/*
 * watch/unit_state.h: what the bus said of one unit, folded into what its end means. Pure: no bus,
 * no clock, no allocation; units.c feeds it. The rule: a stop job that is not Tend's means an
 * operator, until the unit comes up again; an end without one means it may be healed, if the end
 * was seen as it happened or the journal tells of it.
 */
#ifndef WATCH_UNIT_STATE_H
#define WATCH_UNIT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "watch/units.h"

struct unit_facts {
	char load_state[24], active_state[24], sub_state[32], result[32];
	char invocation_id[33];
	uint32_t job_id;
	uint64_t main_pid, n_restarts;
	int32_t exit_code, exit_status;
};

enum unit_evidence {	    /* of the journal, for an end that was not seen */
	UNIT_EVIDENCE_NONE, /* not read */
	UNIT_EVIDENCE_ENDED,
	UNIT_EVIDENCE_STOPPED,
	UNIT_EVIDENCE_UNKNOWN, /* read, but it does not tell */
};

/* While Tend starts something, a job that stops it is somebody else's all the same. */
enum unit_job_owner { UNIT_JOB_FOREIGN, UNIT_JOB_OURS, UNIT_JOB_OUR_STOP };

enum { UNIT_MAX_JOBS = 4 };
struct unit_job {
	uint32_t id;   /* 0: free place */
	char type[24]; /* "" = not known (yet) */
	enum unit_job_owner owner;
};

struct unit_state {
	struct unit_facts facts;
	bool known; /* facts are in step with the bus, without a gap */
	struct unit_job jobs[UNIT_MAX_JOBS];
	bool stopped_by_job, end_seen_live;
	uint32_t guessed_job; /* stopped_by_job rests on this job, whose type is not known */
	enum unit_evidence evidence;
};

/* The unit is now as `facts` says. */
void unit_state_step(struct unit_state *s, const struct unit_facts *facts);
/* Signals may have been missed from here on. */
void unit_state_gap(struct unit_state *s);
/* Again is fine. */
void unit_state_job_new(struct unit_state *s, uint32_t id, enum unit_job_owner owner);
void unit_state_job_type(struct unit_state *s, uint32_t id, const char *type);
void unit_state_job_removed(struct unit_state *s, uint32_t id);
const struct unit_job *unit_state_job(const struct unit_state *s, uint32_t id); /* NULL */

/* Only the journal can tell what the end means. */
bool unit_state_wants_evidence(const struct unit_state *s);
/* `why`: a static sentence. */
enum units_intent unit_state_intent(const struct unit_state *s, const char **ret_why);

#endif
