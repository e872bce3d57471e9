/* SPDX-License-Identifier: MIT */
/*
 * api/server.h: the glue to libmicrohttpd: one daemon on one listening socket, on its epoll fd in
 * our loop, run after every event and whenever MHD_get_timeout() says so. Owns the socket and the
 * requests under way; hands each complete request to one function. At most 64 connections, 1 MiB a
 * body, 30 s of silence. Never blocks. Frees: server_free() ends what is under way.
 */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "api/request.h"
#include "loop/loop.h"

struct server;

struct server_calls {
	/* The headers are there, the body is not: fill role and uid; a request that is refused here
	 * is answered here. Returns false then. */
	bool (*admit)(struct request *request, const char *method, int fd, void *data);
	void (*dispatch)(struct request *request, void *data);
	void *data;
};

/* Takes over `fd`, also on failure. */
int server_new(struct loop *loop, int fd, enum request_origin origin,
	const struct server_calls *calls, struct server **ret_server);
struct server *server_free(struct server *server);
DEFINE_AUTO(struct server *, server_free)

/* For request.c. */
void server_resume(struct request *request);
void server_forget(struct request *request);

#endif
