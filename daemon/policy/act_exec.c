/* SPDX-License-Identifier: MIT */
/* Actions that an executor does: units and commands, here or on another host. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

#define EXECUTOR_SLACK_USEC (5 * 60 * USEC_PER_SEC) /* to end it, and to say so */
#define EXECUTOR_MAX_SEC    (30 * 86400)

static const char *arg_text(const struct step *step, const char *name)
{
	return json_string_value(json_object_get(step->args, name));
}

static struct exec_client *client_of(const struct step *step)
{
	return hosts_client(step->run->policies, step->host);
}

int act_set_host(struct step *step)
{
	const struct conf_component *component =
		step->target ? map_get(&step->run->policies->conf->components, step->target) : NULL;

	if (!component || !component->host || step->host)
		return 0;
	step->host = strdup(component->host->name);
	return step->host ? 0 : -ENOMEM;
}

const char *act_manifest_risk(const struct step *step)
{
	const struct exec_client *client = client_of(step);
	const json_t *hello = client ? exec_client_hello(client) : NULL;
	const char *command = arg_text(step, "command"), *name = arg_text(step, "name");

	if (str_startswith(step->verb->name, "command.") && command)
		return json_string_value(json_object_get(json_object_get(hello, "risks"), command));
	if (str_eq(step->verb->name, "sql.execute") && name)
		return json_string_value(json_object_get(
			json_object_get(json_object_get(hello, "sql"), name), "risk"));
	return NULL;
}

/* ---- fencing
 * ------------------------------------------------------------------------------------------ */

/* A small file, on a disk of memory as a rule; a pipe or a device is none. */
static int read_token(const char *path, char *text, size_t size)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

int act_fence(const struct conf_daemon *conf, uint64_t *ret_token, char why[256])
{
	char text[64] = "", *end;
	unsigned long long token;
	int r;

	*ret_token = 0;
	if (!conf->fence_lock)
		return 0;
	r = read_token(conf->fence_token_file, text, sizeof(text));
	if (r == 0) {
		errno = 0;
		token = strtoull(text, &end, 10);
		end += strspn(end, " \t\r\n");
		if (errno || text[0] < '0' || text[0] > '9' || *end || token == 0 ||
			token > INT64_MAX)
			r = -EBADMSG;
		else
			*ret_token = token;
	}
	if (r == -ENOENT)
		(void)snprintf(why, 256, "the lock '%s' is not held here", conf->fence_lock);
	else if (r < 0)
		(void)snprintf(why, 256,
			"whether the lock '%s' is held here cannot be told: %s: %s",
			conf->fence_lock, conf->fence_token_file,
			r == -EBADMSG ? "this is no token" : strerror(-r));
	return r;
}

bool act_may(struct step *step, uint64_t *ret_token)
{
	char why[256];
	int r = act_fence(&step->run->policies->conf->daemon, ret_token, why);

	if (r == 0)
		return true;
	/* That another daemon holds it is as it should be; all else people must know. */
	step->run->page = step->run->page || r != -ENOENT;
	actions_forget(step);
	step_outcome(step, STEP_REFUSED, NULL, "%s: nothing was begun", why);
	return false;
}

/* ---- what came of it
 * ---------------------------------------------------------------------------------- */

static const enum step_state state_of_outcome[EXEC_OUTCOME_MAX] = {
	[EXEC_DONE] = STEP_DONE,
	[EXEC_FAILED] = STEP_FAILED,
	[EXEC_REFUSED] = STEP_REFUSED,
	[EXEC_UNKNOWN] = STEP_UNKNOWN,
};

static bool is_unit_verb(const struct step *step)
{
	return str_startswith(step->verb->name, "unit.");
}

/* Units of this host are looked at on its bus: jobs of ours must not be taken for an operator's.
 * Those of other hosts are asked of their tend-exec, which knows its own. */
static void expect_job(struct step *step, bool expect)
{
	if (step->expecting_job == expect || !is_unit_verb(step) || step->host)
		return;
	step->expecting_job = expect;
	units_expect_job(watch_units(step->run->policies->deps.watch), arg_text(step, "unit"),
		str_eq(step->verb->name, "unit.stop"), expect);
}

static const char *text_of(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "";
}

static json_t *value_of(const struct step *step, const struct exec_result *result)
{
	if (!is_unit_verb(step))
		return json_pack("{s:s, s:i, s:s, s:s}", "result", result->result, "exit_status",
			result->exit_status, "stdout", result->out, "stderr", result->err);
	return json_pack("{s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "result", result->result, "before",
		"invocation_id", result->invocation_before, "state",
		text_of(result->answer, "state_before"), "after", "invocation_id",
		result->invocation_after, "state", text_of(result->answer, "state_after"));
}

