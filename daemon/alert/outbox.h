/* SPDX-License-Identifier: MIT */
/*
 * alert/outbox.h: what waits for one receiver, and every decision about its order. A chain holds
 * the deliveries of one fingerprint: only its first may go, or the firsts together in one shipment,
 * so order and one-in-flight hold by construction. A lane holds what may go together, and paces it.
 * Pure: no clock, no I/O. Everything but the listings is O(log n). Whoever adds a delivery keeps
 * his reference; the outbox has one of its own.
 */
#ifndef ALERT_OUTBOX_H
#define ALERT_OUTBOX_H

#include "alert/alert.h"
#include "alert/shipment.h"
#include "base/heap.h"
#include "base/map.h"

enum delivery_state {
	DELIVERY_WAITING,
	DELIVERY_DELIVERED,
	DELIVERY_FAILED,
	DELIVERY_SUPERSEDED,
	DELIVERY_EXPIRED,
	DELIVERY_STATE_MAX,
};
extern const char *const delivery_state_names[DELIVERY_STATE_MAX];

/* It has ended undelivered, and is on its way to the fallback: fallback.c. */
enum leaving {
	LEAVE_NOT,
	LEAVE_QUIETLY,
	LEAVE_COUNTED, /* if nobody gets it, it is told as lost */
	LEAVE_IF_ROOM, /* it was shed */
};

struct record;
struct receiver;
struct lane;

struct delivery {
	unsigned n_refs;
	struct record *record;
	struct receiver *receiver;
	uint64_t sequence;
	enum delivery_state state;
	unsigned n_tries;
	bool refused;	  /* its only try got a clear no: the receiver has not got it */
	bool released;	  /* may be sent: its batch has ended, or is late */
	bool undurable;	  /* was sent, or will be, before the store had it */
	bool memory_only; /* it never has a row, nor a sequence of its own (a heartbeat) */
	bool in_flight;
	bool backlog; /* waited through an outage */
	enum leaving leaving;
	usec_t next_at;	   /* of clock_now(): is held until then */
	usec_t expires_at; /* of clock_now() */
	usec_t added_wall, next_wall, delivered_wall;
	usec_t due_wall; /* what it waits longer than that is late */
	char error[DELIVERY_ERROR_BYTES];
	char superseded_by[UUID_TEXT_BYTES];
	char *via; /* the receiver this one stands in for; NULL */
	json_t *merged;
	char *group; /* what has the same key may go together: "" the storm guard's; NULL: alone */
	json_t *group_labels;
	usec_t wait, interval;	     /* of its group */
	usec_t waited;		     /* of that, before a restart */
	char batch[UUID_TEXT_BYTES]; /* of the shipment of several it is part of, for ever; "" */
	size_t n_bytes;		     /* of the notice as the store keeps it */
	/* The row in the store is of version `saved`; equal: nothing to write. */
	unsigned version, saved, n_writing;
	bool in_ledger;
	/* the outbox's */
	struct shipment *shipment; /* that it is part of; held by the outbox */
	struct chain *chain;
	struct lane *lane;
	struct delivery *next, *prev; /* of the chain; next also of what outbox_add() superseded */
	struct delivery *newer, *older; /* of all */
	struct heap_node ready, expiry, worth;
	usec_t offered_at; /* since when it is the first and may go */
	bool held;	   /* node `ready` is in outbox.held */
	bool unheld;	   /* something worse was added: its row says otherwise */
};
int delivery_new(struct record *record, struct receiver *receiver, struct delivery **ret_delivery);
struct delivery *delivery_ref(struct delivery *d);
struct delivery *delivery_unref(struct delivery *d);
DEFINE_AUTO(struct delivery *, delivery_unref)

struct chain {
	struct delivery *first, *last;
};

/* What may go together. Its `ready` are firsts of chains that may go now. */
struct lane {
	char *key; /* NULL: each goes alone; "": the storm guard's */
	struct heap ready;
	struct heap_node due; /* in outbox.due while anything is ready */
	size_t n_idle;	      /* those that are in no shipment */
	usec_t wait, interval;
	usec_t since;	   /* when the first of those that are ready became so */
	usec_t not_before; /* the next round */
	/* A round: what was there when it began goes, in as many shipments as it takes. */
	bool flushing;
	usec_t flushed_at; /* the last one began; 0 = none yet */
	uint64_t flush_mark;
	size_t n_flushed;
};

struct outbox_pace { /* of the configuration */
	bool can_group;
	size_t max_notices; /* in one shipment; 0: SHIPMENT_MAX_DELIVERIES */
	size_t storm_burst; /* 0: no storm guard */
	usec_t storm_wait, storm_interval;
};

/* Says when a notice is added whether it goes alone, so that the same goes again after a crash. */
struct guard {
	bool storming;
	usec_t began; /* the time in which n were added */
	size_t n;
};

struct outbox {
	struct outbox_pace pace;
	struct guard guard;
	struct map chains; /* struct chain * by fingerprint */
	struct map lanes;  /* struct lane * of groups, by key */
	struct lane alone, storm;
	struct heap due;     /* lanes, by when their next may go */
	struct heap held;    /* firsts of chains that are held: node `ready`, by next_at */
	struct heap retries; /* struct shipment *, by next_at */
	struct heap expiry;  /* by expires_at: what may expire by itself */
	struct heap worth;   /* by severity and age: what may be shed */
	struct delivery *oldest, *newest;
	size_t n_waiting, n_backlog, sweep_at;
	size_t n_shipments; /* that exist, in flight or to be tried again */
	size_t n_in_flight; /* of them */
	uint64_t n_bytes;
};

