/* SPDX-License-Identifier: MIT */
/*
 * watch/report_read.h: results that others found out, read: the body of
 * POST /v1/checks/NAME/report, the arguments of the verb check.report, and what the store keeps of
 * a report. Pure: the clocks are given. What is taken is bounded and clean text; -EINVAL names the
 * field and says what would mend it. Owns nothing.
 */
#ifndef WATCH_REPORT_READ_H
#define WATCH_REPORT_READ_H

#include "watch/watch.h"

enum { REPORT_BODY_BYTES = 16 << 10 };
#define REPORT_TTL_MIN_USEC USEC_PER_SEC

struct report_frame {
	usec_t ttl;	  /* the longest that one may be believed; 0: a schedule says that */
	usec_t wall, now; /* clock_wall(), clock_now() */
};

/* *ret_observed: it says itself when it was found out. */
int report_read(const char *body, size_t len, const struct report_frame *frame,
	struct tend_error *err, struct report *ret_report, bool *ret_observed);

/* pending and unreachable are Tend's own to say. `reason` NULL: the plain one of the state. */
int report_set_verdict(
	struct report *report, const char *state, const char *reason, struct tend_error *err);
/* {NAME: NUMBER}, or [{"name", "value", "unit"}] (the unit is otherwise told by the end of the
 * name, as everywhere); NULL: none. */
int report_set_metrics(struct report *report, const json_t *metrics, struct tend_error *err);

json_t *report_to_json(const struct report *report); /* NULL: no report is wanted */
void report_from_json(const json_t *doc, usec_t wall, usec_t now, struct report *ret_report);
/* By the monotonic clock: a clock that is set makes nothing older or younger. */
usec_t report_age(const struct report *report, usec_t now);

#endif
