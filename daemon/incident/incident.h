/* SPDX-License-Identifier: MIT */
/*
 * incident/incident.h: one fault with one root cause. Fed by watch results, it opens one incident
 * at the deepest failing component, hangs the rest on it, keeps a timeline, closes it with a
 * summary. Every change goes to the store and out by on_event with the same batch, so that state
 * and notices are accepted together. Never blocks.
 */
#ifndef INCIDENT_INCIDENT_H
#define INCIDENT_INCIDENT_H

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
	char *fingerprint; /* system/component/check of its root */
	char *system, *component,
		*check; /* of the root, as names ("crm", "crm/database", "crm/database/login") */
	enum incident_phase phase;
	enum conf_severity severity;
	enum tend_reason reason;
	char *text; /* of the root's result */
	usec_t opened_wall, located_wall, closed_wall;
	usec_t mended; /* clock_now() since when no member fails; 0 = one does. It closes on younger
			  results */
	bool unconfirmed; /* raised as `cause unconfirmed` */
	bool told; /* a raise went out (routes may drop it later); false: a window holds it */
	bool change_held;    /* it has changed, which a window has kept from those who were told */
	bool close_held;     /* all is well, but those who were told hear it when the window ends */
	usec_t settle;	     /* clock_now() when its window ended: a fresh look is awaited; 0 */
	struct vec members;  /* char *: names of checks that hang on it, the root's first */
	struct vec timeline; /* struct timeline_entry *, at most 500 */
	char *ack_author, *ack_comment;
	usec_t ack_wall;
	char *summary; /* when closed */
	uint32_t snmp_index;
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
/* Name of the window that keeps back notices of this component now (borrowed), NULL: none. What it
 * holds is told, if it is still so, after a fresh look once it has ended: incidents_release() is to
 * be called when a window may have opened or ended. */
typedef const char *(*incidents_hold_fn)(const char *component, void *data);
void incidents_set_hold(struct incidents *incidents, incidents_hold_fn fn, void *data);
void incidents_release(struct incidents *incidents);
size_t incidents_n_held(const struct incidents *incidents);
void incidents_on_result(struct incidents *incidents, struct check *check, unsigned events);
void incidents_apply(
	struct incidents *incidents); /* after watch_apply(): roots that are gone close */

struct incident *incidents_find(
	struct incidents *incidents, const char *id); /* or unique prefix, open or recent */
struct incident *incidents_of_check(struct incidents *incidents, const char *check);
const struct vec *incidents_open(const struct incidents *incidents); /* struct incident * */
const struct vec *incidents_recent(
	const struct incidents *incidents); /* closed, newest last, <= 200 */

/* Adds to the timeline (and the store). */
__attribute__((format(printf, 4, 5))) void incident_note(struct incidents *incidents,
	struct incident *incident, const char *kind, const char *format, ...);
int incident_set_phase(
	struct incidents *incidents, struct incident *incident, enum incident_phase phase);
int incident_acknowledge(struct incidents *incidents, struct incident *incident, const char *author,
	const char *comment, struct tend_error *err);
json_t *incident_to_json(const struct incident *incident, bool full);

#endif
