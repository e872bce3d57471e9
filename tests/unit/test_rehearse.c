/* SPDX-License-Identifier: MIT */
/* Entries as words, local times, Lua as tokens. Whole files: tests/scenario/test_rehearse.py. */
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "rehearse/scenario.h"
#include "rehearse/tokens.h"

/* "key=text|text|..." */
static void words_to_text(const struct words *words, char *buf, size_t size)
{
	buf[0] = '\0';
	for (size_t i = 0; i < words->n; i++) {
		size_t n = strlen(buf);

		(void)snprintf(buf + n, size - n, "%s%s%s%s", i ? "|" : "",
			words->list[i].key ? words->list[i].key : "", words->list[i].key ? "=" : "",
			words->list[i].text);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *text, *words; /* words NULL: an error */
	} rows[] = {
		{"10m fail crm/web/login connect-refused",
			"10m|fail|crm/web/login|connect-refused"},
		{"  a\t b  ", "a|b"},
		{"text=\"a b\" x", "text=a b|x"},
		{"\"a \\\"b\\\\ c\"", "a \"b\\ c"},
		{"pre\"a b\"post", "prea bpost"},
		{"value={\"a\": [1, \"} ]\"], \"b\": \"\\\"}\"} after=3s",
			"value={\"a\": [1, \"} ]\"], \"b\": \"\\\"}\"}|after=3s"},
		{"[policy x] mode = auto", "[policy x]|mode|=|auto"},
		{"a= b", "a=|b"},
		{"unit.restart unit=a*b.service -> done", "unit.restart|unit=a*b.service|->|done"},
		{"text=\"open", NULL},
		{"value={\"a\": 1", NULL},
		{"", ""},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct words *words = NULL;
		struct tend_error why = {0};
		char text[512];
		int r = words_parse(rows[i].text, 7, &words, &why);

		if (!rows[i].words) {
			assert_true(r < 0 && why.text[0]);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(words->line, 7);
		words_to_text(words, text, sizeof(text));
		assert_string_equal(text, rows[i].words);
		words_free(words);
	}
}

static void test_local_times(void **state)
{
	static const struct {
		const char *text, *zone;
		long long sec; /* 0: an error */
	} rows[] = {
		{"2026-03-01T02:00", "UTC", 1772330400},
		{"2026-03-01T02:00:05", "UTC", 1772330405},
		{"2026-03-01T02:00", "Asia/Shanghai", 1772301600},
		{"2026-07-01T02:00", "Europe/Berlin", 1782864000},
		{"2026-03-01 02:00", "UTC", 0},
		{"2026-03-01T02:00Z", "UTC", 0},
		{"tomorrow", "UTC", 0},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t wall = 0;
		int r = local_time_parse(rows[i].text, rows[i].zone, &wall);

		assert_int_equal(r < 0, rows[i].sec == 0);
		assert_int_equal(wall, (usec_t)rows[i].sec * USEC_PER_SEC);
	}
}

static void tokens_to_text(const struct tokens *t, char *buf, size_t size)
{
	static const char kinds[] = "nsd.-$";

	buf[0] = '\0';
	for (size_t i = 0; i + 1 < t->n; i++) {
		size_t n = strlen(buf);

		(void)snprintf(buf + n, size - n, "%s%c%u:%s", i ? " " : "", kinds[t->list[i].kind],
			t->list[i].line, t->list[i].text);
	}
}

static void test_tokens(void **state)
{
	static const struct {
		const char *source, *tokens;
	} rows[] = {
		{"tend.unit.restart(\"x\")", "n1:tend .1:. n1:unit .1:. n1:restart .1:( s1:x .1:)"},
		{"a --[[ tend.x\n]] b -- c\nd", "n1:a n2:b n3:d"},
		{"a = [==[\nx]=]]==] b", "n1:a .1:= s1:x]=] n2:b"},
		{"'it\\'s' \"a\\nb\"", "s1:it's s1:a\nb"},
		{"0x1F 1e-3 .5 a..b ...", "d1:0x1F d1:1e-3 d1:.5 n1:a .1:.. n1:b .1:..."},
		{"a[b[1]]", "n1:a .1:[ n1:b .1:[ d1:1 .1:] .1:]"},
		{"\"open", "s1:open"},
		{"[[open", "s1:"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tokens t = {0};
		char text[512];

		assert_int_equal(tokens_read(rows[i].source, &t), 0);
		tokens_to_text(&t, text, sizeof(text));
		assert_string_equal(text, rows[i].tokens);
		tokens_clear(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_local_times),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
