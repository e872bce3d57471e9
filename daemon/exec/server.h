/* SPDX-License-Identifier: MIT */
/*
 * exec/server.h: the sockets of tend-exec. On its own one a connection is not read before PID 1 has
 * said that its peer is the main process of tendd.service, now, and runs as the user tend;
 * everything else is closed unheard, and logged. When tendd has a new main process, connections of
 * the old one are closed. On the one for other hosts the peer is `tend-exec --stdio`, run by sshd
 * as the user tend-remote for a key that may do nothing else. Frees: server_free(). Never blocks.
 */
#ifndef EXEC_SERVER_H
#define EXEC_SERVER_H

#include "exec/jobs.h"

enum { SERVER_MAX_CONNECTIONS = 16 };
#define SERVER_REMOTE_USER   "tend-remote"
#define SERVER_REMOTE_SOCKET "/run/tend-exec/remote.sock"
#define SERVER_REMOTE_NAME   "remote" /* of the descriptor, in tend-exec-remote.socket */

struct server;

/* Takes the listening socket over. `remote`: the one for other hosts. */
int server_new(struct loop *loop, int fd, bool remote, struct pid1 *pid1, struct jobs *jobs,
	struct server **ret_server);
struct server *server_free(struct server *server);
DEFINE_AUTO(struct server *, server_free)

/* What may be done has changed: whoever is connected hears that and says hello again. NULL is fine.
 */
void server_tell_manifest(struct server *server);

/* A socket of our own at `path`, mode 0660; one that nobody listens on any more is replaced. */
int server_listen(const char *path, int *ret_fd, struct tend_error *err);

#endif
