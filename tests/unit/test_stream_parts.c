/* SPDX-License-Identifier: MIT */
/* The pure parts of plugins/common: texts, patterns, reasons, the order of addresses, STARTTLS. */
#include "unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include "common/dial.h"
#include "common/pattern.h"
#include "common/reason.h"
#include "common/starttls.h"
#include "common/text.h"
#include "common/tls.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void test_quote(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} rows[] = {
		{"hello", 20, "'hello'"},
		{"two  \r\n lines\r\n", 20, "'two lines'"},
		{"\x01\xff*", 20, "'..*'"},
		{"abcdefgh", 3, "'abc...'"},
		{"", 3, "''"},
	};
	char buf[40];

	for (size_t i = 0; i < N(rows); i++)
		assert_string_equal(text_quote(rows[i].text, strlen(rows[i].text), rows[i].max, buf,
					    sizeof(buf)),
			rows[i].want);
	/* Never more than there is room for. */
	assert_string_equal(text_quote("abcdefghijkl", 12, 100, buf, 12), "'abcdef...'");
}

static void test_unescape(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *want;
		size_t len;
	} rows[] = {
		{"plain", 0, "plain", 5},
		{"a\\r\\n\\t\\\\", 0, "a\r\n\t\\", 5},
		{"\\x00\\xfF\\0", 0, "\0\xff\0", 3},
		{"\\q", -EINVAL, NULL, 0},
		{"\\x0", -EINVAL, NULL, 0},
		{"end\\", -EINVAL, NULL, 0},
	};

	for (size_t i = 0; i < N(rows); i++) {
		char *data = NULL;
		size_t len = 0;

		assert_int_equal(text_unescape(rows[i].text, &data, &len), rows[i].r);
		if (rows[i].r < 0)
			continue;
		assert_int_equal(len, rows[i].len);
		assert_memory_equal(data, rows[i].want, len);
		free(data);
	}
}

static void test_pattern(void **state)
{
	struct pattern *p = NULL;
	struct tend_error err = {0};
	char bomb[4000];

	assert_int_equal(pattern_new("expect", "(", &err, &p), -EINVAL);
	assert_non_null(strstr(err.text, "expect: "));
	assert_int_equal(pattern_new("expect", "^2[0-9]+ ", &err, &p), 0);
	assert_int_equal(pattern_match(p, "220 hello", 9), 1);
	assert_int_equal(pattern_match(p, "550 hello", 9), 0);
	assert_int_equal(pattern_match(p, "\xff\xfe", 2), 0);
	pattern_free(p);
	assert_int_equal(pattern_new("expect", "(a+)+$", &err, &p), 0);
	memset(bomb, 'a', sizeof(bomb));
	bomb[sizeof(bomb) - 1] = '!';
	assert_int_equal(pattern_match(p, bomb, sizeof(bomb)), -E2BIG);
	pattern_free(p);
}

static struct tend_address address(const char *text)
{
	struct tend_address a = {.length = sizeof(a.in)};

	a.in.sin_family = AF_INET;
	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
		return a;
	a.length = sizeof(a.in6);
	a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
	assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
	return a;
}

static void test_order(void **state)
{
	static const char *const given[] = {"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"};
	static const char *const in_turn[] = {"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"};
	struct tend_address from[N(given)], to[TEND_RESOLVE_MAX];
	char text[DIAL_WHERE_BYTES];

	for (size_t i = 0; i < N(given); i++)
		from[i] = address(given[i]);
	assert_int_equal(dial_order(from, N(given), AF_UNSPEC, to), N(given));
	for (size_t i = 0; i < N(given); i++) {
		dial_address_text(&to[i], 0, text, sizeof(text));
		assert_string_equal(text, in_turn[i]);
	}
	assert_int_equal(dial_order(from, N(given), AF_INET, to), 2);
	dial_address_text(&to[1], 25, text, sizeof(text));
	assert_string_equal(text, "10.0.0.2 port 25");
	assert_int_equal(dial_order(from, 3, AF_INET, to), 0);
	assert_int_equal(dial_order(from, 0, AF_UNSPEC, to), 0);
}

