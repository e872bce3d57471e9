/* SPDX-License-Identifier: MIT */
#include "policy/policy.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

/* ---- the switch
 * ------------------------------------------------------------------------------------------------
 */

const char *policies_why_frozen(const struct policies *p)
{
	static char why[512];

	if (p->conf && !p->conf->daemon.actions)
		return "[daemon] actions = no";
	if (p->switched_off) {
		(void)snprintf(why, sizeof(why), "paused by %s: %s",
			p->switch_author ? p->switch_author : "?",
			p->switch_comment ? p->switch_comment : "");
		return why;
	}
	if (p->freezes.len > 0) {
		(void)snprintf(why, sizeof(why), "frozen: %s", (const char *)p->freezes.items[0]);
		return why;
	}
	return NULL;
}

bool policies_actions_enabled(const struct policies *policies)
{
	return policies_why_frozen(policies) == NULL;
}

struct switch_call {
	policies_kept_fn fn;
	void *data;
};

static void on_switch_kept(int r, void *data)
{
	struct switch_call *call = data;

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_error("the switch of the actions is not kept over a restart: %s", strerror(-r));
	if (call->fn)
		call->fn(r, call->data);
	free(call);
}

static int keep_switch(struct policies *p, policies_kept_fn fn, void *data, struct tend_error *err)
{
	struct switch_call *call = calloc(1, sizeof(*call));
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = call ? store_batch_new(&batch) : -ENOMEM;

	if (r == 0)
		r = store_batch_add(batch, STORE_SWITCH_PUT, "issi", (int64_t)!p->switched_off,
			p->switch_author, p->switch_comment, (int64_t)p->switch_wall);
	if (r == 0) {
		*call = (struct switch_call){fn, data};
		r = store_commit(p->deps.store, TAKE(batch), on_switch_kept, call);
	}
	if (r == 0)
		return 0;
	free(call);
	return tend_error_set(err, -ENOBUFS,
		"actions are %s, but that is not kept over a restart: %s",
		p->switched_off ? "paused" : "resumed", strerror(-r));
}

static int set_switch(struct policies *p, bool off, const char *author, const char *comment,
	struct tend_error *err)
{
	char *who = strdup(author), *what = strdup(comment);

	if (!who || !what) {
		free(who);
		free(what);
		return tend_error_set(err, -ENOMEM, "no memory: the switch stays as it was");
	}
	free(p->switch_author);
	free(p->switch_comment);
	p->switch_author = who;
	p->switch_comment = what;
	p->switched_off = off;
	p->switch_wall = clock_wall();
	return 0;
}

static void tell_switch(struct policies *p, enum conf_severity severity, const char *text)
{
	struct notice notice = {
		.kind = NOTICE_ACTIONS_FROZEN,
		.severity = severity,
		.fingerprint = "tend/actions",
		.text = text,
		.wall = clock_wall(),
	};

	log_at(severity == SEVERITY_INFO ? LOG_NOTICE : LOG_WARNING, NULL, "%s", text);
	if (alert_add(p->deps.alert, &notice, NULL) < 0)
		log_error("the notice about the switch cannot be made");
}

int policies_pause(struct policies *policies, const char *author, const char *comment,
	policies_kept_fn fn, void *data, struct tend_error *err)
{
	char text[512], clean[384];
	int r;

	if (!comment || !*comment)
		return tend_error_set(err, -EINVAL, "a pause needs a comment");
	str_sanitize(clean, sizeof(clean), comment, strlen(comment));
	r = set_switch(policies, true, author, clean, err);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "actions are paused by %s: %s", author, clean);
	tell_switch(policies, SEVERITY_WARNING, text);
	return keep_switch(policies, fn, data, err);
}

int policies_resume(struct policies *policies, const char *author, policies_kept_fn fn, void *data,
	struct tend_error *err)
{
	bool was_off = policies->switched_off;
	const char *still;
	char text[768];
	int r = set_switch(policies, false, author, "", err);

	if (r < 0)
		return r;
	still = policies_why_frozen(policies);
	(void)snprintf(text, sizeof(text), "actions are %s by %s%s%s",
		still ? "no longer paused" : "on again, resumed", author,
		still ? ", but stay off: " : "", still ? still : "");
	if (was_off)
		tell_switch(policies, SEVERITY_INFO, text);
	trigger_all(policies);
	return keep_switch(policies, fn, data, err);
}

