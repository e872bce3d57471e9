/* SPDX-License-Identifier: MIT */
/* Text -> sections: what a line means, whatever inih would make of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "conf/section.h"

/* "kind|name@line{key@line=value;...}" of all sections. */
static char *sections_text(const struct conf_sections *sections)
{
	struct str out = STR_INIT(1 << 20);

	VEC_FOREACH (&sections->list, const struct conf_section *, section) {
		assert_int_equal(str_appendf(&out, "%s|%s@%u{", section->kind,
					 section->name ? section->name : "", section->line),
			0);
		for (size_t i = 0; i < section->n_keys; i++)
			assert_int_equal(str_appendf(&out, "%s@%u=%s;", section->keys[i].name,
						 section->keys[i].line, section->keys[i].value),
				0);
		assert_int_equal(str_appendf(&out, "}"), 0);
	}
	return out.len ? str_take(&out) : strdup("");
}

static void check(const char *text, size_t len, const char *expected, const char *first_error)
{
	struct conf_sections sections = {0};
	struct conf_errors errors = {0};
	auto_free char *got = NULL;
	char error[TEND_ERROR_TEXT_BYTES + 32] = "";
	int r = conf_text_read("t", text, len, &sections, &errors);

	conf_errors_sort(&errors);
	if (errors.len)
		(void)snprintf(
			error, sizeof(error), "%u: %s", errors.items[0].line, errors.items[0].text);
	got = sections_text(&sections);
	if (first_error)
		assert_memory_equal(error, first_error, strlen(first_error));
	else
		assert_string_equal(error, "");
	assert_int_equal(r, first_error ? -EINVAL : 0);
	assert_string_equal(got, expected);
	conf_sections_clear(&sections);
	conf_errors_clear(&errors);
}

static void test_lines(void **state)
{
	static const struct {
		const char *text, *sections, *error;
	} rows[] = {
		{"", "", NULL},
		{"\n\n# c\n; c\n \t\n", "", NULL},
		{"[a]", "a|@1{}", NULL},
		{"[a]\n[b x]\n[ c  y ]\n", "a|@1{}b|x@2{}c|y@3{}", NULL},
		{"[a]\nk=v\n", "a|@1{k@2=v;}", NULL},
		{"[a]\nk = v \t \n", "a|@1{k@2=v;}", NULL},
		{"[a]\r\nk = v\r\n m\r\n", "a|@1{k@2=v\nm;}", NULL},
		{"\xef\xbb\xbf[a]\nk=v", "a|@1{k@2=v;}", NULL},
		{"[a]\nk=\n", "a|@1{k@2=;}", NULL},
		{"[a]\nk=\n v\n", "a|@1{k@2=v;}", NULL},
		{"[a]\nk=a=b:c#d;e\n", "a|@1{k@2=a=b:c#d;e;}", NULL},
		{"[a]\nk=# no comment\n", "a|@1{k@2=# no comment;}", NULL},
		{"[a]\nk=[b]\n", "a|@1{k@2=[b];}", NULL},
		{"[a]\nk=1\n\n # c\n\n 2\n;c\n\t3\nl=4\n", "a|@1{k@2=1\n2\n3;l@9=4;}", NULL},
		{"[a]\nk=1\n [b]\n l=2\n", "a|@1{k@2=1\n[b]\nl=2;}", NULL},
		{"[a]\nk=1\n[b]\nk=2\n", "a|@1{k@2=1;}b|@3{k@4=2;}", NULL},
		{"[a]\n\xe4\xb8\xad.\xe5\x9b\xbd=\xe6\x96\x87\n",
			"a|@1{\xe4\xb8\xad.\xe5\x9b\xbd@2=\xe6\x96\x87;}", NULL},
		{"[a]\nk\tx=1\n", "a|@1{k\tx@2=1;}", NULL},
		/* errors; what is sound around them is still read */
		{"k=v\n[a]\n", "a|@2{}", "1: a key before the first"},
		{" k=v\n[a]\n", "a|@2{}", "1: an indented line"},
		{"[a]\n k=v\nl=w\n", "a|@1{l@3=w;}", "2: an indented line"},
		{"[a]\nk\n v\nl=w\n", "a|@1{l@4=w;}", "2: neither"},
		{"[a]\n=v\nl=w\n", "a|@1{l@3=w;}", "2: there is no key"},
		{"[a]\nk: v\n", "a|@1{}", "2: neither"},
		{"[a]\nk:x=v\n", "a|@1{}", "2: a key cannot have ':'"},
		{"[a]\nk;x=v\n", "a|@1{}", "2: a key cannot have"},
		{"[a]\nk=v ; c\nl=w\n", "a|@1{l@3=w;}", "2: a value cannot have ' ;'"},
		{"[a]\nk=v\t;c\n", "a|@1{}", "2: a value cannot have ' ;'"},
		{"[a]\nk=;c\n", "a|@1{}", "2: a value cannot have ' ;'"},
		{"[a]\nk=v\n w ;c\nl=1\n", "a|@1{k@2=v;l@4=1;}", "3: a value cannot have ' ;'"},
		{"[a]\nk=1\nk=2\nl=3\n", "a|@1{k@2=1;l@4=3;}", "3: key 'k' was set in line 2"},
		{"[a]\n[a]\nk=1\n", "a|@1{}", "2: [a] is there already, at t:1"},
		{"[a x]\n[a  x ]\n", "a|x@1{}", "2: [a x] is there already, at t:1"},
		{"[a\nk=1\n[b]\n", "b|@3{}", "1: a section is written"},
		{"[a] x\n", "", "1: a section is written"},
		{"[a]]\n", "", "1: a blank is missing"},
		{"[a b]c]\n", "", "1: the section's name"},
		{"[]\n", "", "1: a section begins with its kind"},
		{"[A]\n", "", "1: a section begins with its kind"},
		{"[\n", "", "1: a section is written"},
		{"[a]\nk=\x01v\x01\nl=w\n", "a|@1{l@3=w;}", "2: byte 3 of the line is a control"},
		{"[a]\nk=v\n \x7f\nl=w\n", "a|@1{k@2=v;l@4=w;}", "3: byte 2 of the line"},
		{"[a]\nk=\xff\n", "a|@1{}", "2: the line is not valid UTF-8"},
		{"[a]\nk=\xc0\xaf\n", "a|@1{}", "2: the line is not valid UTF-8"},
		{"[a]\nk=v\rw\n", "a|@1{}", "2: byte 4 of the line is a control"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("row %zu\n", i);
		check(rows[i].text, strlen(rows[i].text), rows[i].sections, rows[i].error);
	}
	check("[a]\nk=v\0w\nl=1\n", 14, "a|@1{l@3=1;}", "2: byte 4 of the line is a control");
}

/* Every length around the sizes of inih's buffers, with bytes that mean something to it at the
 * place where the value would be cut. */
static void test_long_values(void **state)
{
	static const char *const tails[] = {"k2=v", " k2=v", "[s]", "#c", "=:", "  ", "x", ";a"};

	for (size_t n = 1; n<700; n += n> 150 && n < 420 ? 1 : 13) {
		for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
			auto_str struct str text = STR_INIT(4096), expected = STR_INIT(4096);
			auto_free char *value = malloc(n + 1);

			memset(value, 'v', n);
			value[n] = '\0';
			/* "  " at the end of a line is cut, so one byte more stands there */
			assert_int_equal(str_appendf(&text, "[a]\nkey=%s%sz\n %s%s\nlast=1\n",
						 value, tails[i], value, i == 5 ? "" : tails[i]),
				0);
			assert_int_equal(str_appendf(&expected, "a|@1{key@2=%s%sz\n%s%s;last@4=1;}",
						 value, tails[i], value, i == 5 ? "" : tails[i]),
				0);
			check(str_get(&text), text.len, str_get(&expected), NULL);
		}
	}
}

