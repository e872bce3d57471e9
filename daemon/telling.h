/* SPDX-License-Identifier: MIT */
/*
 * telling.h: between incidents and alert: what a notice of an incident says, what keeps it back
 * (windows, silences, what it depends on, [inhibit]), and what comes after it (reminders,
 * escalation). Owns a timer and the memory of who inhibits whom; the manager owns it. Never blocks.
 */
#ifndef TEND_TELLING_H
#define TEND_TELLING_H

#include "manager.h"

struct telling;
int telling_new(struct manager *manager, struct telling **ret_telling);
struct telling *telling_free(struct telling *telling);
DEFINE_AUTO(struct telling *, telling_free)
/* A new configuration is in force: everything is looked at anew. */
int telling_apply(struct telling *telling, struct conf *conf);
/* Something may be due, or no longer held: soon everything is looked at. */
void telling_look(struct telling *telling);

/* Hooks of the incidents; data is the manager. */
uint64_t telling_on_event(struct incident *incident, enum incident_event event,
	struct store_batch *batch, void *data);
/* It is open, told or not, as it is now: what may keep back others. */
void telling_on_told(struct manager *manager, const struct incident *incident);
/* It has ended, told or not: so do the silences that were to last as long. */
void telling_on_closed(struct manager *manager, const struct incident *incident);
bool telling_hold(
	const struct incident *incident, bool closing, struct incident_hold *ret_hold, void *data);

/* The notice as it would go out now. What is in it is borrowed from the incident and from
 * *ret_details, which the caller frees. */
struct notice telling_notice(const struct manager *manager, const struct incident *incident,
	enum notice_kind kind, json_t **ret_details);
int telling_labels(
	const struct manager *manager, const struct incident *incident, json_t **ret_labels);
/* Of an incident, every reason why its notices are kept back now: an array of {"gate", "why"}. */
json_t *telling_holds(const struct manager *manager, const struct incident *incident);
/* What the routes would say no to now: an array of texts. */
json_t *telling_gates(const struct manager *manager, const struct incident *incident);
/* Holds of one that there is not, at a component (NULL: none) with these labels. */
json_t *telling_holds_of(
	const struct manager *manager, const char *component, const json_t *labels, usec_t wall);

#endif
