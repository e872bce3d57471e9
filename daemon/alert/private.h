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
#include "alert/outbox.h"
#include "alert/plan.h"
#include "alert/shipment.h"
#include "base/map.h"
#include "base/vec.h"

enum {
	NOTICE_TEXT_BYTES = 4096,  /* of the text; more is cut */
	NOTICE_BODY_BYTES = 65536, /* of a whole event; beyond it the details are left out */
	DELIVERY_MAX_MERGED = 64,
	LEDGER_MAX_UNWRITTEN = 100000, /* deliveries whose change the store has not taken */
	BREAKER_FAILURES = 5,	       /* in a row open it */
};

/* ---- notice.c ------------------------------------------------------------------------------- */

struct record {
	unsigned n_refs;
	json_t *doc; /* the notice as the store keeps it; owns the strings below */
	struct notice notice;
	unsigned version, saved; /* the store has it as of version `saved`; 0: not at all */
	size_t n_bytes;		 /* of `doc` as text, about */
};
int record_new(const struct notice *notice, struct record **ret_record);
int record_from_json(
	json_t *doc, struct record **ret_record); /* -EINVAL: not what record_to_json() wrote */
/* Notes (also in `doc`, under "receivers") that this receiver gets it; 0: it had been noted before.
 */
int record_note_receiver(struct record *record, const char *name);
bool record_has_receiver(const struct record *record, const char *name);
/* Notes, under "gates", what said no (char *). */
int record_note_gates(struct record *record, const struct vec *gates);
struct record *record_ref(struct record *record);
struct record *record_unref(struct record *record);
DEFINE_AUTO(struct record *, record_unref)

struct event_context { /* what an event says beside its notice */
	const char *host;
	const char *epoch;
	uint64_t sequence;
	bool undurable;
	int64_t late_seconds; /* 0: on time */
	json_t *merged; /* [{"id","sequence","kind","time"}]: what this one stands for as well; NULL
			 */
};
/* CloudEvents 1.0, structured, compact. At most NOTICE_BODY_BYTES. */
int notice_compose_event(
	const struct notice *notice, const struct event_context *context, char **ret_body);
struct view_source;
/* The same of one or several: of several the type is tend.incident.group. */
int event_compose(const struct view_source *source, char **ret_body);
/* "was raised and cleared: ..." when a raise was merged into its clear; else the text. NULL: no
 * memory. */
char *notice_compose_text(const struct notice *notice, json_t *merged);

/* ---- tell.c --------------------------------------------------------------------------------- */

struct token;
/* A record with its labels. */
int tell_new_record(
	const struct alert *alert, const struct notice *notice, struct record **ret_record);
/* Decides who gets it and queues it. The number of deliveries, or a negative errno. */
int tell(struct alert *alert, struct record *record, bool told_only, struct store_batch *batch,
	struct token *token);

/* ---- told.c --------------------------------------------------------------------------------- */

struct alert;
struct told_one { /* a receiver that was told of an incident */
	char *name;
	usec_t told_wall, last_wall; /* of the raise; of the last reminder, or the raise */
	usec_t clock; /* clock_wall() - clock_now() by which these are: told_by_clock() */
	unsigned n_reminders;
	bool refused; /* it said no: it hears no more of it, unless a change is told anew */
	bool untold;  /* it was to be told, but nothing ever went: as one that was not */
};
/* It gets the incident's raise. Where that cannot be kept, told_knows() is false from then on. */
void told_add(struct alert *alert, const char *incident, const char *receiver, usec_t wall);
void told_remind(
	struct alert *alert, const char *incident, const char *receiver, usec_t wall, unsigned n);
/* One of its times as the clock says it now, which may have been set since. */
usec_t told_by_clock(const struct told_one *one, usec_t wall);
/* struct told_one *, in the order of the telling, also who refused or is untold; NULL: nobody. */
const struct vec *told_list(const struct alert *alert, const char *incident);
/* It is told under these labels; state, reason and class, which say how it is just now, are none.
 */
void told_keep_labels(struct alert *alert, const char *incident, const json_t *labels);
/* A delivery of a change: how it ended says what those who were told may still believe. */
void told_change_queued(struct alert *alert, const char *incident);
void told_change_ended(struct alert *alert, const char *incident, bool delivered);
/* Those of notice.told, for a notice with these labels: the last, and where a change may not have
 * arrived all; NULL: these very ones. New. */
