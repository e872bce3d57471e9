/* SPDX-License-Identifier: MIT */
#include "net/servers.h"
#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "base/vec.h"

#define QUERY_TIMEOUT_MSEC 1000 /* of the first try; c-ares doubles it for the second */
#define QUERY_TRIES	   2
#define PENALTY_USEC	   (30 * USEC_PER_SEC)
#define TURN_USEC	   (1 * USEC_PER_MSEC)

struct server {
	struct servers *set;
	ares_channel channel;
	struct loop_source *timer;
	struct vec sockets; /* struct socket * */
	usec_t bad_until;
};
struct servers {
	struct loop *loop;
	size_t n_queries;
	bool dying;
	size_t n_servers;
	struct server servers[SERVERS_MAX];
};
struct socket {
	struct server *server;
	int fd;
	struct loop_source *io;
};
struct query {
	struct server *server;
	servers_fn fn;
	void *data;
};

static void arm_timer(struct server *server)
{
	struct timeval tv;

	if (!ares_timeout(server->channel, NULL, &tv)) {
		loop_timer_set(server->timer, 0);
		return;
	}
	usec_t span = (usec_t)tv.tv_sec * USEC_PER_SEC + (usec_t)tv.tv_usec;
	/* c-ares rounds down to its own clock: a turn too early would spin. */
	loop_timer_set(server->timer, clock_now() + MAX(span, TURN_USEC));
}

static void process(struct server *server, ares_socket_t read_fd, ares_socket_t write_fd)
{
	ares_process_fd(server->channel, read_fd, write_fd);
	arm_timer(server);
}

static void on_socket(int fd, uint32_t events, void *data)
{
	struct socket *s = data;
	bool failed = events & (EPOLLERR | EPOLLHUP);

	process(s->server, events & EPOLLIN || failed ? fd : ARES_SOCKET_BAD,
		events & EPOLLOUT || failed ? fd : ARES_SOCKET_BAD);
}

static void on_timer(void *data)
{
	process(data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct socket *socket_of(struct server *server, int fd, size_t *ret_index)
{
	for (size_t i = 0; i < server->sockets.len; i++) {
		struct socket *s = server->sockets.items[i];
		if (s->fd == fd) {
			*ret_index = i;
			return s;
		}
	}
	return NULL;
}

static struct socket *socket_new(struct server *server, int fd, uint32_t events)
{
	auto_free struct socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct socket){.server = server, .fd = fd};
	if (loop_io_new(server->set->loop, fd, events, on_socket, s, &s->io) < 0)
		return NULL;
	loop_source_name(s->io, "dns");
	if (vec_push(&server->sockets, s) < 0) {
		loop_source_free(s->io);
		return NULL;
	}
	return TAKE(s);
}

/* c-ares says what it waits for; the last word on a socket comes before it is closed. Without
 * memory the socket stays unwatched, and its queries end by their timeout. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct server *server = data;
	uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
	size_t index = 0;
	struct socket *s = socket_of(server, fd, &index);

	if (!events) {
		if (s) {
			vec_remove(&server->sockets, index);
			loop_source_free(s->io);
			free(s);
		}
		return;
	}
	if (s)
		(void)loop_io_set(s->io, events);
	else
		(void)socket_new(server, fd, events);
}

static int errno_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
		return -ENOENT;
	case ARES_EBADNAME:
	case ARES_EBADSTR:
		return -EINVAL;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_ENOMEM:
		return -ENOMEM;
	default:
		return -EAGAIN;
	}
}

static void take_addresses(const struct ares_addrinfo *info, struct servers_answer *answer)
{
	unsigned ttl = UINT32_MAX;

	for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
		struct tend_address *a = &answer->addresses[answer->n_addresses];

		if (answer->n_addresses == TEND_RESOLVE_MAX || n->ai_addrlen > sizeof(a->in6))
			continue;
		if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
			continue;
		a->length = n->ai_addrlen;
		memcpy(&a->sa, n->ai_addr, n->ai_addrlen);
		a->in.sin_port = 0; /* at the same place as sin6_port */
		answer->n_addresses++;
		if (n->ai_ttl >= 0 && (unsigned)n->ai_ttl < ttl)
			ttl = (unsigned)n->ai_ttl;
	}
	answer->ttl_sec = ttl;
}

