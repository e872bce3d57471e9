/* SPDX-License-Identifier: MIT */
#include "snmp/subagent.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "snmp/alarms.h"
#include "snmp/serve.h"

enum {
	READ_BYTES = 64 << 10,
	MAX_OUTPUT_BYTES = 1 << 20, /* unsent: nothing more is read */
	DEFAULT_PRIORITY = 127,
	TIMEOUT_SEC = 5,    /* for which the master waits for an answer of ours */
	MAX_UNANSWERED = 3, /* pings; then it is another connection's turn */
	DUPLICATE_REGISTRATION = 263,
};
#define RETRY_USEC USEC_PER_SEC
#define SETUP_USEC                                                                                 \
	(5 * USEC_PER_SEC) /* from connecting to registered; a frozen master may take longer */

/* What was asked of the master last, by its packet number. */
enum state { CLOSED, CONNECTING, OPENING, REGISTERING, REGISTERING_ALARMS, UP };

struct subagent {
	struct loop *loop;
	struct sockaddr_storage address;
	socklen_t address_len;
	usec_t ping;
	void (*on_status)(bool connected, void *data);
	void *data;
	int fd;
	struct loop_source *io, *timer;
	enum state state;
	uint32_t session, packet, awaited; /* awaited: the packet of the state's request */
	unsigned n_unanswered;		   /* pings */
	usec_t started;
	struct wire_writer output;
	size_t sent; /* of the output */
	unsigned char input[WIRE_HEADER_BYTES + READ_BYTES];
	unsigned char *large; /* a PDU that is larger than `input` */
	size_t n_input, large_size;
	bool told;	 /* on_status: connected */
	bool complained; /* since it was connected last: not every second */
};

/* ---- the address ---------------------------------------------------------------------------- */

static int parse_path(const char *path, struct subagent *a)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->address;
	size_t size = strlen(path) + 1;

	if (path[0] != '/' || size > sizeof(un->sun_path))
		return -EINVAL;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, size);
	a->address_len = sizeof(*un);
	return 0;
}

/* "127.0.0.1:705", "[::1]:705", "localhost:705": no names are looked up, that would block. */
static int parse_tcp(const char *text, struct subagent *a)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->address;
	const char *colon = strrchr(text, ':');
	char host[64] = "", *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (port < 1 || port > UINT16_MAX || *end || len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		a->address_len = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	a->address_len = sizeof(*in);
	return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		       &in->sin_addr) == 1
		       ? 0
		       : -EINVAL;
}

static int parse_address(const char *text, struct subagent *a)
{
	if (str_startswith(text, "unix:"))
		return parse_path(text + strlen("unix:"), a);
	if (str_startswith(text, "tcp:"))
		return parse_tcp(text + strlen("tcp:"), a);
	if (str_startswith(text, "tcp6:"))
		return parse_tcp(text + strlen("tcp6:"), a);
	return parse_path(text, a);
}

/* ---- the session ---------------------------------------------------------------------------- */

static void tell(struct subagent *a, bool connected)
{
	if (a->told == connected)
		return;
	a->told = connected;
	a->on_status(connected, a->data);
}

static void arm(struct subagent *a, usec_t after)
{
	loop_timer_set(a->timer, clock_now() + after);
}

static void complain(struct subagent *a, const char *what, unsigned error)
{
	if (!a->complained)
		log_warning("tend-agentx: snmpd %s (%u), trying again", what, error);
	a->complained = true;
}

static void drop(struct subagent *a)
{
	a->io = loop_source_free(a->io);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->state = CLOSED;
	a->n_input = a->output.len = a->sent = 0;
	a->output.failed = false;
	free(a->large);
	a->large = NULL;
	arm(a, MIN(RETRY_USEC, a->ping));
	tell(a, false);
}

/* Returns false when the session is gone. */
static bool flush(struct subagent *a)
{
	while (a->sent < a->output.len) {
		ssize_t n = send(a->fd, a->output.data + a->sent, a->output.len - a->sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			drop(a);
			return false;
		}
		a->sent += (size_t)n;
	}
	if (a->sent == a->output.len)
		a->sent = a->output.len = 0;
	(void)loop_io_set(a->io, (a->output.len - a->sent < MAX_OUTPUT_BYTES ? EPOLLIN : 0) |
					 (a->output.len > 0 ? EPOLLOUT : 0));
	return true;
}

