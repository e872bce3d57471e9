/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "policy/private.h"

bool trigger_pattern(const json_t *pattern, const char *text)
{
	size_t i;
	json_t *item;

	if (!pattern)
		return true;
	if (!text)
		return false;
	if (json_is_string(pattern))
		return str_glob(json_string_value(pattern), text);
	json_array_foreach ((json_t *)(uintptr_t)pattern, i, item)
		if (json_is_string(item) && str_glob(json_string_value(item), text))
			return true;
	return false;
}

static bool narrowed_away(const struct conf_policy *settings, const char *component)
{
	for (char **glob = settings ? settings->match_component : NULL; glob; glob++) {
		if (!*glob)
			return true;
		if (str_glob(*glob, component))
			return false;
	}
	return false;
}

bool trigger_is_target(const struct policy_def *def, const struct conf_policy *settings,
	const struct conf_component *component)
{
	const json_t *targets = json_object_get(def->decl, "targets");
	bool named = targets || (settings && settings->match_component);

	return named && trigger_pattern(json_object_get(targets, "component"), component->name) &&
	       trigger_pattern(
		       json_object_get(targets, "kind"), conf_component_kinds[component->kind]) &&
	       trigger_pattern(json_object_get(targets, "unit"), component->unit) &&
	       trigger_pattern(json_object_get(targets, "environment"),
		       conf_environment_names[component->system->environment]) &&
	       !narrowed_away(settings, component->name);
}

bool trigger_matches(const json_t *decl, const struct conf_policy *settings,
	const struct incident *incident, const struct component *component, const char **ret_why)
{
	const json_t *on = json_object_get(json_object_get(decl, "on"), "incident");
	const struct {
		const char *key, *text, *why;
	} rules[] = {
		{"component", incident->component, "its component is another"},
		{"kind", component ? conf_component_kinds[component->conf->kind] : "",
			"the component is of another kind"},
		{"unit", component ? component->conf->unit : NULL,
			"the component has no unit, or another"},
		{"check", incident->check, "the check is another"},
		{"reason", tend_reason_name(incident->reason), "the reason is another"},
		{"severity", conf_severity_names[incident->severity], "the severity is another"},
		{"category", tend_reason_category(incident->reason),
			"the category of its reason is another"},
		{"class", fault_class_names[incident->class], "its class is another"},
		{"environment",
			component ? conf_environment_names[component->conf->system->environment]
				  : NULL,
			"the environment is another"},
	};

	*ret_why = "it has no trigger on incidents";
	if (!on)
		return false;
	*ret_why = "an operator has stopped it";
	if (incident->reason == TEND_REASON_UNIT_STOPPED)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		*ret_why = rules[i].why;
		if (!trigger_pattern(json_object_get(on, rules[i].key), rules[i].text))
			return false;
	}
	*ret_why = "the configuration narrows it to other components";
	return !narrowed_away(settings, incident->component);
}

enum conf_mode trigger_mode(
	const struct policies *p, const char *policy, const struct conf_system *system)
{
	const struct conf_policy *settings = policy_settings(p, policy);

	if (settings && settings->mode >= 0)
		return (enum conf_mode)settings->mode;
	return system ? (enum conf_mode)p->conf->daemon.mode[system->environment] : MODE_SUGGEST;
}

static void start_for_incident(struct policies *p, const struct policy_def *def,
	struct incident *incident, const struct component *component)
{
	const struct trigger trigger = {.kind = TRIGGER_INCIDENT,
		.def = def,
		.component = component,
		.check = watch_find_check(p->deps.watch, incident->check),
		.incident = incident,
		.params = policy_params(p, def->name),
		.author = "tend"};
	struct run *run = start_has_room(p, false) ? start_make(p, &trigger) : NULL;

	if (!run) {
		if (!start_has_room(p, false))
			json_decref(trigger.params);
		(void)gate_note(p, incident->id, def->name, "there is no room for another run");
		trigger_wish(p, clock_now() + COOLDOWN_MIN_USEC);
		return;
	}
	incident_note(
		p->deps.incidents, incident, "policy", "%s starts, run %s", def->name, run->id);
	run_begin(run);
}

/* In a mode that does not act: what would be done, said once. */
static void suggest(struct policies *p, const struct policy_def *def, struct incident *incident,
	enum conf_mode mode)
{
	bool hand = json_is_true(json_object_get(def->decl, "hand"));
	bool first = gate_note(p, incident->id, def->name, "mode is %s: it would run now%s%s%s%s",
		conf_mode_names[mode], hand ? ", by hand: tendctl policy run " : "",
		hand ? def->name : "", hand ? " " : "", hand ? incident->component : "");

