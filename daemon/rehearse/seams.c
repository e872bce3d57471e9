/* SPDX-License-Identifier: MIT */
/*
 * Where the engine meets the world: the linker (-Wl,--wrap) puts these in place of functions of the
 * engine, so that tendd itself knows nothing of rehearsals. CMakeLists.txt has the list.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include "alert/private.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/net.h"
#include "policy/gates.h"
#include "policy/private.h"
#include "rehearse/play.h"
#include "snmp/feed.h"
#include "watch/host.h"
#include "watch/unit_memory.h"
#include "watch/units.h"

/* A plain `void' where nothing is looked at. */
static char nothing;

/* ---- chance: the same in every rehearsal
 * ------------------------------------------------------------------------ */

__typeof__(random_below) __wrap_random_below;
uint64_t __wrap_random_below(uint64_t limit)
{
	static uint64_t state = 0x74656e64;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return limit ? (state >> 33) % limit : 0;
}

/* ---- the log
 * -------------------------------------------------------------------------------------------------
 */

__attribute__((format(printf, 3, 4))) __typeof__(log_at) __wrap_log_at;
void __wrap_log_at(int level, const char *const *fields, const char *format, ...)
{
	char raw[2048], text[2048];
	va_list ap;

	if (!play || !play->options->verbose || level > LOG_INFO)
		return;
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	seen_tell("log", "%s", text);
}

/* ---- probes, and verbs that a plugin serves
 * --------------------------------------------------------------------- */

struct call {
	struct answer *line;
	json_t *args, *seen;
	char *verb;
};

static void call_free(struct call *call)
{
	json_decref(call->args);
	json_decref(call->seen);
	free(call->verb);
	free(call);
}

static void call_end(struct tend_attempt *a, struct call *call)
{
	const struct answer *line = call->line;
	const char *message = answer_option(line, "message");

	if (call->seen)
		(void)json_object_set_new(
			call->seen, "outcome", json_string(answer_outcome_names[line->outcome]));
	seen_tell("outcome", "%s: %s", call->verb, answer_outcome_names[line->outcome]);
	world_answered(line, call->verb, call->args);
	if (line->outcome == ANSWER_DONE) {
		tend_attempt_outcome(a, line->value ? json_deep_copy(line->value) : json_true());
		tend_attempt_finish(a, TEND_REASON_OK, "%s", "");
	} else {
		tend_attempt_finish(a,
			line->outcome == ANSWER_UNKNOWN ? TEND_REASON_TOO_SLOW
							: TEND_REASON_QUERY_FAILED,
			"%s", message ? message : "rehearsed");
	}
	call_free(call);
}

static void on_call_timer(struct tend_attempt *a, void *data)
{
	tend_attempt_set_data(a, NULL);
	call_end(a, data);
}

static int refuse_call(struct tend_attempt *a, const char *method, const json_t *args)
{
	auto_free char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);

	play_fault("no line of 'answer' fits %s %.800s", method, text ? text : "");
	tend_attempt_finish(a, TEND_REASON_QUERY_FAILED, "the scenario has no answer to it");
	return 0;
}

static int answer_call(
	struct tend_attempt *a, const void *conf, const char *method, const json_t *args)
{
	const struct verb *verb = verb_find(method);
	struct call *call = calloc(1, sizeof(*call));
	const char *meanwhile;
	struct tend_timer *timer;

	if (!call)
		return -ENOMEM;
	call->verb = strdup(method);
	call->args = executor_sql_args(method, args);
	if (!call->args)
		call->args = json_deep_copy(args);
	if (!json_object_get(call->args, "component"))
		(void)json_object_set_new(
			call->args, "component", json_string(tend_attempt_name(a)));
	if (verb && verb->risk >= RISK_CHANGE)
		call->seen = json_incref(
			seen_add(SEEN_ACTION, json_pack("{s:s, s:O, s:s}", "verb", method, "args",
						      call->args, "on", tend_attempt_name(a))));
	call->line = world_find_answer(method, call->args);
	if (!call->line) {
		call_free(call);
		return refuse_call(a, method, args);
	}
	meanwhile = answer_option(call->line, "meanwhile");
	if (meanwhile)
		play_meanwhile(meanwhile);
	if (!call->line->after && call->line->outcome != ANSWER_NEVER && !meanwhile) {
		call_end(a, call);
		return 0;
	}
	tend_attempt_set_data(a, call);
	if (call->line->outcome == ANSWER_NEVER)
		return 0;
	return tend_timer_new(
		a, clock_now() + MAX(call->line->after, (usec_t)1), on_call_timer, call, &timer);
}

