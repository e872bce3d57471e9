/* SPDX-License-Identifier: MIT */
#include "exec/jobs.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "exec/jobs_internal.h"
#include "exec/people.h"

#define SAVE_AGAIN_USEC (5 * USEC_PER_SEC)
#define HOUR_USEC	(3600 * USEC_PER_SEC)
#define KEEP_USEC	((usec_t)LEDGER_KEEP_DAYS * 24 * HOUR_USEC)

usec_t boot_clock(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

/* ---- rates ---- */

void jobs_count(struct jobs *jobs, const struct record *record)
{
	struct record *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return;
	*copy = *record;
	copy->outcome = NULL;
	if (vec_push(&jobs->recent, copy) < 0)
		free(copy);
}

void jobs_uncount(struct jobs *jobs, const char *id)
{
	for (size_t i = 0; i < jobs->recent.len; i++) {
		struct record *record = jobs->recent.items[i];

		if (strcmp(record->id, id) != 0)
			continue;
		vec_remove(&jobs->recent, i);
		free(record);
		return;
	}
}

static void forget_old(struct jobs *jobs)
{
	usec_t now_boot = boot_clock(), now_wall = clock_wall();

	for (size_t i = jobs->recent.len; i-- > 0;) {
		struct record *record = jobs->recent.items[i];

		if (record_age(record, jobs->boot_id, now_boot, now_wall) < HOUR_USEC)
			continue;
		vec_remove(&jobs->recent, i);
		free(record);
	}
}

static bool within_rate(struct jobs *jobs, enum record_kind kind, const char *name, int64_t max)
{
	int64_t n = 0;

	forget_old(jobs);
	VEC_FOREACH (&jobs->recent, struct record *, record)
		n += record->kind == kind && strcmp(record->name, name) == 0;
	return n < max;
}

/* ---- jobs ---- */

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	(void)map_remove(&job->jobs->open, job->record.id);
	unit_job_expect(job, false);
	pid1_call_cancel(job->call);
	pid1_watch_free(job->watch);
	loop_source_free(job->timer);
	output_free(job->output);
	record_clear(&job->record);
	free(job);
	return NULL;
}

struct job *job_new(struct jobs *jobs, const struct record *record)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->jobs = jobs;
	job->record = *record;
	json_incref(job->record.outcome);
	if (map_put(&jobs->open, record->id, job) < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

static int job_wait(struct job *job, const struct peer *peer, uint64_t rpc_id)
{
	if (job->n_waiters == JOBS_MAX_WAITERS)
		return -EBUSY;
	job->waiters[job->n_waiters++] = (struct waiter){peer->rpc, rpc_id};
	return 0;
}

void job_tell_progress(struct job *job, const char *line)
{
	for (size_t i = 0; i < job->n_waiters; i++) {
		struct rpc *rpc = job->waiters[i].rpc;

		/* Notes are the first to go when the peer reads slowly. */
		if (rpc_output_pending(rpc) < RPC_LINE_BYTES)
			(void)rpc_call(rpc, "progress",
				json_pack("{s:s, s:s}", "id", job->record.id, "line", line), 0,
				NULL, NULL, NULL);
	}
}

static const char *job_title(const struct job *job, char buf[320])
{
	const struct record *r = &job->record;

	if (r->kind == RECORD_UNIT)
		(void)snprintf(buf, 320, "%s of %s (%s)", exec_verb_names[r->verb], r->name, r->id);
	else
		(void)snprintf(buf, 320, "command %s (%s)", r->name, r->id);
	return buf;
}

static void log_job(int level, const struct job *job, const char *text)
{
	char field[16 + UUID_TEXT_BYTES], title[320];
	const char *fields[] = {LOG_ID_ACTION, field, NULL};

	(void)snprintf(field, sizeof(field), "TEND_JOB=%s", job->record.id);
	log_at(level, fields, "%s: %s", job_title(job, title), text);
}

static json_t *build_outcome(struct job *job, const struct ending *e, const char *message)
{
	struct record *record = &job->record;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "id", record->id, "outcome",
		exec_outcome_names[e->outcome], "result", e->result ? e->result : "", "message",
		message);

	if (record->kind == RECORD_UNIT) {
		(void)json_object_set_new(o, "job", json_integer(record->job));
		(void)json_object_set_new(
			o, "invocation_before", json_string(record->invocation_before));
		(void)json_object_set_new(o, "invocation_after",
			json_string(e->invocation_after ? e->invocation_after : ""));
		(void)json_object_set_new(o, "state_before", json_string(job->state_before));
		(void)json_object_set_new(
			o, "state_after", json_string(e->state_after ? e->state_after : ""));
		return o;
	}
	(void)json_object_set_new(
		o, "exit_status", e->exit_status >= 0 ? json_integer(e->exit_status) : json_null());
	for (int i = 0; i < 2; i++) {
		auto_free char *tail = job->output ? output_tail(job->output, i) : NULL;

		(void)json_object_set_new(
			o, i == 0 ? "stdout" : "stderr", json_string(tail ? tail : ""));
	}
	return o;
}

