/* SPDX-License-Identifier: MIT */
/* The http probe against a web server that behaves and misbehaves (http_server.py). */
#include "plugin_fixture.h"

extern const struct tend_probe *const tend_plugin_http;

#define FAST (600 * USEC_PER_MSEC)
#define LONG (5 * USEC_PER_SEC)

static struct fixture fixture;

struct row {
	const char *name;
	const char *url; /* with %d for the port */
	const char *port;
	const char *options[8];
	usec_t timeout;
	enum tend_reason reason;
	const char *text; /* must be in the text */
};

static const struct row rows[] = {
	{"well", "http://127.0.0.1:%d/ok", "http", {0}, LONG, TEND_REASON_OK,
		"status 200, 11 bytes"},
	{"IPv6", "http://[::1]:%d/ok", "http6", {0}, LONG, TEND_REASON_OK, "status 200"},
	{"name", "http://localhost:%d/ok", "http", {0}, LONG, TEND_REASON_OK, "status 200"},
	{"name of two addresses, only IPv6 listens", "http://www.localhost:%d/ok", "http6", {0},
		LONG, TEND_REASON_OK, "status 200"},
	{"no such name", "http://no-such-name.invalid:%d/", "http", {0}, LONG,
		TEND_REASON_DNS_FAILED, "no-such-name.invalid"},
	{"204", "http://127.0.0.1:%d/empty", "http", {0}, LONG, TEND_REASON_OK, "status 204"},
	{"HEAD", "http://127.0.0.1:%d/ok", "http", {"method = HEAD"}, LONG, TEND_REASON_OK, "200"},
	{"status", "http://127.0.0.1:%d/503", "http", {0}, LONG, TEND_REASON_STATUS_UNEXPECTED,
		"expected status 200-299, got 503: \"<html> <b>down for maintenance</b>"},
	{"status wanted", "http://127.0.0.1:%d/503", "http", {"expect_status = 200, 5xx"}, LONG,
		TEND_REASON_OK, "status 503"},
	{"denied", "http://127.0.0.1:%d/403", "http", {0}, LONG, TEND_REASON_AUTH_FAILED, "403"},
	{"basic", "http://127.0.0.1:%d/auth", "http",
		{"auth = basic", "user = ops", "password = file:@DIR@/password"}, LONG,
		TEND_REASON_OK, "200"},
	{"bearer", "http://127.0.0.1:%d/auth", "http",
		{"auth = bearer", "token = file:@DIR@/token"}, LONG, TEND_REASON_OK, "200"},
	{"secret header", "http://127.0.0.1:%d/auth", "http",
		{"header_secret.Authorization = file:@DIR@/authorization"}, LONG, TEND_REASON_OK,
		"200"},
	{"wrong token", "http://127.0.0.1:%d/auth", "http",
		{"auth = bearer", "token = file:@DIR@/password"}, LONG, TEND_REASON_AUTH_FAILED,
		"401: \"who are you?\""},
	{"redirect not followed", "http://127.0.0.1:%d/installer", "http", {0}, LONG,
		TEND_REASON_STATUS_UNEXPECTED, "got 302 to http://127.0.0.1:"},
	{"redirect", "http://127.0.0.1:%d/redirect", "http",
		{"follow_redirects = 1", "method = POST", "body = hi", "expect_json./method = GET",
			"expect_json./body = \"\""},
		LONG, TEND_REASON_OK, "200"},
	{"redirect that keeps the method", "http://127.0.0.1:%d/redirect307", "http",
		{"follow_redirects = 1", "method = POST", "body = hi", "expect_json./method = POST",
			"expect_json./body = hi", "header.X-A = b", "expect_json./headers/x-a = b"},
		LONG, TEND_REASON_OK, "200"},
	{"redirect loop", "http://127.0.0.1:%d/loop", "http", {"follow_redirects = 3"}, LONG,
		TEND_REASON_STATUS_UNEXPECTED, "got 301 to"},
	{"redirect elsewhere takes no secrets along", "http://127.0.0.1:%d/elsewhere", "http",
		{"follow_redirects = 1", "auth = bearer", "token = file:@DIR@/token",
			"header.X-A = b", "expect_json./headers/authorization = *"},
		LONG, TEND_REASON_CONTENT_UNEXPECTED, "expected /headers/authorization = anything"},
	{"redirect elsewhere takes no body along", "http://127.0.0.1:%d/elsewhere307", "http",
		{"follow_redirects = 1", "method = POST", "body_secret = file:@DIR@/password",
			"expect_body = s3cret"},
		LONG, TEND_REASON_PROTOCOL, "would take the body to another server"},
	{"redirect elsewhere that makes it a GET", "http://127.0.0.1:%d/elsewhere", "http",
		{"follow_redirects = 1", "method = POST", "body_secret = file:@DIR@/password",
			"expect_json./method = GET", "expect_json./body = \"\""},
		LONG, TEND_REASON_OK, "200"},
	{"redirect to ftp", "http://127.0.0.1:%d/to-ftp", "http", {"follow_redirects = 1"}, LONG,
		TEND_REASON_PROTOCOL, "no http or https"},
	{"JSON", "http://127.0.0.1:%d/json", "http",
		{"expect_json./result/1 = key", "expect_json./n = 3", "expect_json./ok = true",
			"expect_json./a~1b/m~0n = x", "expect_json./result = *",
			"expect_json./none = null"},
		LONG, TEND_REASON_OK, "200"},
	{"JSON value", "http://127.0.0.1:%d/json", "http", {"expect_json./result/0 = 8"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "expected /result/0 = 8, got \"7\""},
	{"JSON null is not anything", "http://127.0.0.1:%d/json", "http", {"expect_json./none = *"},
		LONG, TEND_REASON_CONTENT_UNEXPECTED, "expected /none = anything, got \"null\""},
	{"200 with an error", "http://127.0.0.1:%d/json-error", "http", {"expect_json./result = *"},
		LONG, TEND_REASON_CONTENT_UNEXPECTED, "nothing, but error \"[\"NotLogged\""},
	{"no JSON", "http://127.0.0.1:%d/ok", "http", {"expect_json./result = *"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "expected JSON, got \"all is well\""},
	{"body", "http://127.0.0.1:%d/ok", "http", {"expect_body = is w.ll$"}, LONG, TEND_REASON_OK,
		"200"},
	{"no body match", "http://127.0.0.1:%d/ok", "http", {"expect_body = broken"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "to match /broken/, got \"all is well\""},
	{"binary", "http://127.0.0.1:%d/binary", "http", {"expect_body = broken"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "to match"},
	{"long body, match beyond", "http://127.0.0.1:%d/huge", "http", {"expect_body = end"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "first part of the body"},
	{"long body, kept", "http://127.0.0.1:%d/huge", "http",
		{"expect_body = end", "max_body_bytes = 1M"}, LONG, TEND_REASON_OK, "200003 bytes"},
	{"exponential expression", "http://127.0.0.1:%d/evil", "http", {"expect_body = ^(a+)+$b?c"},
		LONG, TEND_REASON_CONTENT_UNEXPECTED, "takes too long"},
	{"quadratic expression", "http://127.0.0.1:%d/evil", "http",
		{"expect_body = [ab]*[cd][ab]*[cd]"}, LONG, TEND_REASON_CONTENT_UNEXPECTED,
		"takes too long"},
	{"refused", "http://127.0.0.1:1/", "http", {0}, LONG, TEND_REASON_CONNECT_REFUSED,
		"cannot connect to 127.0.0.1 port 1: Connection refused"},
	{"garbage", "http://127.0.0.1:%d/garbage", "http", {0}, LONG, TEND_REASON_PROTOCOL,
		"HTTP/0.9"},
	{"bad header", "http://127.0.0.1:%d/badheader", "http", {0}, LONG, TEND_REASON_PROTOCOL,
		""},
	{"closed at once", "http://127.0.0.1:%d/close", "http", {0}, LONG, TEND_REASON_PROTOCOL,
		"Empty reply"},
	{"half a body", "http://127.0.0.1:%d/partial", "http", {0}, LONG, TEND_REASON_PROTOCOL, ""},
	{"slow loris", "http://127.0.0.1:%d/slow", "http", {0}, FAST, TEND_REASON_TOO_SLOW,
		"no full answer within "},
	{"endless body", "http://127.0.0.1:%d/endless", "http", {0}, FAST, TEND_REASON_TOO_SLOW,
		"bytes of the body had come"},
	{"flood", "http://127.0.0.1:%d/flood", "http", {0}, LONG, TEND_REASON_CONTENT_UNEXPECTED,
		"does not end"},
	{"hang", "http://127.0.0.1:%d/hang", "http", {0}, FAST, TEND_REASON_TOO_SLOW,
		"waiting for the answer"},
	{"TLS", "https://localhost:%d/ok", "good", {"ca_file = @DIR@/ca.pem"}, LONG, TEND_REASON_OK,
		"200"},
	{"TLS by address", "https://127.0.0.1:%d/ok", "good", {"ca_file = @DIR@/ca.pem"}, LONG,
		TEND_REASON_OK, "200"},
	{"TLS expired", "https://localhost:%d/ok", "expired", {"ca_file = @DIR@/ca.pem"}, LONG,
		TEND_REASON_TLS_EXPIRED, "expired"},
	{"TLS expired, accepted", "https://localhost:%d/ok", "expired", {"verify_tls = no"}, LONG,
		TEND_REASON_OK, "200"},
	{"TLS of another host", "https://localhost:%d/ok", "other", {"ca_file = @DIR@/ca.pem"},
		LONG, TEND_REASON_TLS_NAME, "subject name"},
	{"TLS self-signed", "https://localhost:%d/ok", "selfsigned", {0}, LONG,
		TEND_REASON_TLS_UNTRUSTED, "self-signed"},
	{"TLS on a plain port", "https://127.0.0.1:%d/ok", "http", {0}, LONG,
		TEND_REASON_TLS_FAILED, ""},
	{"TLS stall", "https://127.0.0.1:%d/ok", "silent", {0}, 3 * USEC_PER_SEC,
		TEND_REASON_TOO_SLOW, "in the TLS handshake"},
	{"unix socket", "http://localhost/ok", NULL, {"unix_socket = @DIR@/http.sock"}, LONG,
		TEND_REASON_OK, "200"},
	{"no unix socket", "http://localhost/ok", NULL, {"unix_socket = @DIR@/none.sock"}, LONG,
		TEND_REASON_CONNECT_REFUSED, "none.sock: No such file"},
};

/* Replaces @DIR@ and fills the port in. */
static char *option_of(const char *text, int port)
{
	const char *at = strstr(text, "@DIR@");

	if (at)
		return str_printf("%.*s%s%s", (int)(at - text), text, fixture.dir, at + 5);
	at = strstr(text, "%d");
	return at ? str_printf("%.*s%d%s", (int)(at - text), text, port, at + 2) : strdup(text);
}

static struct fixture_end run_row(const struct row *row)
{
	char *options[12] = {0};
	auto_free char *url = str_printf("url = %s", row->url);
	size_t n = 0;

	options[n++] = option_of(url, row->port ? fixture_port(&fixture, row->port) : 0);
	for (size_t i = 0; i < ARRAY_SIZE(row->options) && row->options[i]; i++)
		options[n++] = option_of(row->options[i], 0);
	struct fixture_end end =
		fixture_run(&fixture, tend_plugin_http, (const char *const *)options, row->timeout);
	for (size_t i = 0; i < n; i++)
		free(options[i]);
	return end;
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture_end end = run_row(&rows[i]);

		if (end.reason != rows[i].reason || !strstr(end.text, rows[i].text))
			fail_msg(
				"%s: %s: %s", rows[i].name, tend_reason_name(end.reason), end.text);
		/* It ends by itself, not by a clock of somebody else's: a busy machine may take
		 * long. */
		if (end.took > rows[i].timeout + 10 * USEC_PER_SEC)
			fail_msg("%s: took %llu us", rows[i].name, (unsigned long long)end.took);
	}
}

static void assert_span(const struct fixture_end *end, const char *name)
{
	const struct metric *m = fixture_metric(end, name);

	if (!m || m->value <= 0 || m->value > 5)
		fail_msg("%s: %f", name, m ? m->value : -1.0);
}

static void test_metrics(void **state)
{
	static const struct row row = {"", "https://localhost:%d/ok", "good",
		{"ca_file = @DIR@/ca.pem"}, LONG, TEND_REASON_OK, ""};
	struct fixture_end end = run_row(&row);

	assert_int_equal(end.reason, TEND_REASON_OK);
	assert_span(&end, "total_seconds");
	assert_span(&end, "connect_seconds");
	assert_span(&end, "tls_seconds");
	assert_span(&end, "first_byte_seconds");
	assert_non_null(fixture_metric(&end, "dns_seconds"));
	assert_true(fixture_metric(&end, "status")->value == 200);
	assert_true(fixture_metric(&end, "body_bytes")->value == 11);
	assert_true(fixture_metric(&end, "certificate_days")->value > 29);
	assert_true(fixture_metric(&end, "certificate_days")->value <= 30);
}

static int n_connections(void)
{
	static const struct row row = {"", "http://127.0.0.1:%d/connections", "http",
		{"expect_body = ."}, LONG, TEND_REASON_OK, ""};
	struct row probe = row;
	int n = 0;

	/* The number comes back in the text of an expectation that fails. */
	probe.options[0] = "expect_json./n = 0";
	struct fixture_end end = run_row(&probe);
	assert_int_equal(sscanf(strstr(end.text, "got"), "got \"%d\"", &n), 1);
	return n;
}

static void test_connections(void **state)
{
	struct row row = {"", "http://127.0.0.1:%d/ok", "http", {0}, LONG, TEND_REASON_OK, ""};
	int before = n_connections();

	for (int i = 0; i < 3; i++)
		assert_int_equal(run_row(&row).reason, TEND_REASON_OK);
	assert_int_equal(n_connections(), before + 4);
	row.options[0] = "keep = yes";
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_row(&row).reason, TEND_REASON_OK);
	assert_int_equal(n_connections(), before + 6);
}

static void test_no_proxy_from_environment(void **state)
{
	static const struct row row = {
		"", "http://127.0.0.1:%d/ok", "http", {0}, LONG, TEND_REASON_OK, ""};

	(void)setenv("http_proxy", "http://127.0.0.1:1/", 1);
	(void)setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	assert_int_equal(run_row(&row).reason, TEND_REASON_OK);
	(void)unsetenv("http_proxy");
	(void)unsetenv("ALL_PROXY");
}

/* Abandoned in every phase: nothing leaks, nothing is called later. */
static void test_abandon(void **state)
{
	void *conf = NULL;
	struct tend_error err = {0};
	auto_free char *url =
		str_printf("url = http://127.0.0.1:%d/slow", fixture_port(&fixture, "http"));
	const char *const options[] = {url, NULL};

	assert_int_equal(fixture_conf(tend_plugin_http, options, &err, &conf), 0);
	for (int turns = 0; turns < 12; turns++) {
		struct fixture_end end = {0};
		struct tend_attempt *a = NULL;
		struct attempt_spec spec = {.owner = &fixture.conf,
			.probe = tend_plugin_http,
			.probe_conf = conf,
			.name = "a/b/c",
			.timeout = LONG,
			.done = fixture_on_end,
			.data = &end};
		assert_int_equal(attempt_start(fixture.host, &spec, &a), 0);
		for (int i = 0; i < turns; i++)
			(void)loop_turn(fixture.loop, 20 * USEC_PER_MSEC);
		attempt_abandon(a);
		for (int i = 0; i < 3; i++)
			(void)loop_turn(fixture.loop, USEC_PER_MSEC);
		assert_false(end.ended);
		assert_int_equal(host_n_running(fixture.host), 0);
	}
	fixture_conf_free(tend_plugin_http, conf);
}

static const struct {
	const char *options[4];
	const char *text;
} bad[] = {
	{{"url = ftp://127.0.0.1/"}, "no http:// or https:// URL"},
	{{"url = /login"}, "no http:// or https:// URL"},
	{{"url = http://user:pw@127.0.0.1/"}, "options of their own"},
	{{"url = http://h/", "auth = basic"}, "needs user and password"},
	{{"url = http://h/", "user = a"}, "need auth = basic"},
	{{"url = http://h/", "header.A B = c"}, "no name of a header"},
	{{"url = http://h/", "header.Authorization = Bearer x"}, "header_secret.Authorization"},
	{{"url = http://h/", "header.proxy-authorization = x"}, "use auth = basic or bearer"},
	{{"url = http://h/", "header.COOKIE = x"}, "a secret does not stand here"},
	{{"url = http://h/", "header_secret.X-Key = plain"}, "file:"},
	{{"url = http://h/", "expect_body = (a"}, "at character"},
	{{"url = http://h/", "expect_status = 20"}, "is no status"},
	{{"url = http://h/", "expect_status = 200-"}, "is no status"},
	{{"url = http://h/", "expect_json.result = 1"}, "begins with '/'"},
	{{"url = http://h/", "expect_json./a~2 = 1"}, "no JSON Pointer"},
	{{"url = http://h/", "expect_json./a = {\"b\":1}"}, "no scalar"},
	{{"url = http://h/", "method = HEAD", "expect_body = a"}, "has no body"},
	{{"url = http://h/", "unix_socket = /run/x"}, "host is localhost"},
};

static void test_bad_options(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tend_error err = {0};
		void *conf = NULL;
		int r = fixture_conf(tend_plugin_http, bad[i].options, &err, &conf);

		if (r >= 0 || !strstr(err.text, bad[i].text))
			fail_msg("%s, %s: %d %s", bad[i].options[0],
				bad[i].options[1] ? bad[i].options[1] : "", r, err.text);
		fixture_conf_free(tend_plugin_http, conf);
	}
}

static int write_secret(const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/%s", fixture.dir, name);
	auto_file FILE *f = fopen(path, "we");

	return f && fputs(text, f) >= 0 && fchmod(fileno(f), 0600) == 0 ? 0 : -1;
}

static int setup(void **state)
{
	log_to_stderr();
	if (fixture_open(&fixture) < 0 || fixture_serve(&fixture, HTTP_SERVER) < 0)
		return -1;
	return write_secret("authorization", "Bearer t0ken\n") < 0 ||
			       write_secret("password", "s3cret\n") < 0 ||
			       write_secret("token", "t0ken") < 0
		       ? -1
		       : 0;
}

static int teardown(void **state)
{
	fixture_close(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_no_proxy_from_environment),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
