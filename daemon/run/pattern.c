/* SPDX-License-Identifier: MIT */
#include "run/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

struct compiler {
	const unsigned char *p, *end;
	struct pattern *pattern;
	struct tend_error *err;
	size_t open[PATTERN_MAX_CAPTURES]; /* captures that are not closed yet */
	size_t n_open;
	bool closed[PATTERN_MAX_CAPTURES];
};

static int refuse(struct compiler *c, const char *text)
{
	return tend_error_set(c->err, -EINVAL, "%s", text);
}

static void set_add(uint64_t set[4], unsigned c)
{
	set[c / 64] |= (uint64_t)1 << (c % 64);
}

static bool set_has(const uint64_t set[4], unsigned char c)
{
	return set[c / 64] >> (c % 64) & 1;
}

/* The letters after %, and what they stand for; the capital is everything else. */
static const struct {
	char letter;
	int (*is)(int c);
} classes[] = {{'a', isalpha}, {'c', iscntrl}, {'d', isdigit}, {'g', isgraph}, {'l', islower},
	{'p', ispunct}, {'s', isspace}, {'u', isupper}, {'w', isalnum}, {'x', isxdigit}};

/* What %letter matches; any other character stands for itself. */
static void set_add_escape(uint64_t set[4], unsigned char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		bool inverted = isupper(letter);

		if (classes[i].letter != tolower(letter))
			continue;
		for (unsigned c = 0; c < 256; c++)
			if ((classes[i].is((int)c) != 0) != inverted)
				set_add(set, c);
		return;
	}
	set_add(set, letter);
}

static int set_new(struct compiler *c, unsigned char *ret_index)
{
	if (c->pattern->n_sets == PATTERN_MAX_SETS)
		return refuse(c, "pattern too complex: too many sets");
	*ret_index = (unsigned char)c->pattern->n_sets++;
	memset(c->pattern->sets[*ret_index], 0, sizeof(c->pattern->sets[0]));
	return 0;
}

/* After the [: up to and with the ]. A ] that comes first stands for itself. */
static int set_read(struct compiler *c, uint64_t set[4])
{
	bool inverted = c->p < c->end && *c->p == '^';
	bool first = true;

	c->p += inverted;
	for (;; first = false) {
		unsigned char from;

		if (c->p == c->end)
			return refuse(c, "malformed pattern (missing ']')");
		from = *c->p++;
		if (from == ']' && !first)
			break;
		if (from == '%') {
			if (c->p == c->end)
				return refuse(c, "malformed pattern (missing ']')");
			set_add_escape(set, *c->p++);
		} else if (c->end - c->p >= 2 && c->p[0] == '-' && c->p[1] != ']') {
			for (unsigned i = from; i <= c->p[1]; i++)
				set_add(set, i);
			c->p += 2;
		} else {
			set_add(set, from);
		}
	}
	for (size_t i = 0; inverted && i < 4; i++)
		set[i] = ~set[i];
	return 0;
}

static int new_set_read(struct compiler *c, struct pattern_item *item)
{
	int r = set_new(c, &item->set);

	return r < 0 ? r : set_read(c, c->pattern->sets[item->set]);
}

static int read_back_reference(struct compiler *c, struct pattern_item *item)
{
	size_t n = (size_t)(c->p[-1] - '1');

	item->kind = PATTERN_BACK;
	item->a = (unsigned char)n;
	if (c->p[-1] == '0' || n >= c->pattern->n_captures || !c->closed[n])
		return tend_error_set(
			c->err, -EINVAL, "invalid capture index %%%c in pattern", c->p[-1]);
	return 0;
}

static int read_escape(struct compiler *c, struct pattern_item *item)
{
	int r;

	if (c->p == c->end)
		return refuse(c, "malformed pattern (ends with '%')");
	switch (*c->p++) {
	case 'b':
		if (c->end - c->p < 2)
			return refuse(c, "malformed pattern (missing arguments to '%b')");
		*item = (struct pattern_item){.kind = PATTERN_BALANCE, .a = c->p[0], .b = c->p[1]};
		c->p += 2;
		return 0;
	case 'f':
		if (c->p == c->end || *c->p != '[')
			return refuse(c, "missing '[' after '%f' in pattern");
		c->p++;
		item->kind = PATTERN_FRONTIER;
		return new_set_read(c, item);
	case '0' ... '9':
		return read_back_reference(c, item);
	default:
		r = set_new(c, &item->set);
		if (r == 0)
			set_add_escape(c->pattern->sets[item->set], c->p[-1]);
		return r;
	}
}

