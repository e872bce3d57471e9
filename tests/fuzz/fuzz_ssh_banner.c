/* SPDX-License-Identifier: MIT */
/* How an SSH server introduces itself.
 * Parser: plugins/ssh/banner.c.
 */
#include <stdint.h>
#include <string.h>
#include "../../plugins/ssh/banner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct banner banner;

	if (banner_find((const char *)data, size, &banner) != BANNER_FOUND)
		return 0;
	if (banner.used > size || !memchr(banner.software, '\0', sizeof(banner.software)) ||
		!memchr(banner.protocol, '\0', sizeof(banner.protocol)) || !banner.protocol[0])
		__builtin_trap();
	return 0;
}
