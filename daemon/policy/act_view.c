/* SPDX-License-Identifier: MIT */
/* Verbs that look at what Tend knows: components, component.checks, unit.show. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"
#include "watch/unit_memory.h"
#include "watch/units.h"

#define UNIT_TIMEOUT_USEC (5 * USEC_PER_SEC)

static const char *arg_text(const struct step *step, const char *name)
{
	return json_string_value(json_object_get(step->args, name));
}

static json_t *component_row(const struct conf_component *c)
{
	return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s}", "name", c->name, "short_name",
		c->short_name, "unit", c->unit, "host", c->host ? c->host->name : NULL, "kind",
		conf_component_kinds[c->kind], "system", c->system->name, "environment",
		conf_environment_names[c->system->environment]);
}

static int by_name(const void *a, const void *b)
{
	const struct conf_component *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Those that depend on it, directly or not, nearest first. */
static int add_dependants(const struct conf_component *of, struct vec *found)
{
	size_t done = 0;
	const struct conf_component *next = of;

	do {
		VEC_FOREACH (&next->children, struct conf_component *, child) {
			bool known = child == of;

			VEC_FOREACH (found, const struct conf_component *, old)
				known = known || old == child;
			if (!known && vec_push(found, child) < 0)
				return -ENOMEM;
		}
		next = done < found->len ? found->items[done] : NULL;
		done++;
	} while (next);
	return 0;
}

static bool fits(const struct step *step, const struct conf_component *c)
{
	const char *kind = arg_text(step, "kind"), *system = arg_text(step, "system");

	return (!kind || strcmp(kind, conf_component_kinds[c->kind]) == 0) &&
	       (!system || strcmp(system, c->system->name) == 0);
}

void act_components(struct step *step)
{
	const struct conf *conf = step->run->policies->conf;
	const char *of = arg_text(step, "depends_on");
	const struct conf_component *base = of ? map_get(&conf->components, of) : NULL;
	struct vec found = {0};
	json_t *list;
	int r = 0;

	if (of && !base) {
		step_outcome(step, STEP_FAILED, NULL, "there is no component '%.200s'", of);
		return;
	}
	if (base)
		r = add_dependants(base, &found);
	else
		MAP_FOREACH (&conf->components, struct conf_component *, c)
			r = r < 0 ? r : vec_push(&found, c);
	/* Dependants have an order of their own. */
	if (!base)
		vec_sort(&found, by_name);
	list = r == 0 ? json_array() : NULL;
	VEC_FOREACH (&found, const struct conf_component *, c)
		if (fits(step, c))
			(void)json_array_append_new(list, component_row(c));
	vec_clear(&found);
	if (list)
		step_outcome(step, STEP_DONE, list, "%s", "");
	else
		step_outcome(step, STEP_FAILED, NULL, "out of memory");
}

void act_component_checks(struct step *step)
{
	const struct policies *p = step->run->policies;
	const char *name = arg_text(step, "component");
	const struct conf_component *c = map_get(&p->conf->components, name);
	json_t *list;

	if (!c) {
		step_outcome(step, STEP_FAILED, NULL, "there is no component '%.200s'", name);
		return;
	}
	list = json_array();
	VEC_FOREACH (&c->checks, const struct conf_check *, conf) {
		const struct check *check = watch_find_check(p->deps.watch, conf->name);

		if (check)
			(void)json_array_append_new(list, watch_check_to_json(check, false));
	}
	step_outcome(step, STEP_DONE, list, "%s", "");
}

static json_t *memory_of(const struct step *step, const struct tend_unit_info *info)
{
	if (!step->host)
		return unit_memory(info);
	return step->memory_bytes > 0 ? json_integer(step->memory_bytes) : json_null();
}

static void on_unit(int r, const struct tend_unit_info *info, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	step->ask = NULL;
	if (r < 0)
		step_outcome(step, STEP_FAILED, NULL, "the bus cannot be asked: %s", strerror(-r));
	else
		step_outcome(step, STEP_DONE,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I}", "unit",
				info->name, "load_state", info->load_state, "state",
				info->active_state, "sub_state", info->sub_state, "result",
				info->result, "invocation_id", info->invocation_id, "intent",
				info->intent, "main_pid", (json_int_t)info->main_pid,
				"memory_bytes", memory_of(step, info), "restarts",
				(json_int_t)info->n_restarts),
			"%s", "");
	run_unref_step(run);
}

/* Of a unit on another host its executor tells. */
static void on_remote_unit(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	struct step *step = data;
	struct run *run = step->run;

	if (r == 0) {
		on_unit(0, info, step);
		return;
	}
	step_outcome(step, STEP_FAILED, NULL, "host %s cannot be asked: %s", step->host, why);
	run_unref_step(run);
}

void act_unit_show(struct step *step)
{
	int r;

	step->run->n_in_flight++;
	if (step->host) {
		r = act_ask_intent(step, arg_text(step, "unit"), UNIT_TIMEOUT_USEC, on_remote_unit);
		if (r < 0)
			on_remote_unit(r, UNITS_INTENT_UNKNOWN, strerror(-r), NULL, step);
		return;
	}
	r = units_get(watch_units(step->run->policies->deps.watch), arg_text(step, "unit"),
		UNIT_TIMEOUT_USEC, on_unit, step, &step->ask);
	if (r < 0)
		on_unit(r, NULL, step);
}
