/* SPDX-License-Identifier: MIT */
/* The decisions of alert/ by tables: pace, signatures, verdicts, events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "alert/private.h"
#include "base/log.h"
#include "base/str.h"

/* ---- pace ----------------------------------------------------------------------------------- */

static void test_backoff(void **state)
{
	static const struct {
		unsigned n;
		double random;
		usec_t want;
	} rows[] = {
		{1, 0.0, 500},
		{1, 1.0, 1000},
		{2, 0.0, 1000},
		{2, 1.0, 2000},
		{4, 0.5, 6000},
		{5, 1.0, 10000},
		{4000000000u, 0.0, 5000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			backoff_delay(rows[i].n, 1000, 10000, rows[i].random), rows[i].want);
}

static void test_bucket(void **state)
{
	struct bucket bucket = {0}, unlimited = {0};
	usec_t now = 5 * USEC_PER_SEC, wait;
	int n = 0;

	while ((wait = bucket_take(&bucket, 60, now)) == 0)
		n++;
	assert_int_equal(n, 10); /* ten seconds' worth at once */
	assert_in_range(wait, 990 * USEC_PER_MSEC, 1010 * USEC_PER_MSEC);
	assert_int_equal(bucket_take(&bucket, 60, now + wait), 0);
	assert_true(bucket_take(&bucket, 60, now + wait) > 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(bucket_take(&unlimited, 0, now), 0);
}

/* ---- signatures ----------------------------------------------------------------------------- */

/* The example of the Standard Webhooks specification, and openssl's own hand:
 * printf '%s' 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}' |
 *   openssl dgst -sha256 -mac HMAC -macopt hexkey:... -binary | base64 */
static void test_signature(void **state)
{
	static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	static const char *const bad[] = {
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_a", "whsec_!!!!", ""};
	char text[SIGNATURE_MAX_BYTES];

	assert_int_equal(signature_make(secret, NULL, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
				 "{\"test\": 2432232314}", text),
		0);
	assert_string_equal(text, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	assert_int_equal(signature_make(secret, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
				 "{\"test\": 2432232314}", text),
		0);
	assert_string_equal(text, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
				  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(signature_make(bad[i], NULL, "a", 1, "b", text), -EINVAL);
	assert_int_equal(signature_make(secret, "whsec_?", "a", 1, "b", text), -EINVAL);
	signature_digest("abc", text);
	assert_string_equal(text, "ba7816bf8f01cfea");
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void test_judge(void **state)
{
	static const usec_t wall = 1445412480 * USEC_PER_SEC; /* Wed, 21 Oct 2015 07:28:00 GMT */
	static const struct {
		long status;
		const char *retry_after;
		enum verdict verdict;
		usec_t wait;
	} rows[] = {
		{200, NULL, VERDICT_DELIVERED, 0},
		{204, "5", VERDICT_DELIVERED, 0},
		{301, NULL, VERDICT_FAILED, 0},
		{307, NULL, VERDICT_FAILED, 0},
		{400, "5", VERDICT_FAILED, 0},
		{401, NULL, VERDICT_FAILED, 0},
		{404, NULL, VERDICT_FAILED, 0},
		{408, NULL, VERDICT_RETRY, 0},
		{410, NULL, VERDICT_GONE, 0},
		{425, NULL, VERDICT_RETRY, 0},
		{429, "7", VERDICT_RETRY, 7 * USEC_PER_SEC},
		{429, "Wed, 21 Oct 2015 07:29:00 GMT", VERDICT_RETRY, 60 * USEC_PER_SEC},
		{429, "Wed, 21 Oct 2015 07:27:00 GMT", VERDICT_RETRY, 0},
		{429, "-7", VERDICT_RETRY, 0},
		{429, "soon", VERDICT_RETRY, 0},
		{429, "99999999999999999999999", VERDICT_RETRY, 86400 * USEC_PER_SEC},
		{500, NULL, VERDICT_RETRY, 0},
		{503, "2", VERDICT_RETRY, 2 * USEC_PER_SEC},
		{99, NULL, VERDICT_RETRY, 0},
		{600, NULL, VERDICT_RETRY, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judgement j;

		webhook_judge(rows[i].status, rows[i].retry_after, wall, &j);
		if (j.verdict != rows[i].verdict || j.retry_after != rows[i].wait)
			fail_msg("%ld %s: verdict %d, wait %llu", rows[i].status,
				rows[i].retry_after ? rows[i].retry_after : "", (int)j.verdict,
				(unsigned long long)j.retry_after);
		assert_int_equal(j.error[0] == '\0', j.verdict == VERDICT_DELIVERED);
	}
}

/* ---- routes --------------------------------------------------------------------------------- */

static void test_routes(void **state)
{
	char *all_crm[] = {(char *)(uintptr_t) "crm/*", NULL};
	char *to_a[] = {(char *)(uintptr_t) "a", NULL};
	char *to_ab[] = {(char *)(uintptr_t) "a", (char *)(uintptr_t) "b", NULL};
	struct conf_receiver a = {.name = (char *)(uintptr_t) "a"};
	struct conf_receiver b = {
		.name = (char *)(uintptr_t) "b", .min_severity = SEVERITY_WARNING};
	struct conf_route crm = {.match_component = all_crm, .receivers = to_a};
	struct conf_route critical = {.min_severity = SEVERITY_CRITICAL, .receivers = to_ab};
	static const struct {
		const char *routes; /* r = crm, R = crm and go on, c = critical */
		const char *component;
		enum conf_severity severity;
		const char *want;
	} rows[] = {
		{"", "crm/web", SEVERITY_INFO, "a"}, /* b wants warnings */
		{"", "crm/web", SEVERITY_WARNING, "ab"},
		{"r", "crm/web", SEVERITY_CRITICAL, "a"},
		{"r", "erp/web", SEVERITY_CRITICAL, ""},
		{"r", NULL, SEVERITY_CRITICAL, "ab"}, /* of the daemon itself: to all */
		{"rc", "crm/web", SEVERITY_CRITICAL, "a"},
		{"Rc", "crm/web", SEVERITY_CRITICAL, "ab"}, /* each once */
		{"Rc", "crm/web", SEVERITY_WARNING, "a"},
		{"rc", "erp/web", SEVERITY_CRITICAL, "ab"},
		{"c", NULL, SEVERITY_CRITICAL, "ab"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf conf = {0};
		struct notice n = {.component = rows[i].component, .severity = rows[i].severity};
		const struct plan_question question = {.conf = &conf, .notice = &n};
		auto(plan_clear) struct plan plan = {0};
		char got[8] = "";

		assert_int_equal(map_put(&conf.receivers, "a", &a), 0);
		assert_int_equal(map_put(&conf.receivers, "b", &b), 0);
		for (const char *p = rows[i].routes; *p; p++) {
			if (*p != 'c')
				crm.go_on = *p == 'R';
			assert_int_equal(vec_push(&conf.routes, *p == 'c' ? &critical : &crm), 0);
		}
		assert_int_equal(plan_make(&question, &plan), 0);
		VEC_FOREACH (&plan.targets, const struct plan_target *, target)
			(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s",
				target->receiver->name);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: %s instead of %s", i, got, rows[i].want);
		vec_clear(&conf.routes);
		map_clear(&conf.receivers);
	}
}

/* ---- events --------------------------------------------------------------------------------- */

static const char *text_at(json_t *event, const char *path)
{
	char key[64];
	const char *dot = strchr(path, '.');

	if (!dot)
		return json_string_value(json_object_get(event, path));
	snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
	return json_string_value(json_object_get(json_object_get(event, key), dot + 1));
}

static void test_event(void **state)
{
	auto_json json_t *details =
		json_pack("{s:i, s:s}", "n_members", 3, "state", "never replaces");
	auto_json json_t *merged = json_pack(
		"[{s:s, s:i, s:s}]", "id", "x", "sequence", 41, "kind", "incident.raised");
	struct notice n = {.id = "0193a000-0000-7000-8000-000000000001",
		.kind = NOTICE_INCIDENT_CLEARED,
		.severity = SEVERITY_CRITICAL,
		.fingerprint = "crm/web/login",
		.incident_id = "i1",
		.system = "crm",
		.component = "crm/web",
		.check = "crm/web/login",
		.state = "ok",
		.text = "a\xff bad \x01 byte",
		.wall = 1700000000123456,
		.since_wall = 1699999990000000,
		.details = details};
	struct event_context context = {
		.host = "h1", .epoch = "e1", .sequence = 42, .merged = merged};
	auto(record_unref) struct record *record = NULL, *again = NULL;
	auto_free char *body = NULL;
	static const char *const want[][2] = {
		{"specversion", "1.0"},
		{"id", "0193a000-0000-7000-8000-000000000001"},
		{"source", "/tend/h1"},
		{"type", "tend.incident.cleared"},
		{"subject", "crm/web/login"},
		{"time", "2023-11-14T22:13:20.123456Z"},
		{"datacontenttype", "application/json"},
		{"sequence", "42"},
		{"epoch", "e1"},
		{"data.incident", "i1"},
		{"data.severity", "critical"},
		{"data.component", "crm/web"},
		{"data.state", "ok"},
		{"data.since", "2023-11-14T22:13:10.000000Z"},
	};

	assert_int_equal(record_new(&n, &record), 0);
	/* What the store keeps gives the same notice again. */
	assert_int_equal(record_from_json(record->doc, &again), 0);
	assert_int_equal(notice_compose_event(&again->notice, &context, &body), 0);
	auto_json json_t *event = json_loads(body, 0, NULL);
	assert_non_null(event);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const char *got = text_at(event, want[i][0]);

		if (!got || strcmp(got, want[i][1]) != 0)
			fail_msg("%s is %s", want[i][0], got ? got : "(none)");
	}
	json_t *data = json_object_get(event, "data");
	assert_true(json_is_false(json_object_get(data, "undurable")));
	assert_true(json_is_null(json_object_get(data, "reason")));
	assert_int_equal(json_integer_value(json_object_get(data, "n_members")), 3);
	assert_int_equal(json_array_size(json_object_get(data, "superseded")), 1);
	assert_true(str_startswith(text_at(event, "data.text"), "was raised and cleared: a? bad "));
}

static void test_event_is_bounded(void **state)
{
	enum { N = 300000 };
	auto_free char *text = malloc(N + 1);
	auto_json json_t *details = NULL;
	struct event_context context = {.host = "h1", .epoch = "e1"};
	struct notice n = {.id = "0193a000-0000-7000-8000-000000000001", .fingerprint = "f"};
	auto(record_unref) struct record *record = NULL;
	auto_free char *body = NULL;

	for (size_t i = 0; i < N; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[N] = '\0';
	details = json_pack("{s:s}", "big", text);
	n.text = text;
	n.details = details;
	assert_int_equal(record_new(&n, &record), 0);
	assert_int_equal(notice_compose_event(&record->notice, &context, &body), 0);
	assert_true(strlen(body) <= NOTICE_BODY_BYTES);
	auto_json json_t *event = json_loads(body, 0, NULL);
	assert_non_null(event);
	assert_true(strlen(text_at(event, "data.text")) >= NOTICE_TEXT_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_event_is_bounded),
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
