/* SPDX-License-Identifier: MIT */
/* What tendctl prints: tables, values, Nagios lines; and that foreign text cannot drive a terminal.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "base/str.h"
#include "ctl/check.h"
#include "ctl/writer.h"

#define NOW ((usec_t)1700000100 * USEC_PER_SEC) /* 2023-11-14T22:15:00Z */

static const char *const no_values[CTL_OPT_MAX];

/* What `json` gives with a writer, as one text. */
static char *written(const char *writer, const char *json, const struct ctl_column *columns,
	bool object, bool colour, unsigned width)
{
	auto_json json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct ctl ctl = {
		.err = stderr,
		.colour = colour,
		.width = width,
		.now = NOW,
		.values = no_values,
		.writer = ctl_writer_find(writer),
	};
	char *text = NULL;
	size_t len = 0;

	assert_non_null(value);
	assert_non_null(ctl.writer);
	ctl.out = open_memstream(&text, &len);
	if (object)
		ctl.writer->object(&ctl, value, columns);
	else
		ctl.writer->list(&ctl, value, columns);
	fclose(ctl.out);
	return text;
}

static void test_values(void **state)
{
	static const struct {
		const char *json;
		enum ctl_format format;
		const char *text;
	} rows[] = {
		{"\"plain\"", CTL_TEXT, "plain"},
		{"\"\"", CTL_TEXT, "-"},
		{"null", CTL_TEXT, "-"},
		{"7", CTL_TEXT, "7"},
		{"0.25", CTL_TEXT, "0.25"},
		{"true", CTL_YESNO, "yes"},
		{"false", CTL_YESNO, "no"},
		{"{\"a\":[1]}", CTL_JSON, "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", CTL_JOIN, "a, b"},
		{"[]", CTL_JOIN, "-"},
		{"{\"crm\":\"auto\",\"hr\":\"auto\",\"x\":\"observe\"}", CTL_JOIN, "auto, observe"},
		{"{}", CTL_JOIN, "-"},
		{"[1,2,3]", CTL_COUNT, "3"},
		{"\"018bcfe5-6800-7abc-8def-0123456789ab\"", CTL_ID, "018bcfe5-6800-7abc"},
		{"125", CTL_SPAN, "2m5s"},
		{"-1", CTL_SPAN, "-1"},
		{"1e300", CTL_SPAN, "1e+300"},
		{"\"2023-11-14T22:13:20.000000Z\"", CTL_TIME, "2023-11-14 22:13:20 (1m40s ago)"},
		{"1700000000000000", CTL_TIME, "2023-11-14 22:13:20 (1m40s ago)"},
		{"1700000000000000", CTL_AGO, "1m40s ago"},
		{"1700000100999999", CTL_AGO, "now"},
		{"1700000160000000", CTL_AGO, "in 1m"},
		{"0", CTL_TIME, "-"},
		{"-5", CTL_TIME, "-"},
		{"\"yesterday\"", CTL_TIME, "-"},
		/* what a terminal would obey, or people would be misled by */
		{"\"a\\u001b[2Jb\"", CTL_TEXT, "a?[2Jb"},
		{"\"a\\nb\\rc\"", CTL_TEXT, "a\\nb\\rc"},
		{"\"a\\u009bb\"", CTL_TEXT, "a?b"},
		{"\"a\\u202eb\\u2066c\"", CTL_TEXT, "a???b???c"},
		{"{\"k\":\"\\u001b\"}", CTL_JSON, "{\"k\":\"\\u001B\"}"},
	};
	const struct ctl ctl = {.now = NOW};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		auto_free char *text = ctl_format_value(&ctl, value, rows[i].format);

		assert_non_null(value);
		assert_string_equal(text, rows[i].text);
	}
	auto_free char *none = ctl_format_value(&ctl, NULL, CTL_TIME);

	assert_string_equal(none, "-");
}

static void test_lookup(void **state)
{
	auto_json json_t *o = json_loads("{\"a\":{\"b\":\"x\",\"n\":null},\"c\":\"y\"}", 0, NULL);

	assert_string_equal(ctl_string(o, "a.b"), "x");
	assert_string_equal(ctl_string(o, "a.z|c"), "y");
	assert_string_equal(ctl_string(o, "a.n|c"), "y");
	assert_string_equal(ctl_string(o, "a.b|c"), "x");
	assert_string_equal(ctl_string(o, "z.b"), "");
	assert_null(ctl_lookup(o, "a.b.c"));
	assert_null(ctl_lookup(NULL, "a"));
}

