/* SPDX-License-Identifier: MIT */
/* The pure parts of the flow probe: secrets filled in and taken out, requests, answers. */
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "compose.h"

#define PASSWORD "p\"a\\s s&<%\xc3\xbc"

static char pair_password[] = "password=" PASSWORD, pair_short[] = "pin=123",
	    pair_line[] = "line=one\r\ntwo", pair_long[] = "longer=" PASSWORD "-and-more";
static char *const pairs[] = {pair_password, pair_short, pair_line, pair_long, NULL};

static int set_up(void **state)
{
	struct secrets *s = malloc(sizeof(*s));

	*state = s;
	return s && secrets_init(s, pairs) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	secrets_clear(*state);
	free(*state);
	return 0;
}

/* "@x" of a text is this attempt's placeholder for x. */
static char *marked(const struct secrets *s, const char *text)
{
	char *out = calloc(1, 4096), *to = out;

	for (; *text; text++)
		if (*text == '@')
			to += sprintf(to, "${secret:%s:", s->mark);
		else
			*to++ = *text;
	return out;
}

static void fills_for_the_place(void **state)
{
	static const struct {
		enum secret_place place;
		const char *text, *filled;
	} cases[] = {
		{SECRET_PLAIN, "a@password}b", "a" PASSWORD "b"},
		{SECRET_PLAIN, "@pin}@pin}", "123123"},
		{SECRET_HEADER, "Token @password}", "Token " PASSWORD},
		{SECRET_PERCENT, "/x?p=@password}&q", "/x?p=p%22a%5Cs%20s%26%3C%25%C3%BC&q"},
		{SECRET_JSON, "{\"p\":\"@password}\"}", "{\"p\":\"p\\\"a\\\\s s&<%\xc3\xbc\"}"},
		{SECRET_JSON, "@line}", "one\\u000d\\u000atwo"},
		/* of nobody, or of another attempt */
		{SECRET_PLAIN, "${secret:password} @password", "${secret:password} "},
		{SECRET_PLAIN, "${secret:0123:password}", "${secret:0123:password}"},
		{SECRET_PLAIN, "", ""},
	};
	const struct secrets *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = marked(s, cases[i].text), *filled;
		struct tend_error err = {0};

		assert_int_equal(secrets_fill(s, text, cases[i].place, &filled, &err), 0);
		if (i == 6) /* one that is not closed stays as it is */
			assert_non_null(strstr(filled, s->mark));
		else
			assert_string_equal(filled, cases[i].filled);
		secrets_wipe(filled);
		free(text);
	}
}

static void refuses_what_cannot_stand_there(void **state)
{
	const struct secrets *s = *state;
	char *text = marked(s, "@other}"), *filled;
	struct tend_error err = {0};

	assert_int_equal(secrets_fill(s, text, SECRET_PLAIN, &filled, &err), -ENOENT);
	assert_string_equal(err.text, "secret.other is not set");
	free(text);
	text = marked(s, "X-Key: @line}");
	assert_int_equal(secrets_fill(s, text, SECRET_HEADER, &filled, &err), -EINVAL);
	free(text);
	text = malloc(SECRETS_TEXT_BYTES + 2);
	memset(text, 'a', SECRETS_TEXT_BYTES + 1);
	text[SECRETS_TEXT_BYTES + 1] = '\0';
	assert_int_equal(secrets_fill(s, text, SECRET_PLAIN, &filled, &err), -EMSGSIZE);
	free(text);
}

