/* SPDX-License-Identifier: MIT */
#include "session.h"
#include <errno.h>
#include <openldap.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Our own words come before the core's. */
#define END_MARGIN_USEC (25 * USEC_PER_MSEC)

static struct timeval left_of(const struct session *s)
{
	usec_t now = tend_now(), left = s->end > now ? s->end - now : 1;

	return (struct timeval){(time_t)(left / USEC_PER_SEC), (suseconds_t)(left % USEC_PER_SEC)};
}

/* ---- the end -------------------------------------------------------------------------------- */

static void add_seconds(struct tend_attempt *a, const char *name, usec_t since)
{
	(void)tend_attempt_metric(
		a, name, (double)(tend_now() - since) / (double)USEC_PER_SEC, "s");
}

void session_took(struct session *s, const char *metric)
{
	if (!s->ended)
		add_seconds(s->attempt, metric, s->begun);
	s->begun = tend_now();
}

void session_end(struct session *s, enum tend_reason reason, const char *format, ...)
{
	char text[900];
	va_list ap;

	if (s->ended)
		return;
	s->ended = true;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_seconds(s->attempt, "total_seconds", tend_attempt_started(s->attempt));
	tend_attempt_finish(s->attempt, reason, "%s", text);
}

static const char *const steps[] = {
	[DIRPROBE_TLS] = "the TLS handshake",
	[DIRPROBE_BIND] = "the log-in",
	[DIRPROBE_SEARCH] = "the search",
};

void session_fail(struct session *s, int code, const char *words)
{
	enum tend_reason reason = dirprobe_reason(s->phase, code);

	if (reason == TEND_REASON_TOO_SLOW)
		session_end(
			s, reason, "%s: %s was not answered in time", s->where, steps[s->phase]);
	else if (code == LDAP_SERVER_DOWN)
		session_end(s, reason, "%s: the connection was closed during %s", s->where,
			steps[s->phase]);
	else
		session_end(s, reason, "%s: %s failed: %s%s%.300s (code %d)", s->where,
			steps[s->phase], ldap_err2string(code), words && *words ? ": " : "",
			words ? words : "", code);
}

static void fail_by_library(struct session *s, int code)
{
	char *words = NULL;

	(void)ldap_get_option(s->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &words);
	session_fail(s, code, words);
	ldap_memfree(words);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The first bytes of the first answer, when they are not encrypted. False: it is none. */
static bool look_at_head(struct session *s)
{
	unsigned char bytes[DIRPROBE_HEAD_BYTES];

	for (;;) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN | POLLRDHUP};
		struct timeval left = left_of(s);
		int r = poll(&p, 1, (int)(left.tv_sec * 1000 + left.tv_usec / 1000) + 1);
		ssize_t n;

		if (r <= 0)
			return true; /* the time is up, which the library finds out */
		n = recv(s->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
		if (n <= 0)
			return true;
		switch (dirprobe_message_head(bytes, (size_t)n)) {
		case DIRPROBE_HEAD_OK:
			return true;
		case DIRPROBE_HEAD_NONE:
			session_end(s, TEND_REASON_PROTOCOL, "%s: what answers is no LDAP server",
				s->where);
			return false;
		default:
			if (p.revents & (POLLRDHUP | POLLHUP) || left.tv_sec + left.tv_usec <= 1)
				return true;
			(void)poll(NULL, 0, 2);
		}
	}
}

int session_next(struct session *s, int id, LDAPMessage **ret_message)
{
	struct timeval left;
	int type, code = LDAP_SERVER_DOWN;

	if (!s->answered && s->phase != DIRPROBE_TLS && s->conf->tls == DIRPROBE_PLAIN &&
		!look_at_head(s))
		return -1;
	s->answered = true;
	left = left_of(s);
	type = ldap_result(s->ld, id, LDAP_MSG_ONE, &left, ret_message);
	if (type > 0)
		return type;
	if (type == 0)
		session_fail(s, LDAP_TIMEOUT, NULL);
	else {
		(void)ldap_get_option(s->ld, LDAP_OPT_RESULT_CODE, &code);
		fail_by_library(s, code);
	}
	return -1;
}

/* The one answer of an operation. False: it failed, and the attempt has ended. */
static bool await_success(struct session *s, int id)
{
	LDAPMessage *message = NULL;
	char *words = NULL;
	int code = LDAP_OTHER, r;

	if (session_next(s, id, &message) < 0)
		return false;
	r = ldap_parse_result(s->ld, message, &code, NULL, &words, NULL, NULL, 1);
	if (r != LDAP_SUCCESS)
		session_fail(s, r, NULL);
	else if (code != LDAP_SUCCESS)
		session_fail(s, code, words);
	ldap_memfree(words);
	return r == LDAP_SUCCESS && code == LDAP_SUCCESS;
}

/* ---- the connection ------------------------------------------------------------------------- */

