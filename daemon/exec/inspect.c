/* SPDX-License-Identifier: MIT */
/* What a unit of the manifest looks like, and how it ended: evidence for a tendd on another host.
 */
#include <string.h>
#include "base/clock.h"
#include "exec/jobs_internal.h"
#include "watch/unit_memory.h"
#include "watch/units.h"

#define ANSWER_IN_USEC (5 * USEC_PER_SEC)

struct inspection {
	struct jobs *jobs;
	struct rpc *rpc;
	uint64_t rpc_id;
	struct units_ask *ask;
};

static void inspection_free(struct inspection *one)
{
	for (size_t i = 0; i < one->jobs->inspections.len; i++)
		if (one->jobs->inspections.items[i] == one)
			vec_remove(&one->jobs->inspections, i--);
	units_ask_cancel(one->ask);
	free(one);
}

static void on_intent(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	struct inspection *one = data;

	one->ask = NULL;
	if (r < 0)
		(void)rpc_error(one->rpc, one->rpc_id, "unavailable", "%s: %s", why, strerror(-r));
	else
		(void)rpc_ok(one->rpc, one->rpc_id,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:b, "
				  "s:I, s:I, s:o}",
				"intent", units_intent_name(intent), "why", why, "unit", info->name,
				"load_state", info->load_state, "active_state", info->active_state,
				"sub_state", info->sub_state, "result", info->result,
				"invocation_id", info->invocation_id, "job_id",
				(json_int_t)info->job_id, "job_type", info->job_type,
				"stopped_by_job", info->stopped_by_job, "end_seen_live",
				info->end_seen_live, "main_pid", (json_int_t)info->main_pid,
				"restarts", (json_int_t)info->n_restarts, "memory_bytes",
				unit_memory(info)));
	inspection_free(one);
}

void request_inspect(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	struct inspection *one;
	int r;

	if (!map_get(&jobs->manifest->units, request->name)) {
		jobs_refuse(peer, rpc_id, request, "not-allowed", "no [unit %s] in the manifest",
			request->name);
		return;
	}
	if (jobs->inspections.len >= JOBS_MAX_INSPECTIONS) {
		jobs_refuse(peer, rpc_id, request, "busy", "%d are looked at already",
			JOBS_MAX_INSPECTIONS);
		return;
	}
	one = calloc(1, sizeof(*one));
	r = one ? vec_push(&jobs->inspections, one) : -ENOMEM;
	if (r == 0) {
		*one = (struct inspection){.jobs = jobs, .rpc = peer->rpc, .rpc_id = rpc_id};
		r = units_ask_intent(
			jobs->deps.units, request->name, ANSWER_IN_USEC, on_intent, one, &one->ask);
		if (r < 0)
			inspection_free(one);
	} else {
		free(one);
	}
	if (r < 0)
		jobs_refuse(peer, rpc_id, request, "unavailable", "%s", strerror(-r));
}

void inspections_forget(struct jobs *jobs, const struct rpc *rpc)
{
	for (size_t i = jobs->inspections.len; i-- > 0;) {
		struct inspection *one = jobs->inspections.items[i];

		if (!rpc || one->rpc == rpc)
			inspection_free(one);
	}
}
