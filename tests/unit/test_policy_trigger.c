/* SPDX-License-Identifier: MIT */
/* What starts a run: the clock, events, incidents of a kind, a hand; and what keeps it waiting. */
#include "policy_fixture.h"
#include <time.h>

/* ---- a clock that can be set
 * ------------------------------------------------------------------------------------------ */

static int64_t wall_offset;

static usec_t real(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t told_now(void)
{
	return real(CLOCK_MONOTONIC);
}

static usec_t told_wall(void)
{
	return (usec_t)((int64_t)real(CLOCK_REALTIME) + wall_offset);
}

static void set_clock(const char *text)
{
	static const struct clock_source source = {told_now, told_wall};
	usec_t wall;

	assert_int_equal(clock_parse(text, &wall), 0);
	wall_offset = (int64_t)wall - (int64_t)real(CLOCK_REALTIME);
	clock_set_source(&source);
}

static int clock_teardown(void **state)
{
	clock_set_source(NULL);
	return teardown(state);
}

#define CLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, clock_teardown)

/* ---- schedules
 * -----------------------------------------------------------------------------------------------
 */

static void write_nightly(struct world *w, const char *missed)
{
	auto_free char *text = str_printf(
		"policy 'nightly' { schedule = { cron = '0 2 * * *', timezone = 'Asia/Shanghai',\n"
		"    missed = '%s' },\n"
		"  targets = { kind = 'web' }, timeout = '5s',\n"
		"  run = function(ctx)\n"
		"    tend.log(ctx.trigger.kind .. ' ' .. ctx.calendar.weekday .. ' ' ..\n"
		"      ctx.calendar.date .. ' ' .. ctx.calendar.hour .. ' ' .. ctx.trigger.due)\n"
		"    return true\n  end }\n",
		missed);

	write_policy(w, "nightly", text);
}

static char *said(struct world *w, const char *run)
{
	auto_json json_t *rows = show(w, run);
	json_t *step = json_array_get(json_object_get(json_array_get(rows, 0), "steps"), 0);
	const char *text =
		json_string_value(json_object_get(json_object_get(step, "args"), "text"));

	return strdup(text ? text : "");
}

/* It runs at its time, in its zone, knows the day, and once: also over a restart. */
static void test_schedule(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL;
	auto_json json_t *next = NULL;
	struct tend_error err = {0};

	write_nightly(w, "skip");
	set_clock("2026-02-28T17:59:58.000000Z");
	ready(w);
	next = policies_next(w->policies, "nightly", 3, &err);
	assert_int_equal(json_array_size(next), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(next, 0), "local")),
		"2026-03-01 02:00+08:00 Asia/Shanghai");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(next, 0), "target")), "s/web");
	assert_int_equal(w->policies->recent.len, 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	text = said(w, last_run(w)->id);
	assert_string_equal(text, "schedule sunday 2026-03-01 2 1772301600");
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	set_clock("2026-03-01T17:59:59.500000Z");
	apply(w);
	WAIT_FOR(w->core.loop, ended(w, 2));
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	schedules_look(w->policies);
	assert_int_equal(live(w), 0);
	assert_null(policies_next(w->policies, "nobody", 3, &err));
}

/* Its time has come, its start not yet: that is the next one. */
static void test_next_is_spread(void **state)
{
	struct world *w = *state;
	auto_json json_t *next = NULL;
	json_t *row;
	struct tend_error err = {0};

	write_policy(w, "nightly",
		"policy 'nightly' { schedule = { cron = '0 2 * * *', jitter = '9h' },\n"
		"  targets = { kind = 'web' }, run = function(ctx) return true end }\n");
	set_clock("2026-03-01T01:59:58.000000Z");
	ready(w);
	set_clock("2026-03-01T02:00:01.000000Z");
	next = policies_next(w->policies, "nightly", 2, &err);
	assert_int_equal(json_array_size(next), 2);
	row = json_array_get(next, 0);
	assert_string_equal(
		json_string_value(json_object_get(row, "tick")), "2026-03-01T02:00:00.000000Z");
	row = json_array_get(next, 1);
	assert_string_equal(
		json_string_value(json_object_get(row, "tick")), "2026-03-02T02:00:00.000000Z");
	assert_int_equal(live(w), 0);
}

