/* SPDX-License-Identifier: MIT */
#include "snmp/sink.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/library/large_fd_set.h>
#include <string.h>
#include <sys/epoll.h>
#include <tend/error.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "snmp/identity.h"

const char *const inform_outcome_names[INFORM_OUTCOME_MAX] = {
	[INFORM_PENDING] = "pending",
	[INFORM_ACKNOWLEDGED] = "acknowledged",
	[INFORM_SENT] = "sent",
	[INFORM_TIMEOUT] = "timeout",
	[INFORM_USM] = "usm",
	[INFORM_SEND] = "send",
	[INFORM_REJECTED] = "rejected",
	[INFORM_BUSY] = "busy",
};

/* The library's own timeout comes first: it knows how often it asked. */
enum { DEADLINE_GRACE_USEC = 100000 };

static const struct {
	const char *name;
	long number;
} versions[] = {
	{"3", SNMP_VERSION_3},
	{"2c", SNMP_VERSION_2c},
	{"1", SNMP_VERSION_1},
};

static int find_version(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(versions); i++)
		if (strcmp(versions[i].name, name) == 0)
			return (int)i;
	return -EINVAL;
}

struct inform_list {
	struct inform *first, **tail;
	unsigned n;
};

struct sink {
	struct loop *loop;
	char *host;
	int version; /* row of `versions` */
	bool trap;
	struct identity identity;  /* of v3; else user is NULL */
	char *community;	   /* of the others */
	const struct boots *boots; /* of v3 traps: the engine is ours */
	void *session;		   /* of snmp_sess_open() */
	int fd;			   /* the session's */
	struct loop_source *io;
	struct engine engine;
	bool discovering;
	uint64_t n_engines; /* discovered so far; numbers the present one */
	bool suspect;	    /* something failed since the last acknowledgement */
	struct inform_list waiting, sent;
	usec_t last_used;
};

static void list_init(struct inform_list *l)
{
	*l = (struct inform_list){.tail = &l->first};
}

static void list_append(struct inform_list *l, struct inform *i)
{
	i->next = NULL;
	*l->tail = i;
	l->tail = &i->next;
	l->n++;
}

static void list_prepend(struct inform_list *l, struct inform *i)
{
	i->next = l->first;
	if (!l->first)
		l->tail = &i->next;
	l->first = i;
	l->n++;
}

/* `p` points at the link to the element. */
static struct inform *list_take(struct inform_list *l, struct inform **p)
{
	struct inform *i = *p;

	*p = i->next;
	if (l->tail == &i->next)
		l->tail = p;
	l->n--;
	return i;
}

static void inform_answer(struct inform *i)
{
	if (i->answered)
		return;
	i->answered = true;
	i->done(i, i->data);
}

static void inform_free(struct inform *i)
{
	snmp_free_pdu(i->pdu);
	free(i);
}

__attribute__((format(printf, 3, 4))) static void inform_set(
	struct inform *i, enum inform_outcome outcome, const char *format, ...)
{
	va_list ap;

	i->outcome = outcome;
	va_start(ap, format);
	vsnprintf(i->why, sizeof(i->why), format, ap);
	va_end(ap);
}

/* What a Report says; RFC 3414, 5. */
static void set_reported(struct inform *i)
{
	const struct identity *id = &i->sink->identity;

	inform_set(i, INFORM_USM, "%s says: %s (user '%s')", i->sink->host,
		engine_report_text(i->report), id->user);
}

/* An error that may be gone when it is tried again. */
static bool is_passing(long errstat)
{
	return errstat == SNMP_ERR_GENERR || errstat == SNMP_ERR_RESOURCEUNAVAILABLE ||
	       errstat == SNMP_ERR_AUTHORIZATIONERROR;
}

