/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/private.h"

/* A pattern of a declaration: absent (anything), a string, or a list of strings. */
static bool pattern_matches(const json_t *pattern, const char *text)
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
	};

	*ret_why = "it has no trigger on incidents";
	if (!on)
		return false;
	*ret_why = "an operator has stopped it";
	if (incident->reason == TEND_REASON_UNIT_STOPPED)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		*ret_why = rules[i].why;
		if (!pattern_matches(json_object_get(on, rules[i].key), rules[i].text))
			return false;
	}
	*ret_why = "the configuration narrows it to other components";
	for (char **glob = settings ? settings->match_component : NULL; glob; glob++) {
		if (!*glob)
			return false;
		if (str_glob(*glob, incident->component))
			return true;
	}
	return true;
}

enum conf_mode trigger_mode(
	const struct policies *p, const char *policy, const struct conf_system *system)
{
	const struct conf_policy *settings = policy_settings(p, policy);

	if (settings && settings->mode >= 0)
		return (enum conf_mode)settings->mode;
	return system ? (enum conf_mode)p->conf->daemon.mode[system->environment] : MODE_SUGGEST;
}

static unsigned count_ended(
	const struct vec *runs, const char *policy, const char *incident, usec_t *last)
{
	unsigned n = 0;

	/* One that was only kept from acting has tried nothing: no cooling down from that. */
	VEC_FOREACH (runs, const struct run *, run)
		if (!run->describing && run->state != RUN_LIVE &&
			strcmp(run->policy, policy) == 0 && strcmp(run->incident, incident) == 0 &&
			(run->acted || !run->was_frozen)) {
			n++;
			*last = MAX(*last, run->ended_wall);
		}
	return n;
}

/* How often this policy ran for this incident, and when the last run ended. One that has ended is
 * in the first list until that is journalled. */
static unsigned runs_before(
	const struct policies *p, const char *policy, const char *incident, usec_t *last)
{
	return count_ended(&p->runs, policy, incident, last) +
	       count_ended(&p->recent, policy, incident, last);
}

static json_t *check_context(const struct check *check)
{
	json_t *metrics = json_object();

	for (size_t i = 0; i < check->last.n_metrics; i++)
		(void)json_object_set_new(metrics, check->last.metrics[i].name,
			json_real(check->last.metrics[i].value));
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", check->conf->name, "state",
		tend_state_name(check->state.hard), "reason", tend_reason_name(check->last.reason),
		"text", check->last.text, "metrics", metrics);
}

static json_t *make_context(const struct run *run, const struct component *component,
	const struct check *check, const struct incident *incident)
{
	const struct conf_component *conf = component->conf;
	json_t *ctx = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s?, s:s}}", "policy",
		run->policy, "run", run->id, "system", conf->system->name, "environment",
		conf_environment_names[conf->system->environment], "target", conf->name,
		"component", "name", conf->name, "short_name", conf->short_name, "unit", conf->unit,
		"kind", conf_component_kinds[conf->kind]);

	if (check)
		(void)json_object_set_new(ctx, "check", check_context(check));
	if (incident)
		(void)json_object_set_new(ctx, "incident",
			json_pack("{s:s, s:s, s:s, s:s, s:I}", "id", incident->id, "fingerprint",
				incident->fingerprint, "severity",
				conf_severity_names[incident->severity], "reason",
				tend_reason_name(incident->reason), "opened",
				(json_int_t)(incident->opened_wall / USEC_PER_SEC)));
	return ctx;
}

/* Makes the run; the caller begins it. */
static struct run *make_run(struct policies *p, const struct policy_def *def,
	const struct component *component, const struct check *check,
	const struct incident *incident, json_t *params, const char *author)
{
	struct run *run;

	if (p->runs.len >= POLICY_MAX_RUNS || run_new(p, &run) < 0) {
		json_decref(params);
		return NULL;
	}
	run->policy = strdup(def->name);
	run->component = strdup(component->conf->name);
	run->check = check ? strdup(check->conf->name) : NULL;
	run->author = strdup(author);
	run->chunk = strdup(def->file->chunk);
	run->source = strdup(def->file->source);
	memcpy(run->hash, def->file->hash, sizeof(run->hash));
	run->library = json_incref(p->catalog->library);
	run->params = params;
	if (incident)
		memcpy(run->incident, incident->id, UUID_TEXT_BYTES);
	if (run->policy)
		run->ctx = make_context(run, component, check, incident);
	if (!run->policy || !run->component || (check && !run->check) || !run->author ||
		!run->chunk || !run->source || !run->ctx) {
		run_free(run);
		return NULL;
	}
	return run;
}

static void start_for_incident(struct policies *p, const struct policy_def *def,
	struct incident *incident, const struct component *component)
{
	const struct check *check = watch_find_check(p->deps.watch, incident->check);
	struct run *run =
		make_run(p, def, component, check, incident, policy_params(p, def->name), "tend");

