/* SPDX-License-Identifier: MIT */
/* What is usual: the words of the configuration, the statistics, and weeks of a real history. */
#include "unit.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/str.h"
#include "history/robust.h"
#include "history/usual.h"
#include "store/rollups_private.h"

static void test_words(void **state)
{
	static const struct {
		const char *text;
		int r;
		struct baseline want;
	} baselines[] = {
		{"4", 0, {4, 0, BASELINE_BOTH}},
		{"4 above", 0, {4, 0, BASELINE_ABOVE}},
		{" 2.5  below 10 ", 0, {2.5, 10, BASELINE_BELOW}},
		{"", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"0.5", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"nan", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"4 over", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"4 above -1", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"4 above 1 2", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"4 above 1 2 3", -EINVAL, {0, 0, BASELINE_BOTH}},
		{"4aboveaboveaboveaboveaboveaboveabove", -EINVAL, {0, 0, BASELINE_BOTH}},
	};
	static const struct {
		const char *text;
		int r;
		double end;
		usec_t within;
	} forecasts[] = {
		{"95 within 7d", 0, 95, 7 * 86400 * USEC_PER_SEC},
		{"10:20 within 1h", 0, 20, 3600 * USEC_PER_SEC},
		{"95", -EINVAL, 0, 0},
		{"95 in 7d", -EINVAL, 0, 0},
		{"95 within 5m", -EINVAL, 0, 0},
		{"95 within 900d", -EINVAL, 0, 0},
		{"x within 7d", -EINVAL, 0, 0},
	};
	struct baseline b = {0};
	struct forecast f = {0};

	for (size_t i = 0; i < ARRAY_SIZE(baselines); i++) {
		if (baseline_parse(baselines[i].text, &b) != baselines[i].r)
			fail_msg("baseline '%s'", baselines[i].text);
		if (baselines[i].r == 0 && (b.n_deviations != baselines[i].want.n_deviations ||
						   b.at_least != baselines[i].want.at_least ||
						   b.side != baselines[i].want.side))
			fail_msg("baseline '%s' means something else", baselines[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(forecasts); i++) {
		if (forecast_parse(forecasts[i].text, &f) != forecasts[i].r)
			fail_msg("forecast '%s'", forecasts[i].text);
		if (forecasts[i].r == 0 &&
			(f.range.end != forecasts[i].end || f.within != forecasts[i].within))
			fail_msg("forecast '%s' means something else", forecasts[i].text);
	}
}

static void test_robust(void **state)
{
	double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 1000}, wild[] = {1, 2, 3, 4, 1e9};
	double x[10], y[10];
	struct robust_trend trend;

	assert_true(robust_median(odd, 3) == 5);
	assert_true(robust_median(even, 4) == 3.5);
	assert_true(robust_median(wild, 5) == 3);
	assert_true(fabs(robust_deviation(wild, 5, 3) - 1.4826) < 1e-9);
	for (size_t i = 0; i < 10; i++) {
		x[i] = (double)i;
		y[i] = 5 + 2 * (double)i;
	}
	y[4] = 1e6; /* a wild one */
	assert_int_equal(robust_trend(x, y, 10, &trend), 0);
	assert_true(fabs(trend.slope - 2) < 1e-9);
	assert_true(trend.agreement > 0.8);
	assert_int_equal(robust_trend(x, y, 2, &trend), -EINVAL);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* In every order that selection might stumble over: the same as by sorting. */
static void test_median(void **state)
{
	static double values[1500], sorted[1500];
	unsigned seed = 1;

	for (size_t n = 1; n < ARRAY_SIZE(values); n += n < 70 ? 1 : 37)
		for (int shape = 0; shape < 6; shape++) {
			for (size_t i = 0; i < n; i++)
				values[i] = shape == 0	 ? (double)i
					    : shape == 1 ? -(double)i
					    : shape == 2 ? 7
					    : shape == 3 ? (double)(rand_r(&seed) % 2)
					    : shape == 4 ? (double)(i < n / 2 ? i : n - i)
							 : (double)rand_r(&seed);
			memcpy(sorted, values, sizeof(values));
			qsort(sorted, n, sizeof(*sorted), compare);
			if (robust_median(values, n) !=
				(n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2))
				fail_msg("%zu values of shape %d", n, shape);
			qsort(values, n, sizeof(*values), compare);
			assert_memory_equal(values, sorted, n * sizeof(*values));
		}
}

static void test_profile(void **state)
{
	static const struct {
		const char *baseline;
		double value;
		bool off;
	} rows[] = {
		{"4", 10, false},
		{"4", 13, false},
		{"4", 40, true},
		{"4", -20, true},
		{"4 above", -20, false},
		{"4 below", 40, false},
		{"4 above 100", 40, false},
		{"4 above 100", 140, true},
	};
	struct point minutes[200], hours[TREND_HOURS];
	struct profile p = {0};
	char text[200];

	for (size_t i = 0; i < 200; i++) {
		double v = 10 + (double)(i % 5) - 2;

		minutes[i] = (struct point){i % 50 == 0 ? 0 : 60, v - 1, v, v + 1};
	}
	minutes[7].max = 1e9;
	profile_learn(&p, minutes, 50);
	assert_int_equal(p.n, 0); /* less than an hour */
	profile_learn(&p, minutes, 200);
	assert_int_equal(p.n, 196);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct baseline b;

		assert_int_equal(baseline_parse(rows[i].baseline, &b), 0);
		if (profile_is_off(&p, &b, rows[i].value, text, sizeof(text)) != rows[i].off)
			fail_msg("%s: %g", rows[i].baseline, rows[i].value);
	}
	for (size_t i = 0; i < TREND_HOURS; i++) {
		double v = 50 + 0.25 * (double)i + 0.3 * (double)(i % 3);

		hours[i] = (struct point){i == 90 ? 0 : 60, v, v, v};
	}
	profile_trend(&p, hours, 10);
	assert_int_equal(p.n_trend, 0);
	profile_trend(&p, hours, TREND_HOURS);
	assert_true(fabs(p.slope - 0.25) < 0.01);
	struct forecast f;
	assert_int_equal(forecast_parse("100 within 2d", &f), 0);
	assert_true(profile_leads_out(&p, &f, 90, text, sizeof(text)));
	assert_string_equal(text, "+6 a day, leaves 100 in 1d16h");
	assert_false(profile_leads_out(&p, &f, 60, text, sizeof(text)));
	assert_false(profile_leads_out(&p, &f, 101, text, sizeof(text))); /* it is out */
	for (size_t i = 0; i < TREND_HOURS; i++)
		hours[i].mean = 50 + (double)((i * 7919) % 100);
	profile_trend(&p, hours, TREND_HOURS);
	assert_false(profile_leads_out(&p, &f, 99.9, text, sizeof(text))); /* noise */
}

/* ---- weeks ---------------------------------------------------------------------------------- */

static const char check_name[] = "crm/web/page";

/* Busy by day, quiet by night; and a disk that fills. */
static double usual_load(int64_t minute)
{
	int64_t hour = minute / 60 % 24;

	return (hour >= 8 && hour < 18 ? 100 : 10) + (double)(minute * 7919 % 11);
}

static void fill(const char *dir, int64_t now_minute)
{
	struct rollups_file file;

	assert_int_equal(rollups_file_open(dir, NULL, &file), 0);
	for (int64_t at = now_minute - 3 * 7 * DAY_MINUTES; at < now_minute; at += 5) {
		auto(minute_free) struct minute *minute = NULL;
		double load = usual_load(at), disk = 50 + (double)(at - now_minute) / DAY_MINUTES;

		assert_int_equal(minute_new(at, &minute), 0);
		assert_int_equal(minute_name(minute, 1, check_name, "load", "", ""), 0);
		assert_int_equal(minute_name(minute, 2, check_name, "used", "/var", "%"), 0);
		assert_int_equal(minute_add(minute, 1, &(struct point){60, load, load, load}), 0);
		assert_int_equal(minute_add(minute, 2, &(struct point){60, disk, disk, disk}), 0);
		assert_int_equal(rollups_file_put(&file, minute), 0);
	}
	rollups_file_close(&file);
}

static enum tend_reason judge(struct usual *usual, const struct conf_check *conf, double load,
	double used, char text[RESULT_TEXT_BYTES])
{
	struct metric metrics[] = {{.name = "load", .value = load},
		{.name = "used", .instance = "/var", .value = used}};
	struct result result = {.n_metrics = 2, .metrics = metrics};

	usual_judge(usual, conf, &result);
	assert_int_equal(result.verdict,
		result.reason == TEND_REASON_OK ? TEND_STATE_OK : TEND_STATE_WARNING);
	strcpy(text, result.text);
	return result.reason;
}

static void test_weeks(void **state)
{
	char dir[] = "/tmp/tend-usual-XXXXXX", text[RESULT_TEXT_BYTES];
	char baseline[] = "load=4 above 5", forecast[] = "used=80 within 45d";
	char *baselines[] = {baseline, NULL}, *forecasts[] = {forecast, NULL};
	struct conf_check conf = {.name = (char *)(uintptr_t)check_name,
		.baselines = baselines,
		.forecasts = forecasts};
	auto(loop_free) struct loop *loop = NULL;
	auto_free char *remove = NULL;
	int64_t now = (int64_t)(clock_wall() / USEC_PER_SEC) / 60;
	double load = usual_load(now);
	struct history *history;
	struct usual *usual;
	usec_t began = clock_now();

	assert_non_null(mkdtemp(dir));
	fill(dir, now);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(history_new(loop, dir, &history), 0);
	assert_int_equal(usual_new(loop, history, NULL, &usual), 0);
	assert_int_equal(judge(usual, &conf, 1e6, 50, text), TEND_REASON_OK); /* not learned yet */
	/* Each is learned by itself. */
	while (judge(usual, &conf, load, 50, text) == TEND_REASON_OK ||
		judge(usual, &conf, 1e6, 20, text) == TEND_REASON_OK) {
		assert_true(loop_turn(loop, USEC_PER_SEC) >= 0);
		assert_true(clock_now() - began < 60 * USEC_PER_SEC);
	}
	assert_int_equal(judge(usual, &conf, load, 50, text), TEND_REASON_FORECAST);
	assert_string_equal(text, "used of /var is 50: +1 a day, leaves 80 in 30d");
	assert_int_equal(judge(usual, &conf, 1e3, 20, text), TEND_REASON_OFF_BASELINE);
	assert_non_null(strstr(text, "load is 1000: usually "));
	assert_int_equal(judge(usual, &conf, load, 20, text), TEND_REASON_OK);
	auto_json json_t *known = usual_to_json(usual, check_name, "load", "");
	assert_non_null(known);
	usual = usual_free(usual);
	history = history_free(history);
	remove = str_printf("rm -rf %s", dir);
	assert_int_equal(system(remove), 0);
}

/* ---- many ----------------------------------------------------------------------------------- */

static void take(struct history *history, size_t first, size_t n)
{
	struct conf_check conf = {.name = (char *)(uintptr_t)check_name};
	struct metric metrics[TEND_SAMPLES_MAX];
	struct check check = {
		.conf = &conf, .last = {.number = 1, .n_metrics = n, .metrics = metrics}};

	for (size_t i = 0; i < n; i++) {
		metrics[i] = (struct metric){.name = "cpu", .value = 1};
		(void)snprintf(metrics[i].instance, sizeof(metrics[i].instance), "%zu", first + i);
	}
	history_take(history, &check);
}

/* Instances come and go: a check has a history of so many, and what goes for others is counted. */
static void test_many_series(void **state)
{
	char dir[] = "/tmp/tend-usual-XXXXXX";
	auto(loop_free) struct loop *loop = NULL;
	struct history *history = NULL;
	struct history_series series;
	struct history_stats stats;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(history_new(loop, dir, &history), 0);
	take(history, 0, TEND_SAMPLES_MAX);
	take(history, TEND_SAMPLES_MAX, 3);
	history_get_stats(history, &stats);
	assert_int_equal(stats.n_series, TEND_SAMPLES_MAX);
	assert_int_equal(stats.n_refused, 3); /* all of the others have just spoken */
	assert_int_equal(stats.n_gave_way, 0);
	history_free(history);
	assert_int_equal(history_new(loop, dir, &history), 0);
	take(history, TEND_SAMPLES_MAX, 3);
	history_get_stats(history, &stats);
	assert_int_equal(stats.n_series, TEND_SAMPLES_MAX);
	assert_int_equal(stats.n_refused, 0);
	assert_int_equal(stats.n_gave_way, 3);
	assert_int_equal(history_find(history, check_name, "cpu", "258", &series), 0);
	assert_int_equal(history_find(history, check_name, "cpu", "0", &series), -ENOENT);
	history_free(history);
	auto_free char *remove = str_printf("rm -rf %s", dir);
	assert_int_equal(system(remove), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_robust),
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_weeks),
		cmocka_unit_test(test_many_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
