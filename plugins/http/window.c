/* SPDX-License-Identifier: MIT */
#include "window.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char key[] = "usec";

void window_add(struct window *w, double seconds, size_t max)
{
	max = max < WINDOW_MAX ? max : WINDOW_MAX;
	if (w->n >= max) {
		size_t n_old = w->n - max + 1;

		memmove(w->seconds, w->seconds + n_old, (w->n - n_old) * sizeof(double));
		w->n -= n_old;
	}
	w->seconds[w->n++] = seconds;
}

void window_load(struct window *w, const json_t *memory, size_t max)
{
	json_t *list = json_object_get(memory, key), *value;
	size_t i;

	w->n = 0;
	json_array_foreach (list, i, value)
		if (json_is_integer(value) && json_integer_value(value) >= 0)
			window_add(w, (double)json_integer_value(value) / 1e6, max);
}

json_t *window_save(const struct window *w)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < w->n; i++)
		if (json_array_append_new(list, json_integer(llround(w->seconds[i] * 1e6))) < 0) {
			json_decref(list);
			list = NULL;
		}
	return list ? json_pack("{s:o}", key, list) : NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void window_sort(struct window *w)
{
	qsort(w->seconds, w->n, sizeof(double), compare);
}

double window_percentile(const struct window *sorted, unsigned percent)
{
	size_t rank = (sorted->n * percent + 99) / 100;

	if (sorted->n == 0)
		return 0;
	return sorted->seconds[rank > 0 ? rank - 1 : 0];
}
