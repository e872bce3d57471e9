/* SPDX-License-Identifier: MIT */
/*
 * watch/units.h: systemd's units as the system bus tells of them, and what an end of one means.
 * Keeps each unit that was ever asked for or watched in step by signals; asks asynchronously only,
 * connects again with backoff by itself. Never blocks: the journal, where it must be read, is read
 * by a child process that is killed after 2 s. Owned by the watch; everything on the loop's thread.
 *
 * Intent is read from the job, not from the state: `systemctl stop` and `kill -TERM` leave the same
 * state. A unit that went down while a stop job stood which is not Tend's was stopped by an
 * operator.
 */
#ifndef WATCH_UNITS_H
#define WATCH_UNITS_H

#include <tend/plugin.h>
#include "loop/loop.h"

/* The bus gives a connection 512 matches; each unit takes one. */
enum { UNITS_MAX_TRACKED = 400, UNITS_MAX_ASKS = 1024 };

struct tend_units;
struct units_ask;
struct units_watch;

enum units_intent {
	UNITS_INTENT_RUNNING,		  /* it is up: nothing to do */
	UNITS_INTENT_ENDED,		  /* it ended by itself: healing is allowed */
	UNITS_INTENT_STOPPED_BY_OPERATOR, /* hands off */
	UNITS_INTENT_MASKED,		  /* hands off */
	UNITS_INTENT_CHANGING,		  /* systemd is at it (a job, an automatic restart): wait */
	UNITS_INTENT_MISSING,		  /* there is no such unit */
	UNITS_INTENT_UNKNOWN,		  /* no evidence how it ended: tell, do not touch */
	UNITS_INTENT_MAX,
};
const char *units_intent_name(enum units_intent intent); /* "running", "ended", "stopped", ... */

/* `address` NULL: the system bus. Succeeds without a bus: it is tried again for ever. */
int units_new(struct loop *loop, const char *address, struct tend_units **ret_units);
struct tend_units *units_free(struct tend_units *units); /* asks end with -ESHUTDOWN first */
DEFINE_AUTO(struct tend_units *, units_free)
bool units_connected(const struct tend_units *units);
/* Read this folder's journal instead of the system's, for tests. */
int units_set_journal_folder(struct tend_units *units, const char *folder);

/* A fresh answer of PID 1, called once, never before it returns. r < 0: -ENOTCONN (no bus),
 * -ETIMEDOUT, -EIO (systemd refused); `info` is then NULL. Where a unit that is down was not seen
 * to go down, it waits at most 300 ms for the journal. The unit stays tracked. */
typedef void (*units_info_fn)(int r, const struct tend_unit_info *info, void *data);
int units_get(struct tend_units *units, const char *name, usec_t timeout, units_info_fn fn,
	void *data, struct units_ask **ret_ask);

/* As units_get(), and what it means; `why` is one sentence for people. Waits for the journal. On
 * r < 0 the intent is UNITS_INTENT_UNKNOWN. */
typedef void (*units_intent_fn)(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data);
int units_ask_intent(struct tend_units *units, const char *name, usec_t timeout, units_intent_fn fn,
	void *data, struct units_ask **ret_ask);
void units_ask_cancel(struct units_ask *ask); /* before its callback only; NULL is fine */

/* Called (from the loop, never from a call in here) whenever the unit's state or job changed, and
 * when the bus went or came back. */
typedef void (*units_change_fn)(const char *name, void *data);
int units_watch_new(struct tend_units *units, const char *name, units_change_fn fn, void *data,
	struct units_watch **ret_watch);
struct units_watch *units_watch_free(struct units_watch *watch);

/* Around Tend's own action on the unit: jobs seen in between are Tend's, not an operator's; a stop
 * only where Tend stops (`stops`), for somebody else may stop what Tend starts. Nests; `expect`
 * false takes effect when signals sent until now have been read. */
void units_expect_job(struct tend_units *units, const char *name, bool stops, bool expect);

#endif
