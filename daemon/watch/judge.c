/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "watch/private.h"
#include "watch/report_read.h"

/* How long a confirmed failure waits for its parents' answers at most. */
#define LOCATE_MAX_USEC (5 * USEC_PER_SEC)
/* Room for at most so many times the metrics there are is kept for the next result. */
enum { KEEP_ROOM = 4, NAME_BYTES = 64 };

struct locate {
	struct watch *watch;
	struct check *check;
	struct loop_source *timer;
	unsigned n_pending;
	bool starting;
};

static struct component *lookup_component(const struct conf_component *conf, void *data)
{
	struct watch *w = data;

	return map_get(&w->components, conf->name);
}

static struct state_conf state_conf_of(const struct conf_check *conf)
{
	return (struct state_conf){
		.confirm_failures = (unsigned)conf->confirm_failures,
		.confirm_window = (unsigned)conf->confirm_window,
		.confirm_recoveries = (unsigned)conf->confirm_recoveries,
		.flap_high = (unsigned)conf->flap_high,
		.flap_low = (unsigned)conf->flap_low,
	};
}

/* ---- telling
 * ----------------------------------------------------------------------------------------- */

static void log_state(const struct check *check)
{
	char field[256];
	const char *const fields[] = {LOG_ID_STATE, field, NULL};

	(void)snprintf(field, sizeof(field), "TEND_CHECK=%s", check->conf->name);
	log_at(state_failed(check->state.hard) ? LOG_WARNING : LOG_NOTICE, fields,
		"check '%s': %s%s: %s", check->conf->name, tend_state_name(check->state.hard),
		check->unreachable ? " (unreachable)" : "", check->last.text);
}

int watch_put_state(const struct check *check, struct store_batch *batch)
{
	auto_json json_t *state = json_pack("{s:s, s:s, s:I, s:s?, s:s, s:o*, s:o*, s:O*, s:o*}",
		"hard", tend_state_name(check->state.hard), "reason",
		tend_reason_name(check->last.reason), "hard_since",
		(json_int_t)check->state.hard_since_wall, "unreachable_because",
		check->unreachable ? check->unreachable_why : NULL, "text", check->last.text,
		"report", report_to_json(check->report), "event", event_to_json(check->event),
		"raised", json_object_size(check->raised) ? check->raised : NULL, "flapping",
		check->state.flapping ? json_integer((json_int_t)check->state.verdicts) : NULL);

	return state ? store_batch_add(batch, STORE_CHECK_STATE_PUT, "sji", check->conf->name,
			       state, (int64_t)clock_wall())
		     : -ENOMEM;
}

void watch_save_state(struct watch *w, struct check *check)
{
	struct store_batch *batch;

	if (!w->store || store_batch_new(&batch) < 0)
		return;
	/* A state that is lost is found again by the next results; nobody waits for this commit. */
	if (watch_put_state(check, batch) < 0 || memory_put(check, batch) < 0) {
		store_batch_free(batch);
		return;
	}
	memory_put_done(check);
	if (store_commit(w->store, batch, NULL, NULL) < 0)
		log_warning("check '%s': its state is not kept over a restart", check->conf->name);
}

static void tell(struct watch *w, struct check *check, unsigned events)
{
	if (events & (STATE_EVENT_HARD | STATE_EVENT_FLAPPING | STATE_EVENT_STEADY)) {
		log_state(check);
		watch_save_state(w, check);
	}
	if (w->on_result)
		w->on_result(check, events, w->on_result_data);
}

/* ---- locating
 * ---------------------------------------------------------------------------------------- */

static void promote(struct watch *w, struct check *check)
{
	unsigned events = state_force_hard(&check->state, clock_wall());

	check->locate = watch_locate_free(check->locate);
	if (check->located && !events)
		return;
	check->located = true;
	watch_update_component(w, check->component);
	tell(w, check, events | STATE_EVENT_HARD);
}

