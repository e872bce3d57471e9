/* SPDX-License-Identifier: MIT */
/* Windows and freezes: what the files may say, when they are open, and what they mean. */
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "calendar/keeper.h"

#define SYSTEMS                                                                                    \
	"[system crm]\nenvironment = production\n[system lab]\nenvironment = staging\n"            \
	"[component crm/database]\nkind = database\n[component crm/web]\nkind = web\n"             \
	"[component lab/web]\nkind = web\n"

/* NULL: refused, and `errors` says why. */
static struct conf *load(const char *text, struct conf_errors *errors)
{
	char dir[] = "/tmp/tend-window-XXXXXX";
	auto_free char *path = NULL;
	struct conf *conf = NULL;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	path = str_printf("%s/tend.conf", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "%s%s", SYSTEMS, text) > 0);
	assert_int_equal(fclose(f), 0);
	if (conf_load(path, dir, errors, &conf) < 0)
		conf = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	return conf;
}

static struct conf *need(const char *text)
{
	struct conf_errors errors = {0};
	struct conf *conf = load(text, &errors);

	if (!conf)
		fail_msg("%u: %s", errors.items[0].line, errors.items[0].text);
	conf_errors_clear(&errors);
	return conf;
}

static usec_t at(const char *text)
{
	auto(zone_free) struct zone *utc = NULL;
	struct tend_error err = {0};
	usec_t wall = 0;

	assert_int_equal(zone_get("UTC", &utc, &err), 0);
	if (zone_parse(utc, text, &wall, &err) < 0)
		fail_msg("%s", err.text);
	return wall;
}

static const struct conf_component *component(const struct conf *conf, const char *name)
{
	const struct conf_component *c = map_get(&conf->components, name);

	assert_non_null(c);
	return c;
}

/* ---- what may be written -------------------------------------------------------------------- */

static void slips_are_told(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: fine */
	} rows[] = {
		{"[window w]\ncron = 0 2 * * sun\nduration = 4h\ntimezone = Europe/Berlin\n", NULL},
		{"[window w]\nstart = 2026-12-01T02:00\nduration = 2h\n", NULL},
		{"[window w]\nstart = 2026-12-01T02:00Z\n", NULL},
		{"[window w]\nstart = 2026-12-01T02:00\nend = 2026-12-01T04:00\n", NULL},
		{"[freeze f]\nexcept = restart-*, patch\n", NULL},
		{"[freeze f]\nend = 2027-01-05T06:00\n", NULL},
		{"[window w]\ncron = 0 2 * * sun\nduration = 4h\n[freeze w]\n", NULL},
		{"[window w]\nduration = 4h\n", "needs 'cron' or 'start'"},
		{"[window w]\ncron = 0 2 * * sun\n", "add 'duration'"},
		{"[window w]\ncron = 0 2 * *\nduration = 4h\n", "cron: a schedule has five fields"},
		{"[window w]\ncron = @dayly\nduration = 4h\n", "nearest is '@daily'"},
		{"[window w]\ncron = @daily\nduration = 4h\nstart = 2026-12-01T02:00\n",
			"start: it is for one that opens once"},
		{"[window w]\nstart = 2026-12-01\n", "start: '2026-12-01' is not a time"},
		{"[window w]\nstart = 2026-12-01T02:00\nend = 2026-12-01T01:00\n",
			"end: it is not after the start"},
		{"[window w]\nstart = 2026-12-01T02:00\nend = 2026-12-01T03:00\nduration = 1h\n",
			"one of the two is enough"},
		{"[freeze f]\nduration = 1h\n", "it needs 'cron' or 'start'"},
		{"[window w]\ncron = @daily\nduration = 4h\ntimezone = Europe/Berln\n",
			"nearest is 'Europe/Berlin'"},
		{"[window w]\ncron = @daily\nduration = 4h\nmatch_component = crm/data-base\n",
			"nearest is 'crm/database'"},
		{"[window w]\ncron = @daily\nduration = 4h\nmatch_environment = prodution\n",
			"nearest is 'production'"},
		{"[window w]\ncron = @daily\nduration = 4h\nmatch = tier=gold, team!~a|b\n", NULL},
		{"[freeze f]\nmatch = tier=\"gold, or so\"\n", NULL},
		{"[window w]\ncron = @daily\nduration = 4h\nmatch = tier\n",
			"match: after 'tier' must come =, !=, =~ or !~"},
		{"[freeze f]\nmatch = tier=~(\n", "is no regular expression"},
		{"[window w]\ncron = @daily\nduration = 4h\nalerts = silent\n", "alerts"},
		{"[freeze f]\nalerts = quiet\n", "alerts"},
		{"[window w]\ncron = @daily\nduration = 500ms\n", "duration"},
		{"[window]\ncron = @daily\nduration = 1h\n", "name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_errors errors = {0};
		struct conf *conf = load(rows[i].text, &errors);

		if (rows[i].says && conf)
			fail_msg("row %zu was taken", i);
		if (!rows[i].says && !conf)
			fail_msg("row %zu: %s", i, errors.items[0].text);
		if (rows[i].says && !strstr(errors.items[0].text, rows[i].says))
			fail_msg("row %zu: %s", i, errors.items[0].text);
		if (rows[i].says)
			assert_true(errors.items[0].line > 10);
		conf_unref(conf);
		conf_errors_clear(&errors);
	}
}

