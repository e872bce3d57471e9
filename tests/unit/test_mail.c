/* SPDX-License-Identifier: MIT */
/* Mails and what servers and programs answer to them, by tables; whole mails by files, as they are
 * sent. `test_mail --accept` writes these anew: then read the diff. */
#include "unit.h"
#include <string.h>
#include "alert/mail_address.h"
#include "alert/mail_compose.h"
#include "alert/mail_dialogue.h"
#include "alert/mail_encode.h"
#include "alert/private.h"
#include "alert/sample.h"
#include "base/base64.h"
#include "base/fs.h"
#include "exec/spawn/client.h"

static bool accepting;

/* ---- addresses ------------------------------------------------------------------------------ */

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *name, *address; /* address NULL: it is none */
	} rows[] = {
		{"ops@crm.example", "", "ops@crm.example"},
		{" ops@crm.example ", "", "ops@crm.example"},
		{"<ops@crm.example>", "", "ops@crm.example"},
		{"Ops <ops@crm.example>", "Ops", "ops@crm.example"},
		{"\"Ops, all\" <ops@crm.example>", "Ops, all", "ops@crm.example"},
		{"值班 <ops@crm.example>", "值班", "ops@crm.example"},
		{"a.b+c=d@x", "", "a.b+c=d@x"},
		{"", NULL, NULL},
		{"ops", NULL, NULL},
		{"@crm.example", NULL, NULL},
		{"ops@", NULL, NULL},
		{"ops@crm..example", NULL, NULL},
		{"ops@-crm.example", NULL, NULL},
		{"ops@crm.example.", NULL, NULL},
		{".ops@crm.example", NULL, NULL},
		{"o..ps@crm.example", NULL, NULL},
		{"o ps@crm.example", NULL, NULL},
		{"ops@crm.example> <x", NULL, NULL},
		{"ops@crm.example\r\nRCPT TO:<x@y>", NULL, NULL},
		{"A\r\nBcc: x@y <ops@crm.example>", NULL, NULL},
		{"A <b> <ops@crm.example>", NULL, NULL},
		{"Ops ops@crm.example>", NULL, NULL},
		{"\xff <ops@crm.example>", NULL, NULL},
		{"öps@crm.example", NULL, NULL},
		{"ops@[192.0.2.1]", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mail_address one;
		int r = mail_address_parse(rows[i].text, &one);

		if (r != (rows[i].address ? 0 : -EINVAL))
			fail_msg("'%s': %d", rows[i].text, r);
		if (r < 0)
			continue;
		assert_string_equal(one.name, rows[i].name);
		assert_string_equal(one.address, rows[i].address);
	}
}

/* ---- encodings ------------------------------------------------------------------------------ */