/* The parents have answered, or had their time: the fault is where the deepest failing one is. */
static void conclude(struct watch *w, struct check *check, bool confirmed)
{
	struct component *culprit = depend_culprit(check->component, lookup_component, w);
	struct check *root;

	check->locate = watch_locate_free(check->locate);
	if (culprit && culprit->members.len > 0)
		group_look(w, culprit);
	VEC_FOREACH (&check->component->groups, struct component *, group)
		if (!culprit && depend_is_down(group))
			group_look(w, group);
	root = depend_root_check(culprit ? culprit : check->component);
	if (!state_failed(check->state.hard))
		return; /* it has recovered meanwhile */
	check->unconfirmed = !confirmed && !culprit;
	check->unreachable = culprit != NULL;
	(void)snprintf(check->unreachable_why, sizeof(check->unreachable_why), "%s",
		culprit ? culprit->conf->name : "");
	if (root && root != check) {
		root->unconfirmed = check->unconfirmed;
		promote(w, root);
	}
	check->located = true;
	watch_update_component(w, check->component);
	tell(w, check, STATE_EVENT_HARD);
}

void watch_conclude(struct watch *w, struct check *check)
{
	conclude(w, check, true);
}

static void on_parent_answered(int r, struct check *parent, void *data)
{
	struct locate *l = data;

	if (--l->n_pending == 0 && !l->starting)
		conclude(l->watch, l->check, true);
}

static void on_locate_timeout(void *data)
{
	struct locate *l = data;

	log_info("check '%s': its parents did not answer in time, the cause is not confirmed",
		l->check->conf->name);
	conclude(l->watch, l->check, false);
}

struct locate *watch_locate_free(struct locate *l)
{
	if (!l)
		return NULL;
	if (l->n_pending)
		watch_run_forget(l->watch, l);
	loop_source_free(l->timer);
	free(l);
	return NULL;
}

static usec_t ask_parents(struct watch *w, struct locate *l)
{
	struct vec ancestors = {0};
	usec_t longest = 0;

	(void)depend_ancestors(l->check->component, lookup_component, w, &ancestors);
	/* Where its whole group goes down that is told, so the others of the group are asked, too.
	 */
	VEC_FOREACH (&l->check->component->groups, const struct component *, group)
		VEC_FOREACH (&group->members, struct component *, member)
			if (member != l->check->component)
				(void)vec_push(&ancestors, member);
	VEC_FOREACH (&ancestors, struct component *, component)
		VEC_FOREACH (&component->checks, struct check *, parent) {
			if (watch_run_now(w, parent->conf->name, 0, on_parent_answered, l) < 0)
				continue;
			l->n_pending++;
			longest = MAX(longest, parent->conf->timeout);
		}
	vec_clear(&ancestors);
	return MIN(longest + 100 * USEC_PER_MSEC, LOCATE_MAX_USEC);
}

void watch_locate(struct watch *w, struct check *check)
{
	struct locate *l;
	usec_t wait;

	if (check->locate)
		return;
	l = calloc(1, sizeof(*l));
	if (!l || loop_timer_new(w->loop, on_locate_timeout, l, &l->timer) < 0) {
		free(l);
		conclude(w, check, false);
		return;
	}
	l->watch = w;
	l->check = check;
	l->starting = true;
	check->locate = l;
	wait = ask_parents(w, l);
	l->starting = false;
	if (l->n_pending == 0)
		conclude(w, check, true);
	else
		loop_timer_set(l->timer, clock_now() + wait);
}

/* ---- components
 * -------------------------------------------------------------------------------------- */

enum tend_state watch_check_shown_state(const struct check *check)
{
	if (check->unreachable && state_failed(check->state.hard))
		return TEND_STATE_UNREACHABLE;
	return check->state.hard;
}

static enum tend_state worst_of_checks(const struct component *component)
{
	enum tend_state worst = TEND_STATE_PENDING;

	VEC_FOREACH (&component->checks, const struct check *, check)
		worst = state_worse(worst, watch_check_shown_state(check));
	return worst;
}

/* What hung on a component that is well again is asked first: most of it is well too. */
static void recheck_children(struct watch *w, const struct conf_component *conf)
{
	VEC_FOREACH (&conf->children, const struct conf_component *, child_conf) {
		struct component *child = lookup_component(child_conf, w);

		if (!child)
			continue;
		VEC_FOREACH (&child->checks, struct check *, check) {
			if (!check->unreachable)
				continue;
			state_forget_history(&check->state);
			check->counted = 0;
			check->run_again = check->attempt != NULL;
			if (!check->attempt)
				schedule_put(w, check, clock_now());
		}
		recheck_children(w, child_conf);
	}
}

