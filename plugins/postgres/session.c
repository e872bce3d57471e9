/* SPDX-License-Identifier: MIT */
#include "session.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define END_MARGIN_USEC	 (10 * USEC_PER_MSEC)
#define MIN_ADDRESS_USEC (250 * USEC_PER_MSEC)
/* A path that cannot exist: libpq then looks for no file of the user's. */
#define NO_FILE "/dev/null/none"

enum phase { PHASE_RESOLVING, PHASE_CONNECTING, PHASE_READY, PHASE_QUERY };

struct session {
	struct tend_attempt *attempt;
	const struct postgres_conf *conf;
	const struct session_handlers *handlers;
	void *owner;
	enum phase phase;
	PGconn *conn;
	struct tend_io *io;
	struct tend_timer *next_timer; /* fires when the next address is due */
	struct tend_address addresses[TEND_RESOLVE_MAX];
	size_t n_addresses, i_address;
	usec_t started, connect_usec, query_started, query_usec;
	usec_t earlier_usec; /* of the queries before the last one */
	char sqlstate[6];
};

static void start_address(struct session *s);
static void poll_connection(struct session *s);

struct tend_attempt *session_attempt(struct session *s)
{
	return s->attempt;
}

const char *session_sqlstate(const struct session *s)
{
	return s->sqlstate;
}

usec_t session_connect_usec(const struct session *s)
{
	return s->connect_usec;
}

usec_t session_query_usec(const struct session *s)
{
	return s->earlier_usec +
	       (s->phase == PHASE_QUERY ? tend_now() - s->query_started : s->query_usec);
}

static void close_connection(struct session *s)
{
	tend_io_free(s->io);
	s->io = NULL;
	/* Not PQcancel(): it connects again and waits. The server ends what runs when it next
	 * writes to the closed socket, or by the statement_timeout it was given at the log-in. */
	PQfinish(s->conn);
	s->conn = NULL;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	tend_attempt_set_data(s->attempt, NULL);
	close_connection(s);
	if (s->handlers->free_owner)
		s->handlers->free_owner(s->owner);
	free(s);
}

static void add_seconds(struct tend_attempt *a, const char *name, usec_t span)
{
	(void)tend_attempt_metric(a, name, (double)span / (double)USEC_PER_SEC, "s");
}

void session_finish(struct session *s, enum tend_reason reason, const char *text)
{
	struct tend_attempt *a = s->attempt;
	char copy[1024];

	(void)snprintf(copy, sizeof(copy), "%s", text); /* it may lie in what is freed */
	add_seconds(a, "total_seconds", tend_now() - tend_attempt_started(a));
	if (s->connect_usec)
		add_seconds(a, "connect_seconds", s->connect_usec);
	if (s->query_started)
		add_seconds(a, "query_seconds", session_query_usec(s));
	session_free(s);
	tend_attempt_finish(a, reason, "%s", copy);
}

/* ---- failures
 * --------------------------------------------------------------------------------------- */

static void where_text(const struct session *s, char *buf, size_t size)
{
	const struct postgres_conf *c = s->conf;
	const char *host = c->host ? c->host : c->hostaddr ? c->hostaddr : "/run/postgresql";
	char ip[INET6_ADDRSTRLEN] = "";

	if (host[0] == '/' || s->n_addresses == 0) {
		(void)snprintf(buf, size, "%s port %lld", host, (long long)c->port);
		return;
	}
	const struct tend_address *address = &s->addresses[s->i_address];
	const void *bytes = address->sa.sa_family == AF_INET6
				    ? (const void *)&address->in6.sin6_addr
				    : (const void *)&address->in.sin_addr;
	(void)inet_ntop(address->sa.sa_family, bytes, ip, sizeof(ip));
	(void)snprintf(buf, size, "%s port %lld", ip, (long long)c->port);
}