static const struct ctl_column columns[] = {
	{"NAME", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"TEXT", "text", CTL_TEXT},
	{0},
};

#define ROWS                                                                                       \
	"[{\"name\":\"crm/web\",\"state\":\"ok\",\"text\":\"fine\"},"                              \
	"{\"name\":\"\xe5\xae\xa2\xe6\x88\xb7\",\"state\":\"critical\",\"text\":\"0123456789 "     \
	"0123456789 0123456789\"}]"

static void test_tables(void **state)
{
	auto_free char *plain = written("text", ROWS, columns, false, false, 0);
	auto_free char *coloured = written("text", ROWS, columns, false, true, 0);
	auto_free char *narrow = written("text", ROWS, columns, false, false, 44);
	auto_free char *empty = written("text", "[]", columns, false, false, 0);
	auto_free char *names = written("names", ROWS, columns, false, true, 0);

	/* Two wide characters take four columns. */
	assert_string_equal(plain, "NAME     STATE     TEXT\n"
				   "crm/web  ok        fine\n"
				   "\xe5\xae\xa2\xe6\x88\xb7     critical  0123456789 0123456789 "
				   "0123456789\n");
	assert_string_equal(coloured,
		"NAME     STATE     TEXT\n"
		"crm/web  \033[32mok\033[0m        fine\n"
		"\xe5\xae\xa2\xe6\x88\xb7     \033[31;1mcritical\033[0m  0123456789 0123456789 "
		"0123456789\n");
	assert_string_equal(narrow, "NAME     STATE     TEXT\n"
				    "crm/web  ok        fine\n"
				    "\xe5\xae\xa2\xe6\x88\xb7     critical  0123456789 0123456789 "
				    "01~\n");
	assert_string_equal(empty, "NAME  STATE  TEXT\n");
	assert_string_equal(names, "crm/web\n\xe5\xae\xa2\xe6\x88\xb7\n");
}

static void test_objects(void **state)
{
	auto_free char *plain =
		written("text", "{\"name\":\"a\\u001b[31m\",\"state\":null,\"text\":\"t\"}",
			columns, true, false, 0);
	auto_free char *json = written("json", "{\"b\":1,\"a\":\"x\"}", columns, true, true, 0);

	assert_string_equal(plain, "NAME:  a?[31m\nTEXT:  t\n");
	assert_string_equal(json, "{\n  \"b\": 1,\n  \"a\": \"x\"\n}\n");
	assert_null(ctl_writer_find("xml"));
	assert_null(ctl_writer_find(""));
}

