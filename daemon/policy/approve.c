/* SPDX-License-Identifier: MIT */
#include "policy/approve.h"
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"

enum {
	APPROVALS_KEPT = 500,
	PEOPLE_MAX = 10,
	ARGS_MAX_BYTES = 16 << 10, /* people must be able to read what they approve */
};

const char *const approval_state_names[APPROVAL_STATE_MAX + 1] = {
	[APPROVAL_WAITING] = "waiting",
	[APPROVAL_GRANTED] = "granted",
	[APPROVAL_DENIED] = "denied",
	[APPROVAL_EXPIRED] = "expired",
	[APPROVAL_USED] = "used",
	[APPROVAL_VOID] = "void",
};

/* ---- the struct ------------------------------------------------------------------------------ */

static void approval_free(struct approval *a)
{
	if (!a)
		return;
	if (a->step)
		a->step->approval = NULL;
	loop_source_free(a->timer);
	json_decref(a->doc);
	json_decref(a->next_doc);
	free(a->call);
	free(a->path);
	free(a);
}
DEFINE_AUTO(struct approval *, approval_free)

bool approval_is_open(const struct approval *a)
{
	return a->state == APPROVAL_WAITING || (a->state == APPROVAL_GRANTED && !a->sign_off);
}

struct approval *approval_find(const struct policies *p, const char *run, const char *path)
{
	struct approval *found = NULL;

	VEC_FOREACH (&p->approvals, struct approval *, a)
		if (strcmp(a->run, run) == 0 && strcmp(a->path, path) == 0)
			found = a;
	return found;
}

static size_t count_waiting(const struct policies *p)
{
	size_t n = 0;

	VEC_FOREACH (&p->approvals, const struct approval *, a)
		n += a->state == APPROVAL_WAITING;
	return n;
}

/* Ended ones make room, the oldest first. */
static void make_room(struct policies *p)
{
	for (size_t i = 0; i < p->approvals.len && p->approvals.len >= APPROVALS_KEPT;) {
		struct approval *a = p->approvals.items[i];

		if (a->busy || a->step || approval_is_open(a)) {
			i++;
			continue;
		}
		vec_remove(&p->approvals, i);
		approval_free(a);
	}
}

static void on_time(void *data);

/* Into the table, with its timer. Steals nothing. */
static int adopt(struct policies *p, struct approval *a)
{
	usec_t now = clock_wall();
	int r = loop_timer_new(p->deps.loop, on_time, a, &a->timer);

	make_room(p);
	if (r == 0)
		r = vec_push(&p->approvals, a);
	if (r < 0)
		return r;
	loop_source_name(a->timer, "approval");
	if (approval_is_open(a))
		loop_timer_set(a->timer, clock_now() + (a->expires > now ? a->expires - now : 0));
	return 0;
}

/* ---- a change, and its commit ---------------------------------------------------------------- */

static int add_put(
	const struct approval *a, struct store_batch *batch, enum approval_state state, json_t *doc)
{
	usec_t ended = state == APPROVAL_WAITING || state == APPROVAL_GRANTED ? 0 : clock_wall();

	return store_batch_add(batch, STORE_APPROVAL_PUT, "sssssiiiij", a->id, a->run, a->path,
		a->hash, approval_state_names[state], (int64_t)a->needed, (int64_t)a->created,
		(int64_t)a->expires, (int64_t)ended, doc);
}

static void settle(struct approval *a);
static bool end_as_wished(struct approval *a);

static void detach(struct approval *a)
{
	if (a->step)
		a->step->approval = NULL;
	a->step = NULL;
}

static void answer_call(struct approval *a, int r)
{
	struct approve_call *call = TAKE(a->call);

	if (call && call->fn)
		call->fn(r, call->data);
	free(call);
}

