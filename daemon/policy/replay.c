/* SPDX-License-Identifier: MIT */
/*
 * A run that begins again from the top meets its recorded steps. Their outcomes are given in the
 * order in which they became known: then the branches of the policy go on in that order again, and
 * the same one wins. What is new waits until all that is recorded was given.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

/* Between two recorded steps a runner only computes, and that is limited. */
#define STUCK_USEC (60 * USEC_PER_SEC)

/* Finally functions have an order of their own: while they run, nobody waits for what was in flight
 * when they began. */
enum lane { LANE_RUN, LANE_FINALLY, LANE_MAX };

struct replay {
	struct {
		struct vec recorded; /* struct step *, in order of seq */
		size_t n_given;
		struct vec held; /* struct step *: new outcomes, in order */
	} lanes[LANE_MAX];
	struct loop_source *stuck;
};

static enum lane lane_of(const struct step *step)
{
	return cancel_spares(step->path) ? LANE_FINALLY : LANE_RUN;
}

void replay_free(struct run *run)
{
	struct replay *replay = TAKE(run->replay);

	if (!replay)
		return;
	for (int i = 0; i < LANE_MAX; i++) {
		VEC_FOREACH (&replay->lanes[i].recorded, struct step *, step)
			step->recorded = false;
		vec_clear(&replay->lanes[i].recorded);
		vec_clear(&replay->lanes[i].held);
	}
	loop_source_free(replay->stuck);
	free(replay);
}

static int by_seq(const void *a, const void *b)
{
	const struct step *left = a, *right = b;

	return (left->seq > right->seq) - (left->seq < right->seq);
}

static const struct step *next_recorded(const struct replay *replay, enum lane lane)
{
	size_t n = replay->lanes[lane].n_given;

	return n < replay->lanes[lane].recorded.len ? replay->lanes[lane].recorded.items[n] : NULL;
}

static void on_stuck(void *data)
{
	struct run *run = data;
	const struct step *next = next_recorded(run->replay, LANE_RUN);
	char text[512];

	if (!next)
		next = next_recorded(run->replay, LANE_FINALLY);
	(void)snprintf(text, sizeof(text),
		"step %s (%s) is recorded and does not come again: the policy does not do the same "
		"again, nothing more is done",
		next ? next->path : "?", next ? next->verb->name : "?");
	run->page = true;
	run_end(run, RUN_FAILED, text);
}

int replay_begin(struct run *run)
{
	struct replay *replay;
	int r;

	replay_free(run);
	replay = calloc(1, sizeof(*replay));
	if (!replay)
		return -ENOMEM;
	run->replay = replay;
	r = loop_timer_new(run->policies->deps.loop, on_stuck, run, &replay->stuck);
	if (r < 0)
		return r;
	MAP_FOREACH (&run->steps, struct step *, step) {
		/* Undoing (u1) is Tend's own: no runner asks for it. */
		if (step->state == STEP_INTENT || !step->seq || step->path[0] == 'u')
			continue;
		step->recorded = true;
		if (vec_push(&replay->lanes[lane_of(step)].recorded, step) < 0)
			return -ENOMEM;
	}
	for (int i = 0; i < LANE_MAX; i++)
		vec_sort(&replay->lanes[i].recorded, by_seq);
	return 0;
}

static bool is_through(const struct replay *replay, enum lane lane)
{
	return replay->lanes[lane].n_given == replay->lanes[lane].recorded.len;
}

/* Somebody is kept waiting: that must not be for ever. */
static void watch_stuck(struct replay *replay)
{
	bool waits = false;

	for (int i = 0; i < LANE_MAX; i++) {
		waits = waits || replay->lanes[i].held.len > 0;
		for (size_t n = replay->lanes[i].n_given; n < replay->lanes[i].recorded.len; n++)
			waits = waits ||
				((struct step *)replay->lanes[i].recorded.items[n])->rpc_id;
	}
	loop_timer_set(replay->stuck, waits ? clock_now() + STUCK_USEC : 0);
}

static void give_recorded(struct run *run, enum lane lane)
{
	struct replay *replay = run->replay;
	struct vec *recorded = &replay->lanes[lane].recorded;

	while (!is_through(replay, lane)) {
		struct step *step = recorded->items[replay->lanes[lane].n_given];

		if (!step->rpc_id)
			return;
		replay->lanes[lane].n_given++;
		step->recorded = false;
		step_answer(step);
	}
	VEC_FOREACH (&replay->lanes[lane].held, struct step *, step)
		step_answer(step);
	vec_clear(&replay->lanes[lane].held);
}

void replay_answer(struct step *step)
{
	struct run *run = step->run;
	enum lane lane = lane_of(step);

	if (!step->seq)
		step->seq = ++run->last_seq;
	if (run->state != RUN_LIVE || !step->rpc_id)
		return;
	if (!run->replay || (!step->recorded && is_through(run->replay, lane))) {
		step_answer(step);
		return;
	}
	if (step->recorded)
		give_recorded(run, lane);
	else if (vec_push(&run->replay->lanes[lane].held, step) < 0)
		step_answer(step);
	watch_stuck(run->replay);
}

