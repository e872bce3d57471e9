/* SPDX-License-Identifier: MIT */
/*
 * alert/tell.c: who gets a notice, and that it is queued for them. What a notice of an incident is
 * to a receiver follows from whether it was told before: told.c. Decisions are in plan.c and
 * follow.c; nothing is decided here but which of them is asked.
 */
#include <string.h>
#include "alert/private.h"
#include "alert/silence.h"
#include "alert/view.h"
#include "base/clock.h"
#include "base/log.h"
#include "calendar/window.h"

int tell_new_record(
	const struct alert *alert, const struct notice *notice, struct record **ret_record)
{
	struct notice labelled = *notice;
	auto_json json_t *labels = NULL, *told = NULL;
	int r = 0;

	if (!notice->labels) {
		r = labels_of(alert->conf, notice, alert->host, &labels);
		labelled.labels = labels;
	}
	/* To whom it is raised it was not told before. */
	if (r == 0 && notice->incident_id && notice->kind != NOTICE_INCIDENT_RAISED &&
		view_status_of(notice->kind) != VIEW_EVENT) {
		r = told_labels(alert, notice->incident_id, labelled.labels, &told);
		labelled.told = told;
	}
	return r < 0 ? r : record_new(&labelled, ret_record);
}

static struct plan_question question_of(const struct alert *alert, const struct notice *notice)
{
	return (struct plan_question){.conf = alert->conf,
		.notice = notice,
		.labels = notice->labels,
		.wall = clock_wall(),
		.terse = true};
}

/* A notice for nobody is in the ledger all the same: it answers why nobody was told. */
static int record_alone(struct record *record, const struct plan *plan, struct store_batch *batch)
{
	const struct notice *n = &record->notice;

	if (record_note_gates(record, &plan->gates) < 0)
		return -ENOMEM;
	return store_batch_add(batch, STORE_NOTICE_PUT, "sssssij", n->id, notice_kind_name(n->kind),
		n->incident_id, n->fingerprint, conf_severity_names[n->severity], (int64_t)n->wall,
		record->doc);
}

static int queue_all(struct alert *alert, struct record *record, const struct plan *plan,
	struct store_batch *batch, struct token *token)
{
	const struct notice *notice = &record->notice;
	int n = 0, r;

	if (plan->targets.len == 0)
		return record_alone(record, plan, batch);
	if (notice->incident_id &&
		(notice->kind == NOTICE_INCIDENT_RAISED || notice->kind == NOTICE_INCIDENT_CHANGED))
		told_keep_labels(alert, notice->incident_id, notice->labels);
	/* All of them, before the first row with the notice is written. */
	VEC_FOREACH (&plan->targets, const struct plan_target *, target) {
		r = record_note_receiver(record, target->receiver->name);
		if (r < 0)
			return r;
	}
	VEC_FOREACH (&plan->targets, const struct plan_target *, target) {
		struct receiver *receiver = alert_find_receiver(alert, target->receiver->name);

		if (notice->incident_id && notice->kind == NOTICE_INCIDENT_CHANGED)
			told_change_queued(alert, notice->incident_id);
		r = receiver ? alert_queue(alert, record, receiver, target, NULL, batch, token)
			     : -ENOENT;
		if (r < 0)
			log_error("receiver '%s': notice %s is lost: %s", target->receiver->name,
				record->notice.id, strerror(-r));
		else
			n++;
	}
	return n;
}

/* First of all: one that is shed while it is queued counts as not told. */
static int queue_raise(struct alert *alert, struct record *record, const struct plan *plan,
	struct store_batch *batch, struct token *token)
{
	const struct notice *n = &record->notice;

	VEC_FOREACH (&plan->targets, const struct plan_target *, target)
		told_add(alert, n->incident_id, target->receiver->name, n->wall);
	return queue_all(alert, record, plan, batch, token);
}

static bool has_target(const struct plan *plan, const struct conf_receiver *receiver)
{
	VEC_FOREACH (&plan->targets, const struct plan_target *, target)
		if (target->receiver == receiver)
			return true;
	return false;
}

