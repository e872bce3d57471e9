/* SPDX-License-Identifier: MIT */
/* What a server says before TLS begins, in two pieces: the first byte says which protocol, the
 * second where it is cut.
 * Parser: plugins/common/starttls.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/common/starttls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(enum starttls protocol, const uint8_t *data, size_t cut, size_t size)
{
	struct starttls_talk talk;
	enum starttls_what what = STARTTLS_MORE;
	size_t at = 0, have = cut;

	starttls_begin(&talk, protocol, "host.example");
	for (int turns = 0; turns < 4096; turns++) {
		size_t used = 0, len = have - at;
		/* A copy of its own, so that a byte too far is seen. */
		char *piece = malloc(len ? len : 1);

		memcpy(piece, data + at, len);
		what = starttls_feed(&talk, piece, len, &used);
		free(piece);
		if (used > len || talk.n_out > sizeof(talk.out))
			__builtin_trap();
		at += used;
		if (what == STARTTLS_MORE && have == size)
			return;
		if (what == STARTTLS_MORE)
			have = size;
		else if (what != STARTTLS_SEND)
			break;
		else if (used == 0)
			__builtin_trap();
	}
	if ((what >= STARTTLS_REFUSED) != (talk.why != NULL))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t n = size - 2, cut = data[1] < n ? data[1] : n;
	feed((enum starttls)(1 + data[0] % (STARTTLS_MAX - 1)), data + 2, cut, n);
	return 0;
}