static void test_headers(void **state)
{
	static const struct {
		const char *value, *expected;
	} rows[] = {
		{"plain", "Subject: plain\r\n"},
		{"", "Subject: \r\n"},
		{"  a \t b\n", "Subject: a b\r\n"},
		{"a\r\nBcc: x@y.example", "Subject: a Bcc: x@y.example\r\n"},
		{"a\x1b[31m", "Subject: a [31m\r\n"},
		{"a\xe2\x80\xae"
		 "b",
			"Subject: ab\r\n"}, /* no turning of the text */
		{"a\xff", "Subject: a?\r\n"},
		{"级别", "Subject: =?UTF-8?B?57qn5Yir?=\r\n"},
		{"=?UTF-8?B?QQ==?=", "Subject: =?UTF-8?B?PT9VVEYtOD9CP1FRPT0/PQ==?=\r\n"},
		{"one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
			"Subject: one two three four five six seven eight nine ten eleven "
			"twelve\r\n"
			" thirteen fourteen\r\n"},
		/* Cut between characters. */
		{"一二三四五六七八九十一二三四五六七八九十",
			"Subject: "
			"=?UTF-8?B?5LiA5LqM5LiJ5Zub5LqU5YWt5LiD5YWr5Lmd5Y2B5LiA5LqM5LiJ5Zub?="
			"\r\n =?UTF-8?B?5LqU5YWt5LiD5YWr5Lmd5Y2B?=\r\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_str struct str out = STR_INIT(10000);

		assert_int_equal(mail_header(&out, "Subject", rows[i].value), 0);
		assert_string_equal(str_get(&out), rows[i].expected);
	}
}

static void test_bodies(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"a\nb\n", "a\r\nb\r\n"},
		{"a", "a\r\n"},
		{".\n..\n", "=2E\r\n=2E.\r\n"},
		{"From me\nmy From\n", "=46rom me\r\nmy From\r\n"},
		{"a=b which is long enough", "a=3Db which is long enough\r\n"},
		{"-- \nx\n", "--=20\r\nx\r\n"},
		{"0123456789012345678901234567890123456789012345678901234567890123456789012345678",
			"01234567890123456789012345678901234567890123456789012345678901234567890123"
			"4=\r\n5678\r\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static const char head[] = "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
		auto_str struct str out = STR_INIT(10000);

		assert_int_equal(mail_body(&out, rows[i].text, strlen(rows[i].text)), 0);
		assert_true(str_startswith(str_get(&out), head));
		assert_string_equal(str_get(&out) + sizeof(head) - 1, rows[i].expected);
	}
	auto_str struct str out = STR_INIT(10000);
	assert_int_equal(mail_body(&out, "级别\n", 7), 0);
	assert_string_equal(
		str_get(&out), "Content-Transfer-Encoding: base64\r\n\r\n57qn5YirDQo=\r\n");
	str_clear(&out);
	assert_int_equal(mail_html(&out, "<a href=\"x\">'&\x01\xc2\x85\n"), 0);
	assert_string_equal(str_get(&out), "&lt;a href=&quot;x&quot;&gt;&#39;&amp; <br>\n");
}

/* ---- mails ---------------------------------------------------------------------------------- */

static void compose(const char *name, enum conf_language language, struct str *out)
{
	char first[] = "值班 <ops@crm.example>", second[] = "\"Second, line\" <second@crm.example>";
	char *const to[] = {first, second, NULL};
	const struct sample_options options = {.name = name, .language = language};
	auto_json json_t *view = NULL;

	assert_int_equal(sample_view(&options, &view), 0);
	const struct mail_source source = {.view = view,
		.from = "Tend <tend@crm.example>",
		.to = to,
		.wall = 1772424306 * USEC_PER_SEC};
	assert_int_equal(mail_compose(&source, out), 0);
}

static void test_samples(void **state)
{
	static const struct {
		const char *sample, *file;
		enum conf_language language;
	} rows[] = {
		{"raised", "raised-en", LANGUAGE_EN},
		{"cleared", "cleared-zh", LANGUAGE_ZH},
		{"late", "late-en", LANGUAGE_EN},
		{"group", "group-en", LANGUAGE_EN},
		{"group", "group-zh", LANGUAGE_ZH},
		{"message", "message-en", LANGUAGE_EN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_str struct str out = STR_INIT(1);
		auto_free char *path = str_printf("%s/%s.eml", MAILS_DIR, rows[i].file);
		auto_free char *expected = NULL;
		size_t len;

		compose(rows[i].sample, rows[i].language, &out);
		if (accepting) {
			auto_file FILE *f = fopen(path, "w");

			assert_non_null(f);
			assert_true(fputs(str_get(&out), f) >= 0);
			continue;
		}
		assert_int_equal(fs_read_file(path, 1 << 20, &expected, &len), 0);
		assert_string_equal(str_get(&out), expected);
	}
}

/* Every sample: what any server and any client takes. */
static void check_wire(const char *mail)
{
	for (const char *line = mail; *line;) {
		const char *end = strstr(line, "\r\n");

		assert_non_null(end);
		/* An id cannot be folded. */
		assert_in_range(end - line, 0, memchr(line, '<', 20) ? 250 : 78);
		assert_true(*line != '.');
		for (const char *p = line; p < end; p++)
			assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
		line = end + 2;
	}
}

static void test_wire(void **state)
{
	for (size_t i = 0; sample_names[i]; i++)
		for (int language = 0; language < LANGUAGE_MAX; language++) {
			auto_str struct str out = STR_INIT(1);

			compose(sample_names[i], (enum conf_language)language, &out);
			check_wire(str_get(&out));
		}
}

static json_t *foreign_view(const char *what, size_t n)
{
	json_t *alerts = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			alerts, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "title", what, "text",
					what, "incident", what, "status", "firing", "severity",
					"critical", "component", what));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:[s], s:{s:s}, s:{s:s}}", "id",
		what, "receiver", what, "host", what, "title", what, "text", what, "status", what,
		"severity", what, "alerts", alerts, "notes", what, "ack", "command", what, "words",
		"more", "+{n} more");
}

