/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

#define FORK_TIMEOUT_USEC     (5 * USEC_PER_SEC)
#define DESCRIBE_TIMEOUT_USEC (10 * USEC_PER_SEC)

const char *const run_state_names[RUN_STATE_MAX + 1] = {
	[RUN_LIVE] = "live",
	[RUN_DONE] = "done",
	[RUN_REFUSED] = "refused",
	[RUN_FAILED] = "failed",
	[RUN_UNKNOWN] = "unknown",
};

/* ---- the struct
 * ------------------------------------------------------------------------------------------ */

int run_new(struct policies *p, struct run **ret_run)
{
	struct run *run;

	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->policies = p;
	run->started_wall = clock_wall();
	uuid7(run->id);
	if (vec_push(&p->runs, run) < 0) {
		free(run);
		return -ENOMEM;
	}
	*ret_run = run;
	return 0;
}

static void forget_live(struct run *run)
{
	struct vec *runs = &run->policies->runs;

	for (size_t i = 0; i < runs->len; i++)
		if (runs->items[i] == run) {
			vec_remove(runs, i);
			return;
		}
}

static void close_runner(struct run *run)
{
	run->rpc = rpc_free(run->rpc);
	/* It exits at the end of file; a hung one is killed. What is not reaped by our source is by
	 * the loop's next child event, so the source stays until then. */
	if (run->pid > 0)
		(void)kill(run->pid, SIGKILL);
}

/* What only a runner needs; the journal shows the steps of a run that has ended. */
static void drop_work(struct run *run)
{
	MAP_FOREACH (&run->steps, struct step *, step)
		step_free(step);
	map_clear(&run->steps);
	json_decref(TAKE(run->ctx));
	json_decref(TAKE(run->params));
	json_decref(TAKE(run->library));
	free(TAKE(run->source));
}

struct run *run_free(struct run *run)
{
	if (!run)
		return NULL;
	forget_live(run);
	close_runner(run);
	loop_source_free(run->exited);
	loop_source_free(run->wall_timer);
	drop_work(run);
	free(run->policy);
	free(run->component);
	free(run->check);
	free(run->author);
	free(run->chunk);
	free(run->message);
	free(run);
	return NULL;
}

struct run *run_find_live(const struct policies *p, const char *component)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		if (!run->describing && run->state == RUN_LIVE &&
			strcmp(run->component, component) == 0)
			return run;
	return NULL;
}

struct incident *run_incident(const struct run *run)
{
	struct incident *incident =
		run->incident[0] ? incidents_find(run->policies->deps.incidents, run->incident)
				 : NULL;

	return incident && incident->phase != INCIDENT_CLOSED ? incident : NULL;
}

/* ---- the end
 * --------------------------------------------------------------------------------------------- */

/* Into the list of ended runs, once nothing will call back into it. */
static void settle(struct run *run)
{
	struct policies *p = run->policies;

	if (run->n_in_flight > 0 || run->exited || run->settled)
		return;
	run->settled = true;
	if (run->describing || vec_push(&p->recent, run) < 0) {
		run_free(run);
		return;
	}
	forget_live(run);
	drop_work(run);
	if (p->recent.len > POLICY_MAX_RECENT) {
		struct run *oldest = p->recent.items[0];

		vec_remove(&p->recent, 0);
		run_free(oldest);
	}
}

void run_unref_step(struct run *run)
{
	run->n_in_flight--;
	if (run->state != RUN_LIVE)
		settle(run);
}

static void on_end_kept(int r, void *data)
{
	struct run *run = data;

	alert_committed(run->policies->deps.alert, run->token, r);
	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_warning("run %s: its end is not journalled, it is resumed at the next start",
			run->id);
	run_unref_step(run);
}

static void page_end(struct run *run, struct store_batch *batch)
{
	if (run->page || run->state == RUN_FAILED || run->state == RUN_UNKNOWN)
		policies_page(run->policies, run, batch, "policy %s on %s: %s%s%s", run->policy,
			run->component, run_state_names[run->state], run->message ? ": " : "",
			run->message ? run->message : "");
}

