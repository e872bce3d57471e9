/* SPDX-License-Identifier: MIT */
#include "alert/outbox.h"
#include <assert.h>
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/str.h"

const char *const delivery_state_names[DELIVERY_STATE_MAX] = {
	[DELIVERY_WAITING] = "waiting",
	[DELIVERY_DELIVERED] = "delivered",
	[DELIVERY_FAILED] = "failed",
	[DELIVERY_SUPERSEDED] = "superseded",
	[DELIVERY_EXPIRED] = "expired",
};

enum { MERGED_BYTES = 160 };		    /* of one that was superseded, about */
#define HELD_MAX (7 * 86400 * USEC_PER_SEC) /* if the clock was set meanwhile */

#define EXPIRY_OF(node) ((struct delivery *)heap_owner(node, offsetof(struct delivery, expiry)))
#define WORTH_OF(node)	((struct delivery *)heap_owner(node, offsetof(struct delivery, worth)))
#define RETRY_OF(node)	((struct shipment *)heap_owner(node, offsetof(struct shipment, retry)))

/* ---- deliveries ----------------------------------------------------------------------------- */

int delivery_new(struct record *record, struct receiver *receiver, struct delivery **ret_delivery)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->n_refs = 1;
	d->record = record_ref(record);
	d->receiver = receiver;
	d->expires_at = USEC_INFINITY;
	d->version = 1;
	d->n_bytes = record->n_bytes;
	d->ready.index = d->expiry.index = d->worth.index = HEAP_NOWHERE;
	*ret_delivery = d;
	return 0;
}

struct delivery *delivery_ref(struct delivery *d)
{
	d->n_refs++;
	return d;
}

struct delivery *delivery_unref(struct delivery *d)
{
	if (d && --d->n_refs == 0) {
		record_unref(d->record);
		json_decref(d->merged);
		json_decref(d->group_labels);
		free(d->group);
		free(d->via);
		free(d);
	}
	return NULL;
}

/* It was tried, or will be, under the id of a shipment of several. */
static bool is_fixed(const struct delivery *d)
{
	return d->batch[0] && strcmp(d->batch, d->record->notice.id) != 0;
}

/* ---- merging -------------------------------------------------------------------------------- */

static int merged_append(struct delivery *d, const struct delivery *old)
{
	char time[CLOCK_TEXT_BYTES];
	json_t *one;

	if (!d->merged)
		d->merged = json_array();
	if (old->merged && json_array_extend(d->merged, old->merged) < 0)
		return -ENOMEM;
	one = json_pack("{s:s, s:I, s:s, s:s}", "id", old->record->notice.id, "sequence",
		(json_int_t)old->sequence, "kind", notice_kind_name(old->record->notice.kind),
		"time", clock_format(old->record->notice.wall, time));
	if (json_array_append_new(d->merged, one) < 0)
		return -ENOMEM;
	/* The first is the raise, whatever else is forgotten. */
	while (json_array_size(d->merged) > DELIVERY_MAX_MERGED)
		(void)json_array_remove(d->merged, 1);
	return 0;
}

static bool same_incident(const struct notice *a, const struct notice *b)
{
	return a->incident_id && b->incident_id && strcmp(a->incident_id, b->incident_id) == 0;
}

/* A change is overtaken by a newer change or the clear; a raise only by its own clear, because a
 * receiver must never hear of a change to what it was not told of. What only repeats is overtaken
 * by whatever says more. */
static bool overtakes(const struct delivery *d, const struct delivery *old)
{
	const struct notice *n = &d->record->notice, *o = &old->record->notice;

	if (old->in_flight || is_fixed(old))
		return false;
	if (n->kind == NOTICE_HEARTBEAT)
		return o->kind == NOTICE_HEARTBEAT;
	if (!same_incident(n, o))
		return false;
	switch (n->kind) {
	case NOTICE_INCIDENT_CLEARED:
		return o->kind == NOTICE_INCIDENT_RAISED || o->kind == NOTICE_INCIDENT_CHANGED ||
		       o->kind == NOTICE_INCIDENT_REMINDER ||
		       o->kind == NOTICE_INCIDENT_ACKNOWLEDGED;
	case NOTICE_INCIDENT_CHANGED:
		return o->kind == NOTICE_INCIDENT_CHANGED || o->kind == NOTICE_INCIDENT_REMINDER;
	case NOTICE_INCIDENT_REMINDER:
		return o->kind == NOTICE_INCIDENT_REMINDER;
	default:
		return false;
	}
}

