/* SPDX-License-Identifier: MIT */
/* The history: minutes become hours, hours become days, nothing is lost by it but precision. */
#include "unit.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "loop/loop.h"
#include "store/private.h"
#include "store/rollups_private.h"

enum { DAY = 86400, MONDAY = 20000 };

struct fixture {
	char dir[32];
	struct rollups_file file;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/tend-rollups-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(rollups_file_open(f->dir, NULL, &f->file), 0);
	*state = f;
	return 0;
}

static void remove_dir(const char *dir)
{
	auto_free char *command = str_printf("rm -rf %s", dir);

	assert_int_equal(system(command), 0);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rollups_file_close(&f->file);
	remove_dir(f->dir);
	free(f);
	return 0;
}

static double value_at(int64_t minute, uint32_t series)
{
	return 100 + 50 * sin((double)minute / 200 + series);
}

static struct minute *minute_of(int64_t at, const uint32_t *series, size_t n)
{
	struct minute *minute;

	assert_int_equal(minute_new(at, &minute), 0);
	for (size_t i = 0; i < n; i++) {
		double v = value_at(at, series[i]);

		assert_int_equal(
			minute_add(minute, series[i], &(struct point){60, v * 0.9, v, v * 1.2}), 0);
	}
	return minute;
}

static void put_minutes(
	struct fixture *f, int64_t first, int64_t n, const uint32_t *series, size_t n_series)
{
	for (int64_t at = first; at < first + n; at++) {
		auto(minute_free) struct minute *minute = minute_of(at, series, n_series);

		assert_int_equal(rollups_file_put(&f->file, minute), 0);
	}
}

static void name_series(struct fixture *f, uint32_t id)
{
	auto(minute_free) struct minute *minute = minute_of(5, NULL, 0);

	assert_int_equal(minute_name(minute, id, "crm/db/main", "free", "/var", "B"), 0);
	assert_int_equal(rollups_file_put(&f->file, minute), 0);
	assert_int_equal(rollups_file_put(&f->file, minute), 0);
}

static void tend_until_idle(struct fixture *f, int64_t now)
{
	for (int i = 0; i < 1000; i++) {
		int r = rollups_file_tend(&f->file, now, 14, 400);

		assert_true(r >= 0);
		if (r == 0)
			return;
	}
	fail_msg("it never ends");
}

static int64_t count(struct fixture *f, const char *table)
{
	auto_free char *sql = str_printf("SELECT count(*) FROM %s", table);
	int64_t n = -1;

	assert_int_equal(database_get_int(f->file.db, sql, &n), 0);
	return n;
}

static void check_minutes(struct fixture *f, uint32_t series, int64_t first, size_t n)
{
	auto_free struct point *points = calloc(n, sizeof(*points));

	assert_int_equal(rollups_file_minutes(&f->file, series, first, points, n), 0);
	for (size_t i = 0; i < n; i++) {
		double want = value_at(first + (int64_t)i, series);

		assert_int_equal(points[i].n, 60);
		assert_true(fabs(points[i].mean - want) < want / 100);
		assert_true(fabs(points[i].max - want * 1.2) < want / 80);
	}
}

