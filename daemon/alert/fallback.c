/* SPDX-License-Identifier: MIT */
/*
 * alert/fallback.c: what a receiver does not get goes to its fallback. What has ended for the one
 * leaves for the other some at a time, by the pump: thousands at once must not hold up the loop.
 * Until it has gone its row says that it waits, so that a crash repeats it rather than loses it.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum { LEAVE_AT_ONCE = 100, LEAVE_MAX_SHED = 20000 };

struct hand_over {
	struct alert *alert;
	const char *via;
	struct receiver *to;
	struct plan_target target;
	struct store_batch *batch;
	struct token *token;
};

static int hand_over_begin(struct hand_over *h)
{
	int r = store_batch_new(&h->batch);

	if (r == 0)
		r = token_new(h->alert, &h->token);
	if (r < 0)
		h->batch = store_batch_free(h->batch);
	return r;
}

static void hand_over_end(struct hand_over *h)
{
	if (h->token && h->token->writes.len > 0)
		(void)alert_commit_own(h->alert, TAKE(h->batch), TAKE(h->token));
	h->batch = store_batch_free(h->batch);
	h->token = token_free(h->token);
}

static void hand_over(struct hand_over *h, const struct delivery *d)
{
	int r = record_note_receiver(d->record, h->to->name);

	if (r > 0)
		r = h->token ? 0 : hand_over_begin(h);
	else if (r == 0)
		return; /* it got the notice by its own route */
	if (r == 0)
		r = alert_queue(h->alert, d->record, h->to, &h->target, d, h->batch, h->token);
	if (r < 0)
		log_error("receiver '%s': cannot hand notice %s to '%s': %s", h->via,
			d->record->notice.id, h->to->name, strerror(-r));
}

static bool is_beginning(const struct notice *n)
{
	return n->kind == NOTICE_INCIDENT_RAISED || n->kind == NOTICE_INCIDENT_CHANGED ||
	       n->kind == NOTICE_INCIDENT_REMINDER;
}

/* Its end, that waits as well, or leaves after it. NULL. */
static struct delivery *clear_of(const struct receiver *from, const struct notice *n)
{
	struct delivery *clear = outbox_find(&from->outbox, n, NOTICE_INCIDENT_CLEARED);

	if (clear || !n->incident_id)
		return clear;
	return map_get(&from->leaving_clears, n->incident_id);
}

static void hand_over_clear(struct hand_over *h, struct receiver *from, const struct notice *n)
{
	struct delivery *clear;

	if (!is_beginning(n))
		return;
	/* Now it knows of the incident, so the end is for it as well. */
	clear = clear_of(from, n);
	if (clear)
		hand_over(h, clear);
	else if (n->incident_id && told_open(from->alert, n->incident_id))
		told_add(from->alert, n->incident_id, h->to->name, n->wall);
}

static bool was_raised_and_cleared(const struct delivery *d)
{
	const char *raised = notice_kind_name(NOTICE_INCIDENT_RAISED);
	json_t *one;
	size_t i;

	json_array_foreach (d->merged, i, one)
		if (str_eq(json_string_value(json_object_get(one, "kind")), raised))
			return true;
	return false;
}

/* That somebody has it, or that it is over, is for those only who know of it. Who was told by then
 * has it already: what is left is one that got the beginning just now, with this. */
static bool comes_out_of_the_blue(const struct hand_over *h, const struct delivery *d)
{
	static const enum notice_kind beginnings[] = {
		NOTICE_INCIDENT_RAISED, NOTICE_INCIDENT_CHANGED, NOTICE_INCIDENT_REMINDER};
	const struct notice *n = &d->record->notice;

	if (n->kind == NOTICE_INCIDENT_ACKNOWLEDGED)
		return !n->incident_id || !told_has(h->alert, n->incident_id, h->to->name);
	if (n->kind != NOTICE_INCIDENT_CLEARED || was_raised_and_cleared(d))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (outbox_find(&h->to->outbox, n, beginnings[i]))
			return false;
	return true;
}

/* What it tells of is over, and whoever was to know knows: while it was on its way here. */
static bool is_over(const struct receiver *from, const struct notice *n)
{
	return is_beginning(n) && n->incident_id && told_knows(from->alert, n->incident_id) &&
	       !told_open(from->alert, n->incident_id) && !clear_of(from, n);
}

