/* SPDX-License-Identifier: MIT */
/* The history of actions, which the limits judge by, and the groups that components form. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "policy/gates.h"
#include "policy/private.h"

#define ACTIONS_KEPT_USEC (48 * 3600 * USEC_PER_SEC)
#define ACTION_REFUSED	  "refused" /* beside the verdicts */

struct moment limits_now(void)
{
	return (struct moment){clock_wall(), clock_now()};
}

/* ---- groups: connected parts of the graph of dependencies ---------------------------------- */

static int push_all(struct vec *todo, const struct vec *more)
{
	int r = 0;

	VEC_FOREACH (more, struct conf_component *, component)
		if (r == 0)
			r = vec_push(todo, component);
	return r;
}

/* Everything that hangs together with `first` gets its name. */
static int name_group(struct map *groups, struct conf_component *first)
{
	struct vec todo = {0};
	int r = vec_push(&todo, first);

	while (r == 0 && todo.len > 0) {
		struct conf_component *c = todo.items[todo.len - 1];

		vec_remove(&todo, todo.len - 1);
		if (map_get(groups, c->name))
			continue;
		r = map_put(groups, c->name, first->name);
		if (r == 0)
			r = push_all(&todo, &c->parents);
		if (r == 0)
			r = push_all(&todo, &c->children);
	}
	vec_clear(&todo);
	return r;
}

int groups_apply(struct policies *p)
{
	struct map groups = {0};
	int r = 0;

	MAP_FOREACH (&p->conf->components, struct conf_component *, c)
		if (r == 0 && !map_get(&groups, c->name))
			r = name_group(&groups, c);
	if (r < 0) {
		map_clear(&groups);
		return r;
	}
	map_clear(&p->groups);
	p->groups = groups;
	return 0;
}

const char *group_of(const struct policies *p, const char *component)
{
	return component ? map_get(&p->groups, component) : NULL;
}

/* ---- moments over a restart: the monotonic clock is the machine's, until it boots ----------- */

const char *boot_id(void)
{
	static char id[40];
	auto_free char *text = NULL;

	if (!id[0] && fs_read_file("/proc/sys/kernel/random/boot_id", 64, &text, NULL) == 0)
		(void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(text, "\n"), text);
	return id[0] ? id : NULL;
}

/* ---- actions -------------------------------------------------------------------------------- */

void action_row_free(struct action_row *row)
{
	if (!row)
		return;
	free(row->target);
	free(row->policy);
	free(row->path);
	free(row->verb);
	free(row);
}

static void forget_old(struct policies *p)
{
	while (p->actions.len > 0) {
		struct action_row *oldest = p->actions.items[0];

		if (p->actions.len <= POLICY_MAX_ACTIONS &&
			limits_recent(oldest->action.at, limits_now(), ACTIONS_KEPT_USEC))
			return;
		vec_remove(&p->actions, 0);
		action_row_free(oldest);
	}
}

/* Into the history; NULL: no memory. */
static struct action_row *add(struct policies *p, const char *target, const char *policy,
	const char *run, const char *path, const char *verb)
{
	struct action_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->target = strdup(target);
	row->policy = strdup(policy);
	row->path = strdup(path);
	row->verb = strdup(verb);
	(void)snprintf(row->run, sizeof(row->run), "%s", run);
	row->action =
		(struct action){.target = row->target, .policy = row->policy, .run = row->run};
	if (row->target && row->policy && row->path && row->verb && vec_push(&p->actions, row) == 0)
		return row;
	action_row_free(row);
	return NULL;
}

bool path_is_cleanup(const char *path)
{
	return *path == 'f' || *path == 'u';
}

void actions_forget(struct step *step)
{
	struct vec *actions = &step->run->policies->actions;

	for (size_t i = actions->len; i-- > 0;) {
		struct action_row *row = actions->items[i];

		if (strcmp(row->run, step->run->id) != 0 || strcmp(row->path, step->path) != 0)
			continue;
		vec_remove(actions, i);
		action_row_free(row);
		return;
	}
}

static int add_row(const struct action_row *row, const char *outcome, struct store_batch *batch)
{
	return store_batch_add(batch, STORE_ACTION_ADD, "sisssssisi", row->target,
		(int64_t)row->action.at.wall, row->run, row->path, row->verb, outcome, row->policy,
		(int64_t)row->action.own, boot_id(), (int64_t)row->action.at.mono);
}

int actions_add_refused(const struct step *step, struct store_batch *batch)
{
	struct action_row row = {.action.at.wall = step->intent_wall,
		.target = step->target,
		.policy = step->run->policy,
		.path = step->path,
		.verb = (char *)(uintptr_t)step->verb->name};

	memcpy(row.run, step->run->id, sizeof(row.run));
	return add_row(&row, ACTION_REFUSED, batch);
}

