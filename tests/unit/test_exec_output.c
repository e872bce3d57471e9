/* SPDX-License-Identifier: MIT */
/* The output of commands: lines told as they come, tails, foreign bytes, a disk that is not filled.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "exec/output.h"

#define ID "0192a6f0-1111-7222-8333-444455556666"

struct fixture {
	char dir[64];
	int dir_fd, out;
	struct output *output;
	struct str lines;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->lines.max = 1 << 20;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tend-output-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(output_open(f->dir_fd, ID, true, 1 << 20, &f->output), 0);
	f->out = openat(f->dir_fd, ID ".out", O_WRONLY | O_CLOEXEC);
	assert_true(f->out >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	output_free(f->output);
	output_remove(f->dir_fd, ID);
	assert_int_equal(rmdir(f->dir), 0); /* nothing else was left */
	safe_close(f->dir_fd);
	safe_close(f->out);
	str_clear(&f->lines);
	free(f);
	return 0;
}

static void on_line(const char *line, void *data)
{
	struct fixture *f = data;

	assert_int_equal(str_appendf(&f->lines, "%s|", line), 0);
}

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(write(f->out, text, strlen(text)), strlen(text));
	output_poll(f->output, on_line, f);
}

static void test_lines(void **state)
{
	struct fixture *f = *state;

	say(f, "one\ntw");
	assert_string_equal(str_get(&f->lines), "one|");
	say(f, "");
	say(f, "o\n\n\x1b[1m\xff\nlast");
	assert_string_equal(str_get(&f->lines), "one|two|?[1m?|");
	auto_free char *tail = output_tail(f->output, 0);
	assert_string_equal(tail, "one\ntwo\n\n?[1m?\nlast");
	auto_free char *err = output_tail(f->output, 1);
	assert_string_equal(err, "");
}

static void test_many_lines(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10000; i++)
		assert_int_equal(write(f->out, "line\n", 5), 5);
	say(f, "");
	assert_int_equal(f->lines.len, OUTPUT_MAX_LINES * strlen("line|"));
	str_clear(&f->lines);
	say(f, "next\n");
	assert_string_equal(str_get(&f->lines), "next|");
}

static void test_long_line(void **state)
{
	struct fixture *f = *state;
	char block[OUTPUT_TAIL_BYTES];

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(f->out, block, sizeof(block)), sizeof(block));
		say(f, "");
	}
	assert_int_equal(f->lines.len, 0);
	say(f, "\nnext\n");
	assert_string_equal(str_get(&f->lines), "next|");
}

static void test_found_again(void **state)
{
	struct fixture *f = *state;

	say(f, "before\n");
	str_clear(&f->lines);
	f->output = output_free(f->output);
	assert_int_equal(output_open(f->dir_fd, ID, true, 1 << 20, &f->output), -EEXIST);
	assert_int_equal(output_open(f->dir_fd, ID, false, 1 << 20, &f->output), 0);
	say(f, "after\n");
	assert_string_equal(str_get(&f->lines), "after|"); /* told once */
	auto_free char *tail = output_tail(f->output, 0);
	assert_string_equal(tail, "before\nafter\n");
}

static void test_disk(void **state)
{
	struct fixture *f = *state;
	char block[65536];
	struct stat st;

	for (size_t i = 0; i < sizeof(block); i += 16)
		memcpy(block + i, "0123456789abcde\n", 16);
	for (int i = 0; i < 160; i++) { /* 10 MiB, of which 1 may stay */
		assert_int_equal(write(f->out, block, sizeof(block)), sizeof(block));
		output_poll(f->output, on_line, f);
	}
	assert_int_equal(fstat(f->out, &st), 0);
	assert_in_range(st.st_blocks * 512, 1, 1 << 20);
	auto_free char *tail = output_tail(f->output, 0);
	assert_int_equal(strlen(tail), OUTPUT_TAIL_BYTES);
	assert_string_equal(tail + OUTPUT_TAIL_BYTES - 16, "0123456789abcde\n");
	assert_int_equal(strncmp(tail, "0123456789abcde\n", 16), 0);
}

static void test_clean(void **state)
{
	static const struct {
		const char *in, *out;
		size_t max;
	} rows[] = {
		{"", "", 10},
		{"a\tb\nc", "a\tb\nc", 10},
		{"\r\n", "\\r\n", 10},
		{"0123456789ab", "23456789ab", 10},
		{"gr\xc3\xbcn", "n", 1},
		{"gr\xc3\xbcn", "n", 2}, /* not half a character */
		{"gr\xc3\xbcn", "\xc3\xbcn", 3},
		{"\xff\xfe\x01", "???", 10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *out = output_clean(rows[i].in, strlen(rows[i].in), rows[i].max);

		assert_string_equal(out, rows[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_found_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk, set_up, tear_down),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
