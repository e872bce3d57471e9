/* SPDX-License-Identifier: MIT */
/* Is the lock ours? Only a whole number in the file says so; all else is no. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "policy/hosts.h"

static void write_file(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void test_tokens(void **state)
{
	static const struct {
		const char *text; /* NULL: no file */
		int r;
		uint64_t token;
	} rows[] = {
		{"7\n", 0, 7},
		{"7", 0, 7},
		{"7 \r\n", 0, 7},
		{"9223372036854775807\n", 0, INT64_MAX},
		{NULL, -ENOENT, 0},
		{"", -EBADMSG, 0},
		{"\n", -EBADMSG, 0},
		{"0\n", -EBADMSG, 0},
		{"-1\n", -EBADMSG, 0},
		{"+1\n", -EBADMSG, 0},
		{" 1\n", -EBADMSG, 0},
		{"1x\n", -EBADMSG, 0},
		{"1\n2\n", -EBADMSG, 0},
		{"9223372036854775808\n", -EBADMSG, 0},
		{"99999999999999999999999\n", -EBADMSG, 0},
		{"seven\n", -EBADMSG, 0},
	};
	char dir[] = "/tmp/test_policy_fence.XXXXXX";

	assert_non_null(mkdtemp(dir));
	auto_free char *path = str_printf("%s/token", dir);
	struct conf_daemon conf = {
		.fence_lock = (char *)(uintptr_t) "crm", .fence_token_file = path};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t token = 99;
		char why[256] = "";

		(void)unlink(path);
		if (rows[i].text)
			write_file(path, rows[i].text);
		if (act_fence(&conf, &token, why) != rows[i].r || token != rows[i].token ||
			(rows[i].r < 0) != (strstr(why, "'crm'") != NULL))
			fail_msg("row %zu: %llu: %s", i, (unsigned long long)token, why);
	}
	/* A folder is no file; and one that nobody ever writes to must not be waited for. */
	uint64_t token;
	char why[256];
	(void)unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(act_fence(&conf, &token, why) < 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(act_fence(&conf, &token, why) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_no_lock(void **state)
{
	struct conf_daemon conf = {0};
	uint64_t token = 99;
	char why[256];

	assert_int_equal(act_fence(&conf, &token, why), 0);
	assert_int_equal(token, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
