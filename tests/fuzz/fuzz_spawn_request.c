/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a line of a peer of tend-spawn. Invariants: what is let through has an id without
 * anything but letters, digits, '-' and '_'; a program by an absolute path without '.', '..' and
 * empty steps; arguments without NUL, within their number; times and sizes within their bounds.
 * Parser: daemon/exec/spawn/request.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "exec/spawn/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_program(const char *path)
{
	size_t n = strlen(path);

	assert(n > 1 && path[0] == '/' && path[n - 1] != '/');
	assert(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
	assert(n < 2 || strcmp(path + n - 2, "/.") != 0);
	assert(n < 3 || strcmp(path + n - 3, "/..") != 0);
}

static void check(const struct spawn_request *request)
{
	size_t n = 0;

	if (request->call == SPAWN_HELLO)
		return;
	assert(strlen(request->id) >= 1 && strlen(request->id) <= SPAWN_MAX_ID_BYTES);
	assert(!strpbrk(request->id, "/. \n"));
	if (request->call == SPAWN_CANCEL)
		return;
	while (request->argv[n])
		assert(strlen(request->argv[n++]) <= SPAWN_MAX_ARG_BYTES);
	if (request->command) {
		assert(n == 0 && json_is_object(request->args));
		assert(*request->command && !strpbrk(request->command, "/ \n"));
	} else if (request->look) {
		assert(n == 0 && json_is_object(request->args) && !request->stdin_text);
		assert(*request->look && strlen(request->look) <= SPAWN_MAX_LOOK_BYTES);
		assert(strspn(request->look, "abcdefghijklmnopqrstuvwxyz") ==
			strlen(request->look));
	} else {
		assert(n >= 1 && n <= SPAWN_MAX_ARGS);
		check_program(request->argv[0]);
	}
	assert(request->timeout >= SPAWN_MIN_TIMEOUT_USEC);
	assert(request->timeout <= SPAWN_MAX_TIMEOUT_USEC);
	assert(request->output_max_bytes <= SPAWN_MAX_OUTPUT_BYTES);
	assert(!request->stdin_text || strlen(request->stdin_text) <= SPAWN_MAX_STDIN_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spawn_request request;
	auto_json json_t *message =
		json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *call = json_string_value(json_object_get(message, "call"));
	const json_t *args = json_object_get(message, "args");

	if (call && spawn_request_parse(call, args ? args : json_null(), &request, NULL) == 0)
		check(&request);
	return 0;
}
