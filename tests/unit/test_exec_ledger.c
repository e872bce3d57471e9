/* SPDX-License-Identifier: MIT */
/* The ledger: an id begins once, a torn line is none, what is broken stays used up. */
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
#include "base/fs.h"
#include "base/str.h"
#include "exec/ledger.h"

#define ID "0192a6f0-1111-7222-8333-444455556666"
#define BEGUN                                                                                      \
	"{\"event\":\"begun\",\"kind\":\"unit\",\"name\":\"a.service\",\"verb\":\"start\","        \
	"\"boot_id\":\"b.1\",\"wall_usec\":5,\"boot_usec\":6,\"timeout_usec\":7}\n"
#define ARMED	"{\"event\":\"armed\",\"invocation_before\":\"abc\"}\n"
#define JOB	"{\"event\":\"job\",\"job\":12}\n"
#define OUTCOME "{\"event\":\"outcome\",\"outcome\":{\"outcome\":\"done\"}}\n"

static char dir[64];

static int set_up(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/tend-ledger-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {("jobs/" ID), "jobs", "output", "lock", ""};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = str_printf("%s/%s", dir, names[i]);
		(void)remove(path);
	}
	return 0;
}

static struct ledger *open_ledger(void)
{
	struct ledger *ledger = NULL;
	struct tend_error err = {0};

	if (ledger_open(dir, &ledger, &err) < 0)
		fail_msg("%s", err.text);
	return ledger;
}

static struct record unit_record(void)
{
	return (struct record){.id = ID,
		.kind = RECORD_UNIT,
		.name = "a.service",
		.verb = EXEC_VERB_RESTART,
		.deed = UINT64_C(0xfedcba9876543210),
		.boot_id = "b.1",
		.begun_wall = 1000,
		.begun_boot = 2000,
		.timeout = 3000};
}

static void test_life(void **state)
{
	auto(ledger_free) struct ledger *ledger = open_ledger();
	struct record record = unit_record(), seen = {0};
	auto_json json_t *outcome = json_pack("{s:s}", "outcome", "done");

	assert_int_equal(ledger_read(ledger, ID, &seen), -ENOENT);
	assert_int_equal(ledger_append(ledger, ID, record_job(1)), -ENOENT);
	assert_int_equal(ledger_begin(ledger, ID, record_begun(&record, "why", 7)), 0);
	assert_int_equal(ledger_begin(ledger, ID, record_begun(&record, "why", 7)), -EEXIST);
	assert_int_equal(ledger_n_records(ledger), 1);
	assert_int_equal(ledger_append(ledger, ID, record_armed("abc")), 0);
	assert_int_equal(ledger_append(ledger, ID, record_job(4294967295u)), 0);
	assert_int_equal(ledger_append(ledger, ID, record_outcome(outcome)), 0);
	/* Another process of the same state directory would begin ids again. */
	struct ledger *second = NULL;
	assert_int_equal(ledger_open(dir, &second, NULL), -EBUSY);
	ledger_free(ledger);
	ledger = open_ledger();
	assert_int_equal(ledger_begin(ledger, ID, record_begun(&record, "why", 7)), -EEXIST);
	assert_int_equal(ledger_read(ledger, ID, &seen), 0);
	assert_string_equal(seen.name, "a.service");
	assert_int_equal(seen.verb, EXEC_VERB_RESTART);
	assert_int_equal(seen.timeout, 3000);
	assert_true(seen.deed == record.deed);
	assert_true(seen.armed);
	assert_string_equal(seen.invocation_before, "abc");
	assert_int_equal(seen.job, 4294967295u);
	assert_true(json_equal(seen.outcome, outcome));
	assert_false(seen.collected);
	record_clear(&seen);
	assert_int_equal(ledger_remove(ledger, ID), 0);
	assert_int_equal(ledger_n_records(ledger), 0);
}

