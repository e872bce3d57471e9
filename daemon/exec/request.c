/* SPDX-License-Identifier: MIT */
#include "exec/argv.h"
#include "exec/request.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "exec/call.h"

const char *const request_call_names[REQUEST_CALL_MAX + 1] = {
	[REQUEST_HELLO] = "hello",
	[REQUEST_UNIT] = "unit",
	[REQUEST_COMMAND] = "command",
	[REQUEST_SQL] = "sql",
	[REQUEST_ATTACH] = "attach",
	[REQUEST_INSPECT] = "inspect",
};

/* The keys a call takes; one that is not here is refused. */
static const char *const keys[REQUEST_CALL_MAX][10] = {
	[REQUEST_HELLO] = {NULL},
	[REQUEST_UNIT] = {"id", "verb", "unit", "why", "fence", "seen", "min_up_msec", "hold",
		NULL},
	[REQUEST_COMMAND] = {"id", "command", "args", "why", "fence", "hold", "risk", NULL},
	[REQUEST_SQL] = {"id", "sql", "component", "args", "why", "fence", "hold", "risk", NULL},
	[REQUEST_ATTACH] = {"id", NULL},
	[REQUEST_INSPECT] = {"unit", NULL},
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
		return tend_error_set(
			err, -EINVAL, "'verb' must be one of start, stop, restart, reload");
	request->verb = (enum exec_verb)verb;
	return 0;
}

static int get_args(const json_t *args, struct request *request, struct tend_error *err)
{
	request->args = json_object_get(args, "args");
	if (!json_is_object(request->args) || json_object_size(request->args) > ARGV_MAX_PARAMS)
		return tend_error_set(err, -EINVAL,
			"'args' must be an object of at most %d parameters", ARGV_MAX_PARAMS);
	return 0;
}

/* {"lock":TEXT,"token":INT}, both and nothing else. */
static int get_fence(const json_t *args, struct request *request, struct tend_error *err)
{
	const json_t *fence = json_object_get(args, "fence");
	const json_t *lock = json_object_get(fence, "lock"),
		     *token = json_object_get(fence, "token");

	if (!fence)
		return 0;
	if (!json_is_object(fence) || json_object_size(fence) != 2 || !json_is_integer(token) ||
		json_integer_value(token) < 1 || !json_is_string(lock) ||
		strlen(json_string_value(lock)) != json_string_length(lock) ||
		!fence_lock_valid(json_string_value(lock)))
		return tend_error_set(err, -EINVAL,
			"'fence' must have a 'lock' (a-z, 0-9, -, _, .; at most %d) and a "
			"'token', a whole number from 1",
			FENCE_MAX_NAME_BYTES);
	(void)snprintf(
		request->fence.lock, sizeof(request->fence.lock), "%s", json_string_value(lock));
	request->fence.token = (uint64_t)json_integer_value(token);
	return 0;
}

static int get_min_up(const json_t *args, struct request *request, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "min_up_msec");
	json_int_t msec = json_integer_value(value);

	if (!value)
		return 0;
	if (!json_is_integer(value) || msec < 0 || msec > REQUEST_MAX_MIN_UP_MSEC)
		return tend_error_set(err, -EINVAL,
			"'min_up_msec' must be a whole number within 0..%d",
			REQUEST_MAX_MIN_UP_MSEC);
	request->min_up = (usec_t)msec * USEC_PER_MSEC;
	return 0;
}

static int get_seen(const json_t *args, struct request *request, struct tend_error *err)
{
	const json_t *seen = json_object_get(args, "seen");
	const char *text = json_string_value(seen);

	if (!seen)
		return 0;
	if (!text || strlen(text) != json_string_length(seen) ||
		strspn(text, "0123456789abcdef") != strlen(text) ||
		(*text && strlen(text) != INVOCATION_BYTES - 1))
		return tend_error_set(
			err, -EINVAL, "'seen' must be an InvocationID, 32 hex digits, or \"\"");
	request->has_seen = true;
	(void)snprintf(request->seen, sizeof(request->seen), "%s", text);
	return 0;
}

