/* SPDX-License-Identifier: MIT */
#include "watch/unit_state.h"
#include <stdio.h>
#include <string.h>
#include "base/str.h"

static const char *const intents[UNITS_INTENT_MAX] = {
	[UNITS_INTENT_RUNNING] = "running",
	[UNITS_INTENT_ENDED] = "ended",
	[UNITS_INTENT_STOPPED_BY_OPERATOR] = "stopped",
	[UNITS_INTENT_MASKED] = "masked",
	[UNITS_INTENT_CHANGING] = "changing",
	[UNITS_INTENT_MISSING] = "missing",
	[UNITS_INTENT_UNKNOWN] = "unknown",
};

const char *units_intent_name(enum units_intent intent)
{
	return intent < UNITS_INTENT_MAX ? intents[intent] : "invalid";
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool auto_restart(const struct unit_facts *f)
{
	return is(f->active_state, "activating") && str_startswith(f->sub_state, "auto-restart");
}

/* Up, or on its way up by a start. */
static bool is_up(const struct unit_facts *f)
{
	return is(f->active_state, "active") || is(f->active_state, "reloading") ||
	       (is(f->active_state, "activating") && !auto_restart(f));
}

static bool is_down(const struct unit_facts *f)
{
	return is(f->active_state, "inactive") || is(f->active_state, "failed");
}

static void forget_end(struct unit_state *s)
{
	s->stopped_by_job = false;
	s->end_seen_live = false;
	s->guessed_job = 0;
	s->evidence = UNIT_EVIDENCE_NONE;
}

static struct unit_job *job_find(struct unit_state *s, uint32_t id)
{
	for (size_t i = 0; i < UNIT_MAX_JOBS; i++)
		if (id != 0 && s->jobs[i].id == id)
			return &s->jobs[i];
	return NULL;
}

const struct unit_job *unit_state_job(const struct unit_state *s, uint32_t id)
{
	for (size_t i = 0; i < UNIT_MAX_JOBS; i++)
		if (id != 0 && s->jobs[i].id == id)
			return &s->jobs[i];
	return NULL;
}

/* A quick stop can be over before its type could be asked for. Of the jobs that stand when a
 * running unit goes down, or one that waits for its restart, one of unknown type counts as a stop:
 * hands off is the safe side. */
static void guess_stop(struct unit_state *s, const struct unit_facts *was)
{
	if (!is(was->active_state, "active") && !auto_restart(was))
		return;
	for (size_t i = 0; i < UNIT_MAX_JOBS; i++) {
		const struct unit_job *job = &s->jobs[i];

		if (job->id == 0 || job->owner != UNIT_JOB_FOREIGN || job->type[0])
			continue;
		s->stopped_by_job = true;
		s->guessed_job = job->id;
	}
}

void unit_state_step(struct unit_state *s, const struct unit_facts *facts)
{
	struct unit_facts was = s->facts;
	bool live = s->known, up = is_up(facts), was_up = live && is_up(&was);

	s->facts = *facts;
	s->known = true;
	if (up && !was_up) {
		/* Without a gap the mark may be of a stop job that stands against this start. */
		if (!live || is_down(&was) || !is(was.invocation_id, facts->invocation_id))
			forget_end(s);
		return;
	}
	if (was_up && !up) {
		s->end_seen_live = true;
		guess_stop(s, &was);
		return;
	}
	if (live && auto_restart(&was) && is_down(facts))
		guess_stop(s, &was);
	/* A start that was not seen: what is known of an earlier end says nothing of this one. */
	if (!up && facts->invocation_id[0] && was.invocation_id[0] &&
		!is(was.invocation_id, facts->invocation_id)) {
		bool stopped = s->stopped_by_job;
		forget_end(s);
		s->end_seen_live = live;
		s->stopped_by_job = stopped && live;
	}
}

void unit_state_gap(struct unit_state *s)
{
	s->known = false;
	memset(s->jobs, 0, sizeof(s->jobs));
	/* What was seen of an end stays true until it comes up again. */
}

void unit_state_job_new(struct unit_state *s, uint32_t id, enum unit_job_owner owner)
{
	struct unit_job *free_place = &s->jobs[0];

	if (id == 0 || job_find(s, id))
		return;
	for (size_t i = 0; i < UNIT_MAX_JOBS; i++) {
		if (s->jobs[i].id == 0) {
			free_place = &s->jobs[i];
			break;
		}
		if (s->jobs[i].id < free_place->id)
			free_place =
				&s->jobs[i]; /* systemd keeps one a unit: the oldest has gone */
	}
	*free_place = (struct unit_job){.id = id, .owner = owner};
}

void unit_state_job_type(struct unit_state *s, uint32_t id, const char *type)
{
	struct unit_job *job = job_find(s, id);

	if (job)
		(void)snprintf(job->type, sizeof(job->type), "%s", type);
	if (s->guessed_job == id && id != 0) {
		s->guessed_job = 0;
		s->stopped_by_job = is(type, "stop");
	}
	if (job && job->owner != UNIT_JOB_OUR_STOP && is(type, "stop"))
		s->stopped_by_job = true;
	/* Someone wants it up again: an earlier stop is no longer what is meant. */
	if (is(type, "start") || is(type, "restart"))
		s->stopped_by_job = false;
}

void unit_state_job_removed(struct unit_state *s, uint32_t id)
{
	struct unit_job *job = job_find(s, id);

	if (job)
		*job = (struct unit_job){0};
	if (s->facts.job_id == id)
		s->facts.job_id = 0; /* the signal that says so comes later */
}

static bool has_job(const struct unit_state *s)
{
	if (s->facts.job_id != 0)
		return true;
	for (size_t i = 0; i < UNIT_MAX_JOBS; i++)
		if (s->jobs[i].id != 0)
			return true;
	return false;
}

bool unit_state_wants_evidence(const struct unit_state *s)
{
	return s->known && is_down(&s->facts) && is(s->facts.load_state, "loaded") && !has_job(s) &&
	       !s->stopped_by_job && !s->end_seen_live;
}

static enum units_intent intent_of_evidence(enum unit_evidence evidence, const char **ret_why)
{
	switch (evidence) {
	case UNIT_EVIDENCE_ENDED:
		*ret_why = "by the journal it ended without a stop job";
		return UNITS_INTENT_ENDED;
	case UNIT_EVIDENCE_STOPPED:
		*ret_why = "by the journal it was stopped by a job";
		return UNITS_INTENT_STOPPED_BY_OPERATOR;
	default:
		*ret_why = "its end was not seen, and the journal does not tell of it";
		return UNITS_INTENT_UNKNOWN;
	}
}

static enum units_intent intent_when_down(const struct unit_state *s, const char **ret_why)
{
	if (is(s->facts.load_state, "not-found")) {
		*ret_why = "there is no such unit";
		return UNITS_INTENT_MISSING;
	}
	if (s->stopped_by_job) {
		*ret_why = "it was stopped by a job that is not Tend's";
		return UNITS_INTENT_STOPPED_BY_OPERATOR;
	}
	if (has_job(s) || !is_down(&s->facts)) {
		*ret_why = "systemd is at work on it";
		return UNITS_INTENT_CHANGING;
	}
	if (s->end_seen_live) {
		*ret_why = "it was seen to end without a stop job";
		return UNITS_INTENT_ENDED;
	}
	return intent_of_evidence(s->evidence, ret_why);
}

enum units_intent unit_state_intent(const struct unit_state *s, const char **ret_why)
{
	if (!s->known) {
		*ret_why = "the bus cannot be asked";
		return UNITS_INTENT_UNKNOWN;
	}
	if (is(s->facts.load_state, "masked")) {
		*ret_why = "it is masked";
		return UNITS_INTENT_MASKED;
	}
	if (!is_up(&s->facts))
		return intent_when_down(s, ret_why);
	if (is(s->facts.active_state, "activating")) {
		*ret_why = s->stopped_by_job ? "it is being stopped by a job that is not Tend's"
					     : "it is starting";
		return s->stopped_by_job ? UNITS_INTENT_STOPPED_BY_OPERATOR : UNITS_INTENT_CHANGING;
	}
	*ret_why = "it is running";
	return UNITS_INTENT_RUNNING;
}