/* Whoever stands in for it, and so gets what it does not, is to know why; or all others: of those
 * who are told of the daemon's troubles nobody is left. */
static int add_others(const struct alert *alert, const struct notice *n, const char *subject,
	bool any_before, struct plan *plan)
{
	const struct plan_question question = question_of(alert, n);
	const struct conf_receiver *conf = map_get(&alert->conf->receivers, subject);
	const struct conf_receiver *fallback =
		conf && conf->fallback ? map_get(&alert->conf->receivers, conf->fallback) : NULL;
	int r = 0;

	if (fallback && fallback != conf && !has_target(plan, fallback))
		return plan_add_told(&question, fallback, plan);
	if (plan->targets.len > 0 || !any_before)
		return 0;
	MAP_FOREACH (&alert->conf->receivers, const struct conf_receiver *, other)
		if (r == 0 && other != conf)
			r = plan_add_told(&question, other, plan);
	return r;
}

/* A receiver that fails does not hear of its own failure. */
static int leave_out_subject(const struct alert *alert, const struct notice *n, struct plan *plan)
{
	const char *name = json_string_value(json_object_get(n->details, "receiver"));
	size_t n_before = plan->targets.len;

	if ((n->kind != NOTICE_RECEIVER_FAILING && n->kind != NOTICE_RECEIVER_DISABLED) || !name)
		return 0;
	for (size_t i = plan->targets.len; i-- > 0;) {
		struct plan_target *target = plan->targets.items[i];

		if (strcmp(target->receiver->name, name) != 0)
			continue;
		plan_target_free(target);
		vec_remove(&plan->targets, i);
	}
	return add_others(alert, n, name, n_before > 0, plan);
}

static bool is_of_policy(const struct notice *n)
{
	return n->kind == NOTICE_POLICY_FAILED || n->kind == NOTICE_POLICY_MESSAGE;
}

/* What a policy says of a component waits for the end of a quiet window. It is not looked at again
 * then: that a run failed stays true. */
static void wait_for_window(const struct alert *alert, const struct notice *n, struct plan *plan)
{
	const struct conf_component *c =
		n->component ? map_get(&alert->conf->components, n->component) : NULL;
	struct window_span span = {0};
	const struct conf_window *window =
		c && is_of_policy(n) && !n->urgent
			? windows_quiet(alert->conf, c, NULL, n->wall, &span)
			: NULL;
	char until[ZONE_TEXT_BYTES];

	if (!window)
		return;
	if (span.closes == USEC_INFINITY) {
		plan_gate(plan, "window", "'%s' is open without an end: it is not told",
			window->name);
		while (plan->targets.len > 0) {
			plan_target_free(plan->targets.items[plan->targets.len - 1]);
			vec_remove(&plan->targets, plan->targets.len - 1);
		}
		return;
	}
	plan_gate(plan, "window", "'%s' is open, it waits until %s", window->name,
		zone_format(window->zone, span.closes, until));
	VEC_FOREACH (&plan->targets, struct plan_target *, target)
		target->not_before = MAX(target->not_before, span.closes);
}

/* Of an incident the manager holds the notices; these are told, or not, when they come. What was
 * asked for by hand, and the sign of life, are no alarm. */
static bool is_silenced(struct alert *alert, const struct notice *n, struct plan *plan)
{
	const struct silence *silence;

	if ((n->incident_id && !is_of_policy(n)) || n->kind == NOTICE_TEST ||
		n->kind == NOTICE_HEARTBEAT)
		return false;
	silence = silences_match(alert->silences, n->labels, false);
	if (!silence)
		return false;
	plan_gate(plan, "silence", "%s of %s: %s", silence->id, silence->author, silence->comment);
	alert->n_silenced++;
	return true;
}

static int tell_routed(struct alert *alert, struct record *record, bool told_only,
	struct store_batch *batch, struct token *token)
{
	const struct notice *n = &record->notice;
	struct plan_question question = question_of(alert, n);
	auto(plan_clear) struct plan plan = {0};
	bool silent = told_only || !alert->conf || is_silenced(alert, n, &plan);
	int r = silent ? 0 : plan_make(&question, &plan);

