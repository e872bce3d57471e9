/* SPDX-License-Identifier: MIT */
#include "net/ping.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "net/echo.h"

enum { MAX_WAITING = 4096, READS_A_TURN = 256 };

struct echo_socket {
	struct pinger *pinger;
	int family, fd;
	bool raw;
	uint16_t echo_id;
	struct loop_source *io;
};

struct packet {
	struct ping *ping; /* NULL: the slot is free */
	size_t index;
	uint16_t sequence;
};

struct pinger {
	struct loop *loop;
	struct echo_socket v4, v6;
	struct packet waiting[MAX_WAITING]; /* by sequence */
	uint16_t next_sequence;
	LIST_HEAD(, ping) pings;
};

struct ping {
	struct echo_socket *socket;
	struct tend_address address;
	size_t payload_bytes;
	usec_t interval;
	uint64_t nonce;
	unsigned n_packets, n_tried, n_sent, n_replies; /* n_packets: yet to send */
	int error;					/* of the first send that failed */
	usec_t sent_mono[TEND_PING_MAX], sent_real[TEND_PING_MAX], rtt[TEND_PING_MAX];
	usec_t started, end;
	struct loop_source *timer;
	ping_fn fn;
	void *data;
	LIST_ENTRY(ping) link;
};

static usec_t real_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
}

static void forget_packets(struct ping *ping)
{
	struct pinger *pinger = ping->socket->pinger;

	for (size_t i = 0; i < MAX_WAITING; i++)
		if (pinger->waiting[i].ping == ping)
			pinger->waiting[i].ping = NULL;
}

struct ping *ping_cancel(struct ping *ping)
{
	if (!ping)
		return NULL;
	forget_packets(ping);
	LIST_REMOVE(ping, link);
	loop_source_free(ping->timer);
	free(ping);
	return NULL;
}

static void end(struct ping *ping)
{
	usec_t rtt[TEND_PING_MAX];
	size_t n_sent = ping->n_sent;
	int r = n_sent == 0 ? ping->error : 0;
	ping_fn fn = ping->fn;
	void *data = ping->data;

	memcpy(rtt, ping->rtt, sizeof(rtt));
	ping_cancel(ping);
	fn(r, rtt, n_sent, data);
}

/* ---- sending ------------------------------------------------------------------------------ */

static struct packet *free_slot(struct pinger *pinger)
{
	for (size_t i = 0; i < MAX_WAITING; i++) {
		uint16_t sequence = pinger->next_sequence++;
		struct packet *slot = &pinger->waiting[sequence % MAX_WAITING];

		if (slot->ping)
			continue;
		slot->sequence = sequence;
		return slot;
	}
	return NULL;
}

static int send_one(struct ping *ping)
{
	struct pinger *pinger = ping->socket->pinger;
	struct packet *slot = free_slot(pinger);
	unsigned char buf[ECHO_HEADER_BYTES + ECHO_MAX_PAYLOAD_BYTES];
	struct echo echo = {.id = ping->socket->echo_id, .nonce = ping->nonce};
	size_t i = ping->n_sent, len;

	if (!slot)
		return -EBUSY;
	echo.sequence = slot->sequence;
	len = echo_build(ping->socket->family, &echo, ping->payload_bytes, buf, sizeof(buf));
	ping->sent_mono[i] = clock_now();
	ping->sent_real[i] = real_now();
	if (sendto(ping->socket->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT, &ping->address.sa,
		    ping->address.length) < 0)
		return -errno;
	slot->ping = ping;
	slot->index = i;
	ping->n_sent++;
	return 0;
}

/* Sends what is due; when all is sent, waits for what is out, and ends. */
static void on_timer(void *data)
{
	struct ping *ping = data;
	usec_t now = clock_now();

	if (ping->n_packets > 0) {
		int r = send_one(ping);

		ping->n_packets--;
		ping->n_tried++;
		if (r < 0 && ping->error == 0)
			ping->error = r;
		/* No route, forbidden: the rest would fare no better. */
		if (r < 0 && ping->n_sent == 0)
			ping->n_packets = 0;
		if (ping->n_packets > 0) {
			/* From the start, so that being late does not add up. */
			loop_timer_set(ping->timer, ping->started + ping->n_tried * ping->interval);
			return;
		}
	}
	if (ping->n_replies == ping->n_sent || now >= ping->end)
		end(ping);
	else
		loop_timer_set(ping->timer, ping->end);
}

/* ---- replies ------------------------------------------------------------------------------ */

static bool same_host(const struct tend_address *a, const struct sockaddr_storage *b)
{
	if (a->sa.sa_family != b->ss_family)
		return false;
	if (b->ss_family == AF_INET)
		return a->in.sin_addr.s_addr ==
		       ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
	return memcmp(&a->in6.sin6_addr, &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
		       sizeof(a->in6.sin6_addr)) == 0;
}

/* When the kernel got it; 0 = it does not say. */
static usec_t received_at(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec at;

			memcpy(&at, CMSG_DATA(c), sizeof(at));
			return (usec_t)at.tv_sec * USEC_PER_SEC + (usec_t)at.tv_nsec / 1000;
		}
	return 0;
}

static void take_reply(struct echo_socket *s, const struct echo *echo,
	const struct sockaddr_storage *from, usec_t at)
{
	struct packet *slot = &s->pinger->waiting[echo->sequence % MAX_WAITING];
	struct ping *ping = slot->ping;
	usec_t most;

	if (!ping || slot->sequence != echo->sequence || ping->nonce != echo->nonce ||
		ping->socket != s || !same_host(&ping->address, from))
		return;
	slot->ping = NULL;
	/* The kernel's time is the better one, unless the clock was set meanwhile. */
	most = clock_now() - ping->sent_mono[slot->index];
	ping->rtt[slot->index] =
		at > ping->sent_real[slot->index] && at - ping->sent_real[slot->index] < most
			? at - ping->sent_real[slot->index]
			: most;
	ping->n_replies++;
	if (ping->n_packets == 0 && ping->n_replies == ping->n_sent)
		loop_timer_set(ping->timer, 1);
}

