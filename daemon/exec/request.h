/* SPDX-License-Identifier: MIT */
/*
 * exec/request.h: what a peer may say to tend-exec: hello, unit, command, sql, attach, inspect.
 * Pure: JSON in, a checked struct out; nothing is trusted, nothing unknown is let through. `args`
 * is borrowed from the JSON. Fuzzed (tests/fuzz/fuzz_exec_request.c). Fails with -EINVAL and a
 * text.
 */
#ifndef EXEC_REQUEST_H
#define EXEC_REQUEST_H

#include <jansson.h>
#include <tend/error.h>
#include "base/uuid.h"
#include "exec/fence.h"
#include "exec/manifest.h"
#include "exec/record.h"

enum request_call {
	REQUEST_HELLO,
	REQUEST_UNIT,
	REQUEST_COMMAND,
	REQUEST_SQL, /* may this statement be run now? It is the caller who runs it. */
	REQUEST_ATTACH,
	REQUEST_INSPECT,
	REQUEST_CALL_MAX
};
extern const char *const request_call_names[REQUEST_CALL_MAX + 1];

enum {
	REQUEST_MAX_WHY_BYTES = 500,
	REQUEST_MAX_COMPONENT_BYTES = 130,
	REQUEST_MAX_LOGINS = 64,
	REQUEST_MAX_MIN_UP_MSEC = 7 * 86400 * 1000,
};

struct request {
	enum request_call call;
	char id[UUID_TEXT_BYTES];			 /* all but hello and inspect */
	enum exec_verb verb;				 /* unit */
	char name[MANIFEST_MAX_NAME_BYTES + 1];		 /* of the unit, command, statement */
	char why[REQUEST_MAX_WHY_BYTES + 1];		 /* escaped; "" if none was given */
	const json_t *args;				 /* command, sql: an object, never NULL */
	char component[REQUEST_MAX_COMPONENT_BYTES + 1]; /* sql: SYSTEM/COMPONENT */
	struct fence fence;				 /* unit, command, sql: .lock "" = none */
	bool has_seen;					 /* unit */
	char seen[INVOCATION_BYTES]; /* "" = it had no InvocationID when it was looked at */
	usec_t min_up;		     /* unit: 0 = it may have come up just now */
	bool has_risk;		     /* command, sql */
	enum exec_risk risk;	     /* what whoever asks believes of it, and was careful with */
	bool hold_on_dpkg;	     /* unit, command, sql: not while packages are installed */
	const json_t *hold_on_login; /* and not while these are here: texts; NULL = no matter */
};

int request_parse(
	const char *call, const json_t *args, struct request *ret_request, struct tend_error *err);

/* The wall-clock time inside an id of version 7; 0 for other versions. */
usec_t request_id_time(const char *id);

#endif
