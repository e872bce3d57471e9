/* SPDX-License-Identifier: MIT */
/* Fencing tokens: what is admitted, what is kept, and that nothing is forgotten. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "exec/fence.h"

static char dir[] = "/tmp/test_exec_fence.XXXXXX";

static int set_up(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_exec_fence.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	auto_free char *command = str_printf("rm -rf %s", dir);

	return system(command);
}

static struct fences *open_fences(void)
{
	struct fences *fences = NULL;
	struct tend_error err = {0};

	if (fences_open(dir, &fences, &err) < 0)
		fail_msg("%s", err.text);
	return fences;
}

static int admit(struct fences *fences, const char *lock, uint64_t token)
{
	struct fence fence = {.token = token};

	(void)snprintf(fence.lock, sizeof(fence.lock), "%s", lock);
	return fence_admit(fences, &fence, NULL);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{"crm", true},
		{"crm.production-1_a", true},
		{"0", true},
		{"", false},
		{".", false},
		{"..", false},
		{".new", false},
		{"-x", false},
		{"_x", false},
		{"a/b", false},
		{"../x", false},
		{"Crm", false},
		{"a b", false},
		{"a\n", false},
		{"\xc3\xa4", false},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (fence_lock_valid(rows[i].name) != rows[i].valid)
			fail_msg("'%s'", rows[i].name);
}

/* A step is a request; after some of them the process dies and another one reads what is kept. */
static void test_admission(void **state)
{
	static const struct {
		const char *lock;
		uint64_t token;
		int r;
		uint64_t highest; /* afterwards */
		bool again;	  /* a new process first */
	} steps[] = {
		{"a", 5, 0, 5, false},
		{"a", 5, 0, 5, false},
		{"a", 4, -ESTALE, 5, false},
		{"b", 1, 0, 1, false},
		{"a", 7, 0, 7, false},
		{"a", 6, -ESTALE, 7, true},
		{"a", 7, 0, 7, true},
		{"b", 1, 0, 1, false},
		{"b", INT64_MAX, 0, INT64_MAX, false},
		{"b", INT64_MAX - 1, -ESTALE, INT64_MAX, true},
	};
	struct fences *fences = open_fences();

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i].again) {
			fences_free(fences);
			fences = open_fences();
		}
		assert_int_equal(admit(fences, steps[i].lock, steps[i].token), steps[i].r);
		assert_int_equal(fence_highest(fences, steps[i].lock), steps[i].highest);
	}
	assert_int_equal(fence_highest(fences, "none"), 0);
	fences_free(fences);
}

static void write_file(const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/fences/%s", dir, name);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* A token that cannot be read must not count as none. */
static void test_broken(void **state)
{
	static const char *const texts[] = {"", "5", "5\n6\n", "0\n", "-1\n", "x\n", " 5\n",
		"99999999999999999999\n", "9223372036854775808\n"};
	struct fences *fences = open_fences();
	struct tend_error err = {0};

	fences_free(fences);
	write_file(".new", "torn"); /* of a crash; nobody has acted on it */
	fences_free(open_fences());
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_file("crm", texts[i]);
		assert_int_equal(fences_open(dir, &fences, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "fences/crm"));
	}
	write_file("crm", "5\n");
	fences = open_fences();
	assert_int_equal(admit(fences, "crm", 4), -ESTALE);
	fences_free(fences);
	write_file("Not-A-Lock", "5\n");
	assert_int_equal(fences_open(dir, &fences, &err), -EBADMSG);
}

static void test_bounds(void **state)
{
	struct fences *fences = open_fences();
	char lock[16];

	fences_free(fences);
	for (int i = 0; i < FENCE_MAX_LOCKS; i++) {
		(void)snprintf(lock, sizeof(lock), "lock-%d", i);
		write_file(lock, "1\n");
	}
	fences = open_fences();
	assert_int_equal(admit(fences, "one-more", 1), -EDQUOT);
	assert_int_equal(admit(fences, "lock-0", 2), 0);
	fences_free(fences);
}

/* What cannot be written was not admitted. */
static void test_no_disk(void **state)
{
	struct fences *fences = open_fences();
	auto_free char *command = str_printf("rm -rf %s/fences", dir);

	assert_int_equal(system(command), 0);
	assert_true(admit(fences, "crm", 3) < 0);
	assert_int_equal(fence_highest(fences, "crm"), 0);
	fences_free(fences);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_admission, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