static void fail(struct session *s, enum tend_reason reason, const char *prefix, const char *what)
{
	char where[300], text[800];
	int n;

	where_text(s, where, sizeof(where));
	n = snprintf(text, sizeof(text), "%s: ", where);
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", prefix, what);
	s->handlers->failed(s, reason, text, s->owner);
}

static void fail_connect(struct session *s)
{
	const char *message = s->conn ? PQerrorMessage(s->conn) : "no memory";
	bool needs_password = s->conn && PQconnectionNeedsPassword(s->conn);
	enum tend_reason reason = postgres_connect_reason(message, needs_password);
	char text[500];

	if (reason == TEND_REASON_CONNECT_REFUSED && s->i_address + 1 < s->n_addresses) {
		s->i_address++;
		start_address(s);
		return;
	}
	(void)postgres_message_text(message, text, sizeof(text));
	fail(s, reason, "", needs_password && !s->conf->password ? "a password is needed" : text);
}

/* ---- connecting
 * -------------------------------------------------------------------------------------- */

static void on_connect_io(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	poll_connection(data);
}

static void await(struct session *s, uint32_t events, tend_io_fn fn)
{
	int fd = PQsocket(s->conn);

	if (fd < 0 || tend_io_new(s->attempt, fd, events, fn, s, &s->io) < 0)
		fail(s, TEND_REASON_INTERNAL, "cannot watch the connection", "");
}

static void connected(struct session *s)
{
	s->connect_usec = tend_now() - s->started;
	s->phase = PHASE_READY;
	if (PQsetnonblocking(s->conn, 1) != 0) {
		fail(s, TEND_REASON_INTERNAL, "cannot make the connection non-blocking", "");
		return;
	}
	(void)s->handlers->connected(s, s->owner);
}

/* libpq may close its socket and open another between two polls, with the same number: it is never
 * watched meanwhile. */
static void poll_connection(struct session *s)
{
	tend_io_free(s->io);
	s->io = NULL;
	switch (PQconnectPoll(s->conn)) {
	case PGRES_POLLING_READING:
		await(s, EPOLLIN, on_connect_io);
		break;
	case PGRES_POLLING_WRITING:
		await(s, EPOLLOUT, on_connect_io);
		break;
	case PGRES_POLLING_OK:
		connected(s);
		break;
	default:
		fail_connect(s);
		break;
	}
}

static bool tcp_connected(const struct session *s)
{
	return s->conn && PQstatus(s->conn) != CONNECTION_STARTED &&
	       PQstatus(s->conn) != CONNECTION_NEEDED;
}

static void on_next_address(struct tend_attempt *a, void *data)
{
	struct session *s = tend_attempt_data(a);

	if (!s || s->phase != PHASE_CONNECTING || tcp_connected(s) ||
		s->i_address + 1 >= s->n_addresses)
		return;
	s->i_address++;
	start_address(s);
}

/* An address that does not answer gets its share of what time is left. */
static void arm_next_address(struct session *s)
{
	usec_t now = tend_now(), deadline = tend_attempt_deadline(s->attempt), share;

	if (s->i_address + 1 >= s->n_addresses || deadline <= now)
		return;
	share = (deadline - now) / (s->n_addresses - s->i_address);
	share = share < MIN_ADDRESS_USEC ? MIN_ADDRESS_USEC : share;
	(void)tend_timer_new(s->attempt, now + share, on_next_address, NULL, &s->next_timer);
}

struct params {
	const char *keys[24], *values[24];
	size_t n;
};

static void param(struct params *p, const char *key, const char *value)
{
	if (!value)
		return;
	p->keys[p->n] = key;
	p->values[p->n] = value;
	p->n++;
}

static void server_options(const struct session *s, char *buf, size_t size)
{
	usec_t now = tend_now(), deadline = tend_attempt_deadline(s->attempt);
	usec_t left = deadline > now ? deadline - now : 0;

	/* Ends on the server, too, what nobody waits for any more. A lock that is waited for is
	 * told as such, before the statement is too slow. */
	(void)snprintf(buf, size,
		"-c statement_timeout=%" PRIu64 " -c lock_timeout=%" PRIu64
		" -c idle_in_transaction_session_timeout=%" PRIu64
		" -c DateStyle=ISO -c TimeZone=UTC",
		left / USEC_PER_MSEC + 1, left / USEC_PER_MSEC * 3 / 4 + 1,
		left / USEC_PER_MSEC + 1000);
}