static void a_dump_says_the_same(void **state)
{
	auto(conf_unref) struct conf *conf =
		need("[window w]\ncron = 0 2 * * sun\nduration = 4h\ntimezone = Europe/Berlin\n"
		     "match_component = crm/*\nmatch = tier=gold, team!=a\nalerts = quiet\n"
		     "[freeze f]\nexcept = a, b\n");
	auto_str struct str out = STR_INIT(1 << 16);
	auto_json json_t *json = conf_to_json(conf);

	assert_int_equal(conf_dump(conf, &out), 0);
	assert_non_null(strstr(str_get(&out), "[window w]\n"));
	assert_non_null(strstr(str_get(&out), "cron = 0 2 * * sun\n"));
	assert_non_null(strstr(str_get(&out), "alerts = quiet\n"));
	assert_non_null(strstr(str_get(&out), "except = a, b\n"));
	assert_int_equal(json_array_size(json_object_get(json, "windows")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "freezes")), 1);
}

/* ---- when they are open --------------------------------------------------------------------- */

#define BERLIN "timezone = Europe/Berlin\n"

/* The clocks of Berlin go forward on 2026-03-29 at 01:00Z (02:00 is 03:00) and back on 2026-10-25
 * at 01:00Z (03:00 is 02:00); those of New York on 03-08 at 07:00Z and 11-01 at 06:00Z; those of
 * Lord Howe by half an hour, on 10-03 at 15:30Z and 04-04 at 15:00Z. */