	/* Nobody is: then it matters why. */
	if (r == 0 && !silent && plan.targets.len == 0) {
		question.terse = false;
		r = plan_make(&question, &plan);
		alert->n_unrouted++;
	}
	if (r == 0)
		r = leave_out_subject(alert, n, &plan);
	if (r < 0)
		return r;
	if (!silent)
		wait_for_window(alert, n, &plan);
	if (n->kind == NOTICE_INCIDENT_RAISED && n->incident_id)
		return queue_raise(alert, record, &plan, batch, token);
	return queue_all(alert, record, &plan, batch, token);
}

/* An NMS has its table for what is still so. */
static bool hears(const struct conf_receiver *receiver, enum notice_kind kind)
{
	return receiver->type != RECEIVER_SNMP ||
	       (kind != NOTICE_INCIDENT_REMINDER && kind != NOTICE_INCIDENT_ACKNOWLEDGED);
}

/* To those who know of the incident. Nothing is recorded when nobody ever did. */
static int tell_told(
	struct alert *alert, struct record *record, struct store_batch *batch, struct token *token)
{
	const struct notice *n = &record->notice;
	const struct plan_question question = question_of(alert, n);
	auto(plan_clear) struct plan plan = {0};
	struct vec found = {0};
	int r;

	if (!told_open(alert, n->incident_id))
		return 0;
	r = told_match(alert, n->incident_id, &found);
	VEC_FOREACH (&found, const struct conf_receiver *, receiver)
		if (r == 0 && hears(receiver, n->kind))
			r = plan_add_told(&question, receiver, &plan);
	vec_clear(&found);
	return r < 0 ? r : queue_all(alert, record, &plan, batch, token);
}

/* A notice of its own, like `n`, to whom `plan` says. */
static int tell_as(struct alert *alert, const struct notice *n, enum notice_kind kind,
	const struct plan *plan, struct store_batch *batch, struct token *token)
{
	auto(record_unref) struct record *record = NULL;
	struct notice other = *n;
	int r;

	if (plan->targets.len == 0)
		return 0;
	other.kind = kind;
	uuid7(other.id);
	r = tell_new_record(alert, &other, &record);
	if (r < 0)
		return r;
	return kind == NOTICE_INCIDENT_RAISED ? queue_raise(alert, record, plan, batch, token)
					      : queue_all(alert, record, plan, batch, token);
}

/* A change is news of a kind of its own to whom the routes name only now: a raise. */
static int raise_to_more(
	struct alert *alert, const struct notice *n, struct store_batch *batch, struct token *token)
{
	const struct plan_question question = question_of(alert, n);
	auto(plan_clear) struct plan plan = {0};
	int r = alert->conf ? plan_make(&question, &plan) : 0;

	for (size_t i = plan.targets.len; i-- > 0;) {
		struct plan_target *target = plan.targets.items[i];

		if (!told_has(alert, n->incident_id, target->receiver->name))
			continue;
		plan_target_free(target);
		vec_remove(&plan.targets, i);
	}
	return r < 0 ? r : tell_as(alert, n, NOTICE_INCIDENT_RAISED, &plan, batch, token);
}

int tell(struct alert *alert, struct record *record, bool told_only, struct store_batch *batch,
	struct token *token)
{
	const struct notice *n = &record->notice;
	int r, n_more = 0;

	if (n->incident_id && n->kind == NOTICE_INCIDENT_ACKNOWLEDGED)
		return tell_told(alert, record, batch, token);
	if (!n->incident_id || !told_knows(alert, n->incident_id) ||
		(n->kind != NOTICE_INCIDENT_CHANGED && n->kind != NOTICE_INCIDENT_CLEARED))
		return tell_routed(alert, record, told_only, batch, token);
	r = tell_told(alert, record, batch, token);
	if (n->kind == NOTICE_INCIDENT_CLEARED)
		told_drop(alert, n->incident_id);
	else if (!told_only)
		n_more = raise_to_more(alert, n, batch, token);
	/* What one half queued must be sealed, whatever became of the other. */
	if (r <= 0 && n_more <= 0)
		return r < 0 ? r : n_more;
	return MAX(r, 0) + MAX(n_more, 0);
}

