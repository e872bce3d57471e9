/* SPDX-License-Identifier: MIT */
/*
 * alert/lanes.c: what may go together, and when. The firsts of chains that may go are offered to
 * their lanes; a lane that is due gives a shipment. Part of the outbox: pure.
 */
#include <assert.h>
#include <string.h>
#include "alert/private.h"
#include "base/str.h"

enum { LANES_SWEEP_MIN = 64 };

#define LANE_OF(node)  ((struct lane *)heap_owner(node, offsetof(struct lane, due)))
#define READY_OF(node) ((struct delivery *)heap_owner(node, offsetof(struct delivery, ready)))
#define RETRY_OF(node) ((struct shipment *)heap_owner(node, offsetof(struct shipment, retry)))

/* ---- lanes ---------------------------------------------------------------------------------- */

static struct lane *lane_free(struct lane *lane)
{
	free(lane->key);
	heap_clear(&lane->ready);
	free(lane);
	return NULL;
}

void lanes_clear(struct outbox *outbox)
{
	MAP_FOREACH (&outbox->lanes, struct lane *, lane)
		lane_free(lane);
	map_clear(&outbox->lanes);
	heap_clear(&outbox->alone.ready);
	heap_clear(&outbox->storm.ready);
	heap_clear(&outbox->due);
	heap_clear(&outbox->held);
	heap_clear(&outbox->retries);
}

/* The interval of a group outlives its deliveries; not for ever, nor for any number of groups. */
static void sweep(struct outbox *outbox, usec_t now)
{
	bool full = outbox->lanes.len >= OUTBOX_MAX_LANES;

	for (size_t i = outbox->lanes.len; i-- > 0;) {
		struct lane *lane = outbox->lanes.slots[i].value;

		if (lane->n_idle > 0 || (!full && lane->flushed_at + lane->interval > now))
			continue;
		(void)map_remove(&outbox->lanes, lane->key);
		lane_free(lane);
	}
	outbox->sweep_at = MAX(2 * outbox->lanes.len, (size_t)LANES_SWEEP_MIN);
}

static int lane_need(struct outbox *outbox, const char *key, usec_t now, struct lane **ret_lane)
{
	struct lane *lane = map_get(&outbox->lanes, key);
	int r;

	if (!lane) {
		if (outbox->lanes.len >= MAX(outbox->sweep_at, (size_t)LANES_SWEEP_MIN))
			sweep(outbox, now);
		lane = calloc(1, sizeof(*lane));
		if (!lane || !(lane->key = strdup(key))) {
			free(lane);
			return -ENOMEM;
		}
		lane->due.index = HEAP_NOWHERE;
		r = map_put(&outbox->lanes, key, lane);
		if (r < 0) {
			lane_free(lane);
			return r;
		}
	}
	*ret_lane = lane;
	return 0;
}

int lane_join(struct outbox *outbox, struct delivery *d, usec_t now)
{
	struct lane *lane = d->group ? &outbox->storm : &outbox->alone;
	int r = d->group && *d->group ? lane_need(outbox, d->group, now, &lane) : 0;

	/* Room for everything that is put later, so that nothing is ever forgotten for want of it.
	 */
	if (r == 0)
		r = heap_reserve(&lane->ready, lane->n_idle + 1);
	if (r == 0)
		r = heap_reserve(&outbox->due, outbox->lanes.len + 2);
	if (r == 0)
		r = heap_reserve(&outbox->held, outbox->n_waiting + 1);
	if (r == 0)
		r = heap_reserve(&outbox->retries, outbox->n_waiting + 1);
	if (r < 0)
		return r;
	lane->n_idle++;
	lane->wait = d->wait;
	if (d->interval)
		lane->interval = d->interval;
	d->lane = lane;
	return 0;
}

void lane_leave(struct outbox *outbox, struct delivery *d, usec_t now)
{
	if (!d->lane)
		return;
	lane_withdraw(outbox, d, now);
	d->lane->n_idle--;
	d->lane = NULL;
}

/* ---- when ----------------------------------------------------------------------------------- */

static usec_t lane_due_at(const struct outbox *outbox, const struct lane *lane)
{
	const struct heap_node *top = heap_top(&lane->ready);

	if (!top)
		return USEC_INFINITY;
	if (lane == &outbox->alone || !outbox->pace.can_group)
		return READY_OF(top)->offered_at;
	if (lane->flushing)
		return lane->since;
	if (lane == &outbox->storm)
		return MAX(lane->since, lane->not_before);
	if (lane->since < lane->not_before)
		return lane->not_before;
	return lane->since + lane->wait;
}