static bool may_overtake(enum notice_kind kind)
{
	return kind == NOTICE_INCIDENT_CLEARED || kind == NOTICE_INCIDENT_CHANGED ||
	       kind == NOTICE_INCIDENT_REMINDER || kind == NOTICE_HEARTBEAT;
}

/* Where what `d` may overtake begins: at the raise of its incident, which nothing precedes. */
static struct delivery *overtaken_from(const struct chain *chain, const struct delivery *d)
{
	struct delivery *from = chain->last;

	if (!may_overtake(d->record->notice.kind))
		return NULL;
	while (from && from->prev &&
		!(from->record->notice.kind == NOTICE_INCIDENT_RAISED &&
			same_incident(&from->record->notice, &d->record->notice)))
		from = from->prev;
	return from;
}

/* What is held for a digest holds what comes after it, until something worse is due. */
static void join_hold(const struct chain *chain, struct delivery *d, usec_t now)
{
	const struct notice *n = &d->record->notice;
	const struct delivery *longest = NULL;
	usec_t hold = 0;

	for (const struct delivery *old = chain->last; old; old = old->prev) {
		if (old->next_at <= MAX(d->next_at, now) || old->n_tries > 0 || old->shipment ||
			!same_incident(&old->record->notice, n))
			continue;
		if (n->severity > old->record->notice.severity &&
			n->kind != NOTICE_INCIDENT_CLEARED)
			return;
		if (old->next_at > hold)
			longest = old;
		hold = MAX(hold, old->next_at);
	}
	if (!longest || hold <= d->next_at)
		return;
	d->next_at = hold;
	d->next_wall = longest->next_wall;
	d->due_wall = MAX(d->due_wall, d->next_wall);
}

/* What it waits longer than that is late: its time, and the pace of its group. */
static usec_t due_of(const struct delivery *d)
{
	usec_t pace = MAX(d->wait, d->interval);

	return pace > 0 ? MAX(d->next_wall, d->added_wall + pace) : d->next_wall;
}

static void lift_holds(struct outbox *outbox, const struct delivery *d, usec_t now)
{
	for (struct delivery *old = d->prev; old; old = old->prev) {
		if (!same_incident(&old->record->notice, &d->record->notice) || old->shipment ||
			old->n_tries > 0 || old->next_at <= MAX(d->next_at, now))
			continue;
		old->next_at = d->next_at;
		old->next_wall = d->next_wall;
		old->due_wall = due_of(old);
		old->unheld = true;
		if (old->held) {
			lane_withdraw(outbox, old, now);
			lane_offer(outbox, old, now);
		}
	}
}

/* ---- chains --------------------------------------------------------------------------------- */

static int chain_need(struct outbox *outbox, const struct delivery *d, struct chain **ret_chain)
{
	struct chain *chain = map_get(&outbox->chains, d->record->notice.fingerprint);
	int r = 0;

	if (!chain) {
		chain = calloc(1, sizeof(*chain));
		if (!chain)
			return -ENOMEM;
		r = map_put(&outbox->chains, d->record->notice.fingerprint, chain);
		if (r < 0) {
			free(chain);
			return r;
		}
	}
	*ret_chain = chain;
	return 0;
}

static void chain_drop_empty(struct outbox *outbox, struct chain *chain, const struct delivery *d)
{
	if (chain->first)
		return;
	(void)map_remove(&outbox->chains, d->record->notice.fingerprint);
	free(chain);
}

/* A clear whose raise went is never given up: its receiver would believe for ever. */
static bool may_be_shed(const struct delivery *d)
{
	const char *kind = json_string_value(json_object_get(json_array_get(d->merged, 0), "kind"));

	if (d->memory_only || is_fixed(d))
		return false;
	return d->record->notice.kind != NOTICE_INCIDENT_CLEARED ||
	       (kind && strcmp(kind, notice_kind_name(NOTICE_INCIDENT_RAISED)) == 0);
}

