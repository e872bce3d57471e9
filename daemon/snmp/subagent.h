/* SPDX-License-Identifier: MIT */
/*
 * snmp/subagent.h: the subagent's connection to snmpd, driven by our loop: net-snmp's descriptors
 * and timers are looked up again after every event (subagent_step), for the library says nothing
 * when they change. net-snmp BLOCKS while it opens a session or pings: a frozen snmpd holds this
 * process for seconds, which is why it is a process of its own. Lives as long as the process.
 */
#ifndef SNMP_SUBAGENT_H
#define SNMP_SUBAGENT_H

#include "loop/loop.h"

/* Once: connects, or tries again every `ping` (1 s at least). `on_status` is told of every change.
 */
int subagent_start(struct loop *loop, const char *socket, usec_t ping,
	void (*on_status)(bool connected, void *data), void *data);
void subagent_step(void); /* nothing before subagent_start() */
void subagent_stop(void);

#endif
