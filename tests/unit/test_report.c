/* SPDX-License-Identifier: MIT */
/* Reports for the probe passive: what is taken, how long it is believed, over a restart. */
#include "core_fixture.h"
#include <time.h>

#define HOUR_USEC (3600 * USEC_PER_SEC)

static int64_t ahead; /* the time of day, of what it is */
static usec_t later;  /* both clocks: time that has passed */

static usec_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t shifted_now(void)
{
	return read_clock(CLOCK_MONOTONIC) + later;
}

static usec_t shifted_wall(void)
{
	return read_clock(CLOCK_REALTIME) + later + (usec_t)ahead;
}

static const struct clock_source shifted = {shifted_now, shifted_wall};

static const char body[] =
	"[system s]\nenvironment = staging\n[component s/db]\nkind = database\nunit = db.service\n"
	"[check s/db/backup]\nprobe = passive\nttl = 26h\ninterval = 1h\nconfirm = 1 of "
	"1\nflap_high = 0\n"
	"critical.rto_seconds = 600\n"
	"[check s/db/unit]\nprobe = unit\nunit = db.service\ninterval = 1h\n";

#define NAME "s/db/backup"

static int setup(void **state)
{
	struct core *c = calloc(1, sizeof(*c));

	ahead = 0;
	later = 0;
	clock_set_source(&shifted);
	core_setup(c);
	core_apply(c, core_load(c, "", body));
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct core *c = *state;

	core_teardown(c);
	free(c);
	clock_set_source(NULL);
	return 0;
}

static int report(struct core *c, const char *check, const char *state, const char *reason,
	json_t *metrics, struct tend_error *err)
{
	auto_json json_t *given = metrics;
	int n = 0;
	int r = watch_report(c->watch, check, state, reason, "said", given, core_count, &n, err);

	if (r == 0)
		WAIT_FOR(c->loop, n == 1);
	return r;
}

static void assert_is(struct core *c, const char *state, const char *reason, const char *text)
{
	const struct check *check = core_check(c, NAME);

	assert_string_equal(tend_state_name(check->state.hard), state);
	assert_string_equal(tend_reason_name(check->last.reason), reason);
	if (!strstr(check->last.text, text))
		fail_msg("'%s' is not in '%s'", text, check->last.text);
}

static void what_is_reported_is_shown(void **state)
{
	static const struct {
		const char *state, *reason, *shown;
	} rows[] = {
		{"critical", NULL, "reported-critical"},
		{"ok", NULL, "ok"},
		{"warning", NULL, "reported-warning"},
		{"unknown", NULL, "reported-unknown"},
		{"critical", "query-failed", "query-failed"},
		{"ok", "ok", "ok"},
	};
	struct core *c = *state;

	core_run(c, NAME);
	assert_is(c, "pending", "report-awaited", "waiting for the first report");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(report(c, NAME, rows[i].state, rows[i].reason, NULL, NULL), 0);
		assert_is(c, rows[i].state, rows[i].shown, "said");
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *check, *state, *reason, *metrics, *text;
		int r;
	} rows[] = {
		{"s/db/none", "ok", NULL, "{}", "no check", -ENOENT},
		{"s/db/unit", "ok", NULL, "{}", "probe = passive", -EINVAL},
		{NAME, "good", NULL, "{}", "not ok, warning", -EINVAL},
		{NAME, "pending", NULL, "{}", "not ok, warning", -EINVAL},
		{NAME, "ok", "query-failed", "{}", "means critical, not ok", -EINVAL},
		{NAME, "ok", "because", "{}", "no reason 'because'", -EINVAL},
		{NAME, "ok", NULL, "{\"Bad name\":1}", "metric 'Bad name'", -EINVAL},
		{NAME, "ok", NULL, "{\"x\":\"1\"}", "metric 'x'", -EINVAL},
		{NAME, "ok", NULL,
			"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
			"\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,"
			"\"q\":1}",
			"more than 16", -EINVAL},
	};
	struct core *c = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		json_t *metrics = json_loads(rows[i].metrics, 0, NULL);

		assert_int_equal(
			report(c, rows[i].check, rows[i].state, rows[i].reason, metrics, &err),
			rows[i].r);
		if (!strstr(err.text, rows[i].text))
			fail_msg("row %zu: '%s'", i, err.text);
	}
	core_run(c, NAME);
	assert_is(c, "pending", "report-awaited", "waiting");
}