static void set_worth(struct outbox *outbox, struct delivery *d)
{
	d->worth.rank = d->sequence;
	if (may_be_shed(d))
		(void)heap_put(&outbox->worth, &d->worth, d->record->notice.severity);
}

static void link_last(struct outbox *outbox, struct chain *chain, struct delivery *d)
{
	d->chain = chain;
	d->next = NULL;
	d->prev = chain->last;
	*(chain->last ? &chain->last->next : &chain->first) = d;
	chain->last = d;
	d->newer = NULL;
	d->older = outbox->newest;
	*(outbox->newest ? &outbox->newest->newer : &outbox->oldest) = d;
	outbox->newest = d;
	outbox->n_waiting++;
	outbox->n_bytes += d->n_bytes;
}

static void unlink_one(struct outbox *outbox, struct delivery *d)
{
	struct chain *chain = d->chain;

	*(d->prev ? &d->prev->next : &chain->first) = d->next;
	*(d->next ? &d->next->prev : &chain->last) = d->prev;
	*(d->older ? &d->older->newer : &outbox->oldest) = d->newer;
	*(d->newer ? &d->newer->older : &outbox->newest) = d->older;
	d->next = d->prev = d->newer = d->older = NULL;
	outbox->n_waiting--;
	outbox->n_bytes -= d->n_bytes;
	if (d->backlog)
		outbox->n_backlog--;
}

/* Its shipment has no other: it ends with it. */
static void end_own_shipment(struct outbox *outbox, struct delivery *d)
{
	struct shipment *s = d->shipment;

	if (!s)
		return;
	assert(s->deliveries.len == 1);
	heap_remove(&outbox->retries, &s->retry);
	if (s->in_flight)
		outbox->n_in_flight--;
	s->in_flight = d->in_flight = false;
	outbox->n_shipments--;
	d->shipment = NULL;
	shipment_unref(s);
}

static void offer_first(struct outbox *outbox, struct chain *chain, usec_t now)
{
	struct delivery *first = chain->first;

	if (first && first->released && !first->shipment && first->ready.index == HEAP_NOWHERE)
		lane_offer(outbox, first, now);
}

/* Out of everything, but for the reference and a chain that is empty now. */
static void take_out(struct outbox *outbox, struct delivery *d, usec_t now)
{
	end_own_shipment(outbox, d);
	lane_leave(outbox, d, now);
	heap_remove(&outbox->expiry, &d->expiry);
	heap_remove(&outbox->worth, &d->worth);
	unlink_one(outbox, d);
	d->in_flight = false;
	d->chain = NULL;
}

/* ---- adding and removing -------------------------------------------------------------------- */

void outbox_init(struct outbox *outbox)
{
	*outbox = (struct outbox){0};
	outbox->alone.due.index = outbox->storm.due.index = HEAP_NOWHERE;
}

static int reserve(struct outbox *outbox)
{
	int r = heap_reserve(&outbox->expiry, outbox->n_waiting + 1);

	return r < 0 ? r : heap_reserve(&outbox->worth, outbox->n_waiting + 1);
}

static struct delivery *supersede(
	struct outbox *outbox, struct chain *chain, struct delivery *d, usec_t now)
{
	struct delivery *superseded = NULL, **end = &superseded, *next;

	for (struct delivery *old = overtaken_from(chain, d); old; old = next) {
		next = old->next;
		if (!overtakes(d, old) ||
			(d->record->notice.kind != NOTICE_HEARTBEAT && merged_append(d, old) < 0))
			continue;
		take_out(outbox, old, now);
		memcpy(old->superseded_by, d->record->notice.id, UUID_TEXT_BYTES);
		*end = old;
		end = &old->next;
	}
	d->n_bytes = d->record->n_bytes + MERGED_BYTES * json_array_size(d->merged);
	return superseded;
}

int outbox_add(
	struct outbox *outbox, struct delivery *d, usec_t now, struct delivery **ret_superseded)
{
	struct chain *chain;
	int r = reserve(outbox);

