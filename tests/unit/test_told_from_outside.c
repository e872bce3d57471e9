/* SPDX-License-Identifier: MIT */
/* Heartbeats (what silence means), events that others push, groups, thresholds that clear
 * elsewhere. */
#include "core_fixture.h"
#include <time.h>
#include "watch/depend.h"
#include "watch/event.h"
#include "watch/heartbeat.h"

#define MIN_USEC  (60 * USEC_PER_SEC)
#define HOUR_USEC (60 * MIN_USEC)
/* 2026-03-02 00:00 UTC, a Monday */
#define DAY_0 ((usec_t)1772409600 * USEC_PER_SEC)

/* ---- heartbeats, pure ----------------------------------------------------------------------- */

enum { PENDING = TEND_STATE_PENDING, OK = TEND_STATE_OK, BAD = TEND_STATE_CRITICAL };

/* Minutes since DAY_0. */
static const struct {
	const char *cron; /* NULL: every 60 minutes */
	int grace, max_runtime;
	int state, at, started, resumed; /* the report; 0 = not */
	int now;
	enum heartbeat_state is;
	int deadline;
	int lost; /* the first of the runs that were begun and did not end; 0 = not */
} beats[] = {
	{NULL, 10, 0, PENDING, 5, 0, 0, 74, HEARTBEAT_WAITING, 75, 0},
	{NULL, 10, 0, PENDING, 5, 0, 0, 76, HEARTBEAT_LATE, 75, 0},
	{NULL, 10, 0, OK, 5, 0, 0, 75, HEARTBEAT_WELL, 75, 0},
	{NULL, 10, 0, OK, 5, 0, 0, 76, HEARTBEAT_LATE, 75, 0},
	{NULL, 10, 0, BAD, 5, 0, 0, 70, HEARTBEAT_FAILED, 75, 0},
	{NULL, 10, 0, BAD, 5, 0, 0, 76, HEARTBEAT_LATE, 75, 0},
	/* it runs: stuck after max_runtime, else when the next word would be late */
	{NULL, 10, 30, OK, 5, 70, 0, 99, HEARTBEAT_RUNNING, 100, 0},
	{NULL, 10, 30, OK, 5, 70, 0, 101, HEARTBEAT_STUCK, 100, 0},
	{NULL, 10, 0, OK, 5, 70, 0, 140, HEARTBEAT_RUNNING, 140, 0},
	{NULL, 10, 0, OK, 5, 70, 0, 141, HEARTBEAT_STUCK, 140, 0},
	{NULL, 10, 30, PENDING, 5, 70, 0, 80, HEARTBEAT_RUNNING, 100, 0},
	/* one begun over one that never ended has no more time than that had */
	{NULL, 10, 0, OK, 5, 130, 0, 139, HEARTBEAT_RUNNING, 140, 70},
	{NULL, 10, 0, OK, 5, 130, 0, 141, HEARTBEAT_STUCK, 140, 70},
	{NULL, 10, 300, OK, 5, 130, 0, 141, HEARTBEAT_STUCK, 140, 70},
	{NULL, 10, 30, OK, 5, 130, 0, 131, HEARTBEAT_STUCK, 100, 70},
	/* a window kept it from being looked at: it has the grace anew */
	{NULL, 10, 0, OK, 5, 0, 300, 309, HEARTBEAT_WELL, 310, 0},
	{NULL, 10, 0, OK, 5, 0, 300, 311, HEARTBEAT_LATE, 310, 0},
	{NULL, 10, 0, OK, 5, 0, 20, 75, HEARTBEAT_WELL, 75, 0},
	/* at two each night */
	{"0 2 * * *", 15, 0, OK, 125, 0, 0, 26 * 60 + 15, HEARTBEAT_WELL, 26 * 60 + 15, 0},
	{"0 2 * * *", 15, 0, OK, 125, 0, 0, 26 * 60 + 16, HEARTBEAT_LATE, 26 * 60 + 15, 0},
	{"0 2 * * *", 15, 0, PENDING, 60, 0, 0, 134, HEARTBEAT_WAITING, 135, 0},
	/* a minute early by a clock that is ahead: it is that night's */
	{"0 2 * * *", 15, 0, OK, 119, 0, 0, 200, HEARTBEAT_WELL, 26 * 60 + 15, 0},
	{"0 2 * * *", 15, 0, OK, 117, 0, 0, 200, HEARTBEAT_LATE, 135, 0},
};

