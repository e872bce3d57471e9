/* SPDX-License-Identifier: MIT */
/*
 * exec/look/mark.h: when the look at the journal takes it for written, and when it needs a message
 * of its own, a marker, to prove it. Pure. Files that nobody writes to can be read as well as ever:
 * only something new in them proves that systemd-journald is alive and stores what it is sent.
 * Times are of the day, as entries have them; 0: none. After a step of the clock there is at worst
 * a marker too many.
 */
#ifndef EXEC_LOOK_MARK_H
#define EXEC_LOOK_MARK_H

#include <stddef.h>
#include <tend/option.h>

/* What is known, and left for the look after this one. */
struct mark_memory {
	usec_t newest; /* the newest entry */
	usec_t proved; /* when it was last proved */
	usec_t marked; /* a marker was sent then and has not come back */
	char mark[40]; /* its name */
};

enum mark_step {
	MARK_NEWS,  /* it is being written, as an entry shows that the look before had not */
	MARK_FRESH, /* it was, a moment ago: a check every second sends no marker each second */
	MARK_SEND,
	MARK_AWAIT, /* one is on its way: a frozen journald's queue is everybody's */
	MARK_STEP_MAX,
};

enum mark_step mark_decide(const struct mark_memory *before, usec_t newest, usec_t now);

/* The level (syslog's numbers) that a marker may have at most to be stored, given a text of
 * journald.conf(5) and what others have allowed. */
int mark_level(const char *text, int level);

#endif
