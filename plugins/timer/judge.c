/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "timer.h"

struct scene {
	const struct timer_conf *conf;
	const json_t *doc, *service;
	double now;	/* seconds, as all below */
	double success; /* last one that is known of; 0 */
	double ran;	/* last run; 0 */
	double next;	/* next run; 0 = none */
	bool running;
	struct verdict *v;
};

static double seconds(const json_t *doc, const char *key)
{
	return doc_number(doc, key, 0) / 1e6;
}

static void read_times(struct scene *s, const json_t *memory)
{
	const char *state = doc_text(s->service, "active_state");
	double exited = seconds(s->service, "exited"), started = seconds(s->service, "started");
	double monotonic = seconds(s->doc, "next_monotonic");

	s->now = seconds(s->doc, "now");
	s->running = strcmp(state, "activating") == 0 || strcmp(state, "active") == 0 ||
		     strcmp(state, "deactivating") == 0;
	s->success = doc_number(memory, "success", 0);
	if (!s->running && exited > 0 && strcmp(doc_text(s->service, "result"), "success") == 0 &&
		exited > s->success)
		s->success = exited;
	s->ran = seconds(s->doc, "last");
	if (started > s->ran)
		s->ran = started;
	s->next = seconds(s->doc, "next");
	if (monotonic > 0) {
		double at = s->now + monotonic - seconds(s->doc, "now_monotonic");

		if (s->next <= 0 || at < s->next)
			s->next = at;
	}
}

/* False: there is nothing more to say. */
static bool judge_unit(const struct scene *s)
{
	const char *load = doc_text(s->doc, "load_state"),
		   *active = doc_text(s->doc, "active_state");

	if (strcmp(load, "not-found") == 0)
		verdict_fault(
			s->v, TEND_REASON_UNIT_MISSING, "there is no timer %s", s->conf->timer);
	else if (strcmp(load, "masked") == 0)
		verdict_fault(s->v, TEND_REASON_UNIT_STOPPED, "%s is masked", s->conf->timer);
	else if (strcmp(load, "loaded") != 0)
		verdict_fault(s->v, TEND_REASON_UNIT_FAILED, "%s cannot be loaded: %s",
			s->conf->timer, load);
	else if (strcmp(active, "active") != 0)
		verdict_fault(s->v, TEND_REASON_UNIT_INACTIVE, "%s is %s: nothing will run",
			s->conf->timer, active);
	else
		return true;
	return false;
}

static void judge_run(const struct scene *s)
{
	const char *name = doc_text(s->service, "name"), *result = doc_text(s->service, "result");
	double started = seconds(s->service, "started");
	char took[32], limit[32];

	if (strcmp(doc_text(s->service, "load_state"), "not-found") == 0) {
		verdict_fault(s->v, TEND_REASON_UNIT_MISSING, "%s starts %s, which does not exist",
			s->conf->timer, name);
		return;
	}
	if (s->running && s->conf->max_run > 0 && started > 0 &&
		s->now - started > (double)s->conf->max_run / 1e6)
		verdict_fault(s->v, TEND_REASON_JOB_STUCK, "%s runs for %s, more than %s", name,
			span_text(s->now - started, took),
			span_text((double)s->conf->max_run / 1e6, limit));
	if (!s->running && result[0] && strcmp(result, "success") != 0)
		verdict_fault(s->v, TEND_REASON_UNIT_FAILED, "%s failed %s ago: %s, status %.0f",
			name, span_text(s->now - seconds(s->service, "exited"), took), result,
			doc_number(s->service, "status", 0));
}

/* After a boot only the timer's own stamp is left: what came of that run nobody knows. */
static void judge_age(const struct scene *s)
{
	double limit = (double)s->conf->max_age / 1e6;
	char age[32], text[32];

	if (s->conf->max_age == 0)
		return;
	(void)span_text(limit, text);
	if (s->success > 0 && s->now - s->success > limit)
		verdict_fault(s->v, TEND_REASON_STALE, "its last success was %s ago, more than %s",
			span_text(s->now - s->success, age), text);
	else if (s->success <= 0 && (s->ran <= 0 || s->now - s->ran > limit))
		verdict_fault(s->v, TEND_REASON_STALE, "it has never succeeded as far as is known");
}

static void judge_next(const struct scene *s)
{
	char text[32];

	if (s->running)
		return;
	if (s->next <= 0)
		verdict_fault(s->v, TEND_REASON_NOT_RUN, "%s has no next run", s->conf->timer);
	else if (s->now - s->next > (double)s->conf->late / 1e6)
		verdict_fault(s->v, TEND_REASON_NOT_RUN, "%s was due %s ago and did not run",
			s->conf->timer, span_text(s->now - s->next, text));
}

static void add_metrics(const struct scene *s)
{
	double started = seconds(s->service, "started"), exited = seconds(s->service, "exited");

	if (s->success > 0)
		verdict_metric(s->v, "since_success", NULL, s->now - s->success, "s");
	if (s->ran > 0)
		verdict_metric(s->v, "since_run", NULL, s->now - s->ran, "s");
	if (s->next > 0)
		verdict_metric(s->v, "next_in", NULL, s->next - s->now, "s");
	if (s->running && started > 0)
		verdict_metric(s->v, "run_time", NULL, s->now - started, "s");
	else if (started > 0 && exited >= started)
		verdict_metric(s->v, "run_time", NULL, exited - started, "s");
}

void timer_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	struct scene s = {
		.conf = conf,
		.doc = doc,
		.service = json_object_get(doc, "service"),
		.v = ret_verdict,
	};
	char since[32], next[32];

	read_times(&s, memory);
	ret_verdict->memory = json_pack("{s:f}", "success", s.success);
	if (!judge_unit(&s))
		return;
	add_metrics(&s);
	judge_run(&s);
	judge_age(&s);
	judge_next(&s);
	verdict_well(ret_verdict, "%s%s%s, next run in %s", s.running ? "it runs; " : "",
		s.success > 0 ? "last success " : "no success is known of",
		s.success > 0 ? span_text(s.now - s.success, since) : "",
		s.next > 0 ? span_text(s.next - s.now, next) : "?");
}
