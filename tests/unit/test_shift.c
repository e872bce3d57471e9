/* SPDX-License-Identifier: MIT */
/* tendd --calendar: the time of day is shifted by a file, the monotonic clock is not. */
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "loop/loop.h"
#include "shift.h"

static char path[64];

static void put(const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)snprintf(path, sizeof(path), "/tmp/tend-shift-XXXXXX");
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	return unlink(path);
}

/* Seconds that the clock is ahead of the machine's. */
static double ahead(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)clock_wall() / 1e6 - (double)ts.tv_sec - (double)ts.tv_nsec / 1e9;
}

static void assert_ahead(double sec)
{
	double found = ahead();

	if (found < sec - 1 || found > sec + 1)
		fail_msg("%f s ahead, not %f", found, sec);
}

static void what_a_file_may_say(void **state)
{
	static const struct {
		const char *text;
		int r;
		double sec;
	} rows[] = {
		{"0", 0, 0},
		{"86400\n", 0, 86400},
		{" -3600.5 \n", 0, -3600.5},
		{"", -EINVAL, 0},
		{"tomorrow", -EINVAL, 0},
		{"1 day", -EINVAL, 0},
		{"1e30", -EINVAL, 0},
		{"nan", -EINVAL, 0},
		{"-2e9", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tend_error err = {0};
		struct shift *shift = NULL;

		put(rows[i].text);
		assert_int_equal(shift_new(path, &shift, &err), rows[i].r);
		assert_true(rows[i].r == 0 || strstr(err.text, path));
		assert_ahead(rows[i].sec);
		shift_free(shift);
		assert_ahead(0);
	}
	struct tend_error err = {0};
	struct shift *shift = NULL;
	assert_int_equal(shift_new("/proc/none", &shift, &err), -ENOENT);
}

static void on_jump(void *data)
{
	(*(int *)data)++;
}

static void it_is_looked_at_each_second(void **state)
{
	struct loop *loop;
	struct shift *shift;
	struct tend_error err = {0};
	int n = 0;
	usec_t begun, until;

	put("100");
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(shift_new(path, &shift, &err), 0);
	assert_int_equal(shift_start(shift, loop, on_jump, &n), 0);
	begun = clock_now();
	put("1000");
	shift_look(shift);
	assert_int_equal(n, 1);
	assert_ahead(1000);
	/* A file that is half written, or gone, changes nothing. */
	put("so");
	shift_look(shift);
	assert_ahead(1000);
	put("5000");
	until = clock_now() + 10 * USEC_PER_SEC;
	while (n < 2 && clock_now() < until)
		assert_true(loop_turn(loop, 100 * USEC_PER_MSEC) >= 0);
	assert_int_equal(n, 2);
	assert_ahead(5000);
	assert_true(clock_now() - begun < 10 * USEC_PER_SEC);
	shift_free(shift);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_file_may_say, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_looked_at_each_second, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
