/* SPDX-License-Identifier: MIT */
/*
 * api/api.h: HTTP and JSON on the unix socket (roles by peer credentials) and, if configured, on
 * loopback TCP (bearer token); /metrics, /healthz. Reads the parts' structs on the loop; computes
 * no state of its own. Never blocks; at most 64 connections, 1 MiB a request body.
 */
#ifndef API_API_H
#define API_API_H

#include "manager.h"

struct api;
int api_new(struct manager *manager, struct tend_error *err,
	struct api **ret_api); /* a live socket of another daemon: -EADDRINUSE */
struct api *api_free(struct api *api);
DEFINE_AUTO(struct api *, api_free)
int api_apply(struct api *api, struct conf *conf);
/* A check is well again: what users had reported of its component is over with it, when nothing
 * else fails in that incident. */
void api_feedback_look(struct manager *manager, const struct check *check);

#endif