static int get_risk(const json_t *args, struct request *request, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "risk");
	const char *text = json_string_value(value);
	int risk = text ? call_find(exec_risk_names, text) : -EINVAL;

	if (!value)
		return 0;
	if (risk < 0)
		return tend_error_set(
			err, -EINVAL, "'risk' must be one of observe, change, destroy");
	request->has_risk = true;
	request->risk = (enum exec_risk)risk;
	return 0;
}

static bool are_logins(const json_t *names)
{
	size_t i;
	const json_t *name;

	if (!json_is_array(names) || json_array_size(names) > REQUEST_MAX_LOGINS)
		return false;
	json_array_foreach (names, i, name)
		if (!json_is_string(name) || json_string_length(name) == 0 ||
			strlen(json_string_value(name)) != json_string_length(name))
			return false;
	return true;
}

/* {"dpkg":BOOL,"login":[TEXT...]}, any of them and nothing else. */
static int get_hold(const json_t *args, struct request *request, struct tend_error *err)
{
	const json_t *hold = json_object_get(args, "hold");
	const json_t *dpkg = json_object_get(hold, "dpkg"), *login = json_object_get(hold, "login");

	if (!hold)
		return 0;
	if (!json_is_object(hold) ||
		json_object_size(hold) != (dpkg ? 1u : 0u) + (login ? 1u : 0u) ||
		(dpkg && !json_is_boolean(dpkg)) || (login && !are_logins(login)))
		return tend_error_set(err, -EINVAL,
			"'hold' may have 'dpkg', a boolean, and 'login', a list of at most %d "
			"users and @groups",
			REQUEST_MAX_LOGINS);
	request->hold_on_dpkg = json_is_true(dpkg);
	request->hold_on_login = login;
	return 0;
}

/* What an action is on: one key, or for a statement two. */
static int get_object(const json_t *args, struct request *request, struct tend_error *err)
{
	static const char *const names[REQUEST_CALL_MAX] = {
		[REQUEST_UNIT] = "unit",
		[REQUEST_COMMAND] = "command",
		[REQUEST_SQL] = "sql",
		[REQUEST_INSPECT] = "unit",
	};
	const char *name = names[request->call];
	int r = name ? get_text(args, name, sizeof(request->name), request->name, err) : 0;

	if (r == 0 && request->call == REQUEST_SQL)
		r = get_text(
			args, "component", sizeof(request->component), request->component, err);
	if (r == 0 && request->call == REQUEST_UNIT)
		r = get_verb(args, request, err);
	if (r == 0 && (request->call == REQUEST_COMMAND || request->call == REQUEST_SQL))
		r = get_args(args, request, err);
	return r;
}

int request_parse(
	const char *call, const json_t *args, struct request *ret_request, struct tend_error *err)
{
	struct request request = {0};
	int r, found = call_find(request_call_names, call);

	if (found < 0)
		return tend_error_set(err, -EINVAL,
			"'%.64s' is not a call of tend-exec (hello, unit, command, sql, attach, "
			"inspect)",
			call);
	request.call = (enum request_call)found;
	if (!json_is_object(args) && !(found == REQUEST_HELLO && json_is_null(args)))
		return tend_error_set(err, -EINVAL, "%s: its arguments must be an object", call);
	r = call_check_keys(call, keys[request.call], args, err);
	if (r == 0 && found != REQUEST_HELLO && found != REQUEST_INSPECT)
		r = get_id(args, &request, err);
	if (r == 0)
		r = get_object(args, &request, err);
	if (r == 0)
		r = get_why(args, &request, err);
	if (r == 0)
		r = get_fence(args, &request, err);
	if (r == 0)
		r = get_seen(args, &request, err);
	if (r == 0)
		r = get_min_up(args, &request, err);
	if (r == 0)
		r = get_risk(args, &request, err);
	if (r == 0)
		r = get_hold(args, &request, err);
	if (r < 0)
		return r;
	*ret_request = request;
	return 0;
}
