/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include "host.h"

enum { MIN_SAMPLES = 9, MIN_DAYS = 4, DAY_SEC = 86400 };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double forecast_slope(const struct forecast_sample *samples, size_t n)
{
	double slopes[FORECAST_SAMPLES * (FORECAST_SAMPLES - 1) / 2];
	size_t k = 0;

	if (n > FORECAST_SAMPLES)
		n = FORECAST_SAMPLES;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			if (samples[j].at > samples[i].at)
				slopes[k++] = (samples[j].value - samples[i].value) /
					      (samples[j].at - samples[i].at);
	if (k == 0)
		return 0;
	qsort(slopes, k, sizeof(slopes[0]), by_value);
	return k % 2 ? slopes[k / 2] : (slopes[k / 2 - 1] + slopes[k / 2]) / 2;
}

static size_t read_samples(const json_t *samples, size_t max, struct forecast_sample *ret_samples)
{
	size_t n = 0, i;
	const json_t *item;

	json_array_foreach (samples, i, item) {
		if (n == max)
			break;
		if (json_array_size(item) == 2)
			ret_samples[n++] =
				(struct forecast_sample){json_number_value(json_array_get(item, 0)),
					json_number_value(json_array_get(item, 1))};
	}
	return n;
}

static json_t *pack_samples(const struct forecast_sample *samples, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(
			array, json_pack("[f, f]", samples[i].at, samples[i].value));
	return array;
}

static json_t *append_sample(const json_t *samples, double at, double value, double over)
{
	struct forecast_sample s[FORECAST_SAMPLES];
	size_t n = read_samples(samples, FORECAST_SAMPLES, s), keep = 0;
	double step = over / (FORECAST_SAMPLES - 1);

	/* A clock that was set back begins anew; what is too old goes. */
	if (n > 0 && s[n - 1].at > at)
		n = 0;
	for (size_t i = 0; i < n; i++)
		if (s[i].at > at - over)
			s[keep++] = s[i];
	/* The last two are nearer to each other than a step: the last one moves on. */
	if (keep >= 2 && s[keep - 1].at - s[keep - 2].at < step)
		keep--;
	if (keep == FORECAST_SAMPLES)
		keep--;
	s[keep++] = (struct forecast_sample){at, value};
	return pack_samples(s, keep);
}

/* [day, the most of that day] of the last days, today last. */
static json_t *append_day(const json_t *days, double at, double value)
{
	struct forecast_sample s[FORECAST_DAYS + 1];
	size_t n = read_samples(days, FORECAST_DAYS, s);
	double today = floor(at / DAY_SEC);

	if (n > 0 && s[n - 1].at > today)
		n = 0;
	if (n > 0 && s[n - 1].at >= today)
		s[n - 1].value = fmax(s[n - 1].value, value);
	else
		s[n++] = (struct forecast_sample){today, value};
	return n > FORECAST_DAYS ? pack_samples(s + 1, FORECAST_DAYS) : pack_samples(s, n);
}

json_t *forecast_append(const json_t *past, double at, double value, double over)
{
	return json_pack("{s:o, s:o}", "samples",
		append_sample(json_object_get(past, "samples"), at, value, over), "days",
		append_day(json_object_get(past, "days"), at, value));
}

/* By the last hours: only what rose in each third of them, and not further than they reach back. A
 * copy is over soon, and nobody knows whether a file that grows will be cleaned tomorrow. */
static double hours_reach(const struct forecast_sample *s, size_t n, double limit, double over)
{
	double slope, left;

	if (n < MIN_SAMPLES || s[n - 1].at - s[0].at < over * 3 / 4)
		return -1;
	slope = forecast_slope(s, n);
	/* Less than 1 % of the whole in the time looked at is no trend. */
	if (slope <= 0 || slope * over < limit / 100)
		return -1;
	for (size_t i = 0; i < 3; i++)
		if (forecast_slope(s + i * (n / 3), n / 3) < slope / 4)
			return -1;
	left = fmax(limit - s[n - 1].value, 0) / slope;
	return left <= over ? left : -1;
}

/* By the most of each of the last days, all of them higher than the day before. */
static double days_reach(const struct forecast_sample *days, size_t n, double limit)
{
	const struct forecast_sample *s = days + n - MIN_DAYS;

	if (n < MIN_DAYS || s[MIN_DAYS - 1].value - s[0].value < limit / 100)
		return -1;
	for (size_t i = 1; i < MIN_DAYS; i++)
		if (s[i].value <= s[i - 1].value)
			return -1;
	return fmax(limit - s[MIN_DAYS - 1].value, 0) * DAY_SEC / forecast_slope(s, MIN_DAYS);
}

double forecast_reaches(const json_t *past, double limit, double over)
{
	struct forecast_sample s[FORECAST_SAMPLES], days[FORECAST_DAYS];
	size_t n = read_samples(json_object_get(past, "samples"), FORECAST_SAMPLES, s);
	size_t n_days = read_samples(json_object_get(past, "days"), FORECAST_DAYS, days);
	double most = 0, usual = 0, soon, later;

	for (size_t i = 0; i + 1 < n_days; i++) {
		most = fmax(most, days[i].value);
		if (i + 2 < n_days)
			usual = most + limit / 100;
	}
	/* It was that full on a day before, and was emptied. Yesterday it may just have got there.
	 */
	if (n == 0 || s[n - 1].value < most)
		return -1;
	soon = s[n - 1].value < usual ? -1 : hours_reach(s, n, limit, over);
	later = days_reach(days, n_days, limit);
	return soon < 0 || later < 0 ? fmax(soon, later) : fmin(soon, later);
}