static void test_stays_here(void **state)
{
	static const struct {
		const char *host;
		bool here;
	} rows[] = {
		{"127.0.0.1", true},
		{"127.8.9.10", true},
		{"::1", true},
		{"[::1]", true},
		{"localhost", true},
		{"/run/imap.sock", true},
		{"127.example.com", false}, /* a name, whoever may own it */
		{"127.0.0.1.example.com", false},
		{"128.0.0.1", false},
		{"::2", false},
		{"localhost.example.com", false},
		{"", false},
	};

	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(dial_stays_here(rows[i].host), rows[i].here);
}

static void test_errno(void **state)
{
	static const struct {
		int error;
		enum tend_reason reason;
	} rows[] = {
		{ECONNREFUSED, TEND_REASON_CONNECT_REFUSED},
		{ENOENT, TEND_REASON_CONNECT_REFUSED},
		{ETIMEDOUT, TEND_REASON_CONNECT_TIMEOUT},
		{EHOSTUNREACH, TEND_REASON_CONNECT_FAILED},
		{ENETUNREACH, TEND_REASON_CONNECT_FAILED},
		{EACCES, TEND_REASON_ACCESS_DENIED},
		{EMFILE, TEND_REASON_INTERNAL},
	};

	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(connect_errno_reason(rows[i].error), rows[i].reason);
	/* A host without IPv6 says little of the target. */
	assert_true(connect_errno_rank(ECONNREFUSED) > connect_errno_rank(ETIMEDOUT));
	assert_true(connect_errno_rank(ETIMEDOUT) > connect_errno_rank(ENETUNREACH));
	assert_true(connect_errno_rank(ENETUNREACH) > connect_errno_rank(0));
}

static void test_tls_errors(void **state)
{
	static const struct {
		int reason, error;
		bool done, eof;
		enum tend_reason want;
	} rows[] = {
		{SSL_R_UNSUPPORTED_PROTOCOL, 0, false, false, TEND_REASON_TLS_WEAK},
		{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, 0, false, false, TEND_REASON_TLS_WEAK},
		{SSL_R_WRONG_VERSION_NUMBER, 0, false, false, TEND_REASON_TLS_FAILED},
		{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, 0, true, false, TEND_REASON_AUTH_FAILED},
		{SSL_R_TLSV1_UNRECOGNIZED_NAME, 0, false, false, TEND_REASON_TLS_NAME},
		{SSL_R_BAD_LENGTH, 0, false, false, TEND_REASON_TLS_FAILED},
		{SSL_R_BAD_LENGTH, 0, true, false, TEND_REASON_PROTOCOL},
		{0, ECONNRESET, false, false, TEND_REASON_TLS_FAILED},
		{0, ECONNRESET, true, false, TEND_REASON_PROTOCOL},
		{0, 0, false, true, TEND_REASON_TLS_FAILED},
		{SSL_R_UNEXPECTED_EOF_WHILE_READING, 0, false, false, TEND_REASON_TLS_FAILED},
	};

	for (size_t i = 0; i < N(rows); i++) {
		unsigned long error = rows[i].reason ? ERR_PACK(ERR_LIB_SSL, 0, rows[i].reason) : 0;
		char text[TLS_TEXT_BYTES] = "";

		assert_int_equal(
			tls_error_reason(error, rows[i].error, rows[i].done, rows[i].eof, text),
			rows[i].want);
		assert_true(text[0]);
	}
}