static void set_options(struct session *s)
{
	const struct dirprobe_conf *c = s->conf;
	int version = LDAP_VERSION3,
	    require = c->verify ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER, new_context = 0;
	struct timeval left = left_of(s);

	(void)ldap_set_option(s->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	(void)ldap_set_option(s->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	(void)ldap_set_option(s->ld, LDAP_OPT_NETWORK_TIMEOUT, &left);
	(void)ldap_set_option(s->ld, LDAP_OPT_TIMEOUT, &left);
	(void)ldap_set_option(s->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);
	if (c->verify)
		(void)ldap_set_option(s->ld, LDAP_OPT_X_TLS_CACERTFILE, c->ca_file);
	(void)ldap_set_option(s->ld, LDAP_OPT_X_TLS_NEWCTX, &new_context);
}

static bool open_quietly(
	struct session *s, struct tend_attempt *a, const struct dirprobe_conf *conf);

/* Connects once more, without a log-in, to see the certificate. */
static void fail_certificate(struct session *s)
{
	static const char *const words[TEND_REASON_MAX] = {
		[TEND_REASON_TLS_EXPIRED] = "the certificate has expired, or is not valid yet",
		[TEND_REASON_TLS_NAME] = "the certificate is for another name",
		[TEND_REASON_TLS_UNTRUSTED] = "the certificate is not of a trusted authority",
		[TEND_REASON_TLS_FAILED] = "the certificate was refused",
	};
	struct dirprobe_conf conf = *s->conf;
	struct session other;
	struct berval der = {0};
	enum tend_reason reason = TEND_REASON_TLS_FAILED;

	conf.verify = false;
	if (open_quietly(&other, s->attempt, &conf) &&
		ldap_get_option(other.ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS &&
		der.bv_val)
		reason = dirprobe_certificate_reason(
			(const unsigned char *)der.bv_val, der.bv_len, conf.ca_file, conf.host);
	ldap_memfree(der.bv_val);
	session_close(&other);
	session_end(s, reason, "%s: %s", s->where, words[reason]);
}

static void fail_handshake(struct session *s, int code)
{
	char *words = NULL;

	(void)ldap_get_option(s->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &words);
	if (tend_now() >= s->end) /* it says nothing of that */
		session_fail(s, LDAP_TIMEOUT, NULL);
	else if (s->conf->verify && dirprobe_certificate_refused(code, words ? words : ""))
		fail_certificate(s);
	else
		session_fail(s, code, words);
	ldap_memfree(words);
}

static bool start_tls(struct session *s)
{
	int id = -1, r;

	s->phase = DIRPROBE_TLS;
	tend_attempt_phase(s->attempt, TEND_REASON_TOO_SLOW, "the TLS handshake was not answered");
	if (s->conf->tls == DIRPROBE_STARTTLS) {
		r = ldap_start_tls(s->ld, NULL, NULL, &id);
		if (r != LDAP_SUCCESS) {
			fail_by_library(s, r);
			return false;
		}
		if (!await_success(s, id))
			return false;
	}
	r = ldap_install_tls(s->ld);
	if (r != LDAP_SUCCESS) {
		fail_handshake(s, r);
		return false;
	}
	session_took(s, "tls_seconds");
	return true;
}

static bool open_library(struct session *s)
{
	char url[400];
	bool six = strchr(s->conf->host, ':') && s->conf->host[0] != '[';
	int r;

	/* Its name is what the certificate must be for; it is not looked up. */
	(void)snprintf(url, sizeof(url), "ldap://%s%.253s%s:%d", six ? "[" : "", s->conf->host,
		six ? "]" : "", dirprobe_port(s->conf));
	r = ldap_init_fd(s->fd, LDAP_PROTO_TCP, url, &s->ld);
	if (r != LDAP_SUCCESS) {
		session_end(s, TEND_REASON_INTERNAL, "libldap: %s", ldap_err2string(r));
		return false;
	}
	set_options(s);
	return true;
}

static void fail_connect(struct session *s, int r)
{
	enum tend_reason reason = TEND_REASON_CONNECT_FAILED;

	if (r == -ECONNREFUSED)
		reason = TEND_REASON_CONNECT_REFUSED;
	else if (r == -ETIMEDOUT)
		reason = TEND_REASON_CONNECT_TIMEOUT;
	session_end(s, reason, "%s: %s", s->where, strerror(-r));
}

static bool open_now(struct session *s)
{
	s->end = tend_attempt_deadline(s->attempt) - END_MARGIN_USEC;
	s->begun = tend_now();
	s->fd = dirprobe_connect(s->attempt, s->conf, s->end, s->where);
	if (s->fd < 0) {
		fail_connect(s, s->fd);
		return false;
	}
	session_took(s, "connect_seconds");
	return open_library(s) && (s->conf->tls == DIRPROBE_PLAIN || start_tls(s));
}

static bool open_quietly(
	struct session *s, struct tend_attempt *a, const struct dirprobe_conf *conf)
{
	*s = (struct session){.attempt = a, .conf = conf, .fd = -1, .ended = true};
	return open_now(s);
}

bool session_open(struct session *s, struct tend_attempt *a, const struct dirprobe_conf *conf)
{
	*s = (struct session){.attempt = a, .conf = conf, .fd = -1};
	/* No file and no variable shall say otherwise than our options. */
	(void)setenv("LDAPNOINIT", "1", 1);
	return open_now(s);
}

bool session_bind(struct session *s)
{
	const struct dirprobe_conf *c = s->conf;
	struct berval secret = {0};
	int id = -1, r;

	s->phase = DIRPROBE_BIND;
	tend_attempt_phase(s->attempt, TEND_REASON_TOO_SLOW, "the log-in was not answered");
	if (c->password) {
		secret.bv_val = c->password;
		secret.bv_len = strlen(c->password);
	}
	r = ldap_sasl_bind(
		s->ld, c->bind_dn ? c->bind_dn : "", LDAP_SASL_SIMPLE, &secret, NULL, NULL, &id);
	if (r != LDAP_SUCCESS) {
		fail_by_library(s, r);
		return false;
	}
	if (!await_success(s, id))
		return false;
	session_took(s, "bind_seconds");
	return true;
}

void session_close(struct session *s)
{
	/* Without a word: who is late is not waited for once more. */
	if (s->fd >= 0)
		(void)shutdown(s->fd, SHUT_RDWR);
	if (s->ld)
		(void)ldap_destroy(s->ld);
	else if (s->fd >= 0)
		(void)close(s->fd);
}
