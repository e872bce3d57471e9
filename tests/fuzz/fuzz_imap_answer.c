/* SPDX-License-Identifier: MIT */
/* What an IMAP server says, answer after answer.
 * Parser: plugins/imap/answer.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/imap/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct answer *a)
{
	uint32_t uids[ANSWER_MAX_UIDS];
	uint64_t n;
	double x, y;

	(void)answer_has_capability(a, "IDLE");
	(void)answer_exists(a, &n);
	(void)answer_quota(a, &x, &y);
	if (answer_search(a, uids) > ANSWER_MAX_UIDS)
		abort();
	(void)answer_sent(a, &x, &y);
	for (int step = ANSWER_GREETING; step <= ANSWER_OTHER; step++)
		if (answer_reason((enum answer_step)step, a) == TEND_REASON_OK)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	size_t at = 0;

	memcpy(copy, data, size);
	while (at < size) {
		struct answer a;
		long n = answer_parse(copy + at, size - at, &a);

		if (n <= 0)
			break;
		if ((size_t)n > size - at || a.text < copy || a.text + a.len > copy + size)
			abort();
		look(&a);
		at += (size_t)n;
	}
	free(copy);
	return 0;
}
