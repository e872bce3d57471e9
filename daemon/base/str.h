/* SPDX-License-Identifier: MIT */
/*
 * base/str.h: text. A growable string with a bound (append fails with -ENOBUFS beyond it, the
 * content stays as it was), cutting at UTF-8 boundaries, escaping of foreign text, the nearest of
 * some names. Never blocks; allocations that fail give -ENOMEM.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"

struct str {
	char *data; /* NUL-terminated once something was appended; else NULL */
	size_t len, cap, max;
};

#define STR_INIT(max_bytes)                                                                        \
	{                                                                                          \
		.max = (max_bytes)                                                                 \
	}
void str_clear(struct str *s);
int str_append(struct str *s, const void *data, size_t len);
__attribute__((format(printf, 2, 3))) int str_appendf(struct str *s, const char *format, ...);
__attribute__((format(printf, 2, 0))) int str_vappendf(
	struct str *s, const char *format, va_list ap);
const char *str_get(const struct str *s); /* "" if nothing yet */
char *str_take(struct str *s);		  /* the caller frees; NULL on an empty one */
#define auto_str __attribute__((cleanup(str_clear)))

__attribute__((format(printf, 1, 2))) char *str_printf(
	const char *format, ...); /* NULL: no memory */

/* Length of `text` cut to at most `max` bytes at a UTF-8 character boundary. */
size_t str_cut_utf8(const char *text, size_t len, size_t max);
/* Copies foreign text: bad UTF-8 and control characters become '?' or \n-like escapes, cut to
 * dst_size - 1 at a boundary. Always terminates. */
void str_sanitize(char *dst, size_t dst_size, const char *src, size_t src_len);
bool str_utf8_valid(const char *text, size_t len);

bool str_startswith(const char *s, const char *prefix);
bool str_endswith(const char *s, const char *suffix);
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
/* Takes the same time wherever the two differ. Neither is NULL. */
bool str_equal_secret(const char *given, const char *secret);

/* The nearest by edit distance, NULL if none is near enough to be a slip of the finger. */
const char *str_nearest(const char *word, const char *const *names, size_t n_names);

/* Glob with '*' and '?', '*' also matches '/'. Linear-ish, no recursion. */
bool str_glob(const char *pattern, const char *text);

void strv_free(char **v);
size_t strv_len(char *const *v);
bool strv_contains(char *const *v, const char *s);
DEFINE_AUTO(char **, strv_free)

#endif
