/* SPDX-License-Identifier: MIT */
/* The engine over option rows: defaults, values, comparison, dump. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "conf/options.h"
#include "conf/section.h"

struct things {
	bool flag;
	int64_t n;
	double d;
	usec_t span;
	uint64_t size;
	char *text;
	char *text_def;
	char **list;
	int word;
	char *secret;
	char **map;
	char *url;
	char **secrets;
	int64_t at_least;
};

static const char *const words[] = {"red", "green", NULL};

static const struct tend_option rows[] = {
	TEND_OPT(BOOL, struct things, flag, "flag", "yes", "A flag."),
	TEND_OPT(INT, struct things, n, "n", "3", "A number.", .min = -5, .max = 5),
	TEND_OPT(DOUBLE, struct things, d, "d", "0.25", "A decimal."),
	TEND_OPT(USEC, struct things, span, "span", "90s", "A span.", .min = 1000, .max = 1e9),
	TEND_OPT(BYTES, struct things, size, "size", "64K", "A size."),
	TEND_OPT(STRING, struct things, text, "text", NULL, "A text."),
	TEND_OPT(STRING, struct things, text_def, "text_def", "given", "A text."),
	TEND_OPT(LIST, struct things, list, "list", "a, b", "A list."),
	TEND_OPT(ENUM, struct things, word, "word", NULL, "A word.", .names = words),
	TEND_OPT(SECRET, struct things, secret, "secret", NULL, "A secret."),
	TEND_OPT(MAP, struct things, map, "map", NULL, "A map."),
	TEND_OPT(STRING, struct things, url, "url", NULL, "A URL.",
		.flags = TEND_OPTION_PRIVATE_URL),
	TEND_OPT(SECRET_MAP, struct things, secrets, "secrets", NULL, "Secrets by name."),
	TEND_OPT(INT, struct things, at_least, "at_least", NULL, "No upper limit.", .min = 10),
	TEND_OPTION_END,
};

static char *dump(const struct things *t)
{
	struct str out = STR_INIT(65536);

	assert_int_equal(conf_options_dump(rows, t, "", &out), 0);
	return str_take(&out);
}

/* What a section with these lines makes of the rows. */
static int parse(const char *lines, struct things *t, struct conf_errors *errors)
{
	auto_free char *text = str_printf("[x]\n%s", lines);
	struct conf_sections sections = {0};
	int r;

	memset(t, 0, sizeof(*t));
	assert_int_equal(conf_text_read("t", text, strlen(text), &sections, errors), 0);
	r = conf_section_parse(sections.list.items[0], rows, t, errors);
	if (errors)
		conf_errors_sort(errors);
	conf_sections_clear(&sections);
	return r;
}

#define DEFAULTS                                                                                   \
	"flag = yes\nn = 3\nd = 0.25\nspan = 1m30s\nsize = 64K\ntext_def = given\nlist = a, b\n"

static void test_defaults(void **state)
{
	struct things t;
	auto_free char *text = NULL;

	assert_int_equal(parse("", &t, NULL), 0);
	assert_true(t.flag);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.span, 90 * USEC_PER_SEC);
	assert_int_equal(t.size, 65536);
	assert_null(t.text);
	assert_string_equal(t.text_def, "given");
	assert_int_equal(strv_len(t.list), 2);
	assert_int_equal(t.word, -1);
	assert_null(t.map);
	text = dump(&t);
	assert_string_equal(text, DEFAULTS);
	conf_options_free(rows, &t);
	assert_null(t.list);
	conf_options_free(rows, &t);
}

