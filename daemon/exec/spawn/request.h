/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/request.h: what may be said to tend-spawn, as plain data. Pure; strings of a request
 * are borrowed from the arguments it was parsed from. Fails with -EINVAL and a text.
 */
#ifndef EXEC_SPAWN_REQUEST_H
#define EXEC_SPAWN_REQUEST_H

#include <jansson.h>
#include <tend/error.h>
#include <tend/option.h>

enum {
	SPAWN_MAX_ID_BYTES = 64,
	SPAWN_MAX_ARGS = 64,	    /* the program's path included */
	SPAWN_MAX_ARG_BYTES = 8192, /* of each */
	SPAWN_MAX_ARGV_BYTES = 32768,
	SPAWN_MAX_STDIN_BYTES = 65536,
	SPAWN_MAX_LOOK_BYTES = 32,
	SPAWN_MAX_OUTPUT_BYTES = 65536, /* of each of the two outputs */
};
#define SPAWN_MIN_TIMEOUT_USEC (50 * USEC_PER_MSEC)
#define SPAWN_MAX_TIMEOUT_USEC (600 * USEC_PER_SEC)

enum spawn_call { SPAWN_HELLO, SPAWN_RUN, SPAWN_CANCEL, SPAWN_ICMP, SPAWN_CALL_MAX };
extern const char *const spawn_call_names[SPAWN_CALL_MAX + 1];

struct spawn_request {
	enum spawn_call call;
	const char *id;
	const char *argv[SPAWN_MAX_ARGS + 1]; /* of a run; argv[0] NULL: one of the next two */
	const char *command;		      /* [command NAME] of spawn.conf */
	const char *look;		      /* or a kind of tend-look */
	const json_t *args;		      /* an object; parameters of either */
	usec_t timeout;
	size_t output_max_bytes;
	const char *stdin_text; /* NULL: /dev/null */
	int family;		/* of an icmp: AF_INET, AF_INET6 */
};

int spawn_request_parse(const char *call, const json_t *args, struct spawn_request *ret_request,
	struct tend_error *err);

#endif
