/* SPDX-License-Identifier: MIT */
#include "common/dial.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/reason.h"

#define NEXT_ADDRESS_USEC (250 * USEC_PER_MSEC) /* RFC 8305 section 8 */

static void begin_next(struct dial *d);

bool dial_stays_here(const char *host)
{
	struct in_addr v4;

	/* 127.example.com is a name like any other. */
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return host[0] == '/' || strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0 ||
	       strcmp(host, "localhost") == 0;
}

void dial_address_text(const struct tend_address *address, unsigned port, char *buf, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "";
	const void *bytes = address->sa.sa_family == AF_INET6
				    ? (const void *)&address->in6.sin6_addr
				    : (const void *)&address->in.sin_addr;

	(void)inet_ntop(address->sa.sa_family, bytes, ip, sizeof(ip));
	if (port)
		(void)snprintf(buf, size, "%s port %u", ip, port);
	else
		(void)snprintf(buf, size, "%s", ip);
}

size_t dial_order(const struct tend_address *addresses, size_t n, int family,
	struct tend_address ret_addresses[TEND_RESOLVE_MAX])
{
	bool used[TEND_RESOLVE_MAX] = {false};
	int want = n > 0 ? addresses[0].sa.sa_family : AF_UNSPEC;
	size_t out = 0;

	for (size_t round = 0; round < n && n <= TEND_RESOLVE_MAX; round++) {
		size_t pick = n;

		for (size_t i = 0; i < n; i++) {
			if (used[i])
				continue;
			if (addresses[i].sa.sa_family == want) {
				pick = i;
				break;
			}
			pick = pick == n ? i : pick;
		}
		used[pick] = true;
		want = addresses[pick].sa.sa_family == AF_INET ? AF_INET6 : AF_INET;
		if (family == AF_UNSPEC || addresses[pick].sa.sa_family == family)
			ret_addresses[out++] = addresses[pick];
	}
	return out;
}

static void try_close(struct dial_try *t)
{
	tend_io_free(t->io);
	t->io = NULL;
	if (t->fd >= 0)
		(void)close(t->fd);
	t->fd = -1;
}

void dial_stop(struct dial *d)
{
	d->over = true;
	for (size_t i = 0; i < d->n_begun; i++)
		try_close(&d->tries[i]);
}

static void set_where(struct dial *d, size_t address)
{
	if (d->host[0] == '/')
		(void)snprintf(d->where, sizeof(d->where), "%.120s", d->host);
	else
		dial_address_text(&d->addresses[address], d->port, d->where, sizeof(d->where));
}

static void give_up(struct dial *d, enum tend_reason reason, const char *why)
{
	dial_stop(d);
	d->fn(-1, reason, why, d->data);
}

static void won(struct dial_try *t)
{
	struct dial *d = t->dial;
	int fd = t->fd;

	d->connect_usec = tend_now() - d->started - d->dns_usec;
	set_where(d, t->address);
	tend_io_free(t->io);
	t->io = NULL;
	t->fd = -1;
	dial_stop(d);
	d->fn(fd, TEND_REASON_OK, NULL, d->data);
}

static void try_failed(struct dial_try *t, int error)
{
	struct dial *d = t->dial;

	try_close(t);
	d->n_failed++;
	if (connect_errno_rank(error) > connect_errno_rank(d->error)) {
		d->error = error;
		set_where(d, t->address);
	}
	if (d->n_failed < d->n_begun)
		return; /* another is under way, and the next has its timer */
	if (d->n_begun < d->n_addresses)
		begin_next(d);
	else
		give_up(d, connect_errno_reason(d->error), strerror(d->error));
}

static void on_connected(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	struct dial_try *t = data;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		try_failed(t, error);
	else
		won(t);
}

static void on_next(struct tend_attempt *a, void *data)
{
	struct dial *d = data;

	if (!d->over && d->n_begun < d->n_addresses)
		begin_next(d);
}

static void try_begin(struct dial_try *t, const struct sockaddr *sa, socklen_t len)
{
	int r;

	t->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0) {
		try_failed(t, errno);
		return;
	}
	/* EAGAIN: the queue of a unix socket is full: nobody takes connections off it. */
	if (connect(t->fd, sa, len) < 0 && errno != EINPROGRESS) {
		try_failed(t, errno == EAGAIN ? ETIMEDOUT : errno);
		return;
	}
	r = tend_io_new(t->dial->attempt, t->fd, EPOLLOUT, on_connected, t, &t->io);
	if (r < 0)
		try_failed(t, -r);
}

static void begin_next(struct dial *d)
{
	size_t i = d->n_begun++;
	struct dial_try *t = &d->tries[i];
	struct tend_address address = d->addresses[i];

	*t = (struct dial_try){.dial = d, .fd = -1, .address = i};
	if (d->n_begun < d->n_addresses)
		(void)tend_timer_new(
			d->attempt, tend_now() + NEXT_ADDRESS_USEC, on_next, d, &d->timers[i]);
	if (d->error == 0 && !d->where[0])
		set_where(d, i);
	if (address.sa.sa_family == AF_INET6)
		address.in6.sin6_port = htons(d->port);
	else
		address.in.sin_port = htons(d->port);
	try_begin(t, &address.sa, address.length);
}

static void begin_unix(struct dial *d)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	d->n_addresses = d->n_begun = 1;
	d->tries[0] = (struct dial_try){.dial = d, .fd = -1};
	set_where(d, 0);
	if (strlen(d->host) >= sizeof(un.sun_path)) {
		give_up(d, TEND_REASON_CONNECT_FAILED, "the path is too long for a unix socket");
		return;
	}
	memcpy(un.sun_path, d->host, strlen(d->host) + 1);
	try_begin(&d->tries[0], (struct sockaddr *)&un, sizeof(un));
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct dial *d = data;

	d->dns_usec = tend_now() - d->started;
	d->resolved = r == 0;
	(void)snprintf(d->where, sizeof(d->where), "%.120s", d->host);
	if (r < 0) {
		give_up(d, TEND_REASON_DNS_FAILED,
			r == -ENOENT ? "there is no such name" : strerror(-r));
		return;
	}
	d->n_addresses = dial_order(addresses, n, d->family, d->addresses);
	if (d->n_addresses == 0) {
		give_up(d, TEND_REASON_DNS_FAILED, "the name has no address of this family");
		return;
	}
	d->where[0] = '\0';
	begin_next(d);
}

void dial_start(struct dial *d, struct tend_attempt *a, const char *host, int64_t port, int family,
	dial_fn fn, void *data)
{
	int r;

	*d = (struct dial){
		.attempt = a,
		.host = host,
		.port = (uint16_t)port,
		.family = family,
		.fn = fn,
		.data = data,
		.started = tend_now(),
	};
	if (host[0] == '/') {
		d->resolved = true;
		begin_unix(d);
		return;
	}
	(void)snprintf(d->where, sizeof(d->where), "%.120s", host);
	r = tend_resolve(a, host, on_resolved, d);
	if (r < 0)
		give_up(d, TEND_REASON_INTERNAL, strerror(-r));
}
