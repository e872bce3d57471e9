/* SPDX-License-Identifier: MIT */
/*
 * exec/request.h: what a peer may say to tend-exec: hello, unit, command, attach. Pure: JSON in, a
 * checked struct out; nothing is trusted, nothing unknown is let through. `args` is borrowed from
 * the JSON. Fuzzed (tests/fuzz/fuzz_exec_request.c). Fails with -EINVAL and a text.
 */
#ifndef EXEC_REQUEST_H
#define EXEC_REQUEST_H

#include <jansson.h>
#include <tend/error.h>
#include "base/uuid.h"
#include "exec/manifest.h"

enum request_call {
	REQUEST_HELLO,
	REQUEST_UNIT,
	REQUEST_COMMAND,
	REQUEST_ATTACH,
	REQUEST_CALL_MAX
};
extern const char *const request_call_names[REQUEST_CALL_MAX + 1];

enum { REQUEST_MAX_WHY_BYTES = 500 };

struct request {
	enum request_call call;
	char id[UUID_TEXT_BYTES];		/* all but hello */
	enum exec_verb verb;			/* unit */
	char name[MANIFEST_MAX_NAME_BYTES + 1]; /* of the unit or the command */
	char why[REQUEST_MAX_WHY_BYTES + 1];	/* escaped; "" if none was given */
	const json_t *args;			/* command: an object, never NULL */
};

int request_parse(
	const char *call, const json_t *args, struct request *ret_request, struct tend_error *err);

/* The wall-clock time inside an id of version 7; 0 for other versions. */
usec_t request_id_time(const char *id);

#endif
