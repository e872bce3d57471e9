/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/base64.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/vec.h"

static void test_sanitize(void **unused)
{
	static const struct {
		const char *in, *out;
		size_t size;
	} rows[] = {
		{"plain", "plain", 64},
		{"a\nb\tc\x1b[31m", "a\\nb\\tc?[31m", 64},
		{"\xc3\xa9\xff\xc2\x9b", "\xc3\xa9??", 64},
		{"\xed\xa0\x80", "???", 64}, /* a surrogate */
		{"abc\xc3\xa9", "abc", 5},   /* never half a character */
		{"x", "", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[64];

		str_sanitize(out, rows[i].size, rows[i].in, strlen(rows[i].in));
		assert_string_equal(out, rows[i].out);
	}
}

static void test_text(void **unused)
{
	static const char *const names[] = {"interval", "timeout", "confirm"};
	struct str s = STR_INIT(10);

	assert_string_equal(str_nearest("intervall", names, 3), "interval");
	assert_string_equal(str_nearest("tiemout", names, 3), "timeout");
	assert_null(str_nearest("zzzzzzzzz", names, 3));
	assert_true(str_glob("*/web", "crm/web"));
	assert_true(str_glob("c?m/*/x*", "crm/web/xyz"));
	assert_false(str_glob("*/web", "crm/webs"));
	assert_int_equal(str_append(&s, "1234567890", 10), 0);
	assert_int_equal(str_append(&s, "1", 1), -ENOBUFS);
	assert_string_equal(str_get(&s), "1234567890");
	str_clear(&s);
	assert_int_equal(str_cut_utf8("ab\xc3\xa9", 4, 3), 2);
}

static void test_base64(void **unused)
{
	/* RFC 4648, section 10 */
	static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {"Zg=", "Zg", "Z===", "Zm9v!mE=", "====", "Zg==Zg=="};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *text = base64_encode(rows[i][0], strlen(rows[i][0]));
		auto_free void *data = NULL;
		size_t len;

		assert_string_equal(text, rows[i][1]);
		assert_int_equal(base64_decode(text, &data, &len), 0);
		assert_int_equal(len, strlen(rows[i][0]));
		assert_memory_equal(data, rows[i][0], len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		void *data;
		size_t len;

		assert_int_equal(base64_decode(bad[i], &data, &len), -EINVAL);
	}
}

static void test_uuid(void **unused)
{
	char last[UUID_TEXT_BYTES] = "", id[UUID_TEXT_BYTES];

	for (int i = 0; i < 10000; i++) {
		assert_true(uuid_valid(uuid7(id)));
		assert_true(strcmp(id, last) > 0); /* in order, also within a millisecond */
		assert_int_equal(id[14], '7');
		memcpy(last, id, sizeof(id));
	}
	assert_false(uuid_valid("not-a-uuid"));
}

static void test_clock(void **unused)
{
	char buf[CLOCK_TEXT_BYTES];
	usec_t back;

	assert_string_equal(clock_format(0, buf), "1970-01-01T00:00:00.000000Z");
	assert_int_equal(clock_parse("2026-11-22T02:31:39.123456Z", &back), 0);
	assert_string_equal(clock_format(back, buf), "2026-11-22T02:31:39.123456Z");
	assert_int_equal(clock_parse("yesterday", &back), -EINVAL);
	assert_string_equal(clock_format_span(90 * USEC_PER_SEC, buf), "1m30s");
	assert_string_equal(clock_format_span(350000, buf), "350ms");
	assert_string_equal(clock_format_span(1500 * USEC_PER_MSEC, buf), "1.5s");
	assert_string_equal(clock_format_span(1099 * USEC_PER_MSEC, buf), "1s");
	assert_string_equal(clock_format_span(10500 * USEC_PER_MSEC, buf), "10s");
	assert_string_equal(clock_format_span(0, buf), "0s");
}

static void test_map_and_vec(void **unused)
{
	struct map map = {0};
	struct vec vec = {0};
	static int values[1000];
	char key[16];
	size_t n = 0;

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(map_put(&map, key, &values[i]), 0);
		assert_int_equal(vec_push(&vec, &values[i]), 0);
	}
	for (int i = 0; i < 1000; i += 2) {
		(void)snprintf(key, sizeof(key), "key-%d", i);
		assert_ptr_equal(map_remove(&map, key), &values[i]);
	}
	assert_null(map_get(&map, "key-0"));
	assert_ptr_equal(map_get(&map, "key-999"), &values[999]);
	assert_int_equal(map.len, 500);
	MAP_FOREACH (&map, int *, value)
		n += value != NULL;
	assert_int_equal(n, 500);
	n = 0;
	VEC_FOREACH (&vec, int *, value) {
		if (value == &values[10])
			break;
		n++;
	}
	assert_int_equal(n, 10);
	map_clear(&map);
	vec_clear(&vec);
}

static void test_secrets(void **unused)
{
	char dir[] = "/tmp/tend-test-XXXXXX", path[64], reference[80];
	struct tend_error err;
	char *secret = NULL;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)snprintf(reference, sizeof(reference), "file:%s", path);
	assert_int_equal(fs_write_file_atomic(path, "hush\n", 5, 0600), 0);
	assert_int_equal(fs_read_secret(reference, &secret, &err), 0);
	assert_string_equal(secret, "hush");
	fs_free_secret(secret);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(fs_read_secret(reference, &secret, &err), -EPERM);
	assert_non_null(strstr(err.text, "read by others"));
	assert_int_equal(fs_read_secret("hush", &secret, &err), -EINVAL);
	assert_int_equal(fs_read_secret("file:/dev/zero", &secret, &err), -EINVAL);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
	assert_int_equal(fs_read_secret("cred:s", &secret, &err), 0);
	fs_free_secret(secret);
	assert_int_equal(fs_read_secret("cred:../s", &secret, &err), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* The class says whose matter a fault is, the category what kind of trouble its reason is. */
static void test_faults(void **unused)
{
	static const struct {
		enum tend_reason reason;
		const char *kind, *class, *category;
	} rows[] = {
		{TEND_REASON_CONNECT_REFUSED, "web", "software", "network"},
		{TEND_REASON_CONNECT_REFUSED, "host", "hardware", "network"},
		{TEND_REASON_THRESHOLD, "storage", "hardware", "threshold"},
		{TEND_REASON_THRESHOLD, NULL, "software", "threshold"},
		{TEND_REASON_TLS_EXPIRED, "host", "security", "tls"},
		{TEND_REASON_TLS_FAILED, "web", "software", "tls"},
		{TEND_REASON_AUTH_FAILED, "database", "security", "auth"},
		{TEND_REASON_CONTENT_UNEXPECTED, "web", "business", "answer"},
		{TEND_REASON_REPORT_MISSING, "app", "business", "report"},
		{TEND_REASON_REPORTED_CRITICAL, "host", "business", "report"},
		{TEND_REASON_OVERRUN, "app", "software", "slow"},
		{TEND_REASON_GROUP_DOWN, "app", "software", "internal"},
	};
	const char *categories[TEND_REASON_MAX_CATEGORIES];
	size_t n = tend_reason_categories(categories);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(fault_class_names[fault_class_of(rows[i].reason, rows[i].kind)],
			rows[i].class);
		assert_string_equal(tend_reason_category(rows[i].reason), rows[i].category);
	}
	/* No word is in both lists: what is meant is clear from the word. */
	assert_in_range(n, 2, TEND_REASON_MAX_CATEGORIES);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < FAULT_CLASS_MAX; k++)
			assert_string_not_equal(categories[i], fault_class_names[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sanitize),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_map_and_vec),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
