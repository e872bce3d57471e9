/* SPDX-License-Identifier: MIT */
#include "fault.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "expect.h"
#include "pointer.h"

enum { CODE_BYTES = 80 };

static int check_pointer(const char *option, const char *pointer, struct tend_error *err)
{
	if (!pointer || json_pointer_valid(pointer))
		return 0;
	return tend_error_set(err, -EINVAL,
		"%s: '%s' is no JSON Pointer; it begins with '/', as in /errcode", option, pointer);
}

int fault_check(const struct fault_spec *spec, struct tend_error *err)
{
	int r = check_pointer("error_pointer", spec->pointer, err);

	if (r == 0)
		r = check_pointer("error_text", spec->text, err);
	if (r == 0 && !spec->pointer && (spec->text || spec->ok || spec->auth || spec->quota))
		r = tend_error_set(err, -EINVAL,
			"error_ok, error_auth, error_quota and error_text need error_pointer");
	return r;
}

static bool listed(char *const *codes, const char *code)
{
	for (; codes && *codes; codes++)
		if (strcmp(*codes, code) == 0)
			return true;
	return false;
}

/* As it would be written in the configuration. */
static void code_text(const json_t *value, char buf[CODE_BYTES])
{
	char *text;

	if (json_is_string(value)) {
		(void)snprintf(buf, CODE_BYTES, "%s", json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	(void)snprintf(buf, CODE_BYTES, "%s", text ? text : "?");
	free(text);
}

/* Without a list: what no API calls an error. */
static bool is_well(const struct fault_spec *spec, const json_t *value, const char *code)
{
	if (!value || json_is_null(value))
		return true;
	if (spec->ok)
		return listed(spec->ok, code);
	if (json_is_number(value))
		return json_number_value(value) == 0;
	return json_is_false(value) || code[0] == '\0' || strcmp(code, "0") == 0 ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static void describe(
	const struct fault_spec *spec, json_t *root, const char *code, char why[FAULT_WHY_BYTES])
{
	json_t *text = spec->text ? json_pointer_get(root, spec->text) : NULL;
	char quoted[160] = "", said[CODE_BYTES * 2] = "", shown[CODE_BYTES + 16];

	if (json_is_string(text))
		(void)snprintf(said, sizeof(said), "%s", json_string_value(text));
	else if (text)
		code_text(text, said);
	(void)snprintf(why, FAULT_WHY_BYTES, "the answer says error %s at %.80s%s%s",
		expect_quote(code, strlen(code), CODE_BYTES, shown, sizeof(shown)), spec->pointer,
		said[0] ? ": " : "",
		said[0] ? expect_quote(said, strlen(said), 120, quoted, sizeof(quoted)) : "");
}

static enum tend_reason judge_code(
	const struct fault_spec *spec, json_t *root, char why[FAULT_WHY_BYTES])
{
	const json_t *value = json_pointer_get(root, spec->pointer);
	char code[CODE_BYTES] = "";

	if (value)
		code_text(value, code);
	if (is_well(spec, value, code))
		return TEND_REASON_OK;
	describe(spec, root, code, why);
	if (listed(spec->auth, code))
		return TEND_REASON_AUTH_FAILED;
	return listed(spec->quota, code) ? TEND_REASON_QUOTA : TEND_REASON_CONTENT_UNEXPECTED;
}

enum tend_reason fault_judge(const struct fault_spec *spec, const char *body, size_t len,
	bool must_parse, char why[FAULT_WHY_BYTES])
{
	json_error_t error;
	json_t *root = json_loadb(body, len, JSON_DECODE_ANY, &error);
	enum tend_reason reason;
	char quoted[160];

	if (!root) {
		if (!must_parse)
			return TEND_REASON_OK;
		(void)snprintf(why, FAULT_WHY_BYTES, "expected JSON, got %s (line %d: %.80s)",
			len ? expect_quote(body, len, 120, quoted, sizeof(quoted))
			    : "an empty body",
			error.line, error.text);
		return TEND_REASON_CONTENT_UNEXPECTED;
	}
	reason = judge_code(spec, root, why);
	json_decref(root);
	return reason;
}