void outbox_init(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);
void outbox_set_pace(struct outbox *outbox, const struct outbox_pace *pace, usec_t now);
/* One more of those that the storm guard is asked about comes: does it go alone? */
bool outbox_admits(struct outbox *outbox, usec_t now);
/* Holds a reference. What is overtaken by `d` (and not in flight, nor fixed in a shipment)
 * leaves the outbox as superseded and is returned as a list linked by `next`, whose references are
 * the caller's. One that is released already is in its place at once. */
int outbox_add(
	struct outbox *outbox, struct delivery *d, usec_t now, struct delivery **ret_superseded);
void outbox_release(struct outbox *outbox, struct delivery *d, usec_t now); /* it may go */
/* Drops the outbox's reference; a shipment of it alone ends with it. */
void outbox_remove(struct outbox *outbox, struct delivery *d, usec_t now);
/* A shipment as it was before a restart; the deliveries are in the outbox. */
int outbox_restore(
	struct outbox *outbox, struct delivery *const *list, size_t n, usec_t next_at, usec_t now);

struct outbox_gate {
	usec_t now;
	bool probing;	 /* the breaker is open: one alone, whose turn it is longest */
	bool no_backlog; /* nothing of it now */
	size_t window;
};
/* Can outbox_pick() give something? */
bool outbox_is_due(struct outbox *outbox, const struct outbox_gate *gate);
/* The next shipment that may be tried now; it is in flight from then on. NULL. */
struct shipment *outbox_pick(struct outbox *outbox, const struct outbox_gate *gate);
/* When outbox_pick(), or outbox_expired(), may give something new; USEC_INFINITY. */
usec_t outbox_wake_at(const struct outbox *outbox);
usec_t outbox_wake_expiry(const struct outbox *outbox);
/* Not delivered, to be tried again at `next_at`. */
void outbox_retry(struct outbox *outbox, struct shipment *s, usec_t next_at);
/* None waits longer than until `at`, which is `wall`. */
void outbox_retry_by(struct outbox *outbox, usec_t at, usec_t wall);
void outbox_retry_now(struct outbox *outbox, usec_t now); /* the breaker closed: nobody waits on */
/* It and its deliveries leave the outbox; the caller holds a reference of it. */
void outbox_end(struct outbox *outbox, struct shipment *s, usec_t now);
/* All that waits, and is not held, has waited through an outage. */
void outbox_mark_backlog(struct outbox *outbox, usec_t now);

/* The first of this kind of the incident that `n` is of. NULL. */
struct delivery *outbox_find(
	const struct outbox *outbox, const struct notice *n, enum notice_kind kind);
/* One that waited too long, or a shipment of several all of which did. NULL. */
struct delivery *outbox_expired(const struct outbox *outbox, usec_t now);
struct shipment *outbox_expired_shipment(const struct outbox *outbox, usec_t now);
/* The one to give up when it is full: least severe, then oldest; nothing that is in flight or in a
 * shipment of several, and no clear whose raise went. NULL. */
struct delivery *outbox_victim(const struct outbox *outbox);
/* After a raise that ended without a try, or was refused: what waits of its incident, which would
 * come out of the blue and must end as well, one by one. NULL: no more, or `ended` is no such
 * raise. Where a change follows one that was refused, that one tells it. */
struct delivery *outbox_orphan(const struct outbox *outbox, const struct delivery *ended);
usec_t outbox_oldest_wall(const struct outbox *outbox); /* 0 */
/* Each lives for the ttl of its severity from when it was added. */
void outbox_set_expiry(
	struct outbox *outbox, const usec_t ttl[SEVERITY_MAX], usec_t wall, usec_t now);
/* All of them, oldest first; the caller frees the array. */
size_t outbox_list(const struct outbox *outbox, struct delivery ***ret_deliveries);

/* ---- lanes.c, for outbox.c ------------------------------------------------------------------ */

enum { OUTBOX_MAX_LANES = 10000 };
int lane_join(struct outbox *outbox, struct delivery *d, usec_t now);
void lane_leave(struct outbox *outbox, struct delivery *d, usec_t now); /* frees it when empty */
/* The first of its chain, released, in no shipment. */
void lane_offer(struct outbox *outbox, struct delivery *d, usec_t now);
void lane_withdraw(struct outbox *outbox, struct delivery *d, usec_t now);
void lane_schedule(struct outbox *outbox, struct lane *lane, usec_t now);
void lanes_clear(struct outbox *outbox);
/* A shipment of what is given, at least one, in the outbox's hands. NULL: no memory. */
struct shipment *outbox_ship(
	struct outbox *outbox, struct delivery *const *list, size_t n, usec_t now);

/* ---- pace.c --------------------------------------------------------------------------------- */

/* retry_min doubling to retry_max; the upper half of the wait is random (0..1). */
usec_t backoff_delay(unsigned n_tries, usec_t retry_min, usec_t retry_max, double random);

struct bucket { /* tokens: as many as ten seconds' worth at once */
	double tokens;
	usec_t filled_at;
};
/* How long until there is one; 0: now. No limit without a rate. */
usec_t bucket_wait(struct bucket *bucket, int64_t rate_per_minute, usec_t now);
/* Takes one. 0, or how long to wait. */
usec_t bucket_take(struct bucket *bucket, int64_t rate_per_minute, usec_t now);

enum { RATE_SLOTS = 15 };
struct rate { /* how many in the last RATE_SLOTS minutes */
	uint32_t counts[RATE_SLOTS];
	uint64_t minute;
};
void rate_add(struct rate *rate, usec_t now, uint32_t n);
double rate_per_minute_of(const struct rate *rate, usec_t now, unsigned n_minutes);

#endif
