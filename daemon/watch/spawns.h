/* SPDX-License-Identifier: MIT */
/*
 * watch/spawns.h: who runs foreign programs: tend-spawn of this host, by its socket, and those of
 * [host NAME], by ssh with a key of their own. Owns the clients; they live until spawns_free(),
 * since attempts borrow them. Never blocks.
 */
#ifndef WATCH_SPAWNS_H
#define WATCH_SPAWNS_H

#include "conf/conf.h"
#include "exec/spawn/client.h"

struct spawns;

int spawns_new(struct loop *loop, struct spawns **ret_spawns);
struct spawns *spawns_free(struct spawns *spawns);
/* What runs at a place whose settings have changed ends. */
int spawns_apply(struct spawns *spawns, const struct conf *conf);
/* NULL: the component's host has no key for it. */
struct spawn_client *spawns_of(const struct spawns *spawns, const struct conf_component *component);

#endif
