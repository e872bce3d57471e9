/* SPDX-License-Identifier: MIT */
/* What an SMTP server says, reply after reply.
 * Parser: plugins/smtp/reply.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	size_t at = 0;

	memcpy(copy, data, size);
	while (at < size) {
		struct reply reply;
		struct reply_offers offers;
		long n = reply_parse(copy + at, size - at, &reply);

		if (n <= 0)
			break;
		if ((size_t)n > size - at || reply.code < 200 || reply.code > 599 ||
			reply.last < copy || reply.last + reply.last_len > copy + size)
			abort();
		reply_offers(&reply, &offers);
		(void)reply_offers_word(&reply, "DSN");
		for (unsigned step = 0; step < STEP_MAX; step++)
			if (reply_reason((enum reply_step)step, &reply) == TEND_REASON_OK &&
				reply.code >= 400)
				abort();
		at += (size_t)n;
	}
	free(copy);
	return 0;
}
