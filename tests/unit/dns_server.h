/* SPDX-License-Identifier: MIT */
/*
 * A name server of a few names on the test's own loop: NAME.test is 192.0.2.7 and 2001:db8::7 with
 * the TTL it is told; nothing.test does not exist; broken.test is SERVFAIL; deaf: it never answers.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "loop/loop.h"

struct dns_server {
	struct loop_source *io;
	int fd;
	int port;
	bool deaf;
	unsigned ttl;
	unsigned n_questions, n_in_flight_max;
};

static inline void dns_answer(struct dns_server *d, const unsigned char *q, size_t n,
	const struct sockaddr *to, socklen_t to_len)
{
	unsigned char a[600];
	char name[256] = "";
	size_t at = 12, out = 0;

	while (at < n && q[at] && out + q[at] + 2 < sizeof(name)) {
		memcpy(name + out, q + at + 1, q[at]);
		out += q[at];
		name[out++] = '.';
		at += q[at] + 1u;
	}
	at += 1;
	unsigned type = (unsigned)q[at] << 8 | q[at + 1];
	memcpy(a, q, at + 4);
	n = at + 4;
	a[2] = 0x84; /* answer, authoritative */
	a[3] = strstr(name, "nothing.test") ? 3 : strstr(name, "broken.test") ? 2 : 0;
	memset(a + 6, 0, 6);
	if (a[3] == 0 && strstr(name, ".test.") && (type == 1 || type == 28)) {
		unsigned len = type == 1 ? 4 : 16;
		const unsigned char rr[] = {0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0,
			(unsigned char)(d->ttl >> 8), (unsigned char)d->ttl, 0, (unsigned char)len};
		a[7] = 1;
		memcpy(a + n, rr, sizeof(rr));
		n += sizeof(rr);
		(void)inet_pton(type == 1 ? AF_INET : AF_INET6,
			type == 1 ? "192.0.2.7" : "2001:db8::7", a + n);
		n += len;
	}
	(void)sendto(d->fd, a, n, 0, to, to_len);
}

static inline void dns_on_question(int fd, uint32_t events, void *data)
{
	struct dns_server *d = data;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	unsigned char q[512];
	ssize_t n = recvfrom(fd, q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	if (n < 17)
		return;
	d->n_questions++;
	if (!d->deaf)
		dns_answer(d, q, (size_t)n, (struct sockaddr *)&from, from_len);
}

static inline int dns_open(struct dns_server *d, struct loop *loop)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);

	*d = (struct dns_server){.ttl = 60};
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->fd < 0 || bind(d->fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
		getsockname(d->fd, (struct sockaddr *)&in, &len) < 0)
		return -1;
	d->port = ntohs(in.sin_port);
	return loop_io_new(loop, d->fd, EPOLLIN, dns_on_question, d, &d->io);
}

static inline void dns_close(struct dns_server *d)
{
	loop_source_free(d->io);
	safe_close(d->fd);
}

#endif
