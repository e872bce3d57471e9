/* SPDX-License-Identifier: MIT */
#include "common/starttls.h"
#include <stdio.h>
#include <string.h>

enum { MAX_LINE_BYTES = 2048 };

const char *const starttls_names[] = {
	"no", "smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql", "xmpp", NULL};

static void put(struct starttls_talk *t, const void *data, size_t len)
{
	memcpy(t->out, data, len);
	t->n_out = len;
}

static void put_text(struct starttls_talk *t, const char *text)
{
	put(t, text, strlen(text));
}

static enum starttls_what end(struct starttls_talk *t, enum starttls_what what, const char *why)
{
	t->why = why;
	return what;
}

/* ---- protocols of lines ------------------------------------------------------------------- */

/* `starts`: what a good last line begins with. Lines with `more` in its place 4 (as in "250-") or
 * that begin with `skip` go on. */
struct line_step {
	const char *send;   /* after the line before; NULL: nothing */
	const char *starts; /* a good answer */
	const char *needs;  /* a line of the answer that holds this must have come; NULL */
	char more;	    /* 0: one line */
	const char *skip;   /* lines to skip; NULL */
};
static const struct line_step smtp_steps[] = {
	{NULL, "220", NULL, '-', NULL},
	{"EHLO tend.invalid\r\n", "250", "STARTTLS", '-', NULL},
	{"STARTTLS\r\n", "220", NULL, '-', NULL},
};
static const struct line_step imap_steps[] = {
	{NULL, "* OK", NULL, 0, NULL},
	{"a1 STARTTLS\r\n", "a1 OK", NULL, 0, "* "},
};
static const struct line_step pop3_steps[] = {
	{NULL, "+OK", NULL, 0, NULL},
	{"STLS\r\n", "+OK", NULL, 0, NULL},
};
static const struct line_step ftp_steps[] = {
	{NULL, "220", NULL, '-', NULL},
	{"AUTH TLS\r\n", "234", NULL, '-', NULL},
};
static const struct {
	const struct line_step *steps;
	unsigned n;
} lines[STARTTLS_MAX] = {
	[STARTTLS_SMTP] = {smtp_steps, 3},
	[STARTTLS_IMAP] = {imap_steps, 2},
	[STARTTLS_POP3] = {pop3_steps, 2},
	[STARTTLS_FTP] = {ftp_steps, 2},
};

static bool begins(const char *line, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(line, with, n) == 0;
}

static bool holds(const char *line, size_t len, const char *what)
{
	return memmem(line, len, what, strlen(what)) != NULL;
}

static enum starttls_what bad_line(
	struct starttls_talk *t, const char *line, size_t len, unsigned step)
{
	if (step == 0 && (begins(line, len, "421") || begins(line, len, "554") ||
				 begins(line, len, "* BYE") || begins(line, len, "-ERR")))
		return end(t, STARTTLS_BUSY, "the server turns us away");
	if (step == 0)
		return end(t, STARTTLS_BROKEN, "the greeting is not of this protocol");
	return end(t, STARTTLS_REFUSED, "the server refuses STARTTLS");
}

/* Of a step, the bit that says that what it needs has been seen. */
enum { SEEN = 0x100 };

static enum starttls_what feed_line(struct starttls_talk *t, const char *line, size_t len)
{
	unsigned step = t->step & ~(unsigned)SEEN, n = lines[t->protocol].n;
	const struct line_step *s = &lines[t->protocol].steps[step];

	if (s->needs && holds(line, len, s->needs))
		t->step |= SEEN;
	/* FTP's greeting may have lines of any text between "220-" and "220 ". */
	if (s->skip && begins(line, len, s->skip))
		return STARTTLS_MORE;
	if (s->more && len > 3 && line[3] == s->more && begins(line, len, s->starts))
		return STARTTLS_MORE;
	if (!begins(line, len, s->starts)) {
		if (t->protocol == STARTTLS_FTP && step == 0 && (len < 4 || line[3] != ' '))
			return STARTTLS_MORE;
		return bad_line(t, line, len, step);
	}
	if (s->needs && !(t->step & SEEN))
		return end(t, STARTTLS_REFUSED, "the server offers no STARTTLS");
	t->step = step + 1;
	if (t->step == n)
		return STARTTLS_READY;
	put_text(t, lines[t->protocol].steps[t->step].send);
	return STARTTLS_SEND;
}