	if (!run) {
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
	usec_t last = 0, wall = clock_wall(), at;
	unsigned n = runs_before(p, def->name, incident->id, &last);
	char when[CLOCK_TEXT_BYTES];

	at = n ? last + limits_cooldown(n) : 0;
	if (at <= wall)
		return false;
	(void)gate_note(p, incident->id, def->name, "cools down until %s", clock_format(at, when));
	trigger_wish(p, clock_now() + (at - wall));
	return true;
}

static void consider(struct policies *p, const struct policy_def *def, struct incident *incident,
	const struct component *component)
{
	const struct conf_policy *settings = policy_settings(p, def->name);
	enum conf_mode mode = trigger_mode(p, def->name, component->conf->system);
	const char *why, *frozen = policies_why_frozen(p);
	const struct run *live = run_find_live(p, incident->component);

	if (!trigger_matches(def->decl, settings, incident, component, &why))
		(void)gate_note(p, incident->id, def->name, "not for this incident: %s", why);
	else if (settings && !settings->enabled)
		(void)gate_note(p, incident->id, def->name, "the configuration disables it");
	else if (mode != MODE_AUTO)
		suggest(p, def, incident, mode);
	else if (live && strcmp(live->policy, def->name) != 0)
		(void)gate_note(p, incident->id, def->name, "%s runs on %s, one at a time",
			live->policy, incident->component);
	/* Actions that are allowed again bring the trigger back; so does the end of a run. */
	else if (frozen)
		(void)gate_note(p, incident->id, def->name, "actions are off: %s", frozen);
	else if (!live && !cools_down(p, def, incident))
		start_for_incident(p, def, incident, component);
}

void trigger_incident(struct policies *p, struct incident *incident)
{
	struct component *component = watch_find_component(p->deps.watch, incident->component);

	if (!component || incident->phase == INCIDENT_CLOSED || !p->catalog)
		return;
	MAP_FOREACH (&p->catalog->defs, const struct policy_def *, def)
		consider(p, def, incident, component);
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

static struct incident *open_at(const struct policies *p, const char *component)
{
	VEC_FOREACH (incidents_open(p->deps.incidents), struct incident *, open)
		if (strcmp(open->component, component) == 0)
			return open;
	return NULL;
}

static int check_run_params(const struct policy_def *def, json_t *params, struct tend_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach (params, name, value) {
		auto_free char *text = catalog_unknown_param(def, name);

		if (text)
			return tend_error_set(err, -EINVAL, "%s", text);
	}
	return 0;
}

int policies_run(struct policies *policies, const char *name, const char *target, json_t *params,
	const char *author, char ret_run_id[UUID_TEXT_BYTES], struct tend_error *err)
{
	const struct policy_def *def =
		policies->catalog ? map_get(&policies->catalog->defs, name) : NULL;
	const struct conf_policy *settings = policy_settings(policies, name);
	struct check *check = target ? watch_find_check(policies->deps.watch, target) : NULL;
	struct component *component = check    ? check->component
				      : target ? watch_find_component(policies->deps.watch, target)
					       : NULL;
	struct incident *incident;
	const struct run *live;
	json_t *merged;
	struct run *run;

	if (!def)
		return tend_error_set(
			err, -ENOENT, "there is no policy '%s', see 'tendctl policy list'", name);
	if (!json_is_true(json_object_get(def->decl, "hand")))
		return tend_error_set(err, -EINVAL,
			"%s cannot be started by hand: it has no 'hand = true'", name);
	if (settings && !settings->enabled)
		return tend_error_set(err, -EINVAL, "the configuration disables %s", name);
	if (!component)
		return tend_error_set(err, -ENOENT, "'%s' is no component and no check; name one",
			target ? target : "");
	live = run_find_live(policies, component->conf->name);
	if (live)
		return tend_error_set(err, -EBUSY, "%s runs on %s already, run %s", live->policy,
			component->conf->name, live->id);
	incident = open_at(policies, component->conf->name);
	if (!check && incident)
		check = watch_find_check(policies->deps.watch, incident->check);
	merged = policy_params(policies, name);
	if (params)
		(void)json_object_update(merged, params);
	if (check_run_params(def, merged, err) < 0) {
		json_decref(merged);
		return -EINVAL;
	}
	run = make_run(policies, def, component, check, incident, merged, author);
	if (!run)
		return tend_error_set(err, -EBUSY, "there is no room for another run");
	memcpy(ret_run_id, run->id, UUID_TEXT_BYTES);
	if (incident)
		incident_note(policies->deps.incidents, incident, "policy",
			"%s is started by %s, run %s", name, author, run->id);
	run_begin(run);
	return 0;
}