static int add_end(struct run *run, struct store_batch *batch)
{
	auto_json json_t *doc = run_doc(run);

	return doc ? store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id, run->policy,
			     run->component, run->incident[0] ? run->incident : NULL,
			     run_state_names[run->state], (int64_t)run->started_wall,
			     (int64_t)run->ended_wall, doc)
		   : -ENOMEM;
}

/* The end and its page are accepted by one commit: a run that is over in the journal and of which
 * nobody was told would stay so. */
static void journal_end(struct run *run)
{
	struct policies *p = run->policies;
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = add_end(run, batch);
	if (r < 0)
		batch = store_batch_free(batch);
	page_end(run, batch);
	run->token = batch ? alert_seal(p->deps.alert) : 0;
	run->n_in_flight++;
	if (r == 0)
		r = store_commit(p->deps.store, TAKE(batch), on_end_kept, run);
	if (r < 0)
		on_end_kept(r, run);
}

static void tell_end(struct run *run)
{
	struct policies *p = run->policies;
	struct incident *incident =
		run->incident[0] ? incidents_find(p->deps.incidents, run->incident) : NULL;
	char id[64];
	const char *const fields[] = {LOG_ID_RUN, id, NULL};

	(void)snprintf(id, sizeof(id), "TEND_RUN=%s", run->id);
	log_at(run->state == RUN_DONE ? LOG_NOTICE : LOG_WARNING, fields,
		"policy '%s' on '%s': %s%s%s", run->policy, run->component,
		run_state_names[run->state], run->message ? ": " : "",
		run->message ? run->message : "");
	if (incident)
		incident_note(p->deps.incidents, incident, "policy", "%s: %s%s%s", run->policy,
			run_state_names[run->state], run->message ? ": " : "",
			run->message ? run->message : "");
}

/* An action whose outcome nobody knows may have happened. */
static void end_steps(struct run *run)
{
	MAP_FOREACH (&run->steps, struct step *, step) {
		step_cancel(step);
		if (step->state == STEP_INTENT && step->intent_wall &&
			step->verb->risk >= RISK_CHANGE)
			run->any_unknown = true;
	}
}

void run_end(struct run *run, enum run_state state, const char *message)
{
	struct policies *p = run->policies;
	bool retry;

	if (run->state != RUN_LIVE)
		return;
	end_steps(run);
	run->state = run->any_unknown && !run->describing ? RUN_UNKNOWN : state;
	run->ended_wall = clock_wall();
	if (message && *message) {
		char text[1024];

		str_sanitize(text, sizeof(text), message, strlen(message));
		run->message = strdup(text);
	}
	close_runner(run);
	run->wall_timer = loop_source_free(run->wall_timer);
	if (run->describing) {
		struct policy_file *file = TAKE(run->file);

		settle(run);
		if (file)
			catalog_described(
				p, file, NULL, message ? message : "it cannot be described");
		return;
	}
	actions_judge(p, run);
	journal_end(run);
	tell_end(run);
	retry = run_incident(run) != NULL;
	settle(run);
	/* Still open: the triggers decide again; each policy has its cool-down. */
	if (retry)
		trigger_wish(p, clock_now() + COOLDOWN_MIN_USEC);
}

/* ---- the runner
 * -------------------------------------------------------------------------------------------- */

