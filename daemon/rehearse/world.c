/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "policy/verbs.h"
#include "rehearse/play.h"

struct world_check {
	enum tend_reason reason; /* OK: well */
	char *text;
	json_t *metrics;
	usec_t since, until, every; /* clock_now(); until 0: for ever; every 0: no flapping */
};

/* Of a unit of which the timeline says nothing else. */
enum { UNIT_MEMORY_BYTES = 64 << 20 };

struct world_unit {
	char state[16];
	int64_t memory_bytes;
	bool by_verb; /* a check that fails later says that it has ended */
};

struct world {
	struct play *play;
	struct map checks, units;
	char people[256];
	usec_t people_until; /* 0: for ever */
};

static void check_free(struct world_check *c)
{
	free(c->text);
	json_decref(c->metrics);
	free(c);
}

int world_new(struct play *p, struct world **ret_world)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->play = p;
	*ret_world = w;
	return 0;
}

struct world *world_free(struct world *world)
{
	if (!world)
		return NULL;
	MAP_FOREACH (&world->checks, struct world_check *, check)
		check_free(check);
	MAP_FOREACH (&world->units, struct world_unit *, unit)
		free(unit);
	map_clear(&world->checks);
	map_clear(&world->units);
	free(world);
	return NULL;
}

/* ---- checks
 * -------------------------------------------------------------------------------------------------
 */

static void put_check(struct world *w, const char *name, struct world_check *fresh)
{
	struct world_check *old = map_get(&w->checks, name);

	if (map_put(&w->checks, name, fresh) < 0) {
		check_free(fresh);
		return;
	}
	if (old)
		check_free(old);
}

/* What was started by a verb has ended, if its checks say so now. */
static void unit_may_have_ended(struct world *w, const struct conf_component *component)
{
	struct world_unit *unit = component->unit ? map_get(&w->units, component->unit) : NULL;

	if (unit && unit->by_verb)
		free(map_remove(&w->units, component->unit));
}

void world_fail(struct world *w, const char *pattern, enum tend_reason reason, const char *text,
	const json_t *metrics, usec_t lasts, usec_t every)
{
	const struct conf *conf = w->play->manager.conf;

	MAP_FOREACH (&conf->checks, const struct conf_check *, check) {
		struct world_check *fresh;

		if (!str_glob(pattern, check->name))
			continue;
		fresh = calloc(1, sizeof(*fresh));
		if (!fresh)
			return;
		fresh->reason = reason;
		fresh->text = strdup(text ? text : tend_reason_text(reason));
		fresh->metrics = json_deep_copy(metrics);
		fresh->since = clock_now();
		fresh->until = lasts ? clock_now() + lasts : 0;
		fresh->every = every;
		put_check(w, check->name, fresh);
		if (reason != TEND_REASON_OK)
			unit_may_have_ended(w, check->component);
	}
}

void world_heal(struct world *w, const char *pattern)
{
	for (size_t i = w->checks.len; i-- > 0;)
		if (str_glob(pattern, w->checks.slots[i].key))
			check_free(map_remove(&w->checks, w->checks.slots[i].key));
}

static bool is_ill(const struct world_check *c)
{
	usec_t now = clock_now();

	if (c->reason == TEND_REASON_OK || (c->until && now >= c->until))
		return false;
	return !c->every || (now - c->since) % c->every < c->every / 2;
}

void world_answer_check(struct world *w, struct tend_attempt *a)
{
	const struct world_check *c = map_get(&w->checks, tend_attempt_name(a));
	const char *name;
	json_t *value;
	bool over = c && c->until && clock_now() >= c->until;

	if (c && !over)
		json_object_foreach (c->metrics, name, value)
			(void)tend_attempt_metric(a, name, json_number_value(value), "");
	if (c && is_ill(c))
		tend_attempt_finish(a, c->reason, "%s", c->text);
	else
		tend_attempt_finish(a, TEND_REASON_OK, "%s", "as expected");
}

bool world_knows_check(struct world *w, const char *name)
{
	return map_get(&w->checks, name) != NULL;
}

/* ---- people
 * -------------------------------------------------------------------------------------------------
 */

void world_set_people(struct world *w, const char *text, usec_t lasts)
{
	(void)snprintf(w->people, sizeof(w->people), "%s", strcmp(text, "none") ? text : "");
	w->people_until = lasts ? clock_now() + lasts : 0;
}

const char *world_people(struct world *w)
{
	bool over = w->people_until && clock_now() >= w->people_until;

	return w->people[0] && !over ? w->people : NULL;
}

