/* SPDX-License-Identifier: MIT */
/*
 * exec/call.h: what the readers of requests share, that of tend-exec and that of tend-spawn: which
 * call it is, and that it has no key but its own. Pure; owns nothing; fails with -ENOENT, or
 * -EINVAL and a text.
 */
#ifndef EXEC_CALL_H
#define EXEC_CALL_H

#include <jansson.h>
#include <tend/error.h>

/* `names` ends with NULL; its place in them, or -ENOENT. */
int call_find(const char *const *names, const char *name);
/* `keys` ends with NULL; one of `args` that is not among them is refused. */
int call_check_keys(
	const char *call, const char *const *keys, const json_t *args, struct tend_error *err);

#endif
