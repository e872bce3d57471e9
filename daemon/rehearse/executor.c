/* SPDX-License-Identifier: MIT */
/*
 * tend-exec's part: the same messages on the same kind of socket, so that the engine's client is
 * the real one. Its ledger outlives a `restart' of tendd, as the real one does.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/clock.h"
#include "base/str.h"
#include "loop/rpc.h"
#include "policy/private.h"
#include "rehearse/play.h"

enum { MAX_WAITING = 8 };
#define ANSWER_AFTER_USEC USEC_PER_SEC

struct link {
	struct executor *executor;
	struct rpc *rpc;
	struct link *next;
	bool gone;
};

struct job {
	struct executor *executor;
	char id[UUID_TEXT_BYTES];
	char *verb;
	json_t *args, *answer; /* answer: it has ended */
	json_t *seen;
	struct answer *line;
	struct loop_source *timer, *progress;
	struct {
		struct link *link;
		uint64_t rpc_id;
	} waiting[MAX_WAITING];
	size_t n_waiting;
};

struct executor {
	struct play *play;
	int fd;
	struct loop_source *io;
	struct link *links;
	struct map jobs;
};

static void job_free(struct job *job)
{
	loop_source_free(job->timer);
	loop_source_free(job->progress);
	json_decref(job->args);
	json_decref(job->answer);
	json_decref(job->seen);
	free(job->verb);
	free(job);
}

/* ---- outcomes
 * ------------------------------------------------------------------------------------------------
 */

static void tell_waiting(struct job *job)
{
	for (size_t i = 0; i < job->n_waiting; i++)
		if (!job->waiting[i].link->gone)
			(void)rpc_ok(job->waiting[i].link->rpc, job->waiting[i].rpc_id,
				json_incref(job->answer));
	job->n_waiting = 0;
}

static void job_end(struct job *job, const char *outcome, const char *message)
{
	const json_t *value = job->line ? job->line->value : NULL;
	const char *out = json_string_value(value);
	bool done = strcmp(outcome, "done") == 0;

	job->answer = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "id", job->id,
		"outcome", outcome, "result", done ? "done" : outcome, "message", message,
		"exit_status", done ? 0 : 1, "stdout", out ? out : "", "stderr",
		done ? "" : message, "invocation_before", "0000000000000000000000000000000b",
		"invocation_after", "0000000000000000000000000000000a");
	if (json_is_object(value))
		(void)json_object_update(job->answer, (json_t *)(uintptr_t)value);
	if (job->seen)
		(void)json_object_set_new(job->seen, "outcome", json_string(outcome));
	seen_tell("outcome", "%s: %s%s%s", job->verb, outcome, *message ? ": " : "", message);
	world_answered(job->line, job->verb, job->args);
	tell_waiting(job);
}

static void on_answer(void *data)
{
	struct job *job = data;
	const char *message = answer_option(job->line, "message");

	job_end(job, answer_outcome_names[job->line->outcome], message ? message : "");
}

static void on_progress(void *data)
{
	struct job *job = data;
	const char *line = answer_option(job->line, "progress");

	for (size_t i = 0; i < job->n_waiting; i++)
		if (!job->waiting[i].link->gone)
			(void)rpc_call(job->waiting[i].link->rpc, "progress",
				json_pack("{s:s, s:s}", "id", job->id, "line", line ? line : ""), 0,
				NULL, NULL, NULL);
}

/* ---- jobs
 * ----------------------------------------------------------------------------------------------------
 */

/* "policy P, run ID, step PATH" */
static const struct run *run_of(const char *why)
{
	const char *at = why ? strstr(why, "run ") : NULL;

	if (at)
		VEC_FOREACH (&play->manager.policies->runs, const struct run *, run)
			if (strncmp(run->id, at + 4, strlen(run->id)) == 0)
				return run;
	return NULL;
}

