/* SPDX-License-Identifier: MIT */
/* What the bodies of /v1/events become, by tables; and how much one sender may tell. */
#include "unit.h"
#include <string.h>
#include "api/inbound.h"
#include "api/private.h"

static struct conf conf;
static struct conf_component web = {.name = (char[]){"crm/web"}}, db = {.name = (char[]){"crm/db"}};
static struct conf_source source = {
	.name = (char[]){"prom"},
	.component_label = (char[]){"tend_component"},
	.severity_label = (char[]){"severity"},
	.critical = (char *[]){(char[]){"critical"}, (char[]){"page"}, NULL},
	.ignore = (char *[]){(char[]){"none"}, NULL},
};

static int set_up(void **state)
{
	static struct conf_source_rule rule;

	rule.component = &db;
	assert_int_equal(matchers_parse("job=~\"db.*\"", NULL, &rule.match), 0);
	assert_int_equal(vec_push(&source.rules, &rule), 0);
	assert_int_equal(map_put(&conf.components, "crm/web", &web), 0);
	return 0;
}

#define ALERT(status, labels, more)                                                                \
	"{\"version\":\"4\",\"alerts\":[{\"status\":\"" status "\",\"labels\":{" labels "}" more   \
	"}]}"
#define CLOUD(type, more)                                                                          \
	"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"" type "\"" more "}"

static const struct {
	const char *body;
	const char *component; /* NULL: none */
	enum tend_state state;
	bool ignored;
	const char *fingerprint, *text; /* NULL: whatever */
} rows[] = {
	{ALERT("firing", "\"alertname\":\"A\",\"job\":\"db1\"", ""), "crm/db", TEND_STATE_WARNING,
		false, NULL, "A"},
	{ALERT("firing", "\"alertname\":\"A\",\"instance\":\"h:1\"",
		 ",\"fingerprint\":\"00ff00ff00ff00ff\""),
		NULL, TEND_STATE_WARNING, false, "00ff00ff00ff00ff", "A at h:1"},
	/* no fingerprint of theirs: by the labels, in whatever order */
	{ALERT("firing", "\"a\":\"1\",\"b\":\"2\"", ",\"fingerprint\":\"../../etc\""), NULL,
		TEND_STATE_WARNING, false, "558934fa9105665e", "alert"},
	{ALERT("resolved", "\"b\":\"2\",\"a\":\"1\"", ""), NULL, TEND_STATE_OK, false,
		"558934fa9105665e", NULL},
	/* severities */
	{ALERT("firing", "\"tend_component\":\"crm/web\",\"severity\":\"page\"", ""), "crm/web",
		TEND_STATE_CRITICAL, false, NULL, NULL},
	{ALERT("firing", "\"tend_component\":\"crm/web\",\"severity\":\"CRITICAL\"", ""), "crm/web",
		TEND_STATE_CRITICAL, false, NULL, NULL},
	{ALERT("firing", "\"tend_component\":\"crm/none\",\"severity\":\"none\"", ""), NULL,
		TEND_STATE_OK, true, NULL, NULL},
	/* rules go before the label */
	{ALERT("firing", "\"tend_component\":\"crm/web\",\"job\":\"db\"", ""), "crm/db",
		TEND_STATE_WARNING, false, NULL, NULL},
	/* annotations in order; control characters are none */
	{ALERT("firing", "\"alertname\":\"A\"",
		 ",\"annotations\":{\"description\":\"d\",\"summary\":\"s\\u0007\"}"),
		NULL, TEND_STATE_WARNING, false, NULL, NULL},
	/* CloudEvents: the same subject is the same thing, raised or cleared */
	{CLOUD("x.raised", ",\"subject\":\"q\",\"data\":{\"text\":\"t\"}"), NULL,
		TEND_STATE_WARNING, false, "59c084aef9aca21c", "q: t"},
	{CLOUD("x.cleared", ",\"subject\":\"q\""), NULL, TEND_STATE_OK, false, "59c084aef9aca21c",
		"q"},
	{CLOUD("x", ",\"subject\":\"q\",\"data\":{\"status\":\"resolved\"}"), NULL, TEND_STATE_OK,
		false, "59c084aef9aca21c", "q"},
	/* without a subject, by the type without that word */
	{CLOUD("x.y.raised", ""), NULL, TEND_STATE_WARNING, false, "827b60799e44a0c2",
		"x.y.raised"},
	{CLOUD("x.y.closed", ""), NULL, TEND_STATE_OK, false, "827b60799e44a0c2", NULL},
	{CLOUD("x", ",\"data\":{\"job\":\"db\",\"severity\":\"critical\"}"), "crm/db",
		TEND_STATE_CRITICAL, false, NULL, "x"},
	{"[" CLOUD("x", ",\"data\":\"said\"") "]", NULL, TEND_STATE_WARNING, false, NULL,
		"x: said"},
};