/* Away for three nights and a bit. */
static void test_missed(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *missed;
		size_t n;
	} rows[] = {{"skip", 0}, {"once", 1}, {"all", 3}};
	size_t n = 0;

	set_clock("2026-03-01T00:00:00.000000Z");
	write_nightly(w, "skip");
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static const char *const days[] = {"2026-03-04T00:00:00.000000Z",
			"2026-03-07T00:00:00.000000Z", "2026-03-10T00:00:00.000000Z"};
		auto_free char *text = NULL;

		write_nightly(w, rows[i].missed);
		apply(w);
		WAIT_FOR(w->core.loop, described(w));
		n += rows[i].n;
		set_clock(days[i]);
		for (size_t k = 0; k < rows[i].n + 2; k++) {
			schedules_look(w->policies);
			WAIT_FOR(w->core.loop, live(w) == 0);
		}
		assert_int_equal(w->policies->recent.len, n);
		if (n == 0)
			continue;
		text = said(w, last_run(w)->id); /* the youngest is the last */
		assert_non_null(strstr(text, i == 1 ? "2026-03-07 2" : "2026-03-10 2"));
	}
}

/* The clock was years ahead: what it has seen there is forgotten. And a step back repeats nothing.
 */
static void test_clock_steps(void **state)
{
	struct world *w = *state;

	set_clock("2026-03-01T17:59:59.000000Z");
	write_nightly(w, "skip");
	begin(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	set_clock("2026-03-01T17:59:59.900000Z"); /* again */
	schedules_look(w->policies);
	for (usec_t until = clock_now() + 300 * USEC_PER_MSEC; clock_now() < until;)
		assert_true(loop_turn(w->core.loop, 20 * USEC_PER_MSEC) >= 0);
	assert_int_equal(w->policies->recent.len, 1);
	assert_int_equal(live(w), 0);
	set_clock("2036-03-01T00:00:00.000000Z");
	schedules_look(w->policies);
	set_clock("2026-03-05T00:00:00.000000Z");
	schedules_look(w->policies);
	set_clock("2026-03-05T17:59:59.800000Z");
	schedules_look(w->policies);
	WAIT_FOR(w->core.loop, ended(w, 2));
}

static void look_at(struct world *w, const char *when)
{
	set_clock(when);
	schedules_look(w->policies);
	WAIT_FOR(w->core.loop, live(w) == 0);
}

/* Two hours ahead for a while: what was passed over there comes at its time. */
static void test_clock_ahead(void **state)
{
	struct world *w = *state;

	set_clock("2026-03-01T16:30:00.000000Z");
	write_nightly(w, "skip");
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	look_at(w, "2026-03-01T16:30:00.000000Z");
	look_at(w, "2026-03-01T18:30:00.000000Z");
	look_at(w, "2026-03-01T16:31:00.000000Z");
	look_at(w, "2026-03-01T18:30:00.000000Z");
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(w->policies->recent.len, 0);
	look_at(w, "2026-03-01T16:32:00.000000Z");
	look_at(w, "2026-03-01T18:00:01.000000Z");
	assert_int_equal(w->policies->recent.len, 1);
	look_at(w, "2026-03-01T18:00:02.000000Z");
	assert_int_equal(w->policies->recent.len, 1);
}

/* What was begun there is not begun again; what lies before that is. */
static void begun_ahead(struct world *w, bool restarts)
{
	static const struct {
		const char *when;
		size_t n;
	} rows[] = {{"2026-03-01T16:30:00.000000Z", 0}, {"2026-03-01T18:00:01.000000Z", 1},
		{"2026-03-01T16:40:00.000000Z", 1}, {"2026-03-01T17:00:01.000000Z", 2},
		{"2026-03-01T18:00:01.000000Z", 2}, {"2026-03-01T18:00:00.000000Z", 2},
		{"2026-03-01T19:00:01.000000Z", 3}};

	set_clock(rows[0].when);
	write_policy(w, "hourly",
		"policy 'hourly' { schedule = '@hourly', targets = { kind = 'web' },\n"
		"run = function(ctx) return true end }\n");
	begin(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (restarts && i > 0)
			restart(w);
		WAIT_FOR(w->core.loop, described(w));
		look_at(w, rows[i].when);
		if (w->policies->recent.len != rows[i].n)
			fail_msg("%zu: %zu runs", i, w->policies->recent.len);
	}
}

static void test_begun_ahead(void **state)
{
	begun_ahead(*state, false);
}

static void test_begun_ahead_restarts(void **state)
{
	begun_ahead(*state, true);
}

/* Paused, it waits; the configuration may move it; without targets it is told. */
static void test_schedule_settings(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	auto_json json_t *next = NULL;
	const struct policy_def *def;

	set_clock("2026-03-01T09:59:59.500000Z");
	write_nightly(w, "skip");
	write_policy(w, "lost",
		"policy 'lost' { schedule = '@daily', run = function() return true end }\n");
	write_policy(w, "odd",
		"policy 'odd' { schedule = '0 99 * * *', targets = { component = '*' },\n"
		"  run = function() return true end }\n");
	w->daemon = "mode.production = auto\n[policy nightly]\nschedule = 0 10 * * *\n"
		    "timezone = UTC\n";
	ready(w);
	assert_int_equal(policies_pause(w->policies, "ann", "later", NULL, NULL, &err), 0);
	WAIT_FOR(w->core.loop, clock_wall() / USEC_PER_SEC % 60 == 1);
	schedules_look(w->policies);
	assert_int_equal(w->policies->recent.len + live(w), 0);
	assert_int_equal(policies_resume(w->policies, "ann", NULL, NULL, &err), 0);
	schedules_look(w->policies);
	WAIT_FOR(w->core.loop, ended(w, 1));
	next = policies_next(w->policies, "nightly", 1, &err);
	assert_string_equal(json_string_value(json_object_get(json_array_get(next, 0), "local")),
		"2026-03-02 10:00 UTC");
	def = map_get(&w->policies->catalog->defs, "lost");
	assert_non_null(strstr(def->error, "no targets"));
	def = map_get(&w->policies->catalog->defs, "odd");
	assert_non_null(def->error);
	assert_null(policies_next(w->policies, "odd", 1, &err));
}

/* ---- events
 * ----------------------------------------------------------------------------------------------------
 */

static size_t runs_of(const struct world *w, const char *policy)
{
	size_t n = 0;

	VEC_FOREACH (&w->policies->recent, const struct run *, run)
		n += strcmp(run->policy, policy) == 0;
	return n;
}

static void test_events(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL;

	write_policy(
		w, "first", "policy 'first' { hand = true, run = function() return true end }\n");
	write_policy(w, "second",
		"policy 'second' { on = { event = { type = 'policy-ended', policy = 'fir*',\n"
		"    state = { 'done', 'failed' } } },\n"
		"  run = function(ctx)\n"
		"    local e = ctx.trigger.event\n"
		"    tend.log(ctx.trigger.kind .. ' ' .. e.type .. ' ' .. e.policy .. ' ' .. "
		"e.state)\n"
		"    return true\n  end }\n");
	write_policy(w, "late",
		"policy 'late' { on = { event = { type = 'heartbeat-late' } },\n"
		"  targets = { component = 's/w*' }, run = function() return true end }\n");
	ready(w);
	run_by_hand(w, "first");
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_string_equal(last_run(w)->policy, "second");
	text = said(w, last_run(w)->id);
	assert_string_equal(text, "event policy-ended first done");
	policies_event(w->policies, POLICY_EVENT_HEARTBEAT_LATE, NULL, NULL);
	policies_event(w->policies, POLICY_EVENT_WINDOW_OPENED, "s/web", NULL);
	WAIT_FOR(w->core.loop, ended(w, 3));
	assert_string_equal(last_run(w)->policy, "late");
}

/* An inventory that differs, a report that does not come: nobody has to tell of them. */
static void test_own_events(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL;

	write_policy(w, "look",
		"policy 'look' { hand = true, params = { v = 'string' }, run = function(ctx)\n"
		"  tend.record.put{ kind = 'inventory', key = 'crm', value = { v = ctx.params.v } "
		"}\n"
		"  return true\nend }\n");
	write_policy(w, "changed",
		"policy 'changed' { on = { event = { type = 'version-changed', component = 's/*' } "
		"},\n"
		"  run = function(ctx)\n"
		"    local e = ctx.trigger.event\n"
		"    tend.log(e.key .. ' ' .. e.before.v .. ' ' .. e.after.v)\n"
		"    return true\n  end }\n");
	write_policy(w, "late",
		"policy 'late' { on = { event = { type = 'heartbeat-late' } },\n"
		"  run = function() return true end }\n");
	ready(w);
	for (size_t i = 0; i < 3; i++) {
		static const char *const versions[] = {"1", "1", "2"};
		auto_json json_t *params = json_pack("{s:s}", "v", versions[i]);
		struct tend_error err = {0};
		char id[UUID_TEXT_BYTES];

		assert_int_equal(
			policies_run(w->policies, "look", "s/web", params, "ann", id, &err), 0);
		WAIT_FOR(w->core.loop, live(w) == 0 && runs_of(w, "look") == i + 1);
	}
	WAIT_FOR(w->core.loop, ended(w, 4));
	text = said(w, last_run(w)->id);
	assert_string_equal(text, "crm 1 2");
	core_fail(&w->core, "s/web/a", "report-missing");
	WAIT_FOR(w->core.loop, ended(w, 5));
	assert_string_equal(last_run(w)->policy, "late");
}

/* Two policies that start each other are stopped, and so is one that starts itself. */
static void test_event_loop(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		auto_free char *text = str_printf(
			"policy '%s' { on = { event = { type = 'policy-ended', policy = '%s' } },\n"
			"  hand = true, run = function() return true end }\n",
			i ? "pong" : "ping", i ? "ping" : "pong");

		write_policy(w, i ? "pong" : "ping", text);
	}
	ready(w);
	run_by_hand(w, "ping");
	WAIT_FOR(w->core.loop, ended(w, 6));
	for (int i = 0; i < 20; i++)
		assert_true(loop_turn(w->core.loop, 10 * USEC_PER_MSEC) >= 0);
	assert_int_equal(w->policies->recent.len, 6); /* one, and five that follow */
	assert_int_equal(runs_of(w, "ping"), 3);
}

