/* SPDX-License-Identifier: MIT */
/*
 * After a deed: what of the dependency group was well before it and fails soon after it was harmed
 * by it. Then the run does nothing more, what it did is undone where the verb can, the newest
 * first, and people are told. That it has come to this stands in the journal before anything is
 * undone; which components were well is not kept over a restart of tendd.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/hosts.h"
#include "policy/private.h"

enum { WORSE_MAX = 200 };

struct worse {
	char run[UUID_TEXT_BYTES];
	char *deed; /* "unit.restart web.service" */
	usec_t wall, mono;
	struct map well; /* names of components; the values are nothing */
};

static void worse_free(struct worse *w)
{
	if (!w)
		return;
	map_clear(&w->well);
	free(w->deed);
	free(w);
}
DEFINE_AUTO(struct worse *, worse_free)

static int collect_well(struct policies *p, const char *target, struct map *well)
{
	static char here;
	const char *group = group_of(p, target);
	int r = 0;

	MAP_FOREACH (watch_components(p->deps.watch), const struct component *, c)
		if (r == 0 && c->state == TEND_STATE_OK && strcmp(c->conf->name, target) != 0 &&
			str_eq(group_of(p, c->conf->name), group))
			r = map_put(well, c->conf->name, &here);
	return r;
}

static void forget_first(struct policies *p)
{
	worse_free(p->worse.items[0]);
	vec_remove(&p->worse, 0);
}

void worse_begin(struct step *step)
{
	struct policies *p = step->run->policies;
	const char *object =
		json_string_value(json_object_get(step->args, step->verb->args[0].name));
	auto(worse_free) struct worse *w = NULL;

	if (p->conf->daemon.worse_within == 0 || path_is_cleanup(step->path))
		return;
	w = calloc(1, sizeof(*w));
	if (!w)
		return;
	w->deed = str_printf("%s %.200s", step->verb->name, object ? object : step->target);
	memcpy(w->run, step->run->id, UUID_TEXT_BYTES);
	w->wall = clock_wall();
	w->mono = clock_now();
	if (!w->deed || collect_well(p, step->target, &w->well) < 0 || w->well.len == 0)
		return;
	if (p->worse.len >= WORSE_MAX)
		forget_first(p);
	if (vec_push(&p->worse, w) == 0)
		(void)TAKE(w);
}

void worse_free_all(struct policies *p)
{
	while (p->worse.len > 0)
		forget_first(p);
	vec_clear(&p->worse);
}

/* ---- undo ------------------------------------------------------------------------------------ */

/* A deed of the run that a verb of the table takes back, and that was not. */
static bool can_undo(const struct step *step)
{
	return step->verb->risk >= RISK_CHANGE && !step->undone && !path_is_cleanup(step->path) &&
	       step->verb->undo && verb_find(step->verb->undo);
}

/* The newest of them that stands. */
static struct step *find_undoable(const struct run *run)
{
	struct step *found = NULL;

	MAP_FOREACH (&run->steps, struct step *, step)
		if (step->state == STEP_DONE && can_undo(step) &&
			(!found || step->intent_wall >= found->intent_wall))
			found = step;
	return found;
}

/* One that is still under way: it will stand, too. */
static const struct step *find_under_way(const struct run *run)
{
	MAP_FOREACH (&run->steps, const struct step *, step)
		if (step->state == STEP_INTENT && step->intent_wall && can_undo(step))
			return step;
	return NULL;
}

static struct step *make_undo(struct run *run, const struct step *deed)
{
	auto_free char *path = str_printf("u%u", ++run->n_undone);
	struct step *undo =
		path ? step_new(run, path, verb_find(deed->verb->undo), deed->args) : NULL;

	if (!undo)
		return NULL;
	undo->target = strdup(deed->target);
	undo->undoes = strdup(deed->path);
	if (undo->target && undo->undoes && act_set_host(undo) == 0)
		return undo;
	(void)map_remove(&run->steps, path);
	return step_free(undo);
}

static void end_undo(struct run *run)
{
	run->undoing = false;
	if (run->runner_is_done)
		run_end(run, RUN_CANCELLED, run->worse);
	else
		cancel_run(run, run->worse);
}

static void undo_next(struct run *run)
{
	struct step *deed = find_undoable(run), *undo;
	const struct step *under_way = deed ? NULL : find_under_way(run);

	if (run->state != RUN_LIVE)
		return;
	run->undo_waits = under_way != NULL;
	if (under_way) {
		log_notice("run %s: %s is under way, it is taken back when it has ended", run->id,
			under_way->verb->name);
		return;
	}
	if (!deed) {
		end_undo(run);
		return;
	}
	deed->undone = true;
	undo = make_undo(run, deed);
	if (undo)
		gate_enter(undo); /* its outcome comes back to worse_undone() */
	else
		undo_next(run);
}

void worse_settled(struct step *step)
{
	if (step->run->undo_waits)
		undo_next(step->run);
}

/* The Tend of before kept that it would do it, and died before it did. */
static void undo_again(struct step *undo)
{
	struct step *deed = undo->undoes ? map_get(&undo->run->steps, undo->undoes) : NULL;

	if (!deed || !undo->asked_after || undo->state != STEP_REFUSED)
		return;
	actions_forget(undo);
	deed->undone = false;
}

