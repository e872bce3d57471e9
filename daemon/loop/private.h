/* SPDX-License-Identifier: MIT */
/*
 * loop/private.h: what loop.c and simulate.c share: the structs, and the timers of a loop whose
 * time is simulated.
 */
#ifndef LOOP_PRIVATE_H
#define LOOP_PRIVATE_H

#include <systemd/sd-event.h>
#include "loop/loop.h"

struct sim;

struct loop {
	sd_event *event;
	struct sim *sim; /* its time is simulated; NULL: it is the machine's */
	struct loop_source *watchdog;
	usec_t watchdog_usec;
	bool (*healthy)(void *data);
	void *healthy_data;
	usec_t max_busy;
	bool sick; /* the last health answer was no, and was logged */
};

struct loop_source {
	struct loop *loop;
	sd_event_source *source; /* NULL: a simulated timer */
	const char *name;
	void *data;
	union {
		loop_fn plain;
		loop_io_fn io;
		loop_child_fn child;
		loop_signal_fn signal;
	} fn;
	/* of a simulated timer */
	usec_t sim_at;
	uint64_t sim_number; /* of two that are due together the one set first */
	size_t sim_index;    /* its place in the heap, from 1; 0 = off */
};

void sim_timer_set(struct loop_source *timer, usec_t at);
struct sim *sim_free(struct sim *sim);

#endif