static char *repeat(const char *head, char c, size_t n, const char *tail)
{
	struct str text = STR_INIT(1 << 20);

	assert_int_equal(str_append(&text, head, strlen(head)), 0);
	while (n-- > 0)
		assert_int_equal(str_append(&text, &c, 1), 0);
	assert_int_equal(str_append(&text, tail, strlen(tail)), 0);
	return str_take(&text);
}

static void test_bounds(void **state)
{
	struct conf_sections sections = {0};
	struct conf_errors errors = {0};
	auto_free char *key = repeat("[a]\n", 'k', CONF_MAX_KEY_BYTES, "=v\n m\n");
	auto_free char *long_key = repeat("[a]\n", 'k', CONF_MAX_KEY_BYTES + 1, "=v\n");
	auto_free char *line = repeat("[a]\nk=", 'v', CONF_MAX_LINE_BYTES - 2, "\n");
	auto_free char *long_line = repeat("[a]\nk=", 'v', CONF_MAX_LINE_BYTES - 1, "\nl=1\n");
	auto_free char *name = repeat("[a ", 'n', CONF_MAX_NAME_BYTES, "]\n");
	auto_free char *long_name = repeat("[a ", 'n', CONF_MAX_NAME_BYTES + 1, "]\n");
	auto_str struct str value = STR_INIT(1 << 20);

	assert_int_equal(conf_text_read("t", key, strlen(key), &sections, NULL), 0);
	conf_sections_clear(&sections);
	assert_int_equal(conf_text_read("t", line, strlen(line), &sections, NULL), 0);
	assert_int_equal(strlen(conf_section_key(sections.list.items[0], "k")->value),
		CONF_MAX_LINE_BYTES - 2);
	conf_sections_clear(&sections);
	assert_int_equal(conf_text_read("t", name, strlen(name), &sections, NULL), 0);
	conf_sections_clear(&sections);
	check(long_key, strlen(long_key), "a|@1{}", "2: the key has 129 bytes, at most 128");
	check(long_line, strlen(long_line), "a|@1{l@3=1;}",
		"2: the line has 16385 bytes, at most 16384");
	check(long_name, strlen(long_name), "", "1: the section's name has more than 200");

	/* 64 KiB of value over many lines is fine, one byte more is not. */
	assert_int_equal(str_appendf(&value, "[a]\nk="), 0);
	for (size_t i = 0; i < CONF_MAX_VALUE_BYTES / 64; i++)
		assert_int_equal(str_appendf(&value, "%s%063d", i ? "\n " : "", 0), 0);
	assert_int_equal(str_appendf(&value, "0\nl=1\n"), 0);
	assert_int_equal(conf_text_read("t", str_get(&value), value.len, &sections, &errors), 0);
	assert_int_equal(
		strlen(conf_section_key(sections.list.items[0], "k")->value), CONF_MAX_VALUE_BYTES);
	conf_sections_clear(&sections);
	value.len -= 5;
	assert_int_equal(str_appendf(&value, "0\nl=1\n"), 0);
	assert_int_equal(
		conf_text_read("t", str_get(&value), value.len, &sections, &errors), -EINVAL);
	assert_int_equal(errors.len, 1);
	assert_string_equal(errors.items[0].text, "the value has more than 65536 bytes");
	assert_non_null(conf_section_key(sections.list.items[0], "l"));
	conf_sections_clear(&sections);
	conf_errors_clear(&errors);
}