static int on_reply(int op, netsnmp_session *session, int reqid, netsnmp_pdu *pdu, void *magic)
{
	struct inform *i = magic;

	switch (op) {
	case NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE:
		i->sent = false;
		/* Only USM defines what a Report says (RFC 3416, 4.2.8); v2c has no user. */
		if (pdu->command == SNMP_MSG_REPORT && i->sink->identity.user) {
			i->report = snmpv3_get_report_type(pdu);
			set_reported(i);
		} else if (pdu->command != SNMP_MSG_RESPONSE) {
			inform_set(i, INFORM_BUSY, "%s sent a PDU of another kind", i->sink->host);
		} else if (pdu->errstat != SNMP_ERR_NOERROR) {
			inform_set(i, is_passing(pdu->errstat) ? INFORM_BUSY : INFORM_REJECTED,
				"%s says: %s", i->sink->host, snmp_errstring((int)pdu->errstat));
		} else {
			i->outcome = INFORM_ACKNOWLEDGED;
		}
		break;
	case NETSNMP_CALLBACK_OP_TIMED_OUT:
		i->sent = false;
		if (i->outcome == INFORM_PENDING)
			inform_set(i, INFORM_TIMEOUT, "no acknowledgement from %s in %llu ms",
				i->sink->host, (unsigned long long)(i->timeout / USEC_PER_MSEC));
		break;
	case NETSNMP_CALLBACK_OP_SEND_FAILED:
		i->sent = false;
		inform_set(i, INFORM_SEND, "cannot send to %s: %s", i->sink->host,
			strerror(session->s_errno ? session->s_errno : EIO));
		break;
	default: /* sent again, or a Report that RECEIVED_MESSAGE brings too */
		break;
	}
	return 1;
}

/*
 * Of each packet, also of one that could not be read. When the peer is another engine than the one
 * we asked for, its Report bears our user's name and its own engine id; the library knows no such
 * user and drops it, so it is seen here only.
 */
static int on_parsed(netsnmp_session *session, netsnmp_pdu *pdu, int failure)
{
	struct sink *s = session->callback_magic;

	if (failure == SNMPERR_SUCCESS || s->trap || s->engine.len == 0 ||
		pdu->securityEngineIDLen == 0 ||
		(pdu->securityEngineIDLen == s->engine.len &&
			memcmp(pdu->securityEngineID, s->engine.id, s->engine.len) == 0))
		return 1;
	for (struct inform *i = s->sent.first; i; i = i->next)
		if (i->sent && !i->answered && i->copy->msgid == pdu->msgid)
			i->report = SNMPERR_UNKNOWN_ENG_ID;
	return 1;
}

static int on_discovery(int op, netsnmp_session *session, int reqid, netsnmp_pdu *pdu, void *magic)
{
	struct sink *s = magic;

	if (op == NETSNMP_CALLBACK_OP_RESEND || op == NETSNMP_CALLBACK_OP_SEC_ERROR)
		return 1;
	s->discovering = false;
	if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || pdu->command != SNMP_MSG_REPORT)
		return 1;
	s->n_engines++;
	if (engine_set(&s->engine, pdu->securityEngineID, pdu->securityEngineIDLen) < 0)
		log_warning("tend-snmp: %s: an engine id of %zu bytes is not valid, asking again",
			s->host, pdu->securityEngineIDLen);
	return 1;
}

/* net-snmp takes "udp:192.0.2.1:162" and "udp6:[2001:db8::1]:162"; a name would block in the
 * resolver. */
static int transport_text(const char *host, char *buf, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";
	const char *colon = host ? strrchr(host, ':') : NULL, *start = host;
	bool v6 = host && host[0] == '[';
	unsigned char raw[sizeof(struct in6_addr)];
	size_t len;
	char *end;
	unsigned long port;

	if (!colon)
		return -EINVAL;
	len = (size_t)(colon - host);
	if (v6) {
		if (len < 3 || host[len - 1] != ']')
			return -EINVAL;
		start = host + 1;
		len -= 2;
	}
	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, start, len);
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || port < 1 || port > 65535)
		return -EINVAL;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, address, raw) != 1)
		return -EINVAL;
	snprintf(buf, size, v6 ? "udp6:[%s]:%lu" : "udp:%s:%lu", address, port);
	return 0;
}