static const struct {
	const char *window;
	const char *wall;
	const char *opens, *closes; /* open at `wall`; NULL: it is not; closes NULL: open-ended */
	const char *next;	    /* opening after it; NULL: none */
} times[] = {
	{"cron = 0 2 * * *\nduration = 4h\n", "2026-11-22T01:59Z", NULL, NULL, "2026-11-22T02:00Z"},
	{"cron = 0 2 * * *\nduration = 4h\n", "2026-11-22T02:00Z", "2026-11-22T02:00Z",
		"2026-11-22T06:00Z", "2026-11-23T02:00Z"},
	{"cron = 0 2 * * *\nduration = 4h\n", "2026-11-22T05:59Z", "2026-11-22T02:00Z",
		"2026-11-22T06:00Z", "2026-11-23T02:00Z"},
	{"cron = 0 2 * * *\nduration = 4h\n", "2026-11-22T06:00Z", NULL, NULL, "2026-11-23T02:00Z"},
	{"cron = 0 22 * * sun\nduration = 6h\n" BERLIN, "2026-11-23T02:30Z", "2026-11-22T21:00Z",
		"2026-11-23T03:00Z", "2026-11-29T21:00Z"},
	/* Across both changes of the clock: the duration is time that passes. */
	{"cron = 0 1 * * *\nduration = 4h\n" BERLIN, "2026-03-29T03:30Z", "2026-03-29T00:00Z",
		"2026-03-29T04:00Z", "2026-03-29T23:00Z"},
	{"cron = 0 1 * * *\nduration = 4h\n" BERLIN, "2026-10-25T02:30Z", "2026-10-24T23:00Z",
		"2026-10-25T03:00Z", "2026-10-26T00:00Z"},
	/* Opens in the gap: at its end. Opens at a time that comes twice: the first time only. */
	{"cron = 30 2 * * *\nduration = 30m\n" BERLIN, "2026-03-29T00:45Z", NULL, NULL,
		"2026-03-29T01:00Z"},
	{"cron = 30 2 * * *\nduration = 30m\n" BERLIN, "2026-03-29T01:15Z", "2026-03-29T01:00Z",
		"2026-03-29T01:30Z", "2026-03-30T00:30Z"},
	{"cron = 30 2 * * *\nduration = 30m\n" BERLIN, "2026-10-25T00:45Z", "2026-10-25T00:30Z",
		"2026-10-25T01:00Z", "2026-10-26T01:30Z"},
	{"cron = 30 2 * * *\nduration = 30m\n" BERLIN, "2026-10-25T01:45Z", NULL, NULL,
		"2026-10-26T01:30Z"},
	{"cron = 30 2 * * *\nduration = 1h\ntimezone = America/New_York\n", "2026-03-08T07:30Z",
		"2026-03-08T07:00Z", "2026-03-08T08:00Z", "2026-03-09T06:30Z"},
	{"cron = 30 1 * * *\nduration = 15m\ntimezone = America/New_York\n", "2026-11-01T06:35Z",
		NULL, NULL, "2026-11-02T06:30Z"},
	{"cron = 15 2 * * *\nduration = 10m\ntimezone = Australia/Lord_Howe\n", "2026-10-03T15:35Z",
		"2026-10-03T15:30Z", "2026-10-03T15:40Z", "2026-10-04T15:15Z"},
	{"cron = 45 1 * * *\nduration = 10m\ntimezone = Australia/Lord_Howe\n", "2026-04-04T15:20Z",
		NULL, NULL, "2026-04-05T15:15Z"},
	{"cron = 0 2 * * *\nduration = 1h\ntimezone = Asia/Shanghai\n", "2026-03-28T18:30Z",
		"2026-03-28T18:00Z", "2026-03-28T19:00Z", "2026-03-29T18:00Z"},
	/* Openings that overlap, or touch, are one. */
	{"cron = 0 2,4 * * *\nduration = 3h\n", "2026-11-22T06:30Z", "2026-11-22T02:00Z",
		"2026-11-22T07:00Z", "2026-11-23T02:00Z"},
	{"cron = 0 2,4 * * *\nduration = 2h\n", "2026-11-22T03:00Z", "2026-11-22T02:00Z",
		"2026-11-22T06:00Z", "2026-11-23T02:00Z"},
	{"cron = 0 2,4 * * *\nduration = 1h\n", "2026-11-22T02:30Z", "2026-11-22T02:00Z",
		"2026-11-22T03:00Z", "2026-11-22T04:00Z"},
	/* Once. */
	{"start = 2026-12-01T02:00\nduration = 2h\n" BERLIN, "2026-12-01T00:59Z", NULL, NULL,
		"2026-12-01T01:00Z"},
	{"start = 2026-12-01T02:00\nduration = 2h\n" BERLIN, "2026-12-01T02:59Z",
		"2026-12-01T01:00Z", "2026-12-01T03:00Z", NULL},
	{"start = 2026-12-01T02:00\nduration = 2h\n" BERLIN, "2026-12-01T03:00Z", NULL, NULL, NULL},
	{"start = 2026-12-01T02:00Z\n" BERLIN, "2030-01-01T00:00Z", "2026-12-01T02:00Z", NULL,
		NULL},
	{"start = 2026-12-01T02:00Z\nend = 2026-12-01T06:00+02:00\n", "2026-12-01T03:59Z",
		"2026-12-01T02:00Z", "2026-12-01T04:00Z", NULL},
};