static size_t begin(struct subagent *a, enum wire_pdu type)
{
	const struct wire_header header = {
		.type = (uint8_t)type, .session = a->session, .packet = ++a->packet};

	return wire_begin(&a->output, &header);
}

static void ask_open(struct subagent *a)
{
	static const char name[] = "Tend: tend-agentx " TEND_VERSION;
	size_t at = begin(a, WIRE_OPEN);

	wire_write_8x4(&a->output, TIMEOUT_SEC, 0, 0, 0);
	wire_write_oid(&a->output, serve_root());
	wire_write_text(&a->output, name, sizeof(name) - 1);
	wire_end(&a->output, at);
	a->awaited = a->packet;
	a->state = OPENING;
}

static void ask_register(
	struct subagent *a, const struct wire_oid *root, uint8_t priority, enum state state)
{
	size_t at = begin(a, WIRE_REGISTER);

	wire_write_8x4(&a->output, TIMEOUT_SEC, priority, 0, 0);
	wire_write_oid(&a->output, root);
	wire_end(&a->output, at);
	a->awaited = a->packet;
	a->state = state;
}

static void ask_ping(struct subagent *a)
{
	wire_end(&a->output, begin(a, WIRE_PING));
	a->awaited = a->packet;
	a->n_unanswered++;
}

static void come_up(struct subagent *a)
{
	a->state = UP;
	a->n_unanswered = 0;
	a->complained = false;
	arm(a, a->ping);
	tell(a, true);
}

/* Of the state's request. Returns false when the session is gone. */
static bool on_response(struct subagent *a, const struct wire_header *h, const void *payload)
{
	struct wire_reader r = {.at = payload,
		.end = (const unsigned char *)payload + h->length,
		.big_endian = h->flags & WIRE_FLAG_BIG_ENDIAN};
	uint16_t error;

	if (h->packet != a->awaited)
		return true;
	(void)wire_read_32(&r); /* sysUpTime */
	error = wire_read_16(&r);
	/* Another one has the alarms, and with the same priority: then it shall. */
	if (a->state == REGISTERING_ALARMS && error == DUPLICATE_REGISTRATION)
		error = 0;
	if (r.failed || error != 0) {
		complain(a, "refuses us", error);
		drop(a);
		return false;
	}
	switch (a->state) {
	case OPENING:
		a->session = h->session;
		ask_register(a, serve_root(), DEFAULT_PRIORITY, REGISTERING);
		break;
	case REGISTERING:
		ask_register(a, &alarms_root, ALARMS_PRIORITY, REGISTERING_ALARMS);
		break;
	case REGISTERING_ALARMS:
		come_up(a);
		break;
	default:
		a->n_unanswered = 0;
		break;
	}
	return true;
}

/* Returns false when the session is gone. */
static bool on_pdu(struct subagent *a, const struct wire_header *h, const void *payload)
{
	uint32_t ticks = (uint32_t)((clock_now() - a->started) / 10000);
	int r = 0;

	if (h->type == WIRE_RESPONSE)
		return on_response(a, h, payload);
	if (h->type != WIRE_CLOSE)
		r = serve_answer(h, payload, ticks, &a->output);
	if (r == 0 && h->type != WIRE_CLOSE)
		return true;
	if (r < 0)
		complain(a, "sends what cannot be read", h->type);
	drop(a);
	return false;
}

/* Whole PDUs in the buffer, as long as their answers have room; what is left moves to its begin.
 * False: the session is gone. */