static void on_readable(int fd, uint32_t events, void *data)
{
	struct sink *s = data;
	netsnmp_large_fd_set set;

	netsnmp_large_fd_set_init(&set, FD_SETSIZE);
	NETSNMP_LARGE_FD_SET(fd, &set);
	(void)snmp_sess_read2(s->session, &set);
	netsnmp_large_fd_set_cleanup(&set);
}

static int open_session(struct sink *s, struct tend_error *err)
{
	char peer[INET6_ADDRSTRLEN + 16];
	netsnmp_session session;
	netsnmp_transport *transport;

	if (transport_text(s->host, peer, sizeof(peer)) < 0)
		return tend_error_set(err, -EINVAL,
			"host must be ADDRESS:PORT or [ADDRESS]:PORT, an address and no name");
	snmp_sess_init(&session);
	session.retries = SINK_RETRIES;
	session.callback_magic = s;
	if (s->identity.user) {
		identity_fill(&s->identity, &session);
		session.flags |= SNMP_FLAGS_DONT_PROBE;
	} else {
		session.version = versions[s->version].number;
		session.community = (u_char *)s->community;
		session.community_len = s->community ? strlen(s->community) : 0;
	}
	transport = netsnmp_tdomain_transport(peer, 0, "udp");
	if (transport) /* which is the session's from here on, also when this fails */
		s->session = snmp_sess_add(&session, transport, NULL, on_parsed);
	identity_clear_session(&session);
	if (!transport || !s->session)
		return tend_error_set(err, -EIO, "cannot open a socket for %s", s->host);
	/* snmp_sess_add() clears it; without it sending would probe, and wait. */
	snmp_sess_session(s->session)->flags |= SNMP_FLAGS_DONT_PROBE;
	s->fd = transport->sock;
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(s->fd, F_SETFD, FD_CLOEXEC);
	return loop_io_new(s->loop, s->fd, EPOLLIN, on_readable, s, &s->io);
}

int sink_command(const struct sink_spec *spec)
{
	if (!spec->trap)
		return SNMP_MSG_INFORM;
	return str_eq(spec->version, "1") ? SNMP_MSG_TRAP : SNMP_MSG_TRAP2;
}

static int check_spec(const struct sink_spec *spec, struct tend_error *err)
{
	int version = find_version(spec->version);

	if (version < 0)
		return tend_error_set(err, -EINVAL, "version must be 3, 2c or 1");
	if (versions[version].number == SNMP_VERSION_1 && !spec->trap)
		return tend_error_set(err, -EINVAL, "version 1 knows traps only, no informs");
	if (!spec->host)
		return tend_error_set(err, -EINVAL, "host is missing");
	if (versions[version].number != SNMP_VERSION_3)
		return spec->community ? 0 : tend_error_set(err, -EINVAL, "community is missing");
	if (spec->trap && (!spec->boots || spec->boots->len == 0))
		return tend_error_set(err, -EINVAL, "the engine for traps is not known");
	return 0;
}

static int fill_sink(struct sink *s, const struct sink_spec *spec, struct tend_error *err)
{
	int r = 0;

	s->version = find_version(spec->version);
	s->trap = spec->trap;
	s->host = strdup(spec->host);
	if (versions[s->version].number != SNMP_VERSION_3)
		s->community = strdup(spec->community);
	else
		r = identity_init(&s->identity, spec, err);
	if (r == 0 && (!s->host || (!s->identity.user && !s->community)))
		return tend_error_set(err, -ENOMEM, "out of memory");
	if (r == 0 && s->identity.user && s->trap) {
		s->boots = spec->boots;
		r = engine_set(&s->engine, s->boots->id, s->boots->len);
	}
	return r;
}