static void they_open_and_close_in_time(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		auto_free char *text = str_printf("[window w]\n%s", times[i].window);
		auto(conf_unref) struct conf *conf = need(text);
		const struct conf_window *w = map_get(&conf->windows, "w");
		struct window_span span = {0}, next = {0};
		usec_t wall = at(times[i].wall), edge = windows_edge(conf, wall);
		char buf[CLOCK_TEXT_BYTES];

		assert_int_equal(window_open(w, wall, &span), times[i].opens != NULL);
		assert_int_equal(window_open(w, wall, NULL), times[i].opens != NULL);
		if (times[i].opens) {
			assert_int_equal(span.opens, at(times[i].opens));
			assert_int_equal(
				span.closes, times[i].closes ? at(times[i].closes) : USEC_INFINITY);
			assert_int_equal(edge, span.closes);
		}
		if (window_next(w, wall, &next) != (times[i].next != NULL))
			fail_msg("row %zu: the next is %s", i, clock_format(next.opens, buf));
		if (times[i].next && next.opens != at(times[i].next))
			fail_msg("row %zu: the next is %s", i, clock_format(next.opens, buf));
		if (!times[i].opens)
			assert_int_equal(edge, times[i].next ? next.opens : USEC_INFINITY);
	}
}

/* Every minute of four days around each change of the clock: open is what next and closes said. */
static void open_and_next_agree(void **state)
{
	static const char *const from[] = {"2026-03-27T00:00Z", "2026-10-23T00:00Z"};
	static const char *const windows[] = {
		"cron = 30 2 * * *\nduration = 2h\n" BERLIN,
		"cron = */20 1-3 * * *\nduration = 30m\n" BERLIN,
		"cron = 0 * * * *\nduration = 10m\n" BERLIN,
		"cron = 45 23 * * *\nduration = 5h\n" BERLIN,
	};

	for (size_t i = 0; i < ARRAY_SIZE(windows) * 2; i++) {
		auto_free char *text = str_printf("[window w]\n%s", windows[i / 2]);
		auto(conf_unref) struct conf *conf = need(text);
		const struct conf_window *w = map_get(&conf->windows, "w");
		usec_t wall = at(from[i % 2]), end = wall + 4 * 86400 * USEC_PER_SEC;
		struct window_span expected = {0};

		assert_true(window_next(w, wall - 6 * 3600 * USEC_PER_SEC, &expected));
		for (; wall < end; wall += 60 * USEC_PER_SEC) {
			struct window_span span;
			bool open;

			while (expected.closes <= wall)
				assert_true(window_next(w, expected.opens, &expected));
			open = window_open(w, wall, &span);
			assert_int_equal(open, expected.opens <= wall);
			if (open)
				assert_memory_equal(&span, &expected, sizeof(span));
		}
	}
}

/* ---- what they mean ------------------------------------------------------------------------- */

static const char acting[] =
	"[window night]\ncron = 0 2 * * *\nduration = 4h\n" BERLIN
	"match_component = crm/*\nactions = allow\n"
	"[window lunch]\ncron = 0 12 * * *\nduration = 1h\npolicies = patch-*\nactions = allow\n"
	"[window quiet]\ncron = 0 2 * * *\nduration = 8h\n" BERLIN "alerts = quiet\n"
	"[freeze year-end]\nstart = 2026-12-20T00:00\nend = 2027-01-04T06:00\n" BERLIN
	"match_environment = prod*\nexcept = restart-*\n"
	"[freeze audit]\nstart = 2026-12-28T00:00\n" BERLIN
	"match_component = crm/web\npolicies = patch-*\n";