static int read_open(struct compiler *c, struct pattern_item *item)
{
	size_t n = c->pattern->n_captures;

	if (n == PATTERN_MAX_CAPTURES)
		return refuse(c, "too many captures");
	c->pattern->n_captures++;
	if (c->p < c->end && *c->p == ')') {
		c->p++;
		c->closed[n] = true;
		item->kind = PATTERN_POSITION;
		return 0;
	}
	c->open[c->n_open++] = n;
	item->kind = PATTERN_OPEN;
	return 0;
}

static int read_close(struct compiler *c, struct pattern_item *item)
{
	if (c->n_open == 0)
		return refuse(c, "invalid pattern capture");
	item->kind = PATTERN_CLOSE;
	item->a = (unsigned char)c->open[--c->n_open];
	c->closed[item->a] = true;
	return 0;
}

static void read_repeat(struct compiler *c, struct pattern_item *item)
{
	static const struct {
		char letter;
		enum pattern_repeat repeat;
		unsigned min;
	} repeats[] = {{'?', REPEAT_MAYBE, 0}, {'*', REPEAT_MOST, 0}, {'+', REPEAT_MOST, 1},
		{'-', REPEAT_LEAST, 0}};

	for (size_t i = 0; c->p < c->end && i < ARRAY_SIZE(repeats); i++) {
		if (repeats[i].letter != (char)*c->p)
			continue;
		item->repeat = repeats[i].repeat;
		item->min = repeats[i].min;
		c->p++;
		return;
	}
}

static int read_item(struct compiler *c, struct pattern_item *item)
{
	unsigned char letter = *c->p++;
	int r = 0;

	*item = (struct pattern_item){.kind = PATTERN_SET};
	switch (letter) {
	case '(':
		return read_open(c, item);
	case ')':
		return read_close(c, item);
	case '$':
		if (c->p == c->end) {
			item->kind = PATTERN_LAST;
			return 0;
		}
		item->is_literal = true;
		item->a = letter;
		break;
	case '%':
		r = read_escape(c, item);
		break;
	case '[':
		r = new_set_read(c, item);
		break;
	case '.':
		r = set_new(c, &item->set);
		if (r == 0)
			memset(c->pattern->sets[item->set], 0xff, sizeof(c->pattern->sets[0]));
		break;
	default:
		item->is_literal = true;
		item->a = letter;
	}
	if (r == 0 && item->kind == PATTERN_SET)
		read_repeat(c, item);
	return r;
}

int pattern_compile(const char *text, size_t len, bool anchor, struct pattern *ret_pattern,
	struct tend_error *err)
{
	struct compiler c = {.p = (const unsigned char *)text,
		.end = (const unsigned char *)text + len,
		.pattern = ret_pattern,
		.err = err};

	ret_pattern->n_items = ret_pattern->n_sets = ret_pattern->n_captures = 0;
	ret_pattern->anchored = anchor && len > 0 && text[0] == '^';
	c.p += ret_pattern->anchored;
	while (c.p < c.end) {
		int r;

		/* One is kept for the end. */
		if (ret_pattern->n_items == PATTERN_MAX_ITEMS - 1)
			return refuse(&c, "pattern too complex: too many items");
		r = read_item(&c, &ret_pattern->items[ret_pattern->n_items++]);
		if (r < 0)
			return r;
	}
	if (c.n_open > 0)
		return refuse(&c, "unfinished capture");
	ret_pattern->items[ret_pattern->n_items++] = (struct pattern_item){.kind = PATTERN_END};
	return 0;
}

static bool item_fits(const struct pattern_match *m, const struct pattern_item *item, size_t at)
{
	unsigned char c;

	if (at >= m->len)
		return false;
	c = (unsigned char)m->text[at];
	return item->is_literal ? c == item->a : set_has(m->pattern->sets[item->set], c);
}

static int match_from(
	struct pattern_match *m, const struct pattern_item *item, size_t at, size_t *ret_end);

static int match_most(
	struct pattern_match *m, const struct pattern_item *item, size_t at, size_t *ret_end)
{
	size_t n = 0;

	while (item_fits(m, item, at + n))
		n++;
	m->steps += n;
	for (;; n--) {
		int r;

		if (n < item->min)
			return 0;
		r = match_from(m, item + 1, at + n, ret_end);
		if (r != 0 || n == 0)
			return r;
	}
}