/* ---- units
 * --------------------------------------------------------------------------------------------------
 */

void world_unit(struct world *w, const char *name, const char *state, bool by_verb)
{
	struct world_unit *unit = map_get(&w->units, name);

	if (!unit) {
		unit = calloc(1, sizeof(*unit));
		if (!unit || map_put(&w->units, name, unit) < 0) {
			free(unit);
			return;
		}
	}
	(void)snprintf(unit->state, sizeof(unit->state), "%s", state);
	unit->by_verb = by_verb;
	unit->memory_bytes = UNIT_MEMORY_BYTES;
}

void world_unit_set_memory(struct world *w, const char *name, int64_t bytes)
{
	struct world_unit *unit = map_get(&w->units, name);

	if (unit)
		unit->memory_bytes = bytes;
}

int64_t world_unit_memory(struct world *w, const char *name)
{
	const struct world_unit *unit = map_get(&w->units, name);

	return unit ? unit->memory_bytes : UNIT_MEMORY_BYTES;
}

/* Without a word on it: it has ended when a check of its component fails. */
const char *world_unit_state(struct world *w, const char *name)
{
	const struct conf *conf = w->play->manager.conf;
	const struct world_unit *unit = map_get(&w->units, name);
	bool known = false;

	if (unit)
		return unit->state;
	MAP_FOREACH (&conf->components, const struct conf_component *, component) {
		if (!component->unit || strcmp(component->unit, name) != 0)
			continue;
		known = true;
		VEC_FOREACH (&component->checks, const struct conf_check *, check) {
			const struct world_check *c = map_get(&w->checks, check->name);

			if (c && is_ill(c) && c->reason != TEND_REASON_TOO_SLOW)
				return "ended";
		}
	}
	return known ? "running" : "missing";
}

/* ---- verbs
 * --------------------------------------------------------------------------------------------------
 */

static bool arg_fits(const json_t *args, const char *key, const char *pattern)
{
	const json_t *value = json_object_get(args, key);
	auto_free char *text = NULL;

	if (!value)
		return false;
	if (json_is_string(value))
		return str_glob(pattern, json_string_value(value));
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	return text && str_glob(pattern, text);
}

static bool answer_fits(const struct answer *answer, const char *verb, const json_t *args)
{
	if (!str_glob(answer->verb, verb) || (answer->times && answer->n_used >= answer->times))
		return false;
	for (size_t i = 1; i < answer->arrow; i++) {
		const struct word *word = &answer->words->list[i];

		if (!word->key || !arg_fits(args, word->key, word->text))
			return false;
	}
	return true;
}

struct answer *world_find_answer(const char *verb, const json_t *args)
{
	VEC_FOREACH (&play->scenario->answers, struct answer *, answer)
		if (answer_fits(answer, verb, args)) {
			answer->n_used++;
			return answer;
		}
	return NULL;
}

static void each_item(const char *list, void (*fn)(const char *item))
{
	auto_free char *copy = strdup(list);
	char *save = NULL;

	for (char *item = copy ? strtok_r(copy, ",", &save) : NULL; item;
		item = strtok_r(NULL, ",", &save))
		fn(item);
}

static void heal_item(const char *item)
{
	world_heal(play->world, item);
}

/* CHECK:REASON */
static void break_item(const char *item)
{
	const char *colon = strrchr(item, ':');
	auto_free char *check = strndup(item, colon ? (size_t)(colon - item) : strlen(item));
	int reason = colon ? tend_reason_from_name(colon + 1) : -ENOENT;

	if (reason < 0)
		play_fault("breaks=%s: write CHECK:REASON", item);
	else if (check)
		world_fail(play->world, check, (enum tend_reason)reason, NULL, NULL, 0, 0);
}

void world_answered(const struct answer *answer, const char *verb, const json_t *args)
{
	const char *unit = json_string_value(json_object_get(args, "unit"));
	const char *heals = answer ? answer_option(answer, "heals") : NULL;
	const char *breaks = answer ? answer_option(answer, "breaks") : NULL;

	if (answer && answer->outcome == ANSWER_DONE && unit) {
		if (strcmp(verb, "unit.stop") == 0)
			world_unit(play->world, unit, "ended", true);
		else if (str_startswith(verb, "unit."))
			world_unit(play->world, unit, "running", true);
	}
	if (heals)
		each_item(heals, heal_item);
	if (breaks)
		each_item(breaks, break_item);
}
