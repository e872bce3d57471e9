/* SPDX-License-Identifier: MIT */
#include "exec/spawn/request.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "exec/argv.h"
#include "exec/call.h"

const char *const spawn_call_names[SPAWN_CALL_MAX + 1] = {
	[SPAWN_HELLO] = "hello",
	[SPAWN_RUN] = "run",
	[SPAWN_CANCEL] = "cancel",
	[SPAWN_ICMP] = "icmp",
};

/* The keys a call takes; one that is not here is refused. */
static const char *const keys[SPAWN_CALL_MAX][9] = {
	[SPAWN_HELLO] = {NULL},
	[SPAWN_RUN] = {"id", "argv", "command", "look", "args", "timeout_msec", "output_max",
		"stdin", NULL},
	[SPAWN_CANCEL] = {"id", NULL},
	[SPAWN_ICMP] = {"family", NULL},
};

static int get_id(const json_t *args, const char **ret_id, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "id");
	const char *id = json_string_value(value);
	size_t n = json_string_length(value);

	if (!id || n == 0 || n > SPAWN_MAX_ID_BYTES || strlen(id) != n)
		return tend_error_set(
			err, -EINVAL, "'id' is a text of 1 to %d characters", SPAWN_MAX_ID_BYTES);
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return tend_error_set(
				err, -EINVAL, "'id' has letters, digits, '-' and '_' only");
	*ret_id = id;
	return 0;
}

static int check_program(const char *path, struct tend_error *err)
{
	if (path[0] != '/')
		return tend_error_set(
			err, -EINVAL, "the program '%.200s' is no absolute path", path);
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		size_t n = strcspn(p + 1, "/");

		if (n == 0 || (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return tend_error_set(err, -EINVAL,
				"the program '%.200s' has an empty step, '.' or '..' in its path",
				path);
	}
	return 0;
}

static int get_argv(const json_t *args, struct spawn_request *request, struct tend_error *err)
{
	const json_t *argv = json_object_get(args, "argv");
	size_t n = json_array_size(argv), total = 0;

	if (!json_is_array(argv) || n == 0 || n > SPAWN_MAX_ARGS)
		return tend_error_set(
			err, -EINVAL, "'argv' is a list of 1 to %d texts", SPAWN_MAX_ARGS);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(argv, i);
		const char *text = json_string_value(value);
		size_t len = json_string_length(value);

		if (!text || strlen(text) != len)
			return tend_error_set(err, -EINVAL, "argv[%zu] is not a text", i);
		total += len + 1;
		if (len > SPAWN_MAX_ARG_BYTES || total > SPAWN_MAX_ARGV_BYTES)
			return tend_error_set(err, -EINVAL,
				"argv[%zu]: an argument has at most %d bytes, all of them %d", i,
				SPAWN_MAX_ARG_BYTES, SPAWN_MAX_ARGV_BYTES);
		request->argv[i] = text;
	}
	return check_program(request->argv[0], err);
}

static int get_number(const json_t *args, const char *key, json_int_t min, json_int_t max,
	json_int_t *ret_number, struct tend_error *err)
{
	const json_t *value = json_object_get(args, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < min || number > max)
		return tend_error_set(err, -EINVAL,
			"'%s' is a number from %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
			key, min, max);
	*ret_number = number;
	return 0;
}

static int get_stdin(const json_t *args, const char **ret_text, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "stdin");
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (!text || strlen(text) != json_string_length(value) ||
		json_string_length(value) > SPAWN_MAX_STDIN_BYTES)
		return tend_error_set(err, -EINVAL, "'stdin' is a text of at most %d bytes",
			SPAWN_MAX_STDIN_BYTES);
	*ret_text = text;
	return 0;
}

static int get_command(const json_t *args, struct spawn_request *request, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "command");
	const char *name = json_string_value(value);

	if (json_object_get(args, "argv"))
		return tend_error_set(err, -EINVAL, "there is 'argv' or 'command', not both");
	if (!name || strlen(name) != json_string_length(value) || !command_name_valid(name) ||
		!*name)
		return tend_error_set(err, -EINVAL, "'command' is the name of a command");
	request->command = name;
	request->args = json_object_get(args, "args");
	if (!json_is_object(request->args) || json_object_size(request->args) > ARGV_MAX_PARAMS)
		return tend_error_set(err, -EINVAL, "'args' is an object of at most %d parameters",
			ARGV_MAX_PARAMS);
	return 0;
}