static int count_of(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void test_foreign(void **state)
{
	static const char what[] = "x\r\nBcc: evil@x.example\r\n\r\n--=_tend_x\r\n<script>.\r\n";

	for (size_t n = 1; n <= 1000; n += 999) {
		auto_json json_t *view = foreign_view(what, n);
		char address[] = "a@b.example";
		char *const to[] = {address, NULL};
		const struct mail_source source = {
			.view = view, .from = "a@b.example", .to = to, .wall = USEC_PER_SEC};
		auto_str struct str out = STR_INIT(1);

		assert_int_equal(mail_compose(&source, &out), 0);
		check_wire(str_get(&out));
		assert_null(strstr(str_get(&out), "javascript"));
		assert_null(strstr(strstr(str_get(&out), "text/html"), "<script"));
		/* 200 of 1,000 are listed. */
		assert_true((n > 1) == (strstr(str_get(&out), "+800 more") != NULL));
		assert_int_equal(count_of(str_get(&out), "\n--=_tend_"), 3);
		*strstr(out.data, "\r\n\r\n") = '\0';
		assert_null(strstr(out.data, "\nBcc"));
	}
}

static void test_host(void **state)
{
	static const struct {
		const char *host, *expected;
	} rows[] = {{"crm.example", "crm.example"}, {"", "localhost"}, {"-", "localhost"},
		{"a b\r\nQUIT", "abQUIT"}, {"a..b", "localhost"}, {"web1.", "web1"}, {"_x_", "x"},
		{".a", "a"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char host[MAIL_HOST_BYTES];

		mail_host(rows[i].host, host);
		assert_string_equal(host, rows[i].expected);
	}
}

/* ---- dialogues ------------------------------------------------------------------------------ */

static void test_dialogue(void **state)
{
	static const struct {
		const char *heard;
		unsigned n_tries;
		bool first_has_it;
		const char *lost, *said; /* `said`: the end of it */
		enum verdict verdict;
		long code;
		const char *error;
	} rows[] = {
		{"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n", 0, false, NULL,
			"RCPT TO:<b@x>\r\nDATA\r\nSubject: s\r\n\r\n..dot\r\n.\r\n",
			VERDICT_DELIVERED, 250, ""},
		/* Answers of several lines, without a text, with bare line ends. */
		{"250-ok\n250 ok\n250\n250 \n354 \n250-a\n250 b\n", 0, false, NULL, ".\r\n",
			VERDICT_DELIVERED, 250, ""},
		{"250 ok\r\n550 5.1.1 nobody\r\n250 ok\r\n354 go\r\n250 queued\r\n", 0, false, NULL,
			".\r\n", VERDICT_DELIVERED, 250,
			"delivered, but not to: a@x: 550 5.1.1 nobody"},
		{"250 ok\r\n450 later\r\n250 ok\r\n354 go\r\n250 queued\r\n", 0, false, NULL,
			".\r\n", VERDICT_RETRY, 250,
			"others have it; refused for now: a@x: 450 later"},
		{"250 ok\r\n450 later\r\n250 ok\r\n354 go\r\n250 queued\r\n", 3, false, NULL,
			".\r\n", VERDICT_DELIVERED, 250, "delivered, but not to: a@x: 450 later"},
		{"250 ok\r\n450 later\r\n450 later\r\n", 9, false, NULL, "RCPT TO:<b@x>\r\n",
			VERDICT_RETRY, 450, "refused for now: a@x: 450 later; b@x: 450 later"},
		{"250 ok\r\n550 no\r\n550 no\r\n", 0, false, NULL, "RCPT TO:<b@x>\r\n",
			VERDICT_FAILED, 550, "refused: a@x: 550 no; b@x: 550 no"},
		{"250 ok\r\n550 no\r\n450 later\r\n", 0, false, NULL, "RCPT TO:<b@x>\r\n",
			VERDICT_RETRY, 450, "refused for now: a@x: 550 no; b@x: 450 later"},
		/* The first has it since the try before, and is not asked about. */
		{"250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n", 1, true, NULL, ".\r\n",
			VERDICT_DELIVERED, 250, ""},
		{"250 ok\r\n550 no\r\n", 1, true, NULL, "MAIL FROM:<t@x>\r\nRCPT TO:<b@x>\r\n",
			VERDICT_DELIVERED, 550, "delivered, but not to: b@x: 550 no"},
		{"250 ok\r\n450 later\r\n", 1, true, NULL, "RCPT TO:<b@x>\r\n", VERDICT_RETRY, 450,
			"others have it; refused for now: b@x: 450 later"},
		{"550 5.7.1 not you\r\n", 0, false, NULL, "MAIL FROM:<t@x>\r\n", VERDICT_FAILED,
			550, "the sender is refused: 550 5.7.1 not you"},
		{"530 log in first\r\n", 0, false, NULL, "MAIL FROM:<t@x>\r\n", VERDICT_RETRY, 530,
			"the sender is refused: 530 log in first"},
		{"451 disk\r\n", 0, false, NULL, "MAIL FROM:<t@x>\r\n", VERDICT_RETRY, 451,
			"the sender is refused: 451 disk"},
		{"250 ok\r\n421 bye\r\n", 0, false, NULL, "RCPT TO:<a@x>\r\n", VERDICT_RETRY, 421,
			"421 bye"},
		{"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n552 too big\r\n", 0, false, NULL, ".\r\n",
			VERDICT_FAILED, 552, "the mail is refused: 552 too big"},
		{"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n452 full\r\n", 0, false, NULL, ".\r\n",
			VERDICT_RETRY, 452, "the mail is refused: 452 full"},
		{"250 ok\r\n250 ok\r\n250 ok\r\n554 no\r\n", 0, false, NULL, "DATA\r\n",
			VERDICT_FAILED, 554, "the mail is refused: 554 no"},
		/* 250 to DATA is no consent. */
		{"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n", 0, false, NULL, "DATA\r\n",
			VERDICT_RETRY, 250, "no answer"},
		{"hello\r\n", 0, false, NULL, "MAIL FROM:<t@x>\r\n", VERDICT_RETRY, 0,
			"the server says what is no answer: hello"},
		{"2500 ok\r\n", 0, false, NULL, "MAIL FROM:<t@x>\r\n", VERDICT_RETRY, 0,
			"no answer"},
		{"950 ok\r\n", 0, false, NULL, "MAIL FROM:<t@x>\r\n", VERDICT_RETRY, 0,
			"no answer"},
		{"250 ok\r\n", 0, false, "closed", "RCPT TO:<a@x>\r\n", VERDICT_RETRY, 250,
			"closed"},
		{"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", 0, false, "timeout", ".\r\n",
			VERDICT_RETRY, 354, "timeout"},
	};
	auto_str struct str mail = STR_INIT(100);

	assert_int_equal(str_appendf(&mail, "Subject: s\r\n\r\n.dot\r\n"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mail_recipient recipients[2] = {
			{.address = "a@x", .has_it = rows[i].first_has_it}, {.address = "b@x"}};
		struct mail_dialogue d = {
			.from = "t@x", .recipients = recipients, .n_recipients = 2, .mail = &mail};
		struct judgement j;

		assert_int_equal(dialogue_begin(&d), 0);
		for (const char *p = rows[i].heard; *p; p++) /* a byte at a time */
			assert_int_equal(dialogue_hear(&d, p, 1), 0);
		assert_true(dialogue_is_over(&d) == !rows[i].lost);
		mail_judge(&d, rows[i].lost, rows[i].n_tries, &j);
		if (j.verdict != rows[i].verdict || j.code != rows[i].code ||
			!strstr(j.error, rows[i].error) || !!*j.error != !!*rows[i].error ||
			!str_endswith(str_get(&d.out), rows[i].said))
			fail_msg("%zu: %s %ld '%s' '%s'", i, verdict_names[j.verdict], j.code,
				j.error, str_get(&d.out));
		dialogue_clear(&d);
	}
}

/* A server that says a lot is not listened to for ever. */
static void test_flood(void **state)
{
	auto_str struct str mail = STR_INIT(100);
	struct mail_recipient one = {.address = "a@x"};
	struct mail_dialogue d = {
		.from = "t@x", .recipients = &one, .n_recipients = 1, .mail = &mail};

	assert_int_equal(dialogue_begin(&d), 0);
	for (int i = 0; i < 100000 && !dialogue_is_over(&d); i++)
		assert_int_equal(dialogue_hear(&d, "250-x\r\n", 7), 0);
	assert_int_equal(d.step, DIALOGUE_BROKEN);
	dialogue_clear(&d);
}

/* ---- programs ------------------------------------------------------------------------------- */

static void test_programs(void **state)
{
#define SAID(text)	 .out = text, .out_len = sizeof(text) - 1
#define COMPLAINED(text) .err = text, .err_len = sizeof(text) - 1
	static const struct {
		struct spawn_reply reply;
		enum verdict verdict;
		long code;
		const char *error, *detail;
	} rows[] = {
		{{.exit_status = 0, SAID("sent\n")}, VERDICT_DELIVERED, 0, "", "sent"},
		{{.exit_status = 75, COMPLAINED("busy\n")}, VERDICT_RETRY, 75,
			"exit status 75: busy", "busy"},
		{{.exit_status = 1, SAID("out\n"), COMPLAINED("err\n")}, VERDICT_FAILED, 1,
			"exit status 1: err; out", "err; out"},
		{{.exit_status = 127}, VERDICT_FAILED, 127, "exit status 127", ""},
		{{.exit_status = -1, .signo = 9}, VERDICT_RETRY, 0, "ended by signal 9", ""},
		{{.exit_status = -1, .timed_out = true, SAID("half")}, VERDICT_RETRY, 0,
			"timeout: it was ended: half", "half"},
		{{.r = -ENOTCONN, .message = "no tend-spawn"}, VERDICT_RETRY, 0, "no tend-spawn",
			""},
		{{.r = -ECONNRESET, .message = "gone"}, VERDICT_RETRY, 0, "gone", ""},
		{{.r = -EBUSY, .message = "busy"}, VERDICT_RETRY, 0, "busy", ""},
		{{.r = -EPERM, .message = "not listed"}, VERDICT_FAILED, 0, "not listed", ""},
		{{.r = -ENOENT, .message = "missing"}, VERDICT_FAILED, 0, "missing", ""},
		{{.r = -ENOEXEC}, VERDICT_FAILED, 0, "Exec format error", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spawn_reply reply = rows[i].reply;
		struct judgement j;

		reply.out = reply.out ? reply.out : "";
		reply.err = reply.err ? reply.err : "";
		exec_judge(&reply, &j);
		assert_int_equal(j.verdict, rows[i].verdict);
		assert_int_equal(j.code, rows[i].code);
		assert_string_equal(j.error, rows[i].error);
		assert_string_equal(j.detail, rows[i].detail);
	}
}

/* What does not fit is counted. */
static void test_stdin(void **state)
{
	auto_json json_t *view = foreign_view("0123456789", 100), *shown = NULL;
	auto_free char *all = exec_stdin(view, 1 << 20), *cut = exec_stdin(view, 4000), *none;

	assert_non_null(all);
	assert_non_null(cut);
	assert_in_range(strlen(cut), 3000, 3999);
	shown = json_loads(cut, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(shown, "alerts")) +
				 (size_t)json_integer_value(json_object_get(shown, "n_more")),
		100);
	none = exec_stdin(view, 100);
	assert_null(none);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_dialogue),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_stdin),
	};

	accepting = argc == 2 && strcmp(argv[1], "--accept") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
