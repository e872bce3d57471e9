/* SPDX-License-Identifier: MIT */
/* The pure parts of the probes http, smtp and imap: forms, quotas, tokens, codes, percentiles, and
 * what servers of mail say. */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/http/fault.h"
#include "../../plugins/http/form.h"
#include "../../plugins/http/quota.h"
#include "../../plugins/http/token.h"
#include "../../plugins/http/window.h"

/* ---- forms -------------------------------------------------------------------------------- */

static const struct {
	const char *name, *page, *wanted;
	int r;
	const char *action, *sent;
} forms[] = {
	{"hidden fields and references",
		"<form method=post action='/in?a=1&amp;b=2'><input type=hidden name=\"t\" "
		"value=\"a&#38;b&#x2b;\"><input type=password name=p></form>",
		NULL, 0, "/in?a=1&b=2", "t=a%26b%2B&p="},
	{"the one with a password",
		"<form id=s><input name=q></form><form id=l><input name=u><input type=password "
		"name=p></form>",
		NULL, 0, "", "u=&p="},
	{"the named one", "<form id=s><input name=q></form><form name=l><input name=u></form>", "l",
		0, "", "u="},
	{"none of this name", "<form id=s></form>", "x", -ENOENT, NULL, NULL},
	{"none at all", "<p>no form <input name=a>", NULL, -ENOENT, NULL, NULL},
	{"in a comment", "<!-- <form> --><form><input name=a value=1></form>", NULL, 0, "", "a=1"},
	{"in a script", "<script>'<form><input name=b>'</script><form><input name=a></form>", NULL,
		0, "", "a="},
	{"no end", "<form><input name=a value=1", NULL, 0, "", "a=1"},
	{"a greater sign in quotes", "<form action='>'><input name=a value=\"<b>\"></form>", NULL,
		0, ">", "a=%3Cb%3E"},
	{"boxes",
		"<form><input type=checkbox name=a><input type=checkbox name=b checked>"
		"<input type=radio name=c value=1><input type=radio name=c value=2 checked></form>",
		NULL, 0, "", "b=on&c=2"},
	{"the first button",
		"<form><button name=a value=1>x</button><input type=submit name=b value=2>"
		"<button type=button name=c></button></form>",
		NULL, 0, "", "a=1"},
	{"disabled, files, no name",
		"<form><input name=a disabled><input type=file name=b><input value=1></form>", NULL,
		0, "", ""},
	{"select",
		"<form><select name=a><option value=1><option value=2 selected>x</select></form>",
		NULL, 0, "", "a=2"},
	{"select by text", "<form><select name=a><option>one two</option></select></form>", NULL, 0,
		"", "a=one+two"},
	{"textarea", "<form><textarea name=a>\n<b>&lt;</textarea></form>", NULL, 0, "",
		"a=%3Cb%3E%3C"},
	{"other letters", "<form><input name=a value='&#20320;&#xd800;&#0;'></form>", NULL, 0, "",
		"a=%E4%BD%A0%EF%BF%BD%EF%BF%BD"},
};

static void test_forms(void **state)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct form form = {0};
		int r = form_find(forms[i].page, strlen(forms[i].page), forms[i].wanted, &form);
		char *sent = form_encode(&form);

		if (r != forms[i].r || (r == 0 && (strcmp(form.action, forms[i].action) != 0 ||
							  strcmp(sent, forms[i].sent) != 0)))
			fail_msg("%s: %d, %s, %s", forms[i].name, r, form.action, sent);
		free(sent);
		form_clear(&form);
	}
}

static void test_form_bounds(void **state)
{
	struct form form = {0};
	char *page = malloc(100000), *out = page;

	out += sprintf(out, "<form>");
	for (int i = 0; i < FORM_MAX_FIELDS + 1; i++)
		out += sprintf(out, "<input name=a%d>", i);
	assert_int_equal(form_find(page, (size_t)(out - page), NULL, &form), -E2BIG);
	assert_int_equal(form.n_fields, 0);
	out = page + sprintf(page, "<form><input name=a value='%0*d'>", FORM_VALUE_BYTES + 1, 0);
	assert_int_equal(form_find(page, (size_t)(out - page), NULL, &form), -E2BIG);
	free(page);
}