static enum starttls_what feed_lines(
	struct starttls_talk *t, const char *data, size_t len, size_t *ret_used)
{
	*ret_used = 0;
	while (len > 0) {
		const char *end_of_line = memchr(data, '\n', len);
		size_t n = end_of_line ? (size_t)(end_of_line - data) : len;
		enum starttls_what what;

		if (n > MAX_LINE_BYTES)
			return end(t, STARTTLS_BROKEN, "a line is too long");
		if (!end_of_line)
			return STARTTLS_MORE;
		*ret_used += n + 1;
		what = feed_line(t, data, n > 0 && data[n - 1] == '\r' ? n - 1 : n);
		if (what != STARTTLS_MORE)
			return what;
		data += n + 1;
		len -= n + 1;
	}
	return STARTTLS_MORE;
}

/* ---- others ------------------------------------------------------------------------------- */

/* An ExtendedRequest 1.3.6.1.4.1.1466.20037, message 1 (RFC 4511 section 4.14.1). */
static const unsigned char ldap_request[] = {0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16,
	'1', '.', '3', '.', '6', '.', '1', '.', '4', '.', '1', '.', '1', '4', '6', '6', '.', '2',
	'0', '0', '3', '7'};

/* One element of BER, short or long form: its tag, where its content lies; 0 = more, < 0 = bad. */
static int ber_next(const unsigned char *p, size_t len, size_t *ret_header, size_t *ret_len)
{
	size_t n_bytes, n = 0;

	if (len < 2)
		return 0;
	if (p[1] < 0x80) {
		*ret_header = 2;
		*ret_len = p[1];
		return p[0] ? p[0] : -1;
	}
	n_bytes = p[1] & 0x7f;
	if (n_bytes == 0 || n_bytes > 4)
		return -1;
	if (len < 2 + n_bytes)
		return 0;
	for (size_t i = 0; i < n_bytes; i++)
		n = n << 8 | p[2 + i];
	if (n > STARTTLS_MAX_INPUT_BYTES)
		return -1;
	*ret_header = 2 + n_bytes;
	*ret_len = n;
	return p[0] ? p[0] : -1;
}

/* LDAPMessage { messageID, extendedResp { resultCode, ... } } */
static enum starttls_what feed_ldap(
	struct starttls_talk *t, const char *data, size_t len, size_t *ret_used)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t header = 0, n = 0, all;
	int tag = ber_next(p, len, &header, &n);

	*ret_used = 0;
	if (tag < 0 || (tag > 0 && tag != 0x30))
		return end(t, STARTTLS_BROKEN, "the answer is not of LDAP");
	if (tag == 0 || len < header + n)
		return STARTTLS_MORE;
	all = header + n;
	p += header;
	for (int want = 0; want < 3; want++) {
		static const int tags[] = {0x02, 0x78, 0x0a};

		tag = ber_next(p, n, &header, &all);
		if (tag != tags[want] || header + all > n)
			return end(t, STARTTLS_BROKEN, "the answer is not of LDAP");
		if (want == 1) /* into the response */
			n = all, p += header;
		else if (want == 0)
			n -= header + all, p += header + all;
	}
	*ret_used = len;
	if (all != 1)
		return end(t, STARTTLS_BROKEN, "the answer is not of LDAP");
	return p[header] == 0 ? STARTTLS_READY
			      : end(t, STARTTLS_REFUSED, "the server refuses STARTTLS");
}

/* SSLRequest: length 8, code 80877103. */
static const unsigned char postgres_request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};

static enum starttls_what feed_postgres(
	struct starttls_talk *t, const char *data, size_t len, size_t *ret_used)
{
	*ret_used = len > 0;
	if (len == 0)
		return STARTTLS_MORE;
	if (data[0] == 'S')
		return STARTTLS_READY;
	if (data[0] == 'N')
		return end(t, STARTTLS_REFUSED, "the server has no TLS");
	return end(t, STARTTLS_BROKEN, "the answer is not of PostgreSQL");
}

enum { MYSQL_CLIENT_SSL = 0x0800 };
/* Length 32, sequence 1; capabilities PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH,
 * LONG_PASSWORD; 16 MiB packets; utf8mb4. */