static void test_values(void **state)
{
	static const struct {
		const char *lines;
		const char *dump; /* NULL: an error, which begins so: */
		const char *error;
	} cases[] = {
		{"flag = off\nn = -5\nd = 1e-3\nspan = 1ms\nsize = 0\n",
			"flag = no\nn = -5\nd = 0.001\nspan = 1ms\nsize = 0\ntext_def = "
			"given\nlist = a, b\n",
			NULL},
		{"text = one\n two\n  three\n", NULL, NULL},
		{"text_def =\nlist =\n",
			"flag = yes\nn = 3\nd = 0.25\nspan = 1m30s\nsize = 64K\ntext_def = \nlist "
			"= \n",
			NULL},
		{"list = ,a ,, b,\n c,d\n", NULL, NULL},
		{"word = green\nmap.B = 2\nmap.A = a = b\nmap.C.d =\n", NULL, NULL},
		{"at_least = 10\n", NULL, NULL},
		{"secrets = 1\n", NULL, "2: secrets: needs a name: secrets.NAME = VALUE"},
		{"secrets.a = hunter2\n", NULL, "2: secrets.a: a secret is written as cred:NAME"},
		{"at_least = 9\n", NULL, "2: at_least: '9' is too small, the least is 10"},
		{"n = 6\n", NULL, "2: n: '6' is out of range, it must be -5 to 5"},
		{"span = 17m\n", NULL, "2: span: '17m' is out of range, it must be 1ms to 16m40s"},
		{"flag = Yes\n", NULL, "2: flag: 'Yes' is neither yes nor no"},
		{"word =\n", NULL, "2: word: '' is not one of red, green"},
		{"word = gren\n", NULL,
			"2: word: 'gren' is not one of red, green; the nearest is 'green'"},
		{"map = 1\n", NULL, "2: map: needs a name: map.NAME = VALUE"},
		{"txt = 1\n", NULL, "2: unknown key 'txt' in [x]; the nearest is 'text'"},
		{"secret = hunter2\n", NULL, "2: secret: a secret is written as cred:NAME"},
		{"text = a\n n = 5\n", NULL,
			"2: the value of 'text' has an indented line 'n = ...'"},
		{"n = \x6e\xc2\x9b\n", NULL, "2: n: 'n?' is not a whole number"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf_errors errors = {0};
		struct things t, again;
		int r = parse(cases[i].lines, &t, &errors);

		print_message("%s", cases[i].lines);
		if (cases[i].error) {
			auto_free char *got = NULL;

			assert_int_equal(r, -EINVAL);
			assert_int_equal(errors.len, 1);
			got = str_printf("%u: %s", errors.items[0].line, errors.items[0].text);
			assert_memory_equal(got, cases[i].error, strlen(cases[i].error));
		} else {
			auto_free char *text = dump(&t), *text_again = NULL;

			assert_int_equal(r, 0);
			if (cases[i].dump)
				assert_string_equal(text, cases[i].dump);
			assert_int_equal(parse(text, &again, &errors), 0);
			text_again = dump(&again);
			assert_string_equal(text_again, text);
			assert_true(conf_options_same(rows, &t, &again));
			conf_options_free(rows, &again);
		}
		conf_options_free(rows, &t);
		conf_errors_clear(&errors);
	}
}

static void test_same(void **state)
{
	static const char *const differ[] = {"flag = no\n", "n = 4\n", "d = 1\n", "span = 2s\n",
		"size = 1\n", "text = x\n", "text_def =\n", "list = a\n", "list = b, a\n",
		"list =\n", "word = red\n", "map.a = 1\n", "at_least = 11\n"};
	struct things base, t;

	assert_int_equal(parse("", &base, NULL), 0);
	assert_true(conf_options_same(rows, &base, &base));
	for (size_t i = 0; i < ARRAY_SIZE(differ); i++) {
		print_message("%s", differ[i]);
		assert_int_equal(parse(differ[i], &t, NULL), 0);
		assert_false(conf_options_same(rows, &base, &t));
		conf_options_free(rows, &t);
	}
	conf_options_free(rows, &base);
	/* The order of a map's keys means nothing, their values do. */
	assert_int_equal(parse("map.a = 1\nmap.b = 2\n", &base, NULL), 0);
	assert_int_equal(parse("map.b = 2\nmap.a = 1\n", &t, NULL), 0);
	assert_true(conf_options_same(rows, &base, &t));
	conf_options_free(rows, &t);
	assert_int_equal(parse("map.b = 1\nmap.a = 2\n", &t, NULL), 0);
	assert_false(conf_options_same(rows, &base, &t));
	conf_options_free(rows, &t);
	conf_options_free(rows, &base);
}

static void test_url(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"https://a.example", "https://a.example"},
		{"https://a.example/", "https://a.example/"},
		{"https://a.example:8443/hook/t0ken", "https://a.example:8443/***"},
		{"http://u:t0ken@a.example?k=t0ken", "http://a.example/***"},
		{"http://[::1]:80#t0ken", "http://[::1]:80/***"},
		{"t0ken/t0ken", "t0ken/***"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *lines = str_printf("url = %s\n", cases[i].url);
		auto_free char *want = str_printf(DEFAULTS "url = %s\n", cases[i].shown);
		auto_free char *text = NULL;
		auto_json json_t *object = NULL;
		struct things t;

		assert_int_equal(parse(lines, &t, NULL), 0);
		assert_string_equal(t.url, cases[i].url);
		text = dump(&t);
		assert_string_equal(text, want);
		object = conf_options_to_json(rows, &t);
		assert_string_equal(
			json_string_value(json_object_get(object, "url")), cases[i].shown);
		conf_options_free(rows, &t);
	}
}

static void test_secret(void **state)
{
	char path[] = "/tmp/tend-test-secret-XXXXXX";
	int fd = mkstemp(path);
	auto_free char *lines = str_printf("secret = file:%s\nsecrets.key = file:%s\n", path, path),
		       *text = NULL, *json = NULL;
	auto_json json_t *object = NULL;
	struct conf_errors errors = {0};
	struct things t;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hunter2\n", 8), 8);
	assert_int_equal(parse(lines, &t, NULL), 0);
	assert_string_equal(t.secret, "hunter2");
	assert_string_equal(t.secrets[0], "key=hunter2");
	text = dump(&t);
	assert_string_equal(text, DEFAULTS "secret = ***\nsecrets.key = ***\n");
	object = conf_options_to_json(rows, &t);
	json = json_dumps(object, 0);
	assert_null(strstr(json, "hunter2"));
	assert_non_null(strstr(json, "\"secret\": \"***\""));
	conf_options_free(rows, &t);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(parse(lines, &t, &errors), -EINVAL);
	assert_non_null(strstr(errors.items[0].text, "can be read by others"));
	conf_options_free(rows, &t);
	conf_errors_clear(&errors);
	(void)close(fd);
	(void)unlink(path);
}

static void test_json(void **state)
{
	struct things t;
	auto_json json_t *object = NULL, *expected = NULL;

	assert_int_equal(
		parse("map.k = v=w\ntext = \xc3\xa4\nword = red\nat_least = 12\n", &t, NULL), 0);
	object = conf_options_to_json(rows, &t);
	expected = json_pack("{s:b,s:i,s:f,s:s,s:s,s:s,s:s,s:[ss],s:s,s:n,s:{s:s},s:n,s:{},s:i}",
		"flag", 1, "n", 3, "d", 0.25, "span", "1m30s", "size", "64K", "text", "\xc3\xa4",
		"text_def", "given", "list", "a", "b", "word", "red", "secret", "map", "k", "v=w",
		"url", "secrets", "at_least", 12);
	assert_true(json_equal(object, expected));
	conf_options_free(rows, &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
