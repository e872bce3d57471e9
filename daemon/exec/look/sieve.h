/* SPDX-License-Identifier: MIT */
/*
 * exec/look/sieve.h: lines of a log, sifted: how many fit which expression, and which are of a kind
 * that was never seen. A kind is a line without what varies (numbers, quoted words, addresses).
 * Pure: no I/O; expressions have match limits, so that no line can hold it up. Frees: sieve_free().
 */
#ifndef EXEC_LOOK_SIEVE_H
#define EXEC_LOOK_SIEVE_H

#include <jansson.h>
#include <stddef.h>
#include <tend/error.h>
#include "base/cleanup.h"

enum {
	SIEVE_MAX_PATTERNS = 64,
	SIEVE_MAX_NEW = 256, /* kinds, in one look */
	SIEVE_HASH_CHARS = 8,
	SIEVE_TEMPLATE_BYTES = 160,
	SIEVE_LINE_BYTES = 8192, /* what of a line is looked at */
};

struct sieve;

/* `patterns`: {NAME: expression} or NULL. `ignore`: expressions of lines that do not count at all;
 * NULL. `seen`: hashes of known kinds, each SIEVE_HASH_CHARS, end to end; NULL: kinds are of no
 * interest. -EINVAL. */
int sieve_new(const json_t *patterns, const json_t *ignore, const char *seen,
	struct sieve **ret_sieve, struct tend_error *err);
struct sieve *sieve_free(struct sieve *sieve);
DEFINE_AUTO(struct sieve *, sieve_free)
/* `source`: who wrote it; part of its kind. */
void sieve_line(struct sieve *sieve, const char *source, const char *line, size_t len);
/* {"lines","matches":{NAME:{"n","sample"}},"undecided":{NAME:n},"new":[{"hash","template","source",
 * "n"}],"cut"}; undecided: lines that an expression took too long for. */
json_t *sieve_result(const struct sieve *sieve);

void sieve_template(const char *line, size_t len, char ret_text[SIEVE_TEMPLATE_BYTES]);

#endif