static void redacts_every_spelling(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"a " PASSWORD " b", "a *** b"},
		{"p%22a%5Cs%20s%26%3C%25%C3%BC p%22a%5Cs+s%26%3C%25%C3%BC", "*** ***"},
		{"p\\\"a\\\\s s&<%\xc3\xbc", "***"},
		{"p&quot;a\\s s&amp;&lt;%\xc3\xbc", "***"},
		{PASSWORD "-and-more", "***"}, /* the longest: nothing of it is left */
		{PASSWORD PASSWORD, "******"},
		/* in base64, alone and behind "u:" */
		{"cCJhXHMgcyY8JcO8 dTpwImFccyBzJjwlw7w=", "*** dTp***="},
		{"123", "123"}, /* too short to be looked for */
		{"one\r\ntwo", "***"},
		{"p\"a", "p\"a"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = strdup(cases[i].text);
		size_t len = strlen(text);

		secrets_redact(*state, text, &len);
		assert_string_equal(text, cases[i].shown);
		assert_int_equal(len, strlen(text));
		free(text);
	}
}

/* Wherever a text ends that came cut: nothing of a secret is left, and all of the rest. */
static void redacts_what_was_cut(void **state)
{
	static const char *const spellings[] = {PASSWORD, "p%22a%5Cs%20s%26%3C%25%C3%BC",
		"p\\\"a\\\\s s&<%\xc3\xbc", PASSWORD "-and-more", "one\r\ntwo"};
	char text[128];

	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++)
		for (size_t n = 1; n <= strlen(spellings[i]); n++) {
			size_t len = 2 + n;
			json_t *json;

			(void)snprintf(text, sizeof(text), "a %.*s", (int)n, spellings[i]);
			json = answer_body(*state, text, &len, true);
			/* A whole one may be the beginning of a longer one. */
			if (n < strlen(spellings[i]) ||
				strcmp(json_string_value(json), "a ***") != 0)
				assert_string_equal(json_string_value(json), "a ");
			json_decref(json);
		}
}

static void cuts_what_is_redacted(void **state)
{
	char text[128], buf[32];

	for (size_t n = 0; n < 40; n++) {
		memset(text, '.', n);
		(void)strcpy(text + n, PASSWORD);
		secrets_show(*state, text, buf, sizeof(buf));
		for (const char *p = buf; *p; p++)
			assert_non_null(strchr(".*", *p));
		assert_int_equal(strlen(buf), n + 3 < sizeof(buf) ? n + 3 : sizeof(buf) - 1);
	}
}

static void hides_what_is_learned(void **state)
{
	struct secrets *s = *state;
	char text[] = "token t0k3n-42!", value[16];
	size_t len = strlen(text);

	assert_int_equal(secrets_hide(s, "t0k3n-42!"), 0);
	assert_int_equal(secrets_hide(s, "abc"), 0);
	secrets_redact(s, text, &len);
	assert_string_equal(text, "token ***");
	for (int i = 1; i < SECRETS_MAX_HIDDEN; i++) {
		(void)snprintf(value, sizeof(value), "value-%d", i);
		assert_int_equal(secrets_hide(s, value), 0);
	}
	assert_int_equal(secrets_hide(s, "one-more"), -E2BIG);
}

