/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a configuration file: reader, sections, rows, dump. Invariants: a key never holds a
 * control character but the line breaks that join its lines, nothing is beyond its bound, and what
 * parses without errors is dumped as text that parses to the same dump. Secrets are left out: they
 * would read files.
 * Parser: daemon/conf/reader.c, daemon/conf/value.c, daemon/conf/range.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "conf/conf.h"
#include "conf/options.h"
#include "conf/section.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_conf {
	bool flag;
	int64_t n;
	double d;
	usec_t span;
	uint64_t size;
	char *text;
	char **list;
	int word;
	char **map;
};

static const char *const words[] = {"red", "green", "blue", NULL};

static const struct tend_option rows[] = {
	TEND_OPT(BOOL, struct fuzz_conf, flag, "flag", "yes", "A flag."),
	TEND_OPT(INT, struct fuzz_conf, n, "n", NULL, "A number."),
	TEND_OPT(DOUBLE, struct fuzz_conf, d, "d", "0.5", "A decimal."),
	TEND_OPT(USEC, struct fuzz_conf, span, "span", NULL, "A span."),
	TEND_OPT(BYTES, struct fuzz_conf, size, "size", "1K", "A size."),
	TEND_OPT(STRING, struct fuzz_conf, text, "text", "some", "A text."),
	TEND_OPT(LIST, struct fuzz_conf, list, "list", "a, b", "A list."),
	TEND_OPT(ENUM, struct fuzz_conf, word, "word", NULL, "A word.", .names = words),
	TEND_OPT(MAP, struct fuzz_conf, map, "map", NULL, "A map."),
	TEND_OPTION_END,
};

static void check_section(const struct conf_section *section)
{
	assert(section->n_keys <= CONF_MAX_KEYS);
	assert(!section->name || strlen(section->name) <= CONF_MAX_NAME_BYTES);
	for (size_t i = 0; i < section->n_keys; i++) {
		const struct conf_key *key = &section->keys[i];

		assert(key->line > section->line);
		assert(*key->name && strlen(key->name) <= CONF_MAX_KEY_BYTES);
		assert(!strpbrk(key->name, "=:\n\r\x01"));
		assert(strlen(key->value) <= CONF_MAX_VALUE_BYTES);
		assert(!strpbrk(key->value, "\r\x01\x7f"));
		assert(str_utf8_valid(key->value, strlen(key->value)));
	}
}

static char *dump(const struct fuzz_conf *conf)
{
	struct str out = STR_INIT(64 << 20);

	if (str_appendf(&out, "[x]\n") < 0 || conf_options_dump(rows, conf, "", &out) < 0)
		abort();
	return str_take(&out);
}

static void check_dump(const struct conf_section *section)
{
	struct fuzz_conf first = {0}, second = {0};
	struct conf_sections sections = {0};

	if (conf_section_parse(section, rows, &first, NULL) == 0) {
		auto_free char *text = dump(&first), *again = NULL;
		const struct conf_section *x;

		if (conf_text_read("dump", text, strlen(text), &sections, NULL) < 0)
			abort();
		x = conf_sections_find(&sections, "x", NULL);
		if (!x || conf_section_parse(x, rows, &second, NULL) < 0)
			abort();
		again = dump(&second);
		if (strcmp(text, again) != 0)
			abort();
	}
	conf_options_free(rows, &first);
	conf_options_free(rows, &second);
	conf_sections_clear(&sections);
}

/* With the keys of `admin.' in the place of the others', and without them. */
static void check_overlay(const struct conf_section *section)
{
	for (int over = 0; over < 2; over++) {
		struct conf_section *copy = NULL;
		bool any = false;

		if (conf_section_overlay(section, "admin.", over, &copy, &any) < 0)
			continue;
		assert(copy->n_keys <= section->n_keys);
		check_section(copy);
		for (size_t i = 0; i < copy->n_keys; i++)
			assert(over || !str_startswith(copy->keys[i].name, "admin.") ||
				strcmp(copy->keys[i].name, "admin.") == 0);
		conf_section_free(copy);
	}
}

/* What is taken is N of M, as it says. */
static void check_confirm(const struct conf_section *section)
{
	int64_t failures, window;

	for (size_t i = 0; i < section->n_keys; i++)
		if (conf_parse_confirm(section->keys[i].value, &failures, &window) == 0)
			assert(failures >= 1 && failures <= window && window <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_sections sections = {0};
	struct conf_errors errors = {0};
	int r = conf_text_read("fuzz", (const char *)data, size, &sections, &errors);

	conf_errors_sort(&errors);
	assert((r < 0) == (errors.n_total > 0));
	for (size_t i = 0; i < errors.len; i++)
		assert(!str_startswith(errors.items[i].text, "internal: "));
	VEC_FOREACH (&sections.list, const struct conf_section *, section) {
		check_section(section);
		check_dump(section);
		check_overlay(section);
		check_confirm(section);
	}
	conf_sections_clear(&sections);
	conf_errors_clear(&errors);
	return 0;
}
