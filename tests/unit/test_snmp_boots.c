/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "snmp/boots.h"

static char dir[] = "/tmp/tend-boots-XXXXXX";

static char *path_of(const char *name)
{
	return str_printf("%s/%s", dir, name);
}

static void parses(void **state)
{
	static const char id[] = "engine_id = 0x80001f8805010203\n";
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"%sboots = 1\nstart = a\n", 0},
		{"# why\n\n%sboots = 2147483647\nstart = a b-c\n", 0},
		{"%sboots = 1\nstart = a", 0},
		{"%sboots = 1\nstart = a\nbegan = 0\noffset = 1795314699500000\n", 0},
		{"%sboots = 1\nstart = a\nbegan = x\n", -EINVAL},
		{"%sboots = 1\nstart = a\noffset = 99999999999999999999\n", -EINVAL},
		{"", -EINVAL},
		{"%sboots = 1\n", -EINVAL},
		{"%sstart = a\n", -EINVAL},
		{"boots = 1\nstart = a\n", -EINVAL},
		{"%sboots = 0\nstart = a\n", -EINVAL},
		{"%sboots = -1\nstart = a\n", -EINVAL},
		{"%sboots = \nstart = a\n", -EINVAL},
		{"%sboots = 1x\nstart = a\n", -EINVAL},
		{"%sboots = 2147483648\nstart = a\n", -EINVAL},
		{"%sboots = 99999999999999999999\nstart = a\n", -EINVAL},
		{"%sboots = 1\nstart = \n", -EINVAL},
		{"%sboots = 1\nstart = a\nmore = 1\n", -EINVAL},
		{"engine_id = 0x01020304\nboots = 1\nstart = a\n", -EINVAL},
		{"engine_id = 0x010203040\nboots = 1\nstart = a\n", -EINVAL},
		{"engine_id = 0x0102030g05\nboots = 1\nstart = a\n", -EINVAL},
		{"engine_id = 0102030405\nboots = 1\nstart = a\n", -EINVAL},
		{"engine_id = 0x 1 2 3 4 5\nboots = 1\nstart = a\n", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *mark = strstr(rows[i].text, "%s");
		auto_free char *text = mark ? str_printf("%.*s%s%s", (int)(mark - rows[i].text),
						      rows[i].text, id, mark + 2)
					    : strdup(rows[i].text);
		struct boots b = {0};

		if (boots_parse(text, &b) != rows[i].r)
			fail_msg("row %zu", i);
		assert_int_equal(b.len, rows[i].r == 0 ? 8 : 0);
	}
}

static void ids_have_5_to_32_bytes(void **state)
{
	char text[256];

	for (size_t n = 1; n <= 40; n++) {
		struct boots b;

		snprintf(text, sizeof(text), "engine_id = 0x%.*s\nboots = 1\nstart = a\n",
			(int)(2 * n),
			"80001f880000000000000000000000000000000000000000000000000000000000000000"
			"00000000");
		assert_int_equal(boots_parse(text, &b), n >= 5 && n <= 32 ? 0 : -EINVAL);
	}
}

static void boots_rise_once_a_start(void **state)
{
	auto_free char *path = path_of("engine");
	struct tend_error err = {0};
	struct boots first, again, next;
	struct stat st;
	char a[BOOTS_TEXT_BYTES], b[BOOTS_TEXT_BYTES];
	usec_t before = boots_clock();

	assert_int_equal(boots_load(path, "start-1", &err, &first), 0);
	assert_int_equal(first.boots, 1);
	assert_int_equal(first.len, BOOTS_ID_BYTES);
	assert_memory_equal(first.id, "\x80\x00\x1f\x88\x05", 5);
	assert_true(first.began >= before && first.began <= boots_clock());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* The helper was started again, tendd was not. */
	assert_int_equal(boots_load(path, "start-1", &err, &again), 0);
	assert_memory_equal(&first, &again, sizeof(first));
	assert_int_equal(boots_load(path, "start-2", &err, &next), 0);
	assert_int_equal(next.boots, 2);
	assert_true(next.began >= first.began);
	assert_string_equal(boots_format_id(&first, a), boots_format_id(&next, b));
	assert_int_equal(boots_time(&next, next.began + USEC_PER_SEC + 1), 1);
	assert_int_equal(boots_time(&next, next.began - 1), 0);
	assert_int_equal(boots_time(&next, UINT64_MAX), INT32_MAX);
}

