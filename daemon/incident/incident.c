/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "incident/private.h"
#include "watch/depend.h"
#include "watch/event.h"

/* A root that has been well for so long is not what the incident is about any more. */
#define ROOT_WELL_USEC (30 * USEC_PER_SEC)

const char *const incident_phase_names[INCIDENT_PHASE_MAX] = {
	[INCIDENT_DISCOVERED] = "discovered",
	[INCIDENT_LOCATED] = "located",
	[INCIDENT_RECOVERING] = "recovering",
	[INCIDENT_VERIFIED] = "verified",
	[INCIDENT_CLOSED] = "closed",
};
const char *const incident_event_names[INCIDENT_EVENT_MAX] = {
	[INCIDENT_RAISED] = "raised",
	[INCIDENT_CHANGED] = "changed",
	[INCIDENT_CLEARED] = "cleared",
	[INCIDENT_ACKNOWLEDGED] = "acknowledged",
};

/* ---- the store
 * ------------------------------------------------------------------------------------- */

struct pending_commit {
	struct incidents *incidents;
	uint64_t token;
	struct pending_commit *next, **prev;
};

static struct pending_commit *pending_new(struct incidents *incidents)
{
	struct pending_commit *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct pending_commit){
		.incidents = incidents, .next = incidents->pending, .prev = &incidents->pending};
	if (p->next)
		p->next->prev = &p->next;
	incidents->pending = p;
	return p;
}

static void pending_free(struct pending_commit *p)
{
	if (!p)
		return;
	*p->prev = p->next;
	if (p->next)
		p->next->prev = p->prev;
	free(p);
}

static void on_committed(int r, void *data)
{
	struct pending_commit *p = data;

	if (p->incidents->hooks.on_commit)
		p->incidents->hooks.on_commit(p->token, r, p->incidents->hooks.data);
	if (r != -EINPROGRESS)
		pending_free(p);
}

/* Commits what the event made, together with its notices. A batch that cannot even be queued counts
 * as failed: the notices then go out from memory. What is held makes none. */
void incident_commit(struct incidents *incidents, struct incident *incident,
	enum incident_event event, struct store_batch *batch)
{
	const struct incidents_hooks *hooks = &incidents->hooks;
	struct pending_commit *p = pending_new(incidents);
	struct incident_hold hold = {.kind = ""};
	uint64_t token = 0;
	bool open = event == INCIDENT_CHANGED && !incident_held(incidents, incident, false, &hold);
	bool held = !open && (!incident->told || event == INCIDENT_CHANGED);
	int r = p ? 0 : -ENOMEM;

	if (event == INCIDENT_CHANGED)
		incident_ack_look(incident, batch);
	/* What it is now lies outside of what held it. */
	if (open && !incident->told) {
		incident->told = true;
		incident->settle = 0;
		event = INCIDENT_RAISED;
	}
	if (open)
		incident->change_held = false;
	if (held && incident->told && event == INCIDENT_CHANGED) {
		incident->change_held = true;
		incident_count_withheld(incidents, &hold);
	}
	if (batch && incident_put(incident, batch) < 0)
		batch = store_batch_free(batch);
	incidents->telling = incident;
	incidents->telling_batch = batch;
	if (hooks->on_event && !held)
		token = hooks->on_event(incident, event, batch, hooks->data);
	incidents->telling = NULL;
	incidents->telling_batch = NULL;
	if (p)
		p->token = token;
	if (r == 0)
		r = batch ? store_commit(incidents->store, TAKE(batch), on_committed, p) : -ENOMEM;
	if (r < 0) {
		store_batch_free(batch);
		pending_free(p);
		if (hooks->on_commit)
			hooks->on_commit(token, r, hooks->data);
	}
}

static void commit_event(struct incidents *incidents, struct incident *incident,
	enum incident_event event, struct store_batch *batch)
{
	const struct incidents_hooks *hooks = &incidents->hooks;

	incident_commit(incidents, incident, event, batch);
	if (hooks->on_told)
		hooks->on_told(incident, event, hooks->data);
}

static struct store_batch *new_batch(void)
{
	struct store_batch *batch = NULL;

	return store_batch_new(&batch) < 0 ? NULL : batch;
}

/* `batch`: the lines about the change. */
static void commit_quietly(
	struct incidents *incidents, struct incident *incident, struct store_batch *batch)
{
	incident_keep(incidents, incident);
	if (batch && store_commit(incidents->store, batch, NULL, NULL) < 0)
		log_warning("incident %s: what happened is not kept over a restart", incident->id);
}