static void on_change_kept(int r, void *data)
{
	struct approval *a = data;
	struct step *step = a->step;
	auto_json json_t *doc = NULL;

	alert_committed(a->policies->deps.alert, a->token, r);
	if (r == -EINPROGRESS)
		return;
	a->token = 0;
	a->busy = false;
	doc = TAKE(a->next_doc);
	if (r < 0 && a->is_new) {
		a->state = APPROVAL_VOID;
		answer_call(a, r);
		if (step) {
			detach(a);
			gate_refuse(step, true,
				"the request for approval cannot be written: nothing was begun");
		}
		return;
	}
	a->is_new = false;
	if (r == 0) {
		if (doc) {
			json_decref(a->doc);
			a->doc = TAKE(doc);
		}
		a->state = a->next_state;
		if (!approval_is_open(a))
			a->ended = clock_wall();
	} else {
		log_error("approval %s: '%s' cannot be written: %s", a->id,
			approval_state_names[a->next_state], strerror(-r));
	}
	answer_call(a, r);
	if (!end_as_wished(a))
		settle(a);
}

int approval_commit(
	struct approval *a, struct store_batch *batch, enum approval_state state, json_t *doc)
{
	int r = add_put(a, batch, state, doc ? doc : a->doc);

	if (r < 0) {
		store_batch_free(batch);
		return r;
	}
	a->busy = true;
	a->next_state = state;
	json_decref(a->next_doc);
	a->next_doc = json_incref(doc);
	r = store_commit(a->policies->deps.store, batch, on_change_kept, a);
	if (r < 0) {
		a->busy = false;
		json_decref(TAKE(a->next_doc));
	}
	return r;
}

/* By nobody's word. One that cannot be written ends all the same: nothing is done by it. */
static void end_by_itself(struct approval *a, enum approval_state state)
{
	struct store_batch *batch = NULL;

	loop_timer_set(a->timer, 0);
	if (a->busy) { /* its commit ends first */
		a->end_wish = state;
		return;
	}
	if (store_batch_new(&batch) == 0 && approval_commit(a, batch, state, NULL) == 0)
		return;
	log_error(
		"approval %s: that it is %s cannot be written", a->id, approval_state_names[state]);
	a->state = state;
	settle(a);
}

/* It was to end while a commit was under way; in time is who was granted by that. */
static bool end_as_wished(struct approval *a)
{
	enum approval_state wish = a->end_wish;

	a->end_wish = APPROVAL_WAITING;
	if (wish == APPROVAL_WAITING || !approval_is_open(a) ||
		(wish == APPROVAL_EXPIRED && a->state == APPROVAL_GRANTED))
		return false;
	end_by_itself(a, wish);
	return true;
}

static void on_time(void *data)
{
	struct approval *a = data;

	if (approval_is_open(a))
		end_by_itself(a, APPROVAL_EXPIRED);
}

/* ---- what becomes of the step ---------------------------------------------------------------- */

json_t *approval_names(const json_t *doc)
{
	json_t *names = json_array(), *vote;
	size_t i;

	json_array_foreach (json_object_get(doc, "votes"), i, vote)
		if (str_eq(json_string_value(json_object_get(vote, "decision")), "approve"))
			(void)json_array_append(names, json_object_get(vote, "author"));
	return names;
}

static void end_sign_off(struct approval *a, struct step *step)
{
	char people[256];

	approval_people(json_object_get(a->doc, "votes"), people, sizeof(people));
	detach(a);
	if (a->state == APPROVAL_GRANTED)
		step_outcome(step, STEP_DONE, json_pack("{s:o}", "by", approval_names(a->doc)),
			"signed off by %s", people);
	else if (a->state == APPROVAL_DENIED)
		step_outcome(step, STEP_FAILED, NULL, "%s has not signed off: %s",
			json_string_value(json_object_get(a->doc, "ended_by")) ?: "somebody",
			json_string_value(json_object_get(a->doc, "comment")) ?: "no reason given");
	else
		step_outcome(step, STEP_FAILED, NULL, "nobody signed off in time");
}

static void refuse_step(struct approval *a, struct step *step)
{
	const char *who = json_string_value(json_object_get(a->doc, "ended_by"));
	const char *why = json_string_value(json_object_get(a->doc, "comment"));
	char span[CLOCK_TEXT_BYTES];

	/* It may be at its last look already: no answer to that is wanted any more. */
	detach(a);
	step_cancel(step);
	if (a->state == APPROVAL_DENIED)
		gate_refuse(step, false, "%s has denied it%s%s", who ? who : "somebody",
			why && *why ? ": " : "", why ? why : "");
	else if (a->state == APPROVAL_EXPIRED)
		gate_refuse(step, true, "nobody approved it within %s",
			clock_format_span(a->expires - a->created, span));
	else
		gate_refuse(step, true, "its approval is %s", approval_state_names[a->state]);
}

