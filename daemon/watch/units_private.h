/* SPDX-License-Identifier: MIT */
/*
 * watch/units_private.h: what units.c (units, signals, the bus) and units_asks.c (questions, the
 * journal) share. Units live until units_free(); the slots of a unit and of its asks end with the
 * connection.
 */
#ifndef WATCH_UNITS_PRIVATE_H
#define WATCH_UNITS_PRIVATE_H

#include <sys/queue.h>
#include <systemd/sd-bus.h>
#include "base/map.h"
#include "watch/unit_journal.h"
#include "watch/unit_state.h"
#include "watch/units.h"

#define UNITS_SYSTEMD	 "org.freedesktop.systemd1"
#define UNITS_PROPERTIES "org.freedesktop.DBus.Properties"

struct unit;
struct units_watch {
	struct unit *unit; /* NULL: the units are gone */
	units_change_fn fn;
	void *data;
	LIST_ENTRY(units_watch) link;
};
LIST_HEAD(watch_list, units_watch);

struct unit {
	struct tend_units *units;
	char *name; /* as asked for */
	char *path;
	char id[256];  /* the unit's own name: `name` may be an alias */
	char *id_path; /* whose signals are watched */
	struct unit_state state;
	unsigned n_expect, n_expect_stop; /* units_expect_job(true) that stand */
	sd_bus_slot *match;
	sd_bus_slot *read; /* GetAll that runs on our own account */
	struct unit_journal *journal;
	bool journal_due; /* waits for its turn */
	usec_t journal_at;
	bool changed;
	struct watch_list watches;
};

enum ask_phase { ASK_BUS, ASK_CALL, ASK_JOURNAL, ASK_ENDING };
struct units_ask {
	struct unit *unit;
	enum ask_phase phase;
	units_info_fn info_fn;
	units_intent_fn intent_fn;
	void *data;
	usec_t deadline;
	struct loop_source *timer;
	sd_bus_slot *call;
	TAILQ_ENTRY(units_ask) link;
};
TAILQ_HEAD(ask_list, units_ask);

enum bus_phase { BUS_OFF, BUS_CONNECTING, BUS_READY };
struct tend_units {
	struct loop *loop;
	char *address, *journal_folder;
	sd_bus *bus;
	enum bus_phase phase;
	bool lost; /* to be closed from the loop */
	usec_t backoff;
	struct loop_source *retry, *tell;
	struct map units; /* struct unit * by name */
	struct ask_list asks;
	size_t n_asks, n_journals;
};

/* units.c */
int unit_get(struct tend_units *units, const char *name, struct unit **ret_unit);
void unit_changed(struct unit *unit);
int unit_call_get_all(
	struct unit *unit, sd_bus_slot **slot, sd_bus_message_handler_t fn, void *data);
int unit_call_get_active(
	struct unit *unit, sd_bus_slot **slot, sd_bus_message_handler_t fn, void *data);
int unit_take_reply(struct unit *unit, sd_bus_message *m); /* of GetAll */

/* units_asks.c */
void asks_send_waiting(struct tend_units *units); /* the bus is ready */
void asks_end_all(struct tend_units *units, int r);

#endif