/* Every setting that libpq would otherwise take from the environment or from files is given. */
static void start_connection(struct session *s, const char *hostaddr)
{
	const struct postgres_conf *c = s->conf;
	const char *sslmode = postgres_sslmodes[c->sslmode];
	bool verify = strncmp(sslmode, "verify", 6) == 0;
	char port[16], options[256];
	struct params p = {.n = 0};

	(void)snprintf(port, sizeof(port), "%lld", (long long)c->port);
	server_options(s, options, sizeof(options));
	param(&p, "host", c->host ? c->host : hostaddr ? hostaddr : "/run/postgresql");
	param(&p, "hostaddr", hostaddr);
	param(&p, "port", port);
	param(&p, "dbname", c->dbname);
	param(&p, "user", c->user);
	param(&p, "password", c->password);
	param(&p, "passfile", NO_FILE);
	param(&p, "sslmode", sslmode);
	param(&p, "sslcert", NO_FILE);
	param(&p, "sslkey", NO_FILE);
	param(&p, "sslcrl", NO_FILE);
	param(&p, "sslrootcert", verify ? c->ca_file : NO_FILE);
	param(&p, "gssencmode", "disable"); /* it blocks */
	param(&p, "target_session_attrs", "any");
	param(&p, "client_encoding", "UTF8");
	param(&p, "application_name", "tend");
	param(&p, "options", options);
	s->conn = PQconnectStartParams(p.keys, p.values, 0);
}

static void no_notice(void *data, const char *message)
{
}

static void start_address(struct session *s)
{
	char ip[INET6_ADDRSTRLEN + 16] = "";
	const struct tend_address *address = &s->addresses[s->i_address];

	close_connection(s);
	s->phase = PHASE_CONNECTING;
	if (s->n_addresses > 0 && address->sa.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->in6.sin6_addr, ip, sizeof(ip));
		if (address->in6.sin6_scope_id) {
			size_t n = strlen(ip);
			(void)snprintf(ip + n, sizeof(ip) - n, "%%%u", address->in6.sin6_scope_id);
		}
	} else if (s->n_addresses > 0) {
		(void)inet_ntop(AF_INET, &address->in.sin_addr, ip, sizeof(ip));
	}
	start_connection(s, ip[0] ? ip : NULL);
	if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD) {
		fail_connect(s);
		return;
	}
	(void)PQsetNoticeProcessor(s->conn, no_notice, NULL);
	/* Only so is there a SQLSTATE in the message of a refused log-in. */
	(void)PQsetErrorVerbosity(s->conn, PQERRORS_VERBOSE);
	arm_next_address(s);
	await(s, EPOLLOUT, on_connect_io);
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct session *s = data;

	if (r < 0) {
		fail(s, TEND_REASON_DNS_FAILED, "",
			r == -ENOENT ? "there is no such name" : strerror(-r));
		return;
	}
	memcpy(s->addresses, addresses, n * sizeof(*addresses));
	s->n_addresses = n;
	start_address(s);
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct session *s = tend_attempt_data(a);

	if (!s)
		return;
	if (s->phase == PHASE_RESOLVING)
		fail(s, TEND_REASON_DNS_FAILED, "the name servers did not answer in time", "");
	else if (s->phase == PHASE_CONNECTING && !tcp_connected(s))
		fail(s, TEND_REASON_CONNECT_TIMEOUT, "no connection in time", "");
	else if (s->phase == PHASE_CONNECTING)
		fail(s, TEND_REASON_TOO_SLOW, "connected, but the log-in was not answered in time",
			"");
	else
		fail(s, TEND_REASON_TOO_SLOW, "the query was not answered in time", "");
}