static void cancel_call(struct tend_attempt *a)
{
	struct call *call = tend_attempt_data(a);

	tend_attempt_set_data(a, NULL);
	if (call)
		call_free(call);
}

static int answer_start(struct tend_attempt *a, const void *conf)
{
	world_answer_check(play->world, a);
	return 0;
}

static const struct tend_probe rehearsed_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "rehearsed",
	.start = answer_start,
	.call = answer_call,
	.cancel = cancel_call,
};

__typeof__(attempt_start) __real_attempt_start;
__typeof__(attempt_start) __wrap_attempt_start;
int __wrap_attempt_start(
	struct host *host, const struct attempt_spec *spec, struct tend_attempt **ret_attempt)
{
	struct attempt_spec rehearsed = *spec;

	/* It only tells what others have reported; that is the engine's own. */
	if (spec->method || !str_eq(spec->probe->name, "passive") ||
		world_knows_check(play->world, spec->name))
		rehearsed.probe = &rehearsed_probe;
	return __real_attempt_start(host, &rehearsed, ret_attempt);
}

/* ---- units
 * ---------------------------------------------------------------------------------------------------
 */

struct units_ask {
	struct loop_source *defer;
	char *name;
	units_info_fn info_fn;
	units_intent_fn intent_fn;
	void *data;
};

struct unit_row {
	const char *state;
	enum units_intent intent;
	const char *why, *load, *active, *sub, *result;
};

static const struct unit_row unit_rows[] = {
	{"running", UNITS_INTENT_RUNNING, "it is running", "loaded", "active", "running",
		"success"},
	{"ended", UNITS_INTENT_ENDED, "it was seen to end without a stop job", "loaded", "failed",
		"failed", "signal"},
	{"stopped", UNITS_INTENT_STOPPED_BY_OPERATOR,
		"an operator stopped it, by a job that is not Tend's", "loaded", "inactive", "dead",
		"success"},
	{"masked", UNITS_INTENT_MASKED, "it is masked", "masked", "inactive", "dead", "success"},
	{"changing", UNITS_INTENT_CHANGING, "systemd is at work on it", "loaded", "activating",
		"auto-restart", "success"},
	{"missing", UNITS_INTENT_MISSING, "there is no such unit", "not-found", "inactive", "dead",
		"success"},
	{"unknown", UNITS_INTENT_UNKNOWN,
		"its end was not seen, and the journal does not tell of it", "loaded", "inactive",
		"dead", "success"},
};

static const char *invocation_of(const struct unit_row *row)
{
	return row->intent == UNITS_INTENT_RUNNING ? "0000000000000000000000000000000a" : "";
}

static const struct unit_row *row_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(unit_rows); i++)
		if (strcmp(unit_rows[i].state, state) == 0)
			return &unit_rows[i];
	return &unit_rows[0];
}

json_t *unit_to_json(const char *name)
{
	const struct unit_row *row = row_of(world_unit_state(play->world, name));

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:b, s:I}",
		"intent", units_intent_name(row->intent), "why", row->why, "unit", name,
		"load_state", row->load, "active_state", row->active, "sub_state", row->sub,
		"result", row->result, "invocation_id", invocation_of(row), "job_id", 0, "job_type",
		"", "stopped_by_job", row->intent == UNITS_INTENT_STOPPED_BY_OPERATOR,
		"end_seen_live", row->intent == UNITS_INTENT_ENDED, "memory_bytes",
		row->intent == UNITS_INTENT_RUNNING
			? (json_int_t)world_unit_memory(play->world, name)
			: 0);
}

static void ask_free(struct units_ask *ask)
{
	loop_source_free(ask->defer);
	free(ask->name);
	free(ask);
}

static void on_ask(void *data)
{
	struct units_ask *ask = data;
	const struct unit_row *row = row_of(world_unit_state(play->world, ask->name));
	struct tend_unit_info info = {
		.name = ask->name,
		.load_state = row->load,
		.active_state = row->active,
		.sub_state = row->sub,
		.result = row->result,
		.job_type = "",
		.stopped_by_job = row->intent == UNITS_INTENT_STOPPED_BY_OPERATOR,
		.end_seen_live = row->intent == UNITS_INTENT_ENDED,
		.main_pid = row->intent == UNITS_INTENT_RUNNING ? 4242 : 0,
		.intent = units_intent_name(row->intent),
	};

	(void)snprintf(info.invocation_id, sizeof(info.invocation_id), "%s", invocation_of(row));
	if (ask->info_fn)
		ask->info_fn(0, &info, ask->data);
	else
		ask->intent_fn(0, row->intent, row->why, &info, ask->data);
	ask_free(ask);
}