int sink_new(struct loop *loop, const struct sink_spec *spec, struct tend_error *err,
	struct sink **ret_sink)
{
	struct sink *s;
	int r = check_spec(spec, err);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return tend_error_set(err, -ENOMEM, "out of memory");
	*s = (struct sink){.loop = loop, .fd = -EBADF};
	list_init(&s->waiting);
	list_init(&s->sent);
	r = fill_sink(s, spec, err);
	if (r == 0)
		r = open_session(s, err);
	if (r < 0) {
		sink_free(s);
		return r;
	}
	*ret_sink = s;
	return 0;
}

/* Tells and frees all of them. */
static void list_end(struct inform_list *l)
{
	while (l->first) {
		struct inform *i = list_take(l, &l->first);

		if (i->outcome == INFORM_PENDING)
			inform_set(i, INFORM_SEND, "the receiver was given up");
		inform_answer(i);
		inform_free(i);
	}
}

struct sink *sink_free(struct sink *s)
{
	if (!s)
		return NULL;
	loop_source_free(s->io);
	if (s->session)
		snmp_sess_close(s->session); /* calls back for what is in flight */
	list_end(&s->sent);
	list_end(&s->waiting);
	engine_forget(&s->identity, &s->engine);
	identity_clear(&s->identity);
	if (s->community)
		identity_wipe(s->community, strlen(s->community));
	free(s->community);
	free(s->host);
	free(s);
	return NULL;
}

bool sink_is(const struct sink *s, const struct sink_spec *spec)
{
	if (!str_eq(s->host, spec->host) || s->trap != spec->trap ||
		!str_eq(versions[s->version].name, spec->version))
		return false;
	return s->identity.user ? identity_is(&s->identity, spec)
				: str_eq(s->community, spec->community);
}

bool sink_idle(const struct sink *s)
{
	return s->waiting.n == 0 && s->sent.n == 0;
}

usec_t sink_last_used(const struct sink *s)
{
	return s->last_used;
}

int sink_send(struct sink *s, netsnmp_pdu *pdu, usec_t timeout,
	void (*done)(struct inform *inform, void *data), void *data)
{
	struct inform *i = s->waiting.n < SINK_MAX_WAITING ? calloc(1, sizeof(*i)) : NULL;

	if (!i) {
		snmp_free_pdu(pdu);
		return -ENOBUFS;
	}
	s->last_used = clock_now();
	*i = (struct inform){
		.sink = s,
		.pdu = pdu,
		.timeout = timeout,
		.deadline = s->last_used + timeout,
		.done = done,
		.data = data,
	};
	list_append(&s->waiting, i);
	return 0;
}

/* The timeout of the next request: with its retries it ends at the deadline. */
static void set_timeout(struct sink *s, usec_t left)
{
	snmp_sess_session(s->session)->timeout = (long)MAX(left / (SINK_RETRIES + 1), 1000u);
}

static void start_discovery(struct sink *s, usec_t now)
{
	netsnmp_pdu *pdu = engine_discovery_pdu();
	usec_t left = s->waiting.first->timeout;

	if (!pdu)
		return;
	engine_use(snmp_sess_session(s->session), NULL);
	set_timeout(s, left);
	s->discovering = true;
	if (snmp_sess_async_send(s->session, pdu, on_discovery, s) == 0) {
		s->discovering = false;
		snmp_free_pdu(pdu);
	}
}

/* agent-addr of SNMPv1 (RFC 3584, 3.1): the address that the peer sees; none of IPv6 fits. */
static void set_agent_address(const struct sink *s, netsnmp_pdu *pdu)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(162)}, own;
	socklen_t len = sizeof(own);
	char address[INET_ADDRSTRLEN];
	int fd;

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(s->host, ":"), s->host);
	if (inet_pton(AF_INET, address, &peer.sin_addr) != 1)
		return;
	/* Connecting datagrams sends nothing: the kernel looks the route up. */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0 &&
		getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		memcpy(pdu->agent_addr, &own.sin_addr, sizeof(pdu->agent_addr));
	(void)close(fd);
}

