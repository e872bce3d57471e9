/* SPDX-License-Identifier: MIT */
/*
 * rehearse/words.h: one entry of a scenario as words: plain ones, KEY=VALUE, "quoted", {json}. A
 * struct words owns its texts. Pure; foreign text is bounded by the ini reader.
 */
#ifndef REHEARSE_WORDS_H
#define REHEARSE_WORDS_H

#include <jansson.h>
#include <tend/error.h>
#include <tend/option.h>
#include "base/cleanup.h"

enum { WORDS_MAX = 64 };

struct word {
	char *key; /* NULL: a plain word */
	char *text;
};

struct words {
	unsigned line; /* of the file */
	char *text;    /* as written, for people */
	struct word list[WORDS_MAX];
	size_t n;
};

int words_parse(const char *text, unsigned line, struct words **ret_words, struct tend_error *err);
struct words *words_free(struct words *words);
DEFINE_AUTO(struct words *, words_free)
const char *words_value(const struct words *words, const char *key); /* NULL: not given */
/* The plain words, counted from 0; NULL: there are fewer. */
const char *words_plain(const struct words *words, size_t i);
size_t words_n_plain(const struct words *words);
/* A span at `key`; 0 with *ret_span as it was when not given. */
int words_span(
	const struct words *words, const char *key, usec_t *ret_span, struct tend_error *err);
int span_parse(const char *text, usec_t *ret_span); /* "0s" is one, too */

#endif