int told_labels(
	const struct alert *alert, const char *incident, const json_t *labels, json_t **ret_list);
void told_fail(struct alert *alert, const char *incident, const char *receiver);
void told_refuse(struct alert *alert, const char *incident, const char *receiver);
void told_drop(struct alert *alert, const char *incident);	 /* it was cleared */
bool told_open(const struct alert *alert, const char *incident); /* raised, not cleared */
bool told_has(const struct alert *alert, const char *incident, const char *receiver);
/* Somebody was to be told, and none of them is configured any more. */
bool told_is_gone(const struct alert *alert, const char *incident);
bool told_any_gone(const struct alert *alert);
/* False: who was told of this one may have been lost, the routes must do. */
bool told_knows(const struct alert *alert, const char *incident);
/* The told receivers (struct conf_receiver *) that are configured, in the order of the telling. */
int told_match(const struct alert *alert, const char *incident, struct vec *ret_receivers);
int told_load(struct alert *alert);
void told_clear(struct alert *alert);

/* ---- signature.c ---------------------------------------------------------------------------- */

enum { SIGNATURE_MAX_BYTES = 256, SIGNATURE_MAX_KEY_BYTES = 512 };
/* "v1,BASE64 v1,BASE64": HMAC-SHA256 over id.timestamp.body with each secret ("whsec_" + base64).
 * secret_old may be NULL. -EINVAL: a secret is not of this form. */
int signature_make(const char *secret, const char *secret_old, const char *id, int64_t timestamp,
	const char *body, char ret_signature[SIGNATURE_MAX_BYTES]);
/* First 16 hexadecimal digits of the SHA-256. */
void signature_digest(const char *text, char ret_digest[17]);

/* ---- tries: webhook.c, snmp.c --------------------------------------------------------------- */

int webhook_start(const struct try_context *context, struct shipment *s);
void webhook_cancel(struct shipment *s);
bool webhook_can_group(struct alert *alert, const struct conf_receiver *conf);
size_t webhook_max_notices(struct alert *alert, const struct conf_receiver *conf);
int64_t webhook_rate(struct alert *alert, const struct conf_receiver *conf);
/* So often what is still open is to be told again; 0: never. */
int64_t webhook_repeat_seconds(struct alert *alert, const struct conf_receiver *conf);
/* status: of HTTP; Retry-After as sent, or NULL. Pure. */
void webhook_judge(
	long status, const char *retry_after, usec_t wall, struct judgement *ret_judgement);
/* What a format's judge() said of it, {"verdict","after","why"}, on top of HTTP's own judgement;
 * VERDICT_MAX: it cannot be judged, `error` says why. Pure. */
void webhook_judge_more(
	const json_t *said, const char *retry_after, usec_t wall, struct judgement *judgement);
bool webhook_has_more(const struct judgement *judgement); /* is a format asked as well? */
/* The arguments of its judge(). Steals `options`. */
struct str;
json_t *webhook_judge_args(
	long code, const char *retry_after, const struct str *answer, json_t *options);

struct snmp_notifier; /* the helper tend-snmp notify */
int snmp_notifier_new(struct alert *alert, struct snmp_notifier **ret_notifier);
struct snmp_notifier *snmp_notifier_free(
	struct snmp_notifier *notifier);		  /* ends its tries as to be retried */
void snmp_notifier_apply(struct snmp_notifier *notifier); /* after alert->conf has changed */
/* Who we are to this receiver of v3 traps, which it must be told; NULL: not known, or no such. */
const char *snmp_engine_id(const struct alert *alert, const struct conf_receiver *conf);
bool snmp_is_ready(struct alert *alert);
int64_t snmp_rate(struct alert *alert, const struct conf_receiver *conf);
int snmp_start(const struct try_context *context, struct shipment *s);
void snmp_cancel(struct shipment *s);

/* ---- tries: mail.c, run_exec.c -------------------------------------------------------------- */

int mail_start(const struct try_context *context, struct shipment *s);
void mail_cancel(struct shipment *s);
bool mail_can_group(struct alert *alert, const struct conf_receiver *conf);
int64_t mail_rate(struct alert *alert, const struct conf_receiver *conf);
void mail_progress_clear(struct alert *alert);

