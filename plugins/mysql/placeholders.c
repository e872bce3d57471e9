/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "myprobe.h"

struct scan {
	const char *in;
	char *out;
	unsigned char *order;
	size_t n_params;
	int n_dollars, n_marks;
};

static void copy(struct scan *s, size_t n)
{
	memcpy(s->out, s->in, n);
	s->out += n;
	s->in += n;
}

/* 'it''s', "a\"b", `name`: up to the quote that ends it, or the end of the text. */
static void skip_quoted(struct scan *s)
{
	char quote = *s->in;
	const char *p = s->in + 1;

	while (*p && *p != quote)
		p += *p == '\\' && quote != '`' && p[1] ? 2 : 1;
	copy(s, (size_t)(p - s->in) + (*p == quote));
}

static void skip_to(struct scan *s, const char *end)
{
	const char *p = strstr(s->in + 1, end);

	copy(s, p ? (size_t)(p - s->in) + strlen(end) : strlen(s->in));
}

static bool skip_comment(struct scan *s)
{
	if (strncmp(s->in, "/*", 2) == 0)
		skip_to(s, "*/");
	else if (*s->in == '#' ||
		 (strncmp(s->in, "--", 2) == 0 && strchr(" \t\n\r", s->in[2]))) /* or the end */
		skip_to(s, "\n");
	else
		return false;
	return true;
}

static bool is_word(char c)
{
	return c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* A name may hold, or end with, a dollar sign: a$1 is none of ours. */
static void skip_word(struct scan *s)
{
	size_t n = 1;

	while (is_word(s->in[n]))
		n++;
	copy(s, n);
}

static int take_dollar(struct scan *s)
{
	size_t n = strspn(s->in + 1, "0123456789");
	unsigned long number = n < 4 ? strtoul(s->in + 1, NULL, 10) : 0;

	if (number < 1 || number > s->n_params || is_word(s->in[n + 1]))
		return -EINVAL;
	if (s->n_dollars >= PLACEHOLDERS_MAX)
		return -ENOSPC;
	s->order[s->n_dollars++] = (unsigned char)(number - 1);
	*s->out++ = '?';
	s->in += n + 1;
	return 0;
}

static int take_mark(struct scan *s)
{
	if (s->n_marks >= PLACEHOLDERS_MAX)
		return -ENOSPC;
	s->n_marks++;
	copy(s, 1);
	return 0;
}

static int step(struct scan *s)
{
	if (*s->in == '\'' || *s->in == '"' || *s->in == '`')
		skip_quoted(s);
	else if (*s->in == '$' && s->in[1] >= '0' && s->in[1] <= '9')
		return take_dollar(s);
	else if (*s->in == '?')
		return take_mark(s);
	else if (is_word(*s->in))
		skip_word(s);
	else if (!skip_comment(s))
		copy(s, 1);
	return 0;
}

int myprobe_placeholders(
	const char *sql, size_t n_params, char **ret_sql, unsigned char ret_order[PLACEHOLDERS_MAX])
{
	char *text = malloc(strlen(sql) + 1);
	struct scan s = {.in = sql, .out = text, .order = ret_order, .n_params = n_params};
	int r = text ? 0 : -ENOMEM;

	while (r == 0 && *s.in)
		r = step(&s);
	if (r == 0 && ((s.n_dollars > 0 && s.n_marks > 0) || (size_t)s.n_marks > n_params))
		r = -EINVAL;
	if (r < 0) {
		free(text);
		return r;
	}
	*s.out = '\0';
	for (int i = 0; i < s.n_marks; i++)
		ret_order[i] = (unsigned char)i;
	*ret_sql = text;
	return s.n_dollars + s.n_marks;
}