/* ---- incidents
 * -------------------------------------------------------------------------------------------------
 */

static void test_incident_patterns(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *name, *on;
		size_t n;
	} rows[] = {
		{"a-both", "class = 'software', category = 'network'", 1},
		{"b-category", "category = { 'unit', 'tls' }", 0},
		{"b-class", "class = { 'hardware', 'business', 'security' }", 0},
		{"c-env", "environment = 'staging'", 0},
		{"d-severity", "severity = 'info'", 0},
	};
	auto_free char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *source = str_printf(
			"policy '%s' { on = { incident = { %s } },\n"
			"  run = function(ctx)\n"
			"    tend.log(ctx.incident.class .. ' ' .. ctx.incident.category)\n"
			"    return true\n  end }\n",
			rows[i].name, rows[i].on);

		write_policy(w, rows[i].name, source);
	}
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(runs_of(w, rows[i].name), rows[i].n);
	text = said(w, last_run(w)->id);
	assert_string_equal(text, "software network");
	assert_true(explained(w, "the environment is another"));
	assert_true(explained(w, "the category of its reason is another"));
	assert_true(explained(w, "its class is another"));
}

/* ---- by hand
 * ---------------------------------------------------------------------------------------------------
 */

/* One that never helps, and is first by its name, keeps no other from its turn; one that lacks a
 * parameter does not begin at all. */