void watch_update_component(struct watch *w, struct component *component)
{
	enum tend_state state = worst_of_checks(component), before = component->state;

	if (state == before)
		return;
	component->state = state;
	component->since_wall = clock_wall();
	if (w->on_component)
		w->on_component(component, w->on_component_data);
	group_member_changed(w, component);
	if (before == TEND_STATE_CRITICAL)
		recheck_children(w, component->conf);
}

/* ---- a result
 * ---------------------------------------------------------------------------------------- */

const char *watch_threshold(char *const *map, const char *metric)
{
	size_t n = strlen(metric);

	for (; map && *map; map++)
		if (strncmp(*map, metric, n) == 0 && (*map)[n] == '=')
			return *map + n + 1;
	return NULL;
}

/* What `raised` knows it by. */
static const char *metric_key(const struct metric *m, char buf[128])
{
	(void)snprintf(buf, 128, "%s%s%s", m->name, m->instance[0] ? ":" : "", m->instance);
	return buf;
}

/* What has alerted stays so until it is inside the range of clear.METRIC. */
static bool stays(struct check *check, struct metric *m)
{
	const char *clear = watch_threshold(check->conf->thresholds_clear, m->name);
	char key[128];
	const char *before = json_string_value(json_object_get(check->raised, metric_key(m, key)));
	int was = before ? tend_state_from_name(before) : -ENOENT;
	struct range range;

	if (!clear || was < 0 || range_parse(clear, &range) < 0 || !range_alerts(&range, m->value))
		return false;
	if (state_worse((enum tend_state)was, m->verdict) == m->verdict)
		return false; /* it alerts as it is */
	m->verdict = (enum tend_state)was;
	return true;
}

/* Remembers it, for the next result. */
static void note_raised(struct check *check, const struct metric *m)
{
	char key[128];

	if (!watch_threshold(check->conf->thresholds_clear, m->name))
		return;
	if (m->verdict == TEND_STATE_OK) {
		(void)json_object_del(check->raised, metric_key(m, key));
		return;
	}
	if (!check->raised)
		check->raised = json_object();
	(void)json_object_set_new(
		check->raised, metric_key(m, key), json_string(tend_state_name(m->verdict)));
}

static void judge_metric(const struct conf_check *conf, struct metric *m)
{
	const char *warning = watch_threshold(conf->thresholds_warning, m->name);
	const char *critical = watch_threshold(conf->thresholds_critical, m->name);

	m->has_warning = warning && range_parse(warning, &m->warning) == 0;
	m->has_critical = critical && range_parse(critical, &m->critical) == 0;
	m->verdict = TEND_STATE_OK;
	if (m->has_critical && range_alerts(&m->critical, m->value))
		m->verdict = TEND_STATE_CRITICAL;
	else if (m->has_warning && range_alerts(&m->warning, m->value))
		m->verdict = TEND_STATE_WARNING;
}

static bool is_bad(enum tend_state verdict)
{
	return verdict != TEND_STATE_OK && verdict != TEND_STATE_PENDING;
}

/* Thresholds can make a good result bad, never a bad one good. */
static void judge_metrics(struct check *check, struct result *result)
{
	const struct conf_check *conf = check->conf;

	for (size_t i = 0; i < result->n_metrics; i++) {
		struct metric *m = &result->metrics[i];
		bool kept;

		judge_metric(conf, m);
		kept = stays(check, m);
		note_raised(check, m);
		if (m->verdict == TEND_STATE_OK || result->verdict == TEND_STATE_CRITICAL ||
			(is_bad(result->verdict) && m->verdict == TEND_STATE_WARNING))
			continue;
		if (!is_bad(result->verdict) || result->reason == TEND_REASON_THRESHOLD) {
			const char *range = watch_threshold(kept ? conf->thresholds_clear
							    : m->verdict == TEND_STATE_CRITICAL
								    ? conf->thresholds_critical
								    : conf->thresholds_warning,
				m->name);
			bool inverse = range[0] == '@'; /* it alerts inside */

			result->reason = TEND_REASON_THRESHOLD;
			(void)snprintf(result->text, sizeof(result->text),
				kept ? "%s%s%s is %g%s, still %s until it is %s the range %s"
				     : "%s%s%s is %g%s, %s %s the range %s",
				m->name, m->instance[0] ? " of " : "", m->instance, m->value,
				m->unit, tend_state_name(m->verdict),
				inverse ? kept ? "outside" : "inside"
				: kept	? "in"
					: "outside",
				range + inverse);
		}
		result->verdict = m->verdict;
	}
}