static json_t *see_action(const char *verb, const json_t *args, const char *why)
{
	const struct run *run = run_of(why);
	const char *unit = json_string_value(json_object_get(args, "unit"));
	const char *path = run ? strstr(why, ", step ") : NULL;
	const struct step *step = path ? map_get(&run->steps, path + strlen(", step ")) : NULL;
	/* A unit's component is what it is done to, whatever the run is about. */
	const char *on = unit && step && step->target ? step->target : run ? run->component : NULL;

	return json_incref(seen_add(SEEN_ACTION,
		json_pack("{s:s, s:O, s:s?, s:s?, s:s?}", "verb", verb, "args", args, "on", on,
			"policy", run ? run->policy : NULL, "run", run ? run->id : NULL)));
}

/* The risk that the scenario's manifest gives a command: `risk=' of an answer, else that of the
 * verb it is asked by. NULL: no answer names it. */
static const char *risk_of_command(const char *command)
{
	VEC_FOREACH (&play->scenario->answers, const struct answer *, answer) {
		const char *pattern = words_value(answer->words, "command");
		const char *risk = answer_option(answer, "risk");

		if (!pattern || !str_startswith(answer->verb, "command.") ||
			!str_glob(pattern, command))
			continue;
		if (risk)
			return risk;
		return strcmp(answer->verb, "command.query") == 0 ? "observe" : "change";
	}
	return NULL;
}

/* "unit" and "command" as policies write them; what else there is goes by its name. */
static void name_verb(const char *call, const json_t *message, char **ret_verb, json_t **ret_args)
{
	const char *verb = json_string_value(json_object_get(message, "verb"));
	const char *command = json_string_value(json_object_get(message, "command"));
	json_t *args;

	if (strcmp(call, "unit") == 0) {
		*ret_verb = str_printf("unit.%s", verb ? verb : "");
		*ret_args = json_pack("{s:O*}", "unit", json_object_get(message, "unit"));
	} else if (strcmp(call, "command") == 0) {
		bool query = str_eq(risk_of_command(command ? command : ""), "observe");

		*ret_verb = strdup(query ? "command.query" : "command.run");
		args = json_deep_copy(json_object_get(message, "args"));
		*ret_args = json_is_object(args) ? args : json_object();
		if (args && args != *ret_args)
			json_decref(args);
		(void)json_object_set_new(
			*ret_args, "command", json_string(command ? command : ""));
	} else {
		*ret_verb = strdup(call);
		*ret_args = json_deep_copy(message);
		(void)json_object_del(*ret_args, "id");
		(void)json_object_del(*ret_args, "why");
	}
}

static void add_waiting(struct job *job, struct link *link, uint64_t rpc_id)
{
	if (job->answer) {
		(void)rpc_ok(link->rpc, rpc_id, json_incref(job->answer));
		return;
	}
	if (job->n_waiting == MAX_WAITING)
		return;
	job->waiting[job->n_waiting].link = link;
	job->waiting[job->n_waiting++].rpc_id = rpc_id;
}

static int arm(struct job *job)
{
	usec_t after = job->line->has_after ? job->line->after : ANSWER_AFTER_USEC;
	struct loop *loop = job->executor->play->manager.loop;
	int r = loop_timer_new(loop, on_answer, job, &job->timer);

	if (r == 0)
		r = loop_timer_new(loop, on_progress, job, &job->progress);
	if (r < 0)
		return r;
	if (job->line->outcome != ANSWER_NEVER)
		loop_timer_set(job->timer, clock_now() + after);
	if (answer_option(job->line, "progress"))
		loop_timer_set(job->progress, clock_now() + after / 2);
	return 0;
}

static void job_begin(struct executor *e, struct link *link, uint64_t rpc_id, const char *call,
	const json_t *message, const char *id)
{
	struct job *job = calloc(1, sizeof(*job));
	const char *meanwhile;

	if (!job || map_put(&e->jobs, id, job) < 0) {
		free(job);
		return;
	}
	job->executor = e;
	(void)snprintf(job->id, sizeof(job->id), "%s", id);
	name_verb(call, message, &job->verb, &job->args);
	if (strcmp(job->verb, "command.query") != 0)
		job->seen = see_action(
			job->verb, job->args, json_string_value(json_object_get(message, "why")));
	job->line = world_find_answer(job->verb, job->args);
	add_waiting(job, link, rpc_id);
	if (!job->line) {
		auto_free char *text = json_dumps(job->args, JSON_COMPACT | JSON_SORT_KEYS);

		play_fault("no line of 'answer' fits %s %s", job->verb, text ? text : "");
		job_end(job, "failed", "the scenario has no answer to it");
		return;
	}
	meanwhile = answer_option(job->line, "meanwhile");
	if (arm(job) < 0)
		job_end(job, "failed", "no memory");
	else if (meanwhile)
		play_meanwhile(meanwhile);
}