static void test_text(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool empty, armed, outcome;
		uint32_t job;
		size_t good_len;
	} rows[] = {
		{"", 0, true, false, false, 0, 0},
		{"{\"event\":\"beg", 0, true, false, false, 0, 0},
		{BEGUN, 0, false, false, false, 0, sizeof(BEGUN) - 1},
		{BEGUN "{\"event\":\"armed\"", 0, false, false, false, 0, sizeof(BEGUN) - 1},
		{BEGUN ARMED JOB, 0, false, true, false, 12, sizeof(BEGUN ARMED JOB) - 1},
		{BEGUN ARMED JOB OUTCOME, 0, false, true, true, 12,
			sizeof(BEGUN ARMED JOB OUTCOME) - 1},
		{"\n", -EBADMSG, 0, 0, 0, 0, 0},
		{"[]\n", -EBADMSG, 0, 0, 0, 0, 0},
		{ARMED, -EBADMSG, 0, 0, 0, 0, 0},
		{BEGUN BEGUN, -EBADMSG, 0, 0, 0, 0, 0},
		{BEGUN "{\"event\":\"outcome\",\"outcome\":1}\n", -EBADMSG, 0, 0, 0, 0, 0},
		{BEGUN "{\"event\":\"later\"}\n", -EBADMSG, 0, 0, 0, 0, 0},
		{"{\"event\":\"begun\",\"kind\":\"unit\",\"name\":\"a\",\"boot_id\":\"b\"}\n",
			-EBADMSG, 0, 0, 0, 0, 0},
		{"{\"event\":\"begun\",\"kind\":\"odd\",\"name\":\"a\",\"boot_id\":\"b\"}\n",
			-EBADMSG, 0, 0, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct record record = {0};
		int r = record_parse(ID, rows[i].text, strlen(rows[i].text), &record);

		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].text, r);
		if (r < 0)
			continue;
		assert_int_equal(record.empty, rows[i].empty);
		assert_int_equal(record.armed, rows[i].armed);
		assert_int_equal(record.outcome != NULL, rows[i].outcome);
		assert_int_equal(record.job, rows[i].job);
		assert_int_equal(record.good_len, rows[i].good_len);
		record_clear(&record);
	}
}

static void test_torn_line(void **state)
{
	auto(ledger_free) struct ledger *ledger = open_ledger();
	auto_free char *path = str_printf("%s/jobs/%s", dir, ID);
	auto_free char *text = NULL;
	struct record record = {0};

	assert_int_equal(fs_write_file_atomic(path, BEGUN ARMED "{\"event\":\"jo",
				 sizeof(BEGUN ARMED "{\"event\":\"jo") - 1, 0600),
		0);
	assert_int_equal(ledger_append(ledger, ID, record_job(12)), 0);
	assert_int_equal(fs_read_file(path, 4096, &text, NULL), 0);
	assert_string_equal(text, BEGUN ARMED JOB);
	assert_int_equal(ledger_read(ledger, ID, &record), 0);
	assert_int_equal(record.job, 12);
	record_clear(&record);
}

static void on_scan(int r, const struct record *record, void *data)
{
	int *seen = data;

	assert_string_equal(record->id, ID);
	*seen = r;
}

static void test_broken(void **state)
{
	auto(ledger_free) struct ledger *ledger = open_ledger();
	auto_free char *path = str_printf("%s/jobs/%s", dir, ID);
	struct record record = unit_record(), seen = {0};
	int r = 1;

	assert_int_equal(fs_write_file_atomic(path, "rubbish\n", 8, 0600), 0);
	assert_int_equal(ledger_read(ledger, ID, &seen), -EBADMSG);
	assert_int_equal(ledger_begin(ledger, ID, record_begun(&record, "", 1)), -EEXIST);
	assert_int_equal(ledger_scan(ledger, on_scan, &r), 0);
	assert_int_equal(r, -EBADMSG);
	/* A link in its place is not followed. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(ledger_read(ledger, ID, &seen), -ELOOP);
	assert_int_equal(ledger_begin(ledger, ID, record_begun(&record, "", 1)), -EEXIST);
}

static void test_folders(void **state)
{
	struct ledger *ledger = NULL;
	struct tend_error err = {0};
	auto_free char *jobs = str_printf("%s/jobs", dir);

	assert_int_equal(mkdir(jobs, 0755), 0);
	assert_int_equal(chmod(jobs, 0755), 0);
	assert_int_equal(ledger_open(dir, &ledger, &err), -EPERM);
	assert_non_null(strstr(err.text, "0700"));
	assert_int_equal(ledger_open("/nonexistent/state", &ledger, &err), -ENOENT);
}

static void test_age(void **state)
{
	struct record record = unit_record(); /* wall 1000, boot 2000 */

	assert_int_equal(record_age(&record, "b.1", 2500, 99), 500);
	assert_int_equal(record_age(&record, "b.2", 2500, 1099), 99);
	assert_int_equal(record_age(&record, "b.2", 2500, 99), USEC_INFINITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
		cmocka_unit_test(test_text),
		cmocka_unit_test_setup_teardown(test_torn_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