/* The approval is what it is now: its step goes on, or ends. */
static void settle(struct approval *a)
{
	struct step *step = a->step;

	if (a->busy || a->state == APPROVAL_WAITING) {
		if (!a->busy && clock_wall() >= a->expires)
			end_by_itself(a, APPROVAL_EXPIRED);
		return;
	}
	if (!step)
		return;
	if (a->sign_off)
		end_sign_off(a, step);
	else if (a->state == APPROVAL_GRANTED)
		gate_approved(step);
	else
		refuse_step(a, step);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int hash_of(const struct step *step, char hash[65])
{
	auto_free char *args =
		json_dumps(step->args, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	auto_free char *text = args ? str_printf("%s\n%s\n%s\n%s\n%s\n%s", step->run->id,
					      step->path, step->target ? step->target : "",
					      step->host ? step->host : "", step->verb->name, args)
				    : NULL;

	if (!text)
		return -ENOMEM;
	hash_text(text, hash);
	return 0;
}

static json_t *doc_of(const struct step *step, const char *text)
{
	const struct run *run = step->run;
	char deed[512];

	return json_pack("{s:s, s:s, s:s, s:O, s:s?, s:s, s:s, s:s?, s:s, s:[]}", "policy",
		run->policy, "target", step->target ? step->target : run->component, "verb",
		step->verb->name, "args", step->args, "incident",
		run->incident[0] ? run->incident : NULL, "risk", verb_risk_names[gate_risk(step)],
		"deed", approval_deed(step, deed, sizeof(deed)), "text", text, "started_by",
		run->author, "votes");
}

static struct approval *approval_new(struct step *step, unsigned needed, usec_t within)
{
	auto(approval_free) struct approval *a = calloc(1, sizeof(*a));
	const struct run *run = step->run;
	bool sign_off = step->verb->execute == act_sign_off;

	if (!a)
		return NULL;
	a->policies = run->policies;
	uuid7(a->id);
	memcpy(a->run, run->id, UUID_TEXT_BYTES);
	a->path = strdup(step->path);
	a->needed = needed;
	a->sign_off = sign_off;
	a->created = clock_wall();
	a->expires = a->created + within;
	a->doc = doc_of(
		step, sign_off ? json_string_value(json_object_get(step->args, "text")) : NULL);
	a->is_new = true;
	if (!a->path || !a->doc || hash_of(step, a->hash) < 0 ||
		(sign_off && json_object_set_new(a->doc, "sign_off", json_true()) < 0) ||
		adopt(run->policies, a) < 0)
		return NULL;
	return TAKE(a);
}

static int add_notice(struct approval *a, struct step *step, struct store_batch *batch)
{
	struct run *run = step->run;
	struct policies *p = run->policies;
	const struct conf_component *c =
		map_get(&p->conf->components, step->target ? step->target : run->component);
	auto_free char *text = approval_notice_text(a);
	auto_free char *fingerprint = str_printf("approval/%s", a->id);
	auto_json json_t *details = json_pack(
		"{s:s, s:s, s:s}", "approval", a->id, "run", run->id, "policy", run->policy);
	struct notice notice = {
		.kind = NOTICE_POLICY_MESSAGE,
		.severity = SEVERITY_WARNING,
		.fingerprint = fingerprint,
		.incident_id = run->incident[0] ? run->incident : NULL,
		.system = c ? c->system->name : NULL,
		.environment = c ? conf_environment_names[c->system->environment] : NULL,
		.component = c ? c->name : run->component,
		.text = text,
		.wall = a->created,
		.details = details,
		.urgent = true, /* who is to decide cannot do so after the window */
	};
	int r;

	if (!text || !fingerprint)
		return -ENOMEM;
	r = alert_add(p->deps.alert, &notice, batch);
	if (r >= 0)
		a->token = alert_seal(p->deps.alert);
	if (run_incident(run))
		incident_note(p->deps.incidents, run_incident(run), "approval", "%s", text);
	(void)gate_note(p, run->incident, run->policy, "%s: waits for approval %s",
		step->verb->name, a->id);
	log_notice("run %s: %s", run->id, text);
	return MIN(r, 0);
}

/* The request is kept and told by one commit. */
static int ask(struct approval *a, struct step *step)
{
	struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = add_notice(a, step, batch);
	if (r < 0) {
		store_batch_free(batch);
		return r;
	}
	r = approval_commit(a, batch, APPROVAL_WAITING, NULL);
	if (r < 0)
		alert_committed(a->policies->deps.alert, a->token, r);
	return r;
}

/* The time that people take is not the run's own. */
static void give_time(struct run *run, usec_t expires)
{
	usec_t now = clock_wall();

	if (run->cancelled || expires <= now)
		return;
	run->limit = MIN(run->limit + (expires - now), RUN_WALL_MAX_USEC);
	if (cancel_arm(run) < 0)
		log_warning("run %s: its time limit cannot be moved", run->id);
}

/* The approval of the step: the one that there is, or a new one. NULL: it was refused. */
static struct approval *attach(struct step *step, unsigned needed, usec_t within)
{
	struct policies *p = step->run->policies;
	struct approval *a = approval_find(p, step->run->id, step->path);
	char hash[65];

	if (a && (hash_of(step, hash) < 0 || strcmp(a->hash, hash) != 0)) {
		if (approval_is_open(a))
			end_by_itself(a, APPROVAL_VOID);
		gate_refuse(step, true,
			"the approval of this step was for something else: the policy does not do "
			"the same again");
		return NULL;
	}
	if (step_json_bytes(step->args) > ARGS_MAX_BYTES) {
		gate_refuse(step, true,
			"its arguments are longer than 16 KiB: nobody can approve what nobody can "
			"read");
		return NULL;
	}
	if (!a && count_waiting(p) >= APPROVE_MAX_WAITING) {
		gate_refuse(step, true, "%d steps wait for approval already", APPROVE_MAX_WAITING);
		return NULL;
	}
	if (!a)
		a = approval_new(step, needed, within);
	if (!a) {
		gate_refuse(step, true, "out of memory");
		return NULL;
	}
	a->step = step;
	step->approval = a;
	if (a->state == APPROVAL_WAITING)
		give_time(step->run, a->expires);
	if (a->is_new && !a->busy && ask(a, step) < 0) {
		a->state = APPROVAL_VOID;
		detach(a);
		gate_refuse(step, true,
			"the request for approval cannot be written: nothing was begun");
		return NULL;
	}
	return a;
}

static unsigned people_needed(const struct step *step)
{
	const struct run *run = step->run;
	struct policies *p = run->policies;
	const struct conf_component *c = map_get(&p->conf->components, step->target);
	const struct conf_policy *settings = policy_settings(p, run->policy);
	struct limits_asking asking = {
		.approve = trigger_mode(p, run->policy, c ? c->system : NULL) == MODE_APPROVE,
		.by_hand = strcmp(run->author, "tend") != 0,
		.destroy = gate_risk(step) >= RISK_DESTROY,
		.production = !c || c->system->environment == ENVIRONMENT_PRODUCTION,
		.unattended = settings && settings->destroy_unattended,
	};

	return limits_people(&asking);
}

bool approve_enter(struct step *step)
{
	/* To clean up needs nobody's word; to destroy while cleaning up does. */
	bool spared = path_is_cleanup(step->path) && gate_risk(step) < RISK_DESTROY;
	unsigned needed = spared ? 0 : people_needed(step);
	struct approval *a = step->approval;

	if (needed == 0 || step->run->dry)
		return true;
	if (!a)
		a = attach(step, needed, step->run->policies->conf->daemon.approval_expires);
	if (!a)
		return false;
	if (a->state == APPROVAL_GRANTED && !a->busy && clock_wall() < a->expires &&
		a->needed >= needed)
		return true;
	if (a->state == APPROVAL_GRANTED && !a->busy)
		end_by_itself(a, a->needed < needed ? APPROVAL_VOID : APPROVAL_EXPIRED);
	else
		settle(a);
	return false;
}

void act_sign_off(struct step *step)
{
	json_int_t people = json_integer_value(json_object_get(step->args, "people"));
	const json_t *limit = json_object_get(step->args, "within");
	usec_t within = step->run->policies->conf->daemon.approval_expires;
	struct approval *a;

	if (limit)
		(void)verb_duration(limit, &within);
	if (people < 0 || people > PEOPLE_MAX || within == 0 || within > RUN_WALL_MAX_USEC) {
		step_outcome(step, STEP_FAILED, NULL,
			"sign_off: 1 to %d people, within at most a day", PEOPLE_MAX);
		return;
	}
	a = attach(step, people ? (unsigned)people : 1, within);
	if (a)
		settle(a);
}

/* ---- the step's side ------------------------------------------------------------------------- */

void approve_forget(struct step *step)
{
	if (step->approval)
		detach(step->approval);
}

int approve_use(struct step *step, struct store_batch *batch)
{
	struct approval *a = step->approval;

	if (!a)
		return 0;
	if (a->state != APPROVAL_GRANTED || a->busy)
		return -EPERM;
	step->approved_by = approval_names(a->doc);
	/* Used from here on: should the commit fail, it is void. */
	a->state = APPROVAL_USED;
	a->ended = clock_wall();
	loop_timer_set(a->timer, 0);
	return add_put(a, batch, APPROVAL_USED, a->doc);
}

void approve_used(struct step *step, bool kept)
{
	struct approval *a = step->approval;

	if (!a)
		return;
	detach(a);
	if (!kept)
		end_by_itself(a, APPROVAL_VOID);
}

void approve_drop(struct step *step)
{
	struct approval *a = step->approval;

	if (!a)
		return;
	detach(a);
	if (approval_is_open(a))
		end_by_itself(a, APPROVAL_VOID);
}

json_t *approve_authors(const struct step *step)
{
	return json_incref(step->approved_by);
}

void approve_void_run(struct run *run)
{
	VEC_FOREACH (&run->policies->approvals, struct approval *, a) {
		if (strcmp(a->run, run->id) != 0 || !approval_is_open(a))
			continue;
		detach(a);
		end_by_itself(a, APPROVAL_VOID);
	}
}

/* ---- over a restart -------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	(void)snprintf(to, size, "%s", text ? text : "");
}

static int load_one(struct policies *p, json_t *row)
{
	auto(approval_free) struct approval *a = calloc(1, sizeof(*a));
	const char *path = json_string_value(json_object_get(row, "path"));
	const char *state = json_string_value(json_object_get(row, "state"));
	int r;

	if (!a)
		return -ENOMEM;
	if (!path || !state) {
		log_warning("an approval in the store cannot be read: it is left out");
		return 0;
	}
	a->policies = p;
	copy_text(a->id, sizeof(a->id), row, "id");
	copy_text(a->run, sizeof(a->run), row, "run");
	copy_text(a->hash, sizeof(a->hash), row, "hash");
	a->path = strdup(path);
	a->state = APPROVAL_VOID;
	for (int i = 0; i < APPROVAL_STATE_MAX; i++)
		if (strcmp(approval_state_names[i], state) == 0)
			a->state = (enum approval_state)i;
	a->needed = (unsigned)json_integer_value(json_object_get(row, "needed"));
	a->created = (usec_t)json_integer_value(json_object_get(row, "created"));
	a->expires = (usec_t)json_integer_value(json_object_get(row, "expires"));
	a->ended = (usec_t)json_integer_value(json_object_get(row, "ended"));
	a->doc = json_incref(json_object_get(row, "doc_json"));
	a->sign_off = json_is_true(json_object_get(a->doc, "sign_off"));
	r = a->path && a->doc ? adopt(p, a) : -ENOMEM;
	if (r == 0)
		(void)TAKE(a);
	return r;
}

int approve_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(p->deps.store, STORE_QUERY_APPROVALS, &rows, "si", NULL,
		(int64_t)APPROVALS_KEPT - 1);

	/* Newest first in the database, newest last here. */
	for (size_t i = json_array_size(rows); r == 0 && i-- > 0;)
		r = load_one(p, json_array_get(rows, i));
	return r;
}

void approve_free_all(struct policies *p)
{
	VEC_FOREACH (&p->approvals, struct approval *, a)
		approval_free(a);
	vec_clear(&p->approvals);
}
