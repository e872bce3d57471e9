/* SPDX-License-Identifier: MIT */
#include "common/stream.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/dial.h"
#include "common/reason.h"
#include "common/starttls.h"

#define END_MARGIN_USEC (10 * USEC_PER_MSEC)
enum {
	READS_A_TURN = 16,
	MAX_RECEIVED_MIB = 64, /* of an attempt, taken or not */
};

const char *const stream_families[] = {"any", "ipv4", "ipv6", NULL};

enum phase { PHASE_DIAL, PHASE_STARTTLS, PHASE_HANDSHAKE, PHASE_OPEN };

struct stream {
	struct tend_attempt *attempt;
	struct stream_spec spec;
	enum phase phase;
	unsigned depth; /* of callbacks; what has ended is freed when it is 0 */
	bool ended, eof, metrics_added;
	int max_version; /* of TLS; 0 = any */
	const char *doing;
	struct dial dial;
	int fd;
	struct tend_io *io;
	struct tls *tls;
	bool tls_done;
	usec_t tls_started, tls_usec;
	struct starttls_talk talk;
	char *in;
	size_t n_in, in_cap;
	uint64_t n_received;
	char *out;
	size_t n_out;
};

static void pump(struct stream *s);

/* ---- life --------------------------------------------------------------------------------- */