static void silence_is_judged(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(beats); i++) {
		struct conf_heartbeat h = {0};
		struct conf_check conf = {
			.heartbeat = &h,
			.every = HOUR_USEC,
			.grace = (usec_t)beats[i].grace * MIN_USEC,
			.max_runtime = (usec_t)beats[i].max_runtime * MIN_USEC,
		};
		struct report said, report = {
					    .state = (enum tend_state)beats[i].state,
					    .at_wall = DAY_0 + (usec_t)beats[i].at * MIN_USEC,
				    };
		usec_t now = DAY_0 + (usec_t)beats[i].now * MIN_USEC, deadline;
		enum heartbeat_state is;

		if (beats[i].started)
			report.started_wall = DAY_0 + (usec_t)beats[i].started * MIN_USEC;
		if (beats[i].lost)
			report.lost_wall = DAY_0 + (usec_t)beats[i].lost * MIN_USEC;
		if (beats[i].resumed)
			report.resumed_wall = DAY_0 + (usec_t)beats[i].resumed * MIN_USEC;
		if (beats[i].cron) {
			assert_int_equal(cron_parse(beats[i].cron, &h.cron, NULL), 0);
			assert_int_equal(zone_get("UTC", &h.zone, NULL), 0);
		}
		is = heartbeat_judge(&conf, &report, now, &deadline);
		if (is != beats[i].is || deadline != DAY_0 + (usec_t)beats[i].deadline * MIN_USEC)
			fail_msg("row %zu: %s, deadline %" PRIu64, i, heartbeat_state_names[is],
				(deadline - DAY_0) / MIN_USEC);
		heartbeat_report(&conf, &report, now, &said);
		assert_true(said.judged);
		assert_int_equal(said.state == TEND_STATE_CRITICAL,
			is == HEARTBEAT_LATE || is == HEARTBEAT_STUCK || beats[i].state == BAD);
		zone_free(h.zone);
	}
}

