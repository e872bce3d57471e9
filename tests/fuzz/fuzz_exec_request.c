/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a line of a peer of tend-exec: JSON, request, and for a command the arguments against a
 * manifest with a parameter of each type. Invariants: what is let through has an id that is a file
 * name and nothing more, a name within its bound, a one-line why; and arguments that no option
 * parser takes for an option, without control characters; values of a statement that are texts
 * within their bounds; a fence whose lock is a file name and nothing more.
 * Parser: daemon/exec/request.c, daemon/exec/argv.c, daemon/exec/call.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "exec/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "[command c]\n"
			   "argv =\n\t/bin/x\n\t{a}\n\t{b}\n\t{c}\n\t{d}\n"
			   "user = root\n"
			   "param.a = enum red, green\n"
			   "param.b = int 1..100\n"
			   "param.c = pattern [a-z .$%-]*\n"
			   "param.d = path /etc\n"
			   "[command one]\n"
			   "argv =\n\t/bin/x\n\t{c}\n"
			   "user = root\n"
			   "param.c = pattern (.|..)*\n"
			   "[command file]\n"
			   "argv =\n\t/bin/x\n\t{d}\n"
			   "user = root\n"
			   "param.d = path /etc\n"
			   "[sql s]\n"
			   "statement = update t set a = {a} where b = {b} and c = {c}\n"
			   "param.a = enum red, green\n"
			   "param.b = int 1..100\n"
			   "param.c = pattern [a-z .$%-]*\n";

static void check_argv(const struct command_rule *rule, char *const *argv)
{
	for (size_t i = 1; argv[i]; i++) {
		assert(*argv[i] && *argv[i] != '-');
		assert(strlen(argv[i]) <= 2 * PARAM_MAX_PATH_BYTES);
		assert(str_utf8_valid(argv[i], strlen(argv[i])));
		assert(!strpbrk(argv[i], "\n\r\t\x1b\x01\x7f") && !strstr(argv[i], "\xc2\x9b"));
		if (strcmp(rule->argv[i], "{d}") == 0)
			assert(str_startswith(argv[i], "/etc/") && !strstr(argv[i], "/../") &&
				!str_endswith(argv[i], "/.."));
	}
}

static void check_values(const struct sql_rule *rule, const json_t *values)
{
	assert(json_array_size(values) == rule->n_params);
	for (size_t i = 0; i < rule->n_params; i++) {
		const char *value = json_string_value(json_array_get(values, i));

		assert(value && *value && strlen(value) <= PARAM_MAX_VALUE_BYTES);
	}
}

static void check_fence(const struct request *request)
{
	const char *lock = request->fence.lock;

	assert(!request->has_seen || strlen(request->seen) == 0 || strlen(request->seen) == 32);
	if (!*lock)
		return;
	assert(request->call == REQUEST_UNIT || request->call == REQUEST_COMMAND ||
		request->call == REQUEST_SQL);
	assert(strlen(lock) <= FENCE_MAX_NAME_BYTES && *lock != '.' && !strchr(lock, '/'));
	assert(request->fence.token >= 1 && request->fence.token <= INT64_MAX);
}

static void check_request(const struct request *request, const struct manifest *manifest)
{
	const struct sql_rule *sql;
	auto_json json_t *values = NULL;
	const struct command_rule *rule;
	auto(strv_free) char **argv = NULL;

	assert(!strchr(request->why, '\n') && strlen(request->why) <= REQUEST_MAX_WHY_BYTES);
	check_fence(request);
	if (request->call == REQUEST_HELLO || request->call == REQUEST_INSPECT)
		return;
	assert(strlen(request->id) == 36 && strspn(request->id, "0123456789abcdef-") == 36);
	(void)request_id_time(request->id);
	if (request->call == REQUEST_ATTACH)
		return;
	assert(*request->name && strlen(request->name) <= MANIFEST_MAX_NAME_BYTES);
	sql = request->call == REQUEST_SQL ? map_get(&manifest->sql, request->name) : NULL;
	if (sql && sql_values(sql, request->args, &values, NULL) == 0)
		check_values(sql, values);
	if (request->call != REQUEST_COMMAND)
		return;
	rule = map_get(&manifest->commands, request->name);
	if (rule && command_argv(rule, request->args, &argv, NULL) == 0)
		check_argv(rule, argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manifest *manifest;
	struct request request;

	if (!manifest)
		assert(manifest_parse(text, strlen(text), NULL, &manifest) == 0);
	auto_json json_t *message =
		json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *call = json_string_value(json_object_get(message, "call"));
	const json_t *args = json_object_get(message, "args");
	if (call && request_parse(call, args ? args : json_null(), &request, NULL) == 0)
		check_request(&request, manifest);
	return 0;
}