static void test_many_keys(void **state)
{
	struct conf_sections sections = {0};
	struct conf_errors errors = {0};
	auto_str struct str text = STR_INIT(1 << 20);

	assert_int_equal(str_appendf(&text, "[a]\n"), 0);
	for (int i = 0; i <= CONF_MAX_KEYS; i++)
		assert_int_equal(str_appendf(&text, "k%d=v\n", i), 0);
	assert_int_equal(
		conf_text_read("t", str_get(&text), text.len, &sections, &errors), -EINVAL);
	assert_int_equal(errors.n_total, 1);
	assert_int_equal(errors.items[0].line, CONF_MAX_KEYS + 2);
	assert_int_equal(((struct conf_section *)sections.list.items[0])->n_keys, CONF_MAX_KEYS);
	conf_sections_clear(&sections);
	conf_errors_clear(&errors);
}

static struct conf_section *overlay(const struct conf_section *section, bool over, bool any)
{
	struct conf_section *copy;
	bool got;

	assert_int_equal(conf_section_overlay(section, "admin.", over, &copy, &got), 0);
	assert_int_equal(got, any);
	return copy;
}

static void test_overlay(void **state)
{
	static const char text[] =
		"[db x]\nuser=r\nhost=h\nadmin.user=w\nadmin.port=1\n[db y]\nuser=r\n";
	struct conf_sections sections = {0};
	const struct conf_section *x, *y;
	struct conf_section *plain, *admin;

	assert_int_equal(conf_text_read("t", text, strlen(text), &sections, NULL), 0);
	x = conf_sections_find(&sections, "db", "x");
	y = conf_sections_find(&sections, "db", "y");
	assert_null(conf_sections_find(&sections, "db", NULL));
	plain = overlay(x, false, true);
	assert_int_equal(plain->n_keys, 2);
	assert_string_equal(conf_section_key(plain, "user")->value, "r");
	admin = overlay(x, true, true);
	assert_int_equal(admin->n_keys, 3);
	assert_string_equal(conf_section_key(admin, "user")->value, "w");
	assert_int_equal(conf_section_key(admin, "user")->line, 4);
	assert_string_equal(conf_section_key(admin, "host")->value, "h");
	assert_string_equal(conf_section_key(admin, "port")->value, "1");
	conf_section_free(plain);
	conf_section_free(admin);
	plain = overlay(y, false, false);
	assert_int_equal(plain->n_keys, 1);
	conf_section_free(plain);
	conf_sections_clear(&sections);
}

static void test_errors(void **state)
{
	struct conf_errors errors = {0};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	conf_errors_add(&errors, "b", 2, -EINVAL, "second");
	conf_errors_add(&errors, "b", 1, -EINVAL, "first\x1b[31m");
	conf_errors_add(&errors, "b", 2, -EINVAL, "second");
	conf_errors_add(&errors, "a", 10, -EINVAL, "ten");
	conf_errors_add(&errors, "a", 9, -EINVAL, "nine");
	conf_errors_add(&errors, "c", 0, -ENOENT, "cannot read it");
	conf_errors_add(NULL, "d", 0, -ENOENT, "dropped");
	conf_errors_sort(&errors);
	conf_errors_print(&errors, f);
	(void)fclose(f);
	assert_string_equal(
		text, "a:9: nine\na:10: ten\nb:1: first?[31m\nb:2: second\nc: cannot read it\n");
	assert_int_equal(errors.n_total, 5);
	free(text);
	conf_errors_clear(&errors);
	assert_int_equal(errors.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