/* What was taken while the clock was ahead is as old as it is by the other clock. */
static void no_signal_comes_from_the_future(void **unused)
{
	const struct conf_heartbeat h = {0};
	const struct conf_check conf = {.heartbeat = (struct conf_heartbeat *)(uintptr_t)&h,
		.every = HOUR_USEC,
		.grace = 10 * MIN_USEC,
		.max_runtime = 30 * MIN_USEC};
	static const struct {
		int at, started, lost, resumed, age; /* minutes, from now on; 0: not; passed */
		enum heartbeat_state is;
	} rows[] = {
		{5256000, 0, 0, 0, 70, HEARTBEAT_WELL},
		{5256000, 0, 0, 0, 71, HEARTBEAT_LATE},
		{-5, 5256000, 0, 0, 30, HEARTBEAT_RUNNING},
		{-5, 5256000, 0, 0, 31, HEARTBEAT_STUCK},
		{-5, 5256000, 5256000, 0, 31, HEARTBEAT_STUCK},
		{-300, 0, 0, 5256000, 9, HEARTBEAT_WELL},
		{-300, 0, 0, 5256000, 11, HEARTBEAT_LATE},
		{-71, 0, 0, 0, 1, HEARTBEAT_LATE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t deadline, now = 1000 * HOUR_USEC;
		usec_t then = now - (usec_t)rows[i].age * MIN_USEC;
		struct report settled,
			report = {.state = TEND_STATE_OK, .at = then, .signalled = then};

		report.at_wall = DAY_0 + (usec_t)(int64_t)rows[i].at * MIN_USEC;
		if (rows[i].started)
			report.started_wall = DAY_0 + (usec_t)rows[i].started * MIN_USEC;
		if (rows[i].lost)
			report.lost_wall = DAY_0 + (usec_t)rows[i].lost * MIN_USEC;
		if (rows[i].resumed)
			report.resumed_wall = DAY_0 + (usec_t)rows[i].resumed * MIN_USEC;
		heartbeat_settle(&report, DAY_0, now, &settled);
		if (heartbeat_judge(&conf, &settled, DAY_0, &deadline) != rows[i].is)
			fail_msg("row %zu: %s", i,
				heartbeat_state_names[heartbeat_judge(
					&conf, &settled, DAY_0, &deadline)]);
	}
}

/* ---- a core --------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct core *c = calloc(1, sizeof(*c));

	core_setup(c);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	core_teardown(*state);
	free(*state);
	return 0;
}

static const char *state_of(struct core *c, const char *name)
{
	return tend_state_name(watch_check_shown_state(core_check(c, name)));
}

/* ---- hysteresis ----------------------------------------------------------------------------- */

static void what_alerts_clears_elsewhere(void **state)
{
	static const struct {
		const char *answer, *state;
		bool restart;
	} rows[] = {
		{"ok x=75", "ok", false}, /* never alerted */
		{"ok x=85", "warning", false},
		{"ok x=79", "warning", false}, /* below 80, not yet below 70 */
		{"ok x=71", "warning", true},
		{"ok x=72", "warning", false}, /* remembered over the restart */
		{"ok x=69", "ok", false},
		{"ok x=79", "ok", false},
		{"ok x=95", "critical", false},
		{"ok x=85", "critical", false},
		{"ok x=75", "critical", false},
		{"ok x=70", "ok", false},
	};
	static const char body[] = "[system s]\nenvironment = staging\n"
				   "[component s/db]\nkind = database\n" CHECK("s/db/a", "s.db.a",
					   "warning.x = 80\ncritical.x = 90\nclear.x = 70\n");
	struct core *c = *state;

	core_apply(c, core_load(c, "", body));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		core_tell(c, "s/db/a", rows[i].answer);
		core_run(c, "s/db/a");
		core_run(c, "s/db/a");
		WAIT_FOR(c->loop, !core_locating(c));
		if (strcmp(state_of(c, "s/db/a"), rows[i].state) != 0)
			fail_msg("row %zu: %s: %s", i, state_of(c, "s/db/a"),
				core_check(c, "s/db/a")->last.text);
		if (rows[i].restart) {
			core_close(c);
			core_open(c);
			core_apply(c, core_load(c, "", body));
		}
	}
}

/* ---- groups --------------------------------------------------------------------------------- */

static const char group_body[] =
	"[system s]\nenvironment = staging\n"
	"[component s/db]\nkind = database\n"
	"[component s/w1]\ndepends = db\n[component s/w2]\n[component s/w3]\n"
	"[component s/webs]\nneeds = 2 of w1, w2, w3\n"
	"[component s/app]\ndepends = webs\n" CHECK("s/db/a", "s.db.a", "")
		CHECK("s/w1/a", "s.w1.a", "") CHECK("s/w2/a", "s.w2.a", "")
			CHECK("s/w3/a", "s.w3.a", "") CHECK("s/app/a", "s.app.a", "");

static void start_group(struct core *c)
{
	static const char *const names[] = {"s/db/a", "s/w1/a", "s/w2/a", "s/w3/a", "s/app/a"};

	core_apply(c, core_load(c, "", group_body));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		core_tell(c, names[i], "ok");
		core_run(c, names[i]);
	}
	core_run(c, "s/webs/group");
	assert_string_equal(state_of(c, "s/webs/group"), "ok");
}

static void recover(struct core *c, const char *name)
{
	core_tell(c, name, "ok");
	core_run(c, name);
	WAIT_FOR(c->loop, !core_locating(c));
}

static void a_group_is_down_when_too_few_are_well(void **state)
{
	struct core *c = *state;

	start_group(c);
	core_fail(c, "s/w1/a", "connect-refused");
	assert_string_equal(state_of(c, "s/w1/a"), "critical");
	assert_string_equal(state_of(c, "s/webs/group"), "ok");
	assert_non_null(strstr(core_check(c, "s/webs/group")->last.text, "2 of 3 are well"));
	/* what depends on the group does not mind: its failure is its own */
	core_fail(c, "s/app/a", "too-slow");
	assert_string_equal(state_of(c, "s/app/a"), "critical");
	recover(c, "s/app/a");
	core_fail(c, "s/w2/a", "connect-refused");
	assert_string_equal(state_of(c, "s/w2/a"), "critical");
	assert_string_equal(state_of(c, "s/webs/group"), "critical");
	assert_non_null(strstr(core_check(c, "s/webs/group")->last.text,
		"1 of 3 are well, 2 must be; not: w1, w2"));
	core_fail(c, "s/app/a", "too-slow");
	assert_string_equal(state_of(c, "s/app/a"), "unreachable");
	assert_string_equal(core_check(c, "s/app/a")->unreachable_why, "s/webs");
	recover(c, "s/w1/a");
	assert_string_equal(state_of(c, "s/webs/group"), "ok");
}

