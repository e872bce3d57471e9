/* SPDX-License-Identifier: MIT */
/*
 * alert/alert.h: notices to receivers. alert_add() composes a notice, chooses receivers by the
 * routes and adds the outbox rows to the caller's batch; alert_committed() releases them when the
 * store has accepted (or delivers from memory, marked undurable, when it could not). Order and one
 * in flight hold per receiver and fingerprint. At-least-once: a duplicate carries the same id.
 * Never blocks.
 */
#ifndef ALERT_ALERT_H
#define ALERT_ALERT_H

#include "base/uuid.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include "store/store.h"

/* X(CODE, "wire name") ; the CloudEvents type is "tend." + name */
#define NOTICE_KINDS(X)                                                                            \
	X(INCIDENT_RAISED, "incident.raised")                                                      \
	X(INCIDENT_CHANGED, "incident.changed")                                                    \
	X(INCIDENT_CLEARED, "incident.cleared")                                                    \
	X(INCIDENT_REMINDER, "incident.reminder")	  /* it is still so, nobody has it */      \
	X(INCIDENT_ACKNOWLEDGED, "incident.acknowledged") /* somebody has it */                    \
	X(POLICY_FAILED,                                                                           \
		"policy.failed") /* a run failed, is unknown, or a breaker opened: a page */       \
	X(POLICY_MESSAGE, "policy.message") /* verb notice.send */                                 \
	X(ACTIONS_FROZEN, "actions.frozen")                                                        \
	X(CONFIG_FAILED, "config.failed")                                                          \
	X(STORE_FAILED, "store.failed")                                                            \
	X(RECEIVER_DISABLED, "receiver.disabled") /* it answered 410 Gone */                       \
	X(RECEIVER_FAILING, "receiver.failing")	  /* its outbox shed or gave up something */       \
	X(BACKUP_STALE, "backup.stale")                                                            \
	X(HEARTBEAT, "heartbeat") /* Tend lives; for an outside watcher */                         \
	X(TEST, "test")		  /* asked for by hand */
enum notice_kind {
#define X(code, name) NOTICE_##code,
	NOTICE_KINDS(X)
#undef X
		NOTICE_KIND_MAX
};
const char *notice_kind_name(enum notice_kind kind);

struct notice { /* what the caller fills; strings borrowed, NULL where they do not apply */
	char id[UUID_TEXT_BYTES]; /* filled by alert_add() if empty */
	enum notice_kind kind;
	enum conf_severity severity;
	const char *fingerprint; /* orders deliveries; for notices without an incident e.g.
				    "daemon/config" */
	const char *incident_id;
	const char *system, *environment, *component, *check;
	const char *state;    /* of the check */
	const char *reason;   /* reason name */
	const char *text;     /* one line */
	usec_t wall;	      /* when it happened */
	usec_t since_wall;    /* incident opened */
	json_t *details;      /* more `data` members (borrowed); NULL */
	json_t *labels;	      /* object text -> text (borrowed); NULL: alert_add() makes them ... */
	const json_t *pushed; /* ... also of these, which came with an event; NULL */
	json_t *told; /* array of such objects, the last told last: under which those who were told
			 of the incident may know it, if not under these only; NULL: alert_add()
			 fills it in */
	bool told_only; /* nobody who was not told of the incident yet hears of it now */
	bool urgent;	/* of a policy: told in a quiet window as well */
};

struct alert;
struct net;
struct alert_deps {
	struct loop *loop;
	struct store *store;
	struct net *net;
	const char *libexec_dir; /* tend-snmp */
	const char *state_dir;
	/* Says the daemon's actions must freeze (outbox cannot be written) or may go on. */
	void (*on_undurable)(bool undurable, void *data);
	/* A delivery ended (for incidents' timelines): state "delivered", "failed", "superseded",
	 * "expired". May be called from within alert_add(). */
	void (*on_delivery)(const char *incident_id, const char *receiver, const char *notice_kind,
		const char *state, unsigned n_tries, void *data);
	/* What a heartbeat says beside the outbox: new object; may be NULL. */
	json_t *(*heartbeat_details)(void *data);
	void *data;
};
int alert_new(const struct alert_deps *deps, struct alert **ret_alert); /* loads the outbox */
/* Before the store is freed, which commits its last rows; the loop must not turn in between. */
struct alert *alert_free(struct alert *alert);
DEFINE_AUTO(struct alert *, alert_free)
int alert_apply(struct alert *alert, struct conf *conf);

