/* SPDX-License-Identifier: MIT */
/* Matchers, times of a week, and who is on call: tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "alert/match.h"
#include "alert/rota.h"
#include "alert/times.h"
#include "base/str.h"

/* ---- matchers ------------------------------------------------------------------------------- */

static void test_matching(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{"", true},
		{"severity=critical", true},
		{"severity = critical", true},
		{" severity=\"critical\" , system=crm ", true},
		{"severity=Critical", false},
		{"severity!=warning", true},
		{"severity=~crit.*", true},
		{"severity=~crit", false}, /* anchored */
		{"severity=~\"warning|critical\"", true},
		{"severity!~\"warning|critical\"", false},
		{"team=", true}, /* one that is not there is "" */
		{"team!=ops", true},
		{"team=~.+", false},
		{"text=\"a, b=\\\"c\\\"\"", true},
		{"severity=critical,system=erp", false},
		{"system=~(a+)+b", false},
		{"long=~(a+)+[bd]", false}, /* too costly: does not fit */
		{"long!~(a+)+[bd]", false}, /* whichever way it is asked */
		{"name=~.+\xc3\xa4.", true},
	};
	json_t *labels = json_pack("{s:s, s:s, s:s, s:s, s:s}", "severity", "critical", "system",
		"crm", "text", "a, b=\"c\"", "long",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", "name", "K\xc3\xa4se");

	assert_non_null(labels);
	json_object_set_new(labels, "name", json_string("K\xc3\xa4s"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(matchers_free) struct matchers *m = NULL, *again = NULL;
		auto_free char *text = NULL, *text_again = NULL;
		struct tend_error err = {0};
		const char *no = NULL;

		if (matchers_parse(rows[i].text, &err, &m) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (matchers_fit(m, labels, &no) != rows[i].want)
			fail_msg("%s: not %d", rows[i].text, rows[i].want);
		assert_true(rows[i].want == !no);
		text = matchers_format(m);
		assert_int_equal(matchers_parse(text, &err, &again), 0);
		text_again = matchers_format(again);
		assert_string_equal(text, text_again);
	}
	json_decref(labels);
}

static void test_bad_matchers(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"severity", "must come"},
		{"=x", "no name"},
		{"1a=x", "no name"},
		{"a b=x", "must come"},
		{"a=x,", "last comma"},
		{"a=\"x", "missing at the end"},
		{"a=\"x\"y", "comma is missing"},
		{"a=~(", "no regular expression"},
		{"a=\xff", "UTF-8"},
		{"n\xc3\xa4me=x", "no name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct matchers *m = NULL;
		struct tend_error err = {0};

		assert_int_equal(matchers_parse(rows[i].text, &err, &m), -EINVAL);
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: '%s' does not say '%s'", rows[i].text, err.text, rows[i].why);
	}
}

static void test_matcher_bounds(void **state)
{
	auto_str struct str many = STR_INIT(1 << 16);
	struct matchers *m = NULL;
	struct tend_error err = {0};

	for (int i = 0; i <= MATCH_MAX; i++)
		assert_int_equal(str_appendf(&many, "%sa=b", i ? "," : ""), 0);
	assert_int_equal(matchers_parse(str_get(&many), &err, &m), -EINVAL);
	str_clear(&many);
	many.max = 1 << 16;
	while (many.len <= MATCH_VALUE_BYTES + 8)
		assert_int_equal(str_append(&many, many.len ? "xx" : "a=", 2), 0);
	assert_int_equal(matchers_parse(str_get(&many), &err, &m), -EINVAL);
	while (many.len <= MATCH_TEXT_BYTES)
		assert_int_equal(str_append(&many, "xx", 2), 0);
	assert_int_equal(matchers_parse(str_get(&many), &err, &m), -EINVAL);
	assert_non_null(strstr(err.text, "longer"));
}

/* ---- times ---------------------------------------------------------------------------------- */

static usec_t at(const struct zone *zone, const char *text)
{
	struct tend_error err = {0};
	usec_t wall = 0;

	if (zone_parse(zone, text, &wall, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return wall;
}

static struct zone *berlin(void)
{
	struct tend_error err = {0};
	struct zone *zone = NULL;

	assert_int_equal(zone_get("Europe/Berlin", &zone, &err), 0);
	return zone;
}

static void test_times(void **state)
{
	static const struct {
		const char *times, *wall;
		bool inside;
		const char *next; /* NULL: never */
	} rows[] = {
		/* 2026-11-23 is a Monday */
		{"mon-fri 08:00-18:00", "2026-11-23T08:00", true, "2026-11-24T08:00"},
		{"mon-fri 08:00-18:00", "2026-11-23T07:59:59", false, "2026-11-23T08:00"},
		{"mon-fri 08:00-18:00", "2026-11-23T18:00", false, "2026-11-24T08:00"},
		{"mon-fri 08:00-18:00", "2026-11-27T19:00", false, "2026-11-30T08:00"},
		{"sat-sun", "2026-11-28T00:00", true, "2026-11-29T00:00"},
		{"Saturday, sun", "2026-11-27T23:59", false, "2026-11-28T00:00"},
		{"fri-mon 22:00-06:00", "2026-11-24T05:59", true, "2026-11-27T22:00"},
		{"fri-mon 22:00-06:00", "2026-11-25T05:59", false, "2026-11-27T22:00"},
		{"22:00-24:00", "2026-11-25T23:59:59", true, "2026-11-26T22:00"},
		{"daily 00:00-24:00", "2026-11-25T12:00", true, "2026-11-26T00:00"},
		{"mon 08:00-10:00, mon 12:00-13:00", "2026-11-23T09:00", true, "2026-11-23T12:00"},
		{"sun 02:30-02:45", "2026-03-29T03:01", false, "2026-04-05T02:30"}, /* skipped */
		{"sun 02:00-04:00", "2026-03-29T03:30", true, "2026-04-05T02:00"},
		/* The hour that comes twice: inside twice. 02:30 is first at 00:30Z, then 01:30Z.
		 */
		{"sun 02:15-02:45", "2026-10-25T00:30Z", true, "2026-11-01T02:15"},
		{"sun 02:15-02:45", "2026-10-25T01:30Z", true, "2026-11-01T02:15"},
	};
	auto(zone_free) struct zone *zone = berlin();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		struct times times;
		char got[ZONE_TEXT_BYTES];

		if (times_parse(rows[i].times, &err, &times) < 0)
			fail_msg("%s: %s", rows[i].times, err.text);
		if (times_inside(&times, zone, at(zone, rows[i].wall)) != rows[i].inside)
			fail_msg("%s at %s: not %d", rows[i].times, rows[i].wall, rows[i].inside);
		if (times_next(&times, zone, at(zone, rows[i].wall)) != at(zone, rows[i].next))
			fail_msg("%s after %s: %s", rows[i].times, rows[i].wall,
				zone_format(zone, times_next(&times, zone, at(zone, rows[i].wall)),
					got));
	}
}

static void test_bad_times(void **state)
{
	static const char *const rows[] = {"", "mon-", "8:00-18:00", "08:00", "08:00-08:00",
		"08:00-25:00", "mon 24:00-02:00", "mon-fri 08:00-18:00x", "mon tue 08:00-09:00",
		"mon-fri 08:00-18:00,", "08:00 -18:00", "daily 08:60-09:00"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		struct times times;

		if (times_parse(rows[i], &err, &times) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
		assert_non_null(strstr(err.text, "is not DAYS HH:MM-HH:MM"));
	}
}

static void test_moments(void **state)
{
	auto(zone_free) struct zone *zone = berlin();
	struct tend_error err = {0};
	struct times times;

	assert_int_equal(times_parse_moment("daily 08:00", &err, &times), 0);
	assert_false(times_inside(&times, zone, at(zone, "2026-11-23T08:00")));
	assert_true(times_next(&times, zone, at(zone, "2026-11-23T08:00")) ==
		    at(zone, "2026-11-24T08:00"));
	/* The night before the clock goes back is an hour longer. */
	assert_true(times_next(&times, zone, at(zone, "2026-10-24T08:00")) ==
		    at(zone, "2026-10-24T08:00") + 25 * 3600 * USEC_PER_SEC);
	assert_int_equal(times_parse_moment("mon,thu 08:00", &err, &times), -EINVAL);
	assert_int_equal(times_parse_moment("mon 08:00, thu 09:30", &err, &times), 0);
	assert_int_equal(times_parse_moment("mon-fri", &err, &times), -EINVAL);
	assert_int_equal(times_parse_moment("08:00-09:00", &err, &times), -EINVAL);
}

/* ---- rota ----------------------------------------------------------------------------------- */

static const char rota_text[] = "# who has the phone\n"
				"2026-03-02T08:00 alice, bob\n"
				"\n"
				"weekly 2026-03-16T08:00 alice bob carol # in turn\n"
				"2026-03-31T12:00 2026-04-01T12:00 dora\n"
				"2026-03-31T18:00 2026-03-31T20:00 eve\n"
				"daily 2026-12-01T09:00 alice bob\n"
				"2026-12-24T00:00 nobody-else\n";

static void test_rota(void **state)
{
	static const struct {
		const char *wall, *want, *until;
	} rows[] = {
		{"2026-03-02T07:59:59", "", "2026-03-02T08:00"},
		{"2026-03-02T08:00", "alice bob ", "2026-03-16T08:00"},
		{"2026-03-16T08:00", "alice ", "2026-03-23T08:00"},
		{"2026-03-23T07:59:59", "alice ", "2026-03-23T08:00"},
		{"2026-03-23T08:00", "bob ", "2026-03-30T08:00"}, /* over the night of 29 March */
		{"2026-03-30T07:59:59", "bob ", "2026-03-30T08:00"},
		{"2026-03-30T08:00", "carol ", "2026-03-31T12:00"},
		{"2026-03-31T12:00", "dora ", "2026-03-31T18:00"},
		{"2026-03-31T19:00", "eve ", "2026-03-31T20:00"}, /* the last in the file */
		{"2026-03-31T20:00", "dora ", "2026-04-01T12:00"},
		{"2026-04-01T12:00", "carol ", "2026-04-06T08:00"},
		{"2026-10-26T07:59", "bob ", "2026-10-26T08:00"}, /* over the 25th of October */
		{"2026-10-26T08:00", "carol ", "2026-11-02T08:00"},
		{"2026-12-01T09:00", "alice ", "2026-12-02T09:00"},
		{"2026-12-02T09:00", "bob ", "2026-12-03T09:00"},
		{"2026-12-23T23:59", "alice ", "2026-12-24T00:00"},
		{"2027-06-01T00:00", "nobody-else ", NULL},
	};
	auto(zone_free) struct zone *zone = berlin();
	auto(rota_free) struct rota *rota = NULL;
	struct tend_error err = {0};
	unsigned line = 0;

	if (rota_parse(rota_text, zone, &err, &line, &rota) < 0)
		fail_msg("line %u: %s", line, err.text);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t until, want = rows[i].until ? at(zone, rows[i].until) : USEC_INFINITY;
		char got[128] = "", text[ZONE_TEXT_BYTES];
		char *const *names = NULL;
		size_t n = rota_at(rota, at(zone, rows[i].wall), &names, &until);

		for (size_t j = 0; j < n; j++)
			(void)snprintf(
				got + strlen(got), sizeof(got) - strlen(got), "%s ", names[j]);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].wall, got, rows[i].want);
		if (until != want)
			fail_msg("%s: until %s", rows[i].wall, zone_format(zone, until, text));
	}
}