static int ask_new(const char *name, const struct units_ask *what, struct units_ask **ret_ask)
{
	struct units_ask *ask = calloc(1, sizeof(*ask));
	int r;

	if (!ask)
		return -ENOMEM;
	*ask = *what;
	ask->name = strdup(name);
	r = loop_defer_new(play->manager.loop, on_ask, ask, &ask->defer);
	if (r < 0 || !ask->name) {
		ask_free(ask);
		return r < 0 ? r : -ENOMEM;
	}
	*ret_ask = ask;
	return 0;
}

__typeof__(units_get) __wrap_units_get;
int __wrap_units_get(struct tend_units *units, const char *name, usec_t timeout, units_info_fn fn,
	void *data, struct units_ask **ret_ask)
{
	return ask_new(name, &(struct units_ask){.info_fn = fn, .data = data}, ret_ask);
}

__typeof__(units_ask_intent) __wrap_units_ask_intent;
int __wrap_units_ask_intent(struct tend_units *units, const char *name, usec_t timeout,
	units_intent_fn fn, void *data, struct units_ask **ret_ask)
{
	return ask_new(name, &(struct units_ask){.intent_fn = fn, .data = data}, ret_ask);
}

__typeof__(unit_memory) __wrap_unit_memory;
json_t *__wrap_unit_memory(const struct tend_unit_info *info)
{
	return info->main_pid ? json_integer(world_unit_memory(play->world, info->name))
			      : json_null();
}

__typeof__(units_ask_cancel) __wrap_units_ask_cancel;
void __wrap_units_ask_cancel(struct units_ask *ask)
{
	if (ask)
		ask_free(ask);
}

__typeof__(units_new) __wrap_units_new;
int __wrap_units_new(struct loop *loop, const char *address, struct tend_units **ret_units)
{
	*ret_units = (struct tend_units *)&nothing;
	return 0;
}

__typeof__(units_free) __wrap_units_free;
struct tend_units *__wrap_units_free(struct tend_units *units)
{
	return NULL;
}

__typeof__(units_connected) __wrap_units_connected;
bool __wrap_units_connected(const struct tend_units *units)
{
	return true;
}

__typeof__(units_watch_new) __wrap_units_watch_new;
int __wrap_units_watch_new(struct tend_units *units, const char *name, units_change_fn fn,
	void *data, struct units_watch **ret_watch)
{
	*ret_watch = NULL;
	return 0;
}

__typeof__(units_watch_free) __wrap_units_watch_free;
struct units_watch *__wrap_units_watch_free(struct units_watch *watch)
{
	return NULL;
}

__typeof__(units_expect_job) __wrap_units_expect_job;
void __wrap_units_expect_job(struct tend_units *units, const char *name, bool stops, bool expect)
{
}

/* ---- other hosts, and people at this one
 * ------------------------------------------------------------------------------- */

__typeof__(exec_client_new_ssh) __wrap_exec_client_new_ssh;
int __wrap_exec_client_new_ssh(struct loop *loop, const struct ssh_host *host,
	exec_progress_fn progress, void *data, struct exec_client **ret_client)
{
	return exec_client_new(
		loop, play->manager.conf->daemon.exec_socket, progress, data, ret_client);
}

__typeof__(operators_allow) __wrap_operators_allow;
bool __wrap_operators_allow(const struct conf_daemon *conf, char why[256])
{
	const char *people = world_people(play->world);

	if (people)
		(void)snprintf(why, 256, "%s", people);
	return !people;
}

/* ---- deliveries
 * -------------------------------------------------------------------------------------------------
 */

struct delivered {
	struct shipment *shipment;
	try_fn done;
	struct loop_source *defer;
	struct delivered *next;
};

static void see_notice(const struct delivery *d)
{
	const struct notice *n = &d->record->notice;
	auto_free char *text = notice_compose_text(n, d->merged);
	const char *policy = json_string_value(json_object_get(n->details, "policy"));
	const char *name = notice_kind_name(n->kind);
	size_t i;
	json_t *seen, *to;

	json_array_foreach (play->seen, i, seen) {
		to = json_object_get(seen, "to");
		if (to && str_eq(json_string_value(json_object_get(seen, "id")), n->id)) {
			(void)json_array_append_new(to, json_string(d->receiver->name));
			return;
		}
	}
	if (str_startswith(name, "incident."))
		name += strlen("incident.");
	else if (n->kind == NOTICE_POLICY_MESSAGE)
		name = "message";
	(void)seen_add(n->kind == NOTICE_POLICY_FAILED ? SEEN_PAGE : SEEN_NOTICE,
		json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s?, s:s?, s:[s]}", "id", n->id, "notice",
			name, "check", n->check ? n->check : n->fingerprint, "policy", policy,
			"severity", conf_severity_names[n->severity], "text", text, "component",
			n->component, "to", d->receiver->name));
}

