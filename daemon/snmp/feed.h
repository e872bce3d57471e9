/* SPDX-License-Identifier: MIT */
/*
 * snmp/feed.h: what tendd tells tend-agentx. Keeps the helper running while [daemon] agentx_socket
 * is set and feeds it rows computed from the parts' structs: the whole set when the helper has
 * started, afterwards only rows that changed, at most every 250 ms. When the helper does not read
 * nothing is queued: changes coalesce by row until it reads again. Never blocks. Owned by the
 * manager; agentx_free() ends the helper.
 */
#ifndef SNMP_FEED_H
#define SNMP_FEED_H

#include "manager.h"

struct agentx;

int agentx_new(struct manager *manager, struct agentx **ret_agentx);
struct agentx *agentx_free(struct agentx *agentx);
DEFINE_AUTO(struct agentx *, agentx_free)
/* After watch_apply(): starts, stops or restarts the helper as the configuration says. */
int agentx_apply(struct agentx *agentx, struct conf *conf);
bool agentx_connected(const struct agentx *agentx); /* tend-agentx has a session with snmpd */

#endif