void lane_schedule(struct outbox *outbox, struct lane *lane, usec_t now)
{
	usec_t at = lane_due_at(outbox, lane);

	if (at == USEC_INFINITY)
		heap_remove(&outbox->due, &lane->due);
	else
		(void)heap_put(&outbox->due, &lane->due, at);
}

static bool in_round(const struct outbox *outbox, const struct lane *lane, const struct delivery *d)
{
	return lane->flush_mark == UINT64_MAX ? outbox->n_backlog > 0
					      : d->sequence <= lane->flush_mark;
}

/* When what comes is not of it: what waits behind something in flight still is. */
static void round_end(struct outbox *outbox, struct lane *lane, usec_t now)
{
	lane->flushing = false;
	lane->since = now;
	lane->not_before = lane->flushed_at + lane->interval;
	if (lane != &outbox->storm || lane->n_flushed >= outbox->pace.storm_burst)
		return;
	/* Few enough to go alone again. */
	lane->not_before = 0;
	outbox->guard = (struct guard){.began = lane->flushed_at, .n = lane->n_flushed};
}

static usec_t ready_key(const struct delivery *d)
{
	return d->backlog ? 1 : 0;
}

static void make_ready(struct outbox *outbox, struct delivery *d, usec_t now)
{
	struct lane *lane = d->lane;

	if (!heap_top(&lane->ready)) {
		if (lane->flushing && !in_round(outbox, lane, d))
			round_end(outbox, lane, now);
		lane->since = now - MIN(d->waited, now);
	}
	d->offered_at = now;
	d->ready.rank = d->sequence;
	(void)heap_put(&lane->ready, &d->ready, ready_key(d));
	lane_schedule(outbox, lane, now);
}

void lane_offer(struct outbox *outbox, struct delivery *d, usec_t now)
{
	if (d->next_at <= now) {
		make_ready(outbox, d, now);
		return;
	}
	d->held = true;
	d->ready.rank = d->sequence;
	(void)heap_put(&outbox->held, &d->ready, d->next_at);
}

void lane_withdraw(struct outbox *outbox, struct delivery *d, usec_t now)
{
	if (d->ready.index == HEAP_NOWHERE)
		return;
	heap_remove(d->held ? &outbox->held : &d->lane->ready, &d->ready);
	if (!d->held)
		lane_schedule(outbox, d->lane, now);
	d->held = false;
}

static void release_held(struct outbox *outbox, usec_t now)
{
	struct heap_node *top;

	while ((top = heap_top(&outbox->held)) && top->at <= now) {
		struct delivery *d = READY_OF(top);

		heap_remove(&outbox->held, top);
		d->held = false;
		make_ready(outbox, d, now);
	}
}

void outbox_set_pace(struct outbox *outbox, const struct outbox_pace *pace, usec_t now)
{
	outbox->pace = *pace;
	outbox->storm.interval = pace->storm_interval;
	if (pace->storm_burst == 0 || !pace->can_group)
		outbox->guard = (struct guard){0};
	if (!outbox->guard.storming)
		outbox->storm.not_before = 0;
	lane_schedule(outbox, &outbox->alone, now);
	lane_schedule(outbox, &outbox->storm, now);
	MAP_FOREACH (&outbox->lanes, struct lane *, lane)
		lane_schedule(outbox, lane, now);
}

void outbox_mark_backlog(struct outbox *outbox, usec_t now)
{
	outbox->n_backlog = 0;
	for (struct delivery *d = outbox->oldest; d; d = d->newer) {
		d->backlog = d->shipment || d->next_at <= now;
		if (!d->backlog)
			continue;
		outbox->n_backlog++;
		if (d->shipment)
			d->shipment->backlog = true;
		if (d->ready.index != HEAP_NOWHERE && !d->held)
			(void)heap_put(&d->lane->ready, &d->ready, ready_key(d));
	}
}

/* ---- the storm guard ------------------------------------------------------------------------ */

