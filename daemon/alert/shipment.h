/* SPDX-License-Identifier: MIT */
/*
 * alert/shipment.h: what goes to one receiver in one request, and how it is tried. A shipment of
 * one delivery has the notice's id; one of several has an id of its own, which its rows in the
 * store have before the first try, so that the same set goes again under the same id, whatever
 * happens. Counted: its outbox holds it until it ends, a try while it is in flight. Never blocks.
 */
#ifndef ALERT_SHIPMENT_H
#define ALERT_SHIPMENT_H

#include "base/heap.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "conf/conf.h"

enum {
	DELIVERY_ERROR_BYTES = 256,
	JUDGEMENT_DETAIL_BYTES = 1025,
	SHIPMENT_MAX_DELIVERIES = 2000,
	SHIPMENT_MAX_BYTES = 768 * 1024, /* of the notices in it, as the store keeps them */
};

struct alert;
struct delivery;
struct receiver;
struct try_type;

struct shipment {
	unsigned n_refs;
	char id[UUID_TEXT_BYTES];
	struct receiver *receiver;
	struct vec deliveries; /* struct delivery *, each held, in the order in which they go */
	unsigned n_tries;
	usec_t next_at; /* of clock_now(): not tried before */
	bool in_flight;
	usec_t started_at;	     /* of clock_now(): the try in flight */
	const struct try_type *type; /* of the try in flight */
	void *try;		     /* the type's own, set by its start(), while in flight */
	/* As the receiver was when the try began, and what holds it; NULL when none is in flight.
	 */
	const struct conf_receiver *conf;
	struct conf *held;
	/* the outbox's */
	struct heap_node retry; /* among those that wait for another try */
	bool backlog;		/* waited through an outage */
	bool commit;		/* the store must have its id before the first try */
};
struct shipment *shipment_ref(struct shipment *s);
struct shipment *shipment_unref(struct shipment *s);
DEFINE_AUTO(struct shipment *, shipment_unref)
struct delivery *shipment_first(const struct shipment *s);
/* The key and the labels of its group; NULL: it is alone, or a digest of the storm guard. */
const char *shipment_group(const struct shipment *s);
json_t *shipment_group_labels(const struct shipment *s); /* borrowed; NULL */
/* How late its oldest notice is at `wall`, beyond what its route wanted it to wait; 0 under a
 * minute. */
int64_t shipment_late_seconds(const struct shipment *s, usec_t wall);
bool shipment_undurable(const struct shipment *s); /* one of them is not in the store */

/* ---- tries ---------------------------------------------------------------------------------- */

enum verdict {
	VERDICT_DELIVERED,
	VERDICT_RETRY,
	VERDICT_FAILED, /* trying again is of no use */
	VERDICT_GONE,	/* nor is any other notice */
	VERDICT_MAX,
};
extern const char *const verdict_names[VERDICT_MAX];

struct judgement {
	enum verdict verdict;
	long code;			     /* HTTP status, SMTP code, exit status; 0 = none */
	usec_t retry_after;		     /* the receiver's wish; 0 = none */
	usec_t elapsed;			     /* 0: from the start of the try */
	char error[DELIVERY_ERROR_BYTES];    /* when delivered: "", or how little is known */
	char detail[JUDGEMENT_DETAIL_BYTES]; /* of the answer; the ledger keeps it without secrets
					      */
};
typedef void (*try_fn)(struct shipment *s, const struct judgement *j);

struct try_context {
	struct alert *alert;
	const struct conf_receiver *conf;
	try_fn done; /* once, never before the start returned; not after a cancel */
};

/* How the receivers of a type are tried; alert/shipment.c has the table. */
struct try_type {
	/* Holds a reference of `s` and may keep something of its own in s->try. -EOPNOTSUPP: it
	 * cannot say this, and never will; -EKEYREJECTED: the secret is of no use. */
	int (*start)(const struct try_context *context, struct shipment *s);
	void (*cancel)(struct shipment *s); /* in flight; drops the reference, no done() */
	size_t window;			    /* shipments in flight at once */
	/* The following may be NULL. */
	bool (*is_ready)(struct alert *alert); /* false: tries must wait, receiver_pump() follows */
	/* May several deliveries go in one request? NULL: never. */
	bool (*can_group)(struct alert *alert, const struct conf_receiver *conf);
	/* At most so many then; 0, or NULL: SHIPMENT_MAX_DELIVERIES. */
	size_t (*max_notices)(struct alert *alert, const struct conf_receiver *conf);
	/* Requests a minute, when the configuration does not say; 0 no limit. NULL: 600. */
	int64_t (*rate_per_minute)(struct alert *alert, const struct conf_receiver *conf);
};
const struct try_type *try_type_of(const struct conf_receiver *conf);

/* Takes the receiver's secrets (what the configuration calls SECRET, and what is behind the host of
 * a private address) out of `text`, in place. */
void secrets_redact(const struct conf_receiver *conf, char *text);
/* The same of what may have zero bytes in it. To be done before anything is cut: half a secret is
 * not found. */
void secrets_redact_bytes(const struct conf_receiver *conf, char *bytes, size_t len);

#endif