/* What a command that failed said last: most often the reason. */
static const char *last_words(const struct exec_result *result, char buf[256])
{
	const char *err = result->outcome == EXEC_FAILED && result->err ? result->err : "";
	size_t end = strlen(err), begin;

	while (end > 0 && strchr(" \t\r\n", err[end - 1]))
		end--;
	for (begin = end; begin > 0 && err[begin - 1] != '\n';)
		begin--;
	str_sanitize(buf, 256, err + begin, end - begin);
	return buf;
}

static void on_executed(const struct exec_result *result, void *data)
{
	char said[256];
	struct step *step = data;
	struct run *run = step->run;

	expect_job(step, false);
	if (result->outcome == EXEC_REFUSED) {
		/* Nothing was begun: no action that did not help, and none of the budget. */
		actions_forget(step);
		/* That somebody else was first, or is at it, is no trouble. */
		run->page = run->page || !(str_eq(result->result, "changed") ||
						 str_eq(result->result, "young") ||
						 str_eq(result->code, "held"));
	}
	step_outcome(step, state_of_outcome[result->outcome], value_of(step, result), "%s%s%s%s%s",
		str_eq(result->code, "fenced") ? "fenced: " : "", result->message,
		step->host && result->message[0] == '\0' ? step->host : "",
		*last_words(result, said) ? ": " : "", said);
	run_unref_step(run);
}

/* By its manifest the executor itself ends what takes too long, or says that it does not know: it
 * has the first word. */
static usec_t patience_with(const struct step *step)
{
	const struct exec_client *client = client_of(step);
	const json_t *hello = client ? exec_client_hello(client) : NULL;
	const char *name = arg_text(step, is_unit_verb(step) ? "unit" : "command");
	const json_t *timeouts = json_object_get(
		json_object_get(hello, "timeouts"), is_unit_verb(step) ? "units" : "commands");
	json_int_t sec = name ? json_integer_value(json_object_get(timeouts, name)) : 0;

	if (sec <= 0)
		return step->verb->timeout;
	return MAX(step->verb->timeout,
		(usec_t)MIN(sec, EXECUTOR_MAX_SEC) * USEC_PER_SEC + EXECUTOR_SLACK_USEC);
}

/* The executor says nothing for longer than the deed may take. */
static void on_overdue(void *data)
{
	struct step *step = data;
	struct run *run = step->run;
	struct exec_client *client = client_of(step);
	char span[CLOCK_TEXT_BYTES];
	usec_t patience = patience_with(step);

	/* It was not connected when this began, or its manifest was changed. */
	if (patience > step->patience) {
		loop_timer_set(step->timer, clock_now() + (patience - step->patience));
		step->patience = patience;
		return;
	}
	if (client)
		exec_client_forget(client, step->job);
	expect_job(step, false);
	step_outcome(step, STEP_UNKNOWN, NULL, "no outcome within %s: it may have happened",
		clock_format_span(step->patience, span));
	run_unref_step(run);
}

void act_requested(struct step *step, int r, enum step_state otherwise)
{
	struct run *run = step->run;

	step->patience = patience_with(step);
	if (r == 0 && run->state == RUN_LIVE &&
		loop_timer_new(run->policies->deps.loop, on_overdue, step, &step->timer) == 0)
		loop_timer_set(step->timer, clock_now() + step->patience);
	if (r == 0)
		return;
	expect_job(step, false);
	if (otherwise == STEP_REFUSED)
		actions_forget(step);
	step_outcome(step, otherwise, NULL, "the executor takes no request: %s",
		r == -ENOTCONN ? "its host is not configured any more" : strerror(-r));
	run_unref_step(run);
}

/* ---- requests
 * ------------------------------------------------------------------------------------------ */

int act_order(struct step *step, struct exec_order *order, char **ret_why)
{
	const struct run *run = step->run;

	*ret_why = str_printf("policy %s, run %s, step %s", run->policy, run->id, step->path);
	*order = (struct exec_order){.id = step->job, .why = *ret_why ? *ret_why : ""};
	/* People at this host the gates have looked for. */
	if (step->host) {
		order->hold_on_dpkg = run->policies->conf->daemon.hold_on_dpkg;
		order->hold_on_login = run->policies->conf->daemon.hold_on_login;
	}
	if (!act_may(step, &order->token))
		return -EPERM;
	if (order->token)
		order->lock = run->policies->conf->daemon.fence_lock;
	return 0;
}

/* So long the check's failing results of a unit that is up must have taken. Else the failure that
 * was confirmed is of the time before somebody else started it. */
static uint64_t min_up_msec(const struct step *step)
{
	const struct run *run = step->run;
	const struct check *check =
		run->check && run->incident[0]
			? watch_find_check(run->policies->deps.watch, run->check)
			: NULL;
	usec_t interval;

	if (!check || path_is_cleanup(step->path))
		return 0;
	interval =
		check->conf->retry_interval ? check->conf->retry_interval : check->conf->interval;
	return MIN((uint64_t)check->conf->confirm_failures * interval / USEC_PER_MSEC,
		(uint64_t)3600 * 1000);
}

