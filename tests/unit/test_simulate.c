/* SPDX-License-Identifier: MIT */
/* A loop whose time is simulated: it jumps, stands still while something real goes on, and ends. */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "loop/loop.h"

#define WALL (1772000000 * USEC_PER_SEC)
#define DAY  (86400 * USEC_PER_SEC)

struct world {
	struct loop *loop;
	struct loop_source *timers[8], *io;
	usec_t began;
	char fired[256];
	unsigned n_fired, n_busy;
	bool busy;
	int fd;
};

static usec_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static bool is_busy(void *data)
{
	struct world *w = data;

	w->n_busy++;
	return w->busy;
}

static int run_until(struct world *w, usec_t until, usec_t real_limit)
{
	const struct loop_simulation s = {
		.until = until, .real_until = real_now() + real_limit, .busy = is_busy, .data = w};

	return loop_simulate_until(w->loop, &s);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(loop_simulate(w->loop, WALL), 0);
	w->began = clock_now();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 8; i++)
		loop_source_free(w->timers[i]);
	loop_source_free(w->io);
	loop_free(w->loop);
	free(w);
	/* The clock is the machine's again. */
	assert_true(clock_wall() > WALL);
	return 0;
}

struct tick {
	struct world *w;
	char name;
};

static void note(void *data)
{
	struct tick *tick = data;
	struct world *w = tick->w;

	if (w->n_fired < sizeof(w->fired) - 1)
		w->fired[w->n_fired++] = tick->name;
}

static void test_order(void **state)
{
	struct world *w = *state;
	struct tick ticks[] = {{w, 'a'}, {w, 'b'}, {w, 'c'}, {w, 'd'}, {w, 'e'}};
	const usec_t at[] = {3, 1, 2, 1, 2};

	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(loop_timer_new(w->loop, note, &ticks[i], &w->timers[i]), 0);
		loop_timer_set(w->timers[i], w->began + at[i] * 3600 * USEC_PER_SEC);
	}
	assert_int_equal(run_until(w, w->began + 2 * 3600 * USEC_PER_SEC, USEC_PER_SEC), 0);
	/* Of those that are due together the one set first. */
	assert_string_equal(w->fired, "bdce");
	assert_int_equal(clock_now() - w->began, 2 * 3600 * USEC_PER_SEC);
	assert_int_equal(clock_wall(), WALL + 2 * 3600 * USEC_PER_SEC);
	loop_timer_set(w->timers[0], 0);
	assert_int_equal(run_until(w, w->began + DAY, USEC_PER_SEC), 0);
	assert_string_equal(w->fired, "bdce");
	assert_int_equal(clock_now() - w->began, DAY);
}

static void set_again(void *data)
{
	struct world *w = data;

	w->n_fired++;
	loop_timer_set(w->timers[0], clock_now() + 10 * USEC_PER_SEC);
}

static void test_a_day(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_timer_new(w->loop, set_again, w, &w->timers[0]), 0);
	loop_timer_set(w->timers[0], clock_now());
	assert_int_equal(run_until(w, w->began + DAY, 20 * USEC_PER_SEC), 0);
	assert_int_equal(w->n_fired, 8641);
}

static void free_self(void *data)
{
	struct world *w = data;

	w->n_fired++;
	w->timers[0] = loop_source_free(w->timers[0]);
	w->timers[1] = loop_source_free(w->timers[1]);
}

static void test_freed_from_within(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(loop_timer_new(w->loop, free_self, w, &w->timers[i]), 0);
		loop_timer_set(w->timers[i], clock_now() + USEC_PER_SEC);
	}
	assert_int_equal(run_until(w, w->began + DAY, USEC_PER_SEC), 0);
	assert_int_equal(w->n_fired, 1);
}

static void on_io(int fd, uint32_t events, void *data)
{
	struct world *w = data;
	char c;

	if (read(fd, &c, 1) == 1)
		w->busy = false;
}

/* While a child works, no timer fires that is later than now. */
static void test_stands_still(void **state)
{
	struct world *w = *state;
	struct tick tick = {w, 'x'};
	int pair[2];
	pid_t pid;

	assert_int_equal(pipe(pair), 0);
	assert_int_equal(loop_io_new(w->loop, pair[0], EPOLLIN, on_io, w, &w->io), 0);
	assert_int_equal(loop_timer_new(w->loop, note, &tick, &w->timers[0]), 0);
	loop_timer_set(w->timers[0], clock_now() + 1);
	w->busy = true;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct timespec moment = {.tv_nsec = 50000000};

		nanosleep(&moment, NULL);
		_exit(write(pair[1], "x", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(run_until(w, w->began, 20 * USEC_PER_SEC), 0);
	assert_false(w->busy);
	assert_int_equal(w->n_fired, 0);
	assert_int_equal(run_until(w, w->began + 1, USEC_PER_SEC), 0);
	assert_int_equal(w->n_fired, 1);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void test_real_limit(void **state)
{
	struct world *w = *state;

	w->busy = true;
	assert_int_equal(run_until(w, w->began + DAY, 50 * USEC_PER_MSEC), -ETIMEDOUT);
	assert_int_equal(clock_now(), w->began);
	/* One that is never done with now. */
	w->busy = false;
	assert_int_equal(loop_timer_new(w->loop, set_again, w, &w->timers[0]), 0);
	loop_timer_set(w->timers[0], 1);
	assert_int_equal(run_until(w, USEC_INFINITY - 1, 50 * USEC_PER_MSEC), -ETIMEDOUT);
}

static void test_shift(void **state)
{
	struct world *w = *state;

	loop_simulate_shift(-(int64_t)DAY);
	assert_int_equal(clock_wall(), WALL - DAY);
	assert_int_equal(clock_now(), w->began);
	loop_simulate_shift((int64_t)DAY * 2);
	assert_int_equal(clock_wall(), WALL + DAY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_day, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stands_still, setup, teardown),
		cmocka_unit_test_setup_teardown(test_real_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shift, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
