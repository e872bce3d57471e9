/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "exec/jobs_internal.h"

#define HOUR_USEC (3600 * USEC_PER_SEC)
#define DAY_USEC  (24 * HOUR_USEC)

/* Old and over. An id that tells its time must be old itself, so that it is refused as too old once
 * its record has gone; an id that does not tell stays for good. */
static bool prunable(const struct record *record, usec_t now)
{
	usec_t limit = LEDGER_KEEP_DAYS * DAY_USEC, id_time = request_id_time(record->id);

	if (record->empty || (!record->outcome && record->kind != RECORD_NEVER))
		return false;
	return id_time && id_time + limit < now && record->begun_wall + limit < now;
}

static void on_prune(int r, const struct record *record, void *data)
{
	struct jobs *jobs = data;

	if (r == 0 && prunable(record, clock_wall()) && !map_get(&jobs->open, record->id))
		(void)ledger_remove(jobs->deps.ledger, record->id);
}

void jobs_prune(void *data)
{
	struct jobs *jobs = data;
	int r = ledger_scan(jobs->deps.ledger, on_prune, jobs);

	if (r < 0)
		log_warning(
			"ledger: cannot be looked through: %s, next try in a day", strerror(-r));
	loop_timer_set(jobs->prune_timer, clock_now() + DAY_USEC);
}

static bool was_refused(const struct record *record)
{
	const char *outcome = json_string_value(json_object_get(record->outcome, "outcome"));

	return outcome && strcmp(outcome, exec_outcome_names[EXEC_REFUSED]) == 0;
}

static void on_record(int r, const struct record *record, void *data)
{
	struct jobs *jobs = data;
	struct job *job;

	if (r < 0) {
		log_error("ledger: the record %s cannot be read (%s); its id is never begun",
			record->id, strerror(-r));
		return;
	}
	if (record->empty || record->kind == RECORD_NEVER)
		return;
	if (!was_refused(record) &&
		record_age(record, jobs->boot_id, boot_clock(), clock_wall()) < HOUR_USEC)
		jobs_count(jobs, record);
	/* A statement is not ours to look after: what became of it only tendd can know. */
	if (record->kind == RECORD_SQL)
		return;
	if (record->outcome && (record->kind == RECORD_UNIT || record->collected))
		return;
	job = job_new(jobs, record);
	if (!job) {
		log_error("ledger: no memory for the open job %s", record->id);
		return;
	}
	job->saved = record->outcome != NULL;
	job->away = true;
}

int jobs_reconcile(struct jobs *jobs)
{
	struct vec open = {0};
	int r = ledger_scan(jobs->deps.ledger, on_record, jobs);

	/* A copy: judging a job can take it from the map. */
	MAP_FOREACH (&jobs->open, struct job *, job)
		r = r < 0 ? r : vec_push(&open, job);
	if (r == 0) {
		/* First: an old job that gets its outcome now keeps it until the next look. */
		jobs_prune(jobs);
		VEC_FOREACH (&open, struct job *, job) {
			log_notice("ledger: found the open job %s of %s again", job->record.id,
				job->record.name);
			if (job->record.kind == RECORD_UNIT)
				unit_job_reattach(job);
			else
				command_job_reattach(job);
		}
	}
	vec_clear(&open);
	return r;
}
