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
	X(POLICY_FAILED,                                                                           \
		"policy.failed") /* a run failed, is unknown, or a breaker opened: a page */       \
	X(POLICY_MESSAGE, "policy.message") /* verb notice.send */                                 \
	X(ACTIONS_FROZEN, "actions.frozen")                                                        \
	X(CONFIG_FAILED, "config.failed")                                                          \
	X(STORE_FAILED, "store.failed")                                                            \
	X(RECEIVER_DISABLED, "receiver.disabled") /* it answered 410 Gone */
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
	const char *state;  /* of the check */
	const char *reason; /* reason name */
	const char *text;   /* one line */
	usec_t wall;	    /* when it happened */
	usec_t since_wall;  /* incident opened */
	json_t *details;    /* more `data` members (borrowed); NULL */
	bool told_only;	    /* nobody who was not told of the incident yet hears of it now */
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
/* The caller's batch with the notices added since the last call ended like r (store_done_fn). The
 * caller calls alert_seal() when it commits: everything added since belongs to the returned token.
 */
uint64_t alert_seal(struct alert *alert);
void alert_committed(struct alert *alert, uint64_t token, int r);

json_t *alert_receivers_to_json(const struct alert *alert);
/* Rows for `tendctl delivery list`: waiting first (from memory, also undurable ones), then the
 * ledger; filters may be NULL. */
typedef void (*alert_deliveries_fn)(int r, json_t *rows, void *data);
int alert_deliveries(struct alert *alert, const char *incident_id, const char *receiver, int limit,
	alert_deliveries_fn fn, void *data);

struct alert_receiver_stats {
	const char *name;
	uint64_t n_delivered, n_failed, n_tries, n_waiting, sequence;
	usec_t oldest_wall; /* of what waits; 0 */
	bool breaker_open;
	char last_error[256];
};
size_t alert_get_stats(const struct alert *alert, struct alert_receiver_stats *stats, size_t max);
uint64_t alert_outbox_depth(const struct alert *alert);
bool alert_healthy(const struct alert *alert); /* due deliveries were tried */

#endif