static void actions_need_their_window(void **state)
{
	static const struct {
		const char *component, *policy;
		bool required;
		const char *wall;
		const char *why; /* NULL: it may */
	} rows[] = {
		{"crm/web", "clean", false, "2026-11-22T12:30Z", NULL},
		{"crm/web", "clean", true, "2026-11-22T01:30Z", NULL},
		{"crm/web", "clean", true, "2026-11-22T08:00Z",
			"the next is 'night' on 2026-11-23 02:00+01:00 Europe/Berlin"},
		{"crm/web", "patch-node", true, "2026-11-22T08:00Z",
			"the next is 'lunch' on 2026-11-22 12:00 UTC"},
		{"crm/web", "patch-node", true, "2026-11-22T12:30Z", NULL},
		{"lab/web", "clean", true, "2026-11-22T01:30Z",
			"no [window] with actions = allow that matches lab/web"},
		{"lab/web", "patch-node", true, "2026-11-22T12:30Z", NULL},
		{"crm/web", "clean", false, "2026-12-20T12:00Z",
			"the freeze 'year-end' holds until 2027-01-04 06:00+01:00 Europe/Berlin"},
		{"crm/web", "clean", true, "2026-12-21T01:30Z", "the freeze 'year-end' holds"},
		{"crm/web", "restart-unit", false, "2026-12-20T12:00Z", NULL},
		{"lab/web", "clean", false, "2026-12-20T12:00Z", NULL},
		{"crm/web", "clean", false, "2026-12-19T22:59Z", NULL},
		{"crm/web", "clean", false, "2026-12-19T23:00Z", "the freeze 'year-end' holds"},
		{"crm/web", "clean", false, "2027-01-04T05:00Z", NULL},
		{"crm/web", "patch-node", false, "2026-12-29T00:00Z",
			"the freeze 'audit' holds until it is taken out of the configuration"},
		{"crm/database", "patch-node", false, "2027-02-01T00:00Z", NULL},
	};
	auto(conf_unref) struct conf *conf = need(acting);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char why[WINDOW_WHY_BYTES] = "";
		bool may = windows_may_act(conf, component(conf, rows[i].component), rows[i].policy,
			rows[i].required, at(rows[i].wall), why);

		if (may != !rows[i].why || (rows[i].why && !strstr(why, rows[i].why)))
			fail_msg("row %zu: %d %s", i, may, why);
	}
}

static void a_policy_can_ask(void **state)
{
	auto(conf_unref) struct conf *conf = need(acting);
	const struct conf_component *web = component(conf, "crm/web");
	auto_json json_t *open = windows_check(conf, web, "patch-node", at("2026-11-22T02:00Z"));
	auto_json json_t *shut = windows_check(conf, web, "patch-node", at("2026-11-22T06:00Z"));
	auto_json json_t *frozen = windows_check(conf, web, "clean", at("2026-12-21T02:00Z"));
	auto_json json_t *expected_open = json_pack("{s:b, s:s, s:s, s:i, s:s, s:n, s:n}", "open",
		1, "window", "night", "until", "2026-11-22T05:00:00.000000Z", "left", 10800, "next",
		"2026-11-22T12:00:00.000000Z", "freeze", "frozen_until");

	assert_true(json_equal(open, expected_open));
	assert_true(json_is_false(json_object_get(shut, "open")));
	assert_true(json_is_null(json_object_get(shut, "window")));
	assert_string_equal(
		json_string_value(json_object_get(shut, "next")), "2026-11-22T12:00:00.000000Z");
	assert_true(json_is_false(json_object_get(frozen, "open")));
	assert_string_equal(json_string_value(json_object_get(frozen, "freeze")), "year-end");
}