	if (r < 0)
		return r;
	r = chain_need(outbox, d, &chain);
	if (r < 0)
		return r;
	r = lane_join(outbox, d, now);
	if (r < 0) {
		chain_drop_empty(outbox, chain, d);
		return r;
	}
	if (chain->last && !d->batch[0] && d->n_tries == 0)
		join_hold(chain, d, now);
	*ret_superseded = supersede(outbox, chain, d, now);
	link_last(outbox, chain, delivery_ref(d));
	lift_holds(outbox, d, now);
	set_worth(outbox, d);
	offer_first(outbox, chain, now); /* not d alone: what was before it may be gone */
	if (d->released)
		outbox_release(outbox, d, now);
	return 0;
}

void outbox_release(struct outbox *outbox, struct delivery *d, usec_t now)
{
	d->released = true;
	if (!d->shipment && d->expires_at != USEC_INFINITY) {
		d->expiry.rank = d->sequence;
		(void)heap_put(&outbox->expiry, &d->expiry, d->expires_at);
	}
	offer_first(outbox, d->chain, now);
}

void outbox_remove(struct outbox *outbox, struct delivery *d, usec_t now)
{
	struct chain *chain = d->chain;

	take_out(outbox, d, now);
	offer_first(outbox, chain, now);
	chain_drop_empty(outbox, chain, d);
	delivery_unref(d);
}

void outbox_clear(struct outbox *outbox)
{
	struct delivery *next;

	for (struct delivery *d = outbox->oldest; d; d = next) {
		struct shipment *s = d->shipment;

		next = d->newer;
		if (s && shipment_first(s) == d)
			VEC_FOREACH (&s->deliveries, struct delivery *, one)
				one->shipment = NULL;
		else
			s = NULL;
		d->next = d->prev = d->newer = d->older = NULL;
		delivery_unref(d);
		shipment_unref(s);
	}
	MAP_FOREACH (&outbox->chains, struct chain *, chain)
		free(chain);
	map_clear(&outbox->chains);
	lanes_clear(outbox);
	heap_clear(&outbox->expiry);
	heap_clear(&outbox->worth);
	outbox_init(outbox);
}

/* ---- shipments ------------------------------------------------------------------------------ */

void outbox_retry(struct outbox *outbox, struct shipment *s, usec_t next_at)
{
	if (s->in_flight)
		outbox->n_in_flight--;
	s->in_flight = false;
	s->next_at = next_at;
	s->retry.rank = shipment_first(s)->sequence;
	(void)heap_put(&outbox->retries, &s->retry, next_at);
	VEC_FOREACH (&s->deliveries, struct delivery *, d) {
		d->in_flight = false;
		if (is_fixed(d))
			continue;
		set_worth(outbox, d);
		d->expiry.rank = d->sequence;
		if (d->expires_at != USEC_INFINITY)
			(void)heap_put(&outbox->expiry, &d->expiry, d->expires_at);
	}
}

/* Each is put anew, in place: no later than `latest`, and no earlier than `earliest`. */
static void rearm_retries(struct outbox *outbox, usec_t earliest, usec_t latest)
{
	size_t n = outbox->retries.len;

	outbox->retries.len = 0;
	for (size_t i = 0; i < n; i++) {
		struct heap_node *node = outbox->retries.nodes[i];

		node->index = HEAP_NOWHERE;
		(void)heap_put(&outbox->retries, node, MAX(MIN(node->at, latest), earliest));
	}
}

void outbox_retry_by(struct outbox *outbox, usec_t at, usec_t wall)
{
	rearm_retries(outbox, 0, at);
	for (size_t i = 0; i < outbox->retries.len; i++)
		VEC_FOREACH (&RETRY_OF(outbox->retries.nodes[i])->deliveries, struct delivery *, d)
			d->next_wall = MIN(d->next_wall, wall);
}

/* All by one time is an order by rank alone. */
void outbox_retry_now(struct outbox *outbox, usec_t now)
{
	rearm_retries(outbox, now, now);
}

void outbox_end(struct outbox *outbox, struct shipment *s, usec_t now)
{
	heap_remove(&outbox->retries, &s->retry);
	if (s->in_flight)
		outbox->n_in_flight--;
	s->in_flight = false;
	outbox->n_shipments--;
	/* One by one: what is next in a chain is not to go while it is still of this shipment. */
	VEC_FOREACH (&s->deliveries, struct delivery *, d) {
		d->shipment = NULL;
		outbox_remove(outbox, d, now);
	}
	shipment_unref(s);
}

