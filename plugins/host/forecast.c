/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "host.h"

enum { MIN_SAMPLES = 8 };

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

static size_t read_samples(const json_t *samples, struct forecast_sample *ret_samples)
{
	size_t n = 0, i;
	const json_t *item;

	json_array_foreach (samples, i, item) {
		if (n == FORECAST_SAMPLES)
			break;
		if (json_array_size(item) == 2)
			ret_samples[n++] =
				(struct forecast_sample){json_number_value(json_array_get(item, 0)),
					json_number_value(json_array_get(item, 1))};
	}
	return n;
}

json_t *forecast_append(const json_t *samples, double at, double value, double over)
{
	struct forecast_sample s[FORECAST_SAMPLES];
	size_t n = read_samples(samples, s), keep = 0;
	double step = over / (FORECAST_SAMPLES - 1);
	json_t *array = json_array();

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
	for (size_t i = 0; i < keep; i++)
		(void)json_array_append_new(array, json_pack("[f, f]", s[i].at, s[i].value));
	return array;
}

double forecast_reaches(const json_t *samples, double limit, double over)
{
	struct forecast_sample s[FORECAST_SAMPLES];
	size_t n = read_samples(samples, s);
	double slope;

	if (n < MIN_SAMPLES || s[n - 1].at - s[0].at < over / 4)
		return -1;
	slope = forecast_slope(s, n);
	/* Less than 1 % of the whole in the time looked at is no trend. */
	if (slope <= 0 || slope * over < limit / 100)
		return -1;
	return s[n - 1].value >= limit ? 0 : (limit - s[n - 1].value) / slope;
}