static void the_longest_window_is_named(void **state)
{
	auto(conf_unref) struct conf *conf =
		need("[window a]\ncron = 0 2 * * *\nduration = 2h\nalerts = quiet\n"
		     "[window b]\ncron = 0 3 * * *\nduration = 4h\nalerts = quiet\nchecks = pause\n"
		     "match_component = crm/*\n"
		     "[window c]\ncron = 0 1 * * *\nduration = 9h\nchecks = pause\n"
		     "match_environment = staging\n");
	static const struct {
		const char *component, *wall, *quiet, *paused;
	} rows[] = {
		{"crm/web", "2026-11-22T01:30Z", NULL, NULL},
		{"crm/web", "2026-11-22T02:30Z", "a", NULL},
		{"crm/web", "2026-11-22T03:30Z", "b", "b"},
		{"crm/web", "2026-11-22T06:30Z", "b", "b"},
		{"crm/web", "2026-11-22T07:00Z", NULL, NULL},
		{"lab/web", "2026-11-22T03:30Z", "a", "c"},
		{"lab/web", "2026-11-22T04:00Z", NULL, "c"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct conf_component *c = component(conf, rows[i].component);
		struct window_span span = {0};
		const struct conf_window *q = windows_quiet(conf, c, NULL, at(rows[i].wall), &span);
		const struct conf_window *p = windows_paused(conf, c, NULL, at(rows[i].wall), NULL);

		if (!str_eq(q ? q->name : NULL, rows[i].quiet) ||
			!str_eq(p ? p->name : NULL, rows[i].paused))
			fail_msg("row %zu: quiet %s, paused %s", i, q ? q->name : "-",
				p ? p->name : "-");
		if (q)
			assert_true(span.closes > at(rows[i].wall));
	}
}

static const char labelled[] =
	"[system old]\nenvironment = production\nlabel.tier = gold\n"
	"[component old/web]\nkind = web\n"
	"[component old/lab]\nkind = web\nlabel.tier = tin\n"
	"[window gold]\ncron = 0 2 * * *\nduration = 1h\nactions = allow\nmatch = tier=gold\n"
	"[window night]\ncron = 0 3 * * *\nduration = 1h\nalerts = quiet\nmatch = team=night\n"
	"[window page]\ncron = 0 4 * * *\nduration = 1h\nchecks = pause\n"
	"match = tier=gold, check=~.*/p.*\n"
	"[window teams]\ncron = 0 6 * * *\nduration = 1h\nactions = allow\nmatch = team=night\n"
	"[freeze silver]\nstart = 2026-12-20T00:00\nmatch = tier=~gold|silver, kind=web\n";

static void labels_decide(void **state)
{
	static char batch_name[] = "old/web/batch", page_name[] = "old/web/page",
		    team[] = "team=night";
	static char *batch_labels[] = {team, NULL};
	static const struct conf_check batch = {.name = batch_name, .labels = batch_labels},
				       page = {.name = page_name};
	static const struct {
		const char *component;
		const struct conf_check *check;
		const char *wall;
		const char *quiet, *paused;
		bool may; /* act, if it needs a window */
	} rows[] = {
		/* That of the component goes before that of the system; without one it is empty. */
		{"old/web", NULL, "2026-11-22T02:30Z", NULL, NULL, true},
		{"old/lab", NULL, "2026-11-22T02:30Z", NULL, NULL, false},
		{"crm/web", NULL, "2026-11-22T02:30Z", NULL, NULL, false},
		/* Of checks and notices those of the check. */
		{"old/web", &batch, "2026-11-22T03:30Z", "night", NULL, false},
		{"old/web", &page, "2026-11-22T03:30Z", NULL, NULL, false},
		{"old/web", NULL, "2026-11-22T03:30Z", NULL, NULL, false},
		{"old/web", &page, "2026-11-22T04:30Z", NULL, "page", false},
		{"old/web", &batch, "2026-11-22T04:30Z", NULL, NULL, false},
		{"old/web", NULL, "2026-11-22T04:30Z", NULL, NULL, false},
		/* Of actions those of the component. */
		{"old/web", &batch, "2026-11-22T06:30Z", NULL, NULL, false},
		/* A freeze closes the window. */
		{"old/web", NULL, "2026-12-22T02:30Z", NULL, NULL, false},
	};
	auto(conf_unref) struct conf *conf = need(labelled);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct conf_component *c = component(conf, rows[i].component);
		const usec_t wall = at(rows[i].wall);
		const struct conf_window *q = windows_quiet(conf, c, rows[i].check, wall, NULL);
		const struct conf_window *p = windows_paused(conf, c, rows[i].check, wall, NULL);
		char why[WINDOW_WHY_BYTES] = "";
		bool may = windows_may_act(conf, c, "patch", true, wall, why);

		if (!str_eq(q ? q->name : NULL, rows[i].quiet) ||
			!str_eq(p ? p->name : NULL, rows[i].paused) || may != rows[i].may)
			fail_msg("row %zu: quiet %s, paused %s, %d %s", i, q ? q->name : "-",
				p ? p->name : "-", may, why);
	}
}