static void test_turns(void **state)
{
	struct world *w = *state;

	w->daemon = "mode.production = auto\ncooldown = 0\n";
	write_policy(w, "a-useless",
		"policy 'a-useless' { on = { incident = { component = 's/web' } },\n"
		"  run = function() return nil, 'it is not for me', 'refused' end }\n");
	write_policy(w, "b-unset",
		"policy 'b-unset' { on = { incident = { component = 's/web' } }, hand = true,\n"
		"  params = { what = 'string' }, run = function() return true end }\n");
	write_policy(w, "mend", mend);
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, runs_of(w, "mend") == 1);
	assert_true(runs_of(w, "a-useless") <= 2);
	assert_int_equal(runs_of(w, "b-unset"), 0);
	assert_true(explained(w, "not configured: b-unset: parameter 'what' is not given"));
}

static void test_params(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *params, *error;
	} rows[] = {
		{"{}", "parameter 'n' is not given: how many: n=integer"},
		{"{\"n\":\"many\"}", "parameter 'n' must be a whole number, not 'many'"},
		{"{\"n\":\"2.5\"}", "must be a whole number"},
		{"{\"n\":\"0x2\"}", "must be a whole number"},
		{"{\"n\":11}", "must be at most 10"},
		{"{\"n\":0}", "must be at least 1"},
		{"{\"n\":1,\"how\":\"fast\"}", "must be one of slow, gentle"},
		{"{\"n\":1,\"how\":7}", "must be a text"},
		{"{\"n\":1,\"wait\":\"soon\"}", "must be a duration"},
		{"{\"n\":1,\"wait\":\"3h\"}", "must be at most 3600"},
		{"{\"n\":1,\"all\":\"perhaps\"}", "must be true or false"},
		{"{\"n\":1,\"who\":\"a, b, c\"}", "must have at most 2 entries"},
		{"{\"n\":1,\"whom\":\"a\"}", "no parameter 'whom', did you mean 'who'?"},
		{"{\"n\":\"3\",\"how\":\"gentle\",\"wait\":\"1m30s\",\"all\":\"yes\",\"who\":\"a, "
		 "b\",\"part\":\"0.5\"}",
			NULL},
	};
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "work",
		"policy 'work' { hand = true, params = {\n"
		"    n = { type = 'integer', min = 1, max = 10, doc = 'how many' },\n"
		"    how = { type = 'string', choices = { 'slow', 'gentle' }, default = 'slow' },\n"
		"    wait = { type = 'duration', max = '1h', default = '1s' },\n"
		"    all = { type = 'boolean', default = false },\n"
		"    part = { type = 'number', default = 1 },\n"
		"    who = { type = 'list', max = 2, default = {} } },\n"
		"  run = function(ctx)\n"
		"    local p = ctx.params\n"
		"    return p.n == 3 and p.how == 'gentle' and p.wait == 90 and p.all == true\n"
		"      and p.part == 0.5 and #p.who == 2 and p.who[2] == 'b'\n"
		"  end }\n");
	ready(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *params = json_loads(rows[i].params, 0, NULL);
		int r = policies_run(w->policies, "work", "s/web", params, "ann", id, &err);

		if (!rows[i].error)
			assert_int_equal(r, 0);
		else if (r != -EINVAL || !strstr(err.text, rows[i].error))
			fail_msg("%s: %d '%s'", rows[i].params, r, err.text);
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	/* and of the configuration, when it is applied */
	w->daemon = "mode.production = auto\n[policy work]\nparam.n = 12\n";
	apply(w);
	WAIT_FOR(w->core.loop, described(w));
	{
		const struct policy_def *def = map_get(&w->policies->catalog->defs, "work");

		assert_non_null(def->error);
		assert_non_null(strstr(def->error, "must be at most 10, not '12'"));
	}
}