static void on_ended(struct run *run, json_t *args)
{
	bool ok = json_is_true(json_object_get(args, "ok"));
	const char *message = json_string_value(json_object_get(args, "message"));
	json_t *value = json_object_get(args, "value");
	bool refused = false, failed = false;

	MAP_FOREACH (&run->steps, const struct step *, step) {
		refused = refused || step->state == STEP_REFUSED;
		failed = failed || (step->state == STEP_FAILED && step->verb &&
					   step->verb->risk >= RISK_CHANGE);
		if ((step->state == STEP_REFUSED || step->state == STEP_FAILED) && !message)
			message = step->message;
	}
	/* `return nil, message, outcome`: what a step was refused is no failure of the policy. */
	if (!ok && !run->acted &&
		str_eq(json_string_value(json_object_get(args, "outcome")), "refused"))
		run_end(run, RUN_REFUSED, message);
	else if (!ok)
		run_end(run, RUN_FAILED, message ? message : "it failed without a word");
	else if (run->verified && !json_is_false(value))
		run_end(run, RUN_DONE, "verified: the symptom is gone");
	else if (refused && !run->acted)
		run_end(run, RUN_REFUSED, message);
	else if (failed || json_is_false(value) || (run->acted && json_is_null(value)))
		run_end(run, RUN_FAILED, message ? message : "it did not help");
	else
		run_end(run, RUN_DONE, json_string_value(value));
}

static void on_run_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct run *run = data;

	if (run->state != RUN_LIVE) {
		rpc_error(rpc, id, "ended", "the run has ended");
	} else if (strcmp(call, "verb") == 0 && !run->describing) {
		step_on_call(run, rpc, id, args);
	} else if (strcmp(call, "ended") == 0 && !run->describing) {
		on_ended(run, args);
	} else if (strcmp(call, "described") == 0 && run->describing) {
		struct policies *p = run->policies;
		struct policy_file *file = TAKE(run->file);
		auto_json json_t *policies = json_incref(json_object_get(args, "policies"));

		run_end(run, RUN_DONE, NULL);
		if (file)
			catalog_described(p, file, policies, NULL);
	} else if (strcmp(call, "failed") == 0) {
		const char *message = json_string_value(json_object_get(args, "message"));

		run_end(run, RUN_FAILED, message ? message : "it cannot be loaded");
	} else {
		rpc_error(rpc, id, "invalid", "nothing answers '%s' here", call);
	}
}

static void runner_gone(struct run *run, const char *why)
{
	if (run->state != RUN_LIVE || run->rpc)
		return;
	if (++run->n_restarts > RUN_MAX_RESTARTS) {
		run_end(run, RUN_FAILED, why);
		return;
	}
	log_warning("%s %s: its runner has gone (%s), it is started again%s",
		run->describing ? "policy file" : "run", run->describing ? run->chunk : run->id,
		why, run->describing ? "" : " from its journal");
	if (run_launch(run) < 0)
		run_end(run, RUN_FAILED, "its runner cannot be started again");
}

static void on_run_close(struct rpc *rpc, const char *why, void *data)
{
	struct run *run = data;

	MAP_FOREACH (&run->steps, struct step *, step)
		step->rpc_id = 0;
	run->rpc = rpc_free(run->rpc);
	/* The exit tells more than an end of file; without a pid the fork itself failed. */
	if (run->pid == 0)
		runner_gone(run, why);
}

static void on_run_exit(pid_t pid, int code, int status, void *data)
{
	struct run *run = data;
	char why[96];

	run->exited = loop_source_free(run->exited);
	run->pid = 0;
	if (run->state != RUN_LIVE) {
		settle(run);
		return;
	}
	if (code == CLD_EXITED)
		(void)snprintf(why, sizeof(why), "the runner exited with status %d", status);
	else
		(void)snprintf(why, sizeof(why), "the runner was ended by signal %d (%s)", status,
			status == SIGSYS    ? "a forbidden system call"
			: status == SIGKILL ? "a limit"
					    : "a fault");
	/* Its last words may still be in the socket: the close comes after them. */
	if (!run->rpc)
		runner_gone(run, why);
}

static void on_wall(void *data)
{
	struct run *run = data;

	run_end(run, RUN_FAILED,
		run->describing ? "it took longer than its limit to declare its policies"
				: "it ran longer than its limit");
}

/* ---- the clone's pid
 * ------------------------------------------------------------------------------------------- */

