/* SPDX-License-Identifier: MIT */
/*
 * exec/ssh.h: one run of ssh as a way to a tend-exec (or tend-spawn) on another host: a child whose
 * standard input and output are a socket, and whose complaints are kept. No shell, no configuration
 * of a user, no agent, no forwarding, a known host key or none. Frees: ssh_link_free() tells the
 * child to go and reaps it when it has, without waiting. Never blocks.
 */
#ifndef EXEC_SSH_H
#define EXEC_SSH_H

#include "base/cleanup.h"
#include "loop/loop.h"

struct ssh_host {
	const char *address, *user, *identity_file, *known_hosts;
	int64_t port;
};
/* The argument vector; strv_free(). NULL: no memory. */
char **ssh_argv(const struct ssh_host *host);

struct ssh_link;

/* `ret_fd` is the caller's, non-blocking; end of file there is the end of the connection. */
int ssh_link_new(struct loop *loop, char *const *argv, struct ssh_link **ret_link, int *ret_fd);
struct ssh_link *ssh_link_free(struct ssh_link *link);
/* The last thing ssh said on its standard error, raw; "" if nothing. */
const char *ssh_link_said(struct ssh_link *link);

#endif