static usec_t repeat_of(struct alert *alert, const struct conf_receiver *conf)
{
	int64_t seconds = conf->type == RECEIVER_WEBHOOK ? webhook_repeat_seconds(alert, conf) : 0;

	return seconds > 0 ? (usec_t)seconds * USEC_PER_SEC : 0;
}

bool alert_repeats(struct alert *alert)
{
	if (alert->conf)
		MAP_FOREACH (&alert->conf->receivers, const struct conf_receiver *, conf)
			if (repeat_of(alert, conf))
				return true;
	return false;
}

/* ---- afterwards ----------------------------------------------------------------------------- */

/* Those who were told and are still configured; the caller frees. */
static size_t list_told(struct alert *alert, const char *incident, struct follow_told **ret_list)
{
	const struct vec *told = told_list(alert, incident);
	struct follow_told *list = calloc(told ? told->len + 1 : 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; list && told && i < told->len; i++) {
		const struct told_one *one = told->items[i];
		const struct conf_receiver *conf = map_get(&alert->conf->receivers, one->name);

		if (conf && !one->untold)
			list[n++] = (struct follow_told){.receiver = conf,
				.told_wall = told_by_clock(one, one->told_wall),
				.last_wall = told_by_clock(one, one->last_wall),
				.n_reminders = one->n_reminders,
				.refused = one->refused,
				.repeat = repeat_of(alert, conf)};
	}
	*ret_list = list;
	return n;
}

/* What waits for one that is gone may still go to its fallback. */
static bool any_waits(const struct alert *alert, const struct vec *told)
{
	VEC_FOREACH (told, const struct told_one *, one) {
		const struct receiver *receiver = map_get(&alert->receivers, one->name);

		if (receiver && receiver->outbox.n_waiting + receiver->leaving.len > 0)
			return true;
	}
	return false;
}

bool alert_is_abandoned(const struct alert *alert, const char *incident_id)
{
	return told_is_gone(alert, incident_id) && !any_waits(alert, told_list(alert, incident_id));
}

bool alert_any_abandoned(const struct alert *alert)
{
	return told_any_gone(alert);
}

static int tell_follow(struct alert *alert, const struct notice *n, const struct follow *follow)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	int r, n_raised, n_reminded;

	if (follow->raise.targets.len + follow->remind.targets.len == 0)
		return 0;
	r = store_batch_new(&batch);
	if (r == 0)
		r = token_new(alert, &token);
	if (r < 0)
		return r;
	n_raised = tell_as(alert, n, NOTICE_INCIDENT_RAISED, &follow->raise, batch, token);
	n_reminded = tell_as(alert, n, NOTICE_INCIDENT_REMINDER, &follow->remind, batch, token);
	VEC_FOREACH (&follow->remind.targets, const struct plan_target *, target)
		told_remind(alert, n->incident_id, target->receiver->name, clock_wall(), 1);
	r = alert_commit_own(alert, TAKE(batch), TAKE(token));
	return r < 0 ? r : MAX(n_raised, 0) + MAX(n_reminded, 0);
}

int alert_follow(struct alert *alert, const struct alert_followed *followed, usec_t *ret_next_wall)
{
	auto(follow_clear) struct follow follow = {.next_wall = USEC_INFINITY};
	auto_json json_t *labels = NULL;
	auto_free struct follow_told *told = NULL;
	struct notice notice = *followed->notice;
	struct follow_question question = {.acknowledged = followed->acknowledged,
		.abandoned = alert_is_abandoned(alert, notice.incident_id)};
	int r = alert->conf ? labels_of(alert->conf, &notice, alert->host, &labels) : -EAGAIN;

	if (r < 0)
		return r;
	notice.labels = labels;
	question.plan = question_of(alert, &notice);
	question.n_told = list_told(alert, notice.incident_id, &told);
	question.told = told;
	question.since = MAX(question.n_told ? told[0].told_wall : 0, followed->since_wall);
	r = told ? follow_make(&question, &follow) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_next_wall = follow.next_wall;
	return tell_follow(alert, &notice, &follow);
}
