/* SPDX-License-Identifier: MIT */
#include "rehearse/tokens.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"

enum { MAX_TOKENS = 1000000 };

struct scan {
	const char *p;
	unsigned line;
};

static int push(struct token **list, size_t *n, size_t *cap, struct token token)
{
	if (!token.text || *n >= MAX_TOKENS) {
		free(token.text);
		return -ENOMEM;
	}
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 256;
		struct token *p = reallocarray(*list, more, sizeof(**list));

		if (!p) {
			free(token.text);
			return -ENOMEM;
		}
		*list = p;
		*cap = more;
	}
	(*list)[(*n)++] = token;
	return 0;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* At `[': the number of `=' of a long bracket, -1: it is none. */
static int long_level(const char *p)
{
	int n = 0;

	for (p++; *p == '='; p++)
		n++;
	return *p == '[' ? n : -1;
}

/* s->p is at the opening bracket. */
static char *take_long(struct scan *s, int level)
{
	const char *start = s->p + level + 2, *p = start;

	if (*p == '\n')
		start++;
	for (; *p; p++) {
		int n = 0;

		s->line += *p == '\n';
		if (*p != ']')
			continue;
		while (p[1 + n] == '=')
			n++;
		if (n == level && p[1 + n] == ']') {
			s->p = p + level + 2;
			return strndup(start, p > start ? (size_t)(p - start) : 0);
		}
	}
	s->p = p;
	return strdup("");
}

/* The value as far as it matters here: an escape is its letter. */
static char *take_string(struct scan *s)
{
	auto_str struct str out = STR_INIT(1 << 20);
	char quote = *s->p++;

	for (; *s->p && *s->p != quote && *s->p != '\n'; s->p++) {
		char c = *s->p;

		if (c == '\\' && s->p[1]) {
			s->p++;
			c = *s->p == 'n' ? '\n' : *s->p == 't' ? '\t' : *s->p;
			s->line += *s->p == '\n';
		}
		(void)str_append(&out, &c, 1);
	}
	s->p += *s->p == quote;
	return strdup(str_get(&out));
}

static char *take_number(struct scan *s)
{
	const char *start = s->p;

	while (is_digit(*s->p) || is_letter(*s->p) || *s->p == '.' ||
		((*s->p == '+' || *s->p == '-') && strchr("eEpP", s->p[-1])))
		s->p++;
	return strndup(start, (size_t)(s->p - start));
}

static char *take_symbol(struct scan *s)
{
	static const char *const longer[] = {
		"...", "..", "==", "~=", "<=", ">=", "::", "//", "<<", ">>"};
	const char *start = s->p;

	for (size_t i = 0; i < ARRAY_SIZE(longer); i++)
		if (str_startswith(start, longer[i])) {
			s->p += strlen(longer[i]);
			return strdup(longer[i]);
		}
	s->p++;
	return strndup(start, 1);
}

static char *take_comment(struct scan *s)
{
	const char *start;
	int level;

	s->p += 2;
	level = *s->p == '[' ? long_level(s->p) : -1;
	if (level >= 0)
		return take_long(s, level);
	start = s->p;
	s->p += strcspn(s->p, "\n");
	return strndup(start, (size_t)(s->p - start));
}

static struct token next(struct scan *s)
{
	struct token token = {.kind = TOKEN_SYMBOL};

	for (; strchr(" \t\r\n", *s->p) && *s->p; s->p++)
		s->line += *s->p == '\n';
	token.line = s->line;
	if (!*s->p) {
		token.kind = TOKEN_END;
		token.text = strdup("");
	} else if (s->p[0] == '-' && s->p[1] == '-') {
		token.kind = TOKEN_COMMENT;
		token.text = take_comment(s);
	} else if (is_letter(*s->p)) {
		const char *start = s->p;

		while (is_letter(*s->p) || is_digit(*s->p))
			s->p++;
		token.kind = TOKEN_NAME;
		token.text = strndup(start, (size_t)(s->p - start));
	} else if (is_digit(*s->p) || (*s->p == '.' && is_digit(s->p[1]))) {
		token.kind = TOKEN_NUMBER;
		token.text = take_number(s);
	} else if (*s->p == '"' || *s->p == '\'') {
		token.kind = TOKEN_STRING;
		token.text = take_string(s);
	} else if (*s->p == '[' && long_level(s->p) >= 0) {
		token.kind = TOKEN_STRING;
		token.text = take_long(s, long_level(s->p));
	} else {
		token.text = take_symbol(s);
	}
	return token;
}

int tokens_read(const char *source, struct tokens *ret_tokens)
{
	struct tokens t = {0};
	struct scan s = {.p = source, .line = 1};
	enum token_kind kind;
	int r;

	do {
		struct token token = next(&s);

		kind = token.kind;
		r = kind == TOKEN_COMMENT ? push(&t.comments, &t.n_comments, &t.cap_comments, token)
					  : push(&t.list, &t.n, &t.cap, token);
	} while (r == 0 && kind != TOKEN_END);
	if (r < 0) {
		tokens_clear(&t);
		return r;
	}
	*ret_tokens = t;
	return 0;
}

void tokens_clear(struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->n; i++)
		free(tokens->list[i].text);
	for (size_t i = 0; i < tokens->n_comments; i++)
		free(tokens->comments[i].text);
	free(tokens->list);
	free(tokens->comments);
	*tokens = (struct tokens){0};
}

bool token_is(const struct token *token, const char *text)
{
	return (token->kind == TOKEN_NAME || token->kind == TOKEN_SYMBOL) &&
	       strcmp(token->text, text) == 0;
}