static void on_answer(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
	auto_free struct query *q = data;
	struct server *server = q->server;
	struct servers_answer answer = {.r = errno_of(status)};

	if (info) {
		take_addresses(info, &answer);
		ares_freeaddrinfo(info);
	}
	if (answer.r == 0 && answer.n_addresses == 0)
		answer.r = -ENOENT;
	if (server->set->dying)
		answer.r = -ECANCELED;
	else if (answer.r == -ETIMEDOUT || answer.r == -EAGAIN)
		server->bad_until = clock_now() + PENALTY_USEC;
	else
		server->bad_until = 0;
	q->fn(&answer, q->data);
	server->set->n_queries--;
}

void servers_query(struct servers *servers, size_t nth, const char *name, servers_fn fn, void *data)
{
	static const struct servers_answer no_memory = {.r = -ENOMEM};
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct server *server = &servers->servers[nth];
	struct query *q = calloc(1, sizeof(*q));

	if (!q) {
		fn(&no_memory, data);
		return;
	}
	*q = (struct query){server, fn, data};
	servers->n_queries++;
	ares_getaddrinfo(server->channel, name, NULL, &hints, on_answer, q);
	arm_timer(server);
}

size_t servers_running(const struct servers *servers)
{
	return servers->n_queries;
}

size_t servers_count(const struct servers *servers)
{
	return servers->n_servers;
}

size_t servers_rank(const struct servers *servers, size_t nth)
{
	usec_t now = clock_now();

	for (int bad = 0; bad <= 1; bad++)
		for (size_t i = 0; i < servers->n_servers; i++)
			if ((servers->servers[i].bad_until > now) == bad && nth-- == 0)
				return i;
	return 0;
}

static int server_init(struct server *server, struct servers *set, const char *resolv_conf)
{
	struct ares_options options = {
		.flags = ARES_FLAG_NOCHECKRESP,
		.timeout = QUERY_TIMEOUT_MSEC,
		.tries = QUERY_TRIES,
		.lookups = (char *)(uintptr_t) "b", /* /etc/hosts is ours */
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = server,
		.resolvconf_path = (char *)(uintptr_t)resolv_conf,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;

	if (resolv_conf)
		mask |= ARES_OPT_RESOLVCONF;
	server->set = set;
	int status = ares_init_options(&server->channel, &options, mask);
	if (status != ARES_SUCCESS) {
		server->channel = NULL;
		return status == ARES_ENOMEM ? -ENOMEM : -EIO;
	}
	int r = loop_timer_new(set->loop, on_timer, server, &server->timer);
	if (r == 0)
		loop_source_name(server->timer, "dns timer");
	return r;
}

/* Every channel starts with all servers of the configuration and keeps the `nth`. */
static int server_keep_only(struct server *server, size_t nth, size_t *ret_n)
{
	struct ares_addr_port_node *list = NULL, *one;
	size_t n = 0;

	int status = ares_get_servers_ports(server->channel, &list);
	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -EIO;
	for (one = list; one; one = one->next)
		n++;
	one = list;
	for (size_t i = 0; one && i < nth; i++)
		one = one->next;
	if (one) {
		struct ares_addr_port_node copy = *one;
		copy.next = NULL;
		status = ares_set_servers_ports(server->channel, &copy);
	}
	ares_free_data(list);
	if (status != ARES_SUCCESS)
		return -EIO;
	*ret_n = n;
	return 0;
}

static void server_clear(struct server *server)
{
	loop_source_free(server->timer);
	if (server->channel)
		ares_destroy(server->channel);
	VEC_FOREACH (&server->sockets, struct socket *, s) {
		loop_source_free(s->io);
		free(s);
	}
	vec_clear(&server->sockets);
}

int servers_new(
	struct loop *loop, const char *resolv_conf, const char *csv, struct servers **ret_servers)
{
	auto(servers_free) struct servers *set = calloc(1, sizeof(*set));
	size_t n = 1;

	if (!set)
		return -ENOMEM;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) /* it counts; never undone */
		return -EIO;
	set->loop = loop;
	for (size_t i = 0; i < MIN(n, (size_t)SERVERS_MAX); i++) {
		int r = server_init(&set->servers[i], set, resolv_conf);
		if (r < 0)
			return r;
		if (csv && ares_set_servers_ports_csv(set->servers[i].channel, csv) != ARES_SUCCESS)
			return -EINVAL;
		r = server_keep_only(&set->servers[i], i, &n);
		if (r < 0)
			return r;
		set->n_servers++;
	}
	*ret_servers = TAKE(set);
	return 0;
}

struct servers *servers_free(struct servers *servers)
{
	if (!servers)
		return NULL;
	servers->dying = true;
	for (size_t i = 0; i < SERVERS_MAX; i++)
		server_clear(&servers->servers[i]);
	free(servers);
	return NULL;
}
