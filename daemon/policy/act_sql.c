/* SPDX-License-Identifier: MIT */
/* sql.execute: a statement of the executor's manifest, under the role that may change things. The
 * executor checks and counts and notes it, then it is run from here. */
#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "policy/private.h"

static const char *arg_text(const struct step *step, const char *name)
{
	return json_string_value(json_object_get(step->args, name));
}

/* Was it sent, with no word of what came of it? The plugin says when it certainly did nothing. */
static bool may_have_happened(enum tend_reason reason, const json_t *outcome)
{
	if (json_is_true(json_object_get(outcome, "nothing_done")))
		return false;
	return reason == TEND_REASON_TOO_SLOW || reason == TEND_REASON_CANCELLED ||
	       reason == TEND_REASON_PROTOCOL || reason == TEND_REASON_INTERNAL ||
	       reason == TEND_REASON_STARTING; /* the server went down meanwhile */
}

static void on_sql(enum tend_reason reason, const char *text, json_t *outcome, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	if (reason == TEND_REASON_OK)
		step_outcome(step, STEP_DONE, json_incref(outcome), "%s", text);
	else
		step_outcome(step, may_have_happened(reason, outcome) ? STEP_UNKNOWN : STEP_FAILED,
			NULL, "%s: %s", tend_reason_name(reason), text);
	run_unref_step(run);
}

static const struct conf_database *database_of(const struct step *step)
{
	return map_get(&step->run->policies->conf->databases, step->target);
}

/* The statement is granted; the step stays in flight. */
static void run_statement(struct step *step, const json_t *grant)
{
	struct run *run = step->run;
	const struct conf_database *database = database_of(step);
	auto_json json_t *args = json_pack("{s:O, s:O, s:O, s:O, s:O}", "sql",
		json_object_get(grant, "statement"), "params", json_object_get(grant, "values"),
		"max_rows", json_object_get(grant, "max_rows"), "lock_timeout_msec",
		json_object_get(grant, "lock_timeout_msec"), "transaction",
		json_object_get(grant, "transaction"));
	int r = -EINVAL;

	if (args && database && database->admin_conf)
		r = watch_call(run->policies->deps.watch, run->policies->conf, database->service,
			database->admin_conf, step->target, "sql.execute", args,
			step->verb->timeout, on_sql, step);
	if (r == 0)
		return;
	step_outcome(step, STEP_FAILED, NULL, "nothing could be sent: %s", strerror(-r));
	run_unref_step(run);
}

static bool granted(const struct exec_result *result)
{
	return result->outcome == EXEC_DONE && str_eq(result->result, "granted");
}

static void on_granted(const struct exec_result *result, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	step->timer = loop_source_free(step->timer);
	if (granted(result) && run->state == RUN_LIVE) {
		run_statement(step, result->answer);
		return;
	}
	/* Without a grant nothing was sent to the database. */
	actions_forget(step);
	run->page = run->page || (result->outcome == EXEC_REFUSED && !str_eq(result->code, "held"));
	step_outcome(step, STEP_REFUSED, NULL, "%s%s",
		str_eq(result->code, "fenced") ? "fenced: " : "",
		granted(result) ? "the run had ended: nothing was begun" : result->message);
	run_unref_step(run);
}

/* Tend died between the grant and the database's answer, or before the grant. */
void act_sql_on_attached(const struct exec_result *result, void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	bool repeatable = json_is_true(json_object_get(result->answer, "repeatable"));
	const char *frozen = policies_why_frozen(run->policies);

	step->timer = loop_source_free(step->timer);
	if (granted(result) && repeatable && !frozen && run->state == RUN_LIVE) {
		run_statement(step, result->answer);
		return;
	}
	if (result->outcome == EXEC_REFUSED) {
		actions_forget(step);
		step_outcome(step, STEP_REFUSED, NULL, "%s", result->message);
	} else {
		step_outcome(step, STEP_UNKNOWN, NULL,
			"Tend ended before the database's answer: it may have happened%s%s",
			repeatable && frozen ? "; it is not repeated, actions are off: " : "",
			repeatable && frozen ? frozen : "");
	}
	run_unref_step(run);
}

void act_sql_execute(struct step *step)
{
	const struct conf_database *database = database_of(step);
	struct exec_client *client = hosts_client(step->run->policies, step->host);
	json_t *params = json_object_get(step->args, "params");
	auto_free char *why = NULL;
	struct exec_order order;
	int r = -ENOTCONN;

	if (!database || !database->admin_conf) {
		actions_forget(step);
		step_outcome(step, STEP_REFUSED, NULL, "[database %s] is not configured%s",
			step->target, database ? " with admin.* for this verb" : "");
		return;
	}
	if (act_order(step, &order, &why) < 0)
		return;
	order.risk = verb_risk_names[step->risk];
	step->run->n_in_flight++;
	if (client)
		r = exec_client_sql(client, &order, arg_text(step, "name"), step->target,
			json_is_object(params) ? json_incref(params) : NULL, on_granted, step);
	act_requested(step, r, STEP_REFUSED);
}
