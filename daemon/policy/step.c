/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"
#include "watch/units.h"

/* An intent that took longer than this to be kept is no fresh decision any more. */
#define INTENT_MAX_USEC (5 * USEC_PER_SEC)

const char *const step_state_names[STEP_STATE_MAX + 1] = {
	[STEP_INTENT] = "intent",
	[STEP_DONE] = "done",
	[STEP_FAILED] = "failed",
	[STEP_REFUSED] = "refused",
	[STEP_UNKNOWN] = "unknown",
};

void step_cancel(struct step *step)
{
	struct run *run = step->run;

	step->timer = loop_source_free(step->timer);
	approve_forget(step);
	if (step->ask) {
		units_ask_cancel(TAKE(step->ask));
		run->n_in_flight--;
	}
	if (step->remote_ask) {
		act_ask_cancel(step);
		run->n_in_flight--;
	}
	if (step->probing) {
		step->probing = false;
		watch_run_forget(run->policies->deps.watch, step);
		run->n_in_flight--;
	}
}

struct step *step_free(struct step *step)
{
	if (!step)
		return NULL;
	step_cancel(step);
	json_decref(step->args);
	json_decref(step->value);
	json_decref(step->approved_by);
	free(step->message);
	free(step->undoes);
	free(step->target);
	free(step->host);
	free(step->path);
	free(step);
	return NULL;
}

size_t step_json_bytes(const json_t *json)
{
	return json ? json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;
}

struct step *step_new(struct run *run, const char *path, const struct verb *verb, json_t *args)
{
	struct step *step = calloc(1, sizeof(*step));

