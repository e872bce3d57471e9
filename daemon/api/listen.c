/* SPDX-License-Identifier: MIT */
#include "api/listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

enum { LISTEN_BACKLOG = 64 };

static int unix_address(const char *path, struct tend_error *err, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return tend_error_set(err, -ENAMETOOLONG,
			"the socket's path '%s' is longer than the %zu bytes a socket can have",
			path, sizeof(address.sun_path) - 1);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	*ret_address = address;
	return 0;
}

/* Does anybody answer? A queue that is full (EAGAIN) belongs to somebody alive. */
static bool unix_answers(const struct sockaddr_un *address)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	       (errno != ECONNREFUSED && errno != ENOENT);
}

static int unix_clear_stale(const struct sockaddr_un *address, struct tend_error *err)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : tend_error_set(err, -errno, "cannot look at %s: %s", path,
						 strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return tend_error_set(err, -EEXIST,
			"%s exists and is no socket: remove it, or set another [daemon] socket",
			path);
	if (unix_answers(address))
		return tend_error_set(err, -EADDRINUSE,
			"another tendd is listening on %s: stop it, or set another [daemon] socket",
			path);
	log_info("api: %s was left by a daemon that is gone, it is replaced", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return tend_error_set(
			err, -errno, "cannot remove the old socket %s: %s", path, strerror(errno));
	return 0;
}

int listen_unix(const char *path, struct tend_error *err, struct listen_file *ret_file, int *ret_fd)
{
	auto_close int fd = -EBADF;
	struct sockaddr_un address;
	struct stat st;
	int r;

	r = unix_address(path, err, &address);
	if (r < 0)
		return r;
	r = unix_clear_stale(&address, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return tend_error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return tend_error_set(err, -errno, "cannot bind %s: %s", path, strerror(errno));
	if (chmod(path, 0666) < 0 || lstat(path, &st) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return tend_error_set(
			err, -errno, "cannot listen on %s: %s", path, strerror(errno));
	*ret_file = (struct listen_file){.dev = st.st_dev, .ino = st.st_ino};
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void listen_unix_remove(const char *path, const struct listen_file *file)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino)
		(void)unlink(path);
}

/* Splits "HOST:PORT" or "[HOST]:PORT"; the port may be missing (-1). */
static int host_split(const char *text, char host[64], int *ret_port)
{
	const char *end, *colon;
	size_t len;
	int port = -1;

	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strchr(text, ':');
		end = colon ? colon : text + strlen(text);
	}
	len = (size_t)(end - text);
	if (len == 0 || len >= 64)
		return -EINVAL;
	if (colon) {
		char *rest;
		unsigned long number = strtoul(colon + 1, &rest, 10);

		if (colon[1] < '0' || colon[1] > '9' || *rest || number > 65535)
			return -EINVAL;
		port = (int)number;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	*ret_port = port;
	return 0;
}

int listen_parse(const char *text, struct tend_error *err, struct listen_address *ret_address)
{
	struct listen_address a = {.len = 0};
	char host[64];
	int port = -1;

	if (host_split(text, host, &port) < 0 || port < 0)
		return tend_error_set(err, -EINVAL,
			"'%s' is no ADDRESS:PORT such as 127.0.0.1:9273 or [::1]:9273", text);
	if (inet_pton(AF_INET, host, &a.u.in.sin_addr) == 1) {
		a.u.in.sin_family = AF_INET;
		a.u.in.sin_port = htons((uint16_t)port);
		a.len = sizeof(a.u.in);
		if ((ntohl(a.u.in.sin_addr.s_addr) >> 24) == 127) {
			*ret_address = a;
			return 0;
		}
	} else if (inet_pton(AF_INET6, host, &a.u.in6.sin6_addr) == 1) {
		a.u.in6.sin6_family = AF_INET6;
		a.u.in6.sin6_port = htons((uint16_t)port);
		a.len = sizeof(a.u.in6);
		if (IN6_IS_ADDR_LOOPBACK(&a.u.in6.sin6_addr)) {
			*ret_address = a;
			return 0;
		}
	} else {
		return tend_error_set(
			err, -EINVAL, "'%s' is no IP address: use 127.0.0.1 or [::1]", host);
	}
	return tend_error_set(err, -EINVAL,
		"'%s' is no loopback address: the API listens on 127.0.0.0/8 or ::1 only; put a "
		"proxy "
		"with TLS in front for others",
		host);
}

int listen_tcp(const struct listen_address *address, struct tend_error *err, int *ret_fd)
{
	auto_close int fd = socket(
		address->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	const int on = 1;

	if (fd < 0)
		return tend_error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->u.sa.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &address->u.sa, address->len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return tend_error_set(err, -errno, "cannot listen: %s", strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

bool listen_host_allowed(const char *listen, const char *host)
{
	char own[64], theirs[64];
	int own_port = -1, port = -1;

	if (!host || host_split(listen, own, &own_port) < 0 || host_split(host, theirs, &port) < 0)
		return false;
	if ((port < 0 ? 80 : port) != own_port && own_port != 0)
		return false;
	return strcmp(own, theirs) == 0 || strcasecmp(theirs, "localhost") == 0;
}

bool listen_origin_allowed(const char *listen, const char *origin)
{
	return str_startswith(origin, "http://") &&
	       listen_host_allowed(listen, origin + strlen("http://"));
}