static void answer_waiters(struct job *job)
{
	for (size_t i = 0; i < job->n_waiters; i++)
		(void)rpc_ok(job->waiters[i].rpc, job->waiters[i].rpc_id,
			json_incref(job->record.outcome));
	job->n_waiters = 0;
}

static void on_save_again(void *data)
{
	job_settle(data);
}

static int save_later(struct job *job)
{
	loop_source_free(job->timer);
	job->timer = NULL;
	if (loop_timer_new(job->jobs->deps.loop, on_save_again, job, &job->timer) < 0)
		return -ENOMEM;
	loop_timer_set(job->timer, clock_now() + SAVE_AGAIN_USEC);
	return 0;
}

void job_settle(struct job *job)
{
	struct jobs *jobs = job->jobs;

	if (!job->saved) {
		int r = ledger_append(
			jobs->deps.ledger, job->record.id, record_outcome(job->record.outcome));

		if (r < 0) {
			log_error("%s: its outcome cannot be written to the ledger: %s, next try "
				  "in 5 s",
				job->record.id, strerror(-r));
			(void)save_later(job);
			return;
		}
		job->saved = true;
	}
	loop_source_free(job->timer);
	job->timer = NULL;
	if (job->record.kind == RECORD_COMMAND)
		command_job_collect(job);
	else
		job_free(job);
}

void job_finish(struct job *job, const struct ending *ending, const char *format, ...)
{
	char message[512], line[640];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	job->call = pid1_call_cancel(job->call);
	job->watch = pid1_watch_free(job->watch);
	job->record.outcome = build_outcome(job, ending, message);
	(void)snprintf(line, sizeof(line), "%s (%s): %s", exec_outcome_names[ending->outcome],
		ending->result ? ending->result : "", message);
	log_job(ending->outcome == EXEC_DONE ? LOG_NOTICE : LOG_WARNING, job, line);
	if (ending->outcome == EXEC_REFUSED)
		jobs_uncount(job->jobs, job->record.id);
	/* Answered once it is as durable as can be; when the disk fails the truth is told all the
	 * same, and the record stays open until it can be written. */
	if (ledger_append(job->jobs->deps.ledger, job->record.id,
		    record_outcome(job->record.outcome)) == 0)
		job->saved = true;
	answer_waiters(job);
	job_settle(job);
}

/* ---- requests ---- */

void jobs_refuse(const struct peer *peer, uint64_t rpc_id, const struct request *request,
	const char *code, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_warning("%s %s%s%s (%s): refused to pid %ld, uid %ld: %s: %s; asked because: %s",
		request_call_names[request->call],
		request->call == REQUEST_UNIT ? exec_verb_names[request->verb] : "",
		request->call == REQUEST_UNIT ? " of " : " ", request->name, request->id, peer->pid,
		peer->uid, code, text, request->why);
	(void)rpc_error(peer->rpc, rpc_id, code, "%s", text);
}

static const struct job *open_on_unit(const struct jobs *jobs, const char *unit)
{
	MAP_FOREACH (&jobs->open, struct job *, job)
		if (job->record.kind == RECORD_UNIT && !job->record.outcome &&
			strcmp(job->record.name, unit) == 0)
			return job;
	return NULL;
}