static int keys_of(struct result *result, struct map *keys)
{
	char buf[128];
	int r = 0;

	for (size_t i = 0; i < result->n_metrics && r == 0; i++)
		r = map_put(keys, metric_key(&result->metrics[i], buf), &result->metrics[i]);
	return r;
}

/* Instances come and go (a disk that is unmounted): what a good result does not name is no more. */
static void forget_gone(struct check *check, struct result *result)
{
	struct map keys = {0};
	const char *key;
	json_t *value;
	void *next;

	if (tend_reason_verdict(result->reason) != TEND_STATE_OK &&
		result->reason != TEND_REASON_THRESHOLD)
		return;
	if (json_object_size(check->raised) > 0 && keys_of(result, &keys) == 0)
		json_object_foreach_safe(check->raised, next, key, value)
		{
			if (strchr(key, ':') && !map_get(&keys, key))
				(void)json_object_del(check->raised, key);
		}
	map_clear(&keys);
}

static bool has_metric(const struct result *result, const char *threshold)
{
	size_t n = strcspn(threshold, "=");

	for (size_t i = 0; i < result->n_metrics; i++)
		if (strncmp(result->metrics[i].name, threshold, n) == 0 &&
			!result->metrics[i].name[n])
			return true;
	return false;
}

/* Where the configuration makes the metrics (a column, a program's figure), what it names must
 * come. A row of the probe's own table says itself whether it always does (a rate does not the
 * first time), and instances come and go. */
static bool must_come(const struct conf_check *conf, const char *threshold)
{
	const struct tend_probe *probe = conf->probe;
	size_t n = strcspn(threshold, "=");
	char name[NAME_BYTES];
	bool by_conf = false;

	for (const struct tend_metric_doc *doc = probe->metric_docs; doc && doc->name; doc++) {
		size_t capitals = strspn(doc->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		size_t end = strlen(doc->name + capitals);

		if (capitals == 0 && end == n && strncmp(doc->name, threshold, n) == 0)
			return doc->comes == TEND_COMES_ALWAYS;
		if (capitals && end && n > end &&
			strncmp(threshold + n - end, doc->name + capitals, end) == 0)
			return false;
		by_conf |= capitals && !end && doc->comes != TEND_COMES_IN_INSTANCES;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)n, threshold);
	return by_conf || (probe->always_comes && probe->always_comes(conf->probe_conf, name));
}

/* One that must come before one that need not. */
static const char *missing_metric(
	const struct check *check, const struct result *result, bool *ret_must_come)
{
	char *const *const rows[] = {
		check->conf->thresholds_critical, check->conf->thresholds_warning};
	const char *missing = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (char *const *row = rows[i]; row && *row; row++) {
			if (has_metric(result, *row))
				continue;
			*ret_must_come = must_come(check->conf, *row);
			if (*ret_must_come)
				return *row;
			missing = missing ? missing : *row;
		}
	return missing;
}

/* A threshold that is never judged looks like one that holds: a good result says so, or is none. */
static void tell_missing(struct check *check, struct result *result)
{
	bool is_needed = false;
	const char *missing = missing_metric(check, result, &is_needed);
	auto_str struct str text = STR_INIT(sizeof(result->text));

	if (!missing || result->reason != TEND_REASON_OK)
		return;
	if (check->report)
		return; /* what was reported is said as it was said */
	(void)str_appendf(&text, "threshold of '%.*s': the check has no such metric (it has: ",
		(int)strcspn(missing, "="), missing);
	for (size_t i = 0; i < result->n_metrics; i++)
		if (i == 0 || strcmp(result->metrics[i].name, result->metrics[i - 1].name) != 0)
			(void)str_appendf(&text, "%s%s", i ? ", " : "", result->metrics[i].name);
	(void)str_appendf(&text, "%s)", result->n_metrics ? "" : "none");
	if (!check->missing_told)
		log_warning("check '%s': %s", check->conf->name, str_get(&text));
	check->missing_told = true;
	(void)snprintf(result->text, sizeof(result->text), "%s", str_get(&text));
	/* None at all is what a query of no rows gives, too: that may be well. */
	if (!is_needed || result->n_metrics == 0)
		return;
	result->reason = TEND_REASON_NO_EVIDENCE;
	result->verdict = tend_reason_verdict(result->reason);
}

