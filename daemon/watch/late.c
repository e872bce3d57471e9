/* SPDX-License-Identifier: MIT */
/* How late checks begin: the greatest of late, and how many were how late. */
#include "watch/private.h"

const usec_t watch_late_bounds[WATCH_LATE_MAX] = {
	1 * USEC_PER_MSEC,
	2 * USEC_PER_MSEC,
	5 * USEC_PER_MSEC,
	10 * USEC_PER_MSEC,
	20 * USEC_PER_MSEC,
	50 * USEC_PER_MSEC,
	100 * USEC_PER_MSEC,
	200 * USEC_PER_MSEC,
	500 * USEC_PER_MSEC,
	1 * USEC_PER_SEC,
};

void late_note(struct watch_stats *stats, usec_t late)
{
	size_t i = 0;

	while (i < WATCH_LATE_MAX && late > watch_late_bounds[i])
		i++;
	stats->n_late[i]++;
	stats->sum_late_usec += late;
	stats->max_late_usec = MAX(stats->max_late_usec, late);
}