static void test_tls_judge(void **state)
{
	static const struct {
		int codes[2];
		enum tend_reason want;
	} rows[] = {
		{{0, 0}, TEND_REASON_OK},
		{{X509_V_ERR_CERT_HAS_EXPIRED, 0}, TEND_REASON_TLS_EXPIRED},
		{{X509_V_ERR_CERT_NOT_YET_VALID, 0}, TEND_REASON_TLS_EXPIRED},
		{{X509_V_ERR_HOSTNAME_MISMATCH, 0}, TEND_REASON_TLS_NAME},
		{{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0}, TEND_REASON_TLS_UNTRUSTED},
		{{X509_V_ERR_EE_KEY_TOO_SMALL, 0}, TEND_REASON_TLS_WEAK},
		/* Of several the one that must be mended in any case. */
		{{X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED},
			TEND_REASON_TLS_EXPIRED},
		{{X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
			TEND_REASON_TLS_UNTRUSTED},
		{{X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_REVOKED}, TEND_REASON_TLS_REVOKED},
	};
	struct tls_facts none = {.has_certificate = false};
	char text[TLS_TEXT_BYTES];

	for (size_t i = 0; i < N(rows); i++) {
		struct tls_facts facts = {.has_certificate = true, .names = "a.example"};

		for (size_t k = 0; k < 2 && rows[i].codes[k]; k++)
			facts.errors[facts.n_errors++].code = rows[i].codes[k];
		assert_int_equal(tls_judge(&facts, "b.example", text), rows[i].want);
	}
	assert_int_equal(tls_judge(&none, "b.example", text), TEND_REASON_TLS_UNTRUSTED);
}

static void test_starttls(void **state)
{
	static const struct {
		enum starttls protocol;
		const char *server; /* all it says */
		enum starttls_what want;
		const char *sent; /* last */
	} rows[] = {
		{STARTTLS_SMTP, "220 a\r\n250-a\r\n250-STARTTLS\r\n250 SIZE\r\n220 go\r\n",
			STARTTLS_READY, "STARTTLS\r\n"},
		{STARTTLS_SMTP, "220 a\r\n250-a\r\n250 SIZE\r\n", STARTTLS_REFUSED,
			"EHLO tend.invalid\r\n"},
		{STARTTLS_SMTP, "220 a\r\n250-a\r\n", STARTTLS_MORE, "EHLO tend.invalid\r\n"},
		{STARTTLS_SMTP, "554 no\r\n", STARTTLS_BUSY, ""},
		{STARTTLS_SMTP, "SSH-2.0-x\r\n", STARTTLS_BROKEN, ""},
		{STARTTLS_IMAP, "* OK\r\n* more\r\na1 OK go\r\n", STARTTLS_READY,
			"a1 STARTTLS\r\n"},
		{STARTTLS_IMAP, "* OK\r\na1 BAD\r\n", STARTTLS_REFUSED, "a1 STARTTLS\r\n"},
		{STARTTLS_POP3, "+OK\r\n+OK\r\n", STARTTLS_READY, "STLS\r\n"},
		{STARTTLS_FTP, "220-a\nb\r\n220 c\r\n234 go\r\n", STARTTLS_READY, "AUTH TLS\r\n"},
		{STARTTLS_FTP, "220-a\r\n 220 no end\r\n", STARTTLS_MORE, ""},
		{STARTTLS_POSTGRES, "S", STARTTLS_READY, NULL},
		{STARTTLS_POSTGRES, "N", STARTTLS_REFUSED, NULL},
		{STARTTLS_XMPP, "<a/><stream:features><starttls/></stream:features><proceed/>",
			STARTTLS_READY, NULL},
		{STARTTLS_XMPP, "<stream:features></stream:features>", STARTTLS_REFUSED, NULL},
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct starttls_talk talk;
		const char *p = rows[i].server;
		char sent[600] = "";
		enum starttls_what what = STARTTLS_SEND;

		starttls_begin(&talk, rows[i].protocol, "host");
		while (what == STARTTLS_SEND) {
			size_t used = 0;

			what = starttls_feed(&talk, p, strlen(p), &used);
			p += used;
			if (what == STARTTLS_SEND) {
				memcpy(sent, talk.out, talk.n_out);
				sent[talk.n_out] = '\0';
			}
		}
		assert_int_equal(what, rows[i].want);
		if (rows[i].sent)
			assert_string_equal(sent, rows[i].sent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_stays_here),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_tls_errors),
		cmocka_unit_test(test_tls_judge),
		cmocka_unit_test(test_starttls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