static const unsigned char mysql_request[36] = {
	32, 0, 0, 1, 0x01, 0x8a, 0x08, 0x00, 0, 0, 0, 1, 45};

/* Handshake v10: protocol, version with its NUL, thread id, 8 bytes of salt, 0, low capabilities.
 */
static enum starttls_what feed_mysql(
	struct starttls_talk *t, const char *data, size_t len, size_t *ret_used)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t n, version;

	*ret_used = 0;
	if (len < 5)
		return STARTTLS_MORE;
	n = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
	if (n > STARTTLS_MAX_INPUT_BYTES - 4 || n < 2)
		return end(t, STARTTLS_BROKEN, "the greeting is not of MySQL");
	if (len < 4 + n)
		return STARTTLS_MORE;
	if (p[4] == 0xff) {
		*ret_used = len;
		return end(t, STARTTLS_BUSY, "the server turns us away");
	}
	version = strnlen(data + 5, n - 1);
	if (p[4] != 10 || 1 + version + 1 + 4 + 8 + 1 + 2 > n)
		return end(t, STARTTLS_BROKEN, "the greeting is not of MySQL");
	*ret_used = 4 + n;
	p += 4 + 1 + version + 1 + 4 + 8 + 1;
	if (!((p[0] | p[1] << 8) & MYSQL_CLIENT_SSL))
		return end(t, STARTTLS_REFUSED, "the server has no TLS");
	put(t, mysql_request, sizeof(mysql_request));
	t->step = 1; /* no answer comes: TLS begins at once */
	return STARTTLS_READY;
}

static enum starttls_what feed_xmpp(
	struct starttls_talk *t, const char *data, size_t len, size_t *ret_used)
{
	static const char ask[] = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
	const char *close;

	*ret_used = 0;
	if (len > 0 && data[0] != '<' && data[0] != ' ' && data[0] != '\n')
		return end(t, STARTTLS_BROKEN, "the answer is not of XMPP");
	if (t->step == 0) {
		close = memmem(data, len, "</stream:features>", 18);
		if (!close)
			return holds(data, len, "<stream:error")
				       ? end(t, STARTTLS_REFUSED, "the server refuses the stream")
				       : STARTTLS_MORE;
		*ret_used = (size_t)(close - data) + 18;
		if (!holds(data, len, "<starttls"))
			return end(t, STARTTLS_REFUSED, "the server offers no STARTTLS");
		t->step = 1;
		put(t, ask, sizeof(ask) - 1);
		return STARTTLS_SEND;
	}
	close = memchr(data, '>', len);
	if (!close)
		return STARTTLS_MORE;
	*ret_used = (size_t)(close - data) + 1;
	return begins(data, len, "<proceed")
		       ? STARTTLS_READY
		       : end(t, STARTTLS_REFUSED, "the server refuses STARTTLS");
}

void starttls_begin(struct starttls_talk *t, enum starttls protocol, const char *host)
{
	*t = (struct starttls_talk){.protocol = protocol, .host = host};
	if (protocol == STARTTLS_LDAP)
		put(t, ldap_request, sizeof(ldap_request));
	else if (protocol == STARTTLS_POSTGRES)
		put(t, postgres_request, sizeof(postgres_request));
	else if (protocol == STARTTLS_XMPP)
		t->n_out = (size_t)snprintf(t->out, sizeof(t->out),
			"<?xml version='1.0'?><stream:stream to='%.200s' xmlns='jabber:client' "
			"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
			strpbrk(host, "'<>&") ? "" : host);
}

enum starttls_what starttls_feed(
	struct starttls_talk *t, const char *data, size_t len, size_t *ret_used)
{
	t->n_out = 0;
	switch (t->protocol) {
	case STARTTLS_LDAP:
		return feed_ldap(t, data, len, ret_used);
	case STARTTLS_POSTGRES:
		return feed_postgres(t, data, len, ret_used);
	case STARTTLS_MYSQL:
		return feed_mysql(t, data, len, ret_used);
	case STARTTLS_XMPP:
		return feed_xmpp(t, data, len, ret_used);
	default:
		return feed_lines(t, data, len, ret_used);
	}
}
