/* SPDX-License-Identifier: MIT */
/*
 * The smtp probe: greeting, EHLO, log-in, and a marked mail if it shall send one. libcurl is not
 * used: it waits, blocking, for the answers to the final dot and to QUIT.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/dial.h"
#include "common/pattern.h"
#include "common/starttls.h"
#include "common/stream.h"
#include "common/text.h"
#include "reply.h"

enum { SECRET_BYTES = 512, MAIL_BYTES = 2048, QUOTE_CHARS = 160, MARKER_BYTES = 64 };

struct smtp_conf {
	struct stream_conf net;
	char *helo, *user, *password, *expect_banner, *mail_from, *mail_to, *marker;
	char **expect_offers;
	/* prepared by check() */
	struct pattern *banner;
};

struct run {
	const struct smtp_conf *conf;
	enum reply_step step;
	usec_t step_started;
};

static const struct tend_option smtp_options[] = {
	STREAM_OPTIONS(struct smtp_conf, "25"),
	STREAM_TLS_OPTION(struct smtp_conf),
	TEND_OPT(ENUM, struct smtp_conf, net.starttls, "starttls", "no",
		"smtp: ask for TLS by STARTTLS, and go no further without it.",
		.names = starttls_names),
	STREAM_VERIFY_OPTIONS(struct smtp_conf),
	STREAM_SECURE_OPTIONS(struct smtp_conf),
	TEND_OPT(STRING, struct smtp_conf, helo, "helo", "tend.invalid",
		"The name to greet with; some servers want one that resolves."),
	TEND_OPT(STRING, struct smtp_conf, user, "user", NULL, "User to log in as."),
	TEND_OPT(SECRET, struct smtp_conf, password, "password", NULL, "Password to log in with."),
	TEND_OPT(STRING, struct smtp_conf, expect_banner, "expect_banner", NULL,
		"A PCRE2 expression that the greeting must match; not with starttls."),
	TEND_OPT(LIST, struct smtp_conf, expect_offers, "expect_offers", NULL,
		"Words that the server must offer, such as AUTH, SIZE, DSN."),
	TEND_OPT(STRING, struct smtp_conf, mail_from, "mail_from", NULL,
		"Sender of the marked mail."),
	TEND_OPT(STRING, struct smtp_conf, mail_to, "mail_to", NULL,
		"Sends a marked mail to this address; an imap check with the same marker finds it "
		"and tells how long it took."),
	TEND_OPT(STRING, struct smtp_conf, marker, "marker", NULL,
		"What marks the mail: letters, digits, '.' and '-'."),
	TEND_OPTION_END,
};

/* ---- configuration ------------------------------------------------------------------------ */

static bool is_marker(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	return n > 0 && n <= MARKER_BYTES && text[n] == '\0';
}

static bool is_address(const char *text)
{
	const char *at = strchr(text, '@');

	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '<' || *p == '>')
			return false;
	return at && at > text && at[1] && strlen(text) <= 254;
}

static int check_login(const struct smtp_conf *c, struct tend_error *err)
{
	if (!c->user != !c->password)
		return tend_error_set(err, -EINVAL, "user and password go together");
	if (c->user && strlen(c->user) + strlen(c->password) > SECRET_BYTES / 2)
		return tend_error_set(err, -EINVAL, "user and password are too long");
	if (c->user && !c->net.tls && !c->net.starttls && !dial_stays_here(c->net.host))
		return tend_error_set(err, -EINVAL,
			"a password goes to another host by TLS only: set tls or starttls");
	return 0;
}

static int check_mail(const struct smtp_conf *c, struct tend_error *err)
{
	if (!c->mail_from && !c->mail_to && !c->marker)
		return 0;
	if (!c->mail_from || !c->mail_to || !c->marker)
		return tend_error_set(err, -EINVAL, "mail_from, mail_to and marker go together");
	if (!is_address(c->mail_from) || !is_address(c->mail_to))
		return tend_error_set(
			err, -EINVAL, "mail_from and mail_to are addresses: name@host");
	if (!is_marker(c->marker))
		return tend_error_set(err, -EINVAL,
			"marker consists of up to %d letters, digits, '.' and '-'", MARKER_BYTES);
	return 0;
}

