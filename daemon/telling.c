/* SPDX-License-Identifier: MIT */
#include "telling.h"
#include <string.h>
#include "alert/inhibit.h"
#include "alert/plan.h"
#include "alert/silence.h"
#include "base/clock.h"
#include "base/log.h"
#include "calendar/window.h"
#include "watch/event.h"

/* So many incidents are followed at a time, then the loop turns; the clock may be set, so all are
 * looked at once in a while. */
enum { ROUND_STEP = 100 };
#define ROUND_MIN_USEC (1 * USEC_PER_SEC)
#define ROUND_MAX_USEC (60 * USEC_PER_SEC)
/* While somebody is to be found for what those who are gone were told of. */
#define ROUND_REPLAN_USEC (10 * USEC_PER_SEC)

struct telling {
	struct manager *manager;
	struct loop_source *timer;
	struct conf *conf;	     /* the inhibitor's */
	struct inhibitor *inhibitor; /* NULL before the first configuration */
	uint32_t at;		     /* of the round: the last incident's number; 0 */
	usec_t next_wall;	     /* what the round has found so far */
	bool follows;		     /* anything could come after a raise at all */
	bool replans;		     /* those who were told of something are gone */
	bool again;		     /* something happened during the round */
	bool in_round;
	usec_t last_round; /* when it ended */
};

/* ---- notices -------------------------------------------------------------------------------- */

static const enum notice_kind notice_of_event[INCIDENT_EVENT_MAX] = {
	[INCIDENT_RAISED] = NOTICE_INCIDENT_RAISED,
	[INCIDENT_CHANGED] = NOTICE_INCIDENT_CHANGED,
	[INCIDENT_CLEARED] = NOTICE_INCIDENT_CLEARED,
	[INCIDENT_ACKNOWLEDGED] = NOTICE_INCIDENT_ACKNOWLEDGED,
};

static json_t *details_of(const struct incident *incident)
{
	return json_pack("{s:o, s:I, s:s, s:b, s:b, s:s*, s:s*, s:s*}", "members",
		incident_members_to_json(incident), "n_members", (json_int_t)incident->members.len,
		"phase", incident_phase_names[incident->phase], "cause_unconfirmed",
		incident->unconfirmed, "flapping", incident->flapping, "summary", incident->summary,
		"acknowledged_by", incident->ack_author, "acknowledged_comment",
		incident->ack_comment);
}

struct notice telling_notice(const struct manager *m, const struct incident *incident,
	enum notice_kind kind, json_t **ret_details)
{
	const struct conf_system *system = map_get(&m->conf->systems, incident->system);
	const struct check *check = watch_find_check(m->watch, incident->check);
	bool cleared = kind == NOTICE_INCIDENT_CLEARED;

	if (ret_details)
		*ret_details = details_of(incident);
	return (struct notice){
		.kind = kind,
		.severity = incident->severity,
		.fingerprint = incident->fingerprint,
		.incident_id = incident->id,
		.system = incident->system,
		.environment = system ? conf_environment_names[system->environment] : NULL,
		.component = incident->component,
		.check = incident->check,
		.state = check ? tend_state_name(check->state.hard) : NULL,
		.reason = tend_reason_name(incident->reason),
		.text = cleared && incident->summary ? incident->summary : incident->text,
		.wall = clock_wall(),
		.since_wall = incident->opened_wall,
		.details = ret_details ? *ret_details : NULL,
		.pushed = check ? watch_event_labels(check) : NULL,
		.told_only = check && !check->conf->notify,
	};
}

int telling_labels(const struct manager *m, const struct incident *incident, json_t **ret_labels)
{
	const struct notice notice = telling_notice(m, incident, NOTICE_INCIDENT_RAISED, NULL);

	return labels_of(m->conf, &notice, alert_host(m->alert), ret_labels);
}

static bool still_open(const struct silence *silence, void *data)
{
	const struct manager *m = data;

	VEC_FOREACH (incidents_open(m->incidents), const struct incident *, incident) {
		auto_json json_t *labels = NULL;

		if (telling_labels(m, incident, &labels) == 0 &&
			matchers_fit(silence->matchers, labels, NULL))
			return true;
	}
	return false;
}

void telling_on_closed(struct manager *m, const struct incident *incident)
{
	auto_json json_t *labels = NULL;

	if (m->telling->inhibitor)
		inhibitor_remove(m->telling->inhibitor, incident->id);
	if (telling_labels(m, incident, &labels) == 0)
		silences_resolved(alert_silences(m->alert), labels, still_open, m);
}

