/* SPDX-License-Identifier: MIT */
/*
 * http/window.h: the times of the last n answers, kept as JSON between attempts, and percentiles
 * of them. Pure. What was kept is read with care: it may be of an older version.
 */
#ifndef HTTP_WINDOW_H
#define HTTP_WINDOW_H

#include <jansson.h>
#include <stddef.h>

enum { WINDOW_MAX = 1000 };

struct window {
	size_t n;
	double seconds[WINDOW_MAX]; /* the newest last */
};
void window_load(struct window *w, const json_t *memory, size_t max);
void window_add(struct window *w, double seconds, size_t max);
json_t *window_save(const struct window *w); /* NULL: no memory */
/* The smallest value that `percent` of all do not exceed; 0 of none. Sorts: the last thing done. */
void window_sort(struct window *w);
double window_percentile(const struct window *sorted, unsigned percent);

#endif