/* The same program with the same arguments is the same deed. One of a record that does not tell its
 * arguments may be. */
static const struct job *open_on_command(const struct jobs *jobs, const char *name, uint64_t deed)
{
	MAP_FOREACH (&jobs->open, struct job *, job)
		if (job->record.kind == RECORD_COMMAND && !job->record.outcome &&
			strcmp(job->record.name, name) == 0 &&
			(job->record.deed == deed || job->record.deed == 0))
			return job;
	return NULL;
}

static uint64_t deed_of(char *const *argv)
{
	uint64_t hash = HASH_INIT;

	for (char *const *arg = argv; *arg; arg++)
		hash = hash_bytes(hash, *arg, strlen(*arg) + 1);
	return hash;
}

static size_t count_open(const struct jobs *jobs)
{
	size_t n = 0;

	MAP_FOREACH (&jobs->open, struct job *, job)
		n += !job->record.outcome;
	return n;
}

static bool lock_counts(const struct executor_rule *rule, const char *lock)
{
	return !rule->locks || strv_contains(rule->locks, lock);
}

/* Is whoever asks still the holder of the lock that he says he holds? */
static bool refuse_fence(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	const struct executor_rule *rule = &jobs->manifest->executor;
	const struct fence *fence = &request->fence;
	uint64_t highest = 0;
	int r;

	if (!fence->lock[0]) {
		if (rule->fencing != FENCING_REQUIRED)
			return false;
		jobs_refuse(peer, rpc_id, request, "fenced",
			"there is no fencing token, and [executor] requires one");
		return true;
	}
	if (!lock_counts(rule, fence->lock)) {
		jobs_refuse(peer, rpc_id, request, "fenced",
			"the lock '%s' is none that counts here", fence->lock);
		return true;
	}
	r = fence_admit(jobs->deps.fences, fence, &highest);
	if (r == -ESTALE)
		jobs_refuse(peer, rpc_id, request, "fenced",
			"the token %" PRIu64 " of the lock '%s' is old: %" PRIu64 " was seen",
			fence->token, fence->lock, highest);
	else if (r < 0)
		jobs_refuse(peer, rpc_id, request, "unavailable", "the token cannot be kept: %s",
			strerror(-r));
	return r < 0;
}

/* People at this host: tendd, which is on another, cannot see them. */
static bool refuse_people(const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	char *logins[REQUEST_MAX_LOGINS + 1] = {NULL}, why[256];
	size_t i;
	json_t *name;

	json_array_foreach ((json_t *)(uintptr_t)request->hold_on_login, i, name)
		logins[i] = (char *)(uintptr_t)json_string_value(name);
	if (people_away(request->hold_on_dpkg, logins[0] ? logins : NULL, why))
		return false;
	jobs_refuse(peer, rpc_id, request, "held", "hands off: %s", why);
	return true;
}

bool jobs_refuse_risk(const struct peer *peer, uint64_t rpc_id, const struct request *request,
	enum exec_risk risk)
{
	/* A tendd of before does not say. */
	if (!request->has_risk || risk <= request->risk)
		return false;
	jobs_refuse(peer, rpc_id, request, "risk",
		"the manifest has changed: its risk is %s, not %s", exec_risk_names[risk],
		exec_risk_names[request->risk]);
	return true;
}

