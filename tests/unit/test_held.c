/* SPDX-License-Identifier: MIT */
/* What windows do to checks and to notices, with the real store, watch and incidents: inside, at
 * the end, and over a restart. The time of day is the test's. */
#include "core_fixture.h"
#include <syslog.h>
#include <time.h>
#include "calendar/keeper.h"
#include "incident/private.h"

struct world {
	struct core core;
	struct incidents *incidents;
	struct keeper *keeper;
	char told[512];	  /* "raised s/db/a; cleared s/db/a; " */
	char opened[256]; /* "w; " */
	bool deaf;	  /* the keeper's looks are not passed on */
};

static usec_t wall_offset; /* of the real clock */

static usec_t real(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t test_now(void)
{
	return real(CLOCK_MONOTONIC);
}

static usec_t test_wall(void)
{
	return real(CLOCK_REALTIME) + wall_offset;
}

static void set_wall(const char *text)
{
	usec_t wall = 0;

	assert_int_equal(clock_parse(text, &wall), 0);
	wall_offset = wall - real(CLOCK_REALTIME);
}

#define BEFORE "2026-12-01T01:00:00.000000Z"
#define INSIDE "2026-12-01T02:30:00.000000Z"
#define AFTER  "2026-12-01T03:30:00.000000Z"
#define LATER  "2026-12-08T02:30:00.000000Z"

static const char systems[] = "[system s]\nenvironment = production\n"
			      "[component s/db]\nkind = database\n"
			      "[component s/web]\nkind = web\n" CHECK("s/db/a", "s.db.a", "")
				      CHECK("s/db/b", "s.db.b", "") CHECK("s/web/a", "s.web.a", "");
static const char *const names[] = {"s/db/a", "s/db/b", "s/web/a"};
#define QUIET                                                                                      \
	"[window w]\ncron = 0 2 1,8 12 *\nduration = 1h\nmatch_component = s/db\nalerts = quiet\n"
#define PAUSE                                                                                      \
	"[window w]\ncron = 0 2 1,8 12 *\nduration = 1h\nmatch_component = s/db\nchecks = pause\n"

static uint64_t on_event(
	struct incident *incident, enum incident_event event, struct store_batch *batch, void *data)
{
	struct world *w = data;
	size_t len = strlen(w->told);

	assert_non_null(batch);
	(void)snprintf(w->told + len, sizeof(w->told) - len, "%s %s; ", incident_event_names[event],
		incident->fingerprint);
	return 1;
}

static bool hold(
	const struct incident *incident, bool closing, struct incident_hold *ret_hold, void *data)
{
	const struct world *w = data;
	const struct conf_component *c = map_get(&w->core.conf->components, incident->component);

	*ret_hold = (struct incident_hold){.kind = "window", .why = "the window is open"};
	return c && windows_quiet(w->core.conf, c, map_get(&w->core.conf->checks, incident->check),
			    clock_wall(), NULL);
}

static void on_look(void *data)
{
	struct world *w = data;

	if (w->deaf)
		return;
	watch_look_at_windows(w->core.watch);
	incidents_release(w->incidents);
}

static void on_opened(const struct conf_window *window, const struct window_span *span, void *data)
{
	struct world *w = data;
	size_t len = strlen(w->opened);

	assert_true(span->opens <= clock_wall() && clock_wall() < span->closes);
	(void)snprintf(w->opened + len, sizeof(w->opened) - len, "%s; ", window->name);
}

static void on_result(struct check *check, unsigned events, void *data)
{
	struct world *w = data;

	incidents_on_result(w->incidents, check, events);
}

static void begin(struct world *w)
{
	struct incidents_hooks hooks = {on_event, NULL, NULL, NULL, w};
	struct keeper_deps deps = {
		.loop = w->core.loop,
		.store = w->core.store,
		.on_opened = on_opened,
		.on_look = on_look,
		.data = w,
	};

	assert_int_equal(
		incidents_new(w->core.loop, w->core.store, w->core.watch, &w->incidents), 0);
	assert_int_equal(keeper_new(&deps, &w->keeper), 0);
	incidents_set_hooks(w->incidents, &hooks);
	incidents_set_hold(w->incidents, hold, w);
	watch_on_result(w->core.watch, on_result, w);
}

static void apply(struct world *w, const char *windows)
{
	auto_free char *text = str_printf("%s%s", systems, windows);

	core_apply(&w->core, core_load(&w->core, "", text));
	incidents_apply(w->incidents);
	assert_int_equal(keeper_apply(w->keeper, w->core.conf), 0);
}

static void end(struct world *w)
{
	w->keeper = keeper_free(w->keeper);
	w->incidents = incidents_free(w->incidents);
}

static void restart(struct world *w, const char *windows)
{
	end(w);
	core_close(&w->core);
	core_open(&w->core);
	begin(w);
	apply(w, windows);
}

static int setup(void **state)
{
	static const struct clock_source source = {test_now, test_wall};
	struct world *w = calloc(1, sizeof(*w));

	clock_set_source(&source);
	set_wall(BEFORE);
	core_setup(&w->core);
	begin(w);
	apply(w, "");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		core_tell(&w->core, names[i], "ok");
		core_run(&w->core, names[i]);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	end(w);
	core_teardown(&w->core);
	clock_set_source(NULL);
	free(w);
	return 0;
}

/* The clock moves, and tendd's timer with it. */
static void go(struct world *w, const char *wall)
{
	set_wall(wall);
	keeper_look(w->keeper);
}

static void expect_told(struct world *w, const char *told)
{
	if (strcmp(w->told, told) != 0)
		fail_msg("told '%s', expected '%s'", w->told, told);
}

static const struct incident *only(const struct world *w)
{
	assert_int_equal(incidents_open(w->incidents)->len, 1);
	return incidents_open(w->incidents)->items[0];
}

static bool idle(struct world *w)
{
	return !core_locating(&w->core);
}

/* ---- notices -------------------------------------------------------------------------------- */

static void what_still_fails_is_told_after_it(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	assert_string_equal(w->opened, "w; ");
	core_fail(&w->core, "s/db/a", "connect-refused");
	core_fail(&w->core, "s/db/b", "connect-refused");
	assert_false(only(w)->told);
	assert_int_equal(incidents_n_held(w->incidents), 1);
	expect_told(w, "");
	go(w, AFTER);
	expect_told(w, ""); /* not before the fresh look */
	WAIT_FOR(w->core.loop, *w->told);
	expect_told(w, "raised s/db/a; ");
	assert_true(only(w)->told);
	assert_int_equal(incidents_n_held(w->incidents), 0);
	core_tell(&w->core, "s/db/a", "ok");
	core_tell(&w->core, "s/db/b", "ok");
	core_run(&w->core, "s/db/a");
	core_run(&w->core, "s/db/b");
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	expect_told(w, "raised s/db/a; cleared s/db/a; ");
}

static void what_came_and_went_is_not_told(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	core_fail(&w->core, "s/db/a", "connect-refused");
	assert_int_equal(incidents_open(w->incidents)->len, 1);
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	go(w, AFTER);
	WAIT_FOR(w->core.loop, idle(w));
	expect_told(w, "");
}

/* It is mended when the window ends, but nobody has looked since: the look, not the window's end,
 * decides. */
static void what_is_well_at_the_end_is_not_told(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	core_fail(&w->core, "s/db/a", "connect-refused");
	core_tell(&w->core, "s/db/a", "ok");
	go(w, AFTER);
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	expect_told(w, "");
}

static void a_raise_of_before_has_its_clear_after(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	core_fail(&w->core, "s/db/a", "connect-refused");
	expect_told(w, "raised s/db/a; ");
	go(w, INSIDE);
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, only(w)->close_held);
	expect_told(w, "raised s/db/a; ");
	restart(w, QUIET);
	assert_int_equal(incidents_open(w->incidents)->len, 1);
	go(w, AFTER);
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	expect_told(w, "raised s/db/a; cleared s/db/a; ");
}