static void test_the_way_of_a_minute(void **state)
{
	struct fixture *f = *state;
	const uint32_t series[] = {3, 700, 4};
	const int64_t first = (int64_t)MONDAY * DAY_MINUTES;
	struct point hours[48];

	name_series(f, 700);
	put_minutes(f, first, 30, series, 3);
	check_minutes(f, 700, first, 30); /* not packed yet */
	put_minutes(f, first + 30, DAY_MINUTES + 30, series, 3);
	assert_int_equal(count(f, "minutes"), 2 * (DAY_MINUTES + 60));

	/* The hour that is going on stays as it is, with its minute of grace. */
	tend_until_idle(f, (int64_t)(MONDAY + 1) * DAY + 3600 + 60);
	assert_int_equal(count(f, "hours"), 3 * 24);
	assert_int_equal(count(f, "minutes"), 2 * 60);
	assert_int_equal(count(f, "days"), 3);
	for (size_t i = 0; i < 3; i++)
		check_minutes(f, series[i], first + 7, DAY_MINUTES + 40);

	assert_int_equal(rollups_file_hours(&f->file, 4, (int64_t)MONDAY * 24, hours, 48), 0);
	for (size_t h = 0; h < 25; h++) {
		double mean = 0;

		for (int64_t m = 0; m < 60; m++)
			mean += value_at(first + (int64_t)h * 60 + m, 4) / 60;
		assert_int_equal(hours[h].n, 3600);
		assert_true(fabs(hours[h].mean - mean) < mean / 50);
	}
	assert_int_equal(hours[25].n, 0);
	assert_int_equal(
		rollups_file_tend(&f->file, (int64_t)(MONDAY + 1) * DAY + 3600, 14, 400), 0);
}

static void test_late_rows_are_added(void **state)
{
	struct fixture *f = *state;
	const uint32_t series[] = {1};
	const int64_t first = (int64_t)MONDAY * DAY_MINUTES;

	put_minutes(f, first, 59, series, 1);
	tend_until_idle(f, (int64_t)MONDAY * DAY + 3700);
	assert_int_equal(count(f, "hours"), 1);
	put_minutes(f, first + 59, 1, series, 1);
	check_minutes(f, 1, first, 60);
	tend_until_idle(f, (int64_t)MONDAY * DAY + 3800);
	assert_int_equal(count(f, "minutes"), 0);
	check_minutes(f, 1, first, 60);
}

static void test_what_is_old_goes(void **state)
{
	struct fixture *f = *state;
	const uint32_t series[] = {1, 2};

	for (int64_t day = MONDAY; day < MONDAY + 3; day++)
		put_minutes(f, day * DAY_MINUTES + 100, 5, series, 2);
	tend_until_idle(f, (int64_t)(MONDAY + 4) * DAY);
	assert_int_equal(count(f, "hours"), 6);
	assert_int_equal(count(f, "days"), 6);
	tend_until_idle(f, (int64_t)(MONDAY + 15) * DAY);
	assert_int_equal(count(f, "hours"), 4);
	assert_int_equal(count(f, "days"), 6);
	tend_until_idle(f, (int64_t)(MONDAY + 402) * DAY);
	assert_int_equal(count(f, "hours"), 0);
	assert_int_equal(count(f, "days"), 2);
}

struct names {
	unsigned n;
	uint32_t id;
	char text[100];
};

static void on_series(uint32_t id, const char *check, const char *metric, const char *instance,
	const char *unit, void *data)
{
	struct names *names = data;

	names->n++;
	names->id = id;
	snprintf(names->text, sizeof(names->text), "%s|%s|%s|%s", check, metric, instance, unit);
}

static void test_names_are_kept(void **state)
{
	struct fixture *f = *state;
	struct names names = {0};

	name_series(f, 9);
	rollups_file_close(&f->file);
	assert_int_equal(rollups_file_open(f->dir, NULL, &f->file), 0);
	assert_int_equal(rollups_file_series(&f->file, on_series, &names), 0);
	assert_int_equal(names.n, 1);
	assert_int_equal(names.id, 9);
	assert_string_equal(names.text, "crm/db/main|free|/var|B");
}

/* A minute in two halves, as after a restart; and no number is given twice, though the name of the
 * one before was lost. */
