/* SPDX-License-Identifier: MIT */
/*
 * exec/server.h: the socket of tend-exec. A connection is not read before PID 1 has said that its
 * peer is the main process of tendd.service, now, and runs as the user tend; everything else is
 * closed unheard, and logged. When tendd has a new main process, connections of the old one are
 * closed. Frees: server_free(). Never blocks.
 */
#ifndef EXEC_SERVER_H
#define EXEC_SERVER_H

#include "exec/jobs.h"

enum { SERVER_MAX_CONNECTIONS = 16 };
#define SERVER_PEER_UNIT "tendd.service"
#define SERVER_PEER_USER "tend"

struct server;

/* Takes the listening socket over. */
int server_new(struct loop *loop, int fd, struct pid1 *pid1, struct jobs *jobs,
	struct server **ret_server);
struct server *server_free(struct server *server);
DEFINE_AUTO(struct server *, server_free)

/* A socket of our own at `path`, mode 0660; one that nobody listens on any more is replaced. */
int server_listen(const char *path, int *ret_fd, struct tend_error *err);

#endif