	if (!step)
		return NULL;
	step->run = run;
	step->verb = verb;
	step->args = json_is_object(args) ? json_incref(args) : json_object();
	step->path = strdup(path);
	uuid7(step->job);
	if (!step->path || !step->args || map_put(&run->steps, path, step) < 0)
		return step_free(step);
	run->steps_bytes += step_json_bytes(step->args);
	return step;
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------- */

void step_answer(struct step *step)
{
	struct run *run = step->run;

	if (!step->rpc_id || !run->rpc || run->state != RUN_LIVE)
		return;
	(void)rpc_ok(run->rpc, step->rpc_id,
		json_pack("{s:s, s:O?, s:s?}", "outcome", step_state_names[step->state], "value",
			step->value, "message", step->message));
	step->rpc_id = 0;
}

static void fail_cancelled(struct run *run, uint64_t id)
{
	if (run->rpc)
		rpc_error(run->rpc, id, "cancelled", "the run is cancelled: %s", run->cancelled);
}

void step_answer_cancelled(struct step *step)
{
	step->told_cancelled = true;
	if (step->rpc_id)
		fail_cancelled(step->run, step->rpc_id);
	step->rpc_id = 0;
}

static void on_outcome_kept(int r, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_error("run %s: the outcome of step %s is not journalled, after a restart it is "
			  "asked for again",
			run->id, step->path);
	replay_answer(step);
	run_unref_step(run);
}

static json_t *outcome_doc(const struct step *step)
{
	return json_pack("{s:O?, s:s?}", "value", step->value, "message", step->message);
}

static int add_intent(struct step *step, struct store_batch *batch)
{
	auto_json json_t *args = json_pack("{s:O, s:s, s:s?, s:s?, s:O*, s:s*}", "args", step->args,
		"job", step->job, "target", step->target, "host", step->host, "approved_by",
		step->approved_by, "undoes", step->undoes);

	step->intent_wall = clock_wall();
	return args ? store_batch_add(batch, STORE_STEP_INTENT, "sssji", step->run->id, step->path,
			      step->verb->name, args, (int64_t)step->intent_wall)
		    : -ENOMEM;
}

/* A step that was refused before its intent is recorded, too: a replay that asked the gates anew
 * could act in the midst of what came after. */
static int journal_outcome(struct step *step, bool with_intent)
{
	struct run *run = step->run;
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto_json json_t *doc = outcome_doc(step);
	int r = doc ? store_batch_new(&batch) : -ENOMEM;

	if (r == 0 && with_intent)
		r = add_intent(step, batch);
	/* Its intent counted as an action, also after a restart. */
	if (r == 0 && !with_intent && step->state == STEP_REFUSED && !run->dry &&
		step->verb->risk >= RISK_CHANGE)
		r = actions_add_refused(step, batch);
	if (r == 0)
		r = store_batch_add(batch, STORE_STEP_OUTCOME, "sssij", run->id, step->path,
			step_state_names[step->state], (int64_t)clock_wall(), doc);
	return r < 0 ? r
		     : store_commit(run->policies->deps.store, TAKE(batch), on_outcome_kept, step);
}

static void note_action(struct step *step)
{
	struct run *run = step->run;
	struct incident *incident = run_incident(run);
	const char *object =
		json_string_value(json_object_get(step->args, step->verb->args[0].name));
	char id[64];
	const char *const fields[] = {LOG_ID_ACTION, id, NULL};

	(void)snprintf(id, sizeof(id), "TEND_RUN=%s", run->id);
	log_at(LOG_NOTICE, fields, "policy '%s' on '%s': %s %s: %s%s%s", run->policy,
		run->component, step->verb->name, object ? object : step->target,
		step_state_names[step->state], step->message ? ": " : "",
		step->message ? step->message : "");
	if (!incident)
		return;
	incident_note(run->policies->deps.incidents, incident, "action", "%s %s: %s%s%s",
		step->verb->name, object ? object : step->target, step_state_names[step->state],
		step->message ? ": " : "", step->message ? step->message : "");
	if (step->state == STEP_DONE)
		(void)incident_set_phase(
			run->policies->deps.incidents, incident, INCIDENT_RECOVERING);
}

void step_outcome(struct step *step, enum step_state state, json_t *value, const char *format, ...)
{
	struct run *run = step->run;
	char raw[1024], text[1024];
	bool journalled = step->intent_wall != 0;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	step->timer = loop_source_free(step->timer);
	step->state = state;
	step->value = value;
	run->steps_bytes += step_json_bytes(value);
	step->message = *text ? strdup(text) : NULL;
	run->any_unknown = run->any_unknown || state == STEP_UNKNOWN;
	if (step->verb->risk >= RISK_CHANGE && journalled)
		note_action(step);
	if (step->verb->risk >= RISK_CHANGE && state != STEP_REFUSED && !run->dry)
		run->acted = true;
	feed_add(run, "outcome", step, "%s", text);
	run->n_in_flight++;
	if (journal_outcome(step, !journalled) < 0)
		on_outcome_kept(-EIO, step);
	if (*step->path == 'u')
		worse_undone(step);
	else
		worse_settled(step);
}

void step_dry(struct step *step, const char *format, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	step->run->pretended = step->run->pretended || step->verb->risk >= RISK_CHANGE;
	step_outcome(step, STEP_DONE,
		step->verb->dry ? json_loads(step->verb->dry, JSON_DECODE_ANY, NULL) : NULL,
		"dry run: %s", text);
}

/* What a dry run does not do: changes, words to people, what is written, and waiting for what was
 * not done. */
static bool only_pretends(const struct step *step)
{
	const struct run *run = step->run;

	if (!run->dry)
		return false;
	if (step->verb->execute == act_verify)
		return run->pretended;
	return step->verb->risk >= RISK_NOTIFY || step->verb->pretend;
}

static void pretend(struct step *step)
{
	auto_free char *args = json_dumps(step->args, JSON_COMPACT);

	step_dry(step, "would do %s %.500s", step->verb->name, args ? args : "");
}

/* ---- intent
 * -------------------------------------------------------------------------------------------------
 */

/* The intent is kept: the last moment to think better of it. */
static void begin_action(struct step *step)
{
	struct run *run = step->run;

	if (clock_now() > step->deadline) {
		gate_refuse(step, true, "the journal took too long: nothing was begun");
		return;
	}
	if (!gate_last_look(step))
		return;
	worse_begin(step);
	run->verified = false;
	step->verb->execute(step);
}

static void on_intent_kept(int r, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	if (r == -EINPROGRESS)
		return;
	approve_used(step, r >= 0);
	if (r < 0)
		actions_forget(step);
	if (r < 0 && step->verb->risk == RISK_NOTIFY) {
		/* It goes out from memory all the same. */
		step->intent_wall = 0;
		step_outcome(step, STEP_DONE, NULL, "%s", "");
	} else if (r < 0) {
		step->intent_wall = 0;
		run->page = true;
		run->was_frozen = true;
		step_outcome(step, STEP_REFUSED, NULL,
			"the journal cannot be written: nothing was begun");
	} else if (run->state != RUN_LIVE) {
		actions_forget(step);
		step_outcome(step, STEP_REFUSED, NULL, "the run had ended: nothing was begun");
	} else if (step->verb->risk >= RISK_CHANGE) {
		begin_action(step);
	} else {
		step->verb->execute(step);
	}
	run_unref_step(run);
}

static int add_notice(struct step *step, struct store_batch *batch)
{
	struct run *run = step->run;
	const struct incident *incident = run_incident(run);
	struct notice notice = {
		.kind = NOTICE_POLICY_MESSAGE,
		.severity = SEVERITY_INFO,
		.fingerprint = incident ? incident->fingerprint : run->component,
		.incident_id = run->incident[0] ? run->incident : NULL,
		.component = run->component,
		.text = json_string_value(json_object_get(step->args, "text")),
		.wall = clock_wall(),
	};

	/* Without one it stays info. */
	(void)verb_severity(json_object_get(step->args, "severity"), &notice.severity);
	memcpy(notice.id, step->job, UUID_TEXT_BYTES);
	return alert_add(run->policies->deps.alert, &notice, batch);
}

static void on_notice_intent_kept(int r, void *data)
{
	struct step *step = data;

	alert_committed(step->run->policies->deps.alert, step->token, r);
	on_intent_kept(r, step);
}

static int commit_intent(struct step *step, struct store_batch *batch)
{
	struct policies *p = step->run->policies;
	int r;

	if (step->verb->risk != RISK_NOTIFY)
		return store_commit(p->deps.store, batch, on_intent_kept, step);
	/* The notice is accepted by the same commit as the step: said once, whatever dies. */
	r = add_notice(step, batch);
	if (r < 0) {
		store_batch_free(batch);
		return r;
	}
	step->token = alert_seal(p->deps.alert);
	r = store_commit(p->deps.store, batch, on_notice_intent_kept, step);
	if (r < 0)
		alert_committed(p->deps.alert, step->token, r);
	return r;
}

void step_intend(struct step *step)
{
	struct run *run = step->run;
	struct store_batch *batch = NULL;
	int r;

	if (run->state != RUN_LIVE)
		return;
	if (only_pretends(step)) {
		pretend(step);
		return;
	}
	feed_add(run, "step", step, "%s", "");
	step->deadline = clock_now() + INTENT_MAX_USEC;
	r = store_batch_new(&batch);
	if (r == 0)
		r = approve_use(step, batch);
	if (r == 0)
		r = add_intent(step, batch);
	/* It counts from here on: a second one must not slip in while this is written. */
	if (r == 0 && step->verb->risk >= RISK_CHANGE)
		r = actions_begun(step, batch);
	run->n_in_flight++;
	if (r == 0)
		r = commit_intent(step, TAKE(batch));
	store_batch_free(batch);
	if (r < 0)
		on_intent_kept(r, step);
}

/* ---- a call of the runner
 * -------------------------------------------------------------------------------------- */

/* Two hosts may have a unit of the same name: the only component that has it is meant, or none. */
static const struct conf_component *find_only(
	const struct conf *conf, const char *unit, struct tend_error *err)
{
	const struct conf_component *found = NULL;
	char names[256] = "";
	size_t n = 0;

	MAP_FOREACH (&conf->components, const struct conf_component *, c) {
		size_t len = strlen(names);

		if (!str_eq(c->unit, unit))
			continue;
		(void)snprintf(names + len, sizeof(names) - len, "%s%s", n++ ? ", " : "", c->name);
		found = c;
	}
	if (n == 1)
		return found;
	if (n == 0)
		(void)tend_error_set(err, -EINVAL,
			"no component of the configuration has the unit '%.128s'", unit);
	else
		(void)tend_error_set(err, -EINVAL,
			"several components have the unit '%.128s', name one of them: %s", unit,
			names);
	return NULL;
}

/* NULL: `err` says why not. */
static const struct conf_component *component_of_unit(
	const struct step *step, const char *unit, const char *name, struct tend_error *err)
{
	const struct conf *conf = step->run->policies->conf;
	const struct conf_component *c =
		map_get(&conf->components, name ? name : step->run->component);

	if (c && str_eq(c->unit, unit))
		return c;
	if (!name)
		return find_only(conf, unit, err);
	(void)tend_error_set(err, -EINVAL,
		"no component '%.128s' with the unit '%.128s' is configured", name, unit);
	return NULL;
}

/* What an action is on: budgets, breakers and the ledger of actions go by it. */
static int find_target(struct step *step, struct tend_error *err)
{
	struct run *run = step->run;
	const char *unit = json_string_value(json_object_get(step->args, "unit"));
	const char *component = json_string_value(json_object_get(step->args, "component"));
	const struct conf_component *c;

	if (unit) {
		c = component_of_unit(step, unit, component, err);
		if (!c)
			return -EINVAL;
		step->target = strdup(c->name);
	} else {
		step->target = strdup(component ? component : run->component);
	}
	return step->target ? act_set_host(step) : -ENOMEM;
}

static void hit_limit(struct run *run, const char *why)
{
	strike_count(run->policies, run, true, why);
	run_end(run, RUN_FAILED, why);
}

static void begin_step(struct run *run, struct rpc *rpc, uint64_t id, const char *path,
	const struct verb *verb, json_t *args)
{
	struct step *step;
	struct tend_error err = {0};

	if (run->steps.len >= POLICY_MAX_STEPS) {
		hit_limit(run, "it made more than 10,000 steps");
		return;
	}
	/* The values stay in memory as long as the run: a replay is answered from them. */
	if (run->steps_bytes > RUN_MAX_BYTES) {
		hit_limit(run, "its steps were given and answered more than 8 MiB, which is the "
			       "limit of a run");
		return;
	}
	step = step_new(run, path, verb, args);
	if (!step) {
		run_end(run, RUN_FAILED, "out of memory");
		return;
	}
	step->rpc_id = id;
	if (find_target(step, &err) < 0) {
		(void)map_remove(&run->steps, path);
		step_free(step);
		rpc_error(rpc, id, "invalid", "%s", err.text);
		return;
	}
	if (verb->risk >= RISK_CHANGE)
		gate_enter(step);
	else
		step_intend(step);
}

/* A path that has been here before: after a restart the runner walks the same way again. */
static void meet_again(
	struct run *run, struct step *step, uint64_t id, const struct verb *verb, json_t *args)
{
	auto_json json_t *given = json_is_object(args) ? json_incref(args) : json_object();
	bool lost = run->cancelled && !cancel_spares(step->path) &&
		    (step->verb->risk < RISK_CHANGE || step->told_cancelled || !step->intent_wall);

