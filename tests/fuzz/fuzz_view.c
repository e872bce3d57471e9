/* SPDX-License-Identifier: MIT */
/*
 * Texts and views of foreign words: a sentence with {braces} and the words for them (t, apart by
 * newlines), and a list of notices as the database has them, which become a view and an event (v;
 * the second byte chooses the language). Parser: daemon/alert/view.c daemon/alert/text.c
 * daemon/alert/event.c.
 * Parser: daemon/alert/view.c, daemon/alert/text.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "alert/private.h"
#include "alert/text.h"
#include "alert/view.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_NOTICES = 16 };

static void try_sentence(char *text)
{
	auto_str struct str out = STR_INIT(4096);
	char *a = strsep(&text, "\n"), *b = strsep(&text, "\n"), *rest = text;
	const struct text_word words[] = {{"a", b}, {"subjects", rest}, {"n", "7"}, {NULL, NULL}};

	if (text_expand(&out, a, words) == 0)
		assert(strlen(str_get(&out)) == out.len);
}

struct made {
	struct record *records[MAX_NOTICES];
	struct view_entry entries[MAX_NOTICES];
	size_t n;
};

static void make(struct made *made, json_t *list)
{
	json_t *doc;
	size_t i;

	json_array_foreach (list, i, doc) {
		struct record *record;

		if (made->n == MAX_NOTICES || !json_is_object(doc) ||
			record_from_json(doc, &record) < 0)
			continue;
		made->records[made->n] = record;
		made->entries[made->n] = (struct view_entry){.notice = &record->notice,
			.sequence = made->n + 1,
			.merged = json_object_get(doc, "merged")};
		made->n++;
	}
}

static void check_view(const json_t *view, size_t n)
{
	auto_free char *dumped = json_dumps(view, JSON_COMPACT);
	size_t n_alerts = json_array_size(json_object_get(view, "alerts"));
	json_int_t n_more = json_integer_value(json_object_get(view, "n_more"));

	assert(dumped);
	assert(n_alerts >= 1 && n_alerts + (size_t)n_more <= n);
	assert(json_string_length(json_object_get(view, "title")) <= VIEW_TITLE_BYTES);
	assert(json_is_string(json_object_get(view, "text")));
}

static void try_notices(char language, const char *text, size_t len)
{
	auto_json json_t *list = json_loadb(text, len, 0, NULL), *view = NULL;
	auto_free char *body = NULL;
	struct made made = {0};

	make(&made, list);
	const struct view_source source = {.id = "id",
		.receiver = "r",
		.host = "h",
		.epoch = "e",
		.via = language & 4 ? "b" : NULL,
		.language = language & 1 ? LANGUAGE_ZH : LANGUAGE_EN,
		.late_seconds = language & 8 ? 3600 : 0,
		.wall = 1700000000 * USEC_PER_SEC,
		.entries = made.entries,
		.n_entries = made.n};
	if (made.n > 0) {
		assert(view_compose(&source, &view) == 0);
		check_view(view, made.n);
		assert(event_compose(&source, &body) == 0);
	}
	for (size_t i = 0; i < made.n; i++)
		record_unref(made.records[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (size < 2)
		return 0;
	if (text[0] == 't') {
		auto_free char *copy = strndup(text + 1, size - 1);

		if (copy)
			try_sentence(copy);
	} else if (text[0] == 'v') {
		try_notices(text[1], text + 2, size - 2);
	}
	return 0;
}