static void test_nagios(void **state)
{
	static const struct {
		const char *json, *line;
		int code;
	} rows[] = {
		{"{\"now\":\"ok\",\"text\":\"fine\"}", "OK: fine", 0},
		{"{\"now\":\"warning\",\"text\":\"slow | 5s\\nmore\",\"metrics\":[]}",
			"WARNING: slow / 5s\\nmore", 1},
		{"{\"now\":\"critical\",\"text\":\"t\",\"metrics\":[{\"name\":\"total_seconds\","
		 "\"value\":0.5,\"unit\":\"s\",\"warning\":\"0.25\",\"critical\":\"@10:20\"},"
		 "{\"name\":\"it's=x\",\"value\":3,\"unit\":\"rows\"}]}",
			"CRITICAL: t | 'total_seconds'=0.5s;0.25;@10:20 'it''s_x'=3", 2},
		{"{\"now\":\"ok\",\"text\":\"t\",\"metrics\":[{\"name\":\"m\",\"value\":1e-7,"
		 "\"unit\":\"%\",\"critical\":\"5\"}]}",
			"OK: t | 'm'=1e-07%;;5", 0},
		{"{\"now\":\"unknown\",\"text\":\"\"}", "UNKNOWN: -", 3},
		{"{\"now\":\"pending\"}", "UNKNOWN: -", 3},
		{"{}", "UNKNOWN: -", 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *check = json_loads(rows[i].json, 0, NULL);
		int code = -1;
		auto_free char *line = check_nagios_line(check, &code);

		assert_string_equal(line, rows[i].line);
		assert_int_equal(code, rows[i].code);
	}
}

/* Two words, the input or NULL, and what is sent, in the order of its keys. */
static void test_report_body(void **state)
{
#define LONG_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG   LONG_A LONG_A LONG_A LONG_A LONG_A LONG_A LONG_A LONG_A
	static const struct {
		const char *words[4], *input, *body;
		size_t n_left_out;
	} rows[] = {
		{{"ok"}, NULL, "{\"metrics\":[],\"state\":\"ok\",\"text\":\"\"}", 0},
		{{"3", "a b"}, NULL, "{\"metrics\":[],\"state\":\"unknown\",\"text\":\"a b\"}", 0},
		{{"255"}, NULL, "{\"metrics\":[],\"state\":\"unknown\",\"text\":\"\"}", 0},
		{{"1", "rows=4", "t | x=1KB;2;3 rows=9", "y=5ms"}, NULL,
			"{\"metrics\":[{\"name\":\"rows\",\"unit\":\"\",\"value\":4.0},"
			"{\"name\":\"y\",\"unit\":\"s\",\"value\":0.0050000000000000001},"
			"{\"name\":\"x\",\"unit\":\"B\",\"value\":1024.0}],"
			"\"state\":\"warning\",\"text\":\"t\"}",
			0},
		{{"critical", "-"}, "BAD | x=1kg*m y=one\nmore\n",
			"{\"metrics\":[{\"name\":\"x\",\"unit\":\"\",\"value\":1.0}],"
			"\"state\":\"critical\",\"text\":\"BAD; more\"}",
			1},
		/* cut, between two characters */
		{{"ok", LONG "\xc3\xa4"}, NULL,
			"{\"metrics\":[],\"state\":\"ok\",\"text\":\"" LONG "\"}", 0},
		{{"ok", "a" LONG_A LONG_A LONG_A LONG_A LONG_A LONG_A LONG_A LONG_A "\xc3\xa4"},
			NULL,
			"{\"metrics\":[],\"state\":\"ok\",\"text\":\"a" LONG_A LONG_A LONG_A LONG_A
				LONG_A LONG_A LONG_A
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
			0},
		{{"ok", "latin \xe4"}, NULL,
			"{\"metrics\":[],\"state\":\"ok\",\"text\":\"latin ?\"}", 0},
		{{"good"}, NULL, NULL, 0},
		{{""}, NULL, NULL, 0},
		{{"-1"}, NULL, NULL, 0},
		{{"1000"}, NULL, NULL, 0},
		{{"ok", "a", "b"}, NULL, NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0, n_left_out = 0;
		struct tend_error err = {0};
		auto_json json_t *body = NULL;
		auto_free char *text = NULL;

		while (n < ARRAY_SIZE(rows[i].words) && rows[i].words[n])
			n++;
		body = check_report_body((char *const *)(uintptr_t)rows[i].words, n, rows[i].input,
			rows[i].input ? strlen(rows[i].input) : 0, &n_left_out, &err);
		if (!rows[i].body) {
			assert_null(body);
			assert_true(err.text[0]);
			continue;
		}
		text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
		if (!text || strcmp(text, rows[i].body) != 0)
			fail_msg("row %zu: %s", i, text ? text : err.text);
		assert_int_equal(n_left_out, rows[i].n_left_out);
	}
}

static void test_exit_of_state(void **state)
{
	assert_int_equal(ctl_exit_of_state("ok"), 0);
	assert_int_equal(ctl_exit_of_state("warning"), 1);
	assert_int_equal(ctl_exit_of_state("critical"), 2);
	assert_int_equal(ctl_exit_of_state("unreachable"), 2);
	assert_int_equal(ctl_exit_of_state("unknown"), 3);
	assert_int_equal(ctl_exit_of_state("pending"), 3);
	assert_int_equal(ctl_exit_of_state(""), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_nagios),
		cmocka_unit_test(test_report_body),
		cmocka_unit_test(test_exit_of_state),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
