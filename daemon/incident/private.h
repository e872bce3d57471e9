/* SPDX-License-Identifier: MIT */
/*
 * incident/private.h: shared by incident.c (the life of an incident), held.c, ack.c, place.c (where
 * it is) and persist.c (rows and JSON).
 */
#ifndef INCIDENT_PRIVATE_H
#define INCIDENT_PRIVATE_H

#include "incident/incident.h"

enum { INCIDENT_MAX_RECENT = 200, INCIDENT_MAX_TIMELINE = 500, INCIDENT_MAX_LISTED = 1000 };

/* A child's incident that is younger than this when its parent fails is the parent's fault. */
#define INCIDENT_YOUNG_USEC (60 * USEC_PER_SEC)

struct pending_commit;

struct incidents {
	struct loop *loop;
	struct store *store;
	struct watch *watch;
	struct incidents_hooks hooks;
	struct vec open, recent;   /* struct incident *, in order of their opening / closing */
	struct map by_check;	   /* member's name -> open incident */
	struct map by_component;   /* of its root -> the oldest open incident there */
	struct map by_fingerprint; /* -> open incident */
	uint32_t next_index;
	incidents_hold_fn hold;
	void *hold_data;
	uint64_t n_withheld[INCIDENT_GATE_MAX];
	struct loop_source *settle_timer;  /* for what is never answered */
	struct loop_source *release_defer; /* one has ended, which may have held others */
	struct loop_source *save_defer;	   /* some have changed */
	struct pending_commit *pending;
	/* While on_event runs: what is noted of this incident belongs into its batch. */
	struct incident *telling;
	struct store_batch *telling_batch;
};

/* incident.c, for held.c */
void incident_look_for_end(struct incidents *incidents, struct incident *incident);
void incident_tell(
	struct incidents *incidents, struct incident *incident, enum incident_event event);
void incident_commit(struct incidents *incidents, struct incident *incident,
	enum incident_event event, struct store_batch *batch);
__attribute__((format(printf, 4, 5))) void incident_line(struct incident *incident,
	struct store_batch *batch, const char *kind, const char *format, ...);
/* ack.c: it has changed: an acknowledgement that does not stick ends when it has become worse. */
void incident_ack_look(struct incident *incident, struct store_batch *batch);
/* held.c */
bool incident_held(const struct incidents *incidents, const struct incident *incident, bool closing,
	struct incident_hold *ret_hold);
void incident_count_withheld(struct incidents *incidents, const struct incident_hold *hold);
void incident_settle(struct incidents *incidents, struct incident *incident);

/* place.c: `incident` is at its component from now on, or is not any more. */
void incident_enter(struct incidents *incidents, struct incident *incident);
void incident_leave(struct incidents *incidents, struct incident *incident);
/* The check's name, or NAME#2 and so on while another open incident has that. NULL: no memory. */
char *incident_new_fingerprint(const struct incidents *incidents, const char *check);

struct incident *incident_free(struct incident *incident);
DEFINE_AUTO(struct incident *, incident_free)
/* Into memory, and into `batch` if not NULL. */
int incident_add_timeline(struct incident *incident, struct store_batch *batch, usec_t wall,
	const char *kind, const char *text);
int incident_put(struct incident *incident, struct store_batch *batch);
/* It has changed, and nobody is told: its row, which names all its members, is written once at the
 * end of the turn, however many join it in that turn. */
void incident_keep(struct incidents *incidents, struct incident *incident);
/* What incident_keep() has put off, of one, of all. */
void incident_save(struct incidents *incidents, struct incident *incident);
void incidents_save(void *incidents);
int incidents_load(struct incidents *incidents);
char *incident_summary(const struct incident *incident);

#endif