void worse_undone(struct step *step)
{
	struct run *run = step->run;
	struct incident *incident = run_incident(run);

	log_warning("run %s: undone by %s: %s%s%s", run->id, step->verb->name,
		step_state_names[step->state], step->message ? ": " : "",
		step->message ? step->message : "");
	if (incident)
		incident_note(run->policies->deps.incidents, incident, "undo", "%s: %s%s%s",
			step->verb->name, step_state_names[step->state], step->message ? ": " : "",
			step->message ? step->message : "");
	undo_again(step);
	undo_next(run);
}

/* What was undone, and how many tries that were. Returns the one that has no outcome. */
static struct step *restore_undone(struct run *run)
{
	struct step *open = NULL;

	MAP_FOREACH (&run->steps, struct step *, step) {
		struct step *deed = step->undoes ? map_get(&run->steps, step->undoes) : NULL;

		if (*step->path != 'u')
			continue;
		run->n_undone = MAX(run->n_undone, (unsigned)strtoul(step->path + 1, NULL, 10));
		if (deed)
			deed->undone = true;
		if (step->state == STEP_INTENT)
			open = step;
	}
	return open;
}

static void worse_resume(struct run *run)
{
	struct step *open = restore_undone(run);

	run->undo_resumes = false;
	if (!run->undoing || run->state != RUN_LIVE)
		return;
	log_notice("run %s: taking back what it did goes on", run->id);
	if (!open) {
		undo_next(run);
		return;
	}
	open->asked_after = true;
	act_resume(open);
}

void worse_resume_all(struct policies *p)
{
	struct vec resumed = {0};

	/* One that ends takes itself off the list: walk a copy. */
	VEC_FOREACH (&p->runs, struct run *, run)
		if (run->undo_resumes)
			(void)vec_push(&resumed, run);
	VEC_FOREACH (&resumed, struct run *, run)
		worse_resume(run);
	vec_clear(&resumed);
}

/* ---- what a result says ---------------------------------------------------------------------- */

static struct run *find_run(const struct vec *runs, const char *id)
{
	VEC_FOREACH (runs, struct run *, run)
		if (strcmp(run->id, id) == 0)
			return run;
	return NULL;
}

static void on_worse_kept(int r, void *data)
{
	struct run *run = data;

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_warning("run %s: that it made things worse is not journalled", run->id);
	undo_next(run);
	run_unref_step(run);
}

static void stop_run(struct run *run, const char *text)
{
	struct incident *incident = run_incident(run);

	if (run->worse)
		return;
	run->worse = strdup(text);
	if (!run->worse) {
		run_end(run, RUN_FAILED, text);
		return;
	}
	run->page = true;
	run->verified = false;
	run->undoing = true;
	log_warning("run %s: policy '%s' on '%s': %s", run->id, run->policy, run->component, text);
	if (incident)
		incident_note(run->policies->deps.incidents, incident, "worse", "%s: %s",
			run->policy, text);
	/* On disk before anything is undone: who dies now goes on with that, not with the run. */
	run_journal(run, on_worse_kept);
}

static void tell(struct policies *p, const struct worse *w, const struct check *check)
{
	struct run *run = find_run(&p->runs, w->run);
	bool live = run && run->state == RUN_LIVE;
	char text[512];

	(void)snprintf(text, sizeof(text), "it made things worse: after %s, %s fails (%.200s)",
		w->deed, check->component->conf->name, check->last.text);
	if (live) {
		stop_run(run, text);
		return;
	}
	run = run ? run : find_run(&p->recent, w->run);
	if (run)
		policies_page(p, run, NULL,
			"policy %s on %s: %s; the run had ended, nothing was undone", run->policy,
			run->component, text);
	else
		log_warning("run %s: %s", w->run, text);
}

/* What the run acts on itself may well be down for a while: its own steps judge that. */
static bool run_acts_on(const struct policies *p, const char *run, const char *component)
{
	VEC_FOREACH (&p->actions, const struct action_row *, row)
		if (strcmp(row->run, run) == 0 && strcmp(row->target, component) == 0)
			return true;
	return false;
}

static bool is_harm(struct policies *p, const struct worse *w, const struct check *check)
{
	if (run_acts_on(p, w->run, check->component->conf->name))
		return false;
	return limits_worse(map_get(&w->well, check->component->conf->name) != NULL,
		state_failed(check->state.hard) && !check->unreachable, w->wall,
		check->state.hard_since_wall, p->conf->daemon.worse_within);
}

void worse_on_result(struct policies *p, const struct check *check, unsigned events)
{
	/* Twice the window: a check with a slow interval confirms late. */
	usec_t keep = 2 * p->conf->daemon.worse_within;

	while (p->worse.len > 0 &&
		clock_now() > ((const struct worse *)p->worse.items[0])->mono + keep)
		forget_first(p);
	if (!(events & STATE_EVENT_HARD) || !state_failed(check->state.hard) || check->unreachable)
		return;
	for (size_t i = p->worse.len; i-- > 0;) {
		auto(worse_free) struct worse *w = NULL;

		if (!is_harm(p, p->worse.items[i], check))
			continue;
		w = p->worse.items[i];
		vec_remove(&p->worse, i);
		tell(p, w, check);
	}
}
