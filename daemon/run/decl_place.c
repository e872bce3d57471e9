/* SPDX-License-Identifier: MIT */
#include "run/decl_place.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(int c)
{
	return isalnum(c) || c == '_';
}

/* Is text[at..] the word as a key or as a string of its own? */
static bool matches(const char *line, size_t len, size_t at, const char *word, size_t word_len)
{
	char before = at > 0 ? line[at - 1] : ' ';
	size_t after = at + word_len;

	if (len - at < word_len || memcmp(line + at, word, word_len) != 0)
		return false;
	if (before == '"' || before == '\'')
		return after < len && line[after] == before;
	if (is_word((unsigned char)before) || before == '.')
		return false;
	while (after < len && isspace((unsigned char)line[after]))
		after++;
	return after < len && line[after] == '=' && (after + 1 == len || line[after + 1] != '=');
}

static bool line_has(const char *line, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	for (size_t at = 0; word_len > 0 && at + word_len <= len; at++)
		if (matches(line, len, at, word, word_len))
			return true;
	return false;
}

int decl_place_line(const struct decl_source *source, int line, const char *word)
{
	const char *p = source->text, *end = source->text + source->len;
	static const char next[] = "policy";

	for (int i = 1; p < end; i++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline ? newline : end) - p);

		if (i > line && len >= strlen(next) && memcmp(p, next, strlen(next)) == 0)
			break;
		if (i >= line && line_has(p, len, word))
			return i;
		if (!newline)
			break;
		p = newline + 1;
	}
	return line;
}

void decl_place_error(
	lua_State *L, const struct decl_place *place, const char *word, const char *format, ...)
{
	char text[512];
	va_list ap;
	int line = word ? decl_place_line(place->source, place->line, word) : place->line;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (place->policy)
		lua_pushfstring(L, "%s:%d: policy '%s': %s", place->source->chunk, line,
			place->policy, text);
	else
		lua_pushfstring(L, "%s:%d: %s", place->source->chunk, line, text);
	(void)lua_error(L);
	abort();
}
