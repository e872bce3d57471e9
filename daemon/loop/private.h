/* SPDX-License-Identifier: MIT */
/*
 * loop/private.h: what loop.c, nest.c and simulate.c share: the structs, the descriptors, and the
 * timers of a loop whose time is simulated.
 */
#ifndef LOOP_PRIVATE_H
#define LOOP_PRIVATE_H

#include <systemd/sd-event.h>
#include "base/cleanup.h"
#include "loop/loop.h"

struct nest;
struct sim;

struct loop {
	sd_event *event;
	struct nest *nest;
	struct sim *sim; /* its time is simulated; NULL: it is the machine's */
	struct loop_source *watchdog;
	usec_t watchdog_usec;
	bool (*healthy)(void *data);
	void *healthy_data;
	usec_t busy[2], busy_since; /* loop_recent_busy() */
	bool sick;		    /* the last health answer was no, and was logged */
};

struct loop_source {
	struct loop *loop;
	sd_event_source *source; /* NULL: a descriptor, or a simulated timer */
	const char *name;
	void *data;
	union {
		loop_fn plain;
		loop_io_fn io;
		loop_child_fn child;
		loop_signal_fn signal;
	} fn;
	/* of a descriptor */
	int fd;
	uint32_t events; /* asked for; 0 = off */
	uint32_t slot;	 /* in the nest; 0 = none */
	/* of a simulated timer */
	usec_t sim_at;
	uint64_t sim_number; /* of two that are due together the one set first */
	size_t sim_index;    /* its place in the heap, from 1; 0 = off */
};

int nest_new(struct loop *loop, struct nest **ret_nest);
struct nest *nest_free(struct nest *nest);
DEFINE_AUTO(struct nest *, nest_free)
int nest_add(struct nest *nest, struct loop_source *io); /* off at first */
int nest_set(struct nest *nest, struct loop_source *io, uint32_t events);
void nest_remove(struct nest *nest, struct loop_source *io);
/* Nothing else had its turn since `started`; how long that was. */
usec_t loop_note_busy(struct loop *loop, usec_t started);
void loop_dispatch_io(struct loop_source *io, uint32_t events); /* `io` may be freed by it */

void sim_timer_set(struct loop_source *timer, usec_t at);
struct sim *sim_free(struct sim *sim);

#endif
