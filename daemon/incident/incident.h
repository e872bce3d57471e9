/* SPDX-License-Identifier: MIT */
/*
 * incident/incident.h: one fault with one root cause. Fed by watch results, it opens one incident
 * at the deepest failing component, hangs the rest on it, keeps a timeline, closes it with a
 * summary. Every change goes to the store and out by on_event with the same batch, so that state
 * and notices are accepted together. Never blocks.
 */
#ifndef INCIDENT_INCIDENT_H
#define INCIDENT_INCIDENT_H

#include "base/fault.h"
#include "base/uuid.h"
#include "watch/watch.h"

/* discovered -> located -> recovering -> verified -> closed */
enum incident_phase {
	INCIDENT_DISCOVERED,
	INCIDENT_LOCATED,
	INCIDENT_RECOVERING,
	INCIDENT_VERIFIED,
	INCIDENT_CLOSED,
	INCIDENT_PHASE_MAX,
};
extern const char *const incident_phase_names[INCIDENT_PHASE_MAX];

enum incident_event {
	INCIDENT_RAISED,  /* opened and told */
	INCIDENT_CHANGED, /* severity or root cause changed */
	INCIDENT_CLEARED,
	INCIDENT_ACKNOWLEDGED, /* those who were told hear that somebody has it */
	INCIDENT_EVENT_MAX,
};
extern const char *const incident_event_names[INCIDENT_EVENT_MAX]; /* "raised", ... */

struct timeline_entry {
	usec_t wall;
	char kind[24]; /* discovered, located, member, policy, action, notice, acknowledged, ... */
	char *text;
};

struct incident {
	char id[UUID_TEXT_BYTES];
	char *fingerprint; /* system/component/check of its first root, #N where another has that */
	char *system, *component,
		*check; /* of the root, as names ("crm", "crm/database", "crm/database/login") */
	enum incident_phase phase;
	enum conf_severity severity;
	enum tend_reason reason;
	enum fault_class class;
	char *text; /* of the root's result */
	usec_t opened_wall, located_wall, closed_wall;
	usec_t young_until; /* clock_now(): so long what it depends on may turn out to be its root
			     */
	usec_t mended; /* clock_now() since when no member fails; 0 = one does. It closes on younger
			  results */
	bool unconfirmed; /* raised as `cause unconfirmed` */
	bool flapping;	  /* its root is: what changes meanwhile is not told */
	bool told;    /* a raise went out (routes may drop it later); false: it is held (held.c) */
	bool unsaved; /* its row is older than what is here */
	bool change_held;   /* it has changed, which was kept from those who were told */
	bool close_held;    /* all is well, but those who were told hear it when nothing holds it */
	usec_t settle;	    /* clock_now() when what held it ended: a fresh look is awaited; 0 */
	struct map members; /* keys: names of checks that hang on it, the root's first */
	size_t failing;	    /* where in `members` the last one was that was seen to fail */
	struct vec timeline;		 /* struct timeline_entry *, at most 500 */
	char *ack_author, *ack_comment;	 /* NULL: nobody has it */
	usec_t ack_wall, ack_until_wall; /* until: when it ends by itself; 0 = not */
	bool ack_sticky;		 /* holds even if it gets worse */
	enum conf_severity ack_severity; /* as it was then */
	usec_t unacked_wall;		 /* when the last acknowledgement ended; 0 */
	char *summary;			 /* when closed */
	uint32_t snmp_index;		 /* counts up: who opened later has the higher one */
	struct incident *next_there;	 /* opened later, open, at the same component; NULL */
};