static void a_paused_machine(void **state)
{
	auto_free char *path = path_of("engine");
	struct tend_error err = {0};
	struct boots b, old;
	usec_t now, wall;

	assert_int_equal(boots_load(path, "paused", &err, &b), 0);
	now = b.began;
	wall = b.began + b.offset;
	/* Both clocks went on; the time of day alone did, a little; was set back; went far ahead.
	 */
	assert_false(boots_is_behind(&b, now, wall));
	assert_false(boots_is_behind(&b, now + 9000 * USEC_PER_SEC, wall + 9000 * USEC_PER_SEC));
	assert_false(boots_is_behind(&b, now, wall + 59 * USEC_PER_SEC));
	assert_false(boots_is_behind(&b, now, wall - 9000 * USEC_PER_SEC));
	assert_false(boots_is_behind(&b, now, 0));
	assert_true(boots_is_behind(&b, now, wall + 61 * USEC_PER_SEC));
	old = b;
	assert_int_equal(boots_renew(path, &err, &b), 0);
	assert_int_equal(b.boots, old.boots + 1);
	assert_memory_equal(b.id, old.id, sizeof(b.id));
	assert_true(b.began >= old.began);
	assert_int_equal(boots_load(path, "paused", &err, &old), 0);
	assert_memory_equal(&b, &old, sizeof(b));
	b.boots = BOOTS_MAX;
	assert_int_equal(boots_renew(path, &err, &b), -ERANGE);
	assert_int_equal(b.boots, BOOTS_MAX);
}

static void assert_new_engine(const char *content, bool kept)
{
	auto_free char *path = path_of("damaged"), *bad = path_of("damaged.bad"), *back = NULL;
	struct tend_error err = {0};
	struct boots b;
	size_t len;

	(void)remove(bad);
	assert_int_equal(fs_write_file_atomic(path, content, strlen(content), 0600), 0);
	assert_int_equal(boots_load(path, "s", &err, &b), 0);
	assert_int_equal(b.boots, 1);
	assert_int_equal(b.len, BOOTS_ID_BYTES);
	assert_int_equal(fs_read_file(bad, 1 << 20, &back, &len), kept ? 0 : -ENOENT);
	if (kept)
		assert_string_equal(back, content);
}

static void a_damaged_file_is_a_new_engine(void **state)
{
	auto_free char *large = malloc(10000);

	memset(large, '#', 9999);
	large[9999] = '\0';
	assert_new_engine("", true);
	assert_new_engine("nonsense\n", true);
	assert_new_engine(large, true);
	/* Used up: no boots beyond 2^31 - 2. */
	assert_new_engine("engine_id = 0x8000000001\nboots = 2147483647\nstart = x\n", true);
}

static void the_last_boots(void **state)
{
	auto_free char *path = path_of("last");
	static const char text[] = "engine_id = 0x8000000001\nboots = 2147483645\nstart = x\n";
	struct tend_error err = {0};
	struct boots b;

	assert_int_equal(fs_write_file_atomic(path, text, strlen(text), 0600), 0);
	assert_int_equal(boots_load(path, "y", &err, &b), 0);
	assert_int_equal(b.boots, 2147483646);
	assert_int_equal(b.len, 5);
	assert_int_equal(boots_load(path, "z", &err, &b), 0);
	/* 2^31 - 1 says "used up" to everybody: never sent. */
	assert_int_equal(b.boots, 1);
	assert_int_equal(b.len, BOOTS_ID_BYTES);
}

static void what_cannot_be_kept_is_not_used(void **state)
{
	auto_free char *missing = path_of("no/such/folder"), *folder = path_of("folder");
	struct tend_error err = {0};
	struct boots b = {.boots = 7};

	assert_true(boots_load(missing, "s", &err, &b) < 0);
	assert_non_null(strstr(err.text, "cannot write"));
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_true(boots_load(folder, "s", &err, &b) < 0);
	assert_non_null(strstr(err.text, "cannot read"));
	assert_int_equal(b.boots, 7);
}

static int set_up(void **state)
{
	log_open("test", LOG_EMERG);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {
		"engine", "damaged", "damaged.bad", "last", "last.bad", "folder"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = path_of(names[i]);

		(void)remove(path);
	}
	return remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(ids_have_5_to_32_bytes),
		cmocka_unit_test(boots_rise_once_a_start),
		cmocka_unit_test(a_paused_machine),
		cmocka_unit_test(a_damaged_file_is_a_new_engine),
		cmocka_unit_test(the_last_boots),
		cmocka_unit_test(what_cannot_be_kept_is_not_used),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
