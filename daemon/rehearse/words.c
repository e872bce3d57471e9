/* SPDX-License-Identifier: MIT */
#include "rehearse/words.h"
#include <string.h>
#include "base/str.h"
#include "conf/conf.h"

struct words *words_free(struct words *words)
{
	if (!words)
		return NULL;
	for (size_t i = 0; i < words->n; i++) {
		free(words->list[i].key);
		free(words->list[i].text);
	}
	free(words->text);
	free(words);
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* From `"' to its end; *p is behind it afterwards. */
static int take_quoted(const char **p, struct str *out, struct tend_error *err)
{
	const char *s = *p + 1;

	for (; *s && *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		if (str_append(out, s, 1) < 0)
			return -ENOMEM;
	}
	if (!*s)
		return tend_error_set(err, -EINVAL, "a '\"' is not closed");
	*p = s + 1;
	return 0;
}

/* JSON from its bracket to the one that closes it. */
static int take_json(const char **p, struct str *out, struct tend_error *err)
{
	const char *s = *p;
	int depth = 0;
	bool in_string = false;

	do {
		if (!*s)
			return tend_error_set(err, -EINVAL, "a '%c' is not closed", **p);
		if (in_string && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			in_string = !in_string;
		else if (!in_string && (*s == '{' || *s == '['))
			depth++;
		else if (!in_string && (*s == '}' || *s == ']'))
			depth--;
		s++;
	} while (depth > 0);
	if (str_append(out, *p, (size_t)(s - *p)) < 0)
		return -ENOMEM;
	*p = s;
	return 0;
}

static int take_text(const char **p, struct str *out, struct tend_error *err)
{
	int r = 0;

	if (**p == '{' || **p == '[')
		return take_json(p, out, err);
	while (r == 0 && **p && !is_blank(**p)) {
		if (**p == '"')
			r = take_quoted(p, out, err);
		else
			r = str_append(out, (*p)++, 1);
	}
	return r;
}

/* KEY= at the start of a word. */
static size_t key_len(const char *p)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	return n > 0 && p[n] == '=' ? n : 0;
}

static int take_word(const char **p, struct words *words, struct tend_error *err)
{
	auto_str struct str out = STR_INIT(1 << 20);
	struct word *word = &words->list[words->n];
	size_t n = key_len(*p);
	int r;

	if (words->n == WORDS_MAX)
		return tend_error_set(err, -E2BIG, "more than %d words", WORDS_MAX);
	if (n > 0) {
		word->key = strndup(*p, n);
		*p += n + 1;
	}
	words->n++;
	r = take_text(p, &out, err);
	word->text = strdup(str_get(&out));
	return r < 0 ? r : word->text && (n == 0 || word->key) ? 0 : -ENOMEM;
}

int words_parse(const char *text, unsigned line, struct words **ret_words, struct tend_error *err)
{
	auto(words_free) struct words *words = calloc(1, sizeof(*words));
	const char *p = text;
	int r = 0;

	if (!words)
		return -ENOMEM;
	words->line = line;
	words->text = strdup(text);
	for (;;) {
		while (is_blank(*p))
			p++;
		if (!*p || r < 0)
			break;
		r = take_word(&p, words, err);
	}
	if (r < 0)
		return r;
	*ret_words = TAKE(words);
	return 0;
}

const char *words_value(const struct words *words, const char *key)
{
	for (size_t i = 0; i < words->n; i++)
		if (words->list[i].key && strcmp(words->list[i].key, key) == 0)
			return words->list[i].text;
	return NULL;
}

const char *words_plain(const struct words *words, size_t i)
{
	for (size_t k = 0; k < words->n; k++)
		if (!words->list[k].key && i-- == 0)
			return words->list[k].text;
	return NULL;
}

size_t words_n_plain(const struct words *words)
{
	size_t n = 0;

	for (size_t k = 0; k < words->n; k++)
		n += !words->list[k].key;
	return n;
}

int span_parse(const char *text, usec_t *ret_span)
{
	if (strcmp(text, "0s") == 0 || strcmp(text, "0") == 0) {
		*ret_span = 0;
		return 0;
	}
	return conf_parse_span(text, ret_span);
}

int words_span(const struct words *words, const char *key, usec_t *ret_span, struct tend_error *err)
{
	const char *text = words_value(words, key);

	if (text && span_parse(text, ret_span) < 0)
		return tend_error_set(
			err, -EINVAL, "%s=%s is no span: write 30s, 5m, 1h30m, 2d", key, text);
	return 0;
}
