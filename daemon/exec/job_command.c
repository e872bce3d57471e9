/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "exec/jobs_internal.h"
#include "exec/launch.h"

/* The file system tells of new output by no event that would be cheaper than this look. */
#define TICK_USEC (250 * USEC_PER_MSEC)
enum { TICKS_A_LOOK = 20 }; /* should a signal ever be lost */

static void look(struct job *job);

void command_job_name(struct job *job)
{
	(void)snprintf(job->unit, sizeof(job->unit), "tend-job-%s.service", job->record.id);
}

static void on_line(const char *line, void *data)
{
	job_tell_progress(data, line);
}

static void on_tick(void *data)
{
	struct job *job = data;

	if (job->output)
		output_poll(job->output, on_line, job);
	loop_timer_set(job->timer, clock_now() + TICK_USEC);
	if (++job->n_ticks % TICKS_A_LOOK == 0)
		look(job);
}

static void on_changed(void *data)
{
	look(data);
}

static int follow(struct job *job)
{
	int r = pid1_watch(job->jobs->pid1, job->unit, on_changed, job, &job->watch);

	if (r >= 0)
		r = loop_timer_new(job->jobs->deps.loop, on_tick, job, &job->timer);
	if (r >= 0)
		loop_timer_set(job->timer, clock_now() + TICK_USEC);
	return r < 0 ? r : 0;
}

/* ---- its end ---- */

static bool is_over(const struct pid1_unit *unit)
{
	if (strcmp(unit->active_state, "failed") == 0)
		return true;
	if (strcmp(unit->active_state, "active") == 0)
		return strcmp(unit->sub_state, "exited") == 0;
	/* Before its start it is inactive too, but then its job is queued. */
	return strcmp(unit->active_state, "inactive") == 0 && unit->job == 0;
}

static void finish_over(struct job *job, const struct pid1_unit *unit)
{
	bool failed = strcmp(unit->active_state, "failed") == 0;
	bool exited = unit->exec_code == CLD_EXITED;
	struct ending e = {
		.outcome = EXEC_FAILED,
		.result = unit->result,
		.exit_status = exited ? unit->exec_status : -1,
	};

	job->unit_failed = failed;
	if (strcmp(unit->active_state, "inactive") == 0) {
		e.result = "stopped";
		job_finish(job, &e, "somebody stopped it");
	} else if (!failed && strcmp(unit->result, "success") == 0) {
		e.outcome = EXEC_DONE;
		job_finish(job, &e, "it ended well");
	} else if (strcmp(unit->result, "timeout") == 0) {
		char span[CLOCK_TEXT_BYTES];

		e.exit_status = -1;
		job_finish(job, &e, "it was ended after %s",
			clock_format_span(job->record.timeout, span));
	} else if (exited) {
		job_finish(job, &e, "it ended with exit status %d", unit->exec_status);
	} else {
		job_finish(job, &e, "it was ended by signal %d", unit->exec_status);
	}
}

static void on_look(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;

	job->call = NULL;
	if (reply->r < 0) {
		log_warning("%s: PID 1 does not show %s: %s, next try in 5 s", job->record.id,
			job->unit, reply->message);
		return;
	}
	if (strcmp(reply->unit->load_state, "not-found") == 0) {
		job_finish(job,
			&(struct ending){
				.outcome = EXEC_UNKNOWN, .result = "not-found", .exit_status = -1},
			"%s",
			job->away && !job->seen
				? "tend-exec ended, and its unit is not found: it may have run"
				: "its unit has gone before its end was seen");
		return;
	}
	job->seen = true;
	if (is_over(reply->unit)) {
		if (job->output)
			output_poll(job->output, on_line, job);
		finish_over(job, reply->unit);
	} else if (job->look_again) {
		look(job);
	}
}

static void look(struct job *job)
{
	int r;

	/* One question at a time; what changes meanwhile is asked for after it. */
	job->look_again = job->call != NULL;
	if (job->call)
		return;
	r = pid1_get_unit(job->jobs->pid1, job->unit, on_look, job, &job->call);
	if (r < 0)
		log_warning("%s: PID 1 cannot be asked: %s, next try in 5 s", job->record.id,
			strerror(-r));
}

