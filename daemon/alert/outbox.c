/* SPDX-License-Identifier: MIT */
/*
 * alert/outbox.c: what waits for one receiver, and every decision about its order. A chain holds
 * the deliveries of one fingerprint; only its first may be tried, so order and one-in-flight hold
 * by construction. No clock, no I/O.
 */
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

struct chain {
	struct delivery *first;
};

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
		free(d->via);
		free(d);
	}
	return NULL;
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

/* A change is overtaken by a newer change or the clear; a raise only by its own clear, because a
 * receiver must never hear of a change to what it was not told of. */
static bool overtakes(const struct delivery *d, const struct delivery *old)
{
	const struct notice *n = &d->record->notice, *o = &old->record->notice;

	if (old->in_flight || !n->incident_id || !o->incident_id ||
		strcmp(n->incident_id, o->incident_id) != 0)
		return false;
	if (n->kind == NOTICE_INCIDENT_CLEARED)
		return o->kind == NOTICE_INCIDENT_RAISED || o->kind == NOTICE_INCIDENT_CHANGED;
	return n->kind == NOTICE_INCIDENT_CHANGED && o->kind == NOTICE_INCIDENT_CHANGED;
}

/* ---- chains --------------------------------------------------------------------------------- */

static struct chain *chain_of(const struct outbox *outbox, const struct delivery *d)
{
	return map_get(&outbox->chains, d->record->notice.fingerprint);
}

static int chain_need(struct outbox *outbox, const struct delivery *d, struct chain **ret_chain)
{
	struct chain *chain = chain_of(outbox, d);
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

int outbox_add(struct outbox *outbox, struct delivery *d, struct delivery **ret_superseded)
{
	struct delivery *superseded = NULL, **superseded_end = &superseded, **at;
	struct chain *chain;
	int r = chain_need(outbox, d, &chain);

	if (r < 0)
		return r;
	at = &chain->first;
	while (*at) {
		struct delivery *old = *at;

		if (!overtakes(d, old) || merged_append(d, old) < 0) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		outbox->n_waiting--;
		old->next = NULL;
		memcpy(old->superseded_by, d->record->notice.id, UUID_TEXT_BYTES);
		*superseded_end = old;
		superseded_end = &old->next;
	}
	*at = delivery_ref(d);
	d->next = NULL;
	outbox->n_waiting++;
	*ret_superseded = superseded;
	return 0;
}

void outbox_remove(struct outbox *outbox, struct delivery *d)
{
	struct chain *chain = chain_of(outbox, d);
	struct delivery **at = chain ? &chain->first : NULL;

	while (at && *at && *at != d)
		at = &(*at)->next;
	assert(at && *at);
	if (d->in_flight)
		outbox_stop(outbox, d);
	*at = d->next;
	d->next = NULL;
	outbox->n_waiting--;
	if (!chain->first) {
		(void)map_remove(&outbox->chains, d->record->notice.fingerprint);
		free(chain);
	}
	delivery_unref(d);
}

void outbox_clear(struct outbox *outbox)
{
	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		while (chain->first) {
			struct delivery *d = chain->first;

			chain->first = d->next;
			d->next = NULL;
			delivery_unref(d);
		}
		free(chain);
	}
	map_clear(&outbox->chains);
	outbox->n_waiting = outbox->n_in_flight = 0;
}

void outbox_start(struct outbox *outbox, struct delivery *d)
{
	assert(!d->in_flight);
	d->in_flight = true;
	outbox->n_in_flight++;
}

void outbox_stop(struct outbox *outbox, struct delivery *d)
{
	assert(d->in_flight);
	d->in_flight = false;
	outbox->n_in_flight--;
}

/* ---- choices -------------------------------------------------------------------------------- */

static bool may_start(const struct delivery *d)
{
	return d->released && !d->in_flight;
}

struct delivery *outbox_pick(const struct outbox *outbox, usec_t now)
{
	struct delivery *best = NULL;

	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		struct delivery *d = chain->first;

		if (may_start(d) && d->next_at <= now && (!best || d->sequence < best->sequence))
			best = d;
	}
	return best;
}

