/* SPDX-License-Identifier: MIT */
/*
 * run/pattern.h: Lua's patterns with a budget: a pattern is compiled into a row of items and
 * matched by backtracking that counts its steps, so that a pattern which would try for hours ends
 * with an error after some milliseconds, and after the same number of steps everywhere. Pure: no
 * Lua, no allocation, recursion no deeper than the pattern has items. Borrows the texts.
 */
#ifndef RUN_PATTERN_H
#define RUN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tend/error.h>

enum { PATTERN_MAX_ITEMS = 256, PATTERN_MAX_CAPTURES = 32, PATTERN_MAX_SETS = 64 };
/* What one call may take: about a tenth of a second. */
enum { PATTERN_MAX_STEPS = 10000000 };

enum pattern_kind {
	PATTERN_END,
	PATTERN_SET, /* one byte out of a set; a literal is a set of one */
	PATTERN_OPEN,
	PATTERN_POSITION,
	PATTERN_CLOSE,
	PATTERN_BALANCE,
	PATTERN_FRONTIER,
	PATTERN_BACK,
	PATTERN_LAST, /* $ at the end */
};

enum pattern_repeat { REPEAT_ONE, REPEAT_MAYBE, REPEAT_MOST, REPEAT_LEAST };

struct pattern_item {
	enum pattern_kind kind;
	enum pattern_repeat repeat;
	unsigned min;		  /* of REPEAT_MOST */
	unsigned char set;	  /* index into sets */
	unsigned char a, b;	  /* PATTERN_BALANCE: from, to; PATTERN_BACK: a is the capture */
	unsigned char is_literal; /* a is it */
};

struct pattern {
	struct pattern_item items[PATTERN_MAX_ITEMS];
	uint64_t sets[PATTERN_MAX_SETS][4];
	size_t n_items, n_sets, n_captures;
	bool anchored;
};

struct pattern_capture {
	const char *start;
	ssize_t len; /* PATTERN_OPEN_LEN while open, PATTERN_POSITION_LEN for () */
};

enum { PATTERN_OPEN_LEN = -1, PATTERN_POSITION_LEN = -2 };

struct pattern_match {
	const struct pattern *pattern;
	const char *text;
	size_t len;
	struct pattern_capture captures[PATTERN_MAX_CAPTURES];
	size_t n_captures;
	uint64_t steps; /* taken; goes on from match to match */
};

/* -EINVAL with the text in err. `anchor`: does ^ at the start tie it to the start? */
int pattern_compile(const char *text, size_t len, bool anchor, struct pattern *ret_pattern,
	struct tend_error *err);
/* Does it match at `at`? 1 and the end, 0, or -ELOOP: the budget is spent. */
int pattern_try(struct pattern_match *match, size_t at, size_t *ret_end);

#endif
