/* SPDX-License-Identifier: MIT */
/* What is posted, how it is signed, what an answer means: by tables. The signatures were made by
 * Python's hmac. */
#include "unit.h"
#include <string.h>
#include "alert/format.h"
#include "alert/private.h"
#include "alert/request.h"
#include "alert/sign.h"
#include "alert/view.h"
#include "base/str.h"

#define WALL   ((usec_t)1772424306123456)
#define SECRET "SEC0123456789abcdef"

static struct conf_receiver receiver(const char *url, const char *secret)
{
	static char urls[1024], secrets[128];

	snprintf(urls, sizeof(urls), "%s", url);
	snprintf(secrets, sizeof(secrets), "%s", secret ? secret : "");
	return (struct conf_receiver){.url = urls, .secret = secret ? secrets : NULL, .sign = -1};
}

static int make(struct conf_receiver *conf, enum conf_sign scheme, size_t max_bytes,
	const char *made, struct request **ret_request, struct tend_error *err)
{
	static char name[] = "r";
	auto_json json_t *json = json_loads(made, JSON_ALLOW_NUL, NULL);
	const struct request_context context = {
		.conf = conf, .id = "id-1", .wall = WALL, .scheme = scheme, .max_bytes = max_bytes};

	assert_non_null(json);
	conf->name = name;
	return request_of_format(&context, json, ret_request, err);
}

static const char *header_of(const struct request *request, const char *name)
{
	size_t len = strlen(name);

	for (const struct curl_slist *h = request->headers; h; h = h->next)
		if (strncmp(h->data, name, len) == 0 && strncmp(h->data + len, ": ", 2) == 0)
			return h->data + len + 2;
	return "";
}

/* ---- signatures ----------------------------------------------------------------------------- */