void telling_on_told(struct manager *m, const struct incident *incident)
{
	struct inhibitor *inhibitor = m->telling->inhibitor;
	auto_json json_t *labels = NULL;

	if (!inhibitor || inhibitor_is_empty(inhibitor) || telling_labels(m, incident, &labels) < 0)
		return;
	if (inhibitor_put(inhibitor, incident->id, labels) < 0)
		log_error("incident %s: out of memory: it keeps back nothing", incident->id);
}

uint64_t telling_on_event(
	struct incident *incident, enum incident_event event, struct store_batch *batch, void *data)
{
	struct manager *m = data;
	auto_json json_t *details = NULL;
	struct notice notice = telling_notice(m, incident, notice_of_event[event], &details);
	/* Of a raise nobody was told before. Who was hears of the end, whatever it is now. */
	int r = notice.told_only && event == INCIDENT_RAISED ? 0
							     : alert_add(m->alert, &notice, batch);

	if (notice.told_only && r == 0)
		log_info("incident %s: check '%s' has notify = no, nobody is told", incident->id,
			incident->check);
	else if (r == 0 && event == INCIDENT_RAISED)
		log_warning("incident %s: no route takes its notice, nobody is told", incident->id);
	if (r < 0)
		log_error("incident %s: its notice cannot be made: %s", incident->id, strerror(-r));
	telling_look(m->telling);
	return alert_seal(m->alert);
}

/* ---- what keeps notices back ---------------------------------------------------------------- */

/* `name`: of the check; NULL = of none. */
static bool hold_by_window(const struct manager *m, const struct conf_component *component,
	const char *name, usec_t wall, struct incident_hold *ret_hold)
{
	const struct check *check = name ? watch_find_check(m->watch, name) : NULL;
	const struct conf_window *window =
		component
			? windows_quiet(m->conf, component, check ? check->conf : NULL, wall, NULL)
			: NULL;

	if (!window)
		return false;
	*ret_hold = (struct incident_hold){.kind = "window"};
	(void)snprintf(
		ret_hold->why, sizeof(ret_hold->why), "the window '%.100s' is open", window->name);
	return true;
}

static bool hold_by_silence(
	const struct manager *m, const json_t *labels, bool closing, struct incident_hold *ret_hold)
{
	const struct silence *silence = silences_match(alert_silences(m->alert), labels, closing);
	char until[CLOCK_TEXT_BYTES];

	if (!silence)
		return false;
	*ret_hold = (struct incident_hold){.kind = "silence"};
	(void)snprintf(ret_hold->why, sizeof(ret_hold->why),
		"silence %s of %.40s is in force until %s (%.100s)", silence->id, silence->author,
		clock_format(silence->ends_wall, until), silence->comment);
	return true;
}

/* The nearest of what it depends on that is down and has an incident of its own. */
static const struct incident *down_below(const struct manager *m,
	const struct conf_component *component, const struct incident *incident)
{
	VEC_FOREACH (&component->parents, const struct conf_component *, parent) {
		const struct incident *other = incidents_at(m->incidents, parent->name);

		if (!other || other == incident || other->severity < SEVERITY_CRITICAL)
			other = down_below(m, parent, incident);
		if (other)
			return other;
	}
	return NULL;
}

/* That of a group whose member it is: that too few of it are left is the one thing to tell. */
static const struct incident *down_group(const struct manager *m,
	const struct conf_component *component, const struct incident *incident)
{
	VEC_FOREACH (&component->groups, const struct conf_component *, group) {
		const struct incident *other = incidents_at(m->incidents, group->name);

		if (other && other != incident && other->severity == SEVERITY_CRITICAL)
			return other;
	}
	return NULL;
}

static bool hold_by_cause(const struct manager *m, const struct conf_component *component,
	const struct incident *incident, struct incident_hold *ret_hold)
{
	const struct incident *other = component ? down_below(m, component, incident) : NULL;
	const struct incident *group =
		component && !other ? down_group(m, component, incident) : NULL;

	if (!other && !group)
		return false;
	*ret_hold = (struct incident_hold){.kind = "inhibited"};
	(void)snprintf(ret_hold->why, sizeof(ret_hold->why), "incident %s at '%.100s', %s, is open",
		other ? other->id : group->id, other ? other->component : group->component,
		other ? "on which it depends" : "the group to which it belongs");
	return true;
}

