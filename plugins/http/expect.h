/* SPDX-License-Identifier: MIT */
/*
 * http/expect.h: what an answer should look like, and whether it does. Pure. Bodies are foreign:
 * the expression runs within limits of steps, memory and time (20 ms in all), the JSON parser is
 * bounded by the body's size. Owned by the configuration of a check; immutable, shared by its
 * attempts.
 */
#ifndef HTTP_EXPECT_H
#define HTTP_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/error.h>

enum { EXPECT_WHY_BYTES = 400 };

struct expect;
struct expect_spec {
	char *const *status; /* "200", "200-299", "2xx"; NULL-terminated; NULL = 200-299 */
	const char *body;    /* a PCRE2 expression, or NULL */
	char *const *json;   /* "POINTER=VALUE"; NULL-terminated, or NULL */
};
int expect_new(const struct expect_spec *spec, struct tend_error *err, struct expect **ret_expect);
struct expect *expect_free(struct expect *expect);

bool expect_status(const struct expect *expect, long status);
void expect_status_text(const struct expect *expect, char *buf, size_t size); /* "200-299, 304" */
bool expect_wants_body(const struct expect *expect);

/* 0, or -EBADMSG with `why`: what was expected and what came. `cut`: the body went on. */
int expect_body(const struct expect *expect, const char *body, size_t len, bool cut,
	char why[EXPECT_WHY_BYTES]);

/* The start of a foreign text as one quoted line of at most `max` characters, for people. */
const char *expect_quote(const char *text, size_t len, size_t max, char *buf, size_t size);

#endif