static enum tend_state apply_severity(const struct conf_check *conf, enum tend_state verdict)
{
	if (verdict != TEND_STATE_CRITICAL || conf->severity < 0)
		return verdict;
	return conf->severity == SEVERITY_CRITICAL ? TEND_STATE_CRITICAL : TEND_STATE_WARNING;
}

static void tell_left_out(struct check *check, const struct result *last)
{
	if (last->n_left_out > 0 && !check->left_out_told)
		log_warning("check '%s': %zu of its metrics are left out, a result holds %d: no "
			    "thresholds, no history and no alarm for them; split it",
			check->conf->name, last->n_left_out, (int)TEND_SAMPLES_MAX);
	check->left_out_told = last->n_left_out > 0;
	check->watch->stats.n_left_out += last->n_left_out;
}

/* They stay where they are, if that is not far too much room: else what lives on comes to lie
 * between what a burst of attempts leaves behind, and none of those pages could go back to the
 * kernel. */
static void keep_metrics(struct result *last, struct attempt_end *end)
{
	size_t n = end->n_metrics;
	struct metric *fit;

	last->n_metrics = n;
	if (n <= last->max_metrics && (n == 0 || last->max_metrics <= KEEP_ROOM * n)) {
		if (n > 0)
			memcpy(last->metrics, end->metrics, n * sizeof(*last->metrics));
		return;
	}
	free(last->metrics);
	last->metrics = TAKE(end->metrics);
	last->max_metrics = n;
	fit = reallocarray(last->metrics, n, sizeof(*fit));
	if (fit)
		last->metrics = fit;
}

static void keep_result(struct check *check, struct attempt_end *end)
{
	struct result *last = &check->last;

	last->reason = end->reason;
	last->verdict = tend_reason_verdict(end->reason);
	/* Only who is told can wait; who asks knows, or does not. */
	if (last->verdict == TEND_STATE_PENDING && !check->report)
		last->verdict = TEND_STATE_UNKNOWN;
	(void)snprintf(last->text, sizeof(last->text), "%s",
		end->text && *end->text ? end->text : tend_reason_text(end->reason));
	last->started = end->started;
	last->finished = end->finished;
	last->finished_wall = clock_wall() - (clock_now() - end->finished);
	last->n_left_out = end->n_left_out;
	keep_metrics(last, end);
	last->number++;
	judge_metrics(check, last);
	if (check->watch->on_judge)
		check->watch->on_judge(check->conf, last, check->watch->on_judge_data);
	forget_gone(check, last);
	tell_missing(check, last);
	tell_left_out(check, last);
	last->verdict = apply_severity(check->conf, last->verdict);
}

/* Failures confirm each other only at a distance: a unit on its way down makes several results
 * within milliseconds (stopping, failed), and they are one observation. */
static unsigned take_verdict(struct check *check, const struct state_conf *conf)
{
	enum tend_state verdict = check->last.verdict;
	const struct conf_check *cc = check->conf;
	usec_t apart =
		MIN(cc->interval, cc->retry_interval ? cc->retry_interval : cc->interval) / 2;

	if (verdict == TEND_STATE_PENDING) {
		check->counted = 0;
		return state_await(&check->state, clock_wall());
	}
	if (state_failed(verdict) && state_failed(check->state.now) && check->counted &&
		check->last.started < check->counted + apart)
		return state_glimpse(&check->state, verdict, clock_wall());
	check->counted = check->last.started;
	return state_step(&check->state, conf, verdict, clock_wall());
}

static void say_flapping(struct check *check)
{
	char text[RESULT_TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
		"flapping, %u%% of the last results were changes; last: %.380s",
		state_flap_percent(&check->state), check->last.text);
	(void)snprintf(check->last.text, sizeof(check->last.text), "%s", text);
}

