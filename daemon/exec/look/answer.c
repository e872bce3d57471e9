/* SPDX-License-Identifier: MIT */
#include "exec/look/answer.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"

static const struct {
	int r;
	const char *code;
} codes[] = {
	{-EINVAL, "invalid"},
	{-ENOENT, "not-found"},
	{-EACCES, "access-denied"},
	{-ENOTCONN, "no-connection"},
	{-ETIMEDOUT, "timeout"},
	{-ENOTSUP, "not-supported"},
	{-EMSGSIZE, "too-long"},
	{-EIO, "failed"},
};

static const char *code_name(int r)
{
	if (r == -EPERM)
		r = -EACCES;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].r == r)
			return codes[i].code;
	return "failed";
}

static int code_errno(const char *code)
{
	for (size_t i = 0; code && i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].r;
	return -EIO;
}

json_t *look_answer_error(int r, const char *message)
{
	return json_pack("{s:{s:s, s:s}}", "error", "code", code_name(r), "message",
		message[0] ? message : strerror(-r));
}

int look_answer_read(const char *text, size_t len, int exit_status, const char *complaint,
	json_t **ret_doc, struct tend_error *err)
{
	auto_json json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(doc, "error");
	char said[256];

	str_sanitize(said, sizeof(said), complaint, strcspn(complaint, "\r\n"));
	if (json_is_object(error)) {
		const char *message = json_string_value(json_object_get(error, "message"));

		return tend_error_set(err,
			code_errno(json_string_value(json_object_get(error, "code"))), "%s",
			message ? message : "tend-look does not say why");
	}
	/* Whatever that program is: it is not the tend-look that this daemon knows. */
	if (exit_status != 0)
		return tend_error_set(err, -EPROTO, "tend-look ended with status %d%s%s",
			exit_status, said[0] ? ": " : "", said);
	if (!json_is_object(doc))
		return tend_error_set(err, -EPROTO, "tend-look's answer is no JSON object");
	*ret_doc = TAKE(doc);
	return 0;
}
