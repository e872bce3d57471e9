/* SPDX-License-Identifier: MIT */
/* A check given as words; a probe's tables as JSON and as pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/section.h"
#include "try/ask.h"
#include "try/catalog.h"

struct toy {
	char *url;
	int64_t port;
	usec_t wait;
	char **header;
	char *realm, *dashed;
};

static const struct tend_option rows[] = {
	TEND_OPT(STRING, struct toy, url, "url", NULL, "What to ask for.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(INT, struct toy, port, "the_port", "80", "Its port.", .min = 1, .max = 65535),
	TEND_OPT(USEC, struct toy, wait, "wait", "2s", "How long - at most.", .min = 1000,
		.max = -1, .unit = "s"),
	TEND_OPT(MAP, struct toy, header, "header", NULL, "A header."),
	TEND_OPT(STRING, struct toy, realm, "log_in.its_realm", NULL, "Its realm."),
	TEND_OPT(STRING, struct toy, dashed, "log_in.a-b", NULL, "A name with a dash."),
	TEND_OPTION_END,
};
static const struct tend_metric_doc metrics[] = {
	TEND_METRIC_ALWAYS("total_seconds", "s", "from the start to the end"),
	TEND_METRIC_OF("COLUMN", "", "each number"),
	{0},
};
static const struct tend_reason_doc reasons[] = {
	{TEND_REASON_PROTOCOL, "it answers otherwise"},
	{TEND_REASON_TOO_SLOW, "it is silent"},
	{0},
};
static const struct tend_probe probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "toy",
	.doc = "Plays.",
	.options = rows,
	.conf_size = sizeof(struct toy),
	.metric_docs = metrics,
	.reason_docs = reasons,
	.example = "url = http://127.0.0.1/\nwait = 1s\n",
};
static const struct ask_places places = {"/l", "/p", "/u", "/r"};

/* ---- words ---------------------------------------------------------------------------------- */

static int ask(const char *const *words, size_t n, char **ret_text, struct tend_error *err)
{
	return ask_text(&probe, &places, (char *const *)(uintptr_t)words, n, ret_text, err);
}

static const struct conf_section *find(const struct conf_sections *sections, const char *kind)
{
	return conf_sections_find(
		sections, kind, strcmp(kind, "check") == 0 ? ASK_CHECK : "try/it");
}

static const char *value_of(
	const struct conf_sections *sections, const char *kind, const char *name)
{
	const struct conf_section *section = find(sections, kind);
	const struct conf_key *key = section ? conf_section_key(section, name) : NULL;

	return key ? key->value : NULL;
}

static void test_words_are_keys(void **state)
{
	static const char *const words[] = {"url=http://a/?b=c", "the-port=8080",
		"header.X-A=one\ntwo", "warning.total_seconds=1", "retry-interval=2s",
		"log-in.its-realm=r", "log_in.a-b=d", "database.hostaddr=127.0.0.1"};
	struct conf_sections sections = {0};
	struct conf_errors errors = {0};
	struct tend_error err = {0};
	auto_free char *text = NULL;

	assert_int_equal(ask(words, ARRAY_SIZE(words), &text, &err), 0);
	assert_int_equal(conf_text_read("t", text, strlen(text), &sections, &errors), 0);
	assert_string_equal(value_of(&sections, "check", "probe"), "toy");
	assert_string_equal(value_of(&sections, "check", "url"), "http://a/?b=c");
	assert_string_equal(value_of(&sections, "check", "the_port"), "8080");
	assert_string_equal(value_of(&sections, "check", "header.X-A"), "one\ntwo");
	assert_string_equal(value_of(&sections, "check", "warning.total_seconds"), "1");
	assert_string_equal(value_of(&sections, "check", "retry_interval"), "2s");
	assert_string_equal(value_of(&sections, "check", "log_in.its_realm"), "r");
	assert_string_equal(value_of(&sections, "check", "log_in.a-b"), "d");
	assert_string_equal(value_of(&sections, "check", "interval"), "1h");
	assert_null(value_of(&sections, "check", "hostaddr"));
	assert_string_equal(value_of(&sections, "database", "hostaddr"), "127.0.0.1");
	conf_sections_clear(&sections);
	conf_errors_clear(&errors);
}

