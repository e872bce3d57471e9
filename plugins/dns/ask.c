/* SPDX-License-Identifier: MIT */
#include "ask.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

enum { TRIES = 2, MIN_TURN_USEC = 1000 };

static int errno_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_ECONNREFUSED:
		return -ECONNREFUSED;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return -ETIMEDOUT;
	default:
		return -EBADMSG;
	}
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *data, int len)
{
	struct ask *ask = arg;
	struct dns_answer *answer = ask->answer;

	if (answer->done)
		return;
	answer->done = true;
	answer->took = tend_now() - ask->began;
	if (status != ARES_SUCCESS || !data || len < 0)
		answer->r = errno_of(status);
	else
		answer->r = dns_message_parse(
			data, (size_t)len, dns_types[ask->conf->type], &answer->message);
}

static void process(struct ask *ask, int read_fd, int write_fd)
{
	if (!ask->channel)
		return;
	ares_process_fd(ask->channel, read_fd, write_fd);
	ask->turned(ask->data);
}

static void on_io(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	struct ask_socket *s = data;
	bool failed = events & (EPOLLERR | EPOLLHUP);

	/* c-ares drops in silence what does not fit the question: it may be anybody's. */
	if (events & EPOLLIN && !failed)
		s->ask->answer->heard = true;
	if (events & EPOLLOUT && !failed) /* asked of TCP only */
		s->ask->answer->taken = true;
	process(s->ask, events & EPOLLIN || failed ? fd : ARES_SOCKET_BAD,
		events & EPOLLOUT || failed ? fd : ARES_SOCKET_BAD);
}

static void on_timer(struct tend_attempt *a, void *data);

static void arm(struct ask *ask)
{
	struct timeval tv;
	usec_t span;

	if (!ask->channel || !ares_timeout(ask->channel, NULL, &tv))
		return;
	span = (usec_t)tv.tv_sec * USEC_PER_SEC + (usec_t)tv.tv_usec;
	(void)tend_timer_new(ask->attempt,
		tend_now() + (span > MIN_TURN_USEC ? span : MIN_TURN_USEC), on_timer, ask, NULL);
}

static void on_timer(struct tend_attempt *a, void *data)
{
	struct ask *ask = data;

	if (!ask->channel)
		return;
	ares_process_fd(ask->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(ask);
	ask->turned(ask->data);
}

/* The last word on a socket comes before c-ares closes it. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct ask *ask = data;
	uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
	struct ask_socket *room = NULL;

	for (size_t i = 0; i < ASK_MAX_SOCKETS; i++) {
		struct ask_socket *s = &ask->sockets[i];

		if (s->io && s->fd == fd) {
			if (events) {
				(void)tend_io_set_events(s->io, events);
			} else {
				tend_io_free(s->io);
				s->io = NULL;
			}
			return;
		}
		room = s->io ? room : s;
	}
	if (!events || !room)
		return;
	ask->answer->heard = ask->answer->taken = false;
	room->ask = ask;
	room->fd = fd;
	/* Unwatched for want of memory it ends by its time. */
	(void)tend_io_new(ask->attempt, fd, events, on_io, room, &room->io);
}

/* Everything is given, so that no file is read. */
static int open_channel(struct ask *ask, usec_t span)
{
	static char lookups[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
			 (ask->conf->tcp ? ARES_FLAG_USEVC : 0),
		.timeout = (int)(span / USEC_PER_MSEC / (TRIES + 1)),
		.tries = TRIES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = ask,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_NDOTS |
		   ARES_OPT_SORTLIST;

	return ares_init_options(&ask->channel, &options, mask);
}

static int set_server(struct ask *ask, const struct tend_address *server)
{
	struct ares_addr_port_node node = {
		.family = server->sa.sa_family,
		.udp_port = (int)ask->conf->port,
		.tcp_port = (int)ask->conf->port,
	};

	if (node.family == AF_INET6)
		memcpy(&node.addr.addr6, &server->in6.sin6_addr, sizeof(node.addr.addr6));
	else
		node.addr.addr4 = server->in.sin_addr;
	return ares_set_servers_ports(ask->channel, &node);
}

static int send_question(struct ask *ask)
{
	const struct dns_conf *c = ask->conf;
	unsigned char *query = NULL;
	unsigned short id = 0;
	int len = 0, status;

	(void)!getrandom(&id, sizeof(id), GRND_NONBLOCK);
	status = ares_create_query(
		c->name, 1, (int)dns_types[c->type], id, c->recursion, &query, &len, 0);
	if (status != ARES_SUCCESS)
		return status;
	if (c->validated)
		query[3] |= 0x20; /* AD: say whether it was validated (RFC 6840 section 5.7) */
	ares_send(ask->channel, query, len, on_answer, ask);
	ares_free_string(query);
	return ARES_SUCCESS;
}

void ask_begin(struct ask *ask, const struct tend_address *server, usec_t span)
{
	int status;

	ask->began = tend_now();
	status = open_channel(ask, span);
	if (status == ARES_SUCCESS)
		status = set_server(ask, server);
	if (status == ARES_SUCCESS)
		status = send_question(ask);
	if (status != ARES_SUCCESS && !ask->answer->done) {
		ask->answer->done = true;
		ask->answer->r = errno_of(status);
		return;
	}
	arm(ask);
}

void ask_end(struct ask *ask)
{
	ares_channel channel = ask->channel;

	ask->channel = NULL;
	if (channel)
		ares_destroy(channel);
	for (size_t i = 0; i < ASK_MAX_SOCKETS; i++) {
		tend_io_free(ask->sockets[i].io);
		ask->sockets[i].io = NULL;
	}
}
