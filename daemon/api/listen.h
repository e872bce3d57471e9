/* SPDX-License-Identifier: MIT */
/*
 * api/listen.h: the listening sockets. The unix socket is made in the run folder with mode 0666
 * (roles decide, not the mode); a file left by a daemon that is gone is replaced, one that somebody
 * answers on is never touched. TCP is for loopback addresses only. The caller closes the fd; both
 * calls are for start-up and reload and do not block.
 */
#ifndef API_LISTEN_H
#define API_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <tend/error.h>

struct listen_file { /* the socket file that is ours, so that we never remove another's */
	dev_t dev;
	ino_t ino;
};

/* -EADDRINUSE: another tendd is listening there; -EEXIST: it is no socket. */
int listen_unix(
	const char *path, struct tend_error *err, struct listen_file *ret_file, int *ret_fd);
void listen_unix_remove(const char *path, const struct listen_file *file);

struct listen_address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len;
};
/* "127.0.0.1:9273" or "[::1]:9273"; -EINVAL with the reason when it is no loopback address. */
int listen_parse(const char *text, struct tend_error *err, struct listen_address *ret_address);
int listen_tcp(const struct listen_address *address, struct tend_error *err, int *ret_fd);

/* Is `host` (of a Host header) one that leads to `listen`? Names other than localhost are refused,
 * so that no foreign name can be pointed at us (DNS rebinding). */
bool listen_host_allowed(const char *listen, const char *host);
bool listen_origin_allowed(const char *listen, const char *origin);

#endif
