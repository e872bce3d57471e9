/* SPDX-License-Identifier: MIT */
/*
 * history/robust.h: statistics that a few wild values do not spoil. Pure. Median and median
 * absolute deviation (Hampel, J. Amer. Statist. Assoc. 69, 1974), the latter times 1.4826 so that
 * it is the standard deviation of a normal distribution; slope by Theil and Sen (Sen, ibid. 63,
 * 1968).
 */
#ifndef HISTORY_ROBUST_H
#define HISTORY_ROBUST_H

#include <stddef.h>

/* Both reorder `values`; n > 0. Exact, in O(n) (Hoare, Comm. ACM 4, 1961), O(n log n) at worst. */
double robust_median(double *values, size_t n);
double robust_deviation(double *values, size_t n, double median);

enum { ROBUST_MAX_PAIRS = 180 };
struct robust_trend {
	double slope;	  /* by one of x */
	double agreement; /* share of the pairs whose slope has its sign, 0.5 to 1 */
};
/* Of all pairs, none left out. At most ROBUST_MAX_PAIRS points, x ascending and different. -EINVAL:
 * fewer than 3, or more. */
int robust_trend(const double *x, const double *y, size_t n, struct robust_trend *ret_trend);

#endif