static void bodies_become_events(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		struct inbound in = {0};
		const struct inbound_event *e;

		if (inbound_parse(&conf, &source, rows[i].body, strlen(rows[i].body), &err, &in) <
			0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(in.n, 1);
		e = &in.events[0];
		if (!str_eq(e->component ? e->component->name : NULL, rows[i].component) ||
			e->state != rows[i].state || e->ignored != rows[i].ignored ||
			(rows[i].text && !str_eq(e->text, rows[i].text)) ||
			(rows[i].fingerprint && !str_eq(e->fingerprint, rows[i].fingerprint)))
			fail_msg("row %zu: %s, %s%s, %s: %s", i,
				e->component ? e->component->name : "none",
				tend_state_name(e->state), e->ignored ? " ignored" : "",
				e->fingerprint, e->text);
		inbound_clear(&in);
	}
}

/* Names are made fit, and no more is taken than matchers need. */
static void labels_are_told(void **unused)
{
	static const struct {
		const char *body, *told;
	} cases[] = {
		{ALERT("firing", "\"alertname\":\"A\",\"my-label\":\"1\",\"2nd.x\":\"y\",\"\":\"\"",
			 ""),
			"{\"_2nd_x\":\"y\",\"alertname\":\"A\",\"my_label\":\"1\"}"},
		{ALERT("firing", "\"a-b\":\"first\",\"a.b\":\"second\",\"c\":\"\"", ""),
			"{\"a_b\":\"first\"}"},
		/* members of data change all the time */
		{CLOUD("x", ",\"subject\":\"q\",\"partitionkey\":7,\"data\":{\"text\":\"t\","
			    "\"labels\":"
			    "{\"team\":\"a\",\"deep\":{}}}"),
			"{\"partitionkey\":\"7\",\"source\":\"/"
			"s\",\"subject\":\"q\",\"team\":\"a\","
			"\"type\":\"x\"}"},
	};
	struct str body = STR_INIT(1 << 20);
	struct tend_error err = {0};
	struct inbound in = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *told = NULL;

		assert_int_equal(inbound_parse(&conf, &source, cases[i].body, strlen(cases[i].body),
					 &err, &in),
			0);
		told = json_dumps(in.events[0].told, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(told, cases[i].told);
		inbound_clear(&in);
	}
	(void)str_appendf(
		&body, "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{");
	for (int i = 0; i < 100; i++)
		(void)str_appendf(&body, "\"l%d\":\"%0*d\",", i, i < 3 ? 1000 : 1, 0);
	(void)str_appendf(&body, "\"%0100d\":\"x\"}}]}", 0);
	assert_int_equal(inbound_parse(&conf, &source, str_get(&body), body.len, &err, &in), 0);
	assert_int_equal(json_object_size(in.events[0].told), EVENT_MAX_LABELS);
	assert_int_equal(strlen(json_string_value(json_object_get(in.events[0].told, "l0"))),
		EVENT_LABEL_BYTES - 1);
	inbound_clear(&in);
	body.len = 0;
	(void)str_appendf(
		&body, "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{");
	for (int i = 0; i < 20; i++)
		(void)str_appendf(&body, "\"l%d\":\"%01000d\",", i, 0);
	(void)str_appendf(&body, "\"z\":\"x\"}}]}");
	assert_int_equal(inbound_parse(&conf, &source, str_get(&body), body.len, &err, &in), 0);
	assert_in_range(in.events[0].told_bytes, EVENT_LABELS_BYTES / 2, EVENT_LABELS_BYTES);
	assert_int_equal(json_object_size(in.events[0].told), 8);
	inbound_clear(&in);
	str_clear(&body);
}