/* Well inside, broken again at the end: it was one incident all the time. */
static void what_fails_again_is_still_the_same(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	core_fail(&w->core, "s/db/a", "connect-refused");
	go(w, INSIDE);
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, only(w)->close_held);
	core_fail(&w->core, "s/db/a", "connect-refused");
	assert_false(only(w)->close_held);
	go(w, AFTER);
	WAIT_FOR(w->core.loop, idle(w));
	expect_told(w, "raised s/db/a; ");
	assert_int_equal(incidents_open(w->incidents)->len, 1);
}

static void a_change_inside_is_told_after_it(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	core_fail(&w->core, "s/db/a", "unit-changing");
	expect_told(w, "raised s/db/a; ");
	go(w, INSIDE);
	core_fail(&w->core, "s/db/b", "connect-refused");
	assert_true(only(w)->change_held);
	expect_told(w, "raised s/db/a; ");
	restart(w, QUIET);
	assert_true(only(w)->change_held);
	go(w, AFTER);
	WAIT_FOR(w->core.loop, strstr(w->told, "changed"));
	expect_told(w, "raised s/db/a; changed s/db/a; ");
}

static void a_restart_inside_loses_nothing(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	core_fail(&w->core, "s/db/a", "connect-refused");
	restart(w, QUIET);
	assert_false(only(w)->told);
	assert_string_equal(w->opened, "w; "); /* once */
	expect_told(w, "");
	go(w, AFTER);
	WAIT_FOR(w->core.loop, *w->told);
	expect_told(w, "raised s/db/a; ");
	go(w, LATER);
	assert_string_equal(w->opened, "w; w; ");
}

