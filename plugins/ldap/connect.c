/* SPDX-License-Identifier: MIT */
/* The connection itself is made here, not by the library: so it is known whether nobody answered,
 * nobody listened, or somebody was silent. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "dirprobe.h"

#define MIN_ADDRESS_USEC (250 * USEC_PER_MSEC)

static void where_text(const struct tend_address *address, int port, char buf[DIRPROBE_WHERE_BYTES])
{
	char ip[INET6_ADDRSTRLEN] = "?";
	const void *bytes = address->sa.sa_family == AF_INET6
				    ? (const void *)&address->in6.sin6_addr
				    : (const void *)&address->in.sin_addr;

	(void)inet_ntop(address->sa.sa_family, bytes, ip, sizeof(ip));
	(void)snprintf(buf, DIRPROBE_WHERE_BYTES, "%s port %d", ip, port);
}

static int await_connection(int fd, usec_t end)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0, r;
	socklen_t size = sizeof(error);

	do {
		usec_t now = tend_now();

		r = poll(&p, 1, end > now ? (int)((end - now) / USEC_PER_MSEC) + 1 : 0);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

static int connect_to(struct tend_address address, int port, usec_t end)
{
	int fd = socket(address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (address.sa.sa_family == AF_INET6)
		address.in6.sin6_port = htons((uint16_t)port);
	else
		address.in.sin_port = htons((uint16_t)port);
	if (connect(fd, &address.sa, address.length) < 0)
		r = errno == EINPROGRESS ? await_connection(fd, end) : -errno;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

int dirprobe_connect(const struct tend_attempt *a, const struct dirprobe_conf *conf, usec_t end,
	char ret_where[DIRPROBE_WHERE_BYTES])
{
	const struct tend_address *addresses;
	size_t n = tend_attempt_addresses(a, &addresses);
	int r = -EADDRNOTAVAIL;

	for (size_t i = 0; i < n && r < 0; i++) {
		usec_t now = tend_now(), share = end > now ? (end - now) / (n - i) : 0;
		usec_t until = now + (share < MIN_ADDRESS_USEC ? MIN_ADDRESS_USEC : share);

		where_text(&addresses[i], dirprobe_port(conf), ret_where);
		r = connect_to(addresses[i], dirprobe_port(conf), until < end ? until : end);
	}
	return r;
}