/* Turns follow each other; a week lasts a week by the clock, also where a day was left out. */
static void test_rota_has_no_gap(void **state)
{
	static const char *const zones[] = {
		"Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia"};

	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		auto(zone_free) struct zone *zone = NULL;
		auto(rota_free) struct rota *rota = NULL;
		struct tend_error err = {0};
		usec_t wall, until;

		assert_int_equal(zone_get(zones[i], &zone, &err), 0);
		assert_int_equal(
			rota_parse("weekly 2011-01-03T02:30 a b c\n", zone, &err, NULL, &rota), 0);
		wall = at(zone, "2011-01-03T02:30");
		for (int turn = 0; turn < 110; turn++) {
			char *const *names;

			assert_int_equal(rota_at(rota, wall, &names, &until), 1);
			assert_int_equal(names[0][0], "abc"[turn % 3]);
			assert_int_equal(rota_at(rota, until - 1, &names, NULL), 1);
			assert_int_equal(names[0][0], "abc"[turn % 3]);
			assert_true(until >= wall + 6 * 86400 * USEC_PER_SEC &&
				    until < wall + 8 * 86400 * USEC_PER_SEC);
			wall = until;
		}
	}
}

static void test_bad_rota(void **state)
{
	static const struct {
		const char *text, *why;
		unsigned line;
	} rows[] = {
		{"alice\n", "is no time", 1},
		{"\n\nweekly alice\n", "is no time", 3},
		{"2026-03-02T08:00\n", "name is missing", 1},
		{"2026-03-02T08:00 a\n2026-03-02T08:00 2026-03-02T08:00 a", "ends before", 2},
		{"2026-02-30T08:00 a", "", 1},
		{"weekly 2026-03-02T08:00", "name is missing", 1},
	};
	auto(zone_free) struct zone *zone = berlin();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rota *rota = NULL;
		struct tend_error err = {0};
		unsigned line = 0;

		assert_int_equal(rota_parse(rows[i].text, zone, &err, &line, &rota), -EINVAL);
		if (!strstr(err.text, rows[i].why) || line != rows[i].line)
			fail_msg("%s: line %u: %s", rows[i].text, line, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_bad_matchers),
		cmocka_unit_test(test_matcher_bounds),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_bad_times),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_rota),
		cmocka_unit_test(test_rota_has_no_gap),
		cmocka_unit_test(test_bad_rota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
