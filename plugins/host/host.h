/* SPDX-License-Identifier: MIT */
/*
 * host/host.h: the options of the host probe, and its pure parts: judge.c (a look at a machine ->
 * verdict), forecast.c (when a file system will be full). No I/O, nothing blocks.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "../machine/verdict.h"

struct host_conf {
	char **mounts, **ignore, **writable;
	usec_t mount_timeout, full_within, full_over;
};

void host_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

enum { FORECAST_SAMPLES = 32, FORECAST_DAYS = 8 };
struct forecast_sample {
	double at, value;
};
/* The slope by Theil and Sen (the median of the slopes of all pairs), which single jumps do not
 * move; 0 for less than two. */
double forecast_slope(const struct forecast_sample *samples, size_t n);
/* Appends a sample to what is remembered of one file system, {"samples": [[at, value], ...],
 * "days": [[day, the most of it], ...]}: samples thinned so that they reach back `over` seconds,
 * and the last days; a new object. */
json_t *forecast_append(const json_t *past, double at, double value, double over);
/* Seconds until `limit`; < 0: never, or nobody can tell yet. */
double forecast_reaches(const json_t *past, double limit, double over);

#endif