	if (!first)
		return;
	if (mode != MODE_SUGGEST)
		log_notice("incident %s on '%s': policy '%s' would run now, its mode is %s",
			incident->id, incident->component, def->name, conf_mode_names[mode]);
	else if (hand)
		incident_note(p->deps.incidents, incident, "suggested", "tendctl policy run %s %s",
			def->name, incident->component);
	else
		incident_note(p->deps.incidents, incident, "suggested",
			"policy %s would run in mode auto", def->name);
}

static bool cools_down(
	struct policies *p, const struct policy_def *def, const struct incident *incident)
{
	usec_t wall = clock_wall(), at = cooldown_until(p, def->name, incident->component);
	char when[CLOCK_TEXT_BYTES];

	if (at <= wall)
		return false;
	(void)gate_note(p, incident->id, def->name, "cools down until %s", clock_format(at, when));
	trigger_wish(p, clock_now() + (at - wall));
	return true;
}

char *trigger_unset(const struct policies *p, const struct policy_def *def)
{
	auto_json json_t *params = policy_params(p, def->name);

	return params_check(def, params, true);
}

static void consider(struct policies *p, const struct policy_def *def, struct incident *incident,
	const struct component *component)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	enum conf_mode mode = trigger_mode(p, def->name, component->conf->system);
	const char *why, *frozen = policies_why_frozen(p);
	const struct run *live = run_find_live(p, incident->component);
	char held[HOLD_WHY_BYTES];
	bool fits = trigger_matches(def->decl, settings, incident, component, &why);
	auto_free char *unset = fits ? trigger_unset(p, def) : NULL;

	if (!fits)
		(void)gate_note(p, incident->id, def->name, "not for this incident: %s", why);
	else if (unset)
		(void)gate_note(p, incident->id, def->name, "not configured: %s", unset);
	else if (settings && !settings->enabled)
		(void)gate_note(p, incident->id, def->name, "the configuration disables it");
	else if (strike_disabled(p, def))
		(void)gate_note(p, incident->id, def->name, "%s", strike_disabled(p, def));
	else if (p->draining)
		(void)gate_note(p, incident->id, def->name, "Tend drains: no run begins any more");
	else if (mode < MODE_APPROVE)
		suggest(p, def, incident, mode);
	else if (live && strcmp(live->policy, def->name) != 0)
		(void)gate_note(p, incident->id, def->name, "%s runs on %s, one at a time",
			live->policy, incident->component);
	/* A person's word brings the trigger back. */
	else if (!live && hold_is(p, def->name, incident->id, held))
		(void)gate_note(p, incident->id, def->name, "%s", held);
	/* Actions that are allowed again bring the trigger back; so does the end of a run. */
	else if (frozen)
		(void)gate_note(p, incident->id, def->name, "actions are off: %s", frozen);
	else if (!live && !cools_down(p, def, incident))
		start_for_incident(p, def, incident, component);
}

/* When a run of the policy on the component last ended; 0 = none did. */
static usec_t last_turn(const struct policies *p, const char *policy, const char *component)
{
	const struct vec *lists[] = {&p->recent, &p->runs};
	usec_t last = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		VEC_FOREACH (lists[i], const struct run *, run)
			if (!run->describing && str_eq(run->policy, policy) &&
				str_eq(run->component, component))
				last = MAX(last, run->ended_wall);
	return last;
}

struct turn {
	const struct policy_def *def;
	usec_t last;
	size_t order;
};

static int by_turn(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->last != y->last)
		return x->last < y->last ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Several policies may be for it, and one runs at a time: who has not had a turn for longest is
 * first, so that one that never helps keeps no other from it. */
void trigger_incident(struct policies *p, struct incident *incident)
{
	struct component *component = watch_find_component(p->deps.watch, incident->component);
	auto_free struct turn *turns = NULL;
	size_t n = 0;

	if (!component || incident->phase == INCIDENT_CLOSED || !p->catalog)
		return;
	turns = calloc(p->catalog->defs.len + 1, sizeof(*turns));
	if (!turns)
		return;
	MAP_FOREACH (&p->catalog->defs, const struct policy_def *, def) {
		if (!json_object_get(json_object_get(def->decl, "on"), "incident"))
			continue;
		turns[n] = (struct turn){def, last_turn(p, def->name, incident->component), n};
		n++;
	}
	qsort(turns, n, sizeof(*turns), by_turn);
	for (size_t i = 0; i < n; i++)
		consider(p, turns[i].def, incident, component);
}

void trigger_all(struct policies *p)
{
	/* A run that is begun changes no list of incidents, so this walk is safe. */
	VEC_FOREACH (incidents_open(p->deps.incidents), struct incident *, incident)
		trigger_incident(p, incident);
}

void trigger_wish(struct policies *p, usec_t at)
{
	if (p->retry_at && p->retry_at <= at)
		return;
	p->retry_at = at;
	loop_timer_set(p->retry_timer, at);
}
