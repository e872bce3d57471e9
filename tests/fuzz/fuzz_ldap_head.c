/* SPDX-License-Identifier: MIT */
/* The first bytes of an answer, before libldap reads it.
 * Parser: plugins/ldap/message.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/ldap/dirprobe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);
	enum dirprobe_head got;

	memcpy(bytes, data, size);
	got = dirprobe_message_head(bytes, size);
	/* More bytes never undo a verdict. */
	for (size_t n = 0; n < size && n < DIRPROBE_HEAD_BYTES; n++) {
		enum dirprobe_head part = dirprobe_message_head(bytes, n);

		if (part != DIRPROBE_HEAD_MORE && part != got)
			__builtin_trap();
	}
	free(bytes);
	return 0;
}
