/* SPDX-License-Identifier: MIT */
/* A log-in page: the first line is the form that is wanted (empty: any), the rest the page.
 * Parser: plugins/http/form.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t n = end ? (size_t)(end - data) : size;
	char *wanted = strndup((const char *)data, n);
	size_t used = n + (end ? 1 : 0);
	/* A copy of its own, so that reading past the end is seen. */
	char *page = malloc(size - used + 1);
	struct form form = {0};

	memcpy(page, data + used, size - used);
	char *exact = realloc(page, size - used ? size - used : 1);
	if (form_find(exact, size - used, wanted[0] ? wanted : NULL, &form) == 0) {
		if (form.n_fields > FORM_MAX_FIELDS || strlen(form.action) > FORM_ACTION_BYTES)
			abort();
		for (size_t i = 0; i < form.n_fields; i++)
			if (strlen(form.fields[i].name) > FORM_NAME_BYTES ||
				strlen(form.fields[i].value) > FORM_VALUE_BYTES)
				abort();
		(void)form_set(&form, "user", "ops & all");
		free(form_encode(&form));
	}
	form_clear(&form);
	free(exact);
	free(wanted);
	return 0;
}