static int smtp_check(void *conf, struct tend_error *err)
{
	struct smtp_conf *c = conf;
	int r = stream_conf_check(&c->net, err);

	if (r == 0 && c->net.starttls != STARTTLS_NO && c->net.starttls != STARTTLS_SMTP)
		r = tend_error_set(err, -EINVAL, "starttls is smtp or no");
	if (r == 0 && c->net.starttls && c->expect_banner)
		r = tend_error_set(err, -EINVAL, "expect_banner is not seen with starttls");
	if (r == 0 && strpbrk(c->helo, " \r\n\t"))
		r = tend_error_set(err, -EINVAL, "helo is one word");
	if (r == 0)
		r = check_login(c, err);
	if (r == 0)
		r = check_mail(c, err);
	if (r == 0 && c->expect_banner)
		r = pattern_new("expect_banner", c->expect_banner, err, &c->banner);
	return r;
}

static void smtp_clear(void *conf)
{
	struct smtp_conf *c = conf;

	c->banner = pattern_free(c->banner);
}

/* ---- dialogue ----------------------------------------------------------------------------- */

static const char *const doings[STEP_MAX] = {[STEP_GREETING] = "waiting for the greeting",
	[STEP_EHLO] = "waiting for the answer to EHLO",
	[STEP_AUTH] = "logging in",
	[STEP_USER] = "logging in",
	[STEP_PASSWORD] = "logging in",
	[STEP_FROM] = "naming the sender",
	[STEP_TO] = "naming the recipient",
	[STEP_DATA] = "asking to send the mail",
	[STEP_MAIL] = "handing over the mail"};

static void expect_step(struct stream *s, enum reply_step step)
{
	struct run *run = stream_owner(s);

	run->step = step;
	run->step_started = tend_now();
	stream_doing(s, doings[step]);
}

__attribute__((format(printf, 3, 4))) static void say(
	struct stream *s, enum reply_step step, const char *format, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	expect_step(s, step);
	if (n > 0 && (size_t)n < sizeof(line))
		stream_send(s, line, (size_t)n);
	else
		stream_finish(s, TEND_REASON_INTERNAL, "a line is too long");
	explicit_bzero(line, sizeof(line));
}

static void finish(struct stream *s, enum tend_reason reason, const char *text)
{
	stream_send(s, "QUIT\r\n", 6); /* nobody waits for the answer */
	stream_finish(s, reason, "%s", text);
}

static void encode(const char *data, size_t len, char *out)
{
	(void)EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)data, (int)len);
}

static void begin_auth(struct stream *s, const struct reply_offers *offers)
{
	const struct smtp_conf *c = ((struct run *)stream_owner(s))->conf;
	char plain[SECRET_BYTES], coded[SECRET_BYTES * 2];
	int n;

	if (!offers->auth_plain && offers->auth_login) {
		say(s, STEP_USER, "AUTH LOGIN\r\n");
		return;
	}
	if (!offers->auth_plain) {
		finish(s, TEND_REASON_AUTH_FAILED,
			offers->auth ? "the server offers neither AUTH PLAIN nor LOGIN"
				     : "the server offers no AUTH");
		return;
	}
	n = snprintf(plain, sizeof(plain), "%c%s%c%s", '\0', c->user, '\0', c->password);
	encode(plain, (size_t)n, coded);
	say(s, STEP_AUTH, "AUTH PLAIN %s\r\n", coded);
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(coded, sizeof(coded));
}

static void send_coded(struct stream *s, enum reply_step next, const char *text)
{
	char coded[SECRET_BYTES * 2];

	encode(text, strlen(text), coded);
	say(s, next, "%s\r\n", coded);
	explicit_bzero(coded, sizeof(coded));
}

static void send_mail(struct stream *s)
{
	const struct smtp_conf *c = ((struct run *)stream_owner(s))->conf;
	char mail[MAIL_BYTES], date[64];
	struct timespec now;
	struct tm tm;
	int n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	n = snprintf(mail, sizeof(mail),
		"From: <%s>\r\nTo: <%s>\r\nSubject: Tend round trip %s\r\nDate: %s\r\n"
		"Message-ID: <%lld.%09ld.%s@tend.invalid>\r\nAuto-Submitted: auto-generated\r\n"
		"X-Tend-Marker: %s\r\nX-Tend-Sent: %lld.%06ld\r\n\r\n"
		"Sent to measure how long mail takes; deleted when it is found.\r\n.\r\n",
		c->mail_from, c->mail_to, c->marker, date, (long long)now.tv_sec, now.tv_nsec,
		c->marker, c->marker, (long long)now.tv_sec, now.tv_nsec / 1000);
	expect_step(s, STEP_MAIL);
	if (n > 0 && (size_t)n < sizeof(mail))
		stream_send(s, mail, (size_t)n);
	else
		stream_finish(s, TEND_REASON_INTERNAL, "the mail is too long");
}

