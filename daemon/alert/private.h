/* SPDX-License-Identifier: MIT */
/*
 * alert/private.h: what the files of this folder share. A record is a notice of our own, shared by
 * its deliveries; a delivery is one record for one receiver. Both are counted: a delivery is held
 * by its outbox while it waits, by a token until its batch has ended, by the ledger until it is
 * written, and by the try in flight.
 */
#ifndef ALERT_PRIVATE_H
#define ALERT_PRIVATE_H

#include "alert/alert.h"
#include "base/map.h"
#include "base/vec.h"

enum {
	NOTICE_TEXT_BYTES = 4096,  /* of the text; more is cut */
	NOTICE_BODY_BYTES = 65536, /* of a whole event; beyond it the details are left out */
	OUTBOX_MAX_WAITING = 2000, /* of a receiver */
	DELIVERY_ERROR_BYTES = 256,
	DELIVERY_MAX_MERGED = 64,
	LEDGER_MAX_UNWRITTEN = 20000, /* deliveries whose change the store has not taken */
	WEBHOOK_WINDOW = 8,
	SNMP_WINDOW = 64,
	BREAKER_FAILURES = 5, /* in a row open it */
};

/* ---- notice.c ------------------------------------------------------------------------------- */

struct record {
	unsigned n_refs;
	json_t *doc; /* the notice as the store keeps it; owns the strings below */
	struct notice notice;
	bool saved; /* the store has it */
};
int record_new(const struct notice *notice, struct record **ret_record);
int record_from_json(
	json_t *doc, struct record **ret_record); /* -EINVAL: not what record_to_json() wrote */
/* Notes (also in `doc`, under "receivers") that this receiver gets it; 0: it had been noted before.
 */
int record_note_receiver(struct record *record, const char *name);
struct record *record_ref(struct record *record);
struct record *record_unref(struct record *record);
DEFINE_AUTO(struct record *, record_unref)

struct event_context { /* what an event says beside its notice */
	const char *host;
	const char *epoch;
	uint64_t sequence;
	bool undurable;
	json_t *merged; /* [{"id","sequence","kind","time"}]: what this one stands for as well; NULL
			 */
};
/* CloudEvents 1.0, structured, compact. At most NOTICE_BODY_BYTES. */
int notice_compose_event(
	const struct notice *notice, const struct event_context *context, char **ret_body);
/* "was raised and cleared: ..." when a raise was merged into its clear; else the text. NULL: no
 * memory. */
char *notice_compose_text(const struct notice *notice, json_t *merged);

/* ---- routes.c ------------------------------------------------------------------------------- */

/* Receivers (struct conf_receiver *) of a notice, each once, in the order of the routes. Without
 * any route every receiver. Pure. */
int routes_match(const struct conf *conf, const struct notice *notice, struct vec *ret_receivers);

/* ---- told.c --------------------------------------------------------------------------------- */

struct alert;
/* It gets the incident's raise. Where that cannot be kept, told_knows() is false from then on. */
void told_add(struct alert *alert, const char *incident, const char *receiver);
void told_remove(struct alert *alert, const char *incident, const char *receiver);
void told_drop(struct alert *alert, const char *incident);	 /* it was cleared */
bool told_open(const struct alert *alert, const char *incident); /* raised, not cleared */
bool told_has(const struct alert *alert, const char *incident, const char *receiver);
/* False: who was told of this one may have been lost, the routes must do. */
bool told_knows(const struct alert *alert, const char *incident);
/* The told receivers (struct conf_receiver *) that are configured, in the order of the telling. */
int told_match(const struct alert *alert, const char *incident, struct vec *ret_receivers);
int told_load(struct alert *alert);
void told_clear(struct alert *alert);

/* ---- outbox.c ------------------------------------------------------------------------------- */

enum delivery_state {
	DELIVERY_WAITING,
	DELIVERY_DELIVERED,
	DELIVERY_FAILED,
	DELIVERY_SUPERSEDED,
	DELIVERY_EXPIRED,
	DELIVERY_STATE_MAX,
};
extern const char *const delivery_state_names[DELIVERY_STATE_MAX];

struct receiver;

struct delivery {
	unsigned n_refs;
	struct record *record;
	struct receiver *receiver;
	uint64_t sequence;
	enum delivery_state state;
	unsigned n_tries;
	bool released;	/* may be sent: its batch has ended, or is late */
	bool undurable; /* was sent, or will be, before the store had it */
	bool in_flight;
	usec_t next_at;	   /* of clock_now() */
	usec_t expires_at; /* of clock_now() */
	usec_t added_wall, next_wall, delivered_wall;
	char error[DELIVERY_ERROR_BYTES];
	char superseded_by[UUID_TEXT_BYTES];
	char *via; /* the receiver this one stands in for; NULL */
	json_t *merged;
	struct delivery *next; /* of the chain, or of what outbox_add() superseded */
	/* The row in the store is of version `saved`; equal: nothing to write. */
	unsigned version, saved, n_writing;
	bool in_ledger;
};
int delivery_new(struct record *record, struct receiver *receiver, struct delivery **ret_delivery);
struct delivery *delivery_ref(struct delivery *d);
struct delivery *delivery_unref(struct delivery *d);
DEFINE_AUTO(struct delivery *, delivery_unref)

