/* SPDX-License-Identifier: MIT */
/*
 * alert/queue.c: a notice becomes a delivery: its number, its row, its place in the outbox; and
 * what makes room for it when there is none.
 */
#include <assert.h>
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* Into the batch, and if that has no room, at least into memory. */
static void write_or_keep(struct store_batch *batch, struct token *token, struct delivery *d)
{
	int r = ledger_write(batch, d);

	if (r < 0)
		log_warning("receiver '%s': notice %s does not fit into its batch (%s), it is "
			    "written after it",
			d->receiver->name, d->record->notice.id, strerror(-r));
	if (token_add(token, d, r < 0) < 0)
		ledger_keep(d);
}

static void settle_superseded(
	struct delivery *superseded, struct store_batch *batch, struct token *token)
{
	while (superseded) {
		auto(delivery_unref) struct delivery *old = superseded;

		superseded = old->next;
		old->next = NULL;
		delivery_settle(old, DELIVERY_SUPERSEDED, NULL);
		write_or_keep(batch, token, old);
	}
}

static bool is_full(const struct receiver *receiver)
{
	const struct conf_receiver *conf = receiver->conf;
	const struct outbox *outbox = &receiver->outbox;

	return conf && (outbox->n_waiting > (size_t)conf->outbox_rows ||
			       outbox->n_bytes > conf->outbox_bytes);
}

static uint64_t shed_one(struct receiver *receiver, struct delivery *victim)
{
	static const char why[] = "shed: too many notices wait for this receiver";
	auto(delivery_unref) struct delivery *held = delivery_ref(victim);
	struct delivery *orphan;
	uint64_t n = 1;

	receiver->worst_shed = MAX(receiver->worst_shed, held->record->notice.severity);
	delivery_end(victim, DELIVERY_FAILED, why, LEAVE_IF_ROOM);
	for (; (orphan = outbox_orphan(&receiver->outbox, held)); n++)
		delivery_end(orphan, DELIVERY_FAILED, why, LEAVE_IF_ROOM);
	return n;
}

static void shed(struct receiver *receiver)
{
	uint64_t n = 0;
	struct delivery *victim;

	while (is_full(receiver) && (victim = outbox_victim(&receiver->outbox)))
		n += shed_one(receiver, victim);
	receiver->n_shed += n;
	if (n > 0)
		receiver_note_lost(receiver, n, 0, 0);
}

/* During an outage all that comes is for one digest. */
static bool goes_alone(struct receiver *receiver, usec_t now)
{
	bool admitted = outbox_admits(&receiver->outbox, now);

	return admitted && (!receiver->breaker_open || receiver->outbox.pace.storm_burst == 0);
}

static int set_group(struct delivery *d, const struct plan_target *target)
{
	struct receiver *receiver = d->receiver;
	const char *key = target->group;
	usec_t now = clock_now(), wall = clock_wall();

	if (target->not_before > wall) {
		d->next_wall = target->not_before;
		d->next_at = now + (target->not_before - wall);
	}
	d->due_wall = d->next_wall;
	if (!receiver->outbox.pace.can_group)
		return 0;
	if (!*key && !d->next_at && (!target->storm || goes_alone(receiver, now)))
		return 0;
	d->group = strdup(key);
	d->group_labels = target->group_labels ? json_incref(target->group_labels) : NULL;
	d->wait = target->wait;
	d->interval = target->interval;
	wall = d->added_wall + MAX(d->wait, d->interval);
	d->due_wall = MAX(d->due_wall, wall);
	return d->group ? 0 : -ENOMEM;
}

/* It lives from when it was to go: a digest is not late before its time. */
static usec_t expires_at(const struct delivery *d)
{
	usec_t held = d->due_wall > d->added_wall ? d->due_wall - d->added_wall : 0;

	return clock_now() + held + receiver_ttl(d->receiver->conf, d->record->notice.severity);
}

/* What stands in for another says all that the other would have said, but for the numbers, which
 * were of its receiver. */
static int stand_in(struct delivery *d, const struct delivery *other)
{
	json_t *one;
	size_t i;

	d->via = strdup(other->receiver->name);
	if (!d->via)
		return -ENOMEM;
	if (!other->merged)
		return 0;
	d->merged = json_deep_copy(other->merged);
	json_array_foreach (d->merged, i, one)
		(void)json_object_del(one, "sequence");
	return d->merged ? 0 : -ENOMEM;
}

/* Something worse was added to what was held: it goes at once, and its row says so. */
static void write_unheld(const struct delivery *d)
{
	for (struct delivery *old = d->prev; old; old = old->prev) {
		if (!old->unheld)
			continue;
		old->unheld = false;
		ledger_touch(old);
	}
}

int alert_queue(struct alert *alert, struct record *record, struct receiver *receiver,
	const struct plan_target *target, const struct delivery *instead, struct store_batch *batch,
	struct token *token)
{
	auto(delivery_unref) struct delivery *d = NULL;
	struct delivery *superseded;
	int r = delivery_new(record, receiver, &d);

	if (r < 0)
		return r;
	d->added_wall = clock_wall();
	d->sequence = receiver->sequence + 1;
	r = instead ? stand_in(d, instead) : 0;
	if (r == 0 && target)
		r = set_group(d, target);
	if (r < 0)
		return r;
	r = outbox_add(&receiver->outbox, d, clock_now(), &superseded);
	if (r < 0)
		return r;
	write_unheld(d);
	/* Now it is known until when it is held; it is not released yet. */
	if (receiver->conf)
		d->expires_at = expires_at(d);
	receiver->sequence++;
	settle_superseded(superseded, batch, token);
	shed(receiver);
	write_or_keep(batch, token, d);
	return 0;
}

static void on_own_committed(int r, void *data)
{
	struct token *token = data;
	struct alert *alert = token->alert;

	alert_committed(alert, token->number, r);
}

int alert_commit_own(struct alert *alert, struct store_batch *batch, struct token *token)
{
	int r;

	assert(token);
	r = vec_push(&alert->tokens, token);
	if (r < 0) {
		store_batch_free(batch);
		token_end(token, r);
		return r;
	}
	r = store_commit(alert->deps.store, batch, on_own_committed, token);
	if (r < 0)
		alert_committed(alert, token->number, r);
	return 0;
}

int alert_queue_now(struct alert *alert, struct record *record, struct receiver *receiver)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = token_new(alert, &token);
	if (r == 0)
		r = alert_queue(alert, record, receiver, NULL, NULL, batch, token);
	return r == 0 ? alert_commit_own(alert, TAKE(batch), TAKE(token)) : r;
}

bool notice_is_of_receiver(const struct notice *notice)
{
	return notice->kind == NOTICE_RECEIVER_FAILING || notice->kind == NOTICE_RECEIVER_DISABLED;
}

bool notice_is_for(const struct notice *notice, const char *receiver)
{
	return !notice_is_of_receiver(notice) ||
	       !str_eq(json_string_value(json_object_get(notice->details, "receiver")), receiver);
}