static struct receiver *fallback_of(const struct receiver *receiver)
{
	const char *name = receiver->conf ? receiver->conf->fallback : receiver->fallback;
	struct receiver *to = name ? alert_find_receiver(receiver->alert, name) : NULL;

	return to != receiver && to && to->conf ? to : NULL;
}

/* Of what was shed it takes so much only that nothing of its own must be shed for it. */
static bool has_room(const struct receiver *to)
{
	return !to->disabled_wall && to->outbox.n_waiting < (size_t)to->conf->outbox_rows / 2 &&
	       to->outbox.n_bytes < to->conf->outbox_bytes / 2;
}

/* One hop only: what a fallback cannot deliver either is shown as undelivered. Returns whether
 * nobody gets it. */
static bool leave(struct hand_over *h, struct receiver *from, const struct delivery *d)
{
	const struct notice *n = &d->record->notice;

	if (h->to && record_has_receiver(d->record, h->to->name))
		return false;
	if (d->via || !h->to || (d->leaving == LEAVE_IF_ROOM && !has_room(h->to)))
		return true;
	if (d->leaving == LEAVE_IF_ROOM && is_over(from, n))
		return false;
	if (comes_out_of_the_blue(h, d))
		return true;
	hand_over(h, d);
	hand_over_clear(h, from, n);
	return false;
}

static void left(struct receiver *receiver, struct delivery *d)
{
	const char *incident = d->record->notice.incident_id;

	if (incident && map_get(&receiver->leaving_clears, incident) == d)
		(void)map_remove(&receiver->leaving_clears, incident);
	d->leaving = LEAVE_NOT;
	ledger_touch(d);
	delivery_unref(d);
}

/* Those that have left; the others move up. */
static void drop_first(struct vec *leaving, size_t n)
{
	leaving->len -= n;
	memmove(leaving->items, leaving->items + n, leaving->len * sizeof(void *));
}

bool fallback_pump(struct receiver *receiver)
{
	static char no_group[] = "";
	struct hand_over h = {
		.alert = receiver->alert, .via = receiver->name, .to = fallback_of(receiver)};
	struct vec *leaving = &receiver->leaving;
	size_t n = MIN(leaving->len, (size_t)LEAVE_AT_ONCE), n_lost = 0;

	if (n == 0)
		return false;
	if (h.to)
		h.target = (struct plan_target){
			.receiver = h.to->conf, .group = no_group, .storm = true};
	for (size_t i = 0; i < n; i++) {
		struct delivery *d = leaving->items[i];
		bool counts =
			d->leaving == LEAVE_COUNTED && !notice_is_of_receiver(&d->record->notice);

		n_lost += leave(&h, receiver, d) && counts;
	}
	hand_over_end(&h);
	/* Only now: a clear among them was found by its raise. */
	for (size_t i = 0; i < n; i++)
		left(receiver, leaving->items[i]);
	drop_first(leaving, n);
	if (n_lost > 0)
		receiver_note_lost(receiver, 0, 0, n_lost);
	return leaving->len > 0;
}

void fallback_push(struct delivery *d, enum leaving how)
{
	struct receiver *receiver = d->receiver;
	const struct notice *n = &d->record->notice;
	int r;

	if (how == LEAVE_NOT || d->memory_only || n->kind == NOTICE_TEST ||
		(how != LEAVE_COUNTED && (d->via || !fallback_of(receiver))) ||
		(how == LEAVE_IF_ROOM && receiver->leaving.len >= LEAVE_MAX_SHED))
		return;
	r = vec_push(&receiver->leaving, d);
	if (r == 0 && n->kind == NOTICE_INCIDENT_CLEARED && n->incident_id)
		(void)map_put(&receiver->leaving_clears, n->incident_id, d);
	if (r < 0) {
		log_error("receiver '%s': notice %s cannot be handed over: %s", receiver->name,
			n->id, strerror(-r));
		return;
	}
	delivery_ref(d);
	d->leaving = how;
	if (receiver->pumping)
		return;
	receiver->wake_at = clock_now();
	loop_timer_set(receiver->timer, receiver->wake_at);
}

void fallback_clear(struct receiver *receiver)
{
	VEC_FOREACH (&receiver->leaving, struct delivery *, d)
		delivery_unref(d);
	vec_clear(&receiver->leaving);
	map_clear(&receiver->leaving_clears);
}
