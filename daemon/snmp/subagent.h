/* SPDX-License-Identifier: MIT */
/*
 * snmp/subagent.h: an AgentX session with snmpd (RFC 2741) on our loop: connects, registers,
 * answers by snmp/serve.h, pings, and connects again when it is lost. Never blocks: a master that
 * is frozen is waited for by timers. What it sends is bounded: a master that does not read is not
 * read from.
 */
#ifndef SNMP_SUBAGENT_H
#define SNMP_SUBAGENT_H

#include "loop/loop.h"

struct subagent;

/* Connects, or tries again, at least every `ping` and every second. `socket`: a path, also as
 * unix:PATH, or tcp:ADDRESS:PORT. `on_status` is told of every change. -EINVAL: no such address. */
int subagent_new(struct loop *loop, const char *socket, usec_t ping,
	void (*on_status)(bool connected, void *data), void *data, struct subagent **ret_subagent);
struct subagent *subagent_free(struct subagent *subagent);

#endif