	if (step->verb != verb || !replay_same(step->args, given)) {
		char text[512];

		(void)snprintf(text, sizeof(text),
			"step %s is '%s' now and was '%s' before%s: the policy does not do the "
			"same "
			"again, nothing more is done",
			step->path, verb->name, step->verb->name,
			step->verb == verb ? ", with other arguments" : "");
		run->page = true;
		run_end(run, RUN_FAILED, text);
		return;
	}
	if (step->state == STEP_INTENT && lost) {
		fail_cancelled(run, id);
		return;
	}
	step->rpc_id = id;
	if (step->state != STEP_INTENT)
		replay_answer(step);
	else if (step->restored)
		act_resume(step);
	/* else it is still at it, and answers when it is done */
}

void step_on_call(struct run *run, struct rpc *rpc, uint64_t id, json_t *args)
{
	const char *path = json_string_value(json_object_get(args, "path"));
	const char *name = json_string_value(json_object_get(args, "verb"));
	json_t *verb_args = json_object_get(args, "args");
	const struct verb *verb = name ? verb_find(name) : NULL;
	struct step *step;
	struct tend_error err = {0};

	if (!path || strlen(path) > 200 || !verb) {
		rpc_error(rpc, id, "invalid", "there is no verb '%.64s'", name ? name : "");
		return;
	}
	if (verb_check_args(verb, verb_args, &err) < 0) {
		rpc_error(rpc, id, "invalid", "%s", err.text);
		return;
	}
	step = map_get(&run->steps, path);
	if (step)
		meet_again(run, step, id, verb, verb_args);
	else if (run->cancelled && !cancel_spares(path))
		fail_cancelled(run, id);
	else
		begin_step(run, rpc, id, path, verb, verb_args);
}
