/* SPDX-License-Identifier: MIT */
/* Many checks due at once, how late they begin, and where their results lie. */
#include "core_fixture.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MANY = 300, AT_ONCE = 64 };

static const char head[] = "[system s]\nenvironment = production\n"
			   "[component s/db]\nkind = database\n";

static int setup(void **state)
{
	struct core *core = calloc(1, sizeof(*core));

	core_setup(core);
	*state = core;
	return 0;
}

static int teardown(void **state)
{
	core_teardown(*state);
	free(*state);
	return 0;
}

static void serve(struct core *core, size_t n)
{
	struct str body = STR_INIT(1 << 20);

	assert_int_equal(str_append(&body, head, strlen(head)), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(str_appendf(&body, CHECK("s/db/c%zu", "s.db.all", ""), i), 0);
	core_apply(core, core_load(core, "", str_get(&body)));
	str_clear(&body);
}

static uint64_t n_started(struct core *core)
{
	struct watch_stats stats;

	watch_get_stats(core->watch, &stats);
	return stats.n_attempts;
}

/* The machine stood still: all of them are due, and each begins once, but not in one turn. */
static void test_a_crowd(void **state)
{
	struct core *core = *state;
	struct watch_stats stats;
	uint64_t n_late = 0, before = 0;

	serve(core, MANY);
	core_tell(core, "s/db/all", "ok used=1");
	MAP_FOREACH (&core->watch->checks, struct check *, check)
		schedule_put(core->watch, check, clock_now() - 40 * USEC_PER_MSEC);
	while (before < MANY) {
		uint64_t now;

		assert_true(loop_turn(core->loop, 100 * USEC_PER_MSEC) >= 0);
		now = n_started(core);
		assert_in_range(now - before, 0, AT_ONCE);
		before = now;
	}
	WAIT_FOR(core->loop, core->watch->stats.n_attempts == MANY && !core_locating(core));
	MAP_FOREACH (&core->watch->checks, const struct check *, check) {
		assert_int_equal(check->n_attempts, 1);
		assert_int_equal(check->n_good, 1);
	}
	watch_get_stats(core->watch, &stats);
	for (size_t i = 0; i <= WATCH_LATE_MAX; i++) {
		if (i < WATCH_LATE_MAX && watch_late_bounds[i] < 30 * USEC_PER_MSEC)
			assert_int_equal(stats.n_late[i], 0);
		n_late += stats.n_late[i];
	}
	assert_int_equal(n_late, MANY);
	assert_true(stats.sum_late_usec >= MANY * 30 * USEC_PER_MSEC);
}

/* The machine stood still for hours: each begins once, and has its own place among the others. */
static void test_places_are_kept(void **state)
{
	struct core *core = *state;
	const usec_t hour = 3600 * USEC_PER_SEC;
	usec_t place = 0;

	serve(core, MANY);
	core_tell(core, "s/db/all", "ok used=1");
	/* Time does not go back below 0, which a machine that has just been started is near to. */
	MAP_FOREACH (&core->watch->checks, struct check *, check)
		schedule_put(core->watch, check, 10 * USEC_PER_MSEC * ++place);
	WAIT_FOR(core->loop, core->watch->stats.n_attempts == MANY && !core_locating(core));
	place = 0;
	MAP_FOREACH (&core->watch->checks, const struct check *, check) {
		assert_int_equal(check->n_attempts, 1);
		assert_int_equal(check->due.at % hour, 10 * USEC_PER_MSEC * ++place);
		assert_in_range(check->due.at, clock_now() + hour / 3, clock_now() + 2 * hour);
	}
}

static void on_always(int fd, uint32_t events, void *data)
{
	++*(uint64_t *)data;
}

/* However much is ready all the time, what is due begins. */
static void test_a_flood(void **state)
{
	struct core *core = *state;
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct loop_source *io;
	uint64_t n_events = 0;

	assert_true(fd >= 0);
	serve(core, MANY);
	core_tell(core, "s/db/all", "ok used=1");
	assert_int_equal(loop_io_new(core->loop, fd, EPOLLIN, on_always, &n_events, &io), 0);
	MAP_FOREACH (&core->watch->checks, struct check *, check)
		schedule_put(core->watch, check, clock_now());
	WAIT_FOR(core->loop, core->watch->stats.n_attempts == MANY && !core_locating(core));
	assert_true(n_events > 0);
	loop_source_free(io);
	assert_int_equal(close(fd), 0);
}

/* Pure. An interval of 1,000 ms. */
static void test_following(void **unused)
{
	static const struct {
		usec_t now_msec, next_msec;
	} rows[] = {{5000, 6000}, {5010, 6000}, {5500, 6000}, {5501, 7000}, {5999, 7000},
		{6000, 7000}, {6500, 7000}, {6501, 8000}, {86405000, 86406000},
		{86405400, 86406000}, {86405600, 86407000}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(schedule_following(5 * USEC_PER_SEC, USEC_PER_SEC,
					 rows[i].now_msec * USEC_PER_MSEC),
			rows[i].next_msec * USEC_PER_MSEC);
	assert_int_equal(schedule_following(5, 0, 7), 7);
}

static void tell_metrics(struct core *core, size_t n)
{
	struct str answer = STR_INIT(1 << 16);

	assert_int_equal(str_append(&answer, "ok", 2), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(str_appendf(&answer, " m%zu=%zu", i, n + i), 0);
	core_tell(core, "s/db/all", str_get(&answer));
	str_clear(&answer);
	core_run(core, "s/db/c0");
}

/* Metrics stay where they are, unless that is too little room, or far too much. */
static void test_metrics_stay(void **state)
{
	static const struct {
		size_t n, room;
	} rows[] = {
		{4, 4}, {4, 4}, {1, 4}, {0, 4}, {3, 4}, {20, 20}, {5, 20}, {4, 4}, {0, 4}, {9, 9}};
	struct core *core = *state;
	struct check *check;

	serve(core, 1);
	check = core_check(core, "s/db/c0");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct metric *before = check->last.metrics;
		size_t room = check->last.max_metrics;

		tell_metrics(core, rows[i].n);
		assert_int_equal(check->last.n_metrics, rows[i].n);
		assert_int_equal(check->last.max_metrics, rows[i].room);
		if (rows[i].room == room)
			assert_ptr_equal(check->last.metrics, before);
		for (size_t k = 0; k < rows[i].n; k++)
			assert_true(check->last.metrics[k].value == (double)(rows[i].n + k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_flood, setup, teardown),
		cmocka_unit_test(test_following),
		cmocka_unit_test_setup_teardown(test_metrics_stay, setup, teardown),
	};

	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