/* ---- its beginning ---- */

static void on_started(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;

	job->call = NULL;
	if (reply->r < 0 && !reply->maybe) {
		job_finish(job,
			&(struct ending){
				.outcome = EXEC_REFUSED, .result = "refused", .exit_status = -1},
			"PID 1 refused: %s", reply->message);
		return;
	}
	job->record.job = reply->job;
	look(job);
}

void command_job_begin(struct job *job, const struct command_rule *rule, char *const *argv)
{
	struct jobs *jobs = job->jobs;
	const char *dir = ledger_output_path(jobs->deps.ledger);
	auto_free char *out = str_printf("%s/%s.out", dir, job->record.id);
	auto_free char *err = str_printf("%s/%s.err", dir, job->record.id);
	auto(strv_free) char **launch_argv = NULL;
	auto_free char *description =
		str_printf("Tend command %s (%s)", rule->name, job->record.id);
	struct pid1_transient transient = {
		.name = job->unit,
		.description = description,
		.user = rule->user,
		.stdout_path = out,
		.stderr_path = err,
		.timeout = rule->timeout,
		.memory_max_bytes = rule->memory_max_bytes,
		.tasks_max = (uint64_t)rule->tasks_max,
		.writable = rule->writable,
	};
	int r = out && err && description ? 0 : -ENOMEM;

	command_job_name(job);
	if (r == 0)
		r = launch_encode(jobs->deps.self, argv, &launch_argv);
	transient.argv = launch_argv;
	if (r == 0)
		r = output_open(ledger_output_dir(jobs->deps.ledger), job->record.id, true,
			rule->output_max_bytes, &job->output);
	if (r == 0)
		r = follow(job);
	if (r == 0)
		r = pid1_start_transient(jobs->pid1, &transient, on_started, job, &job->call);
	if (r < 0)
		job_finish(job,
			&(struct ending){.outcome = EXEC_REFUSED,
				.result = "unavailable",
				.exit_status = -1},
			"it cannot be started: %s", strerror(-r));
}

/* ---- collected, and found again ---- */

static void on_collected(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;
	struct ledger *ledger = job->jobs->deps.ledger;
	int r;

	job->call = NULL;
	output_remove(ledger_output_dir(ledger), job->record.id);
	r = ledger_append(ledger, job->record.id, record_collected());
	if (r < 0)
		log_warning("%s: cannot be noted as collected: %s; done again at the next start",
			job->record.id, strerror(-r));
	job_free(job);
}

void command_job_collect(struct job *job)
{
	int r;

	job->watch = pid1_watch_free(job->watch);
	if (!job->unit[0])
		command_job_name(job);
	r = pid1_collect(
		job->jobs->pid1, job->unit, job->unit_failed, on_collected, job, &job->call);
	if (r < 0) {
		log_warning("%s: its unit cannot be collected now: %s; done at the next start",
			job->record.id, strerror(-r));
		job_free(job);
	}
}

static void on_leftover(const struct pid1_reply *reply, void *data)
{
	struct job *job = data;

	job->call = NULL;
	job->unit_failed = reply->r == 0 && strcmp(reply->unit->active_state, "failed") == 0;
	command_job_collect(job);
}

void command_job_reattach(struct job *job)
{
	struct jobs *jobs = job->jobs;
	int dir = ledger_output_dir(jobs->deps.ledger), r = 0;

	command_job_name(job);
	if (job->saved) { /* only its unit was not collected yet */
		r = pid1_get_unit(jobs->pid1, job->unit, on_leftover, job, &job->call);
		if (r < 0)
			job_free(job);
		return;
	}
	(void)output_open(dir, job->record.id, false, UINT64_C(16) << 20, &job->output);
	if (strcmp(job->record.boot_id, jobs->boot_id) != 0) {
		job_finish(job,
			&(struct ending){
				.outcome = EXEC_UNKNOWN, .result = "boot", .exit_status = -1},
			"the machine was started again before the outcome was known");
		return;
	}
	r = follow(job);
	if (r < 0)
		log_error("%s: cannot be followed: %s", job->record.id, strerror(-r));
	look(job);
}
