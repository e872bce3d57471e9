/* SPDX-License-Identifier: MIT */
/*
 * policy/hosts.h: the executors, and what is asked of them: that of this host by its socket, those
 * of [host NAME] by ssh. hosts.c keeps a client of each; act_exec.c sends actions there, with the
 * fencing token if one is needed, and asks how units ended; act_sql.c runs the manifest's
 * statements. Nothing here blocks but the reading of the token's small file.
 */
#ifndef POLICY_HOSTS_H
#define POLICY_HOSTS_H

#include "conf/conf.h"
#include "exec/client.h"
#include "watch/units.h"

struct policies;
struct step;

/* After a change of the configuration. A host whose settings changed while an action there is open
 * keeps its old connection until the next one. */
int hosts_apply(struct policies *p);
void hosts_free(struct policies *p);
/* NULL: there is no such host (any more). `host` NULL: this one. */
struct exec_client *hosts_client(const struct policies *p, const char *host);
struct exec_client *hosts_client_of(
	const struct policies *p, const struct conf_component *component);
/* [{"host","address","connected","trouble","version"}], this one first with host null. */
json_t *hosts_to_json(const struct policies *p);

/* What the executor of the step's host says of a command or a statement ("observe", "change",
 * "destroy"); NULL: not known, or it has none. */
const char *act_manifest_risk(const struct step *step);

/* Is the lock ours, as far as can be told here? `ret_token` 0: no lock is needed. -ENOENT: it is
 * not ours; else the file cannot be read or makes no sense. `why` for people. */
int act_fence(const struct conf_daemon *conf, uint64_t *ret_token, char why[256]);
/* False: the step was refused, because the lock is not ours. */
bool act_may(struct step *step, uint64_t *ret_token);

/* Of the host the step's component is on; the answer is as of units_ask_intent(), with the step as
 * data, never before this returns. step_cancel() forgets it. */
int act_ask_intent(struct step *step, const char *unit, usec_t timeout, units_intent_fn fn);
void act_ask_cancel(struct step *step);

/* For a step whose target is known: the host it is on. -ENOMEM. */
int act_set_host(struct step *step);

#endif