static void what_is_no_event(void **unused)
{
	static const struct {
		const char *body, *text;
	} bad[] = {
		{"", "no JSON"},
		{"{\"a\":1,\"a\":2}", "no JSON"},
		{"7", "no JSON"},
		{"{}", "neither a webhook"},
		{"{\"alerts\":[]}", "only version 4"},
		{"{\"version\":\"4\",\"alerts\":{}}", "only version 4"},
		{"{\"version\":\"4\",\"alerts\":[7]}", "no labels"},
		{ALERT("firing", "", ""), "no labels"},
		{ALERT("odd", "\"a\":\"b\"", ""), "neither firing nor resolved"},
		{"{\"specversion\":\"0.3\"}", "only CloudEvents 1.0"},
		{"{\"specversion\":\"1.0\",\"type\":\"x\",\"id\":\"1\"}",
			"needs id, source and type"},
		{"[{},[]]", "only CloudEvents 1.0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tend_error err = {0};
		struct inbound in = {0};

		assert_int_equal(
			inbound_parse(&conf, &source, bad[i].body, strlen(bad[i].body), &err, &in),
			-EINVAL);
		if (!strstr(err.text, bad[i].text))
			fail_msg("row %zu: %s", i, err.text);
		assert_null(in.events);
	}
}

/* One that is not understood does not take the others with it. */
static void one_of_several(void **unused)
{
	static const struct {
		const char *body, *why;
	} cases[] = {
		{"{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{}},"
		 "{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"}}]}",
			"an alert has no labels"},
		{"[{\"specversion\":\"1.0\",\"id\":\"1\"}," CLOUD("A", "") "]",
			"a CloudEvent needs id, source and type"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tend_error err = {0};
		struct inbound in = {0};

		assert_int_equal(inbound_parse(&conf, &source, cases[i].body, strlen(cases[i].body),
					 &err, &in),
			0);
		assert_int_equal(in.n, 2);
		assert_true(in.events[0].refused);
		assert_string_equal(in.events[0].text, cases[i].why);
		assert_false(in.events[1].refused);
		assert_string_equal(in.events[1].text, "A");
		inbound_clear(&in);
	}
}

static void no_more_than_a_thousand(void **unused)
{
	struct str body = STR_INIT(1 << 20);
	struct tend_error err = {0};
	struct inbound in = {0};

	(void)str_appendf(&body, "[%s", CLOUD("x", ""));
	for (int i = 0; i < INBOUND_MAX; i++)
		(void)str_appendf(&body, ",%s", CLOUD("x", ""));
	(void)str_appendf(&body, "]");
	assert_int_equal(
		inbound_parse(&conf, &source, str_get(&body), body.len, &err, &in), -E2BIG);
	str_clear(&body);
}

static void who_tells_is_limited(void **unused)
{
	static const struct rate_limit limit = {20, 6 * USEC_PER_SEC}, less = {2, USEC_PER_SEC};
	auto(rate_clear) struct rate rate = {0};
	usec_t now = 1000 * USEC_PER_SEC, wait = 0;
	unsigned n = 0;

	for (int i = 0; i < 100; i++)
		n += rate_admit(&rate, &limit, "a", now, &wait);
	assert_int_equal(n, limit.burst);
	assert_int_equal(wait, limit.refill);
	assert_true(rate_admit(&rate, &limit, "b", now, &wait));
	assert_false(rate_admit(&rate, &limit, "a", now + limit.refill / 3, &wait));
	assert_int_equal(wait, limit.refill - limit.refill / 3);
	assert_true(rate_admit(&rate, &limit, "a", now + limit.refill, &wait));
	assert_false(rate_admit(&rate, &limit, "a", now + limit.refill, &wait));
	/* the limit is another one now */
	assert_false(rate_admit(&rate, &less, "a", now + limit.refill, &wait));
	assert_int_equal(wait, less.refill);
	assert_true(rate_admit(&rate, &less, "a", now + limit.refill + less.refill, &wait));
	/* after a long time there are no more than at first */
	now += 1000 * limit.refill;
	for (n = 0; rate_admit(&rate, &limit, "a", now, &wait);)
		n++;
	assert_int_equal(n, limit.burst);
}

/* However many names there are, the memory is bounded, and who has waited long enough goes first.
 */
static void names_are_bounded(void **unused)
{
	static const struct rate_limit limit = {2, USEC_PER_SEC};
	auto(rate_clear) struct rate rate = {0};
	usec_t now = 1000 * USEC_PER_SEC, wait = 0;
	char name[16];

	for (int i = 0; i < RATE_MAX_BUCKETS; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_true(
			rate_admit(&rate, &limit, name, i == 7 ? now + USEC_PER_SEC : now, &wait));
	}
	assert_false(rate_admit(&rate, &limit, "more", now, &wait));
	assert_true(rate_admit(&rate, &limit, "n7", now + USEC_PER_SEC, &wait));
	assert_true(rate_admit(&rate, &limit, "more", now + USEC_PER_SEC, &wait));
	assert_int_equal(rate.buckets.len, 2);
	assert_false(rate_admit(&rate, &limit, "n7", now + USEC_PER_SEC, &wait));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_become_events),
		cmocka_unit_test(labels_are_told),
		cmocka_unit_test(what_is_no_event),
		cmocka_unit_test(one_of_several),
		cmocka_unit_test(no_more_than_a_thousand),
		cmocka_unit_test(who_tells_is_limited),
		cmocka_unit_test(names_are_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