/* ---- messages
 * ------------------------------------------------------------------------------------------------
 */

static void add_name(json_t *list, const char *name)
{
	size_t i;
	json_t *item;

	if (!name || strpbrk(name, "*?"))
		return;
	json_array_foreach (list, i, item)
		if (strcmp(json_string_value(item), name) == 0)
			return;
	(void)json_array_append_new(list, json_string(name));
}

static void add_risk(json_t *risks, const char *command)
{
	const char *risk = command && !strpbrk(command, "*?") ? risk_of_command(command) : NULL;

	if (risk)
		(void)json_object_set_new(risks, command, json_string(risk));
}

static void add_statement(json_t *sql, const struct answer *answer)
{
	const char *name = words_value(answer->words, "name");
	const char *risk = answer_option(answer, "risk");

	if (strcmp(answer->verb, "sql.execute") == 0 && name && !strpbrk(name, "*?"))
		(void)json_object_set_new(sql, name,
			json_pack("{s:s, s:{}, s:i, s:s}", "statement", name, "params", "max_rows",
				1000000, "risk", risk ? risk : "change"));
}

/* As long as the longest answer to it takes. */
static void add_timeouts(json_t *hello, const char *kind, const char *prefix, const char *key)
{
	json_t *timeouts = json_object(), *name;
	size_t i;

	json_array_foreach (json_object_get(hello, kind), i, name) {
		usec_t longest = ANSWER_AFTER_USEC;

		VEC_FOREACH (&play->scenario->answers, const struct answer *, answer) {
			const char *pattern = words_value(answer->words, key);

			if (str_startswith(answer->verb, prefix) && answer->has_after &&
				(!pattern || str_glob(pattern, json_string_value(name))))
				longest = MAX(longest, answer->after);
		}
		(void)json_object_set_new(timeouts, json_string_value(name),
			json_integer((json_int_t)(longest / USEC_PER_SEC)));
	}
	(void)json_object_set_new(json_object_get(hello, "timeouts"), kind, timeouts);
}

/* What the manifest allows is what the scenario answers, and every unit of a component. */
static json_t *hello(void)
{
	json_t *commands = json_array(), *units = json_array(), *sql = json_object(),
	       *risks = json_object(), *said;

	MAP_FOREACH (&play->manager.conf->components, const struct conf_component *, component)
		add_name(units, component->unit);
	VEC_FOREACH (&play->scenario->answers, const struct answer *, answer) {
		add_name(commands, words_value(answer->words, "command"));
		add_risk(risks, words_value(answer->words, "command"));
		add_name(units, words_value(answer->words, "unit"));
		add_statement(sql, answer);
	}
	said = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:{}}", "version", TEND_VERSION, "boot_id",
		"00000000-0000-4000-8000-000000000000", "commands", commands, "units", units,
		"risks", risks, "sql", sql, "timeouts");
	add_timeouts(said, "commands", "command.", "command");
	add_timeouts(said, "units", "unit.", "unit");
	return said;
}

/* A statement is granted at once; what it does is asked of the database, which is played as well.
 * The grant carries what the policy gave, for that. */
static json_t *grant(const json_t *message)
{
	auto_json json_t *given = json_deep_copy(json_object_get(message, "args"));
	auto_free char *text = NULL;

	if (!json_is_object(given)) {
		json_decref(given);
		given = json_object();
	}
	(void)json_object_set(given, "name", json_object_get(message, "sql"));
	text = json_dumps(given, JSON_COMPACT | JSON_SORT_KEYS);
	return json_pack("{s:O, s:s, s:s, s:s, s:s, s:[], s:i, s:i, s:b, s:b}", "id",
		json_object_get(message, "id"), "outcome", "done", "result", "granted", "message",
		"", "statement", text ? text : "{}", "values", "max_rows", 1000000,
		"lock_timeout_msec", 1000, "transaction", 1, "repeatable", 0);
}