int actions_begun(struct step *step, struct store_batch *batch)
{
	struct run *run = step->run;
	struct policies *p = run->policies;
	struct action_row *row =
		add(p, step->target, run->policy, run->id, step->path, step->verb->name);

	/* The limits cannot count what they do not know of. */
	if (!row)
		return -ENOMEM;
	row->action.at = (struct moment){step->intent_wall, clock_now()};
	row->action.verdict = ACTION_OPEN;
	row->action.own = run_has_own_account(run);
	forget_old(p);
	return add_row(row, action_verdict_names[ACTION_OPEN], batch);
}

size_t actions_plain(const struct policies *p, struct action **ret_actions)
{
	struct action *list = calloc(p->actions.len + 1, sizeof(*list));
	size_t n = 0;

	*ret_actions = list;
	if (!list)
		return 0;
	VEC_FOREACH (&p->actions, const struct action_row *, row) {
		list[n] = row->action;
		list[n++].group = group_of(p, row->target);
	}
	return n;
}

/* Without what only cleans up: no breaker is moved by that. */
static size_t actions_own(const struct policies *p, struct action **ret_actions)
{
	struct action *list = calloc(p->actions.len + 1, sizeof(*list));
	size_t n = 0;

	*ret_actions = list;
	if (!list)
		return 0;
	VEC_FOREACH (&p->actions, const struct action_row *, row)
		if (!path_is_cleanup(row->path) &&
			!limits_until(row->action.at, breakers_closed_at(p, row->policy)))
			list[n++] = row->action;
	return n;
}

int policies_breaker(const struct policies *p, const char *policy, const char *target,
	const char *run, struct breaker *ret_breaker)
{
	auto_free struct action *actions = NULL;
	size_t n = actions_own(p, &actions);

	if (!actions)
		return -ENOMEM;
	*ret_breaker = limits_breaker(actions, n, policy, target, run, limits_now());
	return 0;
}

/* ---- verdicts ------------------------------------------------------------------------------- */

/* What no symptom has called for is judged by its own word. */
static enum action_verdict verdict_on(const struct run *run)
{
	bool helped = run->verified || (!run->incident[0] && run->state == RUN_DONE);

	if (run->state == RUN_CANCELLED && !run->limit_hit && !run->worse)
		return ACTION_CANCELLED;
	return helped && !run->worse ? ACTION_VERIFIED : ACTION_UNVERIFIED;
}

/* An open breaker pages once; each further failure of its tries is in the timeline. */
static void tell_breaker(
	struct policies *p, struct run *run, const char *target, const struct breaker *was)
{
	struct incident *incident = run_incident(run);
	char when[CLOCK_TEXT_BYTES], text[512];
	struct breaker now;

	if (policies_breaker(p, run->policy, target, NULL, &now) < 0 || now.state != BREAKER_OPEN)
		return;
	(void)snprintf(text, sizeof(text),
		"the breaker of policy %s on %s is open after %u runs that did not help; one "
		"try is let through at %s",
		run->policy, target, now.n_failures, clock_format(now.until, when));
	log_warning("run %s: %s", run->id, text);
	if (incident)
		incident_note(p->deps.incidents, incident, "breaker", "%s", text);
	if (was->n_failures < BREAKER_FAILURES)
		policies_page(p, run, NULL, "%s", text);
}

static void judge_row(struct policies *p, struct run *run, struct action_row *row)
{
	struct breaker was = {.n_failures = BREAKER_FAILURES};

	(void)policies_breaker(p, run->policy, row->target, NULL, &was);
	row->action.verdict = verdict_on(run);
	if (row->action.verdict == ACTION_UNVERIFIED && !path_is_cleanup(row->path))
		tell_breaker(p, run, row->target, &was);
}

void actions_judge(struct policies *p, struct run *run)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	size_t n = 0;
	int r = store_batch_new(&batch);

	VEC_FOREACH (&p->actions, struct action_row *, row) {
		if (strcmp(row->run, run->id) != 0)
			continue;
		judge_row(p, run, row);
		if (r == 0)
			r = add_row(row, action_verdict_names[row->action.verdict], batch);
		n++;
	}
	if (n > 0 && r == 0)
		r = store_commit(p->deps.store, TAKE(batch), NULL, NULL);
	if (n > 0 && r < 0)
		log_warning("run %s: the verdict on its actions is not kept", run->id);
}

/* ---- over a restart ------------------------------------------------------------------------- */