/* Down when the window ended: the next start makes up for it. */
static void an_end_that_was_missed_is_made_up_for(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	core_fail(&w->core, "s/db/a", "connect-refused");
	end(w);
	core_close(&w->core);
	set_wall(AFTER);
	core_open(&w->core);
	begin(w);
	apply(w, QUIET);
	WAIT_FOR(w->core.loop, *w->told);
	expect_told(w, "raised s/db/a; ");
}

static void a_window_taken_away_ends(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	core_fail(&w->core, "s/db/a", "connect-refused");
	apply(w, "");
	WAIT_FOR(w->core.loop, *w->told);
	expect_told(w, "raised s/db/a; ");
}

static void others_are_told_meanwhile(void **state)
{
	struct world *w = *state;

	apply(w, QUIET);
	go(w, INSIDE);
	core_fail(&w->core, "s/web/a", "connect-refused");
	expect_told(w, "raised s/web/a; ");
}

/* It opens in the window, and turns out to be the fault of a component outside. */
static void a_cause_outside_is_told_at_once(void **state)
{
	struct world *w = *state;

	apply(w, "[window w]\ncron = 0 2 1,8 12 *\nduration = 1h\nmatch_component = s/child\n"
		 "alerts = quiet\n[component s/child]\ndepends = db\n" CHECK(
			 "s/child/a", "s.child.a", ""));
	go(w, INSIDE);
	core_fail(&w->core, "s/child/a", "connect-refused");
	expect_told(w, "");
	core_fail(&w->core, "s/db/a", "connect-refused");
	expect_told(w, "raised s/child/a; ");
	assert_string_equal(only(w)->component, "s/db");
}

/* ---- checks --------------------------------------------------------------------------------- */