/* What holds for all kinds; true if it was refused. */
bool jobs_refuse_common(struct jobs *jobs, const struct peer *peer, uint64_t rpc_id,
	const struct request *request, enum record_kind kind, int64_t max_per_hour)
{
	usec_t id_time = request_id_time(request->id), now = clock_wall();
	struct record seen;
	int r;

	if (id_time && id_time + KEEP_USEC < now) {
		jobs_refuse(peer, rpc_id, request, "invalid",
			"the id is older than %d days: whether it was begun is no longer known",
			LEDGER_KEEP_DAYS);
		return true;
	}
	if (refuse_fence(jobs, peer, rpc_id, request))
		return true;
	/* Before the limits: what was begun is attached to, not tried again later. */
	r = ledger_read(jobs->deps.ledger, request->id, &seen);
	if (r != -ENOENT) {
		if (r == 0)
			record_clear(&seen);
		jobs_refuse(peer, rpc_id, request, "duplicate", "this id was begun before");
		return true;
	}
	if (refuse_people(peer, rpc_id, request))
		return true;
	if (count_open(jobs) >= JOBS_MAX_OPEN) {
		jobs_refuse(
			peer, rpc_id, request, "busy", "%d jobs are open already", JOBS_MAX_OPEN);
		return true;
	}
	if (!within_rate(jobs, kind, request->name, max_per_hour)) {
		jobs_refuse(peer, rpc_id, request, "limited",
			"'%s' has had its %" PRId64 " an hour", request->name, max_per_hour);
		return true;
	}
	if (jobs->recent.len >= JOBS_MAX_PER_HOUR) {
		jobs_refuse(peer, rpc_id, request, "limited", "there were %d jobs within an hour",
			JOBS_MAX_PER_HOUR);
		return true;
	}
	return false;
}

/* The intent goes to the disk; NULL when it was refused. */
static struct job *begin(struct jobs *jobs, const struct peer *peer, uint64_t rpc_id,
	const struct request *request, enum record_kind kind, uint64_t deed, usec_t timeout)
{
	struct record record = {
		.kind = kind,
		.verb = request->verb,
		.deed = deed,
		.begun_wall = clock_wall(),
		.begun_boot = boot_clock(),
		.timeout = timeout,
	};
	struct job *job;
	int r;

	memcpy(record.id, request->id, sizeof(record.id));
	memcpy(record.name, request->name, sizeof(record.name));
	memcpy(record.boot_id, jobs->boot_id, sizeof(record.boot_id));
	/* Memory first: after the intent is written there must be nothing left that can fail. */
	job = job_new(jobs, &record);
	if (!job || job_wait(job, peer, rpc_id) < 0) {
		job_free(job);
		jobs_refuse(peer, rpc_id, request, "unavailable", "no memory");
		return NULL;
	}
	r = ledger_begin(
		jobs->deps.ledger, record.id, record_begun(&record, request->why, peer->pid));
	if (r < 0) {
		job_free(job);
		jobs_refuse(peer, rpc_id, request, r == -EEXIST ? "duplicate" : "unavailable", "%s",
			r == -EEXIST ? "this id was begun before" : strerror(-r));
		return NULL;
	}
	jobs_count(jobs, &record);
	log_at(LOG_NOTICE, (const char *const[]){LOG_ID_ACTION, NULL},
		"%s%s%s (%s): accepted from pid %ld, uid %ld: %s",
		kind == RECORD_UNIT ? exec_verb_names[record.verb] : "command",
		kind == RECORD_UNIT ? " of " : " ", record.name, record.id, peer->pid, peer->uid,
		request->why);
	return job;
}

static void request_unit(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	const struct unit_rule *rule = map_get(&jobs->manifest->units, request->name);
	const struct job *other;
	struct job *job;

	if (!rule) {
		jobs_refuse(peer, rpc_id, request, "not-allowed", "no [unit %s] in the manifest",
			request->name);
		return;
	}
	if (!(rule->verbs & 1u << request->verb)) {
		jobs_refuse(peer, rpc_id, request, "not-allowed", "[unit %s] does not allow %s",
			request->name, exec_verb_names[request->verb]);
		return;
	}
	if (jobs_refuse_common(jobs, peer, rpc_id, request, RECORD_UNIT, rule->max_per_hour))
		return;
	other = open_on_unit(jobs, request->name);
	if (other) {
		jobs_refuse(
			peer, rpc_id, request, "busy", "%s is open on this unit", other->record.id);
		return;
	}
	job = begin(jobs, peer, rpc_id, request, RECORD_UNIT, 0, rule->timeout);
	if (!job)
		return;
	job->was_looked_at = request->has_seen;
	memcpy(job->looked_at, request->seen, sizeof(job->looked_at));
	job->min_up = request->min_up;
	unit_job_begin(job);
}

