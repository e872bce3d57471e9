/* SPDX-License-Identifier: MIT */
/*
 * flow/compose.h: a request as the script asks for it, with its secrets filled in. Pure. What it
 * puts into the request is request_clear()'s to wipe and free, also when it fails.
 */
#ifndef FLOW_COMPOSE_H
#define FLOW_COMPOSE_H

#include "flow.h"

/* -EINVAL and the like, with the text in err. */
int compose(const struct secrets *secrets, const json_t *args, struct flow_request *q,
	struct tend_error *err);
bool compose_is_url(const char *url);
bool compose_same_origin(const char *a, const char *b);

#endif