void policies_freeze(struct policies *policies, const char *cause, bool on)
{
	struct vec *freezes = &policies->freezes;

	for (size_t i = 0; i < freezes->len; i++) {
		if (strcmp(freezes->items[i], cause) != 0)
			continue;
		if (!on) {
			free(freezes->items[i]);
			vec_remove(freezes, i);
			loop_defer_set(policies->tell, true);
			if (freezes->len == 0)
				trigger_wish(policies, clock_now());
		}
		return;
	}
	if (!on)
		return;
	char *copy = strdup(cause);
	if (!copy || vec_push(freezes, copy) < 0) {
		free(copy);
		/* Without memory for the word, the switch itself is the safe side. */
		policies->switched_off = true;
		return;
	}
	loop_defer_set(policies->tell, true);
}

void policies_page(struct policies *p, const struct run *run, struct store_batch *batch,
	const char *format, ...)
{
	char text[1024];
	const struct incident *incident =
		run->incident[0] ? incidents_find(p->deps.incidents, run->incident) : NULL;
	const struct conf_component *c =
		p->conf && run->component ? map_get(&p->conf->components, run->component) : NULL;
	auto_json json_t *details = json_pack("{s:s, s:s}", "run", run->id, "policy", run->policy);
	struct notice notice = {
		.kind = NOTICE_POLICY_FAILED,
		.severity = SEVERITY_CRITICAL,
		.fingerprint = incident ? incident->fingerprint : run->component,
		.incident_id = run->incident[0] ? run->incident : NULL,
		.system = incident ? incident->system
			  : c	   ? c->system->name
				   : NULL,
		.environment = c ? conf_environment_names[c->system->environment] : NULL,
		.component = run->component,
		.check = run->check,
		.reason = run_state_names[run->state],
		.text = text,
		.wall = clock_wall(),
		.details = details,
		/* It has changed something, and that went wrong: no window is so quiet. */
		.urgent = run->acted,
	};
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (alert_add(p->deps.alert, &notice, batch) < 0)
		log_error("run %s: its page cannot be made", run->id);
}

/* ---- life
 * -------------------------------------------------------------------------------------------------------
 */

/* What waits for its turn, from the loop: what is taken back, events, runs in the queue, ticks of
 * schedules, who asks about policies. */
static void on_wake(void *data)
{
	struct policies *p = data;

	worse_resume_all(p);
	events_look(p);
	start_queued(p);
	schedules_look(p);
	if (!policies_reading(p))
		readers_tell(p, 0);
}

static void on_retry(void *data)
{
	struct policies *p = data;

	p->retry_at = 0;
	trigger_all(p);
	on_wake(p);
}

/* From the loop: freezes come from within the parts that are asked to tell of them. */
static void on_tell(void *data)
{
	struct policies *p = data;
	bool frozen = p->freezes.len > 0;
	char text[256];

	if (frozen == p->told_frozen)
		return;
	p->told_frozen = frozen;
	if (frozen)
		(void)snprintf(text, sizeof(text),
			"actions are frozen until the %s can be written again: faults are told, "
			"not "
			"healed",
			(const char *)p->freezes.items[0]);
	else
		(void)snprintf(text, sizeof(text), "actions are no longer frozen");
	tell_switch(p, frozen ? SEVERITY_WARNING : SEVERITY_INFO, text);
}

/* tend-run is up: whatever waits for a process gets one. */
static void on_runner_up(struct child *child, struct rpc *rpc, void *data)
{
	struct policies *p = data;

	/* A launch that fails takes its run off the list: walk a copy. */
	struct vec waiting = {0};
	VEC_FOREACH (&p->runs, struct run *, run)
		if (run->state == RUN_LIVE && !run->rpc && run->pid == 0 &&
			(run->describing || run->intent_committed) && !run->queued)
			(void)vec_push(&waiting, run);
	VEC_FOREACH (&waiting, struct run *, run)
		if (run_launch(run) < 0)
			run_end(run, RUN_FAILED, "its runner cannot be started");
	vec_clear(&waiting);
}

static int start_runner(struct policies *p)
{
	auto_free char *path = str_printf("%s/tend-run", p->conf->daemon.libexec_dir);
	const char *argv[] = {path, NULL};
	struct child_spec spec = {
		.name = "tend-run", .argv = argv, .on_up = on_runner_up, .data = p};

	return path ? child_new(p->deps.loop, &spec, &p->runner) : -ENOMEM;
}

static int start_exec(struct policies *p)
{
	const char *path = p->conf->daemon.exec_socket;

	if (p->exec && str_eq(p->exec_path, path))
		return 0;
	/* Requests that are open would lose their outcome: a changed path counts at the next start.
	 */
	if (p->exec) {
		log_warning("the executor's socket is read at the start only: restart tendd");
		return 0;
	}
	free(p->exec_path);
	p->exec_path = strdup(path);
	return p->exec_path ? exec_client_new(p->deps.loop, path, feed_on_progress, p, &p->exec)
			    : -ENOMEM;
}

