/* SPDX-License-Identifier: MIT */
#include "history/robust.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/cleanup.h"

/* So few are sorted at once; and what is left when a bad order has made it slow. */
enum { SELECT_MIN = 16, SELECT_MAX_ROUNDS = 48 };

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double middle_of(double a, double b, double c)
{
	return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Hoare's: afterwards [from, *ret_split) is at most the pivot, the rest at least. Equal ones go to
 * both sides, so that values that repeat are halved, too. */
static size_t split(double *values, size_t from, size_t to)
{
	double pivot = middle_of(values[from], values[from + (to - from - 1) / 2], values[to - 1]);
	size_t i = from, k = to - 1;

	for (;; i++, k--) {
		double value;

		while (values[i] < pivot)
			i++;
		while (values[k] > pivot)
			k--;
		if (i >= k)
			return i == k ? i + 1 : i;
		value = values[i];
		values[i] = values[k];
		values[k] = value;
	}
}

/* Puts the value that would be at `at` if all were sorted there, nothing greater before it. */
static void select_at(double *values, size_t n, size_t at)
{
	size_t from = 0, to = n;

	for (unsigned rounds = 0; to - from > SELECT_MIN && rounds < SELECT_MAX_ROUNDS; rounds++) {
		size_t middle = split(values, from, to);

		if (middle >= to) /* the greatest is the pivot: one less to look at */
			middle = to - 1;
		if (at < middle)
			to = middle;
		else
			from = middle;
	}
	qsort(values + from, to - from, sizeof(*values), compare);
}

double robust_median(double *values, size_t n)
{
	size_t half = n / 2;
	double below;

	select_at(values, n, half);
	if (n % 2)
		return values[half];
	below = values[0];
	for (size_t i = 1; i < half; i++)
		below = fmax(below, values[i]);
	return (below + values[half]) / 2;
}

double robust_deviation(double *values, size_t n, double median)
{
	for (size_t i = 0; i < n; i++)
		values[i] = fabs(values[i] - median);
	return 1.4826 * robust_median(values, n);
}

int robust_trend(const double *x, const double *y, size_t n, struct robust_trend *ret_trend)
{
	auto_free double *slopes = NULL;
	size_t n_slopes = 0, n_same = 0;
	double slope;

	if (n < 3 || n > ROBUST_MAX_PAIRS)
		return -EINVAL;
	slopes = calloc(n * (n - 1) / 2, sizeof(*slopes));
	if (!slopes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			slopes[n_slopes++] = (y[k] - y[i]) / (x[k] - x[i]);
	slope = robust_median(slopes, n_slopes);
	for (size_t i = 0; i < n_slopes; i++)
		n_same += slope > 0 ? slopes[i] > 0 : slope < 0 ? slopes[i] < 0 : 1;
	*ret_trend = (struct robust_trend){
		.slope = slope, .agreement = (double)n_same / (double)n_slopes};
	return 0;
}