/* ---- choices -------------------------------------------------------------------------------- */

struct delivery *outbox_expired(const struct outbox *outbox, usec_t now)
{
	struct heap_node *top = heap_top(&outbox->expiry);

	return top && top->at <= now ? EXPIRY_OF(top) : NULL;
}

/* All of it goes as long as one of it is of use. */
static usec_t shipment_expires_at(const struct shipment *s)
{
	usec_t at = 0;

	VEC_FOREACH (&s->deliveries, const struct delivery *, d)
		at = MAX(at, d->expires_at);
	return at;
}

struct shipment *outbox_expired_shipment(const struct outbox *outbox, usec_t now)
{
	for (size_t i = 0; i < outbox->retries.len; i++) {
		struct shipment *s = RETRY_OF(outbox->retries.nodes[i]);

		if (is_fixed(shipment_first(s)) && shipment_expires_at(s) <= now)
			return s;
	}
	return NULL;
}

usec_t outbox_wake_expiry(const struct outbox *outbox)
{
	usec_t at = heap_top(&outbox->expiry) ? heap_top(&outbox->expiry)->at : USEC_INFINITY;

	for (size_t i = 0; i < outbox->retries.len; i++) {
		const struct shipment *s = RETRY_OF(outbox->retries.nodes[i]);

		if (is_fixed(shipment_first(s)))
			at = MIN(at, shipment_expires_at(s));
	}
	return at;
}

struct delivery *outbox_find(
	const struct outbox *outbox, const struct notice *n, enum notice_kind kind)
{
	const struct chain *chain = map_get(&outbox->chains, n->fingerprint);

	for (struct delivery *d = chain ? chain->first : NULL; d; d = d->next)
		if (d->record->notice.kind == kind && same_incident(&d->record->notice, n))
			return d;
	return NULL;
}

struct delivery *outbox_victim(const struct outbox *outbox)
{
	struct heap_node *top = heap_top(&outbox->worth);

	return top ? WORTH_OF(top) : NULL;
}

struct delivery *outbox_orphan(const struct outbox *outbox, const struct delivery *ended)
{
	static const enum notice_kind kinds[] = {NOTICE_INCIDENT_CHANGED, NOTICE_INCIDENT_REMINDER,
		NOTICE_INCIDENT_ACKNOWLEDGED, NOTICE_INCIDENT_CLEARED};
	const struct notice *n = &ended->record->notice;

	if (n->kind != NOTICE_INCIDENT_RAISED || (ended->n_tries > 0 && !ended->refused) ||
		(ended->refused && outbox_find(outbox, n, NOTICE_INCIDENT_CHANGED)))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct delivery *d = outbox_find(outbox, n, kinds[i]);

		if (d && !d->shipment)
			return d;
	}
	return NULL;
}

usec_t outbox_oldest_wall(const struct outbox *outbox)
{
	return outbox->oldest ? outbox->oldest->added_wall : 0;
}

/* A clock that was set makes it live as if it were new, or end now; never for years. */
void outbox_set_expiry(
	struct outbox *outbox, const usec_t ttl[SEVERITY_MAX], usec_t wall, usec_t now)
{
	for (struct delivery *d = outbox->oldest; d; d = d->newer) {
		usec_t due = MAX(d->due_wall, d->added_wall);
		usec_t age = wall > due ? wall - due : 0;
		usec_t lives = ttl[d->record->notice.severity];
		usec_t held = due > wall && d->due_wall ? due - wall : 0;

		if (d->memory_only)
			continue;
		d->expires_at = now + MIN(held, HELD_MAX) + (lives > age ? lives - age : 0);
		if (d->released && !d->in_flight && !is_fixed(d))
			(void)heap_put(&outbox->expiry, &d->expiry, d->expires_at);
	}
}

size_t outbox_list(const struct outbox *outbox, struct delivery ***ret_deliveries)
{
	struct delivery **list = calloc(outbox->n_waiting + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return 0;
	for (struct delivery *d = outbox->oldest; d; d = d->newer)
		list[n++] = d;
	*ret_deliveries = list;
	return n;
}
