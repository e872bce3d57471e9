/* SPDX-License-Identifier: MIT */
/* Blocks of points: what goes in comes out, as precisely as was said, in the room that was given.
 */
#include "unit.h"
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "store/block.h"

static double error_of(double value, double read)
{
	if (value == read)
		return 0;
	return fabs(value - read) / fmax(fabs(value), fabs(read));
}

/* The worst relative error of min, mean and max over all points. */
static double round_trip(const struct point *points, size_t n, size_t room, size_t *ret_len)
{
	struct point read[BLOCK_MAX_POINTS];
	uint8_t buf[BLOCK_MAX_BYTES];
	size_t len = block_encode(points, n, room, buf);
	unsigned bits = 0;
	double worst = 0;

	assert_true(len > 0);
	assert_int_equal(block_decode(buf, len, read, BLOCK_MAX_POINTS, &bits), n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(read[i].n, points[i].n);
		if (points[i].n == 0)
			continue;
		assert_true(read[i].min <= read[i].mean && read[i].mean <= read[i].max);
		worst = fmax(worst, error_of(points[i].min, read[i].min));
		worst = fmax(worst, error_of(points[i].mean, read[i].mean));
		worst = fmax(worst, error_of(points[i].max, read[i].max));
	}
	assert_true(worst <= scalbn(1, -(int)bits));
	*ret_len = len;
	return worst;
}

static void test_exact(void **state)
{
	static const struct {
		const char *what;
		double first, step;
		size_t max_bytes;
	} cases[] = {
		{"nothing", 0, 0, 8},
		{"constant", 12.34, 0, 16},
		{"a queue", 0, 1, 40},
		{"below zero", -5, 1, 40},
		{"pages", 4096.0 * 100000, 4096, 45},
		{"large", 1e15, 0, 16},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct point points[BLOCK_MAX_POINTS];
		size_t len;

		for (size_t k = 0; k < BLOCK_MAX_POINTS; k++) {
			double v = cases[i].first + cases[i].step * (double)(k % 7);

			points[k] = (struct point){.n = 1, .min = v, .mean = v, .max = v};
		}
		if (round_trip(points, BLOCK_MAX_POINTS, BLOCK_MAX_BYTES, &len) >
			(cases[i].step == 0 && cases[i].first != 0 ? 1e-4 : 0))
			fail_msg("%s is not exact", cases[i].what);
		if (len > cases[i].max_bytes)
			fail_msg("%s: %zu bytes", cases[i].what, len);
	}
}

static void test_gaps(void **state)
{
	struct point points[24] = {{.n = 0}, {.n = 60, .min = 1, .mean = 2, .max = 3}, {.n = 0},
		{.n = 59, .min = 0.5, .mean = 2.5, .max = 300}};
	uint8_t buf[BLOCK_MAX_BYTES];
	size_t len;

	(void)round_trip(points, 24, 60, &len);
	assert_true(len <= 60);
	memset(points, 0, sizeof(points));
	assert_int_equal(block_encode(points, 24, 60, buf), 0);
	assert_int_equal(block_encode(points, BLOCK_MAX_POINTS + 1, 60, buf), 0);
}

static double noise(void)
{
	return (double)random() / (double)RAND_MAX;
}

/* Whatever the values are: in the room that was given, if any precision does that. */
static void test_random(void **state)
{
	srandom(1);
	for (unsigned round = 0; round < 3000; round++) {
		double base = pow(10, noise() * 16 - 6), spread = noise(), jump = noise() < 0.2;
		size_t n = 1 + (size_t)random() % BLOCK_MAX_POINTS, len;
		struct point points[BLOCK_MAX_POINTS];

		for (size_t i = 0; i < n; i++) {
			double low =
				base * (1 + spread * noise()) * (jump && noise() < 0.1 ? 50 : 1);
			double high = low * (1 + spread * noise());

			points[i] = (struct point){.n = noise() < 0.02 ? 0 : 58 + random() % 3,
				.min = low,
				.mean = low + (high - low) * noise(),
				.max = high};
			if (noise() < 0.05)
				points[i].min = points[i].mean = points[i].max = 0;
			else if (random() % 50 == 0)
				points[i].min = -low;
		}
		points[0].n = 1;
		(void)round_trip(points, n, n * 3 + 10, &len);
	}
}

static void test_extreme(void **state)
{
	struct point points[] = {{.n = UINT32_MAX, .min = -1e308, .mean = 1e-308, .max = 1e308},
		{.n = 1, .min = 5e-324, .mean = 5e-324, .max = 5e-324}};
	struct point read[2];
	uint8_t buf[BLOCK_MAX_BYTES];
	size_t len = block_encode(points, 2, BLOCK_MAX_BYTES, buf);

	assert_true(len > 0);
	assert_int_equal(block_decode(buf, len, read, 2, NULL), 2);
	assert_int_equal(read[0].n, UINT32_MAX);
	assert_true(read[0].min <= read[0].mean && read[0].mean <= read[0].max);
}

static void test_foreign(void **state)
{
	struct point points[BLOCK_MAX_POINTS] = {{.n = 1, .min = 1, .mean = 2, .max = 3}};
	uint8_t buf[BLOCK_MAX_BYTES];
	size_t len = block_encode(points, 10, 60, buf);

	assert_int_equal(block_decode(buf, len, points, 9, NULL), -EBADMSG);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(block_decode(buf, cut, points, BLOCK_MAX_POINTS, NULL), -EBADMSG);
	buf[0] ^= 0xe0;
	assert_int_equal(block_decode(buf, len, points, BLOCK_MAX_POINTS, NULL), -EBADMSG);
}

static void test_add(void **state)
{
	struct point a = {0}, b = {.n = 1, .min = 1, .mean = 1, .max = 1},
		     c = {.n = 3, .min = 4, .mean = 5, .max = 6};

	point_add(&a, &b);
	point_add(&a, &c);
	point_add(&a, &(struct point){0});
	assert_int_equal(a.n, 4);
	assert_true(a.min == 1 && a.mean == 4 && a.max == 6);
}

/* The bar: at most 3 bytes a point on an hour of real metrics of a web server and its host. */
static void test_recorded_hour(void **state)
{
	FILE *file = fopen(TEND_RECORDED "/hour.csv", "r");
	struct point points[BLOCK_MAX_POINTS];
	char line[256], metric[64], before[64] = "";
	size_t n = 0, n_points = 0, n_bytes = 0, n_metrics = 0, len;
	unsigned minute, samples;
	double worst = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) || n > 0) {
		struct point p;
		bool is_row =
			!feof(file) && sscanf(line, "%63[a-z0-9_],%u,%u,%lf,%lf,%lf", metric,
					       &minute, &samples, &p.min, &p.mean, &p.max) == 6;

		if (n > 0 && (!is_row || strcmp(metric, before) != 0)) {
			worst = fmax(worst, round_trip(points, n, n * 5 / 2, &len));
			n_bytes += len;
			n_points += n;
			n_metrics++;
			n = 0;
		}
		if (!is_row)
			continue;
		p.n = samples;
		strcpy(before, metric);
		assert_true(n < BLOCK_MAX_POINTS);
		points[n++] = p;
	}
	(void)fclose(file);
	assert_int_equal(n_metrics, 12);
	assert_int_equal(n_points, 12 * 60);
	print_message("%.2f bytes a point, error at most %.2f %%\n",
		(double)n_bytes / (double)n_points, worst * 100);
	assert_true((double)n_bytes / (double)n_points <= 3);
	assert_true(worst < 0.02);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_extreme),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_recorded_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
