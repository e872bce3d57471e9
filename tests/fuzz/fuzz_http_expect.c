/* SPDX-License-Identifier: MIT */
/* The body of an answer against expectations: the first line is an expect_json entry, the second an
 * expression (empty: none), the rest the body.
 * Parser: plugins/http/expect.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/http/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t n = end ? (size_t)(end - *data) : *size;
	char *text = strndup((const char *)*data, n);

	*data += n + (end ? 1 : 0);
	*size -= n + (end ? 1 : 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *pointer = line(&data, &size), *expression = line(&data, &size);
	char *const json[] = {pointer, NULL};
	char *const status[] = {pointer, NULL};
	char why[EXPECT_WHY_BYTES], quoted[64];
	struct expect_spec spec = {.body = expression[0] ? expression : NULL,
		.json = strchr(pointer, '=') ? json : NULL,
		.status = strchr(pointer, '=') ? NULL : status};
	struct expect *e = NULL;
	struct tend_error err;

	if (expect_new(&spec, &err, &e) == 0) {
		(void)expect_body(e, (const char *)data, size, size & 1, why);
		(void)expect_status(e, (long)size);
		expect_status_text(e, quoted, sizeof(quoted));
	}
	(void)expect_quote((const char *)data, size, 40, quoted, sizeof(quoted));
	expect_free(e);
	free(pointer);
	free(expression);
	return 0;
}
