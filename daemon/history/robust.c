/* SPDX-License-Identifier: MIT */
#include "history/robust.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/cleanup.h"

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double robust_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
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
