/* SPDX-License-Identifier: MIT */
/* What a server says first, before libmariadb reads it; and what its errors mean.
 * Parser: plugins/mysql/greeting.c, plugins/mysql/reason.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/mysql/myprobe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1); /* so that a byte too far is seen */
	char *text = strndup((const char *)data, size);
	bool tls;

	memcpy(bytes, data, size);
	(void)myprobe_greeting(bytes, size, &tls);
	if (size >= 2) {
		unsigned number = (unsigned)data[0] << 8 | data[1];

		(void)myprobe_connect_reason(number, text + (strlen(text) > 2 ? 2 : 0));
		(void)myprobe_query_reason(number);
	}
	free(bytes);
	free(text);
	return 0;
}
