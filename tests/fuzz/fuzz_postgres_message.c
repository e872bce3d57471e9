/* SPDX-License-Identifier: MIT */
/* What a server says when it refuses a log-in, as libpq hands it on.
 * Parser: plugins/postgres/reason.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/postgres/postgres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *message = strndup((const char *)data, size), sqlstate[6], text[40];

	if (postgres_message_sqlstate(message, sqlstate))
		(void)postgres_query_reason(sqlstate);
	if (strlen(postgres_message_text(message, text, sizeof(text))) >= sizeof(text))
		__builtin_trap();
	(void)postgres_connect_reason(message, size & 1);
	free(message);
	return 0;
}
