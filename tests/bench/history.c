/* SPDX-License-Identifier: MIT */
/*
 * The history of many series: a day and an hour of minutes go the whole way (written, packed), then
 * single series are read. bench_history DIR SERIES: one line of JSON.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "store/rollups_private.h"

enum { DAY = 20000, READS = 200 };

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Latencies with a tail, percentages, counts and constants, a quarter each. */
static struct point made_up(uint32_t series, int64_t minute)
{
	double noise = (double)(random() % 1000) / 1000,
	       wave = 1 + 0.3 * sin((double)minute / 230 + series);

	switch (series % 4) {
	case 0: {
		double v = 0.004 * wave * (1 + 0.2 * noise);

		return (struct point){60, v * 0.7, v, v * (1.5 + noise * noise * 4)};
	}
	case 1:
		return (struct point){60, 20 * wave, 22 * wave + noise, 40 * wave + 3 * noise};
	case 2:
		return (struct point){60, floor(3 * noise), floor(3 * noise) + noise, 4};
	default:
		return (struct point){1, 437, 437, 437};
	}
}

static int write_day(struct rollups_file *file, uint32_t n_series, double *ret_longest)
{
	int r = 0;

	for (int64_t m = (int64_t)DAY * DAY_MINUTES;
		m < (int64_t)(DAY + 1) * DAY_MINUTES + 60 && r == 0; m++) {
		auto(minute_free) struct minute *minute = NULL;
		double began;

		r = minute_new(m, &minute);
		for (uint32_t i = 1; i <= n_series && r == 0; i++) {
			struct point p = made_up(i, m);
			char check[40];

			(void)snprintf(check, sizeof(check), "crm/web/check%u", i / 4);
			r = minute_add(minute, i, &p);
			if (r == 0 && m == (int64_t)DAY * DAY_MINUTES)
				r = minute_name(
					minute, i, check, "total_seconds", i % 4 ? "x" : "", "s");
		}
		began = now(CLOCK_MONOTONIC);
		if (r == 0)
			r = rollups_file_put(file, minute);
		*ret_longest = fmax(*ret_longest, now(CLOCK_MONOTONIC) - began);
		while (r == 0 && (r = rollups_file_tend(file, (m + 1) * 60, 14, 400)) == 1)
			r = 0;
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int read_days(struct rollups_file *file, uint32_t n_series, double *times)
{
	struct point points[DAY_MINUTES];
	int r = 0;

	for (size_t i = 0; i < READS && r == 0; i++) {
		uint32_t series = 1 + (uint32_t)random() % n_series;
		double began = now(CLOCK_MONOTONIC);

		/* The last 24 hours: the newest of them not packed. */
		r = rollups_file_minutes(
			file, series, (int64_t)DAY * DAY_MINUTES + 60, points, DAY_MINUTES);
		times[i] = now(CLOCK_MONOTONIC) - began;
		for (size_t k = 0; k < DAY_MINUTES && r == 0; k++)
			if (points[k].n == 0)
				r = -EBADMSG;
	}
	qsort(times, READS, sizeof(*times), compare);
	return r;
}

int main(int argc, char **argv)
{
	uint32_t n_series = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	struct rollups_file file;
	double times[READS], longest = 0, wall, cpu;
	struct tend_error err = {0};
	int r;

	if (argc != 3 || n_series == 0)
		return 64;
	r = rollups_file_open(argv[1], &err, &file);
	if (r < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	wall = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	r = write_day(&file, n_series, &longest);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = now(CLOCK_MONOTONIC) - wall;
	if (r == 0)
		r = read_days(&file, n_series, times);
	if (r < 0) {
		fprintf(stderr, "%s\n", strerror(-r));
		return 1;
	}
	printf("{\"series\":%u,\"cpu_seconds\":%.3f,\"wall_seconds\":%.3f,\"longest_minute_msec\":%"
	       ".3f,"
	       "\"bytes_a_point\":%.3f,\"read_p50_msec\":%.3f,\"read_p99_msec\":%.3f,"
	       "\"read_longest_msec\":%.3f}\n",
		n_series, cpu, wall, longest * 1e3,
		(double)file.n_block_bytes / (double)file.n_block_points, times[READS / 2] * 1e3,
		times[READS * 99 / 100] * 1e3, times[READS - 1] * 1e3);
	rollups_file_close(&file);
	return 0;
}