static void test_signatures(void **state)
{
	static const struct {
		enum conf_sign scheme;
		const char *secret, *made, *url, *body, *header, *value;
	} rows[] = {
		{SIGN_NONE, SECRET, "{\"body\":{\"a\":1}}", "https://h/p?k=v", "{\"a\":1}",
			"webhook-signature", ""},
		{SIGN_STANDARD, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "{\"body\":{\"a\":1}}",
			"https://h/p?k=v", "{\"a\":1}", "webhook-signature",
			"v1,COXvj0eQcheWfQSkFJ+K6DrUWJW8zSF/yxnVD/SAoTI="},
		{SIGN_STANDARD, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "{\"body\":{\"a\":1}}",
			"https://h/p?k=v", "{\"a\":1}", "webhook-timestamp", "1772424306"},
		{SIGN_STANDARD, NULL, "{\"body\":{\"a\":1}}", "https://h/p?k=v", "{\"a\":1}",
			"webhook-id", "id-1"},
		{SIGN_BEARER, SECRET, "{\"body\":\"x\"}", "https://h/p?k=v", "x", "Authorization",
			"Bearer " SECRET},
		{SIGN_BEARER, NULL, "{\"body\":\"x\"}", "https://h/p?k=v", "x", "Authorization",
			""},
		{SIGN_HMAC_SHA256, SECRET, "{\"body\":{\"a\":\"严\"}}", "https://h/p?k=v",
			"{\"a\":\"严\"}", "X-Hub-Signature-256",
			"sha256="
			"f0b2c3f27ac109b08d74f06a18f71fdea54c86a986c48a4fea48605462a44efb"},
		{SIGN_DINGTALK, SECRET, "{\"body\":{\"a\":1}}",
			"https://h/p?k=v&timestamp=1772424306123&sign="
			"PaEQEVCKngD%2B%2B12J2zAQpd6mwSyfStNtFxL22pVDayQ%3D",
			"{\"a\":1}", "Authorization", ""},
		{SIGN_DINGTALK, NULL, "{\"body\":{\"a\":1}}", "https://h/p?k=v", "{\"a\":1}",
			"Authorization", ""},
		{SIGN_FEISHU, SECRET, "{\"body\":{\"a\":1}}", "https://h/p?k=v",
			"{\"a\":1,\"timestamp\":\"1772424306\",\"sign\":"
			"\"UHMC07zBmmuC3Y0KDY502cJbMn6cAgPz8ZxXBBSKM0E=\"}",
			"Authorization", ""},
		{SIGN_FEISHU, NULL, "{\"body\":{\"a\":1}}", "https://h/p?k=v", "{\"a\":1}",
			"Authorization", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_receiver conf = receiver("https://h/p?k=v", rows[i].secret);
		auto(request_free) struct request *request = NULL;
		struct tend_error err = {0};

		if (make(&conf, rows[i].scheme, 0, rows[i].made, &request, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(strcasecmp(request->url, rows[i].url), 0); /* %2B, %2b */
		assert_string_equal(request->body, rows[i].body);
		assert_string_equal(header_of(request, rows[i].header), rows[i].value);
	}
}

static void test_both_keys_sign_while_they_change(void **state)
{
	static char old[] = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0";
	struct conf_receiver conf =
		receiver("https://h/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	auto(request_free) struct request *request = NULL;

	conf.secret_old = old;
	assert_int_equal(make(&conf, SIGN_STANDARD, 0, "{\"body\":{\"a\":1}}", &request, NULL), 0);
	assert_string_equal(header_of(request, "webhook-signature"),
		"v1,COXvj0eQcheWfQSkFJ+K6DrUWJW8zSF/yxnVD/SAoTI= "
		"v1,YYr38zOI7LXHLVBJHTKh8tRNuSPt+gcxTA7unGIju/E=");
}

/* ---- requests ------------------------------------------------------------------------------- */

static void test_made(void **state)
{
	static const struct {
		const char *url, *made, *expected_url, *body, *type;
	} rows[] = {
		{"https://h", "{\"body\":{}}", "https://h", "{}", "application/json"},
		{"https://h/a/", "{\"body\":[1],\"path\":\"/api/v2/alerts\"}",
			"https://h/a/api/v2/alerts", "[1]", "application/json"},
		{"https://h", "{\"body\":\"t\",\"path\":\"/x\"}", "https://h/x", "t",
			"text/plain; charset=utf-8"},
		{"https://h/p?a=b", "{\"body\":\"\",\"query\":{\"k\":\"a b&c=d\"}}",
			"https://h/p?a=b&k=a%20b%26c%3Dd", "", "text/plain; charset=utf-8"},
		{"https://h/p", "{\"body\":\"<a/>\",\"content_type\":\"application/xml\"}",
			"https://h/p", "<a/>", "application/xml"},
		{"https://h/s/{token}", "{\"body\":{}}", "https://h/s/T0/B1/x%26y", "{}",
			"application/json"},
		{"https://h/?k={token}", "{\"body\":{},\"query\":{\"a\":\"1\"}}",
			"https://h/?k=T0/B1/x%26y&a=1", "{}", "application/json"},
	};
	static char token[] = "T0/B1/x&y";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_receiver conf = receiver(rows[i].url, NULL);
		auto(request_free) struct request *request = NULL;
		struct tend_error err = {0};

		conf.token = token;
		if (make(&conf, SIGN_NONE, 0, rows[i].made, &request, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(strcasecmp(request->url, rows[i].expected_url), 0);
		assert_string_equal(request->body, rows[i].body);
		assert_string_equal(header_of(request, "Content-Type"), rows[i].type);
	}
}

static void test_secrets_go_where_they_belong(void **state)
{
	static const struct {
		const char *made, *body;
	} rows[] = {
		{"{\"body\":{\"a\":1},\"secrets\":{\"/routing_key\":\"secret\"}}",
			"{\"a\":1,\"routing_key\":\"" SECRET "\"}"},
		{"{\"body\":{\"a\":{\"b\":[0,{}]}},\"secrets\":{\"/a/b/1/k~1~0\":\"secret\"}}",
			"{\"a\":{\"b\":[0,{\"k/~\":\"" SECRET "\"}]}}"},
		{"{\"body\":[\"x\"],\"secrets\":{\"/0\":\"token\"}}", "[\"T\"]"},
	};
	static char token[] = "T";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_receiver conf = receiver("https://h", SECRET);
		auto(request_free) struct request *request = NULL;
		struct tend_error err = {0};

		conf.token = token;
		if (make(&conf, SIGN_NONE, 0, rows[i].made, &request, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_string_equal(request->body, rows[i].body);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *made, *needle;
		enum conf_sign scheme;
	} rows[] = {
		{"{}", "body: it is neither a table nor a text", SIGN_NONE},
		{"{\"body\":7}", "body: it is neither", SIGN_NONE},
		{"{\"body\":\"a\\u0000b\"}", "body: it has a zero byte", SIGN_NONE},
		{"{\"body\":{},\"header\":{}}", "unknown key 'header'; did you mean 'headers'?",
			SIGN_NONE},
		{"{\"body\":{},\"headers\":[]}", "headers: it must be a table", SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"X-A\":\"a\\r\\nHost: evil\"}}",
			"has a control character", SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"X-A\":\"a\\u0000\"}}", "has a control character",
			SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"X A\":\"a\"}}", "no header that a format may set",
			SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"X-A: b\\r\\nY\":\"a\"}}",
			"no header that a format may set", SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"hOST\":\"a\"}}", "no header that a format may set",
			SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"Authorization\":\"a\"}}", "no header that a format",
			SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"webhook-id\":\"a\"}}", "no header that a format",
			SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"X-A\":7}}", "is no text", SIGN_NONE},
		{"{\"body\":{},\"headers\":{\"X-A\":\"\"}}", "is no text", SIGN_NONE},
		{"{\"body\":{},\"content_type\":\"a/b\\r\\nX: y\"}", "content_type", SIGN_NONE},
		{"{\"body\":{},\"content_type\":\"json\"}", "content_type: 'json' is none",
			SIGN_NONE},
		{"{\"body\":{},\"path\":\"x\"}", "path: 'x'", SIGN_NONE},
		{"{\"body\":{},\"path\":\"/../x\"}", "path:", SIGN_NONE},
		{"{\"body\":{},\"path\":\"/%2e%2e/x\"}", "path:", SIGN_NONE},
		{"{\"body\":{},\"path\":\"/a?b=c\"}", "path:", SIGN_NONE},
		{"{\"body\":{},\"path\":\"//evil.example/\"}", "path:", SIGN_NONE},
		{"{\"body\":{},\"path\":\"/a\\r\\nb\"}", "path:", SIGN_NONE},
		{"{\"body\":{},\"query\":{\"a\":1}}", "query: 'a' is no text", SIGN_NONE},
		{"{\"body\":{},\"secrets\":{\"/a/b\":\"secret\"}}", "'/a/b' leads nowhere",
			SIGN_NONE},
		{"{\"body\":[],\"secrets\":{\"/0\":\"secret\"}}", "'/0' leads nowhere", SIGN_NONE},
		{"{\"body\":\"t\",\"secrets\":{\"/a\":\"secret\"}}", "'/a' leads nowhere",
			SIGN_NONE},
		{"{\"body\":{},\"secrets\":{\"a\":\"secret\"}}", "'a' leads nowhere", SIGN_NONE},
		{"{\"body\":{},\"secrets\":{\"/a\":\"auth_password\"}}",
			"[receiver r] has no 'auth_password'", SIGN_NONE},
		{"{\"body\":{},\"secrets\":{\"/a\":\"token\"}}", "[receiver r] has no 'token'",
			SIGN_NONE},
		{"{\"body\":\"t\"}", "which must be a table", SIGN_FEISHU},
		{"{\"body\":{}}", "the secret is not whsec_", SIGN_STANDARD},
		{"{\"body\":{\"a\":\"0123456789012345678901234567890123456789\"}}",
			"body: it has 48 bytes, and the limit is 40", SIGN_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_receiver conf = receiver("https://h/p", SECRET);
		struct request *request = NULL;
		struct tend_error err = {0};

		if (make(&conf, rows[i].scheme, 40, rows[i].made, &request, &err) >= 0)
			fail_msg("row %zu was taken: %s", i, rows[i].made);
		if (!strstr(err.text, rows[i].needle))
			fail_msg("row %zu: '%s'", i, err.text);
		assert_null(strstr(err.text, SECRET));
		assert_null(request);
	}
}

static void test_no_header_of_a_secret_is_split(void **state)
{
	struct conf_receiver conf = receiver("https://h/p", "abc\r\nX-Evil: 1");
	struct request *request = NULL;
	struct tend_error err = {0};

	assert_true(make(&conf, SIGN_BEARER, 0, "{\"body\":{}}", &request, &err) < 0);
	assert_null(strstr(err.text, "abc"));
}

/* ---- answers -------------------------------------------------------------------------------- */

#define NO_VERDICT "its verdict is none of delivered, retry, failed, unclear"

static void test_judge_more(void **state)
{
	static const struct {
		const char *said;
		enum verdict verdict;
		usec_t after;
		const char *error;
	} rows[] = {
		{"{\"verdict\":\"delivered\"}", VERDICT_DELIVERED, 0, ""},
		{"{\"verdict\":\"retry\",\"after\":600,\"why\":\"too fast\"}", VERDICT_RETRY,
			600 * USEC_PER_SEC, "HTTP 200: too fast"},
		{"{\"verdict\":\"retry\",\"why\":\"busy\"}", VERDICT_RETRY, 7 * USEC_PER_SEC,
			"HTTP 200: busy"},
		{"{\"verdict\":\"retry\",\"after\":0.5}", VERDICT_RETRY, USEC_PER_SEC / 2,
			"HTTP 200: the answer says no"},
		{"{\"verdict\":\"retry\",\"after\":1e300}", VERDICT_RETRY, 86400 * USEC_PER_SEC,
			"HTTP 200: the answer says no"},
		{"{\"verdict\":\"retry\",\"after\":-5}", VERDICT_RETRY, 7 * USEC_PER_SEC,
			"HTTP 200: the answer says no"},
		{"{\"verdict\":\"failed\",\"why\":\"bad\\nkey\"}", VERDICT_FAILED, 0,
			"HTTP 200: bad\\nkey"},
		{"{\"verdict\":\"failed\",\"after\":\"x\"}", VERDICT_FAILED, 0,
			"HTTP 200: the answer says no"},
		{"{\"verdict\":\"unclear\",\"why\":\"a\\npage\"}", VERDICT_MAX, 0, "a\\npage"},
		{"{\"verdict\":\"unclear\"}", VERDICT_MAX, 0, "it is none of the service's"},
		{"{\"verdict\":\"gone\",\"why\":\"x\"}", VERDICT_MAX, 0, NO_VERDICT},
		{"{}", VERDICT_MAX, 0, NO_VERDICT},
		{"[]", VERDICT_MAX, 0, NO_VERDICT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *said = json_loads(rows[i].said, 0, NULL);
		struct judgement j = {.verdict = VERDICT_DELIVERED, .code = 200, .error = "old"};

		webhook_judge_more(said, "7", WALL, &j);
		assert_int_equal(j.verdict, rows[i].verdict);
		assert_int_equal(j.retry_after, rows[i].after);
		assert_string_equal(j.error, rows[i].error);
	}
}

/* ---- the built-in event of several ---------------------------------------------------------- */

static void test_event_of_several(void **state)
{
	auto_json json_t *labels = json_pack("{s:s, s:s}", "class", "software", "team", "crm");
	auto_json json_t *group = json_pack("{s:s}", "team", "crm"), *event = NULL;
	const struct notice notices[] = {
		{.id = "a",
			.kind = NOTICE_INCIDENT_RAISED,
			.severity = SEVERITY_CRITICAL,
			.fingerprint = "crm/web/login",
			.incident_id = "i1",
			.text = "t1",
			.wall = WALL,
			.labels = labels},
		{.id = "b", .kind = NOTICE_INCIDENT_CLEARED, .incident_id = "i2", .wall = WALL + 1},
	};
	const struct view_entry entries[] = {
		{.notice = &notices[0], .sequence = 7}, {.notice = &notices[1], .sequence = 8}};
	struct view_source source = {.id = "of-both",
		.receiver = "r",
		.host = "h",
		.epoch = "e",
		.wall = WALL + USEC_PER_SEC,
		.late_seconds = 61,
		.group_key = "crm{team=\"crm\"}",
		.group_labels = group,
		.entries = entries,
		.n_entries = 2};
	auto_free char *body = NULL;
	json_t *data, *first;

	assert_int_equal(event_compose(&source, &body), 0);
	event = json_loads(body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(event, "id")), "of-both");
	assert_string_equal(
		json_string_value(json_object_get(event, "type")), "tend.incident.group");
	assert_string_equal(json_string_value(json_object_get(event, "sequence")), "8");
	data = json_object_get(event, "data");
	assert_int_equal(json_integer_value(json_object_get(data, "n_firing")), 1);
	assert_int_equal(json_integer_value(json_object_get(data, "n_resolved")), 1);
	assert_int_equal(json_integer_value(json_object_get(data, "late_seconds")), 61);
	assert_string_equal(json_string_value(json_object_get(data, "severity")), "critical");
	assert_int_equal(json_array_size(json_object_get(data, "alerts")), 2);
	first = json_array_get(json_object_get(data, "alerts"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "id")), "a");
	assert_string_equal(json_string_value(json_object_get(first, "incident")), "i1");
	assert_string_equal(json_string_value(json_object_get(first, "class")), "software");
	assert_int_equal(json_integer_value(json_object_get(first, "sequence")), 7);
	/* Of one it is the event that it always was, with its labels. */
	source.n_entries = 1;
	free(body);
	json_decref(event);
	assert_int_equal(event_compose(&source, &body), 0);
	event = json_loads(body, 0, NULL);
	data = json_object_get(event, "data");
	assert_string_equal(json_string_value(json_object_get(event, "id")), "a");
	assert_string_equal(
		json_string_value(json_object_get(event, "type")), "tend.incident.raised");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(data, "labels"), "team")), "crm");
	assert_int_equal(json_integer_value(json_object_get(data, "late_seconds")), 61);
}

/* ---- what a format declares ----------------------------------------------------------------- */

static void test_receivers_fit(void **state)
{
	static const struct {
		const char *spec;
		const char *options; /* one NAME=VALUE */
		const char *secret, *needle, *key;
		int sign;
	} rows[] = {
		{"{\"name\":\"f\",\"sign\":\"none\"}", NULL, NULL, NULL, NULL, -1},
		{"{\"name\":\"f\",\"sign\":\"none\"}", "a=1", NULL,
			"option.a: the format 'f' has no such option", "option", -1},
		{"{\"name\":\"f\",\"sign\":\"none\",\"options\":{\"mention\":{}}}", "mentoin=1",
			NULL, "did you mean 'mention'?", "option", -1},
		{"{\"name\":\"f\",\"sign\":\"none\",\"options\":{\"a\":{\"required\":true,\"doc\":"
		 "\"the A\"}}}",
			NULL, NULL, "option.a: the format 'f' needs it: the A", "option", -1},
		{"{\"name\":\"f\",\"sign\":\"none\",\"options\":{\"a\":{\"required\":true}}}",
			"a=1", NULL, NULL, NULL, -1},
		{"{\"name\":\"f\"}", NULL, NULL, "signed (standard), which needs 'secret'",
			"secret", -1},
		{"{\"name\":\"f\"}", NULL, "plain", "not a key of Standard Webhooks", "secret", -1},
		{"{\"name\":\"f\"}", NULL, NULL, NULL, NULL, SIGN_NONE},
		{"{\"name\":\"f\",\"sign\":\"dingtalk\"}", NULL, NULL, NULL, NULL, -1},
		{"{\"name\":\"f\",\"sign\":\"none\"}", NULL, NULL,
			"signed (hmac-sha256), which needs 'secret'", "secret", SIGN_HMAC_SHA256},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *doc = json_loads(rows[i].spec, 0, NULL);
		struct conf_receiver conf = receiver("https://h", rows[i].secret);
		struct format_spec spec = {0};
		struct tend_error err = {0};
		const char *key = NULL;
		char option[64];
		char *options[] = {rows[i].options ? option : NULL, NULL};

		snprintf(option, sizeof(option), "%s", rows[i].options ? rows[i].options : "");
		conf.format_options = options;
		conf.sign = rows[i].sign;
		assert_int_equal(format_spec_parse(doc, &spec, &err), 0);
		assert_int_equal(format_check_receiver(&spec, &conf, &key, &err),
			rows[i].needle ? -EINVAL : 0);
		if (rows[i].needle) {
			assert_string_equal(key, rows[i].key);
			if (!strstr(err.text, rows[i].needle))
				fail_msg("row %zu: '%s'", i, err.text);
		}
		format_spec_clear(&spec);
	}
	struct format_spec spec = {0};
	struct tend_error err = {0};
	auto_json json_t *bad = json_loads("{\"name\":\"f\",\"sign\":\"md5\"}", 0, NULL);
	assert_int_equal(format_spec_parse(bad, &spec, &err), -EINVAL);
	assert_string_equal(err.text, "sign: there is no scheme 'md5'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_both_keys_sign_while_they_change),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_secrets_go_where_they_belong),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_header_of_a_secret_is_split),
		cmocka_unit_test(test_judge_more),
		cmocka_unit_test(test_event_of_several),
		cmocka_unit_test(test_receivers_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