static int match_least(
	struct pattern_match *m, const struct pattern_item *item, size_t at, size_t *ret_end)
{
	for (;; at++) {
		int r = match_from(m, item + 1, at, ret_end);

		if (r != 0)
			return r;
		if (!item_fits(m, item, at))
			return 0;
	}
}

static int match_open(
	struct pattern_match *m, const struct pattern_item *item, size_t at, size_t *ret_end)
{
	int r;

	m->captures[m->n_captures++] = (struct pattern_capture){
		m->text + at, item->kind == PATTERN_OPEN ? PATTERN_OPEN_LEN : PATTERN_POSITION_LEN};
	r = match_from(m, item + 1, at, ret_end);
	if (r == 0)
		m->n_captures--;
	return r;
}

static int match_close(
	struct pattern_match *m, const struct pattern_item *item, size_t at, size_t *ret_end)
{
	struct pattern_capture *capture = &m->captures[item->a];
	int r;

	capture->len = m->text + at - capture->start;
	r = match_from(m, item + 1, at, ret_end);
	if (r == 0)
		capture->len = PATTERN_OPEN_LEN;
	return r;
}

/* %bxy: *at moves behind the y that belongs to the x at *at. */
static bool skip_balance(struct pattern_match *m, const struct pattern_item *item, size_t *at)
{
	size_t depth = 0;

	for (size_t i = *at; i < m->len; i++) {
		unsigned char c = (unsigned char)m->text[i];

		m->steps++;
		if (i == *at) {
			if (c != item->a)
				return false;
			depth = 1;
		} else if (c == item->b) {
			if (--depth == 0) {
				*at = i + 1;
				return true;
			}
		} else if (c == item->a) {
			depth++;
		}
	}
	return false;
}

static bool at_frontier(const struct pattern_match *m, const struct pattern_item *item, size_t at)
{
	const uint64_t *set = m->pattern->sets[item->set];
	unsigned char before = at > 0 ? (unsigned char)m->text[at - 1] : 0;
	unsigned char here = at < m->len ? (unsigned char)m->text[at] : 0;

	return !set_has(set, before) && set_has(set, here);
}

static bool skip_back_reference(
	struct pattern_match *m, const struct pattern_item *item, size_t *at)
{
	const struct pattern_capture *capture = &m->captures[item->a];
	size_t len;

	/* A position has no text. */
	if (capture->len < 0)
		return false;
	len = (size_t)capture->len;
	m->steps += len;
	if (m->len - *at < len || memcmp(capture->start, m->text + *at, len) != 0)
		return false;
	*at += len;
	return true;
}

/* One byte, or what takes no choice; the others go on by themselves. */
static bool match_simple(struct pattern_match *m, const struct pattern_item *item, size_t *at)
{
	switch (item->kind) {
	case PATTERN_BALANCE:
		return skip_balance(m, item, at);
	case PATTERN_FRONTIER:
		return at_frontier(m, item, *at);
	case PATTERN_BACK:
		return skip_back_reference(m, item, at);
	case PATTERN_LAST:
		return *at == m->len;
	default:
		return item_fits(m, item, (*at)++);
	}
}

static int match_from(
	struct pattern_match *m, const struct pattern_item *item, size_t at, size_t *ret_end)
{
	for (;; item++) {
		if (++m->steps > PATTERN_MAX_STEPS)
			return -ELOOP;
		if (item->kind == PATTERN_END) {
			*ret_end = at;
			return 1;
		}
		if (item->kind == PATTERN_OPEN || item->kind == PATTERN_POSITION)
			return match_open(m, item, at, ret_end);
		if (item->kind == PATTERN_CLOSE)
			return match_close(m, item, at, ret_end);
		if (item->repeat == REPEAT_MOST)
			return match_most(m, item, at, ret_end);
		if (item->repeat == REPEAT_LEAST)
			return match_least(m, item, at, ret_end);
		if (item->repeat == REPEAT_MAYBE) {
			if (item_fits(m, item, at)) {
				int r = match_from(m, item + 1, at + 1, ret_end);

				if (r != 0)
					return r;
			}
		} else if (!match_simple(m, item, &at)) {
			return 0;
		}
	}
}

int pattern_try(struct pattern_match *match, size_t at, size_t *ret_end)
{
	match->n_captures = 0;
	return match_from(match, match->pattern->items, at, ret_end);
}
