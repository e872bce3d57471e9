/* SPDX-License-Identifier: MIT */
/* A statement with $1, $2, ... as policies and probes write it.
 * Parser: plugins/mysql/placeholders.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/mysql/myprobe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *sql = strndup((const char *)data, size), *out = NULL;
	unsigned char order[PLACEHOLDERS_MAX];
	size_t n_params = size % 7;
	int n = myprobe_placeholders(sql, n_params, &out, order);

	for (int i = 0; i < n; i++)
		if (order[i] >= n_params)
			__builtin_trap();
	if (n >= 0 && (strlen(out) > strlen(sql) || (n == 0 && strcmp(out, sql) != 0)))
		__builtin_trap();
	free(out);
	free(sql);
	return 0;
}