static bool hold_by_inhibit(const struct manager *m, const struct incident *incident,
	const json_t *labels, struct incident_hold *ret_hold)
{
	const struct inhibitor *inhibitor = m->telling ? m->telling->inhibitor : NULL;
	const char *source = NULL;
	const struct conf_inhibit *inhibit =
		inhibitor
			? inhibitor_find(inhibitor, incident ? incident->id : NULL, labels, &source)
			: NULL;

	if (!inhibit)
		return false;
	*ret_hold = (struct incident_hold){.kind = "inhibited"};
	(void)snprintf(ret_hold->why, sizeof(ret_hold->why),
		"incident %s is open, which keeps it back by [inhibit %.100s]", source,
		inhibit->name);
	return true;
}

static bool by_labels(const struct manager *m)
{
	return silences_list(alert_silences(m->alert))->len > 0 ||
	       (m->telling && m->telling->inhibitor && !inhibitor_is_empty(m->telling->inhibitor));
}

bool telling_hold(
	const struct incident *incident, bool closing, struct incident_hold *ret_hold, void *data)
{
	const struct manager *m = data;
	const struct conf_component *c = map_get(&m->conf->components, incident->component);
	auto_json json_t *labels = NULL;

	if (hold_by_window(m, c, incident->check, clock_wall(), ret_hold) ||
		(!closing && hold_by_cause(m, c, incident, ret_hold)))
		return true;
	if (!by_labels(m) || telling_labels(m, incident, &labels) < 0)
		return false;
	return hold_by_silence(m, labels, closing, ret_hold) ||
	       (!closing && hold_by_inhibit(m, incident, labels, ret_hold));
}

static void add_hold(json_t *list, bool held, const struct incident_hold *hold)
{
	if (held)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s}", "gate", hold->kind, "why", hold->why));
}

static json_t *list_holds(const struct manager *m, const char *component,
	const struct incident *incident, const json_t *labels, usec_t wall)
{
	const struct conf_component *c =
		component ? map_get(&m->conf->components, component) : NULL;
	const char *check = json_string_value(json_object_get(labels, "check"));
	bool closing = incident && incident->close_held;
	struct incident_hold hold = {0};
	json_t *list = json_array();

	add_hold(list, hold_by_window(m, c, check, wall, &hold), &hold);
	add_hold(list, hold_by_silence(m, labels, closing, &hold), &hold);
	if (closing)
		return list;
	add_hold(list, hold_by_cause(m, c, incident, &hold), &hold);
	add_hold(list, hold_by_inhibit(m, incident, labels, &hold), &hold);
	return list;
}

json_t *telling_holds(const struct manager *m, const struct incident *incident)
{
	auto_json json_t *labels = NULL;

	if (incident->phase == INCIDENT_CLOSED || telling_labels(m, incident, &labels) < 0)
		return json_array();
	return list_holds(m, incident->component, incident, labels, clock_wall());
}

json_t *telling_gates(const struct manager *m, const struct incident *incident)
{
	const struct notice notice = telling_notice(m, incident, NOTICE_INCIDENT_RAISED, NULL);
	auto(plan_clear) struct plan plan = {0};
	auto_json json_t *labels = NULL;
	struct plan_question q = {.conf = m->conf, .notice = &notice, .wall = clock_wall()};
	json_t *list = json_array();

	if (labels_of(m->conf, &notice, alert_host(m->alert), &labels) < 0)
		return list;
	q.labels = labels;
	if (plan_make(&q, &plan) < 0)
		return list;
	VEC_FOREACH (&plan.gates, const char *, gate)
		(void)json_array_append_new(list, json_string(gate));
	return list;
}

json_t *telling_holds_of(
	const struct manager *m, const char *component, const json_t *labels, usec_t wall)
{
	return list_holds(m, component, NULL, labels, wall);
}

/* ---- what comes after the raise ------------------------------------------------------------- */

/* After a start nothing is said of what has not been looked at since. */
static bool is_fresh(const struct manager *m, const struct incident *incident)
{
	const struct check *check = watch_find_check(m->watch, incident->check);

	return check && check->last.number > 0 && check->last.started >= m->started;
}