static void silence_is_found_out(void **state)
{
	struct core *c = *state;

	later = 25 * HOUR_USEC;
	core_run(c, NAME);
	assert_is(c, "pending", "report-awaited", "waiting");
	assert_int_equal(watch_find_component(c->watch, "s/db")->state, TEND_STATE_PENDING);
	assert_true(core_check(c, NAME)->n_good == 0 && core_check(c, NAME)->n_failed == 0);
	later = 27 * HOUR_USEC;
	core_run(c, NAME);
	assert_is(c, "critical", "report-missing", "nothing was ever reported, waited for 1d3h");
	assert_int_equal(report(c, NAME, "ok", NULL, NULL, NULL), 0);
	assert_is(c, "ok", "ok", "said");
	later += 26 * HOUR_USEC + 60 * USEC_PER_SEC;
	core_run(c, NAME);
	assert_is(c, "critical", "report-missing", "1d2h old");
	assert_is(c, "critical", "report-missing", "it said ok: said");
}

/* What has failed and is waited for anew (a longer ttl) is not well by that. */
static void a_longer_wait_mends_nothing(void **state)
{
	static const char longer[] = "[system s]\nenvironment = staging\n[component s/db]\n"
				     "kind = database\n[check s/db/backup]\nprobe = passive\n"
				     "ttl = 52h\ninterval = 1h\nconfirm = 1 of 1\n";
	struct core *c = *state;

	later = 27 * HOUR_USEC;
	core_run(c, NAME);
	assert_is(c, "critical", "report-missing", "nothing was ever reported");
	core_apply(c, core_load(c, "", longer));
	core_run(c, NAME);
	assert_is(c, "pending", "report-awaited", "waiting");
	assert_int_equal(report(c, NAME, "ok", NULL, NULL, NULL), 0);
	assert_is(c, "ok", "ok", "said");
}

/* A clock that is set makes nothing older or younger; over a restart only the time of day tells how
 * old a report is, and one of a time to come is as old as we are, at least. */
static void it_ages_by_no_calendar(void **state)
{
	static const struct {
		int ahead_at, ahead_then, hours; /* of the clock when it came, and later; passed */
		bool restart;
		const char *is;
	} rows[] = {
		{0, 0, 25, false, "ok"},
		{0, 0, 27, false, "critical"},
		{0, 87600, 1, false, "ok"},
		{87600, 0, 25, false, "ok"},
		{87600, 0, 27, false, "critical"},
		{0, -87600, 27, false, "critical"},
		{0, 0, 25, true, "ok"},
		{0, 0, 27, true, "critical"},
		{87600, 0, 1, true, "ok"},
	};
	struct core *c = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		later = 0;
		ahead = rows[i].ahead_at * (int64_t)HOUR_USEC;
		assert_int_equal(report(c, NAME, "ok", NULL, NULL, NULL), 0);
		ahead = rows[i].ahead_then * (int64_t)HOUR_USEC;
		later = (usec_t)rows[i].hours * HOUR_USEC;
		if (rows[i].restart) {
			core_close(c);
			core_open(c);
			core_apply(c, core_load(c, "", body));
		}
		core_run(c, NAME);
		if (strcmp(tend_state_name(core_check(c, NAME)->state.hard), rows[i].is) != 0)
			fail_msg("row %zu: %s", i, core_check(c, NAME)->last.text);
	}
	later = 28 * HOUR_USEC;
	core_run(c, NAME);
	assert_is(c, "critical", "report-missing", "1d3h old");
}

static void metrics_are_judged(void **state)
{
	struct core *c = *state;
	const struct check *check;

	assert_int_equal(report(c, NAME, "ok", NULL,
				 json_pack("{s:f, s:i}", "rto_seconds", 1.5, "sets", 3), NULL),
		0);
	check = core_check(c, NAME);
	assert_int_equal(check->last.n_metrics, 3);
	assert_string_equal(check->last.metrics[0].name, "rto_seconds");
	assert_string_equal(check->last.metrics[0].unit, "s");
	assert_int_equal(
		report(c, NAME, "ok", NULL, json_pack("{s:i}", "rto_seconds", 700), NULL), 0);
	assert_is(c, "critical", "threshold", "rto_seconds is 700");
}

static void it_outlives_a_restart(void **state)
{
	struct core *c = *state;

	assert_int_equal(report(c, NAME, "warning", NULL, json_pack("{s:i}", "sets", 4), NULL), 0);
	core_close(c);
	core_open(c);
	core_apply(c, core_load(c, "", body));
	core_run(c, NAME);
	assert_is(c, "warning", "reported-warning", "said");
	assert_true(core_check(c, NAME)->last.metrics[0].value > 3.9);
	/* And the time since one is waited for does. */
	core_apply(c, core_load(c, "", body));
	later = 27 * HOUR_USEC;
	core_run(c, NAME);
	assert_is(c, "critical", "report-missing", "it said warning: said");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_reported_is_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_is_found_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_wait_mends_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(it_ages_by_no_calendar, setup, teardown),
		cmocka_unit_test_setup_teardown(metrics_are_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(it_outlives_a_restart, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
