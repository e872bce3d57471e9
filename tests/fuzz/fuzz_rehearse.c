/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a scenario file, as one entry of it, and as Lua to be looked at. Invariants: what is
 * accepted has only entries within its duration, with the words that their kinds need; tokens are
 * in the order of their lines and end once. `@' is left out: it reads files.
 * Parser: daemon/rehearse/scenario.c, daemon/rehearse/tokens.c, daemon/rehearse/words.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "rehearse/scenario.h"
#include "rehearse/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_file(const char *text, size_t len)
{
	struct conf_errors errors = {0};
	struct scenario_file *file = NULL;

	if (scenario_text_read("fuzz", text, len, &errors, &file) < 0) {
		assert(errors.n_total > 0 && !file);
		conf_errors_clear(&errors);
		return;
	}
	assert(file->scenarios.len > 0);
	VEC_FOREACH (&file->scenarios, const struct scenario *, s) {
		VEC_FOREACH (&s->at, const struct at_entry *, entry) {
			assert(entry->at <= s->duration && entry->words->line > s->line);
			assert(words_n_plain(entry->words) >= 2);
		}
		VEC_FOREACH (&s->answers, const struct answer *, answer)
			assert(answer->verb && answer->arrow < answer->words->n);
		VEC_FOREACH (&s->expected, const struct expectation *, x)
			assert(x->kind < SEEN_OTHER && x->times >= 1);
	}
	conf_errors_clear(&errors);
	scenario_file_free(file);
}

static void look_at_words(const char *text)
{
	struct words *words = NULL;

	if (words_parse(text, 1, &words, NULL) < 0)
		return;
	assert(words->n <= WORDS_MAX);
	for (size_t i = 0; i < words->n; i++)
		assert(words->list[i].text);
	words_free(words);
}

static void look_at_tokens(const char *text)
{
	struct tokens tokens = {0};

	if (tokens_read(text, &tokens) < 0)
		return;
	assert(tokens.n > 0 && tokens.list[tokens.n - 1].kind == TOKEN_END);
	for (size_t i = 1; i < tokens.n; i++)
		assert(tokens.list[i].line >= tokens.list[i - 1].line &&
			tokens.list[i - 1].kind != TOKEN_END);
	tokens_clear(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!memchr(text, '@', size))
		look_at_file(text, size);
	look_at_words(text);
	look_at_tokens(text);
	free(text);
	return 0;
}