/* Nothing that is given may begin a section, a comment or a key of its own. */
static void test_words_cannot_break_out(void **state)
{
	static const char *const good[] = {"url=a\n[receiver x]\ntype = exec", "url="};
	static const char *const bad[] = {"url", "=x", "[receiver x]=1", "#a=1", ";a=1", "a b=1",
		"a\nb=1", "a:b=1", "url=a\rb", "url=\xff", "url=a\n# lost", "url=a\n  ;lost"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct conf_sections sections = {0};
		struct conf_errors errors = {0};
		struct tend_error err = {0};
		auto_free char *text = NULL;

		assert_int_equal(ask(&good[i], 1, &text, &err), 0);
		assert_int_equal(conf_text_read("t", text, strlen(text), &sections, &errors), 0);
		assert_int_equal(sections.list.len, 4);
		assert_string_equal(value_of(&sections, "check", "url"), good[i] + 4);
		conf_sections_clear(&sections);
		conf_errors_clear(&errors);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tend_error err = {0};
		char *text = NULL;

		assert_int_equal(ask(&bad[i], 1, &text, &err), -EINVAL);
		assert_null(text);
		assert_true(err.text[0]);
	}
}

/* ---- tables --------------------------------------------------------------------------------- */

static const json_t *row_of(const json_t *list, const char *name)
{
	size_t i;
	json_t *row;

	json_array_foreach (list, i, row)
		if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
			return row;
	return NULL;
}

static const char *get(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static void test_tables_as_json(void **state)
{
	auto_json json_t *doc = catalog_probe(&probe);
	const json_t *options = json_object_get(doc, "options"), *row;

	assert_string_equal(get(doc, "name"), "toy");
	assert_true(json_is_true(json_object_get(row_of(options, "url"), "required")));
	row = row_of(options, "the_port");
	assert_string_equal(get(row, "default"), "80");
	assert_string_equal(get(row, "least"), "1");
	assert_string_equal(get(row, "greatest"), "65535");
	row = row_of(options, "wait");
	assert_string_equal(get(row, "least"), "1ms");
	assert_null(get(row, "greatest"));
	assert_true(json_is_true(json_object_get(row_of(options, "header"), "map")));
	row = row_of(json_object_get(doc, "metrics"), "COLUMN");
	assert_true(json_is_true(json_object_get(row, "instances")));
	assert_false(json_is_true(json_object_get(row, "always")));
	row = row_of(json_object_get(doc, "reasons"), "too-slow");
	assert_string_equal(get(row, "when"), "it is silent");
	assert_false(json_is_true(json_object_get(row, "common")));
	row = row_of(json_object_get(doc, "reasons"), "threshold");
	assert_true(json_is_true(json_object_get(row, "common")));
	assert_string_equal(
		get(row_of(json_object_get(doc, "reasons"), "protocol"), "state"), "critical");
}

static void check_page(void (*page)(FILE *out, const json_t *probe), const char *const *wanted)
{
	auto_json json_t *doc = catalog_probe(&probe);
	auto_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	page(out, doc);
	assert_int_equal(fclose(out), 0);
	for (; *wanted; wanted++)
		if (!strstr(text, *wanted))
			fail_msg("'%s' is not in:\n%s", *wanted, text);
}

static void test_pages(void **state)
{
	static const char *const people[] = {"url = text; required",
		"the_port = number, 1 to 65535", "header.NAME = text",
		"COLUMN, one for each instance", "total_seconds (s)",
		"protocol (critical)\n      it answers otherwise", "[check crm/web/toy]",
		"  wait = 1s\n", NULL};
	static const char *const roff[] = {".SS toy\n", "\\fBthe_port\\fR", "How long \\- at most.",
		"\\fBtotal_seconds\\fR (s)", "wait = 1s\n.fi", NULL};

	check_page(page_probe, people);
	check_page(page_roff, roff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_are_keys),
		cmocka_unit_test(test_words_cannot_break_out),
		cmocka_unit_test(test_tables_as_json),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
