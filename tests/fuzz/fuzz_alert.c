/* SPDX-License-Identifier: MIT */
/*
 * What alert/ reads from others: a status and Retry-After of a receiver, a notice as the database
 * has it (then composed as an event), a secret. The first byte chooses, NUL ends each text.
 * Parser: daemon/alert/notice.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "alert/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_answer(const char *text)
{
	struct judgement j;
	char *rest;
	long status = strtol(text, &rest, 10);

	webhook_judge(status, rest, 1700000000 * USEC_PER_SEC, &j);
	assert(j.retry_after <= 86400 * USEC_PER_SEC);
	assert(strlen(j.error) < sizeof(j.error));
	assert((j.verdict == VERDICT_DELIVERED) == (status >= 200 && status <= 299));
}

static void try_notice(const char *text)
{
	auto_json json_t *doc = json_loads(text, 0, NULL);
	auto(record_unref) struct record *record = NULL, *again = NULL;
	const struct event_context context = {
		.host = "h", .epoch = "e", .merged = json_object_get(doc, "merged")};
	auto_free char *body = NULL;

	if (!json_is_object(doc) || record_from_json(doc, &record) < 0)
		return;
	(void)record_note_receiver(record, "r");
	if (notice_compose_event(&record->notice, &context, &body) < 0)
		return;
	auto_json json_t *event = json_loads(body, 0, NULL);
	assert(event);
	(void)record_new(&record->notice, &again);
}

static void try_secret(const char *text)
{
	char signature[SIGNATURE_MAX_BYTES];

	if (signature_make(text, NULL, "id", 1, "body", signature) == 0)
		assert(strlen(signature) == 3 + 44);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 1 || !(text = strndup((const char *)data + 1, size - 1)))
		return 0;
	if (data[0] == 'a')
		try_answer(text);
	else if (data[0] == 'n')
		try_notice(text);
	else if (data[0] == 's')
		try_secret(text);
	free(text);
	return 0;
}