static void test_halves_and_numbers(void **state)
{
	struct fixture *f = *state;
	const int64_t at = (int64_t)MONDAY * DAY_MINUTES + 77;
	struct point points[1];

	for (int half = 0; half < 2; half++) {
		auto(minute_free) struct minute *minute = NULL;

		assert_int_equal(minute_new(at, &minute), 0);
		assert_int_equal(
			minute_add(minute, 600, &(struct point){30, 1 + half, 2 + half, 3 + half}),
			0);
		assert_int_equal(
			minute_add(minute, 601 + (uint32_t)half, &(struct point){1, 5, 5, 5}), 0);
		assert_int_equal(rollups_file_put(&f->file, minute), 0);
	}
	assert_int_equal(rollups_file_minutes(&f->file, 600, at, points, 1), 0);
	assert_int_equal(points[0].n, 60);
	assert_true(points[0].min == 1 && points[0].mean == 2.5 && points[0].max == 4);
	assert_int_equal(rollups_file_minutes(&f->file, 601, at, points, 1), 0);
	assert_int_equal(points[0].n, 1);
	rollups_file_close(&f->file);
	assert_int_equal(rollups_file_open(f->dir, NULL, &f->file), 0);
	assert_int_equal(f->file.last_id, 602);
	tend_until_idle(f, (int64_t)(MONDAY + 1) * DAY);
	rollups_file_close(&f->file);
	assert_int_equal(rollups_file_open(f->dir, NULL, &f->file), 0);
	assert_int_equal(f->file.last_id, 602);
}

static void test_a_damaged_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/history.db", f->dir);
	auto_free char *list = str_printf("ls %s/history.db.corrupt-* > /dev/null", f->dir);
	FILE *file;

	rollups_file_close(&f->file);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database ", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rollups_file_open(f->dir, NULL, &f->file), 0);
	assert_int_equal(count(f, "series"), 0);
	assert_int_equal(system(list), 0);
}

/* ---- the thread ----------------------------------------------------------------------------- */

struct answer {
	unsigned n_calls;
	int r;
	size_t n;
	int64_t from;
	struct point last;
};

static void on_points(int r, const struct point *points, size_t n, int64_t from, void *data)
{
	struct answer *answer = data;

	*answer = (struct answer){.n_calls = answer->n_calls + 1, .r = r, .n = n, .from = from};
	if (n > 0)
		answer->last = points[n - 1];
}

static void test_thread(void **state)
{
	char dir[] = "/tmp/tend-rollups-XXXXXX";
	auto(loop_free) struct loop *loop = NULL;
	struct rollups *rollups;
	struct answer answer = {0}, forgotten = {0};
	struct names names = {0};
	const uint32_t series[] = {1};
	struct rollups_stats stats;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(rollups_open(loop, dir, on_series, &names, NULL, &rollups), 0);
	for (int64_t at = 1000000; at < 1000005; at++)
		assert_int_equal(rollups_put(rollups, minute_of(at, series, 1)), 0);
	do {
		rollups_get_stats(rollups, &stats);
		assert_true(loop_turn(loop, 1000) >= 0);
	} while (stats.n_minutes < 5);
	assert_int_equal(stats.n_lost, 0);
	assert_int_equal(rollups_read(rollups, 1, ROLLUPS_MINUTES, 60 * 1000000 + 30,
				 60 * 1000004 + 1, on_points, &forgotten),
		0);
	rollups_forget(rollups, &forgotten);
	assert_int_equal(rollups_read(rollups, 1, ROLLUPS_MINUTES, 60 * 1000000 + 30,
				 60 * 1000004 + 1, on_points, &answer),
		0);
	while (answer.n_calls == 0)
		assert_true(loop_turn(loop, USEC_PER_SEC) >= 0);
	assert_int_equal(forgotten.n_calls, 0);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.n, 5);
	assert_int_equal(answer.from, 60 * 1000000);
	assert_true(fabs(answer.last.mean - value_at(1000004, 1)) < 0.01);
	assert_int_equal(
		rollups_read(rollups, 1, ROLLUPS_HOURS, 5, 5, on_points, &answer), -EINVAL);
	assert_int_equal(
		rollups_read(rollups, 1, ROLLUPS_MINUTES, 0, INT64_MAX / 2, on_points, &answer),
		-E2BIG);
	assert_null(rollups_free(rollups));
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_way_of_a_minute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_rows_are_added, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_old_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_halves_and_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_damaged_file_is_set_aside, set_up, tear_down),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