static void request_command(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	const struct command_rule *rule = map_get(&jobs->manifest->commands, request->name);
	auto(strv_free) char **argv = NULL;
	struct tend_error err = {0};
	const struct job *other;
	struct job *job;
	uint64_t deed;
	int r;

	if (!rule) {
		jobs_refuse(peer, rpc_id, request, "not-allowed", "no [command %s] in the manifest",
			request->name);
		return;
	}
	r = command_argv(rule, request->args, &argv, &err);
	if (r < 0) {
		jobs_refuse(peer, rpc_id, request, "invalid", "%s",
			r == -ENOMEM ? "no memory" : err.text);
		return;
	}
	if (jobs_refuse_risk(peer, rpc_id, request, (enum exec_risk)rule->risk) ||
		jobs_refuse_common(jobs, peer, rpc_id, request, RECORD_COMMAND, rule->max_per_hour))
		return;
	deed = deed_of(argv);
	other = rule->concurrent || rule->risk == EXEC_RISK_OBSERVE
			? NULL
			: open_on_command(jobs, rule->name, deed);
	if (other) {
		jobs_refuse(peer, rpc_id, request, "busy",
			"%s has begun it with these arguments and still runs", other->record.id);
		return;
	}
	job = begin(jobs, peer, rpc_id, request, RECORD_COMMAND, deed, rule->timeout);
	if (job)
		command_job_begin(job, rule, argv);
}

static json_t *plain_outcome(const char *id, enum exec_outcome outcome, const char *message)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "id", id, "outcome", exec_outcome_names[outcome],
		"result", "", "message", message);
}

/* So that "never begun" stays true: a request that is still on its way finds the id used up. */
static void attach_never(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	struct record record = {.kind = RECORD_NEVER, .begun_wall = clock_wall()};
	usec_t id_time = request_id_time(request->id);
	int r;

	if (id_time && id_time + KEEP_USEC < clock_wall()) {
		(void)rpc_ok(peer->rpc, rpc_id,
			plain_outcome(request->id, EXEC_UNKNOWN, "so old that its record is gone"));
		return;
	}
	memcpy(record.boot_id, jobs->boot_id, sizeof(record.boot_id));
	r = ledger_begin(
		jobs->deps.ledger, request->id, record_begun(&record, "attach", peer->pid));
	if (r < 0)
		jobs_refuse(peer, rpc_id, request, "unavailable", "%s", strerror(-r));
	else
		(void)rpc_ok(
			peer->rpc, rpc_id, plain_outcome(request->id, EXEC_REFUSED, "never begun"));
}

static void request_attach(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	struct job *job = map_get(&jobs->open, request->id);
	struct record record = {0};
	int r;

	if (job && job->record.outcome) {
		(void)rpc_ok(peer->rpc, rpc_id, json_incref(job->record.outcome));
		return;
	}
	if (job) {
		if (job_wait(job, peer, rpc_id) < 0)
			jobs_refuse(peer, rpc_id, request, "busy", "%d wait for it already",
				JOBS_MAX_WAITERS);
		return;
	}
	r = ledger_read(jobs->deps.ledger, request->id, &record);
	if (r == -ENOENT)
		attach_never(jobs, peer, rpc_id, request);
	else if (r == -EBADMSG)
		(void)rpc_ok(peer->rpc, rpc_id,
			plain_outcome(request->id, EXEC_UNKNOWN, "its record cannot be read"));
	else if (r < 0)
		jobs_refuse(peer, rpc_id, request, "unavailable", "%s", strerror(-r));
	else if (record.empty || record.kind == RECORD_NEVER)
		(void)rpc_ok(
			peer->rpc, rpc_id, plain_outcome(request->id, EXEC_REFUSED, "never begun"));
	else if (record.outcome)
		(void)rpc_ok(peer->rpc, rpc_id, json_incref(record.outcome));
	else
		(void)rpc_ok(peer->rpc, rpc_id,
			plain_outcome(request->id, EXEC_UNKNOWN, "its record has no outcome"));
	record_clear(&record);
}