static void a_paused_check_does_not_run(void **state)
{
	struct world *w = *state;
	struct check *db, *web;
	uint64_t n_db, n_web;

	apply(w, PAUSE);
	core_fail(&w->core, "s/db/a", "connect-refused");
	go(w, INSIDE);
	db = core_check(&w->core, "s/db/a");
	web = core_check(&w->core, "s/web/a");
	n_db = db->n_attempts;
	n_web = web->n_attempts;
	assert_true(db->paused && !web->paused);
	assert_int_equal(heap_put(&w->core.watch->due, &db->due, clock_now()), 0);
	assert_int_equal(heap_put(&w->core.watch->due, &web->due, clock_now()), 0);
	watch_look_at_windows(w->core.watch);
	loop_timer_set(w->core.watch->timer, clock_now());
	WAIT_FOR(w->core.loop, web->n_attempts > n_web);
	assert_int_equal(db->n_attempts, n_db);
	assert_int_equal(db->n_overruns, 0);
	assert_true(db->due.at > clock_now());
	assert_int_equal(watch_check_shown_state(db), TEND_STATE_CRITICAL);
	/* One who asks is answered. */
	core_run(&w->core, "s/db/a");
	assert_int_equal(db->n_attempts, n_db + 1);
	go(w, AFTER);
	assert_false(db->paused);
	WAIT_FOR(w->core.loop, db->n_attempts == n_db + 2); /* at once, not in an hour */
}

static void a_paused_check_says_so(void **state)
{
	struct world *w = *state;
	auto_json json_t *doc = NULL, *free_doc = NULL;

	apply(w, PAUSE);
	go(w, INSIDE);
	doc = watch_check_to_json(core_check(&w->core, "s/db/a"), true);
	free_doc = watch_check_to_json(core_check(&w->core, "s/web/a"), true);
	assert_string_equal(json_string_value(json_object_get(doc, "paused")), "w");
	assert_string_equal(json_string_value(json_object_get(doc, "paused_until")),
		"2026-12-01T03:00:00.000000Z");
	assert_non_null(strstr(json_string_value(json_object_get(doc, "paused_text")),
		"until 2026-12-01 03:00 UTC"));
	assert_string_equal(json_string_value(json_object_get(doc, "state")), "ok");
	assert_true(json_is_null(json_object_get(free_doc, "paused")));
}

/* ---- the clock ------------------------------------------------------------------------------ */

/* By the timer alone: a window of a second opens and closes without anybody asking. */
static void edges_are_seen_in_time(void **state)
{
	struct world *w = *state;

	set_wall("2026-12-01T01:59:59.700000Z");
	apply(w, "[window w]\nstart = 2026-12-01T02:00\nduration = 1s\nmatch_component = s/db\n"
		 "checks = pause\n");
	assert_string_equal(w->opened, "");
	assert_false(core_check(&w->core, "s/db/a")->paused);
	WAIT_FOR(w->core.loop, core_check(&w->core, "s/db/a")->paused);
	assert_string_equal(w->opened, "w; ");
	assert_true(clock_wall() % (3600 * USEC_PER_SEC) < USEC_PER_SEC / 2);
	WAIT_FOR(w->core.loop, !core_check(&w->core, "s/db/a")->paused);
	assert_in_range(clock_wall() % (3600 * USEC_PER_SEC), USEC_PER_SEC, USEC_PER_SEC * 3 / 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_still_fails_is_told_after_it),
		TEST(what_came_and_went_is_not_told),
		TEST(what_is_well_at_the_end_is_not_told),
		TEST(a_raise_of_before_has_its_clear_after),
		TEST(what_fails_again_is_still_the_same),
		TEST(a_change_inside_is_told_after_it),
		TEST(a_restart_inside_loses_nothing),
		TEST(an_end_that_was_missed_is_made_up_for),
		TEST(a_window_taken_away_ends),
		TEST(others_are_told_meanwhile),
		TEST(a_cause_outside_is_told_at_once),
		TEST(a_paused_check_does_not_run),
		TEST(a_paused_check_says_so),
		TEST(edges_are_seen_in_time),
	};

	log_set_level(LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