static void give_grant(
	struct executor *e, struct rpc *rpc, uint64_t rpc_id, const json_t *message, const char *id)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job || map_put(&e->jobs, id, job) < 0) {
		free(job);
		(void)rpc_error(rpc, rpc_id, "unavailable", "no memory");
		return;
	}
	job->executor = e;
	job->answer = grant(message);
	(void)rpc_ok(rpc, rpc_id, json_incref(job->answer));
}

json_t *executor_sql_args(const char *method, const json_t *args)
{
	const char *text = json_string_value(json_object_get(args, "sql"));

	return strcmp(method, "sql.execute") == 0 && text ? json_loads(text, 0, NULL) : NULL;
}

static void on_call(struct rpc *rpc, uint64_t rpc_id, const char *call, json_t *args, void *data)
{
	struct link *link = data;
	struct executor *e = link->executor;
	const char *id = json_string_value(json_object_get(args, "id"));
	struct job *job = id ? map_get(&e->jobs, id) : NULL;

	if (rpc_id == 0)
		return;
	if (strcmp(call, "hello") == 0)
		(void)rpc_ok(rpc, rpc_id, hello());
	else if (strcmp(call, "inspect") == 0)
		(void)rpc_ok(rpc, rpc_id,
			unit_to_json(json_string_value(json_object_get(args, "unit")) ?: ""));
	else if (!job && json_object_get(args, "hold") && world_people(play->world))
		(void)rpc_error(rpc, rpc_id, "held", "hands off: %s", world_people(play->world));
	else if (strcmp(call, "sql") == 0 && id && !job)
		give_grant(e, rpc, rpc_id, args, id);
	else if (strcmp(call, "attach") == 0 && !job)
		(void)rpc_ok(rpc, rpc_id,
			json_pack("{s:s, s:s}", "outcome", "refused", "message", "never begun"));
	else if (job && strcmp(call, "attach") == 0)
		add_waiting(job, link, rpc_id);
	else if (!id)
		(void)rpc_error(
			rpc, rpc_id, "invalid", "nothing answers '%s' in a rehearsal", call);
	else if (job)
		(void)rpc_error(rpc, rpc_id, "duplicate", "the id was begun before");
	else
		job_begin(e, link, rpc_id, call, args, id);
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct link *link = data;

	link->gone = true;
	link->rpc = rpc_free(link->rpc);
}

static void on_connect(int fd, uint32_t events, void *data)
{
	struct executor *e = data;
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct link *link = sock >= 0 ? calloc(1, sizeof(*link)) : NULL;

	if (!link) {
		safe_close(sock);
		return;
	}
	*link = (struct link){.executor = e, .next = e->links};
	e->links = link;
	if (rpc_new(e->play->manager.loop, sock, "rehearsed tend-exec", on_call, on_close, link,
		    &link->rpc) < 0)
		link->gone = true;
}

int executor_new(struct play *p, const char *path, struct executor **ret_executor)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct executor *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e)
		return -ENOMEM;
	e->play = p;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0 || bind(e->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(e->fd, 16) < 0)
		r = -errno;
	if (r == 0)
		r = loop_io_new(p->manager.loop, e->fd, EPOLLIN, on_connect, e, &e->io);
	if (r < 0) {
		executor_free(e);
		return r;
	}
	*ret_executor = e;
	return 0;
}

struct executor *executor_free(struct executor *e)
{
	if (!e)
		return NULL;
	MAP_FOREACH (&e->jobs, struct job *, job)
		job_free(job);
	map_clear(&e->jobs);
	while (e->links) {
		struct link *link = e->links;

		e->links = link->next;
		rpc_free(link->rpc);
		free(link);
	}
	loop_source_free(e->io);
	safe_close(e->fd);
	free(e);
	return NULL;
}