struct spawn_reply;
int exec_start(const struct try_context *context, struct shipment *s);
void exec_cancel(struct shipment *s);
bool exec_can_group(struct alert *alert, const struct conf_receiver *conf);
size_t exec_max_notices(struct alert *alert, const struct conf_receiver *conf);
int64_t exec_rate(struct alert *alert, const struct conf_receiver *conf);
/* How a program ended. Pure. */
void exec_judge(const struct spawn_reply *reply, struct judgement *ret_judgement);
/* The view as a text of less than `max` bytes; what does not fit is left out of `view` and counted.
 * NULL: not even one notice fits, or no memory. Pure. */
char *exec_stdin(json_t *view, size_t max);

/* ---- deliver.c ------------------------------------------------------------------------------ */

struct receiver {
	struct alert *alert;
	char *name;
	const struct conf_receiver *conf; /* NULL: no longer configured */
	char *fallback;			  /* by the last configuration that had it; NULL */
	struct outbox outbox;
	uint64_t sequence;
	struct bucket bucket, drain;
	struct loop_source *timer;
	usec_t wake_at; /* 0 = off */
	bool pumping, pump_due;
	/* the breaker */
	unsigned n_failures; /* tries in a row */
	unsigned n_refusals; /* answers in a row that said no for good */
	bool breaker_open;
	usec_t breaker_until;
	/* 410 */
	usec_t disabled_wall;
	char disabled_why[DELIVERY_ERROR_BYTES];
	struct vec flying; /* struct shipment *, in flight */
	uint64_t n_delivered, n_failed, n_tries, n_shed, n_expired;
	struct rate rate_delivered, rate_tries;
	usec_t last_delivered_wall, last_error_wall;
	char last_error[DELIVERY_ERROR_BYTES];
	/* what it lost is told to the others, not each time */
	struct loop_source *tell_timer;
	usec_t told_failing_at;
	uint64_t n_untold_shed, n_untold_expired, n_untold_refused;
	enum conf_severity worst_shed; /* of the untold */
	/* fallback.c's */
	struct vec leaving;	   /* struct delivery * that have ended, in order */
	struct map leaving_clears; /* of them, by incident */
	/* heartbeats */
	struct loop_source *heartbeat;
};
int receiver_new(struct alert *alert, const char *name, struct receiver **ret_receiver);
struct receiver *receiver_free(struct receiver *receiver);
DEFINE_AUTO(struct receiver *, receiver_free)
/* Its configuration is about to go: who stands in for it must be known still. */
void receiver_keep_fallback(struct receiver *receiver);
void receiver_set_conf(struct receiver *receiver, const struct conf_receiver *conf, bool reload);
/* What the type, or the format, says of grouping may be known only after a while. */
void receiver_set_pace(struct receiver *receiver);
usec_t receiver_ttl(const struct conf_receiver *conf, enum conf_severity severity);
/* What was tried before the start waits no longer than a breaker's pause. */
void receiver_retry_soon(struct receiver *receiver);
void receiver_pump(struct receiver *receiver); /* tries what is due, arms the timer */
/* A delivery that has left its outbox is over: ledger, log, the caller's on_delivery. */
void delivery_settle(struct delivery *d, enum delivery_state state, const char *why);
/* Takes a waiting one out of its outbox and settles it; it leaves for the fallback like `how`. */
void delivery_end(struct delivery *d, enum delivery_state state, const char *why, enum leaving how);
void receiver_enable(struct receiver *receiver); /* an operator reloaded: 410 is forgotten */
void shipment_forget_conf(struct shipment *s);	 /* its try is over */
/* The set of a shipment is in the store, or is not going to be in time: it may be tried. */
void shipment_committed(struct shipment *s);
/* It lost n notices: the others hear of it. */
void receiver_note_lost(
	struct receiver *receiver, uint64_t n_shed, uint64_t n_expired, uint64_t n_refused);
void receiver_tell_lost(void *data); /* struct receiver *; of its tell_timer */

/* ---- fallback.c ----------------------------------------------------------------------------- */