/* ---- the same again?
 * ---------------------------------------------------------------------------------------------
 */

static bool is_empty_table(const json_t *json)
{
	return (json_is_array(json) && json_array_size(json) == 0) ||
	       (json_is_object(json) && json_object_size(json) == 0);
}

static bool same_objects(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach ((json_t *)(uintptr_t)a, key, value)
		if (!replay_same(value, json_object_get(b, key)))
			return false;
	return true;
}

bool replay_same(const json_t *a, const json_t *b)
{
	if (!a || !b)
		return a == b;
	/* An empty Lua table is one or the other. */
	if (is_empty_table(a) && is_empty_table(b))
		return true;
	if (json_is_object(a) && json_is_object(b))
		return same_objects(a, b);
	if (!json_is_array(a) || !json_is_array(b))
		return json_equal(a, b);
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!replay_same(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

/* ---- from the journal
 * ---------------------------------------------------------------------------------------------
 */

/* Another version of Tend wrote it: does this one know what it speaks of? */
static const struct verb *restore_verb(
	const char *path, const char *name, const json_t *args, char **ret_why)
{
	const struct verb *verb = verb_find(name);
	struct tend_error err = {0};

	if (!verb)
		*ret_why = str_printf(
			"step %s was '%s', which this version of Tend does not have", path, name);
	else if (verb_check_args(verb, args, &err) < 0)
		*ret_why =
			str_printf("step %s does not fit this version of Tend: %s", path, err.text);
	else
		return verb;
	return NULL;
}

static void restore_outcome(struct step *step, const json_t *row)
{
	struct run *run = step->run;
	const char *state = json_string_value(json_object_get(row, "state"));
	json_t *outcome = json_object_get(row, "outcome_json");
	const char *message = json_string_value(json_object_get(outcome, "message"));

	for (int i = 0; i < STEP_STATE_MAX; i++)
		if (str_eq(step_state_names[i], state))
			step->state = (enum step_state)i;
	step->message = message ? strdup(message) : NULL;
	step->value = json_incref(json_object_get(outcome, "value"));
	run->steps_bytes += step_json_bytes(step->value);
	if (step->state == STEP_INTENT)
		return;
	/* Journals of the first version have no order: that of the intents was theirs. */
	step->seq = (uint64_t)json_integer_value(json_object_get(row, "outcome_seq"));
	if (!step->seq)
		step->seq = run->last_seq + 1;
	run->last_seq = MAX(run->last_seq, step->seq);
}

static void restore_marks(struct step *step)
{
	struct run *run = step->run;

	if (step->verb->risk >= RISK_CHANGE && !run->dry) {
		run->acted = run->acted || step->state != STEP_REFUSED;
		run->verified = run->verified && step->state == STEP_REFUSED;
	}
	run->pretended = run->pretended || (run->dry && step->verb->risk >= RISK_CHANGE);
	if (step->verb->execute == act_verify && step->state == STEP_DONE)
		run->verified = run->verified ||
				act_shows_success(run,
					json_string_value(json_object_get(step->args, "check")));
	run->any_unknown = run->any_unknown || step->state == STEP_UNKNOWN;
}

static int restore_one(struct run *run, json_t *row, char **ret_why)
{
	const char *path = json_string_value(json_object_get(row, "path"));
	const char *name = json_string_value(json_object_get(row, "verb"));
	json_t *intent = json_object_get(row, "args_json");
	json_t *args = json_object_get(intent, "args");
	const char *job = json_string_value(json_object_get(intent, "job"));
	const char *target = json_string_value(json_object_get(intent, "target"));
	const char *host = json_string_value(json_object_get(intent, "host"));
	const char *undoes = json_string_value(json_object_get(intent, "undoes"));
	const struct verb *verb;
	struct step *step;

	if (!path || !name || !job)
		return -EINVAL;
	verb = restore_verb(path, name, args, ret_why);
	if (!verb) {
		/* What was begun and never told cannot be asked after. */
		run->any_unknown =
			run->any_unknown || str_eq(json_string_value(json_object_get(row, "state")),
						    step_state_names[STEP_INTENT]);
		return -EPROTO;
	}
	step = step_new(run, path, verb, args);
	if (!step)
		return -ENOMEM;
	(void)snprintf(step->job, sizeof(step->job), "%s", job);
	step->target = target ? strdup(target) : NULL;
	step->host = host ? strdup(host) : NULL;
	step->undoes = undoes ? strdup(undoes) : NULL;
	step->intent_wall = (usec_t)json_integer_value(json_object_get(row, "at_intent"));
	step->restored = true;
	restore_outcome(step, row);
	restore_marks(step);
	return 0;
}

int steps_restore(struct run *run, json_t *rows, char **ret_why)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		int r = restore_one(run, row, ret_why);

		if (r < 0)
			return r;
	}
	return 0;
}