struct fork_call {
	struct policies *policies;
	char run[UUID_TEXT_BYTES];
	unsigned launch;
};

/* A clone whose run has ended already is still our child: somebody must reap it. */
struct reaper {
	struct loop_source *source;
	struct reaper *next, **prev;
};

static void reaper_free(struct reaper *reaper)
{
	*reaper->prev = reaper->next;
	if (reaper->next)
		reaper->next->prev = reaper->prev;
	loop_source_free(reaper->source);
	free(reaper);
}

static void on_reaped(pid_t pid, int code, int status, void *data)
{
	reaper_free(data);
}

static void reap(struct policies *p, pid_t pid)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));

	(void)kill(pid, SIGKILL);
	if (!reaper)
		return;
	*reaper = (struct reaper){.next = p->reapers, .prev = &p->reapers};
	if (reaper->next)
		reaper->next->prev = &reaper->next;
	p->reapers = reaper;
	if (loop_child_new(p->deps.loop, pid, on_reaped, reaper, &reaper->source) < 0)
		reaper_free(reaper);
}

void reapers_free(struct policies *p)
{
	while (p->reapers)
		reaper_free(p->reapers);
}

static struct run *find_launched(struct policies *p, const struct fork_call *call)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		if (strcmp(run->id, call->run) == 0)
			return run->n_restarts == call->launch ? run : NULL;
	return NULL;
}

static void on_forked(const struct rpc_reply *reply, void *data)
{
	auto_free struct fork_call *call = data;
	struct policies *p = call->policies;
	pid_t pid = (pid_t)json_integer_value(json_object_get(reply->ok, "pid"));
	struct run *run = find_launched(p, call);

	if (reply->r < 0 || pid <= 1) {
		/* Its socket is closed by whoever had it, and that is what the run sees; one that
		 * hangs has to be made to let go. */
		log_warning("tend-run: no process for run %s: %s", call->run,
			reply->message ? reply->message : "no pid");
		if (reply->r == -ETIMEDOUT && p->runner)
			child_kill(p->runner);
		return;
	}
	if (!run || run->state != RUN_LIVE || run->pid) {
		reap(p, pid);
		return;
	}
	run->pid = pid;
	if (loop_child_new(p->deps.loop, pid, on_run_exit, run, &run->exited) < 0)
		run_end(run, RUN_FAILED, "its process cannot be watched");
}

static int call_fork(struct run *run, struct rpc *parent, int fd, usec_t limit)
{
	struct fork_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call) {
		safe_close(fd);
		return -ENOMEM;
	}
	call->policies = run->policies;
	call->launch = run->n_restarts;
	memcpy(call->run, run->id, UUID_TEXT_BYTES);
	r = rpc_call_fd(parent, "fork",
		json_pack("{s:s, s:I}", "run", run->id, "wall_msec",
			(json_int_t)(limit / USEC_PER_MSEC)),
		fd, FORK_TIMEOUT_USEC, on_forked, call);
	if (r < 0)
		free(call);
	return r;
}

static int send_start(struct run *run)
{
	json_t *args = json_pack("{s:s, s:s, s:s, s:s, s:O}", "mode",
		run->describing ? "describe" : "run", "name", run->chunk, "chunk", run->chunk,
		"source", run->source, "library", run->library);

	if (!args)
		return -ENOMEM;
	if (!run->describing)
		(void)json_object_update_new(
			args, json_pack("{s:s, s:s, s:O, s:O, s:o}", "policy", run->policy, "run",
				      run->id, "ctx", run->ctx, "params", run->params, "verbs",
				      verbs_to_json()));
	return rpc_call(run->rpc, "start", args, 0, NULL, NULL, NULL);
}

