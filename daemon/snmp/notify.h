/* SPDX-License-Identifier: MIT */
/*
 * snmp/notify.h: `tend-snmp notify`: calls `inform` and `trap` in, acknowledgements out; the note
 * `engine` says where our own engine id is kept. Owns the sinks, at most NOTIFY_MAX_SINKS; an idle
 * one gives way to a new one. notify_step() after every event of the loop. Never blocks, but for
 * the file of the engine id, once a start.
 */
#ifndef SNMP_NOTIFY_H
#define SNMP_NOTIFY_H

#include "loop/rpc.h"

enum { NOTIFY_MAX_SINKS = 128 };

struct notify;

int notify_new(struct loop *loop, struct notify **ret_notify);
struct notify *notify_free(struct notify *notify);
DEFINE_AUTO(struct notify *, notify_free)
void notify_on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data);
void notify_step(struct notify *notify);

#endif