static void close_all(struct stream *s)
{
	dial_stop(&s->dial);
	tend_io_free(s->io);
	s->io = NULL;
	tls_free(s->tls);
	s->tls = NULL;
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

/* Log-ins go this way. */
static void forget_output(struct stream *s)
{
	if (s->out)
		explicit_bzero(s->out, s->n_out);
	s->n_out = 0;
}

static void stream_free(struct stream *s)
{
	if (s->spec.handlers->free_owner)
		s->spec.handlers->free_owner(s->spec.owner);
	forget_output(s);
	free(s->in);
	free(s->out);
	free(s);
}

static void enter(struct stream *s)
{
	s->depth++;
}

static void leave(struct stream *s)
{
	if (--s->depth == 0 && s->ended)
		stream_free(s);
}

void stream_cancel(struct tend_attempt *a)
{
	struct stream *s = tend_attempt_data(a);

	if (!s || s->ended)
		return;
	tend_attempt_set_data(a, NULL);
	close_all(s);
	s->ended = true;
	enter(s);
	leave(s);
}

static void add_seconds(struct stream *s, const char *name, usec_t span)
{
	(void)tend_attempt_metric(s->attempt, name, (double)span / (double)USEC_PER_SEC, "s");
}

static void add_metrics(struct stream *s)
{
	const struct tls_facts *facts = stream_tls(s);

	if (s->metrics_added)
		return;
	s->metrics_added = true;
	if (s->dial.resolved)
		add_seconds(s, "dns_seconds", s->dial.dns_usec);
	if (s->dial.connect_usec)
		add_seconds(s, "connect_seconds", s->dial.connect_usec);
	if (s->tls_usec)
		add_seconds(s, "tls_seconds", s->tls_usec);
	if (facts && facts->has_certificate)
		(void)tend_attempt_metric(s->attempt, "certificate_days", facts->days, "");
}

size_t stream_metric_names(const struct stream_conf *conf, const char *ret_names[])
{
	size_t n = 0;

	ret_names[n++] = "total_seconds";
	ret_names[n++] = "dns_seconds";
	ret_names[n++] = "connect_seconds";
	if (conf->tls || conf->starttls) {
		ret_names[n++] = "tls_seconds";
		ret_names[n++] = "certificate_days";
	}
	return n;
}

void stream_finish(struct stream *s, enum tend_reason reason, const char *format, ...)
{
	struct tend_attempt *a = s->attempt;
	char text[1024];
	va_list ap;

	if (s->ended)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	enter(s);
	add_seconds(s, "total_seconds", stream_elapsed(s));
	add_metrics(s);
	close_all(s);
	s->ended = true;
	tend_attempt_set_data(a, NULL);
	tend_attempt_finish(a, reason, "%s: %s", s->dial.where[0] ? s->dial.where : "here", text);
	leave(s);
}

static void fail(struct stream *s, enum tend_reason reason, const char *text)
{
	if (s->ended)
		return;
	if (s->spec.handlers->failed && !s->spec.handlers->failed(s, reason, text, s->spec.owner))
		return;
	stream_finish(s, reason, "%s", text);
}

bool stream_ended(const struct stream *s)
{
	return s->ended;
}

struct tend_attempt *stream_attempt(struct stream *s)
{
	return s->attempt;
}

void *stream_owner(struct stream *s)
{
	return s->spec.owner;
}

const struct tls_facts *stream_tls(const struct stream *s)
{
	return s->tls_done && s->tls ? tls_facts(s->tls) : NULL;
}

usec_t stream_elapsed(const struct stream *s)
{
	return tend_now() - tend_attempt_started(s->attempt);
}

void stream_metric_seconds(struct stream *s, const char *name, usec_t span)
{
	add_seconds(s, name, span);
}

void stream_doing(struct stream *s, const char *doing)
{
	s->doing = doing;
}

/* ---- late ---------------------------------------------------------------------------------- */

static const char *phase_text(const struct stream *s)
{
	if (s->phase == PHASE_HANDSHAKE)
		return "in the TLS handshake";
	if (s->phase == PHASE_STARTTLS)
		return "asking for TLS";
	return s->doing ? s->doing : "waiting for the answer";
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct stream *s = tend_attempt_data(a);
	char text[200];

	if (!s)
		return;
	enter(s);
	if (s->phase == PHASE_DIAL && !s->dial.resolved) {
		fail(s, TEND_REASON_DNS_FAILED, "the name servers do not answer in time");
	} else if (s->phase == PHASE_DIAL) {
		fail(s, TEND_REASON_CONNECT_TIMEOUT, "no connection in time");
	} else {
		(void)snprintf(text, sizeof(text), "no answer in time while %.120s", phase_text(s));
		fail(s, TEND_REASON_TOO_SLOW, text);
	}
	leave(s);
}

/* ---- reading and writing ------------------------------------------------------------------- */

static void closed_by_peer(struct stream *s)
{
	char text[200];

	(void)snprintf(
		text, sizeof(text), "the server closed the connection while %.120s", phase_text(s));
	fail(s, TEND_REASON_PROTOCOL, text);
}

static void broken(struct stream *s, int error)
{
	char text[200];

	/* A reset right after the connection: nobody listens behind a forwarder. */
	(void)snprintf(text, sizeof(text), "%.60s while %.120s", strerror(error), phase_text(s));
	fail(s, TEND_REASON_PROTOCOL, text);
}

static void tls_broke(struct stream *s)
{
	char text[TLS_TEXT_BYTES];
	enum tend_reason reason = tls_broken_reason(s->tls, s->tls_done, text);

	fail(s, reason, text);
}

static void watch(struct stream *s, uint32_t events)
{
	if (!s->ended && tend_io_set_events(s->io, events) < 0)
		fail(s, TEND_REASON_INTERNAL, "the connection cannot be watched");
}

/* What OpenSSL holds, epoll does not see: a socket that can be written to brings the next turn. */
static void watch_open(struct stream *s)
{
	bool more = s->n_out > 0 || (s->tls && tls_pending(s->tls));

	watch(s, EPOLLIN | (more ? EPOLLOUT : 0u));
}

/* Bytes that could be sent; 0: not now, or it has failed. */
static size_t send_some(struct stream *s)
{
	size_t n = 0;
	ssize_t sent;

	if (s->tls) {
		enum tls_step step = tls_write(s->tls, s->out, s->n_out, &n);

		/* Why the server hung up may still be to be read: that it wants a certificate. */
		if (step == TLS_BROKEN && tls_hung_up(s->tls))
			forget_output(s);
		else if (step == TLS_BROKEN || step == TLS_CLOSED)
			tls_broke(s);
		return step == TLS_DONE ? n : 0;
	}
	sent = send(s->fd, s->out, s->n_out, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		/* The last words of a server that hung up are still to be read. */
		if (errno != EPIPE && errno != ECONNRESET)
			broken(s, errno);
		else
			forget_output(s);
	}
	return sent > 0 ? (size_t)sent : 0;
}

static void flush(struct stream *s)
{
	while (!s->ended && s->n_out > 0) {
		size_t n = send_some(s);

		if (s->ended || n == 0)
			return;
		s->n_out -= n;
		memmove(s->out, s->out + n, s->n_out);
		explicit_bzero(s->out + s->n_out, n);
	}
}

void stream_send(struct stream *s, const void *data, size_t len)
{
	char *p;

	if (s->ended || len == 0)
		return;
	p = s->n_out + len <= STREAM_MAX_OUTPUT_BYTES ? malloc(s->n_out + len) : NULL;
	if (!p) {
		fail(s, TEND_REASON_INTERNAL, "there is too much to send");
		return;
	}
	/* Not realloc(): it would leave log-ins in freed memory. */
	if (s->n_out)
		memcpy(p, s->out, s->n_out);
	memcpy(p + s->n_out, data, len);
	if (s->out)
		explicit_bzero(s->out, s->n_out);
	free(s->out);
	s->out = p;
	s->n_out += len;
	if (s->depth == 0 || s->phase == PHASE_OPEN) {
		enter(s);
		flush(s);
		if (!s->ended && s->io)
			watch_open(s);
		leave(s);
	}
}

static bool grow_in(struct stream *s)
{
	size_t cap = s->in_cap ? s->in_cap * 2 : 4096;
	char *p;

	if (s->n_in < s->in_cap)
		return true;
	p = s->in_cap < s->spec.max_input_bytes ? realloc(s->in, cap) : NULL;
	if (!p) {
		char text[120];

		(void)snprintf(text, sizeof(text), "the server sends more than %zu bytes",
			s->spec.max_input_bytes);
		fail(s, TEND_REASON_PROTOCOL, text);
		return false;
	}
	s->in = p;
	s->in_cap = cap;
	return true;
}

/* Bytes that came; 0: none now, it has failed, or (s->eof) no more will come. */
static size_t receive_some(struct stream *s)
{
	size_t room = s->in_cap - s->n_in, n = 0;
	ssize_t got;

	if (s->tls) {
		enum tls_step step = tls_read(s->tls, s->in + s->n_in, room, &n);

		s->eof = step == TLS_CLOSED;
		if (step == TLS_BROKEN)
			tls_broke(s);
		return step == TLS_DONE ? n : 0;
	}
	got = recv(s->fd, s->in + s->n_in, room, 0);
	s->eof = got == 0;
	if (got < 0 && errno != EAGAIN && errno != EINTR)
		broken(s, errno);
	return got > 0 ? (size_t)got : 0;
}

static void take(struct stream *s, size_t n)
{
	n = n < s->n_in ? n : s->n_in;
	s->n_in -= n;
	memmove(s->in, s->in + n, s->n_in);
}

static void deliver(struct stream *s)
{
	size_t used;

	if (s->n_in == 0 && !s->eof)
		return;
	used = s->spec.handlers->input(s, s->in ? s->in : "", s->n_in, s->eof, s->spec.owner);
	if (s->ended)
		return;
	take(s, used);
	if (s->eof)
		closed_by_peer(s);
}

/* ---- phases --------------------------------------------------------------------------------- */

static void opened(struct stream *s)
{
	s->phase = PHASE_OPEN;
	watch(s, EPOLLIN);
	if (!s->ended)
		s->spec.handlers->opened(s, s->spec.owner);
}

static const char *certificate_name(const struct stream *s)
{
	const struct stream_conf *c = s->spec.conf;

	return c->secure.name ? c->secure.name : c->host;
}

static void shaken(struct stream *s)
{
	char text[TLS_TEXT_BYTES];
	enum tend_reason reason = TEND_REASON_OK;

	s->tls_usec = tend_now() - s->tls_started;
	s->tls_done = true;
	if (!s->spec.only_look && s->spec.conf->secure.verify)
		reason = tls_judge(tls_facts(s->tls), certificate_name(s), text);
	if (reason != TEND_REASON_OK)
		fail(s, reason, text);
	else
		opened(s);
}

static void shake(struct stream *s)
{
	switch (tls_handshake(s->tls)) {
	case TLS_DONE:
		shaken(s);
		break;
	case TLS_WANT_READ:
		watch(s, EPOLLIN);
		break;
	case TLS_WANT_WRITE:
		watch(s, EPOLLOUT);
		break;
	default:
		tls_broke(s);
		break;
	}
}

static void begin_tls(struct stream *s)
{
	struct tend_error err = {.text = "no memory"};
	int r = tls_new(s->fd, &s->spec.conf->secure, s->spec.conf->host, s->spec.only_look,
		s->max_version, &err, &s->tls);

	if (r < 0) {
		fail(s, r == -ENOENT ? TEND_REASON_NO_EVIDENCE : TEND_REASON_INTERNAL, err.text);
		return;
	}
	s->phase = PHASE_HANDSHAKE;
	s->tls_started = tend_now();
	shake(s);
}

static void starttls_ready(struct stream *s)
{
	if (s->talk.n_out)
		stream_send(s, s->talk.out, s->talk.n_out);
	flush(s);
	if (s->ended)
		return;
	if (s->n_in > 0)
		fail(s, TEND_REASON_PROTOCOL, "the server said more than it may before TLS begins");
	else if (s->n_out > 0)
		fail(s, TEND_REASON_PROTOCOL, "the server reads nothing");
	else
		begin_tls(s);
}

static void feed_starttls(struct stream *s)
{
	enum starttls_what what = STARTTLS_SEND;

	while (!s->ended && what == STARTTLS_SEND && s->n_in > 0) {
		size_t used = 0;

		what = starttls_feed(&s->talk, s->in, s->n_in, &used);
		take(s, used);
		if (what == STARTTLS_SEND) {
			stream_send(s, s->talk.out, s->talk.n_out);
			flush(s);
		}
	}
	if (s->ended)
		return;
	if (what == STARTTLS_READY)
		starttls_ready(s);
	else if (what == STARTTLS_REFUSED)
		fail(s, TEND_REASON_TLS_FAILED, s->talk.why);
	else if (what == STARTTLS_BROKEN)
		fail(s, TEND_REASON_PROTOCOL, s->talk.why);
	else if (what == STARTTLS_BUSY)
		fail(s, TEND_REASON_CONNECTIONS_FULL, s->talk.why);
	else if (s->eof)
		closed_by_peer(s);
	else
		watch(s, EPOLLIN | (s->n_out ? EPOLLOUT : 0u));
}

static void begin_starttls(struct stream *s)
{
	s->phase = PHASE_STARTTLS;
	starttls_begin(&s->talk, (enum starttls)s->spec.conf->starttls, certificate_name(s));
	if (s->talk.n_out)
		stream_send(s, s->talk.out, s->talk.n_out);
	flush(s);
	if (!s->ended)
		watch(s, EPOLLIN | (s->n_out ? EPOLLOUT : 0u));
}

/* True: there may be more. */
static bool receive(struct stream *s)
{
	size_t n;

	if (!grow_in(s))
		return false;
	n = receive_some(s);
	if (s->ended || (n == 0 && !s->eof))
		return false;
	s->n_in += n;
	s->n_received += n;
	if (s->n_received > (uint64_t)MAX_RECEIVED_MIB << 20) {
		char text[120];

		(void)snprintf(
			text, sizeof(text), "the server sends more than %d MiB", MAX_RECEIVED_MIB);
		fail(s, TEND_REASON_PROTOCOL, text);
		return false;
	}
	if (s->phase == PHASE_STARTTLS)
		feed_starttls(s);
	else
		deliver(s);
	return !s->ended && !s->eof;
}

static void pump(struct stream *s)
{
	if (s->phase == PHASE_HANDSHAKE) {
		shake(s);
		return;
	}
	flush(s);
	/* OpenSSL may hold what the socket has not any more. A peer may send without end: the loop
	 * is not held for it. */
	for (int i = 0; i < READS_A_TURN && !s->ended; i++)
		if (!receive(s) || !s->tls || s->phase != PHASE_OPEN)
			break;
	if (!s->ended && s->phase == PHASE_OPEN)
		watch_open(s);
}

static void on_io(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	struct stream *s = data;

	enter(s);
	pump(s);
	leave(s);
}

static void on_dialed(int fd, enum tend_reason reason, const char *why, void *data)
{
	struct stream *s = data;
	int r;

	enter(s);
	if (fd < 0) {
		fail(s, reason, why);
		leave(s);
		return;
	}
	s->fd = fd;
	s->phase = PHASE_OPEN;
	r = tend_io_new(s->attempt, fd, EPOLLIN, on_io, s, &s->io);
	if (r < 0)
		fail(s, TEND_REASON_INTERNAL, strerror(-r));
	else if (s->spec.conf->starttls)
		begin_starttls(s);
	else if (s->spec.conf->tls)
		begin_tls(s);
	else
		opened(s);
	leave(s);
}

static void begin_dial(struct stream *s)
{
	static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
	const struct stream_conf *c = s->spec.conf;

	dial_start(&s->dial, s->attempt, c->host, c->port, families[c->family], on_dialed, s);
}

void stream_again(struct stream *s, int max_version)
{
	add_metrics(s);
	close_all(s);
	s->phase = PHASE_DIAL;
	s->tls_done = s->eof = false;
	s->n_in = 0;
	forget_output(s);
	s->max_version = max_version;
	begin_dial(s);
}

int stream_start(struct tend_attempt *a, const struct stream_spec *spec)
{
	struct stream *s = calloc(1, sizeof(*s));
	usec_t deadline = tend_attempt_deadline(a);
	int r;

	if (!s) {
		if (spec->handlers->free_owner)
			spec->handlers->free_owner(spec->owner);
		return -ENOMEM;
	}
	s->attempt = a;
	s->spec = *spec;
	s->fd = -1;
	tend_attempt_set_data(a, s);
	r = tend_timer_new(a, deadline - END_MARGIN_USEC, on_late, NULL, NULL);
	if (r < 0) {
		stream_cancel(a);
		return r;
	}
	enter(s);
	begin_dial(s);
	leave(s);
	return 0;
}

int stream_conf_check(const struct stream_conf *conf, struct tend_error *err)
{
	if (!conf->host[0])
		return tend_error_set(err, -EINVAL, "host is empty");
	if (conf->tls && conf->starttls)
		return tend_error_set(
			err, -EINVAL, "tls begins at once, starttls asks for it: choose one");
	if (conf->host[0] == '/' && (conf->tls || conf->starttls) && !conf->secure.name)
		return tend_error_set(err, -EINVAL,
			"TLS over a unix socket needs tls_name: the name in the certificate");
	return 0;
}