static bool read_one(struct echo_socket *s)
{
	unsigned char data[64 + ECHO_HEADER_BYTES + ECHO_NONCE_BYTES], control[128];
	struct sockaddr_storage from = {0};
	struct iovec iov = {data, sizeof(data)}; /* the rest of the payload is of no use */
	struct msghdr m = {.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);
	struct echo echo;

	if (n < 0)
		return errno != EAGAIN; /* an error of some target: it was taken off */
	if (echo_parse(s->family, s->raw && s->family == AF_INET, data, (size_t)n, &echo))
		take_reply(s, &echo, &from, received_at(&m));
	return true;
}

static void on_io(int fd, uint32_t events, void *data)
{
	struct echo_socket *s = data;

	for (int i = 0; i < READS_A_TURN && read_one(s); i++)
		;
}

/* ---- sockets ------------------------------------------------------------------------------ */

static struct echo_socket *socket_of(struct pinger *pinger, int family)
{
	return family == AF_INET6 ? &pinger->v6 : &pinger->v4;
}

static int take_socket(struct pinger *pinger, int family, int fd, bool raw, uint16_t echo_id)
{
	struct echo_socket *s = socket_of(pinger, family);
	int one = 1, bytes = 256 << 10, r;

	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (s->fd >= 0) {
		s->io = loop_source_free(s->io);
		safe_close(s->fd);
	}
	*s = (struct echo_socket){
		.pinger = pinger, .family = family, .fd = fd, .raw = raw, .echo_id = echo_id};
	r = loop_io_new(pinger->loop, fd, EPOLLIN, on_io, s, &s->io);
	if (r < 0) {
		s->fd = safe_close(fd);
		return r;
	}
	loop_source_name(s->io, "icmp replies");
	return 0;
}

static bool socket_is(int fd, int option, int wanted)
{
	int have = -1;
	socklen_t size = sizeof(have);

	return getsockopt(fd, SOL_SOCKET, option, &have, &size) == 0 && have == wanted;
}

int pinger_take_raw(struct pinger *pinger, int family, int fd, uint16_t echo_id)
{
	int protocol = family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;

	/* It comes from another process. */
	if (!socket_is(fd, SO_DOMAIN, family) || !socket_is(fd, SO_TYPE, SOCK_RAW) ||
		!socket_is(fd, SO_PROTOCOL, protocol)) {
		safe_close(fd);
		return -EPROTOTYPE;
	}
	return take_socket(pinger, family, fd, true, echo_id);
}

int pinger_open(struct pinger *pinger, int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);

	/* The kernel puts the id in, and gives us the replies with it only. */
	return fd < 0 ? -errno : take_socket(pinger, family, fd, false, 0);
}

bool pinger_ready(const struct pinger *pinger, int family)
{
	return (family == AF_INET6 ? pinger->v6.fd : pinger->v4.fd) >= 0;
}

/* ---- life --------------------------------------------------------------------------------- */

int pinger_new(struct loop *loop, struct pinger **ret_pinger)
{
	struct pinger *pinger = calloc(1, sizeof(*pinger));

	if (!pinger)
		return -ENOMEM;
	pinger->loop = loop;
	pinger->v4.fd = pinger->v6.fd = -EBADF;
	*ret_pinger = pinger;
	return 0;
}

struct pinger *pinger_free(struct pinger *pinger)
{
	if (!pinger)
		return NULL;
	while (!LIST_EMPTY(&pinger->pings))
		ping_cancel(LIST_FIRST(&pinger->pings));
	loop_source_free(pinger->v4.io);
	loop_source_free(pinger->v6.io);
	safe_close(pinger->v4.fd);
	safe_close(pinger->v6.fd);
	free(pinger);
	return NULL;
}

int pinger_start(struct pinger *pinger, const struct ping_order *order, ping_fn fn, void *data,
	struct ping **ret_ping)
{
	int family = order->address->sa.sa_family, r;
	usec_t now = clock_now();
	struct ping *ping;

	if (order->n_packets == 0 || order->n_packets > TEND_PING_MAX ||
		order->payload_bytes > ECHO_MAX_PAYLOAD_BYTES ||
		(family != AF_INET && family != AF_INET6))
		return -EINVAL;
	if (!pinger_ready(pinger, family))
		return -ENOTCONN;
	ping = calloc(1, sizeof(*ping));
	if (!ping)
		return -ENOMEM;
	*ping = (struct ping){
		.socket = socket_of(pinger, family),
		.address = *order->address,
		.payload_bytes = MAX(order->payload_bytes, (size_t)ECHO_NONCE_BYTES),
		.interval = order->interval,
		.started = now,
		.end = now + (order->n_packets - 1) * order->interval + order->wait,
		.n_packets = order->n_packets,
		.fn = fn,
		.data = data,
	};
	for (size_t i = 0; i < TEND_PING_MAX; i++)
		ping->rtt[i] = USEC_INFINITY;
	if (getrandom(&ping->nonce, sizeof(ping->nonce), GRND_NONBLOCK) != sizeof(ping->nonce))
		ping->nonce = clock_now();
	r = loop_timer_new(pinger->loop, on_timer, ping, &ping->timer);
	if (r < 0) {
		free(ping);
		return r;
	}
	LIST_INSERT_HEAD(&pinger->pings, ping, link);
	loop_timer_set(ping->timer, 1);
	*ret_ping = ping;
	return 0;
}