static void finish_well(struct stream *s, const char *what)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%s in %.3f s", what,
		(double)stream_elapsed(s) / (double)USEC_PER_SEC);
	finish(s, TEND_REASON_OK, text);
}

/* After the log-in, or without one. */
static void go_on(struct stream *s)
{
	const struct smtp_conf *c = ((struct run *)stream_owner(s))->conf;

	if (c->mail_to)
		say(s, STEP_FROM, "MAIL FROM:<%s>\r\n", c->mail_from);
	else
		finish_well(s, c->user ? "logged in" : "greeted");
}

static void judge_offers(struct stream *s, const struct reply *reply)
{
	const struct smtp_conf *c = ((struct run *)stream_owner(s))->conf;
	struct reply_offers offers;
	char text[200];

	reply_offers(reply, &offers);
	if (offers.has_size)
		(void)tend_attempt_metric(
			stream_attempt(s), "size_limit_bytes", offers.size_bytes, "B");
	for (char **word = c->expect_offers; word && *word; word++) {
		if (reply_offers_word(reply, *word))
			continue;
		(void)snprintf(text, sizeof(text), "the server does not offer %.100s", *word);
		finish(s, TEND_REASON_CONTENT_UNEXPECTED, text);
		return;
	}
	if (c->user)
		begin_auth(s, &offers);
	else
		go_on(s);
}

static void greeted(struct stream *s, const struct reply *reply)
{
	const struct smtp_conf *c = ((struct run *)stream_owner(s))->conf;
	char quoted[QUOTE_CHARS + 8], text[400];

	if (c->banner && pattern_match(c->banner, reply->last, reply->last_len) != 1) {
		(void)snprintf(text, sizeof(text), "expected a greeting like /%.100s/, got %s",
			pattern_text(c->banner),
			text_quote(
				reply->last, reply->last_len, QUOTE_CHARS, quoted, sizeof(quoted)));
		finish(s, TEND_REASON_CONTENT_UNEXPECTED, text);
		return;
	}
	say(s, STEP_EHLO, "EHLO %.250s\r\n", c->helo);
}

static void add_seconds(struct stream *s, const char *name)
{
	const struct run *run = stream_owner(s);

	stream_metric_seconds(s, name, tend_now() - run->step_started);
}

static void next(struct stream *s, const struct reply *reply)
{
	struct run *run = stream_owner(s);
	const struct smtp_conf *c = run->conf;

	switch (run->step) {
	case STEP_GREETING:
		add_seconds(s, "greeting_seconds");
		greeted(s, reply);
		break;
	case STEP_EHLO:
		judge_offers(s, reply);
		break;
	case STEP_USER:
		send_coded(s, STEP_PASSWORD, c->user);
		break;
	case STEP_PASSWORD:
		send_coded(s, STEP_AUTH, c->password);
		break;
	case STEP_AUTH:
		add_seconds(s, "login_seconds");
		go_on(s);
		break;
	case STEP_FROM:
		say(s, STEP_TO, "RCPT TO:<%s>\r\n", c->mail_to);
		break;
	case STEP_TO:
		say(s, STEP_DATA, "DATA\r\n");
		break;
	case STEP_DATA:
		send_mail(s);
		break;
	default:
		add_seconds(s, "accept_seconds");
		finish_well(s, "the marked mail was taken");
		break;
	}
}

static void refused(struct stream *s, enum tend_reason reason, const struct reply *reply)
{
	const struct run *run = stream_owner(s);
	char quoted[QUOTE_CHARS + 8], text[400];

	(void)snprintf(text, sizeof(text), "%s: %d %s", doings[run->step], reply->code,
		text_quote(reply->last, reply->last_len, QUOTE_CHARS, quoted, sizeof(quoted)));
	finish(s, reason, text);
}

static void on_opened(struct stream *s, void *owner)
{
	const struct run *run = owner;

	/* STARTTLS has read the greeting; EHLO begins anew after it (RFC 3207 section 4.2). */
	if (run->conf->net.starttls)
		say(s, STEP_EHLO, "EHLO %.250s\r\n", run->conf->helo);
	else
		expect_step(s, STEP_GREETING);
}