static void follow(struct telling *t, const struct incident *incident)
{
	struct manager *m = t->manager;
	auto_json json_t *details = NULL;
	struct incident_hold hold;
	struct notice notice;
	struct alert_followed followed = {.notice = &notice,
		.since_wall = incident->unacked_wall,
		.acknowledged = incident->ack_author != NULL};
	usec_t next = USEC_INFINITY;
	int r;

	if (!incident->told || incident->settle || incident->mended || !is_fresh(m, incident) ||
		telling_hold(incident, false, &hold, m))
		return;
	notice = telling_notice(m, incident, NOTICE_INCIDENT_RAISED, &details);
	if (notice.told_only)
		return;
	r = alert_follow(m->alert, &followed, &next);
	if (r > 0)
		log_notice("incident %s: %d more are told, or reminded", incident->id, r);
	t->again = t->again || r > 0; /* what comes after this one */
	t->next_wall = MIN(t->next_wall, next);
}

static void end_round(struct telling *t)
{
	usec_t wall = clock_wall(), wait = ROUND_MAX_USEC;

	t->in_round = false;
	t->at = 0;
	t->replans = t->replans && alert_any_abandoned(t->manager->alert);
	t->last_round = clock_now();
	if (t->next_wall != USEC_INFINITY)
		wait = t->next_wall > wall ? t->next_wall - wall + 1000 : 0;
	wait = t->again ? 0 : t->replans ? MIN(wait, ROUND_REPLAN_USEC) : wait;
	t->again = false;
	loop_timer_set(t->timer, t->last_round + MIN(MAX(wait, ROUND_MIN_USEC), ROUND_MAX_USEC));
}

static void on_timer(void *data)
{
	struct telling *t = data;
	const struct vec *open = incidents_open(t->manager->incidents);
	/* Some may have closed since the last step: a place in the list would be another's now. */
	size_t i = incidents_after(t->manager->incidents, t->at), end = i + ROUND_STEP;
	/* What a format wants is known when its process is up. */
	bool all = t->follows || alert_repeats(t->manager->alert), follows = all || t->replans;

	if (!t->in_round) {
		t->in_round = true;
		t->again = false;
		t->next_wall = incidents_expire_acks(t->manager->incidents);
	}
	for (; follows && i < open->len && i < end; i++) {
		const struct incident *incident = open->items[i];

		t->at = incident->snmp_index;
		if (all || alert_is_abandoned(t->manager->alert, incident->id))
			follow(t, incident);
	}
	if (follows && i < open->len)
		loop_timer_set(t->timer, clock_now() + 1);
	else
		end_round(t);
}

void telling_look(struct telling *t)
{
	if (!t)
		return;
	if (t->in_round)
		t->again = true;
	else
		loop_timer_set(t->timer, MAX(clock_now() + 1, t->last_round + ROUND_MIN_USEC));
}

static bool conf_follows(const struct conf *conf)
{
	VEC_FOREACH (&conf->routes, const struct conf_route *, route) {
		if (route->remind || route->steps.len || route->times.n)
			return true;
		for (char **name = route->receivers; name && *name; name++)
			if (str_startswith(*name, "rota:"))
				return true;
	}
	return false;
}

static int apply_inhibitor(struct telling *t, struct conf *conf)
{
	auto(inhibitor_free) struct inhibitor *inhibitor = NULL;
	int r = inhibitor_new(conf, &inhibitor);

	if (r < 0)
		return r;
	inhibitor_free(t->inhibitor);
	conf_unref(t->conf);
	t->conf = conf_ref(conf);
	t->inhibitor = TAKE(inhibitor);
	VEC_FOREACH (incidents_open(t->manager->incidents), const struct incident *, incident)
		telling_on_told(t->manager, incident);
	return 0;
}

int telling_apply(struct telling *t, struct conf *conf)
{
	int r = apply_inhibitor(t, conf);

	if (r < 0)
		return r;
	t->follows = conf_follows(conf);
	t->replans = alert_any_abandoned(t->manager->alert);
	telling_look(t);
	return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void on_silences(void *data)
{
	struct manager *m = data;

	if (m->incidents)
		incidents_release(m->incidents);
}

int telling_new(struct manager *manager, struct telling **ret_telling)
{
	auto(telling_free) struct telling *t = calloc(1, sizeof(*t));
	int r = t ? loop_timer_new(manager->loop, on_timer, t, &t->timer) : -ENOMEM;

	if (r < 0)
		return r;
	t->manager = manager;
	loop_source_name(t->timer, "telling");
	silences_on_change(alert_silences(manager->alert), on_silences, manager);
	*ret_telling = TAKE(t);
	return 0;
}

struct telling *telling_free(struct telling *telling)
{
	if (!telling)
		return NULL;
	inhibitor_free(telling->inhibitor);
	conf_unref(telling->conf);
	loop_source_free(telling->timer);
	free(telling);
	return NULL;
}
