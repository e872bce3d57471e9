/* SPDX-License-Identifier: MIT */
/* Statements: tend-exec never speaks to a database. It says once, and notes for good, that a
 * statement of the manifest may be run now with these values; who asked then runs it. */
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "exec/jobs_internal.h"

static json_t *grant_outcome(const char *id, const struct sql_rule *rule, json_t *values)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:I, s:I, s:b, s:b}", "id", id, "outcome",
		exec_outcome_names[EXEC_DONE], "result", "granted", "message", "", "statement",
		rule->statement, "values", values, "max_rows", (json_int_t)rule->max_rows,
		"lock_timeout_msec", (json_int_t)(rule->lock_timeout / USEC_PER_MSEC),
		"transaction", rule->transaction, "repeatable", rule->repeatable);
}

static int grant(
	struct jobs *jobs, const struct peer *peer, const struct request *request, json_t *outcome)
{
	struct record record = {
		.kind = RECORD_SQL,
		.begun_wall = clock_wall(),
		.begun_boot = boot_clock(),
	};
	int r;

	memcpy(record.id, request->id, sizeof(record.id));
	memcpy(record.name, request->name, sizeof(record.name));
	memcpy(record.boot_id, jobs->boot_id, sizeof(record.boot_id));
	r = ledger_begin(
		jobs->deps.ledger, record.id, record_begun(&record, request->why, peer->pid));
	if (r < 0)
		return r;
	jobs_count(jobs, &record);
	return ledger_append(jobs->deps.ledger, record.id, record_outcome(outcome));
}

void request_sql(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	const struct sql_rule *rule = map_get(&jobs->manifest->sql, request->name);
	auto_json json_t *values = NULL, *outcome = NULL;
	struct tend_error err = {0};
	int r;

	if (!rule) {
		jobs_refuse(peer, rpc_id, request, "not-allowed", "no [sql %s] in the manifest",
			request->name);
		return;
	}
	if (!sql_allowed_on(rule, request->component)) {
		jobs_refuse(peer, rpc_id, request, "not-allowed",
			"[sql %s] is not for the component %s", rule->name, request->component);
		return;
	}
	r = sql_values(rule, request->args, &values, &err);
	if (r < 0) {
		jobs_refuse(peer, rpc_id, request, "invalid", "%s",
			r == -ENOMEM ? "no memory" : err.text);
		return;
	}
	if (jobs_refuse_risk(peer, rpc_id, request, (enum exec_risk)rule->risk) ||
		jobs_refuse_common(jobs, peer, rpc_id, request, RECORD_SQL, rule->max_per_hour))
		return;
	outcome = grant_outcome(request->id, rule, values);
	r = outcome ? grant(jobs, peer, request, outcome) : -ENOMEM;
	if (r < 0) {
		jobs_refuse(peer, rpc_id, request, r == -EEXIST ? "duplicate" : "unavailable", "%s",
			r == -EEXIST ? "this id was begun before" : strerror(-r));
		return;
	}
	log_at(LOG_NOTICE, (const char *const[]){LOG_ID_ACTION, NULL},
		"statement %s (%s) on %s: granted to pid %ld, uid %ld: %s", rule->name, request->id,
		request->component, peer->pid, peer->uid, request->why);
	(void)rpc_ok(peer->rpc, rpc_id, TAKE(outcome));
}