/* Nothing comes back: what the kernel took is all that is known. */
static void transmit_trap(struct sink *s)
{
	struct inform *i = list_take(&s->waiting, &s->waiting.first);
	netsnmp_session *session = snmp_sess_session(s->session);

	if (i->pdu->command == SNMP_MSG_TRAP)
		set_agent_address(s, i->pdu);
	if (s->identity.user)
		set_enginetime(s->engine.id, (u_int)s->engine.len, s->boots->boots,
			boots_time(s->boots, boots_clock()), TRUE);
	if (snmp_sess_async_send(s->session, i->pdu, NULL, NULL) != 0) {
		i->pdu = NULL;
		i->outcome = INFORM_SENT;
	} else {
		inform_set(i, INFORM_SEND, "cannot send to %s: %s", s->host,
			snmp_api_errstring(session->s_snmp_errno));
	}
	inform_answer(i);
	inform_free(i);
}

static void transmit(struct sink *s, usec_t now)
{
	struct inform *i = list_take(&s->waiting, &s->waiting.first);
	netsnmp_session *session = snmp_sess_session(s->session);
	netsnmp_pdu *copy = snmp_clone_pdu(i->pdu);

	list_append(&s->sent, i);
	i->engine = s->n_engines;
	set_timeout(s, i->deadline - now);
	i->sent = true;
	i->copy = copy;
	if (copy && snmp_sess_async_send(s->session, copy, on_reply, i) != 0)
		return;
	i->sent = false;
	if (i->outcome == INFORM_PENDING)
		inform_set(i, INFORM_SEND, "cannot send to %s: %s", s->host,
			copy ? snmp_api_errstring(session->s_snmp_errno) : "out of memory");
	snmp_free_pdu(copy);
}

/* Without those that the library still holds though they were answered. */
static unsigned n_in_flight(const struct sink *s)
{
	unsigned n = 0;

	for (const struct inform *i = s->sent.first; i; i = i->next)
		n += i->answered ? 0 : 1;
	return n;
}

/* Another sink uses the same user of the same engine with other keys: net-snmp holds one. */
static bool user_is_taken(const struct sink *s, struct sink *const *others, size_t n_others)
{
	for (size_t n = 0; n < n_others; n++) {
		const struct sink *o = others[n];

		if (o != s && o->identity.user && n_in_flight(o) > 0 &&
			engine_conflict(&s->identity, &s->engine, &o->identity, &o->engine))
			return true;
	}
	return false;
}

static void pump_traps(struct sink *s)
{
	if (s->identity.user &&
		engine_install(&s->identity, &s->engine, snmp_sess_session(s->session)) < 0)
		return;
	while (s->waiting.first)
		transmit_trap(s);
}

static void pump(struct sink *s, struct sink *const *others, size_t n_others, usec_t now)
{
	bool v3 = s->identity.user != NULL;

	if (!s->waiting.first || s->discovering)
		return;
	if (s->trap) {
		pump_traps(s);
		return;
	}
	/* What failed may have failed because the peer is another engine now, or began anew. */
	if (v3 && s->suspect && n_in_flight(s) == 0) {
		engine_forget(&s->identity, &s->engine);
		s->suspect = false;
	}
	if (v3 && s->engine.len == 0) {
		start_discovery(s, now);
		return;
	}
	if (v3 && user_is_taken(s, others, n_others))
		return;
	if (v3 && engine_install(&s->identity, &s->engine, snmp_sess_session(s->session)) < 0)
		return;
	/* With doubts about the engine one goes ahead; the window opens when it is acknowledged. */
	for (unsigned n = n_in_flight(s); s->waiting.first && n < (s->suspect ? 1 : SINK_WINDOW);
		n++)
		transmit(s, now);
}