void act_unit(struct step *step)
{
	auto_free char *why = NULL;
	struct exec_client *client = client_of(step);
	struct exec_order order;
	int r = -ENOTCONN;

	if (act_order(step, &order, &why) < 0)
		return;
	order.seen = step->has_seen ? step->seen : NULL;
	order.min_up_msec = min_up_msec(step);
	step->run->n_in_flight++;
	expect_job(step, true);
	if (client)
		r = exec_client_unit(client, &order, step->verb->name + strlen("unit."),
			arg_text(step, "unit"), on_executed, step);
	act_requested(step, r, STEP_REFUSED);
}

void act_command(struct step *step)
{
	auto_free char *why = NULL;
	struct exec_client *client = client_of(step);
	json_t *args = json_object_get(step->args, "args");
	struct exec_order order;
	int r = -ENOTCONN;

	if (act_order(step, &order, &why) < 0)
		return;
	order.risk = verb_risk_names[step->risk];
	step->run->n_in_flight++;
	if (client)
		r = exec_client_command(client, &order, arg_text(step, "command"),
			json_is_object(args) ? json_incref(args) : NULL, on_executed, step);
	act_requested(step, r, STEP_REFUSED);
}

/* Without gates and limits: the manifest, which is root's, must say that it changes nothing. */
void act_command_query(struct step *step)
{
	const char *risk = act_manifest_risk(step);

	if (gate_wait_for_executor(step))
		return;
	if (str_eq(risk, "observe"))
		act_command(step);
	else if (risk)
		step_outcome(step, STEP_REFUSED, NULL,
			"the manifest says of '%.64s' that its risk is %s, not observe: "
			"command.run is for that",
			arg_text(step, "command"), risk);
	else
		step_outcome(step, STEP_REFUSED, NULL,
			"the executor is not there, or has no command '%.64s'",
			arg_text(step, "command"));
}

/* To ask after a deed needs no lock: it is none. */
void act_attach(struct step *step)
{
	bool sql = step->verb->execute == act_sql_execute;
	struct exec_client *client = client_of(step);
	int r = -ENOTCONN;

	step->run->n_in_flight++;
	expect_job(step, true);
	if (client)
		r = exec_client_attach(
			client, step->job, sql ? act_sql_on_attached : on_executed, step);
	act_requested(step, r, STEP_UNKNOWN);
}

/* ---- how a unit ended
 * --------------------------------------------------------------------------------- */

static void copy_id(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%.*s", (int)size - 1, from);
}

/* What was seen goes with the action: who has changed the unit since then was first. */
static void on_looked(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	struct step *step = data;

	step->has_seen = r >= 0 && info;
	if (step->has_seen)
		copy_id(step->seen, sizeof(step->seen), info->invocation_id);
	step->intent_fn(r, intent, why, info, step);
}

static void on_inspected(const json_t *answer, const char *error, void *data)
{
	struct step *step = data;
	enum units_intent intent = UNITS_INTENT_UNKNOWN;
	struct tend_unit_info info = {
		.name = arg_text(step, "unit"),
		.load_state = text_of(answer, "load_state"),
		.active_state = text_of(answer, "active_state"),
		.sub_state = text_of(answer, "sub_state"),
		.result = text_of(answer, "result"),
		.job_type = text_of(answer, "job_type"),
		.job_id = (uint32_t)json_integer_value(json_object_get(answer, "job_id")),
		.main_pid = (uint64_t)json_integer_value(json_object_get(answer, "main_pid")),
		.n_restarts = (uint64_t)json_integer_value(json_object_get(answer, "restarts")),
		.stopped_by_job = json_is_true(json_object_get(answer, "stopped_by_job")),
		.end_seen_live = json_is_true(json_object_get(answer, "end_seen_live")),
		.intent = text_of(answer, "intent"),
	};

	step->remote_ask = NULL;
	step->memory_bytes = json_integer_value(json_object_get(answer, "memory_bytes"));
	for (int i = 0; answer && i < UNITS_INTENT_MAX; i++)
		if (strcmp(units_intent_name((enum units_intent)i), info.intent) == 0)
			intent = (enum units_intent)i;
	copy_id(info.invocation_id, sizeof(info.invocation_id), text_of(answer, "invocation_id"));
	on_looked(answer ? 0 : -EIO, intent, answer ? text_of(answer, "why") : error,
		answer ? &info : NULL, step);
}

int act_ask_intent(struct step *step, const char *unit, usec_t timeout, units_intent_fn fn)
{
	struct exec_client *client;

	step->intent_fn = fn;
	if (!step->host)
		return units_ask_intent(watch_units(step->run->policies->deps.watch), unit, timeout,
			on_looked, step, &step->ask);
	client = client_of(step);
	if (!client)
		return -ENOTCONN;
	return exec_client_inspect(client, unit, timeout, on_inspected, step, &step->remote_ask);
}

void act_ask_cancel(struct step *step)
{
	exec_ask_cancel(step->remote_ask);
	step->remote_ask = NULL;
}