/* It was settled, undelivered: the pump hands it over, if there is anybody. Never at once. */
void fallback_push(struct delivery *d, enum leaving how);
/* Some of them; true: more are left. Of what is of a receiver's trouble none counts as lost, or two
 * that fail would tell of each other for ever. */
bool fallback_pump(struct receiver *receiver);
void fallback_clear(struct receiver *receiver);

/* ---- test_notice.c -------------------------------------------------------------------------- */

void test_notice_settled(struct delivery *d);
void test_notices_clear(struct alert *alert);

/* ---- heartbeat.c ---------------------------------------------------------------------------- */

void heartbeat_apply(struct receiver *receiver);
void heartbeat_beat(void *data); /* struct receiver *; of its timer */

/* ---- ledger.c ------------------------------------------------------------------------------- */

/* Rows of a delivery whose version has changed go to the store, together, in the next turn. */
void ledger_touch(struct delivery *d);
int ledger_write(struct store_batch *batch, struct delivery *d); /* record, delivery, sequence */
/* The rows of all of a shipment at once; then shipment_committed() if `commit`. */
void ledger_put_shipment(struct shipment *s, bool commit);
/* A try ended: its row goes with the next rows. */
void ledger_add_try(const struct shipment *s, const struct judgement *j);
void ledger_put_receiver(struct alert *alert, const struct receiver *receiver);
void ledger_flush(struct alert *alert);
void ledger_flush_last(struct alert *alert); /* at the end of the daemon */
void ledger_clear(struct alert *alert);
int ledger_load(struct alert *alert);
/* No batch has it: delivered from memory, written when the store takes it. */
void ledger_keep(struct delivery *d);
json_t *delivery_to_json(const struct delivery *d);
struct try_row;
const char *try_row_shipment(const struct try_row *row);
json_t *try_row_to_json(const struct try_row *row); /* as the row of the store */

/* A batch that carries deliveries: `token` of alert_seal(). */
struct token {
	struct alert *alert;
	uint64_t number;
	bool late;
	struct vec writes;	   /* struct write * */
	struct shipment *shipment; /* that waits for it; NULL */
};
struct write {
	struct delivery *delivery;
	unsigned version, of_record;
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
	size_t n_told_moved; /* of these, who were told under several sets of labels */
	struct silences *silences;
	struct snmp_notifier *notifier;
	struct formats *formats;
	struct spawn_client *spawn; /* for receivers that are programs; NULL until one is tried */
	struct vec mails;	    /* struct mail_progress *, mail.c's */
	char host[256];
	usec_t started;
	uint64_t n_tokens;
	struct token *unsealed; /* what was added since the last alert_seal() */
	struct vec tokens;	/* struct token *, sealed, not ended */
	struct vec unwritten;	/* struct delivery *, the ledger's */
	struct loop_source *flush_defer, *flush_timer;
	struct token *flushing;
	struct vec tries; /* struct try_row *, not in the store */
	struct vec tests; /* struct alert_test * */
	size_t n_flushing_tries;
	size_t n_dropped; /* of the ledger, for want of memory */
	bool undurable, freeing;
	uint64_t n_silenced, n_unrouted; /* notices that nobody gets */
};
struct receiver *alert_find_receiver(struct alert *alert, const char *name); /* NULL */
/* ---- queue.c -------------------------------------------------------------------------------- */

/* One delivery more, with a sequence of its own, into `batch` under `token`. `target` says its
 * group and when it may go; NULL: alone, at once (a test). `instead`: that of another receiver,
 * which it stands in for; NULL. */
int alert_queue(struct alert *alert, struct record *record, struct receiver *receiver,
	const struct plan_target *target, const struct delivery *instead, struct store_batch *batch,
	struct token *token);
/* The same in a batch of its own, at once. */
int alert_queue_now(struct alert *alert, struct record *record, struct receiver *receiver);
bool notice_is_of_receiver(const struct notice *notice);
/* What is of a receiver's own trouble is not for itself. */
bool notice_is_for(const struct notice *notice, const char *receiver);

/* Commits a batch of alert's own; both are taken, also on failure. */
int alert_commit_own(struct alert *alert, struct store_batch *batch, struct token *token);
void alert_set_undurable(struct alert *alert, bool undurable);
void alert_tell(struct alert *alert, enum notice_kind kind, enum conf_severity severity,
	const char *fingerprint, const char *text);

#endif