/* A child that is the first to notice: its answer locates the fault at the group, as it does at any
 * parent, though no member's failure is confirmed yet. */
static void a_child_finds_the_group_down(void **state)
{
	struct core *c = *state;

	start_group(c);
	core_tell(c, "s/w1/a", "connect-refused");
	core_tell(c, "s/w3/a", "connect-refused");
	core_fail(c, "s/app/a", "too-slow");
	assert_string_equal(state_of(c, "s/webs/group"), "critical");
	assert_string_equal(state_of(c, "s/app/a"), "unreachable");
}

/* What the members depend on is to blame, not the group. */
static void what_is_behind_the_members(void **state)
{
	struct core *c = *state;

	start_group(c);
	core_fail(c, "s/w2/a", "connect-refused");
	core_tell(c, "s/db/a", "unit-failed");
	core_fail(c, "s/w1/a", "connect-refused");
	assert_string_equal(state_of(c, "s/w1/a"), "unreachable");
	WAIT_FOR(c->loop, !core_locating(c) &&
				  core_check(c, "s/webs/group")->state.hard == TEND_STATE_CRITICAL);
	assert_string_equal(state_of(c, "s/webs/group"), "unreachable");
	assert_string_equal(core_check(c, "s/webs/group")->unreachable_why, "s/db");
}

static void groups_that_cannot_be(void **state)
{
	static const struct {
		const char *body, *text;
	} rows[] = {
		{"[component s/g]\nneeds = 3 of a, b\n", "3 of 2 can never be well"},
		{"[component s/g]\nneeds = 0 of a, b\n", "as in 2 of"},
		{"[component s/g]\nneeds = a, b\n", "as in 2 of"},
		{"[component s/g]\nneeds = 1 of a, c\n", "no component 's/c'"},
		{"[component s/g]\nneeds = 1 of a, a\n", "twice"},
		{"[component s/g]\nneeds = 1 of a, g\n", "circle"},
		{"[component s/g]\nneeds = 1 of a, x\n[component s/x]\ndepends = g\n", "circle"},
		{"[component s/g]\nneeds = 1 of a\n" CHECK("s/g/group", "x", ""), "already"},
	};
	struct core *c = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *path = str_printf("%s/bad.conf", c->dir);
		auto_free char *text = str_printf("[system s]\n[component s/a]\n[component s/b]\n%s"
						  "[check s/a/a]\nprobe = told\nfile = /x\n",
			rows[i].body);
		struct conf_errors errors = {0};
		struct conf *conf;

		core_write(path, text);
		assert_int_equal(conf_load(path, TOLD_PLUGINS, &errors, &conf), -EINVAL);
		if (!strstr(errors.items[0].text, rows[i].text))
			fail_msg("%s: %s", rows[i].body, errors.items[0].text);
		conf_errors_clear(&errors);
	}
}

/* ---- events --------------------------------------------------------------------------------- */

static const char event_body[] =
	"[system s]\nenvironment = staging\n[component s/a]\n[component s/b]\n" CHECK("s/a/a",
		"s.a.a",
		"") "[source am]\ntoken = file:@/token\ncomponent = s/a\nmax = 2000\n"
		    "[source zabbix]\ntoken = file:@/token2\ncomponent = s/a\nmax = 2000\n";

static struct check *push_from(struct core *c, const char *source, const char *component,
	const char *fingerprint, enum tend_state state, const char *text, int64_t max, int expected)
{
	struct event_in in = {
		.source = source,
		.fingerprint = fingerprint,
		.component = component ? map_get(&c->conf->components, component) : NULL,
		.state = state,
		.text = text,
		.ttl = HOUR_USEC,
		.max = max,
	};
	struct store_batch *batch;
	struct check *check = NULL;

	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(watch_event(c->watch, &in, batch, &check, NULL), expected);
	assert_int_equal(store_commit(c->store, batch, NULL, NULL), 0);
	WAIT_FOR(c->loop, !core_locating(c));
	return check;
}

