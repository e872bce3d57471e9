/* SPDX-License-Identifier: MIT */
/*
 * watch/unit_props.h: the properties of a unit in a message of systemd, as facts. Owns nothing,
 * never blocks. What is missing in the message stays as it was in `props`.
 */
#ifndef WATCH_UNIT_PROPS_H
#define WATCH_UNIT_PROPS_H

#include "watch/unit_state.h"

struct sd_bus_message;

struct unit_props {
	struct unit_facts facts;
	char id[256];
	char job_path[128];
};

/* Reads an a{sv}. */
int unit_props_read(struct sd_bus_message *m, struct unit_props *props);

#endif