/* `located`: what it depends on has just answered. */
static void take_result(struct watch *w, struct check *check, struct attempt_end *end, bool located)
{
	struct state_conf conf = state_conf_of(check->conf);
	enum tend_state shown = watch_check_shown_state(check);
	unsigned events;
	bool to_locate;

	keep_result(check, end);
	memory_take(check, end->remembered);
	/* An overrun is no attempt's end: that one still runs, and is counted when it ends. */
	if (check->last.reason != TEND_REASON_OVERRUN && check->last.verdict != TEND_STATE_PENDING)
		*(state_failed(check->last.verdict) ? &check->n_failed : &check->n_good) += 1;
	events = take_verdict(check, &conf);
	if (events & STATE_EVENT_FLAPPING)
		say_flapping(check);
	if (!state_failed(check->state.hard)) {
		check->locate = watch_locate_free(check->locate);
		check->unreachable = false;
		check->unconfirmed = false;
		check->located = false;
	}
	/* A new hard failure, or one that outlives its parent's recovery. */
	to_locate = state_failed(check->state.hard) && state_failed(check->last.verdict) &&
		    ((events & STATE_EVENT_HARD) || !check->located ||
			    (check->unreachable && state_confirmed(&check->state, &conf) &&
				    !depend_culprit(check->component, lookup_component, w)));
	/* Else every result would walk all checks of its component. */
	if (watch_check_shown_state(check) != shown)
		watch_update_component(w, check->component);
	tell(w, check, to_locate ? events & ~(unsigned)STATE_EVENT_HARD : events);
	/* With the state it led to, though that is told later: a cursor that has moved on would not
	 * see the fault again. */
	if (memory_is_due(check) && (events & STATE_EVENT_HARD))
		watch_save_state(w, check);
	else if (memory_is_due(check))
		memory_save(w, check);
	if (to_locate && located)
		conclude(w, check, true);
	else if (to_locate)
		watch_locate(w, check);
}

void watch_take_result(struct watch *w, struct check *check, struct attempt_end *end)
{
	take_result(w, check, end, false);
}

void watch_take_located(struct watch *w, struct check *check, struct attempt_end *end)
{
	take_result(w, check, end, true);
}

/* ---- over restarts
 * ----------------------------------------------------------------------------------- */

void watch_load_states(struct watch *w)
{
	auto_json json_t *rows = NULL;
	size_t i;
	json_t *row;

	if (!w->store || store_read_now(w->store, STORE_QUERY_CHECK_STATES, &rows, "") < 0)
		return;
	w->restored = json_object();
	json_array_foreach (rows, i, row)
		(void)json_object_set(w->restored, json_string_value(json_object_get(row, "name")),
			json_object_get(row, "state_json"));
}

void watch_restore_state(struct watch *w, const char *name, struct check *check)
{
	const json_t *doc = json_object_get(w->restored, name);
	const char *hard = json_string_value(json_object_get(doc, "hard"));
	const char *why = json_string_value(json_object_get(doc, "unreachable_because"));
	int state = hard ? tend_state_from_name(hard) : -ENOENT;

	if (json_object_get(doc, "report")) {
		check->report = calloc(1, sizeof(*check->report));
		if (check->report)
			report_from_json(json_object_get(doc, "report"), clock_wall(), clock_now(),
				check->report);
	}
	if (state < 0)
		return;
	check->state.hard = (enum tend_state)state;
	check->raised = json_incref(json_object_get(doc, "raised"));
	if (json_is_integer(json_object_get(doc, "flapping"))) {
		/* Goes on as it began: what is well by now shows that within 20 results. */
		check->state.flapping = true;
		check->state.verdicts =
			(uint64_t)json_integer_value(json_object_get(doc, "flapping")) &
			((UINT64_C(1) << 42) - 1);
		check->state.n_verdicts = 21;
	}
	check->state.hard_since_wall =
		(usec_t)json_integer_value(json_object_get(doc, "hard_since"));
	check->unreachable = why != NULL;
	if (why)
		(void)snprintf(check->unreachable_why, sizeof(check->unreachable_why), "%s", why);
	/* Not located: the first failing result finds out again who is to blame and tells it. Where
	 * the incident is there already, nothing comes of it; where Tend died in between, it opens.
	 */
}

void watch_forget_state(struct watch *w, const char *name)
{
	struct store_batch *batch;

	if (!w->store || store_batch_new(&batch) < 0)
		return;
	if (store_batch_add(batch, STORE_CHECK_STATE_DELETE, "s", name) < 0 ||
		store_batch_add(batch, STORE_CHECK_MEMORY_DELETE, "s", name) < 0)
		store_batch_free(batch);
	else
		(void)store_commit(w->store, batch, NULL, NULL);
}