int run_launch(struct run *run)
{
	struct policies *p = run->policies;
	struct rpc *parent = p->runner ? child_rpc(p->runner) : NULL;
	usec_t limit = run->describing ? DESCRIBE_TIMEOUT_USEC : RUN_WALL_USEC;
	int pair[2], r;

	if (!run->wall_timer) {
		r = loop_timer_new(p->deps.loop, on_wall, run, &run->wall_timer);
		if (r < 0)
			return r;
		loop_timer_set(run->wall_timer, clock_now() + limit);
	}
	/* tend-run is starting: policy.c launches what waits when it is up. */
	if (!parent)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r = rpc_new(p->deps.loop, pair[0], "tend-run", on_run_call, on_run_close, run, &run->rpc);
	if (r < 0) {
		safe_close(pair[1]);
		return r;
	}
	r = call_fork(run, parent, pair[1], limit);
	if (r == -ECONNRESET) { /* tend-run has just gone: as if it were not up yet */
		run->rpc = rpc_free(run->rpc);
		return 0;
	}
	return r < 0 ? r : send_start(run);
}

/* ---- the journal of the run itself
 * --------------------------------------------------------------------------- */

json_t *run_doc(const struct run *run)
{
	return json_pack("{s:s?, s:s, s:s, s:s, s:O?, s:O?, s:O?, s:s?, s:b, s:b, s:b}", "check",
		run->check, "author", run->author, "chunk", run->chunk, "source", run->hash, "ctx",
		run->ctx, "params", run->params, "library",
		run->state == RUN_LIVE ? run->library : NULL, "message", run->message, "acted",
		run->acted, "verified", run->verified, "was_frozen", run->was_frozen);
}

static void on_begun(int r, void *data)
{
	struct run *run = data;

	if (r == -EINPROGRESS)
		return;
	if (run->state == RUN_LIVE && r < 0) {
		run->page = true;
		run_end(run, RUN_REFUSED, "the journal cannot be written: nothing is done");
	} else if (run->state == RUN_LIVE) {
		run->intent_committed = true;
		if (run_launch(run) < 0)
			run_end(run, RUN_FAILED, "its runner cannot be started");
	}
	run_unref_step(run);
}

void run_begin(struct run *run)
{
	struct store_batch *batch = NULL;
	auto_json json_t *doc = run_doc(run);
	int r = doc ? store_batch_new(&batch) : -ENOMEM;

	if (r == 0)
		r = store_batch_add(batch, STORE_SOURCE_PUT, "ss", run->hash, run->source);
	if (r == 0)
		r = store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id, run->policy,
			run->component, run->incident[0] ? run->incident : NULL,
			run_state_names[RUN_LIVE], (int64_t)run->started_wall, (int64_t)0, doc);
	run->n_in_flight++;
	if (r == 0)
		r = store_commit(run->policies->deps.store, TAKE(batch), on_begun, run);
	store_batch_free(batch);
	if (r < 0)
		on_begun(r, run);
}

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Its source by hash: what it began with, not what the file says now. */
static char *read_source(struct policies *p, const char *hash)
{
	auto_json json_t *rows = NULL;
	const char *text;

	if (store_read_now(p->deps.store, STORE_QUERY_SOURCE_GET, &rows, "s", hash) < 0)
		return NULL;
	text = json_string_value(json_object_get(json_array_get(rows, 0), "text"));
	return text ? strdup(text) : NULL;
}