static json_t *hello(const struct jobs *jobs)
{
	const struct manifest *manifest = jobs->manifest;

	return json_pack("{s:s, s:s%, s:[s], s:o, s:o, s:o, s:o, s:o}", "version", TEND_VERSION,
		"boot_id", jobs->boot_id, strcspn(jobs->boot_id, "."), "takes", "risk", "commands",
		manifest ? manifest_names(&manifest->commands) : json_array(), "units",
		manifest ? manifest_names(&manifest->units) : json_array(), "risks",
		manifest ? manifest_risks(manifest) : json_object(), "timeouts",
		manifest ? manifest_timeouts(manifest) : json_object(), "sql",
		manifest ? manifest_sql(manifest) : json_object());
}

void jobs_request(
	struct jobs *jobs, const struct peer *peer, uint64_t rpc_id, const struct request *request)
{
	if (request->call == REQUEST_HELLO) {
		(void)rpc_ok(peer->rpc, rpc_id, hello(jobs));
	} else if (request->call == REQUEST_ATTACH) {
		request_attach(jobs, peer, rpc_id, request);
	} else if (!jobs->manifest) {
		jobs_refuse(peer, rpc_id, request, "unavailable", "the manifest is not usable: %s",
			jobs->why_none ? jobs->why_none : "");
	} else if (request->call == REQUEST_UNIT) {
		request_unit(jobs, peer, rpc_id, request);
	} else if (request->call == REQUEST_SQL) {
		request_sql(jobs, peer, rpc_id, request);
	} else if (request->call == REQUEST_INSPECT) {
		request_inspect(jobs, peer, rpc_id, request);
	} else {
		request_command(jobs, peer, rpc_id, request);
	}
}

void jobs_on_job_removed(struct jobs *jobs, uint32_t job_number, const char *result)
{
	MAP_FOREACH (&jobs->open, struct job *, job) {
		if (job->record.kind != RECORD_UNIT || job->record.outcome ||
			job->record.job != job_number || job_number == 0)
			continue;
		unit_job_removed(job, result);
		return;
	}
}

void jobs_forget(struct jobs *jobs, const struct rpc *rpc)
{
	inspections_forget(jobs, rpc);
	MAP_FOREACH (&jobs->open, struct job *, job) {
		size_t n = 0;

		for (size_t i = 0; i < job->n_waiters; i++)
			if (job->waiters[i].rpc != rpc)
				job->waiters[n++] = job->waiters[i];
		job->n_waiters = n;
	}
}

/* ---- life ---- */

int jobs_new(const struct jobs_deps *deps, struct jobs **ret_jobs)
{
	auto(jobs_free) struct jobs *jobs = calloc(1, sizeof(*jobs));
	int r;

	if (!jobs)
		return -ENOMEM;
	jobs->deps = *deps;
	r = pid1_boot_id(jobs->boot_id);
	if (r == 0)
		r = loop_timer_new(deps->loop, jobs_prune, jobs, &jobs->prune_timer);
	if (r < 0)
		return r;
	*ret_jobs = TAKE(jobs);
	return 0;
}

struct jobs *jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return NULL;
	while (jobs->open.len > 0)
		job_free(jobs->open.slots[0].value);
	map_clear(&jobs->open);
	inspections_forget(jobs, NULL);
	vec_clear(&jobs->inspections);
	VEC_FOREACH (&jobs->recent, struct record *, record)
		free(record);
	vec_clear(&jobs->recent);
	manifest_free(jobs->manifest);
	loop_source_free(jobs->prune_timer);
	free(jobs->why_none);
	free(jobs);
	return NULL;
}

void jobs_set_pid1(struct jobs *jobs, struct pid1 *pid1)
{
	jobs->pid1 = pid1;
}

void jobs_set_manifest(struct jobs *jobs, struct manifest *manifest, const char *why_none)
{
	manifest_free(jobs->manifest);
	jobs->manifest = manifest;
	free(jobs->why_none);
	jobs->why_none = why_none ? strdup(why_none) : NULL;
}
