/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a packet filter's rules, as the head of ClamAV's signatures and as an answer of
 * tend-look. Invariants: a fingerprint has its length and stays the same, lists are bounded, no
 * answer without a document. Parser: daemon/exec/look/ruleset.c, daemon/exec/look/clamav.c,
 * daemon/exec/look/answer.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "exec/look/answer.h"
#include "exec/look/clamav.h"
#include "exec/look/ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const char *text, size_t size)
{
	for (int status = 0; status < 2; status++) {
		auto_json json_t *doc = NULL;
		auto_json json_t *error = NULL;
		struct tend_error err = {0};
		int r = look_answer_read(text, size, status, "said", &doc, &err);

		assert((r == 0) == (doc != NULL));
		if (r == 0)
			assert(json_is_object(doc) &&
				!json_is_object(json_object_get(doc, "error")));
		else
			assert(err.text[0]);
		error = look_answer_error(r == 0 ? -EPERM : r, err.text);
		assert(error);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	auto_json json_t *doc = NULL, *again = NULL;
	struct clamav_head head;

	if (ruleset_read(text, size, &doc, NULL) == 0) {
		const char *fingerprint = json_string_value(json_object_get(doc, "fingerprint"));

		assert(fingerprint && strlen(fingerprint) == 64);
		assert(json_array_size(json_object_get(doc, "tables")) <= 64);
		assert(ruleset_read(text, size, &again, NULL) == 0);
		assert(json_equal(doc, again));
	}
	if (clamav_head_parse(text, size, &head) == 0)
		assert(head.built > 0);
	check_answer(text, size);
	return 0;
}