/* What tend-look makes of its arguments is its own affair: here they are data. */
static int get_look(const json_t *args, struct spawn_request *request, struct tend_error *err)
{
	const json_t *value = json_object_get(args, "look");
	const char *kind = json_string_value(value);

	if (json_object_get(args, "argv") || json_object_get(args, "command"))
		return tend_error_set(
			err, -EINVAL, "there is 'argv', 'command' or 'look', not two of them");
	if (!kind || strlen(kind) != json_string_length(value) || !*kind ||
		strlen(kind) > SPAWN_MAX_LOOK_BYTES ||
		kind[strspn(kind, "abcdefghijklmnopqrstuvwxyz")])
		return tend_error_set(err, -EINVAL, "'look' is the name of a kind");
	request->look = kind;
	request->args = json_object_get(args, "args");
	if (!json_is_object(request->args) || json_object_get(args, "stdin"))
		return tend_error_set(
			err, -EINVAL, "'args' is an object, and a look takes no 'stdin'");
	return 0;
}

static int get_program(const json_t *args, struct spawn_request *request, struct tend_error *err)
{
	if (json_object_get(args, "look"))
		return get_look(args, request, err);
	if (json_object_get(args, "command"))
		return get_command(args, request, err);
	if (json_object_get(args, "args"))
		return tend_error_set(err, -EINVAL, "'args' are of a 'command' or a 'look'");
	return get_argv(args, request, err);
}

static int parse_run(const json_t *args, struct spawn_request *request, struct tend_error *err)
{
	json_int_t timeout = 0, output_max = 0;
	int r = get_program(args, request, err);

	if (r == 0)
		r = get_number(args, "timeout_msec",
			(json_int_t)(SPAWN_MIN_TIMEOUT_USEC / USEC_PER_MSEC),
			(json_int_t)(SPAWN_MAX_TIMEOUT_USEC / USEC_PER_MSEC), &timeout, err);
	if (r == 0)
		r = get_number(args, "output_max", 0, SPAWN_MAX_OUTPUT_BYTES, &output_max, err);
	if (r == 0)
		r = get_stdin(args, &request->stdin_text, err);
	request->timeout = (usec_t)timeout * USEC_PER_MSEC;
	request->output_max_bytes = (size_t)output_max;
	return r;
}

static int get_family(const json_t *args, int *ret_family, struct tend_error *err)
{
	const char *family = json_string_value(json_object_get(args, "family"));

	if (!family || (strcmp(family, "ipv4") != 0 && strcmp(family, "ipv6") != 0))
		return tend_error_set(err, -EINVAL, "'family' is ipv4 or ipv6");
	*ret_family = strcmp(family, "ipv4") == 0 ? AF_INET : AF_INET6;
	return 0;
}

int spawn_request_parse(const char *call, const json_t *args, struct spawn_request *ret_request,
	struct tend_error *err)
{
	struct spawn_request request = {0};
	int r = call_find(spawn_call_names, call);

	if (r < 0)
		return tend_error_set(err, -EINVAL, "'%.64s' is no call", call);
	request.call = (enum spawn_call)r;
	if (!json_is_object(args) && (request.call != SPAWN_HELLO || !json_is_null(args)))
		return tend_error_set(err, -EINVAL, "the arguments are no object");
	r = call_check_keys(call, keys[request.call], args, err);
	if (r == 0 && request.call == SPAWN_ICMP)
		r = get_family(args, &request.family, err);
	else if (r == 0 && request.call != SPAWN_HELLO)
		r = get_id(args, &request.id, err);
	if (r == 0 && request.call == SPAWN_RUN)
		r = parse_run(args, &request, err);
	if (r == 0)
		*ret_request = request;
	return r;
}