static void delivered_free(struct delivered *one)
{
	struct delivered **p = &play->delivered;

	while (*p && *p != one)
		p = &(*p)->next;
	if (*p)
		*p = one->next;
	loop_source_free(one->defer);
	shipment_unref(one->shipment);
	free(one);
}

static void on_delivered(void *data)
{
	struct delivered *one = data;
	const struct judgement j = {.verdict = VERDICT_DELIVERED};
	struct shipment *s = shipment_ref(one->shipment);
	try_fn done = one->done;

	VEC_FOREACH (&s->deliveries, const struct delivery *, d)
		see_notice(d);
	delivered_free(one);
	done(s, &j);
	shipment_unref(s);
}

void delivered_drop(void)
{
	while (play->delivered)
		delivered_free(play->delivered);
}

static int deliver(const struct try_context *context, struct shipment *s)
{
	struct delivered *one = calloc(1, sizeof(*one));
	int r;

	if (!one)
		return -ENOMEM;
	*one = (struct delivered){.shipment = shipment_ref(s), .done = context->done};
	r = loop_defer_new(play->manager.loop, on_delivered, one, &one->defer);
	one->next = play->delivered;
	play->delivered = one;
	if (r < 0)
		delivered_free(one);
	return r;
}

__typeof__(webhook_start) __wrap_webhook_start;
int __wrap_webhook_start(const struct try_context *context, struct shipment *s)
{
	return deliver(context, s);
}

/* ---- what a rehearsal has no use for
 * ----------------------------------------------------------------------------- */

__typeof__(net_new) __wrap_net_new;
int __wrap_net_new(struct loop *loop, struct net **ret_net)
{
	*ret_net = (struct net *)&nothing;
	return 0;
}

__typeof__(net_free) __wrap_net_free;
struct net *__wrap_net_free(struct net *net)
{
	return NULL;
}

__typeof__(api_new) __wrap_api_new;
int __wrap_api_new(struct manager *m, struct tend_error *err, struct api **ret_api)
{
	*ret_api = NULL;
	return 0;
}

__typeof__(api_apply) __wrap_api_apply;
int __wrap_api_apply(struct api *api, struct conf *conf)
{
	return 0;
}

__typeof__(api_free) __wrap_api_free;
struct api *__wrap_api_free(struct api *api)
{
	return NULL;
}

__typeof__(agentx_new) __wrap_agentx_new;
int __wrap_agentx_new(struct manager *m, struct agentx **ret_agentx)
{
	*ret_agentx = NULL;
	return 0;
}

__typeof__(agentx_apply) __wrap_agentx_apply;
int __wrap_agentx_apply(struct agentx *agentx, struct conf *conf)
{
	return 0;
}

__typeof__(agentx_free) __wrap_agentx_free;
struct agentx *__wrap_agentx_free(struct agentx *agentx)
{
	return NULL;
}

/* ---- is anything real under way?
 * --------------------------------------------------------------------------------- */

/* Asleep with nothing left to read: it waits for us. */
static bool runner_waits(const struct run *run)
{
	char path[64], text[512];
	const char *close;
	int unread = 0;
	ssize_t n;

	if (rpc_output_pending(run->rpc) > 0)
		return false;
	if (ioctl(rpc_fd(run->rpc), SIOCOUTQ, &unread) < 0 || unread > 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", run->pid);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return false;
	text[n] = '\0';
	close = strrchr(text, ')');
	/* It may have written just before it fell asleep. */
	return close && close[1] == ' ' && close[2] == 'S' &&
	       ioctl(rpc_fd(run->rpc), FIONREAD, &unread) == 0 && unread == 0;
}

bool play_busy(void *data)
{
	struct play *p = data;
	struct policies *policies = p->manager.policies;

	if (p->want_restart || !store_idle(p->manager.store))
		return true;
	if (!policies || !policies_runner_up(policies))
		return false; /* its backoff is a timer */
	if (policies->loading)
		return true;
	VEC_FOREACH (&policies->runs, const struct run *, run) {
		/* One that has ended stays until its process is reaped. */
		if (run->state != RUN_LIVE && run->pid <= 0)
			continue;
		if (run->state != RUN_LIVE || run->describing || !run->rpc || run->pid <= 0 ||
			!runner_waits(run))
			return true;
	}
	return false;
}