static void test_form_set(void **state)
{
	struct form form = {0};
	static const char page[] = "<form><input name=a value=1></form>";
	char *sent;

	assert_int_equal(form_find(page, sizeof(page) - 1, NULL, &form), 0);
	assert_int_equal(form_set(&form, "a", "x y"), 0);
	assert_int_equal(form_set(&form, "b", "&="), 0);
	sent = form_encode(&form);
	assert_string_equal(sent, "a=x+y&b=%26%3D");
	free(sent);
	form_clear(&form);
}

/* ---- quotas, tokens, codes ---------------------------------------------------------------- */

static void test_quota(void **state)
{
	static const struct {
		const char *used, *max, *left;
		double want_used, want_max, want_left; /* -1: not known */
		bool is_used_up;
	} rows[] = {
		{"api-usage=18/5000", NULL, NULL, 18, 5000, 4982, false},
		{"5001/5000", NULL, NULL, 5001, 5000, 0, true},
		{"18", "20", NULL, 18, 20, 2, false},
		{NULL, "20", "5", 15, 20, 5, false},
		{NULL, NULL, "0", -1, -1, 0, true},
		{NULL, NULL, "-1", -1, -1, 0, true},
		{"none", NULL, "", -1, -1, -1, false},
		{"7", NULL, NULL, 7, -1, -1, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct quota q = {0};

		if (rows[i].used)
			quota_read_used(&q, rows[i].used, strlen(rows[i].used));
		if (rows[i].max)
			quota_read_max(&q, rows[i].max, strlen(rows[i].max));
		if (rows[i].left)
			quota_read_left(&q, rows[i].left, strlen(rows[i].left));
		quota_complete(&q);
		if ((q.has_used ? q.used : -1) != rows[i].want_used ||
			(q.has_max ? q.max : -1) != rows[i].want_max ||
			(q.has_left ? q.left : -1) != rows[i].want_left ||
			quota_is_used_up(&q) != rows[i].is_used_up)
			fail_msg("row %zu: %g %g %g", i, q.used, q.max, q.left);
	}
}

static void test_token(void **state)
{
	static const struct {
		const char *body;
		long status;
		enum tend_reason reason;
		const char *text;
		unsigned seconds;
	} rows[] = {
		{"{\"access_token\":\"abc\",\"token_type\":\"bearer\",\"expires_in\":3600}", 200,
			TEND_REASON_OK, "abc", 3570},
		{"{\"access_token\":\"abc\",\"expires_in\":\"100\"}", 200, TEND_REASON_OK, "abc",
			90},
		{"{\"access_token\":\"abc\"}", 200, TEND_REASON_OK, "abc", 270},
		{"{\"access_token\":\"abc\",\"expires_in\":1e12}", 200, TEND_REASON_OK, "abc",
			86370},
		{"{\"access_token\":\"abc\",\"expires_in\":-5}", 200, TEND_REASON_OK, "abc", 0},
		{"{\"access_token\":\"a\\r\\nb\"}", 200, TEND_REASON_CONTENT_UNEXPECTED, NULL, 0},
		{"{\"access_token\":\"\"}", 200, TEND_REASON_CONTENT_UNEXPECTED, NULL, 0},
		{"{\"access_token\":\"a\",\"token_type\":\"mac\"}", 200,
			TEND_REASON_CONTENT_UNEXPECTED, NULL, 0},
		{"{\"error\":\"invalid_client\"}", 400, TEND_REASON_AUTH_FAILED, NULL, 0},
		{"{\"error\":\"invalid_client\"}", 200, TEND_REASON_AUTH_FAILED, NULL, 0},
		{"{}", 429, TEND_REASON_QUOTA, NULL, 0},
		{"{\"error\":\"temporarily_unavailable\"}", 400, TEND_REASON_STATUS_UNEXPECTED,
			NULL, 0},
		{"<html>", 503, TEND_REASON_STATUS_UNEXPECTED, NULL, 0},
		{"<html>", 401, TEND_REASON_AUTH_FAILED, NULL, 0},
		{"<html>", 200, TEND_REASON_CONTENT_UNEXPECTED, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct token token = {0};
		char why[TOKEN_WHY_BYTES];
		enum tend_reason reason =
			token_read(rows[i].body, strlen(rows[i].body), rows[i].status, &token, why);

		if (reason != rows[i].reason ||
			(rows[i].text && strcmp(token.text, rows[i].text)) ||
			token.lasts_usec / USEC_PER_SEC != rows[i].seconds)
			fail_msg("row %zu: %s, %s", i, tend_reason_name(reason), why);
		free(token.text);
	}
}

static void test_fault(void **state)
{
	static char zero[] = "0", success[] = "SUCCESS", denied[] = "40001", limit[] = "8303";
	static char *const ok[] = {zero, success, NULL};
	static char *const auth[] = {denied, NULL};
	static char *const quota[] = {limit, NULL};
	static const struct {
		const char *pointer, *body;
		bool listed, must_parse;
		enum tend_reason reason;
		const char *why;
	} rows[] = {
		{"/e", "{\"e\":0}", false, true, TEND_REASON_OK, ""},
		{"/e", "{}", false, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":null}", true, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":false}", false, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":\"\"}", false, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":[]}", false, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":{}}", false, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":0.0}", false, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":[1]}", false, true, TEND_REASON_CONTENT_UNEXPECTED, "[1]"},
		{"/e", "{\"e\":0.5}", false, true, TEND_REASON_CONTENT_UNEXPECTED, "0.5"},
		{"/e", "{\"e\":\"SUCCESS\"}", true, true, TEND_REASON_OK, ""},
		{"/e", "{\"e\":\"SUCCESS\"}", false, true, TEND_REASON_CONTENT_UNEXPECTED,
			"SUCCESS"},
		{"/a/1", "{\"a\":[0,3],\"m\":\"why\"}", true, true, TEND_REASON_CONTENT_UNEXPECTED,
			"error \"3\" at /a/1: \"why\""},
		{"/e", "{\"e\":40001}", true, true, TEND_REASON_AUTH_FAILED, "40001"},
		{"/e", "{\"e\":\"8303\"}", false, true, TEND_REASON_QUOTA, "8303"},
		{"/e", "<html>", false, true, TEND_REASON_CONTENT_UNEXPECTED, "expected JSON"},
		{"/e", "<html>", false, false, TEND_REASON_OK, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fault_spec spec = {.pointer = rows[i].pointer,
			.text = "/m",
			.ok = rows[i].listed ? ok : NULL,
			.auth = auth,
			.quota = quota};
		char why[FAULT_WHY_BYTES] = "";
		enum tend_reason reason = fault_judge(
			&spec, rows[i].body, strlen(rows[i].body), rows[i].must_parse, why);

		if (reason != rows[i].reason || !strstr(why, rows[i].why))
			fail_msg("row %zu: %s, %s", i, tend_reason_name(reason), why);
	}
}

static void test_window(void **state)
{
	struct window w = {0}, again;
	json_t *saved;

	for (int i = 1; i <= 205; i++)
		window_add(&w, i, 200);
	assert_int_equal(w.n, 200);
	saved = window_save(&w);
	window_load(&again, saved, 100);
	json_decref(saved);
	assert_int_equal(again.n, 100);
	window_sort(&w);
	assert_int_equal(window_percentile(&w, 50), 105);
	assert_int_equal(window_percentile(&w, 95), 195);
	assert_int_equal(window_percentile(&w, 99), 203);
	assert_int_equal(window_percentile(&again, 99), 204);
	window_load(&again, NULL, 100);
	assert_int_equal(again.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_form_bounds),
		cmocka_unit_test(test_form_set),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
