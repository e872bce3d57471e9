/* SPDX-License-Identifier: MIT */
/*
 * alert/inhibit.h: which open incident keeps back the notices of others, by [inhibit NAME]. struct
 * inhibitor remembers the labels of what is open, by what must be equal, so that asking costs the
 * same however much is open. It owns its memory and borrows the configuration. No clock, no I/O.
 */
#ifndef ALERT_INHIBIT_H
#define ALERT_INHIBIT_H

#include "conf/conf.h"

struct inhibitor;
/* `conf` must outlive it. */
int inhibitor_new(const struct conf *conf, struct inhibitor **ret_inhibitor);
struct inhibitor *inhibitor_free(struct inhibitor *inhibitor);
DEFINE_AUTO(struct inhibitor *, inhibitor_free)
bool inhibitor_is_empty(const struct inhibitor *inhibitor); /* there is no [inhibit] */

/* It is open, with these labels now; again when they have changed. */
int inhibitor_put(struct inhibitor *inhibitor, const char *incident, const json_t *labels);
void inhibitor_remove(struct inhibitor *inhibitor, const char *incident);
/* The [inhibit] that keeps back an incident with these labels, and the id of the one that does
 * (borrowed); NULL. */
const struct conf_inhibit *inhibitor_find(const struct inhibitor *inhibitor, const char *incident,
	const json_t *labels, const char **ret_source);

#endif