static void marks_differ(void **state)
{
	struct secrets other;

	assert_int_equal(secrets_init(&other, NULL), 0);
	assert_int_equal(strlen(other.mark), SECRETS_MARK_BYTES - 1);
	assert_string_not_equal(other.mark, ((struct secrets *)*state)->mark);
	secrets_clear(&other);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void reads_headers(void **state)
{
	static const char *const lines[] = {"Content-Type: text/html\r\n", "X-A:  1 \r\n",
		"x-a:2\r\n", "Set-Cookie: sid=1\r\n", "nonsense\r\n", ": empty\r\n", "\r\n",
		"X-Bad: a\xff\x01z\r\n", "X-Pass: " PASSWORD "\r\n", "X-Empty:\r\n"};
	json_t *headers = json_object(), *wanted;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		answer_header(headers, lines[i], strlen(lines[i]));
	answer_headers_redact(headers, *state);
	wanted = json_pack("{s:s, s:s, s:s, s:s, s:s}", "content-type", "text/html", "x-a", "1, 2",
		"x-bad", "a? z", "x-pass", "***", "x-empty", "");
	assert_true(json_equal(headers, wanted));
	json_decref(headers);
	json_decref(wanted);
}

static void redacts_cut_headers(void **state)
{
	for (size_t n = 0; n <= strlen(PASSWORD) + 4; n++) {
		json_t *headers = json_object();
		char line[8192];
		const char *value;

		memset(line, '.', sizeof(line));
		memcpy(line, "X-A:", 4);
		(void)strcpy(line + 4 + 4096 - n, PASSWORD "\r\n");
		answer_header(headers, line, strlen(line));
		answer_headers_redact(headers, *state);
		value = json_string_value(json_object_get(headers, "x-a"));
		assert_non_null(value);
		assert_int_equal(strspn(value, ".*"), strlen(value));
		assert_in_range(strlen(value), 4096 - n, 4096);
		json_decref(headers);
	}
}

static void bounds_headers(void **state)
{
	json_t *headers = json_object();
	char line[8192], name[32];

	for (int i = 0; i < 200; i++) {
		int n = snprintf(name, sizeof(name), "x-%d", i);

		(void)snprintf(line, sizeof(line), "%s: ", name);
		memset(line + n + 2, 'v', sizeof(line) - (size_t)n - 2);
		answer_header(headers, line, sizeof(line));
		answer_header(headers, line, sizeof(line));
	}
	assert_int_equal(json_object_size(headers), 64);
	assert_int_equal(json_string_length(json_object_get(headers, "x-1")), 4096);
	json_decref(headers);
}

static void cleans_bodies(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		const char *text;
	} cases[] = {
		{"plain\ttext\n", 11, "plain\ttext\n"},
		{"a\0b\r\x7f", 5, "a b  "},
		{"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", 11,
			"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xc3", 1, "?"},
		{"\xc0\xaf\xed\xa0\x80\xf5\x80", 7, "???????"},
		{"\xe0\x80\x80\xf0\x80\x80\x80\xf4\x90\x80\x80", 11, "???????????"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char body[64];
		size_t len = cases[i].len;
		json_t *json;

		memcpy(body, cases[i].body, len);
		body[len] = '\0';
		json = answer_body(*state, body, &len, false);
		assert_non_null(json);
		assert_string_equal(json_string_value(json), cases[i].text);
		json_decref(json);
	}
}

/* ---- requests ------------------------------------------------------------------------------- */

static void request_wipe(struct flow_request *q)
{
	secrets_wipe(q->url);
	secrets_wipe(q->body);
	secrets_wipe(q->user);
	secrets_wipe(q->password);
	curl_slist_free_all(q->headers);
	free(q->method);
	*q = (struct flow_request){0};
}

static bool has_line(const struct flow_request *q, const char *line)
{
	for (const struct curl_slist *h = q->headers; h; h = h->next)
		if (strcmp(h->data, line) == 0)
			return true;
	return false;
}

static int compose_text(
	const struct secrets *s, const char *json, struct flow_request *q, struct tend_error *err)
{
	char *text = marked(s, json);
	json_t *args = json_loads(text, 0, NULL);
	int r;

	assert_non_null(args);
	*q = (struct flow_request){0};
	r = compose(s, args, q, err);
	json_decref(args);
	free(text);
	return r;
}

static void composes(void **state)
{
	static const struct {
		const char *args, *body, *line;
	} cases[] = {
		{"{\"url\":\"http://h/\"}", NULL, NULL},
		{"{\"url\":\"http://h/\",\"json\":{\"p\":[\"@password}\",1,true,null]}}",
			"{\"p\":[\"p\\\"a\\\\s s&<%\xc3\xbc\",1,true,null]}",
			"Content-Type: application/json"},
		{"{\"url\":\"http://h/\",\"form\":{\"a b\":\"@password}\",\"c\":\"\"}}",
			"a+b=p%22a%5Cs+s%26%3C%25%C3%BC&c=",
			"Content-Type: application/x-www-form-urlencoded"},
		{"{\"url\":\"http://h/\",\"form\":{}}", "",
			"Content-Type: application/x-www-form-urlencoded"},
		{"{\"url\":\"http://h/\",\"body\":\"x=@pin}\"}", "x=123", NULL},
		{"{\"url\":\"http://h/\",\"body\":\"<@password}>\",\"headers\":{\"content-type\":"
		 "\"application/x-www-form-urlencoded\"}}",
			"<p%22a%5Cs%20s%26%3C%25%C3%BC>", NULL},
		{"{\"url\":\"http://h/\",\"headers\":{\"X-Key\":\"k @pin}\",\"X-No\":\"\"}}", NULL,
			"X-Key: k 123"},
		{"{\"url\":\"http://h/\",\"headers\":{\"X-No\":\"\"}}", NULL, "X-No;"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tend_error err = {0};
		struct flow_request q;

		assert_int_equal(compose_text(*state, cases[i].args, &q, &err), 0);
		assert_string_equal(q.method, "GET");
		assert_true(q.follow);
		if (cases[i].body)
			assert_string_equal(q.body, cases[i].body);
		else
			assert_null(q.body);
		if (cases[i].line)
			assert_true(has_line(&q, cases[i].line));
		request_wipe(&q);
	}
}

static void composes_the_rest(void **state)
{
	struct tend_error err = {0};
	struct flow_request q;

	assert_int_equal(
		compose_text(*state,
			"{\"url\":\"http://h/@password}?a=b\",\"method\":\"PUT\",\"follow\":"
			"false,\"user\":\"me\",\"password\":\"@password}\"}",
			&q, &err),
		0);
	assert_string_equal(q.url, "http://h/p%22a%5Cs%20s%26%3C%25%C3%BC?a=b");
	assert_string_equal(q.method, "PUT");
	assert_string_equal(q.password, PASSWORD);
	assert_false(q.follow);
	request_wipe(&q);
}

static void refuses_requests(void **state)
{
	static const char *const cases[] = {
		"{}",
		"{\"url\":7}",
		"{\"url\":\"http://h/\",\"method\":\"GET / HTTP/1.1\\r\\nX: y\"}",
		"{\"url\":\"http://h/\",\"method\":\"\"}",
		"{\"url\":\"http://h/\",\"headers\":{\"X-A\":\"1\\r\\nX-B: 2\"}}",
		"{\"url\":\"http://h/\",\"headers\":{\"X A\":\"1\"}}",
		"{\"url\":\"http://h/\",\"headers\":{\"X-A\":7}}",
		"{\"url\":\"http://h/\",\"headers\":{\"X-A\":\"@line}\"}}",
		"{\"url\":\"http://h/\",\"form\":{\"a\":[1]}}",
		"{\"url\":\"http://h/\",\"form\":{},\"json\":{}}",
		"{\"url\":\"http://h/\",\"json\":{\"a\":\"@nobody}\"}}",
		"{\"url\":\"http://@nobody}/\"}",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tend_error err = {0};
		struct flow_request q;

		assert_true(compose_text(*state, cases[i], &q, &err) < 0);
		assert_true(err.text[0]);
		request_wipe(&q);
	}
}

static void knows_urls(void **state)
{
	assert_true(compose_is_url("http://h/"));
	assert_true(compose_is_url("https://[::1]:8443/x?y"));
	assert_false(compose_is_url("http://u:p@h/"));
	assert_false(compose_is_url("file:///etc/passwd"));
	assert_false(compose_is_url("/x"));
	assert_true(compose_same_origin("http://h/a", "HTTP://H:80/b"));
	assert_false(compose_same_origin("http://h/", "https://h/"));
	assert_false(compose_same_origin("http://h/", "http://h:8080/"));
	assert_false(compose_same_origin("http://h/", "http://h.evil/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fills_for_the_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_cannot_stand_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(redacts_every_spelling, set_up, tear_down),
		cmocka_unit_test_setup_teardown(redacts_what_was_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cuts_what_is_redacted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(redacts_cut_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hides_what_is_learned, set_up, tear_down),
		cmocka_unit_test_setup_teardown(marks_differ, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reads_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cleans_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(composes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(composes_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_urls, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