/* Returns the number of deliveries added, or a negative errno. `batch` NULL: makes and commits its
 * own. An incident's raise goes where the routes say; its changes and its clear go to those that
 * were told and are still configured; a change that the routes give to somebody else goes to them
 * as the raise (under an id of its own). */
int alert_add(struct alert *alert, struct notice *notice, struct store_batch *batch);
/* What comes after the raise of an incident that is open and told: reminders, steps of the
 * escalation, whom the time of day brings, or who comes in place of those who are gone. To be
 * called from time to time, at the latest at *ret_next_wall (USEC_INFINITY: never), and after a new
 * configuration. Who is told, and how many, as alert_add(). -EAGAIN: no configuration yet. */
struct alert_followed {
	const struct notice *notice; /* as it would be raised now, without an id */
	usec_t since_wall;	     /* when the last acknowledgement ended; 0 */
	bool acknowledged;
};
int alert_follow(struct alert *alert, const struct alert_followed *followed, usec_t *ret_next_wall);
/* The caller's batch with the notices added since the last call ended like r (store_done_fn). The
 * caller calls alert_seal() when it commits: everything added since belongs to the returned token.
 */
uint64_t alert_seal(struct alert *alert);
/* What the receiver would get of it; nothing is sent. fn once, perhaps at once: {"receiver",
 * "type", "format", "view", "event", "request" or "format_error"}, borrowed. -ENOENT: no such
 * receiver. */
typedef void (*alert_preview_fn)(int r, json_t *answer, void *data);
int alert_preview(struct alert *alert, const struct notice *notice, const char *receiver,
	alert_preview_fn fn, void *data);
struct silences;
struct silences *alert_silences(struct alert *alert); /* alert/silence.h; loaded by alert_new() */
const char *alert_host(const struct alert *alert);
/* A receiver wants to hear again of what goes on. */
bool alert_repeats(struct alert *alert);
/* None of those who were told of it is configured any more: alert_follow() raises it to whom the
 * routes name now. Of any: once what waits for those who are gone has ended, this may become so. */
bool alert_is_abandoned(const struct alert *alert, const char *incident_id);
bool alert_any_abandoned(const struct alert *alert);
void alert_committed(struct alert *alert, uint64_t token, int r);

json_t *alert_receivers_to_json(const struct alert *alert);
/* Appends a text for each receiver that does not get its notices at present. */
void alert_add_problems(const struct alert *alert, json_t *problems);
/* Rows for `tendctl delivery list`: waiting first (from memory, also undurable ones), then the
 * ledger; filters may be NULL. */
typedef void (*alert_deliveries_fn)(int r, json_t *rows, void *data);
int alert_deliveries(struct alert *alert, const char *incident_id, const char *receiver, int limit,
	alert_deliveries_fn fn, void *data);

/* Was it delivered? {"id","notice":{...},"deliveries":[...],"attempts":[{"shipment","receiver","n",
 * "at","elapsed_msec","verdict","code","error","detail"}]} of a notice, or of a shipment of
 * several, by its id or the beginning of it; borrowed by fn. None such: no deliveries; -ENOTUNIQ:
 * several. */
typedef void (*alert_delivery_fn)(int r, json_t *doc, void *data);
int alert_delivery(struct alert *alert, const char *id, alert_delivery_fn fn, void *data);
/* A test notice to one receiver. fn comes once: how it ended, or "waiting" when it has not in 10 s;
 * not after a cancel. -ENOENT: no such receiver; -EBUSY: too many at once. */
struct alert_test;
typedef void (*alert_test_fn)(const char *state, unsigned n_tries, const char *error, void *data);
int alert_test_start(struct alert *alert, const char *receiver, alert_test_fn fn, void *data,
	char ret_id[UUID_TEXT_BYTES], struct alert_test **ret_test);
void alert_test_cancel(struct alert_test *test);

struct alert_receiver_stats {
	const char *name;
	/* n_failed: with those that were shed or expired */
	uint64_t n_delivered, n_failed, n_shed, n_expired, n_tries, n_waiting, sequence;
	usec_t oldest_wall; /* of what waits; 0 */
	bool breaker_open, disabled;
	char last_error[256];
};
/* Notices that nobody got, since the start: one without an incident that a silence matches; one
 * that no route takes, or no receiver. What is held of incidents is counted with them. */
void alert_get_withheld(const struct alert *alert, uint64_t *ret_silenced, uint64_t *ret_unrouted);
size_t alert_get_stats(const struct alert *alert, struct alert_receiver_stats *stats, size_t max);
uint64_t alert_outbox_depth(const struct alert *alert);
bool alert_healthy(const struct alert *alert); /* due deliveries were tried */

#endif
