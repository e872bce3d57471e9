/* SPDX-License-Identifier: MIT */
/* The pure part: what is learned from points, and what a value is by it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "conf/options.h"
#include "history/robust.h"
#include "history/usual.h"

/* A trend that hardly half of the pairs agree on is noise. */
static const double min_agreement = 0.7;
/* Values that never vary have no deviation: one part in a hundred then, that is no alarm. */
static const double min_deviation = 0.01;

void profile_learn(struct profile *profile, const struct point *minutes, size_t n)
{
	auto_free double *low = calloc(n + 1, sizeof(*low)), *high = calloc(n + 1, sizeof(*high));
	size_t known = 0;

	profile->n = 0;
	for (size_t i = 0; i < n && low && high; i++)
		if (minutes[i].n > 0) {
			low[known] = minutes[i].min;
			high[known++] = minutes[i].max;
		}
	if (known < PROFILE_MIN_MINUTES)
		return;
	profile->n = known;
	profile->low = robust_median(low, known);
	profile->low_deviation = fmax(
		robust_deviation(low, known, profile->low), fabs(profile->low) * min_deviation);
	profile->high = robust_median(high, known);
	profile->high_deviation = fmax(
		robust_deviation(high, known, profile->high), fabs(profile->high) * min_deviation);
}

void profile_trend(struct profile *profile, const struct point *hours, size_t n)
{
	double x[TREND_HOURS], y[TREND_HOURS];
	struct robust_trend trend;
	size_t known = 0;

	profile->n_trend = 0;
	for (size_t i = 0; i < n && known < TREND_HOURS; i++)
		if (hours[i].n > 0) {
			x[known] = (double)i;
			y[known++] = hours[i].mean;
		}
	if (known < TREND_MIN_HOURS || robust_trend(x, y, known, &trend) < 0)
		return;
	profile->n_trend = known;
	profile->last = y[known - 1];
	profile->slope = trend.slope;
	profile->agreement = trend.agreement;
}

bool profile_is_off(const struct profile *p, const struct baseline *b, double value, char *ret_text,
	size_t size)
{
	double high = p->high + fmax(b->n_deviations * p->high_deviation, b->at_least),
	       low = p->low - fmax(b->n_deviations * p->low_deviation, b->at_least);

	if (p->n == 0)
		return false;
	if (b->side != BASELINE_BELOW && value > high) {
		(void)snprintf(ret_text, size, "usually %g in this hour of the week, at most %g",
			p->high, high);
		return true;
	}
	if (b->side != BASELINE_ABOVE && value < low) {
		(void)snprintf(ret_text, size, "usually %g in this hour of the week, at least %g",
			p->low, low);
		return true;
	}
	return false;
}

bool profile_leads_out(const struct profile *p, const struct forecast *f, double value,
	char *ret_text, size_t size)
{
	double hours = (double)f->within / 3600e6, edge, left;
	char span[CONF_VALUE_BYTES];

	if (p->n_trend == 0 || p->slope == 0 || p->agreement < min_agreement || f->range.inside ||
		range_alerts(&f->range, value))
		return false;
	edge = p->slope > 0 ? f->range.end : f->range.start;
	left = (edge - value) / p->slope;
	if (!isfinite(edge) || left > hours)
		return false;
	(void)snprintf(ret_text, size, "%+.3g a day, leaves %g in %s", p->slope * 24, edge,
		conf_format_span((usec_t)(fmax(left, 1.0 / 60) * 60) * 60 * USEC_PER_SEC, span));
	return true;
}