static void labels_freeze_and_are_listed(void **state)
{
	auto(conf_unref) struct conf *conf = need(labelled);
	struct window_opening list[1];
	auto_json json_t *rows = NULL;
	char why[WINDOW_WHY_BYTES] = "";
	usec_t wall = at("2026-12-22T12:00Z");

	assert_false(windows_may_act(conf, component(conf, "old/web"), "patch", false, wall, why));
	assert_non_null(strstr(why, "the freeze 'silver' holds"));
	assert_true(windows_may_act(conf, component(conf, "old/lab"), "patch", false, wall, why));
	assert_true(windows_may_act(conf, component(conf, "crm/web"), "patch", false, wall, why));
	assert_int_equal(windows_next(conf, "silver", wall, list, 1), 1);
	rows = window_openings_to_json(list, 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "matches")),
		"labels tier=~gold|silver, kind=web");
}

static void the_list_is_in_order(void **state)
{
	auto(conf_unref) struct conf *conf = need(acting);
	struct window_opening list[6];
	size_t n = windows_next(conf, NULL, at("2026-11-22T04:30Z"), list, ARRAY_SIZE(list));
	static const struct {
		const char *name, *opens;
		bool open;
	} expected[] = {
		{"night", "2026-11-22T01:00Z", true},
		{"quiet", "2026-11-22T01:00Z", true},
		{"lunch", "2026-11-22T12:00Z", false},
		{"night", "2026-11-23T01:00Z", false},
		{"quiet", "2026-11-23T01:00Z", false},
		{"lunch", "2026-11-23T12:00Z", false},
	};
	auto_json json_t *rows = NULL;

	assert_int_equal(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(list[i].window->name, expected[i].name);
		assert_int_equal(list[i].span.opens, at(expected[i].opens));
		assert_int_equal(list[i].open, expected[i].open);
	}
	rows = window_openings_to_json(list, n);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(rows, 0), "opens_text")),
		"2026-11-22 02:00+01:00 Europe/Berlin");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 1), "switches")),
		"alerts quiet");
	n = windows_next(conf, "year-end", at("2026-11-22T04:30Z"), list, ARRAY_SIZE(list));
	assert_int_equal(n, 1);
	assert_int_equal(windows_next(conf, "none", at("2026-11-22T04:30Z"), list, 6), 0);
}

static void one_that_never_closes_is_no_trap(void **state)
{
	auto(conf_unref) struct conf *conf =
		need("[window w]\ncron = * * * * *\nduration = 366d\nalerts = quiet\n"
		     "[window v]\ncron = 0 * * * *\nduration = 1h\nalerts = quiet\n");
	struct window_opening list[50];
	usec_t began = clock_now();

	assert_int_equal(windows_next(conf, NULL, at("2026-11-22T04:30Z"), list, 50), 2);
	assert_true(list[0].open && list[0].span.closes == USEC_INFINITY);
	assert_int_equal(windows_edge(conf, at("2026-11-22T04:30Z")), USEC_INFINITY);
	assert_true(clock_now() - began < USEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slips_are_told),
		cmocka_unit_test(a_dump_says_the_same),
		cmocka_unit_test(they_open_and_close_in_time),
		cmocka_unit_test(open_and_next_agree),
		cmocka_unit_test(actions_need_their_window),
		cmocka_unit_test(a_policy_can_ask),
		cmocka_unit_test(the_longest_window_is_named),
		cmocka_unit_test(labels_decide),
		cmocka_unit_test(labels_freeze_and_are_listed),
		cmocka_unit_test(the_list_is_in_order),
		cmocka_unit_test(one_that_never_closes_is_no_trap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