static const char *text_of(json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static int load_one(struct policies *p, json_t *row)
{
	struct action_row *action = add(p, text_of(row, "target"), text_of(row, "policy"),
		text_of(row, "run"), text_of(row, "path"), text_of(row, "verb"));

	if (!action)
		return -ENOMEM;
	action->action.verdict = ACTION_UNVERIFIED;
	for (int k = 0; k < ACTION_VERDICT_MAX; k++)
		if (strcmp(action_verdict_names[k], text_of(row, "outcome")) == 0)
			action->action.verdict = (enum action_verdict)k;
	action->action.own = json_integer_value(json_object_get(row, "own")) != 0;
	action->action.at.wall = (usec_t)json_integer_value(json_object_get(row, "at"));
	action->action.at.mono = (usec_t)json_integer_value(json_object_get(row, "mono"));
	action->action.at.mono = limits_mono_of(action->action.at, limits_now());
	return 0;
}

int actions_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	struct moment now = limits_now();
	size_t i;
	json_t *row;
	int r = store_read_now(p->deps.store, STORE_QUERY_ACTIONS_KEPT, &rows, "isi",
		(int64_t)(now.wall - MIN(now.wall, ACTIONS_KEPT_USEC)), boot_id(),
		(int64_t)(now.mono - MIN(now.mono, ACTIONS_KEPT_USEC)));

	json_array_foreach (rows, i, row)
		if (r == 0 && strcmp(text_of(row, "outcome"), ACTION_REFUSED) != 0)
			r = load_one(p, row);
	return r;
}

/* ---- cool-down ------------------------------------------------------------------------------ */

/* One that was only kept from acting has tried nothing: no cooling down from that. */
static bool has_tried(const struct run *run, const char *policy, const char *component)
{
	return !run->describing && !run->dry && run->state != RUN_LIVE &&
	       (run->acted || !run->was_frozen) && str_eq(run->policy, policy) &&
	       str_eq(run->component, component);
}

static size_t collect_runs(const struct vec *runs, const char *policy, const char *component,
	struct limits_run *ret_runs)
{
	size_t n = 0;

	VEC_FOREACH (runs, const struct run *, run)
		if (has_tried(run, policy, component))
			ret_runs[n++] = (struct limits_run){run->started_wall, run->ended_wall};
	return n;
}

usec_t cooldown_until(const struct policies *p, const char *policy, const char *component)
{
	const struct conf_daemon *conf = &p->conf->daemon;
	auto_free struct limits_run *runs = calloc(p->recent.len + p->runs.len + 1, sizeof(*runs));
	size_t n;

	if (!runs)
		return clock_wall() + COOLDOWN_MIN_USEC;
	n = collect_runs(&p->recent, policy, component, runs);
	/* One that has ended is here until that is journalled. */
	n += collect_runs(&p->runs, policy, component, runs + n);
	return limits_cooldown(runs, n, conf->cooldown, conf->cooldown_stable, clock_wall());
}

usec_t cooldown_wish(const struct policies *p)
{
	return clock_now() + MAX(p->conf->daemon.cooldown, USEC_PER_SEC);
}

/* ---- views ---------------------------------------------------------------------------------- */

static bool seen_before(const struct policies *p, const struct action_row *row)
{
	VEC_FOREACH (&p->actions, const struct action_row *, other) {
		if (other == row)
			return false;
		if (strcmp(other->target, row->target) == 0 &&
			strcmp(other->policy, row->policy) == 0)
			return true;
	}
	return false;
}

json_t *breakers_to_json(const struct policies *p)
{
	json_t *list = json_array();
	char until[CLOCK_TEXT_BYTES];

	VEC_FOREACH (&p->actions, const struct action_row *, row) {
		struct breaker b;

		if (seen_before(p, row) ||
			policies_breaker(p, row->policy, row->target, NULL, &b) < 0 ||
			b.n_failures == 0)
			continue;
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:i, s:s?}", "policy", row->policy, "target",
				row->target, "state", breaker_state_names[b.state], "failures",
				(int)b.n_failures, "until",
				b.state == BREAKER_OPEN ? clock_format(b.until, until) : NULL));
	}
	return list;
}

json_t *budgets_to_json(const struct policies *p)
{
	auto_free struct action *actions = NULL;
	size_t n = actions_plain(p, &actions);
	const struct conf_daemon *conf = &p->conf->daemon;
	const struct action common = {.own = false}, own = {.own = true};
	struct moment now = limits_now();

	return json_pack("{s:I, s:I, s:I, s:i, s:I, s:i}", "per_target",
		(json_int_t)conf->budget_per_target, "per_group",
		(json_int_t)gate_budget_per_group(conf), "global", (json_int_t)conf->budget_global,
		"used", actions ? (int)limits_used(actions, n, &common, LIMITS_GLOBAL, now) : 0,
		"maintenance", (json_int_t)conf->budget_maintenance, "maintenance_used",
		actions ? (int)limits_used(actions, n, &own, LIMITS_GLOBAL, now) : 0);
}
