/* SPDX-License-Identifier: MIT */
/*
 * Bytes as the lines of a log: anybody writes to those. Invariants: a kind is text within its bound
 * and does not depend on numbers; a line that was seen is not new; results are JSON.
 * Parser: daemon/exec/look/sieve.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "exec/look/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct sieve *sieve, const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t n = end ? (size_t)(end - text) - at : size - at;

		sieve_line(sieve, "", text + at, n);
		at += n + 1;
	}
}

/* The hashes of what was new, end to end. */
static char *hashes_of(const json_t *result)
{
	const json_t *fresh = json_object_get(result, "new"), *one;
	char *text = calloc(json_array_size(fresh) + 1, SIEVE_HASH_CHARS);
	size_t i;

	json_array_foreach (fresh, i, one) {
		const char *hash = json_string_value(json_object_get(one, "hash"));

		assert(strlen(hash) == SIEVE_HASH_CHARS);
		memcpy(text + i * SIEVE_HASH_CHARS, hash, SIEVE_HASH_CHARS);
	}
	return text;
}

static void check_template(const char *text, size_t size)
{
	char kind[SIEVE_TEMPLATE_BYTES], again[SIEVE_TEMPLATE_BYTES];

	sieve_template(text, size, kind);
	assert(memchr(kind, '\0', sizeof(kind)));
	for (const char *p = kind; *p; p++)
		assert(*p < '0' || *p > '9');
	sieve_template(text, size, again);
	assert(strcmp(kind, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const expressions = "{\"p\":\"err(or)?\",\"q\":\"(a+)+$\"}";
	const char *text = (const char *)data;
	auto_json json_t *patterns = json_loads(expressions, 0, NULL);
	auto_json json_t *ignore = json_loads("[\"^debug\"]", 0, NULL);
	auto(sieve_free) struct sieve *first = NULL, *second = NULL;
	auto_json json_t *result = NULL, *after = NULL;
	auto_free char *seen = NULL;

	check_template(text, size);
	assert(sieve_new(patterns, ignore, "", &first, NULL) == 0);
	feed(first, text, size);
	result = sieve_result(first);
	assert(result && json_array_size(json_object_get(result, "new")) <= SIEVE_MAX_NEW);
	seen = hashes_of(result);
	assert(sieve_new(patterns, ignore, seen, &second, NULL) == 0);
	feed(second, text, size);
	after = sieve_result(second);
	if (!json_is_true(json_object_get(result, "cut")))
		assert(json_array_size(json_object_get(after, "new")) == 0);
	return 0;
}