bool outbox_admits(struct outbox *outbox, usec_t now)
{
	const struct outbox_pace *pace = &outbox->pace;
	struct guard *guard = &outbox->guard;
	struct lane *lane = &outbox->storm;

	if (pace->storm_burst == 0 || !pace->can_group)
		return true;
	if (lane->flushing && lane->n_idle == 0)
		round_end(outbox, lane, now);
	if (guard->storming && lane->n_idle == 0 && now >= lane->not_before)
		*guard = (struct guard){0};
	if (guard->storming)
		return false;
	if (guard->n == 0 || now >= guard->began + pace->storm_interval)
		*guard = (struct guard){.began = now};
	if (++guard->n <= pace->storm_burst)
		return true;
	guard->storming = true;
	lane->not_before = now + pace->storm_wait;
	lane_schedule(outbox, lane, now);
	return false;
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void round_begin(struct outbox *outbox, struct lane *lane, usec_t now)
{
	if (lane->flushing)
		return;
	lane->flushing = true;
	lane->flushed_at = now;
	lane->n_flushed = 0;
	/* While an outage is made good, what is new goes first and does not end the round. */
	lane->flush_mark = outbox->n_backlog > 0 ? UINT64_MAX : outbox->newest->sequence;
}

/* ---- shipments ------------------------------------------------------------------------------ */

struct shipment *outbox_ship(
	struct outbox *outbox, struct delivery *const *list, size_t n, usec_t now)
{
	struct shipment *s = calloc(1, sizeof(*s));

	assert(n > 0);
	if (!s)
		return NULL;
	s->n_refs = 1;
	s->receiver = list[0]->receiver;
	s->retry.index = HEAP_NOWHERE;
	for (size_t i = 0; i < n; i++) {
		if (vec_push(&s->deliveries, list[i]) < 0)
			return shipment_unref(s);
		delivery_ref(list[i]);
	}
	memcpy(s->id, list[0]->record->notice.id, sizeof(s->id));
	for (size_t i = 0; i < n; i++) {
		struct delivery *d = list[i];

		lane_leave(outbox, d, now);
		heap_remove(&outbox->expiry, &d->expiry);
		heap_remove(&outbox->worth, &d->worth);
		d->shipment = s;
		s->n_tries = MAX(s->n_tries, d->n_tries);
		s->backlog = s->backlog || d->backlog;
	}
	outbox->n_shipments++;
	return s;
}

/* What comes after one that was taken may go with it, if it is of the same lane. */
static void offer_next(struct outbox *outbox, const struct delivery *d, usec_t now)
{
	struct delivery *next = d->next;

	if (next && next->released && !next->shipment && next->lane == d->lane &&
		next->next_at <= now && next->ready.index == HEAP_NOWHERE)
		make_ready(outbox, next, now);
}

static size_t gather(struct outbox *outbox, struct lane *lane, size_t max, usec_t now,
	struct delivery *list[SHIPMENT_MAX_DELIVERIES])
{
	size_t n = 0, n_bytes = 0;
	struct heap_node *top;

	while (n < max && (top = heap_top(&lane->ready))) {
		struct delivery *d = READY_OF(top);

		if (n > 0 && (n_bytes + d->n_bytes > SHIPMENT_MAX_BYTES ||
				     d->backlog != list[0]->backlog))
			break;
		lane_withdraw(outbox, d, now);
		list[n++] = d;
		lane->n_flushed++;
		n_bytes += d->n_bytes;
		if (max > 1)
			offer_next(outbox, d, now);
	}
	/* What was offered only because the one before it was here, and did not get in. */
	for (size_t i = 0; i < n; i++)
		if (list[i]->next && list[i]->next->ready.index != HEAP_NOWHERE)
			lane_withdraw(outbox, list[i]->next, now);
	return n;
}

static size_t max_of(const struct outbox *outbox)
{
	size_t max = outbox->pace.max_notices;

	return max > 0 ? MIN(max, (size_t)SHIPMENT_MAX_DELIVERIES) : SHIPMENT_MAX_DELIVERIES;
}

static struct shipment *ship_lane(
	struct outbox *outbox, struct lane *lane, const struct outbox_gate *gate)
{
	struct delivery *list[SHIPMENT_MAX_DELIVERIES];
	bool grouped = lane != &outbox->alone && outbox->pace.can_group && !gate->probing;
	const struct heap_node *top;
	struct shipment *s;
	size_t n;

	if (grouped)
		round_begin(outbox, lane, gate->now);
	n = gather(outbox, lane, grouped ? max_of(outbox) : 1, gate->now, list);
	s = outbox_ship(outbox, list, n, gate->now);
	if (!s) {
		for (size_t i = 0; i < n; i++)
			if (list[i]->chain->first == list[i])
				lane_offer(outbox, list[i], gate->now);
		return NULL;
	}
	top = heap_top(&lane->ready);
	if (lane->flushing && top && !in_round(outbox, lane, READY_OF(top)))
		round_end(outbox, lane, gate->now);
	lane_schedule(outbox, lane, gate->now);
	/* What may go in company is fixed in the store before its first try, even if it goes
	 * alone: otherwise it might go in company after a crash, and thus under another id. */
	s->commit = lane != &outbox->alone;
	if (n > 1)
		uuid7(s->id);
	return s;
}

int outbox_restore(
	struct outbox *outbox, struct delivery *const *list, size_t n, usec_t next_at, usec_t now)
{
	struct shipment *s = outbox_ship(outbox, list, n, now);

	if (!s)
		return -ENOMEM;
	if (list[0]->batch[0])
		memcpy(s->id, list[0]->batch, sizeof(s->id));
	outbox_retry(outbox, s, next_at);
	return 0;
}

/* ---- choosing ------------------------------------------------------------------------------- */

static struct shipment *choose_retry(const struct outbox *outbox, const struct outbox_gate *gate)
{
	struct heap_node *best = gate->no_backlog ? NULL : heap_top(&outbox->retries);

	for (size_t i = 0; gate->no_backlog && i < outbox->retries.len; i++) {
		struct heap_node *node = outbox->retries.nodes[i];

		if (!RETRY_OF(node)->backlog && (!best || node->at < best->at))
			best = node;
	}
	return best && (gate->probing || best->at <= gate->now) ? RETRY_OF(best) : NULL;
}

static struct lane *choose_lane(const struct outbox *outbox, const struct outbox_gate *gate)
{
	struct heap_node *best = gate->no_backlog ? NULL : heap_top(&outbox->due);

	for (size_t i = 0; gate->no_backlog && i < outbox->due.len; i++) {
		struct heap_node *node = outbox->due.nodes[i];
		const struct delivery *d = READY_OF(heap_top(&LANE_OF(node)->ready));

		if (!d->backlog && (!best || node->at < best->at))
			best = node;
	}
	return best && best->at <= gate->now ? LANE_OF(best) : NULL;
}

/* While it is probed, one that always fails must not keep the others from showing that the receiver
 * answers; but only so many become shipments, which nothing can supersede. */
static void choose(struct outbox *outbox, const struct outbox_gate *gate, struct shipment **ret_s,
	struct lane **ret_lane)
{
	struct shipment *s;
	struct lane *lane;

	release_held(outbox, gate->now);
	s = choose_retry(outbox, gate);
	lane = choose_lane(outbox, gate);
	if (s && lane) {
		if (gate->probing && outbox->n_shipments < gate->window &&
			lane->due.at < s->retry.at)
			s = NULL;
		else
			lane = NULL;
	}
	*ret_s = s;
	*ret_lane = lane;
}

bool outbox_is_due(struct outbox *outbox, const struct outbox_gate *gate)
{
	struct shipment *s;
	struct lane *lane;

	choose(outbox, gate, &s, &lane);
	return s || lane;
}

struct shipment *outbox_pick(struct outbox *outbox, const struct outbox_gate *gate)
{
	struct shipment *s;
	struct lane *lane;

	choose(outbox, gate, &s, &lane);
	if (lane)
		s = ship_lane(outbox, lane, gate);
	if (!s)
		return NULL;
	heap_remove(&outbox->retries, &s->retry);
	s->in_flight = true;
	outbox->n_in_flight++;
	VEC_FOREACH (&s->deliveries, struct delivery *, d) {
		d->in_flight = true;
		/* Its answer says what became of it, nobody before. */
		heap_remove(&outbox->expiry, &d->expiry);
		heap_remove(&outbox->worth, &d->worth);
	}
	return s;
}

usec_t outbox_wake_at(const struct outbox *outbox)
{
	const struct heap *heaps[] = {&outbox->retries, &outbox->due, &outbox->held};
	usec_t at = USEC_INFINITY;

	for (size_t i = 0; i < ARRAY_SIZE(heaps); i++)
		if (heap_top(heaps[i]))
			at = MIN(at, heap_top(heaps[i])->at);
	return at;
}
