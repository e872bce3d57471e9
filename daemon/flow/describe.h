/* SPDX-License-Identifier: MIT */
/*
 * flow/describe.h: what flow files declare, asked of tend-run; foreign code is run there only. Both
 * calls block, in a loop of their own, at most some seconds: for `tendd -t` and tools.
 */
#ifndef FLOW_DESCRIBE_H
#define FLOW_DESCRIBE_H

#include <jansson.h>
#include <tend/error.h>
#include "conf/conf.h"
#include "conf/errors.h"

/* A path or the name of a shipped flow -> {"doc","params":{NAME:{"doc","default","required",
 * "type"}},"secrets":{NAME:{"doc","required"}},"steps":[{"name","login"}],"cleanup":[...]}. */
int flow_describe(const char *libexec_dir, const char *lua_dir, const char *file,
	json_t **ret_declared, struct tend_error *err);
/* The files, parameters and secrets of all checks with `probe = flow`. */
int flow_check_all(const struct conf *conf, struct conf_errors *errors);

#endif
