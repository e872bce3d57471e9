/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "run/wire.h"

/* Gives the text in pieces of `piece` bytes, then end of file. */
struct feed {
	const char *data;
	size_t len, piece;
};

static ssize_t feed_fill(struct wire *wire, void *buf, size_t size)
{
	struct feed *feed = wire->data;
	size_t n = MIN(feed->piece, feed->len);

	n = MIN(n, size);
	if (n == 0)
		return 0;
	memcpy(buf, feed->data, n);
	feed->data += n;
	feed->len -= n;
	return (ssize_t)n;
}

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		int n, end; /* messages, then this */
	} cases[] = {
		{"", 0, 0},
		{"{}\n", 1, 0},
		{"{\"a\":1}\n{\"a\":2}\n{}\n", 3, 0},
		{"{\"a\":1}\n{\"a\"", 1, -EBADMSG},
		{"{}", 0, -EBADMSG},
		{"\n", 0, -EBADMSG},
		{"[]\n", 0, -EBADMSG},
		{"1\n", 0, -EBADMSG},
		{"{\"a\":1,\"a\":2}\n", 0, -EBADMSG},
		{"{\"a\":\"\xff\"}\n", 0, -EBADMSG},
		{"{} {}\n", 0, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t piece = 1; piece < 8; piece++) {
			struct feed feed = {cases[i].text, strlen(cases[i].text), piece};
			struct wire wire = {.fd = -1, .fill = feed_fill, .data = &feed};
			int r, n = 0;

			do {
				auto_json json_t *message = NULL;

				r = wire_read(&wire, &message);
				n += r > 0;
			} while (r > 0);
			assert_int_equal(n, cases[i].n);
			assert_int_equal(r, cases[i].end);
			wire_done(&wire);
		}
	}
}

static void test_length(void **state)
{
	static const struct {
		size_t len;
		int r;
	} cases[] = {
		{WIRE_LINE_BYTES - 1, 1},
		{WIRE_LINE_BYTES, 1},
		{WIRE_LINE_BYTES + 1, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = malloc(cases[i].len + 1);
		struct feed feed = {text, cases[i].len + 1, 50000};
		struct wire wire = {.fd = -1, .fill = feed_fill, .data = &feed};
		auto_json json_t *message = NULL;

		assert_non_null(text);
		memset(text, ' ', cases[i].len);
		memcpy(text, "{}", 2);
		text[cases[i].len] = '\n';
		assert_int_equal(wire_read(&wire, &message), cases[i].r);
		wire_done(&wire);
	}
}

static void test_write(void **state)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct wire ours = {.fd = pair[0]}, theirs = {.fd = pair[1]};
	auto_json json_t *message = NULL, *huge = NULL;
	auto_free char *text = malloc(WIRE_LINE_BYTES + 1);

	assert_int_equal(wire_note(&ours, "ended", json_pack("{s:b}", "ok", 1)), 0);
	assert_int_equal(wire_read(&theirs, &message), 1);
	assert_string_equal(json_string_value(json_object_get(message, "call")), "ended");
	assert_true(json_is_true(json_object_get(json_object_get(message, "args"), "ok")));

	memset(text, 'x', WIRE_LINE_BYTES);
	text[WIRE_LINE_BYTES] = '\0';
	huge = json_pack("{s:s}", "text", text);
	assert_non_null(huge);
	assert_int_equal(wire_write(&ours, huge), -EMSGSIZE);
	close(pair[0]);
	json_decref(message);
	message = NULL;
	assert_int_equal(wire_read(&theirs, &message), 0);
	close(pair[1]);
	wire_done(&theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
