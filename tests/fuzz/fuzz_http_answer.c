/* SPDX-License-Identifier: MIT */
/* What an API says beside its status: the first byte chooses, the rest is a header, the answer of a
 * token endpoint, a body with an error code, or times that were kept.
 * Parser: plugins/http/quota.c plugins/http/token.c plugins/http/fault.c plugins/http/pointer.c
 * plugins/http/window.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/http/fault.h"
#include "../../plugins/http/quota.h"
#include "../../plugins/http/token.h"
#include "../../plugins/http/window.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_quota(const char *text, size_t len, unsigned what)
{
	struct quota q = {0};

	quota_read_used(&q, text, len);
	if (what & 1)
		quota_read_max(&q, text, len);
	if (what & 2)
		quota_read_left(&q, text, len);
	if (what & 4)
		q.has_used = false;
	quota_complete(&q);
	(void)quota_is_used_up(&q);
	if (q.has_left && q.left < 0)
		abort();
}

static void try_token(const char *text, size_t len, unsigned what)
{
	static const long status[] = {200, 400, 401, 429, 503};
	char why[TOKEN_WHY_BYTES];
	struct token token = {0};

	if (token_read(text, len, status[what % 5], &token, why) == TEND_REASON_OK) {
		if (!token.text || strpbrk(token.text, "\r\n "))
			abort();
		if (token.lasts_usec > 86400 * USEC_PER_SEC)
			abort();
	}
	free(token.text);
}

/* The first line is a pointer. */
static void try_fault(const char *text, size_t len, unsigned what)
{
	const char *end = memchr(text, '\n', len);
	size_t n = end ? (size_t)(end - text) : len;
	char *pointer = strndup(text, n);
	char *const ok[] = {(char *)(uintptr_t) "0", NULL};
	char *const auth[] = {(char *)(uintptr_t) "40001", NULL};
	char *const quota[] = {(char *)(uintptr_t) "8303", NULL};
	struct fault_spec spec = {.pointer = pointer,
		.text = what & 1 ? "/errmsg" : NULL,
		.ok = what & 2 ? ok : NULL,
		.auth = auth,
		.quota = quota};
	struct tend_error err;
	char why[FAULT_WHY_BYTES];

	n += end ? 1 : 0;
	if (fault_check(&spec, &err) == 0)
		(void)fault_judge(&spec, text + n, len - n, what & 4, why);
	spec.pointer = NULL;
	(void)fault_check(&spec, &err);
	free(pointer);
}

static void try_window(const char *text, size_t len, unsigned what)
{
	struct window *w = malloc(sizeof(*w));
	json_t *memory = json_loadb(text, len, 0, NULL), *saved;

	window_load(w, memory, 1 + what);
	window_add(w, 0.25, 1 + what);
	saved = window_save(w);
	window_sort(w);
	if (window_percentile(w, 50) > window_percentile(w, 99))
		abort();
	w->n = 0;
	if (window_percentile(w, 99) != 0)
		abort();
	json_decref(saved);
	json_decref(memory);
	free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *, size_t, unsigned) = {
		try_quota, try_token, try_fault, try_window};
	char *copy;

	if (size < 2)
		return 0;
	copy = malloc(size - 2 ? size - 2 : 1);
	memcpy(copy, data + 2, size - 2);
	tries[data[0] % 4](copy, size - 2, data[1]);
	free(copy);
	return 0;
}