static struct check *push(struct core *c, const char *component, const char *fingerprint,
	enum tend_state state, const char *text, int64_t max, int expected)
{
	return push_from(c, "am", component, fingerprint, state, text, max, expected);
}

static void write_token(const struct core *c, const char *name, const char *token)
{
	auto_free char *path = str_printf("%s/%s", c->dir, name);

	core_write(path, token);
	assert_int_equal(chmod(path, 0600), 0);
}

static void start_events(struct core *c)
{
	write_token(c, "token", "0123456789abcdef0123\n");
	write_token(c, "token2", "0123456789abcdef0124\n");
	core_apply(c, core_load(c, "", event_body));
}

#define ONE "0123456789abcdef"

static void an_event_is_a_check(void **state)
{
	struct core *c = *state;
	uint64_t number;

	start_events(c);
	/* that something is over which nobody knew of is nothing */
	assert_null(push(c, "s/a", ONE, TEND_STATE_OK, "over", 9, 0));
	assert_non_null(push(c, "s/a", ONE, TEND_STATE_CRITICAL, "disk full", 9, 0));
	assert_string_equal(state_of(c, "s/a/am-" ONE), "critical");
	number = core_check(c, "s/a/am-" ONE)->last.number;
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "disk full", 9, 0);
	assert_int_equal(core_check(c, "s/a/am-" ONE)->last.number, number); /* said again */
	/* it stays over a reload, and over a restart */
	core_apply(c, core_load(c, "", event_body));
	assert_string_equal(state_of(c, "s/a/am-" ONE), "critical");
	core_close(c);
	core_open(c);
	core_apply(c, core_load(c, "", event_body));
	assert_string_equal(state_of(c, "s/a/am-" ONE), "critical");
	core_run(c, "s/a/am-" ONE);
	assert_string_equal(core_check(c, "s/a/am-" ONE)->last.text, "disk full");
	(void)push(c, "s/a", ONE, TEND_STATE_OK, "over", 9, 0);
	assert_string_equal(state_of(c, "s/a/am-" ONE), "ok");
	assert_int_equal(watch_n_events(c->watch, "am"), 0);
}

static void an_event_moves(void **state)
{
	struct core *c = *state;

	start_events(c);
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "x", 9, 0);
	(void)push(c, "s/b", ONE, TEND_STATE_CRITICAL, "x", 9, 0);
	assert_string_equal(state_of(c, "s/a/am-" ONE), "ok");
	assert_string_equal(state_of(c, "s/b/am-" ONE), "critical");
}

/* The mapping of the source has changed between the event and its end, or has it no more. */
static void an_event_ends_where_it_was(void **state)
{
	struct core *c = *state;

	start_events(c);
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "x", 9, 0);
	(void)push(c, "s/b", ONE, TEND_STATE_OK, "over", 9, 0);
	assert_string_equal(state_of(c, "s/a/am-" ONE), "ok");
	assert_string_equal(core_check(c, "s/a/am-" ONE)->last.text, "over");
	assert_null(watch_find_check(c->watch, "s/b/am-" ONE));
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "x", 9, 0);
	(void)push(c, NULL, ONE, TEND_STATE_OK, "over", 9, 0);
	assert_string_equal(state_of(c, "s/a/am-" ONE), "ok");
	(void)push(c, NULL, ONE, TEND_STATE_OK, "over", 9, -ENOENT);
	(void)push(c, NULL, ONE, TEND_STATE_CRITICAL, "x", 9, -ENOENT);
}

static void push_many(struct core *c, const char *source, int from, int n, enum tend_state state)
{
	struct store_batch *batch;

	assert_int_equal(store_batch_new(&batch), 0);
	for (int i = from; i < from + n; i++) {
		auto_free char *fingerprint = str_printf("%016d", i);
		const struct event_in in = {
			.source = source,
			.fingerprint = fingerprint,
			.component = map_get(&c->conf->components, "s/a"),
			.state = state,
			.text = "x",
			.ttl = HOUR_USEC,
			.max = EVENT_MAX,
		};
		struct check *check;

		assert_int_equal(watch_event(c->watch, &in, batch, &check, NULL), 0);
	}
	assert_int_equal(store_commit(c->store, batch, NULL, NULL), 0);
	WAIT_FOR(c->loop, !core_locating(c));
}