static int session_connect(struct session *s)
{
	usec_t started = tend_attempt_started(s->attempt);
	usec_t deadline = tend_attempt_deadline(s->attempt), margin = (deadline - started) / 10;
	const struct postgres_conf *c = s->conf;
	struct tend_timer *late = NULL;

	/* A little before the core's deadline, which knows nothing of phases. */
	margin = margin < END_MARGIN_USEC ? margin : END_MARGIN_USEC;
	int r = tend_timer_new(s->attempt, deadline - margin, on_late, NULL, &late);
	if (r < 0)
		return r;
	if (!c->hostaddr && (!c->host || c->host[0] == '/')) {
		start_address(s);
		return 0;
	}
	return tend_resolve(s->attempt, c->hostaddr ? c->hostaddr : c->host, on_resolved, s);
}

int session_start(struct tend_attempt *a, const struct postgres_conf *conf,
	const struct session_handlers *handlers, void *owner)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s) {
		handlers->free_owner(owner);
		return -ENOMEM;
	}
	s->attempt = a;
	s->conf = conf;
	s->handlers = handlers;
	s->owner = owner;
	s->started = tend_now();
	tend_attempt_set_data(a, s);
	return session_connect(s); /* on failure the core cancels, and that frees */
}

/* ---- queries
 * ------------------------------------------------------------------------------------------ */

static void on_query_io(struct tend_attempt *a, int fd, uint32_t events, void *data);

static void fail_query(struct session *s, const PGresult *result)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char text[500];

	if (!sqlstate) {
		(void)postgres_message_text(PQerrorMessage(s->conn), text, sizeof(text));
		fail(s, TEND_REASON_PROTOCOL, "the connection broke: ", text);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s (SQLSTATE %s)", message ? message : "?", sqlstate);
	(void)snprintf(s->sqlstate, sizeof(s->sqlstate), "%s", sqlstate);
	fail(s, postgres_query_reason(sqlstate), "", text);
}

/* False: the session is gone. */
static bool take_result(struct session *s, const PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
		return s->handlers->result(s, result, s->owner);
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		fail(s, TEND_REASON_QUERY_FAILED, "COPY has no answer that could be judged", "");
		return false;
	default:
		fail_query(s, result);
		return false;
	}
}

static void read_results(struct session *s)
{
	if (!PQconsumeInput(s->conn)) {
		fail_query(s, NULL);
		return;
	}
	while (!PQisBusy(s->conn)) {
		PGresult *result = PQgetResult(s->conn);

		if (!result) {
			s->query_usec = tend_now() - s->query_started;
			s->phase = PHASE_READY;
			tend_io_free(s->io);
			s->io = NULL;
			(void)s->handlers->done(s, s->owner);
			return;
		}
		bool alive = take_result(s, result);
		PQclear(result);
		if (!alive)
			return;
	}
}

static void on_query_io(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	struct session *s = data;

	if (events & EPOLLOUT) {
		int unsent = PQflush(s->conn);
		if (unsent < 0) {
			fail_query(s, NULL);
			return;
		}
		(void)tend_io_set_events(s->io, EPOLLIN | (unsent ? (uint32_t)EPOLLOUT : 0));
	}
	/* Also while sending: the server may stop reading until it is read from. */
	if (events & ~(uint32_t)EPOLLOUT)
		read_results(s);
}

int session_query(struct session *s, const char *sql, int n_values, const char *const *values)
{
	s->earlier_usec += s->query_usec;
	s->query_usec = 0;
	s->query_started = tend_now();
	if (!PQsendQueryParams(s->conn, sql, n_values, NULL, values, NULL, NULL, 0) ||
		!PQsetSingleRowMode(s->conn) || PQflush(s->conn) < 0)
		return -EIO;
	s->phase = PHASE_QUERY;
	await(s, EPOLLIN | EPOLLOUT, on_query_io);
	return 0;
}