static void load_switch(struct policies *p)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	const char *author, *comment;

	if (store_read_now(p->deps.store, STORE_QUERY_SWITCH, &rows, "") < 0)
		return;
	row = json_array_get(rows, 0);
	if (!row)
		return;
	author = json_string_value(json_object_get(row, "author"));
	comment = json_string_value(json_object_get(row, "comment"));
	p->switched_off = json_integer_value(json_object_get(row, "enabled")) == 0;
	p->switch_wall = (usec_t)json_integer_value(json_object_get(row, "at"));
	p->switch_author = strdup(author ? author : "");
	p->switch_comment = strdup(comment ? comment : "");
}

int policies_new(const struct policies_deps *deps, struct policies **ret_policies)
{
	auto(policies_free) struct policies *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->deps = *deps;
	r = loop_timer_new(deps->loop, on_retry, p, &p->retry_timer);
	if (r == 0)
		r = loop_defer_new(deps->loop, on_tell, p, &p->tell);
	if (r < 0)
		return r;
	loop_defer_set(p->tell, false);
	r = loop_defer_new(deps->loop, on_wake, p, &p->wake);
	if (r < 0)
		return r;
	loop_defer_set(p->wake, false);
	loop_source_name(p->retry_timer, "policy triggers");
	load_switch(p);
	r = actions_load(p);
	if (r == 0)
		r = strikes_load(p);
	if (r == 0)
		r = schedules_load(p);
	if (r == 0)
		r = drain_load(p);
	if (r == 0)
		r = events_load(p);
	if (r == 0)
		r = approve_load(p);
	if (r < 0)
		return r;
	*ret_policies = TAKE(p);
	return 0;
}

void policies_clock_jumped(struct policies *policies)
{
	schedules_look(policies);
}

int policies_apply(struct policies *policies, struct conf *conf)
{
	int r;

	conf_ref(conf);
	conf_unref(policies->conf);
	policies->conf = conf;
	r = groups_apply(policies);
	if (r == 0)
		r = start_exec(policies);
	if (r == 0)
		r = hosts_apply(policies);
	/* Only now: a run that cannot be resumed is paged, and that needs routes. */
	if (r == 0 && !policies->resumed)
		r = runs_resume(policies);
	policies->resumed = policies->resumed || r == 0;
	if (r == 0 && !policies->runner)
		r = start_runner(policies);
	return r < 0 ? r : catalog_load(policies);
}

struct policies *policies_free(struct policies *policies)
{
	if (!policies)
		return NULL;
	policies->exec = exec_client_free(policies->exec);
	hosts_free(policies);
	/* Live runs are not ended: they go on from their journal at the next start. */
	while (policies->runs.len > 0)
		run_free(policies->runs.items[0]);
	VEC_FOREACH (&policies->recent, struct run *, run)
		run_free(run);
	vec_clear(&policies->recent);
	vec_clear(&policies->runs);
	followers_free(policies);
	readers_tell(policies, -ESHUTDOWN);
	schedules_free(policies);
	strikes_free(policies);
	events_free(policies);
	loop_source_free(policies->wake);
	catalog_free(policies->catalog);
	catalog_free(policies->loading);
	policies->runner = child_free(policies->runner);
	VEC_FOREACH (&policies->gates, struct gate *, gate) {
		free(gate->policy);
		free(gate->why);
		free(gate);
	}
	vec_clear(&policies->gates);
	VEC_FOREACH (&policies->actions, struct action_row *, row)
		action_row_free(row);
	vec_clear(&policies->actions);
	approve_free_all(policies);
	holds_free(policies);
	worse_free_all(policies);
	map_clear(&policies->groups);
	VEC_FOREACH (&policies->freezes, char *, cause)
		free(cause);
	vec_clear(&policies->freezes);
	loop_source_free(policies->retry_timer);
	loop_source_free(policies->tell);
	reapers_free(policies);
	free(policies->exec_path);
	free(policies->switch_author);
	free(policies->switch_comment);
	conf_unref(policies->conf);
	free(policies);
	return NULL;
}

void policies_on_incident(
	struct policies *policies, struct incident *incident, enum incident_event event)
{
	if (event != INCIDENT_CLEARED)
		trigger_incident(policies, incident);
}

void policies_on_result(struct policies *policies, struct check *check, unsigned events)
{
	act_on_result(policies, check);
	worse_on_result(policies, check, events);
	if ((events & STATE_EVENT_HARD) && (check->last.reason == TEND_REASON_REPORT_MISSING ||
						   check->last.reason == TEND_REASON_JOB_STUCK))
		policies_event(policies, POLICY_EVENT_HEARTBEAT_LATE, check->component->conf->name,
			json_pack("{s:s, s:s}", "check", check->conf->name, "text",
				check->last.text));
}