static size_t n_queued(const struct world *w)
{
	size_t n = 0;

	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		n += run->queued;
	return n;
}

static const struct run *first_queued(const struct world *w)
{
	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		if (run->queued)
			return run;
	fail_msg("nothing is queued");
	return NULL;
}

static void write_waiting(struct world *w, const char *name, const char *concurrency)
{
	auto_free char *text =
		str_printf("policy '%s' { hand = true, concurrency = '%s', run = function(ctx)\n"
			   "  ctx:finally(function() tend.log('end') end)\n"
			   "  tend.sleep('600ms')\n  return true\nend }\n",
			name, concurrency);

	write_policy(w, name, text);
}

/* A second one waits, or takes the place of the first. */
static void test_concurrency(void **state)
{
	struct world *w = *state;
	const struct run *run;

	write_waiting(w, "queue", "queue");
	write_waiting(w, "replace", "replace");
	ready(w);
	run_by_hand(w, "queue");
	run_by_hand(w, "queue");
	run_by_hand(w, "replace"); /* the other one's run is not ended for it */
	assert_int_equal(n_queued(w), 2);
	run = first_queued(w);
	WAIT_FOR(w->core.loop, !run->library_text); /* the journal has it */
	{
		auto_json json_t *rows = show(w, run->id);

		assert_string_equal(
			json_string_value(json_object_get(json_array_get(rows, 0), "state")),
			"queued");
	}
	WAIT_FOR(w->core.loop, ended(w, 3));
	VEC_FOREACH (&w->policies->recent, const struct run *, one)
		assert_int_equal(one->state, RUN_DONE);
	run_by_hand(w, "replace");
	WAIT_FOR(w->core.loop, live_run(w)->steps.len == 1);
	run_by_hand(w, "replace");
	WAIT_FOR(w->core.loop, ended(w, 5));
	run = w->policies->recent.items[3];
	assert_int_equal(run->state, RUN_CANCELLED);
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_true(last_run(w)->started_wall >= run->ended_wall);
}