static int resume_one(struct policies *p, json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");
	auto_json json_t *steps = NULL;
	struct run *run;
	int r = run_new(p, &run);

	if (r < 0)
		return r;
	(void)snprintf(run->id, sizeof(run->id), "%s", text_of(row, "id"));
	(void)snprintf(run->incident, sizeof(run->incident), "%s", text_of(row, "incident"));
	(void)snprintf(run->hash, sizeof(run->hash), "%s", text_of(doc, "source"));
	run->started_wall = (usec_t)json_integer_value(json_object_get(row, "started"));
	run->policy = strdup(text_of(row, "policy"));
	run->component = strdup(text_of(row, "target"));
	run->check = *text_of(doc, "check") ? strdup(text_of(doc, "check")) : NULL;
	run->author = strdup(text_of(doc, "author"));
	run->chunk = strdup(text_of(doc, "chunk"));
	run->source = read_source(p, run->hash);
	run->ctx = json_incref(json_object_get(doc, "ctx"));
	run->params = json_incref(json_object_get(doc, "params"));
	run->library = json_incref(json_object_get(doc, "library"));
	run->intent_committed = true;
	r = store_read_now(p->deps.store, STORE_QUERY_STEPS_OF, &steps, "s", run->id);
	if (r == 0)
		r = steps_restore(run, steps);
	if (r < 0 || !run->policy || !run->component || !run->author || !run->chunk ||
		!run->source || !run->ctx || !run->params || !run->library) {
		log_error("run %s: it cannot be resumed, its journal is not whole", run->id);
		run->any_unknown = true;
		if (!run->policy || !run->component || !run->author || !run->chunk)
			run_free(run);
		else
			run_end(run, RUN_UNKNOWN, "its journal is not whole");
		return 0;
	}
	log_notice("run %s: policy '%s' on '%s' is resumed with %zu recorded steps", run->id,
		run->policy, run->component, run->steps.len);
	return 0;
}

/* One that has ended: for cool-downs and views. */
static int remember_one(struct policies *p, json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");
	const char *state = text_of(row, "state");
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->policies = p;
	run->settled = true;
	run->state = RUN_FAILED;
	for (int i = 0; i < RUN_STATE_MAX; i++)
		if (strcmp(run_state_names[i], state) == 0)
			run->state = (enum run_state)i;
	(void)snprintf(run->id, sizeof(run->id), "%s", text_of(row, "id"));
	(void)snprintf(run->incident, sizeof(run->incident), "%s", text_of(row, "incident"));
	run->policy = strdup(text_of(row, "policy"));
	run->component = strdup(text_of(row, "target"));
	run->author = strdup(text_of(doc, "author"));
	run->message = *text_of(doc, "message") ? strdup(text_of(doc, "message")) : NULL;
	run->started_wall = (usec_t)json_integer_value(json_object_get(row, "started"));
	run->ended_wall = (usec_t)json_integer_value(json_object_get(row, "ended"));
	run->acted = json_is_true(json_object_get(doc, "acted"));
	run->verified = json_is_true(json_object_get(doc, "verified"));
	run->was_frozen = json_is_true(json_object_get(doc, "was_frozen"));
	if (run->policy && run->component && run->author && vec_push(&p->recent, run) == 0)
		return 0;
	run_free(run);
	return -ENOMEM;
}

static int remember_ended(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(
		p->deps.store, STORE_QUERY_RUNS, &rows, "i", (int64_t)POLICY_MAX_RECENT);

	/* Newest first in the database, newest last here. */
	for (size_t i = json_array_size(rows); r == 0 && i-- > 0;) {
		json_t *row = json_array_get(rows, i);

		if (json_integer_value(json_object_get(row, "ended")) > 0)
			r = remember_one(p, row);
	}
	return r;
}

int runs_resume(struct policies *p)
{
	auto_json json_t *rows = NULL;
	size_t i;
	json_t *row;
	int r = remember_ended(p);

	if (r == 0)
		r = store_read_now(p->deps.store, STORE_QUERY_RUNS_LIVE, &rows, "");
	json_array_foreach (rows, i, row)
		if (r == 0)
			r = resume_one(p, row);
	return r;
}

json_t *run_to_json(const struct run *run)
{
	char started[CLOCK_TEXT_BYTES], ended[CLOCK_TEXT_BYTES];

	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:s?, s:b, s:b}", "id",
		run->id, "policy", run->policy, "target", run->component, "incident",
		run->incident[0] ? run->incident : NULL, "state", run_state_names[run->state],
		"author", run->author, "started", clock_format(run->started_wall, started), "ended",
		run->ended_wall ? clock_format(run->ended_wall, ended) : NULL, "message",
		run->message, "acted", run->acted, "verified", run->verified);
}
