/* SPDX-License-Identifier: MIT */
/* What servers of SMTP and IMAP say, for the probes smtp and imap. */
#include "unit.h"
#include <errno.h>
#include <string.h>
#include "../../plugins/imap/answer.h"
#include "../../plugins/smtp/reply.h"

static void test_replies(void **state)
{
	static const struct {
		const char *said;
		long used;
		int code;
		const char *last;
	} rows[] = {
		{"220 mx ESMTP\r\n", 14, 220, "mx ESMTP"},
		{"250-a\r\n250-b\r\n250 c\r\nnext", 21, 250, "c"},
		{"250\r\n", 5, 250, ""},
		{"250 bare\n", 9, 250, "bare"},
		{"250-a\r\n", 0, 0, NULL},
		{"25", 0, 0, NULL},
		{"2x0 a\r\n", -EPROTO, 0, NULL},
		{"<html>", -EPROTO, 0, NULL},
		{"150 a\r\n", -EPROTO, 0, NULL},
		{"250+a\r\n", -EPROTO, 0, NULL},
		{"250-a\r\n251 b\r\n", -EPROTO, 0, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct reply reply = {0};
		long n = reply_parse(rows[i].said, strlen(rows[i].said), &reply);

		if (n != rows[i].used || reply.code != rows[i].code)
			fail_msg("row %zu: %ld, %d", i, n, reply.code);
		if (n > 0 && (reply.last_len != strlen(rows[i].last) ||
				     memcmp(reply.last, rows[i].last, reply.last_len) != 0))
			fail_msg("row %zu: '%.*s'", i, (int)reply.last_len, reply.last);
	}
}

static void test_offers(void **state)
{
	static const char said[] =
		"250-mx\r\n250-SIZE 1024\r\n250-AUTH PLAIN LOGIN\r\n250-STARTTLS\r\n250 DSN\r\n";
	struct reply reply;
	struct reply_offers offers;

	assert_int_equal(reply_parse(said, sizeof(said) - 1, &reply), sizeof(said) - 1);
	reply_offers(&reply, &offers);
	assert_true(offers.auth && offers.auth_plain && offers.auth_login && offers.starttls);
	assert_true(offers.has_size);
	assert_int_equal(offers.size_bytes, 1024);
	assert_true(reply_offers_word(&reply, "dsn"));
	assert_false(reply_offers_word(&reply, "START"));
}

static void test_reply_reasons(void **state)
{
	static const struct {
		enum reply_step step;
		const char *said;
		enum tend_reason reason;
	} rows[] = {
		{STEP_GREETING, "220 x\r\n", TEND_REASON_OK},
		{STEP_GREETING, "421 busy\r\n", TEND_REASON_CONNECTIONS_FULL},
		{STEP_GREETING, "554 no\r\n", TEND_REASON_ACCESS_DENIED},
		{STEP_GREETING, "250 x\r\n", TEND_REASON_PROTOCOL},
		{STEP_AUTH, "235 x\r\n", TEND_REASON_OK},
		{STEP_AUTH, "535 5.7.8 bad\r\n", TEND_REASON_AUTH_FAILED},
		{STEP_AUTH, "454 4.7.0 later\r\n", TEND_REASON_ACCESS_DENIED},
		{STEP_FROM, "530 5.7.0 log in\r\n", TEND_REASON_AUTH_FAILED},
		{STEP_TO, "251 x\r\n", TEND_REASON_OK},
		{STEP_TO, "550 5.1.1 nobody\r\n", TEND_REASON_OBJECT_MISSING},
		{STEP_TO, "550 5.7.1 spam\r\n", TEND_REASON_ACCESS_DENIED},
		{STEP_TO, "554 relay\r\n", TEND_REASON_ACCESS_DENIED},
		{STEP_TO, "452 full\r\n", TEND_REASON_QUOTA},
		{STEP_TO, "451 later\r\n", TEND_REASON_STATUS_UNEXPECTED},
		{STEP_DATA, "354 go\r\n", TEND_REASON_OK},
		{STEP_MAIL, "552 too big\r\n", TEND_REASON_QUOTA},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct reply reply;

		assert_true(reply_parse(rows[i].said, strlen(rows[i].said), &reply) > 0);
		enum tend_reason reason = reply_reason(rows[i].step, &reply);
		if (reason != rows[i].reason)
			fail_msg("row %zu: %s", i, tend_reason_name(reason));
	}
}

static struct answer parsed(const char *said)
{
	struct answer a = {0};

	if (answer_parse(said, strlen(said), &a) != (long)strlen(said))
		fail_msg("not parsed: %s", said);
	return a;
}

static void test_answers(void **state)
{
	static const struct {
		const char *said;
		long used;
	} rows[] = {
		{"* OK hi\r\nmore", 9},
		{"* OK hi", 0},
		{"t7 OK done\r\n", 12},
		{"* x {3}\r\nabc\r\n", 14},
		{"* x {3}\r\nab", 0},
		{"* x {3}\r\nabc {2+}\r\nde)\r\n", 24},
		{"* x {999999}\r\n", -EPROTO},
		{"220 smtp\r\n", -EPROTO},
		{"t OK\r\n", -EPROTO},
		{"t1 PREAUTH\r\n", -EPROTO},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answer a;
		long n = answer_parse(rows[i].said, strlen(rows[i].said), &a);

		if (n != rows[i].used)
			fail_msg("row %zu: %ld", i, n);
	}
}

static void test_answer_data(void **state)
{
	struct answer a = parsed("t12 NO [AUTHENTICATIONFAILED] no\r\n");
	uint32_t uids[ANSWER_MAX_UIDS];
	uint64_t n = 0;
	double x = 0, y = 0;

	assert_int_equal(a.tag, 12);
	assert_int_equal(a.status, STATUS_NO);
	assert_int_equal(answer_reason(ANSWER_OTHER, &a), TEND_REASON_AUTH_FAILED);
	a = parsed("* 23 exists\r\n");
	assert_true(answer_exists(&a, &n));
	assert_int_equal(n, 23);
	a = parsed("* CAPABILITY IMAP4rev1 IDLE\r\n");
	assert_true(answer_has_capability(&a, "idle"));
	assert_false(answer_has_capability(&a, "IDL"));
	a = parsed("* QUOTA \"User quota\" (STORAGE 2 512)\r\n");
	assert_true(answer_quota(&a, &x, &y));
	assert_int_equal(x, 2048);
	assert_int_equal(y, 512 * 1024);
	a = parsed("* SEARCH 4 9\r\n");
	assert_int_equal(answer_search(&a, uids), 2);
	assert_int_equal(uids[1], 9);
	a = parsed("* SEARCH\r\n");
	assert_int_equal(answer_search(&a, uids), 0);
	a = parsed("* 1 FETCH (UID 5 INTERNALDATE \"22-Nov-2026 13:05:34 +0100\" "
		   "BODY[HEADER.FIELDS (X-TEND-SENT)] {31}\r\nX-Tend-Sent: "
		   "1763816400.25\r\n\r\n)\r\n");
	assert_true(answer_sent(&a, &x, &y));
	assert_true(x > 1763816400.24 && x < 1763816400.26);
	assert_int_equal(y, 1795349134);
	a = parsed("* BYE [UNAVAILABLE] later\r\n");
	assert_int_equal(answer_reason(ANSWER_GREETING, &a), TEND_REASON_STATUS_UNEXPECTED);
	a = parsed("* BYE too many\r\n");
	assert_int_equal(answer_reason(ANSWER_LOGIN, &a), TEND_REASON_CONNECTIONS_FULL);
	a = parsed("t1 NO what\r\n");
	assert_int_equal(answer_reason(ANSWER_LOGIN, &a), TEND_REASON_AUTH_FAILED);
	assert_int_equal(answer_reason(ANSWER_SELECT, &a), TEND_REASON_OBJECT_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_reply_reasons),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answer_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