/* ---- dry, and dried up
 * -----------------------------------------------------------------------------------------------
 */

/* Looks are real; deeds and words are only named, and count for nothing. */
static void test_dry_run(void **state)
{
	struct world *w = *state;
	struct policies_request request = {
		.name = "work", .target = "s/web", .author = "ann", .dry = true};
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];
	size_t before;

	write_policy(w, "work",
		"policy 'work' { hand = true, run = function(ctx)\n"
		"  local seen = tend.check.run('s/web/a')\n"
		"  if seen.state ~= 'critical' then return nil, 'seen ' .. seen.state end\n"
		"  local done = tend.command.run('mend')\n"
		"  if done.exit_status ~= 0 then return nil, 'no value' end\n"
		"  tend.notice.send('mended')\n"
		"  tend.sleep('1h')\n"
		"  return tend.verify(ctx.check, { within = '1h' })\nend }\n");
	w->daemon = "mode.production = suggest\n";
	ready(w);
	break_web(w);
	before = notices(w, "policy.message");
	assert_int_equal(policies_start(w->policies, &request, id, &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	if (last_run(w)->state != RUN_DONE)
		fail_msg("%s", last_run(w)->message);
	assert_true(last_run(w)->dry);
	assert_false(last_run(w)->acted);
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(w->policies->actions.len, 0);
	assert_int_equal(notices(w, "policy.message"), before);
	{
		auto_json json_t *rows = show(w, id);
		json_t *run = json_array_get(rows, 0), *step;

		assert_true(json_is_true(json_object_get(run, "dry")));
		step = json_array_get(json_object_get(run, "steps"), 1);
		assert_string_equal(json_string_value(json_object_get(step, "message")),
			"dry run: would do command.run {\"command\":\"mend\"}");
	}
	/* what the gates would say is said, and does not end it */
	assert_int_equal(policies_pause(w->policies, "ann", "later", NULL, NULL, &err), 0);
	assert_int_equal(policies_start(w->policies, &request, id, &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	{
		auto_json json_t *rows = show(w, id);
		json_t *step = json_array_get(json_object_get(json_array_get(rows, 0), "steps"), 1);

		assert_non_null(strstr(json_string_value(json_object_get(step, "message")),
			"dry run: would be refused: actions are off"));
	}
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* Drained: live runs end, none begins, and the next Tend knows nothing of it. */
static void test_drain(void **state)
{
	struct world *w = *state;
	auto_json json_t *before = NULL, *after = NULL;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_waiting(w, "work", "queue");
	ready(w);
	run_by_hand(w, "work");
	policies_drain(w->policies, true, "ann");
	before = policies_drain_to_json(w->policies);
	assert_false(json_is_true(json_object_get(before, "drained")));
	assert_int_equal(policies_run(w->policies, "work", "s/web", NULL, "ann", id, &err), -EBUSY);
	assert_string_equal(err.text, "Tend drains: no run begins any more");
	WAIT_FOR(w->core.loop, ended(w, 1));
	after = policies_drain_to_json(w->policies);
	assert_true(json_is_true(json_object_get(after, "drained")));
	break_web(w);
	assert_int_equal(live(w), 0);
	/* also over a restart: an upgrade must not begin what it drained */
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(policies_run(w->policies, "work", "s/web", NULL, "ann", id, &err), -EBUSY);
	policies_drain(w->policies, false, "ann");
	run_by_hand(w, "work");
	WAIT_FOR(w->core.loop, ended(w, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLOCK_TEST(test_schedule),
		CLOCK_TEST(test_next_is_spread),
		CLOCK_TEST(test_missed),
		CLOCK_TEST(test_clock_steps),
		CLOCK_TEST(test_clock_ahead),
		CLOCK_TEST(test_begun_ahead),
		CLOCK_TEST(test_begun_ahead_restarts),
		CLOCK_TEST(test_schedule_settings),
		TEST(test_events),
		TEST(test_event_loop),
		TEST(test_own_events),
		TEST(test_incident_patterns),
		TEST(test_turns),
		TEST(test_params),
		TEST(test_concurrency),
		TEST(test_dry_run),
		TEST(test_drain),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