/*
 * True if it goes out once more: the peer has become another engine since it was asked for its id.
 * The library may still hold what was sent, so that place is kept and a new one made.
 */
static bool send_again(struct sink *s, struct inform *i, usec_t now)
{
	struct inform *again;

	if (i->answered || i->report != SNMPERR_UNKNOWN_ENG_ID || i->retried || i->deadline <= now)
		return false;
	again = malloc(sizeof(*again));
	if (!again)
		return false;
	*again = *i;
	again->retried = true;
	again->sent = false;
	again->outcome = INFORM_PENDING;
	again->report = 0;
	list_prepend(&s->waiting, again);
	i->pdu = NULL;
	i->answered = true;
	/* Several were in flight: only what went to the present engine says something about it. */
	if (i->engine == s->n_engines)
		engine_forget(&s->identity, &s->engine);
	return true;
}

static void end_late(struct sink *s, struct inform *i)
{
	if (i->report)
		set_reported(i);
	else
		inform_set(i, INFORM_TIMEOUT, "no acknowledgement from %s in time", s->host);
	s->suspect = true;
	inform_answer(i);
}

static void end_sent(struct sink *s, usec_t now)
{
	for (struct inform **p = &s->sent.first; *p;) {
		struct inform *i = *p;

		(void)send_again(s, i, now);
		if (i->sent) {
			if (!i->answered && (i->report || i->deadline + DEADLINE_GRACE_USEC <= now))
				end_late(s, i);
			p = &i->next;
			continue;
		}
		list_take(&s->sent, p);
		if (!i->answered)
			s->suspect = i->outcome != INFORM_ACKNOWLEDGED &&
				     i->outcome != INFORM_REJECTED && i->outcome != INFORM_BUSY;
		inform_answer(i);
		inform_free(i);
	}
}

static void end_waiting(struct sink *s, usec_t now)
{
	for (struct inform **p = &s->waiting.first; *p;) {
		struct inform *i = *p;

		if (i->deadline > now) {
			p = &i->next;
			continue;
		}
		list_take(&s->waiting, p);
		inform_set(i, INFORM_TIMEOUT,
			s->engine.len || !s->identity.user
				? "%s answers too slowly"
				: "no answer from %s when asked for its engine id",
			s->host);
		inform_answer(i);
		inform_free(i);
	}
}

/* When the library wants to be called, clock_now() time. */
static usec_t library_due(struct sink *s, usec_t now)
{
	netsnmp_large_fd_set set;
	struct timeval tv = {0};
	int n_fds = 0, block = 1;

	if (s->sent.n == 0 && !s->discovering)
		return USEC_INFINITY;
	netsnmp_large_fd_set_init(&set, FD_SETSIZE);
	(void)snmp_sess_select_info2(s->session, &n_fds, &set, &tv, &block);
	netsnmp_large_fd_set_cleanup(&set);
	if (block)
		return USEC_INFINITY;
	return now + (usec_t)tv.tv_sec * USEC_PER_SEC + (usec_t)tv.tv_usec + 1000;
}

usec_t sink_step(struct sink *s, struct sink *const *others, size_t n_others)
{
	usec_t now = clock_now(), due = library_due(s, now);

	if (due <= now + 1000)
		snmp_sess_timeout(s->session);
	end_sent(s, now);
	end_waiting(s, now);
	pump(s, others, n_others, now);
	due = library_due(s, now);
	for (const struct inform *i = s->waiting.first; i; i = i->next)
		due = MIN(due, i->deadline);
	for (const struct inform *i = s->sent.first; i; i = i->next)
		due = MIN(due, !i->sent	     ? now
			       : i->answered ? USEC_INFINITY
					     : i->deadline + DEADLINE_GRACE_USEC);
	return due;
}