struct incidents;
struct incidents_hooks {
	/* `batch` is committed by the incidents module right after: add notices to it. Returns a
	 * token for on_commit. */
	uint64_t (*on_event)(struct incident *incident, enum incident_event event,
		struct store_batch *batch, void *data);
	/* That batch was accepted, is late, or failed: r as store_done_fn. */
	void (*on_commit)(uint64_t token, int r, void *data);
	/* The batch is on its way: what is committed from here on comes after it. */
	void (*on_told)(struct incident *incident, enum incident_event event, void *data);
	/* Its root fails for another reason now. Nobody is told, but another policy may fit. */
	void (*on_reason)(struct incident *incident, void *data);
	void *data;
};

int incidents_new(struct loop *loop, struct store *store, struct watch *watch,
	struct incidents **ret_incidents); /* loads open ones */
/* Before the store is freed; the loop must not turn in between. */
struct incidents *incidents_free(struct incidents *incidents);
DEFINE_AUTO(struct incidents *, incidents_free)
void incidents_set_hooks(struct incidents *incidents, const struct incidents_hooks *hooks);
/* Does anything (a window, a silence, another incident) keep back the incident's notices now? What
 * it holds is told, if it is still so, after a fresh look once nothing holds it any more:
 * incidents_release() is to be called when that may have changed. `closing`: its end is to be told,
 * which less holds back. */
struct incident_hold {
	const char *kind; /* of the line in the timeline: window, silence, inhibited */
	char why[256];	  /* "the window 'x' is open" */
};
typedef bool (*incidents_hold_fn)(
	const struct incident *incident, bool closing, struct incident_hold *ret_hold, void *data);
void incidents_set_hold(struct incidents *incidents, incidents_hold_fn fn, void *data);
void incidents_release(struct incidents *incidents);
size_t incidents_n_held(const struct incidents *incidents);
/* Raises, changes and ends that something has held back, by what did, since the start. */
enum incident_gate {
	INCIDENT_GATE_WINDOW,
	INCIDENT_GATE_SILENCE,
	INCIDENT_GATE_INHIBITED,
	INCIDENT_GATE_MAX
};
extern const char *const incident_gate_names[INCIDENT_GATE_MAX]; /* as incident_hold.kind */
uint64_t incidents_n_withheld(const struct incidents *incidents, enum incident_gate gate);
void incidents_on_result(struct incidents *incidents, struct check *check, unsigned events);
void incidents_apply(
	struct incidents *incidents); /* after watch_apply(): roots that are gone close */

struct incident *incidents_find(
	struct incidents *incidents, const char *id); /* or unique prefix, open or recent */
struct incident *incidents_of_check(struct incidents *incidents, const char *check);
const struct vec *incidents_open(const struct incidents *incidents); /* struct incident * */
/* Where the open ones begin that opened after the one of that number. */
size_t incidents_after(const struct incidents *incidents, uint32_t snmp_index);
const struct vec *incidents_recent(
	const struct incidents *incidents); /* closed, newest last, <= 200 */

/* Adds to the timeline (and the store). */
__attribute__((format(printf, 4, 5))) void incident_note(struct incidents *incidents,
	struct incident *incident, const char *kind, const char *format, ...);
int incident_set_phase(
	struct incidents *incidents, struct incident *incident, enum incident_phase phase);
struct incident_ack {
	const char *author, *comment;
	usec_t until_wall; /* 0 = until it is taken back, or its end */
	bool sticky;	   /* also if it gets worse */
};
/* A second one takes the place of the first. */
int incident_acknowledge(struct incidents *incidents, struct incident *incident,
	const struct incident_ack *ack, struct tend_error *err);
int incident_unacknowledge(struct incidents *incidents, struct incident *incident,
	const char *author, const char *comment, struct tend_error *err);
/* Ends what has expired; when the next one does (wall; USEC_INFINITY: none). */
usec_t incidents_expire_acks(struct incidents *incidents);
/* The open incident at a component; NULL. */
struct incident *incidents_at(const struct incidents *incidents, const char *component);
json_t *incident_to_json(const struct incident *incident, bool full);
json_t *incident_members_to_json(const struct incident *incident); /* the first 1,000 */

#endif
