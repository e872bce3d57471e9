/* SPDX-License-Identifier: MIT */
#include "exec/request.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "base/str.h"

const char *const request_call_names[REQUEST_CALL_MAX + 1] = {
	[REQUEST_HELLO] = "hello",
	[REQUEST_UNIT] = "unit",
	[REQUEST_COMMAND] = "command",
	[REQUEST_ATTACH] = "attach",
};

/* The keys a call takes; one that is not here is refused. */
static const char *const keys[REQUEST_CALL_MAX][6] = {
	[REQUEST_HELLO] = {NULL},
	[REQUEST_UNIT] = {"id", "verb", "unit", "why", NULL},
	[REQUEST_COMMAND] = {"id", "command", "args", "why", NULL},
	[REQUEST_ATTACH] = {"id", NULL},
};

/* The names of ledger files: one spelling of an id only, else one id could begin twice. */
static bool id_valid(const char *id)
{
	if (!uuid_valid(id))
		return false;
	for (const char *p = id; *p; p++)
		if (isupper((unsigned char)*p))
			return false;
	return true;
}

usec_t request_id_time(const char *id)
{
	uint64_t msec = 0;

	if (id[14] != '7')
		return 0;
	for (int i = 0; i < 13; i++) {
		char c = id[i];

		if (c != '-')
			msec = msec << 4 |
			       (uint64_t)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
	}
	return msec * USEC_PER_MSEC;
}

static int find_call(const char *name)
{
	for (int i = 0; i < REQUEST_CALL_MAX; i++)
		if (strcmp(request_call_names[i], name) == 0)
			return i;
	return -ENOENT;
}

static int check_keys(enum request_call call, const json_t *args, struct tend_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)args, key, value) {
		bool known = false;

		for (size_t i = 0; keys[call][i]; i++)
			known = known || strcmp(keys[call][i], key) == 0;
		if (!known)
			return tend_error_set(err, -EINVAL, "%s: '%.64s' is not one of its keys",
				request_call_names[call], key);
	}
	return 0;
}

/* A string without a NUL inside, that fits. */
static int get_text(
	const json_t *args, const char *key, size_t size, char *ret_text, struct tend_error *err)
{
	const json_t *value = json_object_get(args, key);
	const char *text = json_string_value(value);

	if (!text || strlen(text) != json_string_length(value) || !*text || strlen(text) >= size)
		return tend_error_set(
			err, -EINVAL, "'%s' must be a string of 1 to %zu bytes", key, size - 1);
	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}

static int get_id(const json_t *args, struct request *request, struct tend_error *err)
{
	int r = get_text(args, "id", sizeof(request->id), request->id, err);

	if (r < 0 || !id_valid(request->id))
		return tend_error_set(err, -EINVAL, "'id' must be a UUID in lower case");
	return 0;
}

static int get_why(const json_t *args, struct request *request, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "why");

	if (!value)
		return 0;
	if (!json_is_string(value))
		return tend_error_set(err, -EINVAL, "'why' must be a string");
	str_sanitize(request->why, sizeof(request->why), json_string_value(value),
		json_string_length(value));
	return 0;
}

static int get_verb(const json_t *args, struct request *request, struct tend_error *err)
{
	char text[16];
	int verb, r = get_text(args, "verb", sizeof(text), text, err);

	if (r < 0)
		return r;
	verb = exec_verb_from_name(text);
	if (verb < 0)
		return tend_error_set(err, -EINVAL, "'verb' must be one of start, stop, restart");
	request->verb = (enum exec_verb)verb;
	return 0;
}

static int get_args(const json_t *args, struct request *request, struct tend_error *err)
{
	request->args = json_object_get(args, "args");
	if (!json_is_object(request->args) || json_object_size(request->args) > MANIFEST_MAX_PARAMS)
		return tend_error_set(err, -EINVAL,
			"'args' must be an object of at most %d parameters", MANIFEST_MAX_PARAMS);
	return 0;
}

int request_parse(
	const char *call, const json_t *args, struct request *ret_request, struct tend_error *err)
{
	struct request request = {0};
	int r, found = find_call(call);

	if (found < 0)
		return tend_error_set(err, -EINVAL,
			"'%.64s' is not a call of tend-exec (hello, unit, command, attach)", call);
	request.call = (enum request_call)found;
	if (!json_is_object(args) && !(found == REQUEST_HELLO && json_is_null(args)))
		return tend_error_set(err, -EINVAL, "%s: its arguments must be an object", call);
	r = check_keys(request.call, args, err);
	if (r == 0 && found != REQUEST_HELLO)
		r = get_id(args, &request, err);
	if (r == 0 && found == REQUEST_UNIT)
		r = get_verb(args, &request, err);
	if (r == 0 && found == REQUEST_UNIT)
		r = get_text(args, "unit", sizeof(request.name), request.name, err);
	if (r == 0 && found == REQUEST_COMMAND)
		r = get_text(args, "command", sizeof(request.name), request.name, err);
	if (r == 0 && found == REQUEST_COMMAND)
		r = get_args(args, &request, err);
	if (r == 0)
		r = get_why(args, &request, err);
	if (r < 0)
		return r;
	*ret_request = request;
	return 0;
}