/* What waits for one receiver: a chain a fingerprint, in order of sequence. Pure. */
struct outbox {
	struct map chains;
	size_t n_waiting, n_in_flight;
};
void outbox_clear(struct outbox *outbox);
/* Holds a reference. What is overtaken by `d` (and not in flight) leaves the outbox as superseded
 * and is returned as a list linked by `next`, whose references are the caller's. */
int outbox_add(struct outbox *outbox, struct delivery *d, struct delivery **ret_superseded);
/* The next that may be tried now: the lowest sequence among the firsts of all chains. NULL. */
struct delivery *outbox_pick(const struct outbox *outbox, usec_t now);
/* When outbox_pick(), or outbox_expired(), may give something new; USEC_INFINITY. */
usec_t outbox_wake_at(const struct outbox *outbox);
usec_t outbox_wake_expiry(const struct outbox *outbox);
/* The clear of the incident that `n` is of. NULL. */
struct delivery *outbox_find_clear(const struct outbox *outbox, const struct notice *n);
/* One that waited too long. NULL. */
struct delivery *outbox_expired(const struct outbox *outbox, usec_t now);
/* The one to give up when it is full: least severe, then oldest, not in flight. NULL. */
struct delivery *outbox_victim(const struct outbox *outbox);
void outbox_start(struct outbox *outbox, struct delivery *d);  /* it is in flight */
void outbox_stop(struct outbox *outbox, struct delivery *d);   /* no longer */
void outbox_remove(struct outbox *outbox, struct delivery *d); /* drops the outbox's reference */
void outbox_retry_now(struct outbox *outbox, usec_t now); /* the breaker closed: nobody waits on */
usec_t outbox_oldest_wall(const struct outbox *outbox);	  /* 0 */
/* Each lives for `ttl` from when it was added. */
void outbox_set_expiry(struct outbox *outbox, usec_t ttl, usec_t wall, usec_t now);
/* All of them, in no order; the caller frees the array. */
size_t outbox_list(const struct outbox *outbox, struct delivery ***ret_deliveries);

/* retry_min doubling to retry_max; the upper half of the wait is random (0..1). */
usec_t backoff_delay(unsigned n_tries, usec_t retry_min, usec_t retry_max, double random);

struct bucket { /* tokens: as many as ten seconds' worth at once */
	double tokens;
	usec_t filled_at;
};
/* Takes one. 0, or how long to wait. */
usec_t bucket_take(struct bucket *bucket, int64_t rate_per_minute, usec_t now);

/* ---- signature.c ---------------------------------------------------------------------------- */

enum { SIGNATURE_MAX_BYTES = 256, SIGNATURE_MAX_KEY_BYTES = 512 };
/* "v1,BASE64 v1,BASE64": HMAC-SHA256 over id.timestamp.body with each secret ("whsec_" + base64).
 * secret_old may be NULL. -EINVAL: a secret is not of this form. */
int signature_make(const char *secret, const char *secret_old, const char *id, int64_t timestamp,
	const char *body, char ret_signature[SIGNATURE_MAX_BYTES]);
/* First 16 hexadecimal digits of the SHA-256. */
void signature_digest(const char *text, char ret_digest[17]);

/* ---- tries: webhook.c, snmp.c --------------------------------------------------------------- */

enum verdict {
	VERDICT_DELIVERED,
	VERDICT_RETRY,
	VERDICT_FAILED, /* trying again is of no use */
	VERDICT_GONE,	/* nor is any other notice */
};
struct judgement {
	enum verdict verdict;
	usec_t retry_after;		  /* the receiver's wish; 0 = none */
	char error[DELIVERY_ERROR_BYTES]; /* "" when delivered */
};
typedef void (*try_fn)(struct delivery *d, const struct judgement *judgement);

struct try_context {
	struct alert *alert;
	const struct conf_receiver *conf;
	try_fn done; /* once, never before the start returned; not after a cancel */
};
struct webhook_try;
/* Holds a reference of `d`. */
int webhook_start(
	const struct try_context *context, struct delivery *d, struct webhook_try **ret_try);
void webhook_cancel(struct webhook_try *try); /* NULL is fine */
/* status: of HTTP; Retry-After as sent, or NULL. Pure. */
void webhook_judge(
	long status, const char *retry_after, usec_t wall, struct judgement *ret_judgement);