/* However much one source says, the others have room, and feedback has; what is over and only shown
 * is no hindrance. */
static void no_source_takes_all(void **state)
{
	enum { SHARE = EVENT_MAX / 3, ALL = EVENT_MAX - SHARE - 2 /* components */ };
	struct core *c = *state;

	start_events(c);
	push_many(c, "am", 0, ALL, TEND_STATE_WARNING);
	(void)push(c, "s/b", ONE, TEND_STATE_WARNING, "x", EVENT_MAX, -ENOBUFS);
	assert_int_equal(c->watch->events.len, ALL);
	push_many(c, "zabbix", 0, SHARE, TEND_STATE_WARNING);
	(void)push_from(c, "zabbix", "s/b", ONE, TEND_STATE_WARNING, "x", EVENT_MAX, -ENOBUFS);
	(void)push_from(c, EVENT_SOURCE_FEEDBACK, "s/b", "", TEND_STATE_WARNING, "x", EVENT_MAX, 0);
	push_many(c, "am", 7, 1, TEND_STATE_OK);
	(void)push(c, "s/b", ONE, TEND_STATE_WARNING, "x", EVENT_MAX, 0);
	assert_null(watch_find_check(c->watch, "s/a/am-0000000000000007"));
	assert_string_equal(state_of(c, "s/a/am-0000000000000008"), "warning");
}

static void events_are_bounded(void **state)
{
	struct core *c = *state;

	start_events(c);
	(void)push(c, "s/a", "0000000000000001", TEND_STATE_WARNING, "x", 2, 0);
	(void)push(c, "s/a", "0000000000000002", TEND_STATE_WARNING, "x", 2, 0);
	(void)push(c, "s/a", "0000000000000003", TEND_STATE_WARNING, "x", 2, -ENOBUFS);
	(void)push(c, "s/a", "0000000000000002", TEND_STATE_OK, "x", 2, 0);
	(void)push(c, "s/a", "0000000000000003", TEND_STATE_WARNING, "x", 2, 0);
}

/* Gone with its source, or with its component; what is configured goes before it. */
static void an_event_goes(void **state)
{
	static const char without[] =
		"[system s]\nenvironment = staging\n[component s/a]\n" CHECK("s/a/a", "s.a.a", "");
	static const char configured[] =
		"[system s]\nenvironment = staging\n[component s/a]\n" CHECK("s/a/a", "s.a.a", "")
			CHECK("s/a/am-" ONE, "s.a.a",
				"") "[source am]\ntoken = file:@/token\ncomponent = s/a\n";
	struct core *c = *state;

	start_events(c);
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "x", 9, 0);
	core_apply(c, core_load(c, "", configured));
	assert_null(core_check(c, "s/a/am-" ONE)->event);
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "x", 9, -EEXIST);
	start_events(c);
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "x", 9, 0);
	(void)push(c, "s/b", "0000000000000002", TEND_STATE_CRITICAL, "x", 9, 0);
	core_apply(c, core_load(c, "", without));
	assert_null(watch_find_check(c->watch, "s/a/am-" ONE));
	assert_null(watch_find_check(c->watch, "s/b/am-0000000000000002"));
	assert_int_equal(c->watch->events.len, 0);
}

static usec_t ahead;

static usec_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t shifted_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static usec_t shifted_wall(void)
{
	return read_clock(CLOCK_REALTIME) + ahead;
}

static void make_due(struct core *c, struct check *check)
{
	assert_int_equal(heap_put(&c->watch->due, &check->due, clock_now()), 0);
	loop_timer_set(c->watch->timer, clock_now());
}

