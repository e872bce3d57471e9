/* SPDX-License-Identifier: MIT */
/*
 * ctl/policy.h: arguments of `tendctl policy run` as a request: at most one target, key=value
 * pairs. Values go as text; the daemon knows the types. Pure; the caller frees.
 */
#ifndef CTL_POLICY_H
#define CTL_POLICY_H

#include <jansson.h>
#include <tend/error.h>

int policy_request(char *const *args, int n_args, struct tend_error *err, json_t **ret_body);

#endif
