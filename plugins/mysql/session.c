/* SPDX-License-Identifier: MIT */
#include "session.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its own words come before the core's. */
#define END_MARGIN_USEC	 (25 * USEC_PER_MSEC)
#define MIN_ADDRESS_USEC (250 * USEC_PER_MSEC)
/* The server's limits end before ours: a statement, and then a wait for a lock. */
#define STATEMENT_MARGIN_USEC (60 * USEC_PER_MSEC)

/* TLS runs on this stack. */
enum { STACK_BYTES = 512 << 10, PACKET_MAX_BYTES = 1 << 20, FOREVER_SEC = 3600 };

/* What a server may ask for: none that sends the password as it is over a plain connection. */
static const char auth_plugins[] =
	"mysql_native_password,client_ed25519,caching_sha2_password,sha256_password";

static usec_t end_of(const struct session *s)
{
	return tend_attempt_deadline(s->attempt) - END_MARGIN_USEC;
}

static usec_t left_usec(const struct session *s)
{
	usec_t now = tend_now(), end = end_of(s);

	return end > now ? end - now : 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void add_seconds(struct tend_attempt *a, const char *name, usec_t span)
{
	(void)tend_attempt_metric(a, name, (double)span / (double)USEC_PER_SEC, "s");
}

void session_end(struct session *s, enum tend_reason reason, const char *format, ...)
{
	struct tend_attempt *a = s->attempt;
	char text[1024];
	va_list ap;

	if (s->ended)
		return;
	s->ended = true;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_seconds(a, "total_seconds", tend_now() - tend_attempt_started(a));
	if (s->connect_usec)
		add_seconds(a, "connect_seconds", s->connect_usec);
	if (s->query_started)
		add_seconds(a, "query_seconds",
			s->query_usec ? s->query_usec : tend_now() - s->query_started);
	tend_attempt_finish(a, reason, "%s", text);
}

static void where_text(const struct session *s, char *buf, size_t size)
{
	const struct myprobe_conf *c = s->conf;
	const struct tend_address *addresses, *address;
	char ip[INET6_ADDRSTRLEN] = "?";

	if (tend_attempt_addresses(s->attempt, &addresses) == 0) {
		(void)snprintf(buf, size, "%s", c->socket);
		return;
	}
	address = s->peer.length ? &s->peer : &addresses[s->i_address];
	const void *bytes = address->sa.sa_family == AF_INET6
				    ? (const void *)&address->in6.sin6_addr
				    : (const void *)&address->in.sin_addr;
	(void)inet_ntop(address->sa.sa_family, bytes, ip, sizeof(ip));
	(void)snprintf(buf, size, "%s port %" PRId64, ip, c->port);
}

static void fail_slow(struct session *s)
{
	char where[300];

	where_text(s, where, sizeof(where));
	if (s->connecting && !s->greeted)
		session_end(s, TEND_REASON_TOO_SLOW, "%s: connected, but no greeting came", where);
	else if (s->connecting)
		session_end(
			s, TEND_REASON_TOO_SLOW, "%s: the log-in was not answered in time", where);
	else
		session_end(
			s, TEND_REASON_TOO_SLOW, "%s: the query was not answered in time", where);
}

/* "Can't connect to server on 'HOST' (111)": what the number means; the rest is known. */
static const char *clear_text(unsigned number, const char *text)
{
	const char *p = number >= 2001 && number <= 2004 ? strrchr(text, '(') : NULL;
	int code = p ? atoi(p + 1) : 0;

	return code > 0 ? strerror(code) : text;
}

static void fail_number(struct session *s, unsigned number, const char *text)
{
	enum tend_reason reason =
		s->connecting ? myprobe_connect_reason(number, text) : myprobe_query_reason(number);
	char where[300];

	where_text(s, where, sizeof(where));
	session_end(s, reason, "%s: %.500s%s%u%s", where, clear_text(number, text),
		number < 2000 || number > 2999 ? " (error " : " (client error ", number, ")");
}

void session_fail(struct session *s)
{
	if (s->timed_out)
		fail_slow(s);
	else
		fail_number(s, mysql_errno(s->mysql), mysql_error(s->mysql));
}

void session_stmt_error(const struct session *s, MYSQL_STMT *stmt, struct session_error *ret_error)
{
	/* An error between two rows is the connection's, not the statement's, to the library. */
	bool own = mysql_stmt_errno(stmt) != 0;

	ret_error->number = own ? mysql_stmt_errno(stmt) : mysql_errno(s->mysql);
	(void)snprintf(ret_error->text, sizeof(ret_error->text), "%s",
		own ? mysql_stmt_error(stmt) : mysql_error(s->mysql));
}

void session_fail_error(struct session *s, const struct session_error *error)
{
	if (s->timed_out)
		fail_slow(s);
	else
		fail_number(s, error->number, error->text);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* An address that does not answer gets its share of what time is left. */
static usec_t address_end(const struct session *s)
{
	usec_t left = left_usec(s), share;

	if (s->i_address + 1 >= s->n_addresses)
		return end_of(s);
	share = left / (s->n_addresses - s->i_address);
	return tend_now() + (share < MIN_ADDRESS_USEC ? MIN_ADDRESS_USEC : share);
}

static int poll_until(int fd, short events, usec_t end)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		usec_t now = tend_now();
		int r = poll(&p, 1,
			end > now ? (int)((end - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC) : 0);

		if (r < 0 && errno == EINTR)
			continue;
		return r > 0 ? p.revents : r;
	}
}

int session_wait(struct session *s, int status)
{
	short events = (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) |
			       (status & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
			       (status & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
	int got = s->timed_out ? 0 : poll_until(mysql_get_socket(s->mysql), events, end_of(s));

	if (got <= 0) {
		s->timed_out = true;
		return MYSQL_WAIT_TIMEOUT;
	}
	return (got & (POLLIN | POLLHUP | POLLERR) ? status & MYSQL_WAIT_READ : 0) |
	       (got & (POLLOUT | POLLHUP | POLLERR) ? status & MYSQL_WAIT_WRITE : 0) |
	       (got & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void set_tls(struct session *s)
{
	const struct myprobe_conf *c = s->conf;
	my_bool on = 1;

	mysql_options(s->mysql, MYSQL_OPT_SSL_ENFORCE, &on);
	if (c->sslmode >= SSL_VERIFY_CA)
		mysql_options(s->mysql, MYSQL_OPT_SSL_CA, c->ca_file);
	if (c->sslmode == SSL_VERIFY_FULL)
		mysql_options(s->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
}

static void set_options(struct session *s)
{
	static const size_t stack = STACK_BYTES, packet = PACKET_MAX_BYTES;
	unsigned protocol = s->n_addresses ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
	unsigned forever = FOREVER_SEC, off = 0;

	mysql_options(s->mysql, MYSQL_OPT_NONBLOCK, &stack);
	mysql_options(s->mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(s->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &forever); /* we look at the clock */
	mysql_options(s->mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	mysql_options(s->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	/* A server could ask for files of ours. */
	mysql_options(s->mysql, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(s->mysql, MARIADB_OPT_RESTRICTED_AUTH, auth_plugins);
	mysql_optionsv(s->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "tend");
	if (s->n_addresses && s->conf->sslmode >= SSL_REQUIRE)
		set_tls(s);
}

static bool tcp_answered(const struct session *s)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int fd = mysql_get_socket(s->mysql);

	return fd >= 0 && getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

/* libmariadb would go on without TLS when the server offers none, whatever it was told. */
static bool may_go_on(const struct session *s, bool tls)
{
	return tls || s->n_addresses == 0 || s->conf->sslmode < SSL_REQUIRE;
}

static void take_greeting(struct session *s, bool tls)
{
	if (tls && s->n_addresses && s->conf->sslmode == SSL_PREFER)
		set_tls(s);
	s->greeted = true;
	s->peer.length = sizeof(s->peer.in6);
	if (s->n_addresses == 0 ||
		getpeername(mysql_get_socket(s->mysql), &s->peer.sa, &s->peer.length) < 0)
		s->peer.length = 0;
	tend_attempt_phase(s->attempt, TEND_REASON_TOO_SLOW, "the log-in was not answered");
}

/* The greeting is looked at before the library reads it. */
static void await_greeting(struct session *s)
{
	unsigned char bytes[GREETING_PEEK_BYTES];
	int fd = mysql_get_socket(s->mysql);
	enum greeting got = GREETING_MORE;
	bool tls = false;

	while (got == GREETING_MORE) {
		short events = (short)poll_until(fd, POLLIN | POLLRDHUP, end_of(s));
		ssize_t n;

		if (events <= 0) {
			s->timed_out = true;
			return;
		}
		n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
		got = n > 0 ? myprobe_greeting(bytes, (size_t)n, &tls) : GREETING_MORE;
		if (got == GREETING_MORE && (n <= 0 || events & (POLLRDHUP | POLLHUP)))
			return; /* there will be no more: the library finds out */
		if (got == GREETING_MORE)
			(void)poll(NULL, 0, 2);
	}
	if (got == GREETING_NONE)
		s->garbage = s->timed_out = true; /* it goes no further */
	else if (got == GREETING_OK && !may_go_on(s, tls))
		s->no_tls = s->timed_out = true;
	else
		take_greeting(s, tls);
}

static int wait_connect(struct session *s, int status)
{
	if (s->timed_out)
		return MYSQL_WAIT_TIMEOUT;
	if (s->greeted)
		return session_wait(s, status);
	if (status & MYSQL_WAIT_WRITE && !tcp_answered(s) &&
		poll_until(mysql_get_socket(s->mysql), POLLOUT, address_end(s)) <= 0) {
		if (s->i_address + 1 < s->n_addresses)
			s->i_address++;
		else
			s->timed_out = true;
		return MYSQL_WAIT_TIMEOUT;
	}
	/* By a unix socket the library may have read it already. */
	if (tcp_answered(s) && !mysql_get_server_info(s->mysql))
		await_greeting(s);
	else if (status & MYSQL_WAIT_READ)
		return session_wait(s, status);
	return s->timed_out ? MYSQL_WAIT_TIMEOUT : status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
}

static bool connect_now(struct session *s)
{
	const struct myprobe_conf *c = s->conf;
	const char *host = s->n_addresses ? (c->host ? c->host : c->hostaddr) : NULL;
	bool answered = false;
	MYSQL *connected = NULL;
	int status;

	status = mysql_real_connect_start(&connected, s->mysql, host, c->user,
		c->password ? c->password : "", c->dbname, (unsigned)c->port,
		host ? NULL : c->socket, CLIENT_REMEMBER_OPTIONS);
	while (status) {
		status = wait_connect(s, status);
		answered = answered || s->greeted || tcp_answered(s);
		status = mysql_real_connect_cont(&connected, s->mysql, status);
	}
	if (connected && !may_go_on(s, mysql_get_ssl_cipher(s->mysql) != NULL))
		s->no_tls = true;
	else if (connected) {
		s->connect_usec = tend_now() - s->started;
		s->connecting = false;
		return true;
	}
	if (s->no_tls)
		session_end(s, TEND_REASON_TLS_FAILED, "the server offers no TLS");
	else if (s->garbage)
		session_end(s, TEND_REASON_PROTOCOL, "what answers is no MariaDB or MySQL server");
	else if (s->timed_out && !answered)
		session_end(s, TEND_REASON_CONNECT_TIMEOUT, "no connection within %.3f s",
			(double)(tend_now() - s->started) / (double)USEC_PER_SEC);
	else {
		if (!s->timed_out && s->n_addresses)
			s->i_address = s->n_addresses - 1; /* all were tried */
		session_fail(s);
	}
	return false;
}

/* Ends on the server, too, what nobody waits for any more. Neither limit is below a second's
 * fraction on the wire for locks, so short attempts are ended by their own clock. */
static bool set_limits(struct session *s)
{
	usec_t left = left_usec(s), statement;
	/* So much before the statement's own end that the reason is the lock, also where what is
	 * asked before it takes its time. */
	unsigned lock_sec = (unsigned)(left / 4 * 3 / USEC_PER_SEC);
	char sql[400];

	statement = left > STATEMENT_MARGIN_USEC ? left - STATEMENT_MARGIN_USEC : left;
	(void)snprintf(sql, sizeof(sql),
		"SET SESSION %s = %.3f, lock_wait_timeout = %u, innodb_lock_wait_timeout = %u, "
		"sql_mode = replace(@@sql_mode, 'EMPTY_STRING_IS_NULL', '')",
		s->mariadb ? "max_statement_time" : "max_execution_time",
		(double)statement / (s->mariadb ? (double)USEC_PER_SEC : (double)USEC_PER_MSEC),
		lock_sec ? lock_sec : 1, lock_sec ? lock_sec : 1);
	if (!s->mariadb) { /* whole milliseconds */
		char *dot = strchr(sql, '.');

		memmove(dot, dot + 4, strlen(dot + 4) + 1);
	}
	return session_do(s, sql);
}

struct session *session_open(struct tend_attempt *a, const struct myprobe_conf *conf)
{
	struct session *s = calloc(1, sizeof(*s));
	const struct tend_address *addresses;
	usec_t begun;

	if (!s || !(s->mysql = mysql_init(NULL))) {
		free(s);
		tend_attempt_finish(a, TEND_REASON_INTERNAL, "no memory");
		return NULL;
	}
	s->attempt = a;
	s->conf = conf;
	s->started = tend_now();
	s->connecting = true;
	s->n_addresses = tend_attempt_addresses(a, &addresses);
	set_options(s);
	tend_attempt_phase(a, TEND_REASON_TOO_SLOW, "the server does not greet");
	if (connect_now(s)) {
		s->mariadb = strstr(mysql_get_server_info(s->mysql), "MariaDB") != NULL;
		tend_attempt_phase(a, TEND_REASON_TOO_SLOW, "the query was not answered");
		begun = s->query_started;
		if (set_limits(s)) {
			s->query_started = begun;
			s->query_usec = 0;
			return s;
		}
	}
	session_close(s);
	return NULL;
}

void session_close(struct session *s)
{
	int fd = mysql_get_socket(s->mysql);

	/* A server that is late is not waited for once more. */
	if (s->timed_out && fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
	mysql_close(s->mysql);
	free(s);
}

/* ---- statements ----------------------------------------------------------------------------- */

unsigned session_try(struct session *s, const char *sql)
{
	int r = 0;

	if (!s->query_started)
		s->query_started = tend_now();
	SESSION_AWAIT(mysql_real_query_start(&r, s->mysql, sql, strlen(sql)),
		mysql_real_query_cont(&r, s->mysql, session_wait(s, st)));
	s->query_usec = tend_now() - s->query_started;
	return r == 0 ? 0 : (mysql_errno(s->mysql) ? mysql_errno(s->mysql) : 2000);
}

bool session_query(struct session *s, const char *sql)
{
	if (session_try(s, sql) == 0)
		return true;
	session_fail(s);
	return false;
}

bool session_result(struct session *s, MYSQL_RES **ret_result)
{
	MYSQL_RES *result = mysql_use_result(s->mysql);

	if (!result && mysql_field_count(s->mysql) > 0) {
		session_fail(s);
		return false;
	}
	*ret_result = result;
	return true;
}

bool session_row(struct session *s, MYSQL_RES *result, MYSQL_ROW *ret_row)
{
	MYSQL_ROW row = NULL;

	SESSION_AWAIT(mysql_fetch_row_start(&row, result),
		mysql_fetch_row_cont(&row, result, session_wait(s, st)));
	s->query_usec = tend_now() - s->query_started;
	if (!row && mysql_errno(s->mysql)) {
		session_fail(s);
		return false;
	}
	*ret_row = row;
	return true;
}

void session_drop(struct session *s, MYSQL_RES *result)
{
	SESSION_AWAIT(mysql_free_result_start(result),
		mysql_free_result_cont(result, session_wait(s, st)));
}

bool session_do(struct session *s, const char *sql)
{
	MYSQL_RES *result = NULL;

	if (!session_query(s, sql) || !session_result(s, &result))
		return false;
	if (result)
		session_drop(s, result);
	return true;
}