static void not_smtp(struct stream *s, const char *data, size_t len)
{
	char quoted[QUOTE_CHARS + 8], text[300];

	(void)snprintf(text, sizeof(text), "this is no answer of SMTP: %s",
		text_quote(data, len, QUOTE_CHARS, quoted, sizeof(quoted)));
	stream_finish(s, TEND_REASON_PROTOCOL, "%s", text);
}

static size_t on_input(struct stream *s, const char *data, size_t len, bool eof, void *owner)
{
	const struct run *run = owner;
	size_t used = 0;

	while (!stream_ended(s) && used < len) {
		struct reply reply;
		long n = reply_parse(data + used, len - used, &reply);
		enum tend_reason reason;

		if (n < 0)
			not_smtp(s, data + used, len - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		reason = reply_reason(run->step, &reply);
		if (reason == TEND_REASON_OK)
			next(s, &reply);
		else
			refused(s, reason, &reply);
	}
	return used;
}

static const struct stream_handlers handlers = {
	.opened = on_opened, .input = on_input, .free_owner = free};

static int smtp_start(struct tend_attempt *a, const void *conf)
{
	const struct smtp_conf *c = conf;
	struct run *run = calloc(1, sizeof(*run));
	struct stream_spec spec = {.conf = &c->net,
		.handlers = &handlers,
		.owner = run,
		.max_input_bytes = REPLY_MAX_BYTES * 2};

	if (!run)
		return -ENOMEM;
	run->conf = c;
	return stream_start(a, &spec);
}

static size_t smtp_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct smtp_conf *c = conf;
	size_t n = stream_metric_names(&c->net, ret_names);

	ret_names[n++] = "size_limit_bytes";
	if (!c->net.starttls)
		ret_names[n++] = "greeting_seconds";
	if (c->user)
		ret_names[n++] = "login_seconds";
	if (c->mail_to)
		ret_names[n++] = "accept_seconds";
	return n;
}

static const struct tend_metric_doc smtp_metric_docs[] = {
	STREAM_METRIC_DOCS,
	STREAM_TLS_METRIC_DOCS,
	{"greeting_seconds", "s", "from the connection to the greeting; not with starttls", false},
	{"login_seconds", "s", "for the log-in", false},
	{"accept_seconds", "s", "from the end of the marked mail until it was taken", false},
	{"size_limit_bytes", "B", "the largest mail that it takes; 0: any", false},
	STREAM_DOCS_END,
};

static const struct tend_reason_doc smtp_reason_docs[] = {
	STREAM_REASON_DOCS,
	STREAM_TLS_REASON_DOCS,
	{TEND_REASON_AUTH_FAILED,
		"user or password is wrong, one is wanted, or no AUTH is offered"},
	{TEND_REASON_ACCESS_DENIED,
		"relaying or the sender is refused, or we are, at the greeting"},
	{TEND_REASON_OBJECT_MISSING, "there is no such recipient"},
	{TEND_REASON_QUOTA, "the mailbox or the disk is full, or the mail too large"},
	{TEND_REASON_CONNECTIONS_FULL, "421: it turns everybody away for now"},
	{TEND_REASON_STATUS_UNEXPECTED, "it refuses for another reason"},
	{TEND_REASON_CONTENT_UNEXPECTED, "another greeting, or it does not offer what it should"},
	{TEND_REASON_PROTOCOL, "it does not speak SMTP, or hangs up"},
	STREAM_REASONS_END,
};

static const struct tend_probe smtp_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "smtp",
	.doc = "Asks a mail server: greeting, TLS, log-in, and a marked mail to be found by imap.",
	.options = smtp_options,
	.conf_size = sizeof(struct smtp_conf),
	.check = smtp_check,
	.clear = smtp_clear,
	.start = smtp_start,
	.cancel = stream_cancel,
	.metrics = smtp_metrics,
	.metric_docs = smtp_metric_docs,
	.reason_docs = smtp_reason_docs,
	.example = "host = mail.crm.example\n"
		   "port = 587\n"
		   "starttls = smtp\n"
		   "user = probe\n"
		   "password = file:/etc/tend/secrets/mail\n"
		   "mail_from = tend@crm.example\n"
		   "mail_to = probe@crm.example\n"
		   "marker = crm-roundtrip\n",
};
TEND_PROBE(smtp, &smtp_probe);