struct snmp_notifier; /* the helper tend-snmp notify */
int snmp_notifier_new(struct alert *alert, struct snmp_notifier **ret_notifier);
struct snmp_notifier *snmp_notifier_free(
	struct snmp_notifier *notifier); /* ends its tries as to be retried */
bool snmp_notifier_ready(const struct snmp_notifier *notifier);
int snmp_start(
	struct snmp_notifier *notifier, const struct try_context *context, struct delivery *d);

/* ---- deliver.c ------------------------------------------------------------------------------ */

struct receiver {
	struct alert *alert;
	char *name;
	const struct conf_receiver *conf; /* NULL: no longer configured */
	struct outbox outbox;
	uint64_t sequence;
	struct bucket bucket;
	struct loop_source *timer;
	usec_t wake_at; /* 0 = off */
	/* the breaker */
	unsigned n_failures; /* tries in a row */
	bool breaker_open;
	usec_t breaker_until;
	/* 410 */
	usec_t disabled_wall;
	char disabled_why[DELIVERY_ERROR_BYTES];
	struct vec tries; /* struct webhook_try *, in flight */
	uint64_t n_delivered, n_failed, n_tries, n_shed;
	usec_t last_delivered_wall;
	char last_error[DELIVERY_ERROR_BYTES];
};
int receiver_new(struct alert *alert, const char *name, struct receiver **ret_receiver);
struct receiver *receiver_free(struct receiver *receiver);
DEFINE_AUTO(struct receiver *, receiver_free)
void receiver_pump(struct receiver *receiver); /* tries what is due, arms the timer */
/* A delivery that has left its outbox is over: ledger, log, the caller's on_delivery. */
void delivery_settle(struct delivery *d, enum delivery_state state, const char *why);
/* Takes a waiting one out of its outbox and settles it; `fall_back`: its fallback gets the notice.
 */
void delivery_end(struct delivery *d, enum delivery_state state, const char *why, bool fall_back);
void receiver_enable(struct receiver *receiver); /* an operator reloaded: 410 is forgotten */

/* ---- ledger.c ------------------------------------------------------------------------------- */

/* Rows of a delivery whose version has changed go to the store, together, in the next turn. */
void ledger_touch(struct delivery *d);
int ledger_write(struct store_batch *batch, struct delivery *d); /* record, delivery, sequence */
void ledger_put_receiver(struct alert *alert, const struct receiver *receiver);
void ledger_flush(struct alert *alert);
void ledger_flush_last(struct alert *alert); /* at the end of the daemon */
void ledger_clear(struct alert *alert);
int ledger_load(struct alert *alert);
/* No batch has it: delivered from memory, written when the store takes it. */
void ledger_keep(struct delivery *d);
json_t *delivery_to_json(const struct delivery *d);

/* A batch that carries deliveries: `token` of alert_seal(). */
struct token {
	struct alert *alert;
	uint64_t number;
	bool late;
	struct vec writes; /* struct write * */
};
struct write {
	struct delivery *delivery;
	unsigned version;
	bool missing; /* no room in the batch: however that ends, the row is not in the store */
};
int token_add(struct token *token, struct delivery *d, bool missing);
/* Applies the batch's end (a store_done_fn's r) to what it wrote; frees it unless r is
 * -EINPROGRESS. */
void token_end(struct token *token, int r);
struct token *token_free(struct token *token);
DEFINE_AUTO(struct token *, token_free)
int token_new(struct alert *alert, struct token **ret_token);

/* ---- alert.c -------------------------------------------------------------------------------- */

struct alert {
	struct alert_deps deps;
	struct conf *conf;
	struct map
		receivers; /* struct receiver * by name; those that are gone until they are empty */
	struct map told;   /* by incident: told.c */
	bool told_incomplete;
	struct snmp_notifier *notifier;
	char host[256];
	usec_t started;
	uint64_t n_tokens;
	struct token *unsealed; /* what was added since the last alert_seal() */
	struct vec tokens;	/* struct token *, sealed, not ended */
	struct vec unwritten;	/* struct delivery *, the ledger's */
	struct loop_source *flush_defer, *flush_timer;
	struct token *flushing;
	size_t n_dropped; /* of the ledger, for want of memory */
	bool undurable, freeing;
};
struct receiver *alert_find_receiver(struct alert *alert, const char *name); /* NULL */
/* One delivery more, with a sequence of its own, into `batch` under `token`. */
int alert_queue(struct alert *alert, struct record *record, struct receiver *receiver,
	const char *via, struct store_batch *batch, struct token *token);
/* The same in a batch of its own. */
int alert_queue_now(
	struct alert *alert, struct record *record, struct receiver *receiver, const char *via);
void alert_set_undurable(struct alert *alert, bool undurable);
void alert_tell(struct alert *alert, enum notice_kind kind, enum conf_severity severity,
	const char *fingerprint, const char *text);

#endif