/* Nothing else need be due for it to be looked at, and after its ttl the same words are news. */
static void an_event_is_looked_at(void **state)
{
	struct core *c = *state;
	struct check *check;
	uint64_t number;

	start_events(c);
	check = push(c, "s/a", ONE, TEND_STATE_CRITICAL, "disk full", 9, 0);
	assert_non_null(check);
	number = check->last.number;
	WAIT_FOR(c->loop, check->last.number > number);
	check->report->aged += HOUR_USEC;
	core_run(c, "s/a/am-" ONE);
	assert_string_equal(state_of(c, "s/a/am-" ONE), "ok");
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "disk full", 9, 0);
	assert_string_equal(state_of(c, "s/a/am-" ONE), "critical");
}

/* A clock that is set neither ends what stands nor keeps it; of a run before only the time of day
 * tells how old it is. */
static void an_event_ages_by_no_calendar(void **state)
{
	static const struct clock_source shifted = {shifted_now, shifted_wall};
	static const struct {
		int64_t clock_hours, aged_minutes;
		bool restart;
		int state;
	} rows[] = {
		{2, 0, false, BAD},
		{87600, 59, false, BAD},
		{-2, 59, false, BAD},
		{-2, 61, false, OK},
		{0, 59, true, BAD},
		{2, 0, true, OK},
		{-87600, 0, true, BAD},
	};
	struct core *c = *state;

	clock_set_source(&shifted);
	start_events(c);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ahead = 0;
		(void)push(c, "s/a", ONE, TEND_STATE_OK, "over", 9, 0);
		(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "disk full", 9, 0);
		ahead = (usec_t)rows[i].clock_hours * HOUR_USEC;
		if (rows[i].restart) {
			core_close(c);
			core_open(c);
			core_apply(c, core_load(c, "", event_body));
		}
		core_check(c, "s/a/am-" ONE)->report->aged +=
			(usec_t)rows[i].aged_minutes * MIN_USEC;
		core_run(c, "s/a/am-" ONE);
		if ((int)core_check(c, "s/a/am-" ONE)->state.now != rows[i].state)
			fail_msg("row %zu: %s: %s", i, state_of(c, "s/a/am-" ONE),
				core_check(c, "s/a/am-" ONE)->last.text);
	}
	clock_set_source(NULL);
	ahead = 0;
}

/* Silent for its ttl it is over; over for ten minutes it is gone, from the store as well. */
static void an_event_is_forgotten(void **state)
{
	static const struct clock_source shifted = {shifted_now, shifted_wall};
	struct core *c = *state;
	struct component *component;

	clock_set_source(&shifted);
	start_events(c);
	(void)push(c, "s/a", ONE, TEND_STATE_CRITICAL, "disk full", 9, 0);
	component = watch_find_component(c->watch, "s/a");
	assert_int_equal(component->checks.len, 2);
	core_check(c, "s/a/am-" ONE)->report->aged = HOUR_USEC;
	make_due(c, core_check(c, "s/a/am-" ONE));
	WAIT_FOR(c->loop, strcmp(state_of(c, "s/a/am-" ONE), "ok") == 0);
	assert_non_null(strstr(core_check(c, "s/a/am-" ONE)->last.text, "it was: disk full"));
	ahead = 9 * MIN_USEC;
	core_run(c, "s/a/am-" ONE);
	ahead += 2 * MIN_USEC;
	make_due(c, core_check(c, "s/a/am-" ONE));
	WAIT_FOR(c->loop, !watch_find_check(c->watch, "s/a/am-" ONE));
	assert_int_equal(component->checks.len, 1);
	assert_int_equal(c->watch->events.len, 0);
	core_close(c);
	core_open(c);
	core_apply(c, core_load(c, "", event_body));
	assert_null(watch_find_check(c->watch, "s/a/am-" ONE));
	clock_set_source(NULL);
	ahead = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_judged),
		cmocka_unit_test(no_signal_comes_from_the_future),
		TEST(what_alerts_clears_elsewhere),
		TEST(a_group_is_down_when_too_few_are_well),
		TEST(a_child_finds_the_group_down),
		TEST(what_is_behind_the_members),
		TEST(groups_that_cannot_be),
		TEST(an_event_is_a_check),
		TEST(an_event_moves),
		TEST(an_event_ends_where_it_was),
		TEST(no_source_takes_all),
		TEST(events_are_bounded),
		TEST(an_event_goes),
		TEST(an_event_is_looked_at),
		TEST(an_event_ages_by_no_calendar),
		TEST(an_event_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
