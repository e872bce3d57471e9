/* SPDX-License-Identifier: MIT */
/*
 * watch/heartbeat.h: outside jobs that report by themselves (start, ok, fail) to a check of the
 * probe passive. What silence means is a pure function of the configuration, of what was reported
 * and of the time of day. What was reported is part of the check's state in the store, so a restart
 * changes nothing. Never blocks; owns nothing.
 */
#ifndef WATCH_HEARTBEAT_H
#define WATCH_HEARTBEAT_H

#include "watch/watch.h"

enum heartbeat_state {
	HEARTBEAT_WAITING, /* for the first report */
	HEARTBEAT_WELL,
	HEARTBEAT_RUNNING,
	HEARTBEAT_FAILED,
	HEARTBEAT_LATE,
	HEARTBEAT_STUCK, /* began and does not end */
	HEARTBEAT_STATE_MAX,
};
extern const char *const heartbeat_state_names[HEARTBEAT_STATE_MAX + 1];

/* Before it is judged: what was taken while the clock was ahead lies in a time to come, and would
 * be believed until the clock gets there. It is as old as the monotonic clock says, since the start
 * at least. */
void heartbeat_settle(
	const struct report *report, usec_t wall, usec_t now, struct report *ret_report);

/* *ret_deadline: when silence will make it late, or stuck (wall; USEC_INFINITY: never). */
enum heartbeat_state heartbeat_judge(const struct conf_check *conf, const struct report *report,
	usec_t wall, usec_t *ret_deadline);
/* What the check is to say of that. */
void heartbeat_report(const struct conf_check *conf, const struct report *report, usec_t wall,
	struct report *ret_report);

enum heartbeat_signal { HEARTBEAT_OK, HEARTBEAT_START, HEARTBEAT_FAIL, HEARTBEAT_SIGNAL_MAX };
extern const char *const heartbeat_signal_names[HEARTBEAT_SIGNAL_MAX + 1];

enum { HEARTBEAT_TEXT_BYTES = 1024 }; /* of a body; the check keeps the beginning */

/* Whose token it is; NULL: nobody's. Looks at all of them, so that the time it takes says nothing.
 */
struct check *watch_find_heartbeat(const struct watch *watch, const char *token);
/* Takes it and hands it to the store. */
void watch_heartbeat(struct watch *watch, struct check *check, enum heartbeat_signal signal,
	const char *text, size_t len);
/* Of all, an array; tokens are not in it. */
json_t *watch_heartbeats_to_json(const struct watch *watch);

#endif