/* What waits behind the first of its chain can expire as well. */
struct delivery *outbox_expired(const struct outbox *outbox, usec_t now)
{
	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		for (struct delivery *d = chain->first; d; d = d->next)
			if (may_start(d) && d->expires_at <= now)
				return d;
	}
	return NULL;
}

struct delivery *outbox_find_clear(const struct outbox *outbox, const struct notice *n)
{
	const struct chain *chain = map_get(&outbox->chains, n->fingerprint);

	for (struct delivery *d = chain ? chain->first : NULL; d && n->incident_id; d = d->next) {
		const struct notice *o = &d->record->notice;

		if (o->kind == NOTICE_INCIDENT_CLEARED && o->incident_id &&
			strcmp(o->incident_id, n->incident_id) == 0)
			return d;
	}
	return NULL;
}

usec_t outbox_wake_at(const struct outbox *outbox)
{
	usec_t at = USEC_INFINITY;

	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		const struct delivery *d = chain->first;

		if (may_start(d))
			at = MIN(at, d->next_at);
	}
	return at;
}

usec_t outbox_wake_expiry(const struct outbox *outbox)
{
	usec_t at = USEC_INFINITY;

	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		for (const struct delivery *d = chain->first; d; d = d->next)
			if (may_start(d))
				at = MIN(at, d->expires_at);
	}
	return at;
}

struct delivery *outbox_victim(const struct outbox *outbox)
{
	struct delivery *victim = NULL;

	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		for (struct delivery *d = chain->first; d; d = d->next) {
			const struct notice *n = &d->record->notice;

			if (d->in_flight)
				continue;
			if (!victim || n->severity < victim->record->notice.severity ||
				(n->severity == victim->record->notice.severity &&
					d->sequence < victim->sequence))
				victim = d;
		}
	}
	return victim;
}

void outbox_retry_now(struct outbox *outbox, usec_t now)
{
	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		struct delivery *d = chain->first;

		if (may_start(d) && d->next_at > now)
			d->next_at = now;
	}
}

usec_t outbox_oldest_wall(const struct outbox *outbox)
{
	usec_t oldest = 0;

	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		for (const struct delivery *d = chain->first; d; d = d->next)
			if (!oldest || d->added_wall < oldest)
				oldest = d->added_wall;
	}
	return oldest;
}

/* A clock that was set makes it live as if it were new, or end now; never for years. */
void outbox_set_expiry(struct outbox *outbox, usec_t ttl, usec_t wall, usec_t now)
{
	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		for (struct delivery *d = chain->first; d; d = d->next) {
			usec_t age = wall > d->added_wall ? wall - d->added_wall : 0;

			d->expires_at = now + (ttl > age ? ttl - age : 0);
		}
	}
}

size_t outbox_list(const struct outbox *outbox, struct delivery ***ret_deliveries)
{
	struct delivery **list = calloc(outbox->n_waiting + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return 0;
	MAP_FOREACH (&outbox->chains, struct chain *, chain) {
		for (struct delivery *d = chain->first; d && n < outbox->n_waiting; d = d->next)
			list[n++] = d;
	}
	*ret_deliveries = list;
	return n;
}

/* ---- pace ----------------------------------------------------------------------------------- */

usec_t backoff_delay(unsigned n_tries, usec_t retry_min, usec_t retry_max, double random)
{
	usec_t delay = retry_min, half;

	for (unsigned i = 1; i < n_tries && delay < retry_max; i++)
		delay *= 2;
	delay = MIN(delay, retry_max);
	half = delay / 2;
	return half + (usec_t)((double)(delay - half) * random);
}

usec_t bucket_take(struct bucket *bucket, int64_t rate_per_minute, usec_t now)
{
	double rate = (double)rate_per_minute / (60.0 * USEC_PER_SEC), cap;

	if (rate_per_minute <= 0)
		return 0;
	cap = MAX(1.0, rate * 10 * USEC_PER_SEC);
	if (bucket->filled_at == 0)
		bucket->tokens = cap;
	else
		bucket->tokens += (double)(now - bucket->filled_at) * rate;
	bucket->tokens = MIN(bucket->tokens, cap);
	bucket->filled_at = now;
	if (bucket->tokens < 1)
		return (usec_t)((1 - bucket->tokens) / rate) + 1;
	bucket->tokens -= 1;
	return 0;
}