static bool take_input(struct subagent *a)
{
	unsigned char *data = a->large ? a->large : a->input;
	size_t at = 0;

	while (a->output.len - a->sent < MAX_OUTPUT_BYTES) {
		struct wire_header header;
		int r = wire_read_header(data + at, a->n_input - at, &header);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			complain(a, "does not speak AgentX", data[at]);
			drop(a);
			return false;
		}
		if (!on_pdu(a, &header, data + at + WIRE_HEADER_BYTES))
			return false;
		at += WIRE_HEADER_BYTES + header.length;
	}
	a->n_input -= at;
	memmove(data, data + at, a->n_input);
	if (a->large && a->n_input <= READ_BYTES / 2) {
		memcpy(a->input, a->large, a->n_input);
		free(a->large);
		a->large = NULL;
	}
	return true;
}

/* A PDU may have up to WIRE_MAX_PAYLOAD_BYTES; hardly one has. */
static bool make_room(struct subagent *a)
{
	if (a->large || a->n_input < sizeof(a->input))
		return !a->large || a->n_input < a->large_size;
	a->large_size = WIRE_HEADER_BYTES + WIRE_MAX_PAYLOAD_BYTES + READ_BYTES;
	a->large = malloc(a->large_size);
	if (a->large)
		memcpy(a->large, a->input, a->n_input);
	return a->large != NULL;
}

/* Until all whole PDUs are answered, or the master is to take answers first. */
static void work(struct subagent *a)
{
	size_t before;

	do {
		before = a->n_input;
		if (!take_input(a) || !flush(a))
			return;
	} while (a->n_input < before && a->output.len == 0);
}

static void read_some(struct subagent *a)
{
	unsigned char *data;
	size_t size;
	ssize_t n;

	if (!make_room(a)) {
		drop(a);
		return;
	}
	data = a->large ? a->large : a->input;
	size = a->large ? a->large_size : sizeof(a->input);
	n = recv(a->fd, data + a->n_input, size - a->n_input, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(a);
		return;
	}
	a->n_input += (size_t)n;
	work(a);
}

static void on_io(int fd, uint32_t events, void *data)
{
	struct subagent *a = data;
	int error = 0;
	socklen_t len = sizeof(error);

	if (a->state == CONNECTING) {
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			drop(a);
			return;
		}
		ask_open(a);
	}
	if (events & EPOLLOUT)
		work(a);
	if (a->state != CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		read_some(a);
}

static void dial(struct subagent *a)
{
	int one = 1, r;

	a->fd = socket(a->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0) {
		drop(a);
		return;
	}
	if (a->address.ss_family != AF_UNIX)
		(void)setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = connect(a->fd, (const struct sockaddr *)&a->address, a->address_len);
	/* EAGAIN of a unix socket: its queue is full. */
	if ((r < 0 && errno != EINPROGRESS) ||
		loop_io_new(a->loop, a->fd, EPOLLOUT, on_io, a, &a->io) < 0) {
		drop(a);
		return;
	}
	loop_source_name(a->io, "agentx");
	a->state = CONNECTING;
	a->session = 0;
	arm(a, SETUP_USEC);
}

static void on_timer(void *data)
{
	struct subagent *a = data;

	if (a->state == CLOSED) {
		dial(a);
		return;
	}
	if (a->state != UP || a->n_unanswered >= MAX_UNANSWERED) {
		drop(a); /* it connects again and may be lucky: a frozen one takes us up when it
			    thaws */
		return;
	}
	ask_ping(a);
	arm(a, a->ping);
	(void)flush(a);
}

int subagent_new(struct loop *loop, const char *socket, usec_t ping,
	void (*on_status)(bool connected, void *data), void *data, struct subagent **ret_subagent)
{
	struct subagent *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct subagent){.loop = loop,
		.ping = ping,
		.on_status = on_status,
		.data = data,
		.fd = -1,
		.started = clock_now()};
	r = parse_address(socket, a);
	if (r == 0)
		r = loop_timer_new(loop, on_timer, a, &a->timer);
	if (r < 0) {
		free(a);
		return r;
	}
	dial(a);
	*ret_subagent = a;
	return 0;
}

struct subagent *subagent_free(struct subagent *a)
{
	if (!a)
		return NULL;
	a->on_status = NULL;
	a->told = false;
	drop(a);
	loop_source_free(a->timer);
	wire_writer_clear(&a->output);
	free(a);
	return NULL;
}