void incident_line(struct incident *incident, struct store_batch *batch, const char *kind,
	const char *format, ...)
{
	char raw[1024], text[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	(void)incident_add_timeline(incident, batch, clock_wall(), kind, text);
}

void incident_note(struct incidents *incidents, struct incident *incident, const char *kind,
	const char *format, ...)
{
	bool telling = incidents->telling == incident;
	struct store_batch *batch = telling ? incidents->telling_batch : new_batch();
	char raw[1024], text[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	(void)incident_add_timeline(incident, batch, clock_wall(), kind, text);
	/* A row of its own would come before the notices it must be accepted with. */
	if (!telling)
		commit_quietly(incidents, incident, batch);
}

/* ---- opening and changing
 * ---------------------------------------------------------------------------- */

static enum conf_severity severity_of(const struct check *check)
{
	if (check->conf->severity >= 0)
		return (enum conf_severity)check->conf->severity;
	return check->state.hard == TEND_STATE_CRITICAL ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static void log_incident(const struct incident *incident, const char *what)
{
	char id[64], component[256];
	const char *const fields[] = {LOG_ID_INCIDENT, id, component, NULL};

	(void)snprintf(id, sizeof(id), "TEND_INCIDENT=%s", incident->id);
	(void)snprintf(component, sizeof(component), "TEND_COMPONENT=%s", incident->component);
	log_at(incident->phase == INCIDENT_CLOSED	  ? LOG_NOTICE
		: incident->severity == SEVERITY_CRITICAL ? LOG_ERR
							  : LOG_WARNING,
		fields, "incident %s at '%s': %s: %s", incident->id, incident->check, what,
		incident->text);
}

static void set_reason(struct incident *incident, const struct check *check)
{
	incident->reason = check->last.reason;
	incident->class = fault_class_of(
		incident->reason, conf_component_kinds[check->conf->component->kind]);
}

/* The worst of what fails and hangs on it for itself. */
static enum conf_severity worst_of(const struct incidents *incidents,
	const struct incident *incident, const struct check *root)
{
	enum conf_severity worst = severity_of(root);

	MAP_FOREACH_KEY (&incident->members, slot) {
		const struct check *check = watch_find_check(incidents->watch, slot->key);

		if (check && state_failed(check->state.hard) && !check->unreachable &&
			map_get(&incidents->by_check, slot->key) == incident)
			worst = MAX(worst, severity_of(check));
	}
	return worst;
}

/* The root begins to flap, or ends it and still fails: one notice each. */
static void follow_flapping(
	struct incidents *incidents, struct incident *incident, const struct check *check)
{
	struct store_batch *batch;
	char *text;

	if (strcmp(incident->check, check->conf->name) != 0) {
		incident_note(incidents, incident, "flapping", "%s %s", check->conf->name,
			check->state.flapping ? "flaps" : "does not flap any more");
		return;
	}
	text = strdup(check->last.text);
	if (!text || incident->flapping == check->state.flapping) {
		free(text);
		return;
	}
	batch = new_batch();
	incident->flapping = check->state.flapping;
	free(incident->text);
	incident->text = text;
	set_reason(incident, check);
	incident->severity = worst_of(incidents, incident, check);
	incident_line(incident, batch, "flapping", "%s%s",
		incident->flapping ? "" : "has ended, it still fails: ", text);
	log_incident(incident, incident->flapping ? "flapping" : "flapping has ended");
	commit_event(incidents, incident, INCIDENT_CHANGED, batch);
}

static int set_root(struct incident *incident, const struct check *check)
{
	char *name = strdup(check->conf->name);
	char *component = strdup(check->conf->component->name);
	char *system = strdup(check->conf->component->system->name);
	char *text = strdup(check->last.text);

	if (!name || !component || !system || !text) {
		free(name);
		free(component);
		free(system);
		free(text);
		return -ENOMEM;
	}
	/* The fingerprint stays: receivers match a clear to its raise by it. */
	free(incident->check);
	free(incident->component);
	free(incident->system);
	free(incident->text);
	incident->check = name;
	incident->component = component;
	incident->system = system;
	incident->text = text;
	set_reason(incident, check);
	incident->severity = severity_of(check);
	return 0;
}

static int attach(struct incidents *incidents, struct incident *incident, const struct check *check)
{
	int r = map_put(&incident->members, check->conf->name, incident);

	return r < 0 ? r : map_put(&incidents->by_check, check->conf->name, incident);
}

static void open_incident(struct incidents *incidents, struct check *check)
{
	auto(incident_free) struct incident *incident = calloc(1, sizeof(*incident));
	struct store_batch *batch = new_batch();
	char when[CLOCK_TEXT_BYTES];
	struct incident_hold hold = {0};
	bool held;

	if (incident)
		incident->fingerprint = incident_new_fingerprint(incidents, check->conf->name);
	if (!incident || !incident->fingerprint || set_root(incident, check) < 0 ||
		vec_push(&incidents->open, incident) < 0) {
		log_error("check '%s': out of memory, no incident is opened", check->conf->name);
		store_batch_free(batch);
		return;
	}
	uuid7(incident->id);
	held = incident_held(incidents, incident, false, &hold);
	incident->opened_wall = clock_wall();
	incident->young_until = clock_now() + INCIDENT_YOUNG_USEC;
	incident->located_wall = incident->opened_wall;
	incident->phase = INCIDENT_LOCATED;
	incident->told = !held;
	incident->unconfirmed = check->unconfirmed;
	incident->flapping = check->state.flapping;
	incident->snmp_index = ++incidents->next_index;
	(void)attach(incidents, incident, check);
	incident_enter(incidents, incident);
	incident_line(incident, batch, "discovered", "%s: %s; failing since %s", check->conf->name,
		check->last.text, clock_format(check->state.since_wall, when));
	incident_line(incident, batch, "located", "root cause is at %s (%s)%s", incident->component,
		tend_reason_name(incident->reason),
		incident->unconfirmed ? ", not confirmed: what it depends on did not answer" : "");
	if (held) {
		incident_count_withheld(incidents, &hold);
		incident_line(incident, batch, hold.kind,
			"%s: nobody is told before that has ended and this still fails", hold.why);
	}
	log_incident(incident, held ? "raised, and held" : "raised");
	commit_event(incidents, TAKE(incident), INCIDENT_RAISED, batch);
}

/* A younger incident below `check` turns out to be its fault: it moves here, one raise stays one.
 */
static struct incident *find_to_reparent(struct incidents *incidents, const struct check *check)
{
	usec_t now = clock_now();

	if (check->conf->component->children.len == 0)
		return NULL;
	VEC_FOREACH (&incidents->open, struct incident *, incident) {
		struct component *c = watch_find_component(incidents->watch, incident->component);

		if (c && incident->young_until > now &&
			depend_is_ancestor(check->conf->component, c->conf))
			return incident;
	}
	return NULL;
}

static void reparent(struct incidents *incidents, struct incident *incident, struct check *check)
{
	struct store_batch *batch = new_batch();

	incident_line(incident, batch, "located", "root cause moved from %s to %s: %s",
		incident->component, check->conf->component->name, check->last.text);
	incident_leave(incidents, incident);
	(void)set_root(incident, check);
	incident_enter(incidents, incident);
	(void)attach(incidents, incident, check);
	incident->unconfirmed = false;
	log_incident(incident, "root cause changed");
	commit_event(incidents, incident, INCIDENT_CHANGED, batch);
}

static void add_member(struct incidents *incidents, struct incident *incident, struct check *check)
{
	struct store_batch *batch;
	enum conf_severity severity = severity_of(check);
	bool worse = !check->unreachable && severity > incident->severity;

	if (map_get(&incidents->by_check, check->conf->name) == incident && !worse)
		return;
	batch = new_batch();
	(void)attach(incidents, incident, check);
	incident_line(incident, batch, "member", "%s%s: %s", check->conf->name,
		check->unreachable ? " is unreachable" : "", check->last.text);
	if (worse) {
		incident->severity = severity;
		log_incident(incident, "severity changed");
		commit_event(incidents, incident, INCIDENT_CHANGED, batch);
	} else {
		commit_quietly(incidents, incident, batch);
	}
}

static void on_fault(struct incidents *incidents, struct check *check)
{
	const char *at = check->unreachable ? check->unreachable_why : check->conf->component->name;
	struct incident *incident = incidents_at(incidents, at);

	if (incident) {
		add_member(incidents, incident, check);
		return;
	}
	if (check->unreachable) {
		log_warning("check '%s': '%s' is down but has no incident", check->conf->name, at);
		return;
	}
	incident = find_to_reparent(incidents, check);
	if (incident)
		reparent(incidents, incident, check);
	else
		open_incident(incidents, check);
}

/* ---- closing
 * ------------------------------------------------------------------------------------------- */

/* A member that fails, or of which nothing is known yet, and that has no incident of its own. */
static bool is_failing(
	const struct incidents *incidents, const struct incident *incident, const char *name)
{
	const struct check *check = watch_find_check(incidents->watch, name);

	return check &&
	       (state_failed(check->state.hard) || check->state.hard == TEND_STATE_PENDING) &&
	       map_get(&incidents->by_check, name) == incident;
}

/* Begins where the last one was found: of thousands that heal one by one, none is looked at by each
 * result. */
static const char *still_failing(const struct incidents *incidents, struct incident *incident)
{
	const struct map *members = &incident->members;

	for (size_t n = 0; n < members->len; n++) {
		size_t i = (incident->failing + n) % members->len;

		if (is_failing(incidents, incident, members->slots[i].key)) {
			incident->failing = i;
			return members->slots[i].key;
		}
	}
	return NULL;
}

static void trim_recent(struct incidents *incidents)
{
	while (incidents->recent.len > INCIDENT_MAX_RECENT) {
		incident_save(incidents, incidents->recent.items[0]);
		incident_free(incidents->recent.items[0]);
		vec_remove(&incidents->recent, 0);
	}
}

/* What users had reported there is over with it: who asks for it when nobody remembers the incident
 * any more is told so. */
static void end_feedback(
	struct incidents *incidents, const struct incident *incident, struct store_batch *batch)
{
	MAP_FOREACH_KEY (&incident->members, slot) {
		const struct check *check = watch_find_check(incidents->watch, slot->key);

		if (batch && check && check->event &&
			map_get(&incidents->by_check, slot->key) == incident &&
			strcmp(check->conf->short_name, EVENT_SOURCE_FEEDBACK) == 0)
			(void)store_batch_add(batch, STORE_FEEDBACK_END, "ssis",
				check->component->conf->name, incident->id,
				(int64_t)incident->closed_wall, incident->summary);
	}
}

static void close_incident(struct incidents *incidents, struct incident *incident)
{
	struct store_batch *batch = new_batch();

	incident->closed_wall = clock_wall();
	incident->phase = INCIDENT_CLOSED;
	incident_line(incident, batch, "verified", "every check that hung on it is well again");
	free(incident->summary);
	incident->summary = incident_summary(incident);
	incident_line(incident, batch, "closed", "%s", incident->summary ? incident->summary : "");
	end_feedback(incidents, incident, batch);
	MAP_FOREACH_KEY (&incident->members, slot)
		if (map_get(&incidents->by_check, slot->key) == incident)
			(void)map_remove(&incidents->by_check, slot->key);
	/* The one after those of before it. */
	vec_remove(&incidents->open, incidents_after(incidents, incident->snmp_index - 1));
	incident_leave(incidents, incident);
	log_incident(incident, "cleared");
	commit_event(incidents, incident, INCIDENT_CLEARED, batch);
	loop_defer_set(incidents->release_defer, true);
	if (vec_push(&incidents->recent, incident) < 0) {
		incident_save(incidents, incident);
		incident_free(incident);
	}
	trim_recent(incidents);
}

/* Well, by an attempt that began after the last failure had gone? If not, it is asked, once. */
static bool proven_or_asked(
	struct incidents *incidents, const struct incident *incident, struct check *check, bool ask)
{
	if (check->last.number && check->last.started >= incident->mended)
		return !state_failed(check->last.verdict);
	if (ask)
		(void)watch_run_now(
			incidents->watch, check->conf->name, incident->mended, NULL, NULL);
	return false;
}

/* A result from before the repair proves nothing: a service that is still starting would be told as
 * healed, and as a new fault right after. All that hung on it, and its component, are looked at
 * anew. */
static bool all_proven(struct incidents *incidents, struct incident *incident, bool first)
{
	struct component *component = watch_find_component(incidents->watch, incident->component);
	bool proven = true;

	MAP_FOREACH_KEY (&incident->members, slot) {
		struct check *check = watch_find_check(incidents->watch, slot->key);

		if (check && map_get(&incidents->by_check, slot->key) == incident)
			proven = proven_or_asked(incidents, incident, check, first) && proven;
	}
	if (component)
		VEC_FOREACH (&component->checks, struct check *, check)
			proven = proven_or_asked(incidents, incident, check, first) && proven;
	return proven;
}

/* Those who were told hear of the end when nothing holds it, by a fresh look: until then the
 * incident stays open, so that it can also go on. */
static bool hold_close(struct incidents *incidents, struct incident *incident)
{
	struct incident_hold hold;
	bool held = incident->told && incident_held(incidents, incident, true, &hold);

	if (held && !incident->close_held) {
		incident->close_held = true;
		incident_count_withheld(incidents, &hold);
		incident_note(incidents, incident, hold.kind,
			"all is well; %s: who was told hears of it when that has ended", hold.why);
	}
	return held;
}

void incident_look_for_end(struct incidents *incidents, struct incident *incident)
{
	const struct check *root = watch_find_check(incidents->watch, incident->check);
	const char *failing = still_failing(incidents, incident);
	bool first = !failing && incident->mended == 0;

	if (failing)
		incident->mended = 0;
	else if (first)
		incident->mended = clock_now();
	if (!failing && all_proven(incidents, incident, first)) {
		if (!hold_close(incidents, incident))
			close_incident(incidents, incident);
		return;
	}
	incident->close_held = false;
	if (root && !state_failed(root->state.hard) && incident->phase < INCIDENT_RECOVERING) {
		incident->phase = INCIDENT_RECOVERING;
		incident_note(incidents, incident, "recovering", "%s is well again, waiting for %s",
			incident->check, failing ? failing : "a fresh look at all that hung on it");
	}
}

/* A database that was slow to answer and then refused is down, whatever it was at first. What is
 * seen while it comes up again is no reason. */
static void follow_reason(
	struct incidents *incidents, struct incident *incident, const struct check *check)
{
	char *text;

	if (strcmp(incident->check, check->conf->name) != 0 || check->unreachable ||
		check->state.flapping || incident->phase >= INCIDENT_RECOVERING ||
		incident->reason == check->last.reason || check->last.verdict != check->state.hard)
		return;
	text = strdup(check->last.text);
	if (!text)
		return;
	free(incident->text);
	incident->text = text;
	set_reason(incident, check);
	incident_keep(incidents, incident);
	if (incidents->hooks.on_reason)
		incidents->hooks.on_reason(incident, incidents->hooks.data);
}

/* What it is about is `next` now. No notice, unless it is better or worse by that. */
static void move_root(
	struct incidents *incidents, struct incident *incident, const struct check *next)
{
	enum conf_severity before = incident->severity;
	struct store_batch *batch = new_batch();

	incident_line(incident, batch, "located", "%s is well, what still fails is %s: %s",
		incident->check, next->conf->name, next->last.text);
	if (set_root(incident, next) == 0) {
		incident->severity = worst_of(incidents, incident, next);
		incident->flapping = next->state.flapping;
	}
	if (incident->severity == before) {
		commit_quietly(incidents, incident, batch);
		return;
	}
	log_incident(incident, "severity changed");
	commit_event(incidents, incident, INCIDENT_CHANGED, batch);
}

/* The root is well, and has been, but its component still fails: what heals and what people read
 * must look at the check that fails now. */
static void follow_fault(struct incidents *incidents, struct incident *incident)
{
	const struct check *root = watch_find_check(incidents->watch, incident->check), *next;
	const struct component *component =
		watch_find_component(incidents->watch, incident->component);

	if (!root || !component || state_failed(root->state.now) ||
		state_failed(root->state.hard) ||
		root->state.hard_since_wall + ROOT_WELL_USEC > clock_wall())
		return;
	next = depend_root_check(component);
	if (next && state_failed(next->state.hard) &&
		map_get(&incidents->by_check, next->conf->name) == incident)
		move_root(incidents, incident, next);
}

void incidents_on_result(struct incidents *incidents, struct check *check, unsigned events)
{
	struct incident *incident = map_get(&incidents->by_check, check->conf->name);

	if (incident && incident->settle)
		incident_settle(incidents, incident);
	if (state_failed(check->state.hard)) {
		if (incident && (events & (STATE_EVENT_FLAPPING | STATE_EVENT_STEADY)))
			follow_flapping(incidents, incident, check);
		if (events & STATE_EVENT_HARD)
			on_fault(incidents, check);
		else if (incident)
			follow_reason(incidents, incident, check);
		/* It has an incident of its own now: the one it hung on may end without it. */
		if (incident && incident != map_get(&incidents->by_check, check->conf->name))
			incident_look_for_end(incidents, incident);
		else if (incident && !events)
			follow_fault(incidents, incident);
		return;
	}
	if (!incident)
		incident = incidents_at(incidents, check->conf->component->name);
	if (incident)
		incident_look_for_end(incidents, incident);
}

void incident_tell(
	struct incidents *incidents, struct incident *incident, enum incident_event event)
{
	struct store_batch *batch = new_batch();

	incident->told = true;
	incident->change_held = false;
	incident->settle = 0;
	incident_line(incident, batch, "released", "nothing holds it any more, and it still fails");
	log_incident(incident, "told after it was held");
	incident_commit(incidents, incident, event, batch);
}

/* Its row does not name them all. */
static void attach_again(struct incidents *incidents, struct incident *incident)
{
	const struct component *component =
		watch_find_component(incidents->watch, incident->component);

	if (!component || incident->members.len < INCIDENT_MAX_LISTED)
		return;
	VEC_FOREACH (&component->checks, const struct check *, check)
		if (state_failed(check->state.hard) &&
			!map_get(&incidents->by_check, check->conf->name))
			(void)attach(incidents, incident, check);
}

void incidents_apply(struct incidents *incidents)
{
	for (size_t i = incidents->open.len; i-- > 0;) {
		attach_again(incidents, incidents->open.items[i]);
		incident_look_for_end(incidents, incidents->open.items[i]);
	}
}

/* ---- the rest
 * ------------------------------------------------------------------------------------------ */

int incident_set_phase(
	struct incidents *incidents, struct incident *incident, enum incident_phase phase)
{
	if (incident->phase >= phase)
		return 0;
	incident->phase = phase;
	incident_keep(incidents, incident);
	return 0;
}

struct incident *incidents_of_check(struct incidents *incidents, const char *check)
{
	return map_get(&incidents->by_check, check);
}

static struct incident *find_in(const struct vec *list, const char *id, size_t *n_found)
{
	struct incident *found = NULL;

	VEC_FOREACH (list, struct incident *, incident) {
		if (!str_startswith(incident->id, id))
			continue;
		found = incident;
		(*n_found)++;
	}
	return found;
}

struct incident *incidents_find(struct incidents *incidents, const char *id)
{
	size_t n = 0;
	struct incident *open = *id ? find_in(&incidents->open, id, &n) : NULL;
	struct incident *closed = *id ? find_in(&incidents->recent, id, &n) : NULL;

	return n == 1 ? open ? open : closed : NULL;
}

const struct vec *incidents_open(const struct incidents *incidents)
{
	return &incidents->open;
}

const struct vec *incidents_recent(const struct incidents *incidents)
{
	return &incidents->recent;
}

static void on_release(void *data)
{
	struct incidents *incidents = data;

	loop_defer_set(incidents->release_defer, false);
	incidents_release(incidents);
}

int incidents_new(struct loop *loop, struct store *store, struct watch *watch,
	struct incidents **ret_incidents)
{
	auto(incidents_free) struct incidents *incidents = calloc(1, sizeof(*incidents));
	int r;

	if (!incidents)
		return -ENOMEM;
	incidents->loop = loop;
	incidents->store = store;
	incidents->watch = watch;
	r = loop_defer_new(loop, on_release, incidents, &incidents->release_defer);
	if (r < 0)
		return r;
	loop_source_name(incidents->release_defer, "incidents-release");
	loop_defer_set(incidents->release_defer, false);
	r = loop_defer_new(loop, incidents_save, incidents, &incidents->save_defer);
	if (r < 0)
		return r;
	loop_source_name(incidents->save_defer, "incidents-save");
	loop_defer_set(incidents->save_defer, false);
	r = incidents_load(incidents);
	if (r < 0)
		return r;
	VEC_FOREACH (&incidents->open, struct incident *, incident)
		incident_enter(incidents, incident);
	*ret_incidents = TAKE(incidents);
	return 0;
}

void incidents_set_hooks(struct incidents *incidents, const struct incidents_hooks *hooks)
{
	incidents->hooks = *hooks;
}

struct incidents *incidents_free(struct incidents *incidents)
{
	if (!incidents)
		return NULL;
	incidents_save(incidents);
	VEC_FOREACH (&incidents->open, struct incident *, open)
		incident_free(open);
	VEC_FOREACH (&incidents->recent, struct incident *, closed)
		incident_free(closed);
	vec_clear(&incidents->open);
	vec_clear(&incidents->recent);
	map_clear(&incidents->by_check);
	map_clear(&incidents->by_component);
	map_clear(&incidents->by_fingerprint);
	loop_source_free(incidents->release_defer);
	loop_source_free(incidents->save_defer);
	loop_source_free(incidents->settle_timer);
	/* The store ends without calling back. */
	while (incidents->pending)
		pending_free(incidents->pending);
	free(incidents);
	return NULL;
}
