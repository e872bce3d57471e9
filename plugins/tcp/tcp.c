/* SPDX-License-Identifier: MIT */
/* The tcp probe: a connection, TLS or not, what is sent, and what must come back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/pattern.h"
#include "common/starttls.h"
#include "common/stream.h"
#include "common/text.h"

enum { QUOTE_CHARS = 160 };

struct tcp_conf {
	struct stream_conf net;
	char *send, *expect, *quit;
	uint64_t max_bytes;
	/* prepared by check() */
	struct pattern *pattern;
	char *send_data, *quit_data;
	size_t n_send, n_quit;
};

struct run {
	const struct tcp_conf *conf;
	usec_t sent, first_byte;
	size_t n_got;
	char got[QUOTE_CHARS * 2]; /* the start, to be quoted */
};

static const struct tend_option tcp_options[] = {
	STREAM_OPTIONS(struct tcp_conf, NULL),
	STREAM_TLS_OPTION(struct tcp_conf),
	STREAM_STARTTLS_OPTION(struct tcp_conf),
	STREAM_VERIFY_OPTIONS(struct tcp_conf),
	STREAM_SECURE_OPTIONS(struct tcp_conf),
	TEND_OPT(STRING, struct tcp_conf, send, "send", NULL,
		"What to send when the connection is there; \\r \\n \\t \\0 \\\\ \\xHH are bytes."),
	TEND_OPT(STRING, struct tcp_conf, expect, "expect", NULL,
		"A PCRE2 expression that what comes must match somewhere."),
	TEND_OPT(STRING, struct tcp_conf, quit, "quit", NULL,
		"What to send before the connection is closed, to take leave; written as send."),
	TEND_OPT(BYTES, struct tcp_conf, max_bytes, "max_bytes", "4K",
		"Within how many bytes the expression must match.", .min = 16, .max = 256 << 10),
	TEND_OPTION_END,
};

static int prepare(const char *option, const char *text, char **ret_data, size_t *ret_len,
	struct tend_error *err)
{
	int r = text ? text_unescape(text, ret_data, ret_len) : 0;

	return r < 0 ? tend_error_set(err, r,
			       "%s: after a backslash stands r, n, t, 0, \\ or x and two digits",
			       option)
		     : 0;
}

static int tcp_check(void *conf, struct tend_error *err)
{
	struct tcp_conf *c = conf;
	int r = stream_conf_check(&c->net, err);

	if (r == 0 && c->net.port == 0 && c->net.host[0] != '/')
		r = tend_error_set(err, -EINVAL, "port is missing");
	if (r == 0)
		r = prepare("send", c->send, &c->send_data, &c->n_send, err);
	if (r == 0)
		r = prepare("quit", c->quit, &c->quit_data, &c->n_quit, err);
	if (r == 0 && c->expect)
		r = pattern_new("expect", c->expect, err, &c->pattern);
	return r;
}

static void tcp_clear(void *conf)
{
	struct tcp_conf *c = conf;

	c->pattern = pattern_free(c->pattern);
	free(c->send_data);
	free(c->quit_data);
	c->send_data = c->quit_data = NULL;
}

static void finish(struct stream *s, enum tend_reason reason, const char *text)
{
	struct run *run = stream_owner(s);

	if (run->first_byte)
		stream_metric_seconds(s, "first_byte_seconds", run->first_byte);
	if (run->sent)
		(void)tend_attempt_metric(
			stream_attempt(s), "received_bytes", (double)run->n_got, "B");
	if (run->conf->n_quit && run->sent)
		stream_send(s, run->conf->quit_data, run->conf->n_quit);
	stream_finish(s, reason, "%s", text);
}

static void on_opened(struct stream *s, void *owner)
{
	struct run *run = owner;
	const struct tcp_conf *c = run->conf;
	char text[100];

	run->sent = tend_now();
	stream_doing(s, c->send ? "waiting for the answer" : "waiting for the greeting");
	if (c->n_send)
		stream_send(s, c->send_data, c->n_send);
	if (stream_ended(s) || c->pattern)
		return;
	(void)snprintf(text, sizeof(text), "connected within %.3f s",
		(double)stream_elapsed(s) / (double)USEC_PER_SEC);
	finish(s, TEND_REASON_OK, text);
}

static void not_matched(struct stream *s, const struct run *run, const char *data, size_t len)
{
	char quoted[QUOTE_CHARS + 8], text[500];

	(void)snprintf(text, sizeof(text), "expected /%.150s/, got %s",
		pattern_text(run->conf->pattern),
		text_quote(data, len, QUOTE_CHARS, quoted, sizeof(quoted)));
	finish(s, TEND_REASON_CONTENT_UNEXPECTED, text);
}

static void note(struct run *run, const char *data, size_t len)
{
	size_t n = len < sizeof(run->got) ? len : sizeof(run->got);

	if (len > 0 && run->first_byte == 0)
		run->first_byte = tend_now() - run->sent;
	run->n_got = len;
	memcpy(run->got, data, n);
}

static size_t on_input(struct stream *s, const char *data, size_t len, bool eof, void *owner)
{
	struct run *run = owner;
	const struct tcp_conf *c = run->conf;
	size_t judged = len < c->max_bytes ? len : (size_t)c->max_bytes;
	char quoted[QUOTE_CHARS + 8], text[300];
	int r = pattern_match(c->pattern, data, judged);

	note(run, data, len);
	if (r == 1) {
		(void)snprintf(text, sizeof(text), "answered %s",
			text_quote(data, len, QUOTE_CHARS, quoted, sizeof(quoted)));
		finish(s, TEND_REASON_OK, text);
	} else if (r < 0) {
		finish(s, TEND_REASON_CONTENT_UNEXPECTED,
			"the expression takes too long on this answer: simplify it");
	} else if ((eof && len > 0) || len >= c->max_bytes) {
		not_matched(s, run, data, judged);
	}
	return 0;
}

/* Something came, but not what was expected, until the time was over. */
static bool on_failed(struct stream *s, enum tend_reason reason, const char *text, void *owner)
{
	struct run *run = owner;

	if (reason == TEND_REASON_TOO_SLOW && run->n_got > 0)
		not_matched(s, run, run->got,
			run->n_got < sizeof(run->got) ? run->n_got : sizeof(run->got));
	else
		return true;
	return false;
}

static const struct stream_handlers handlers = {
	.opened = on_opened,
	.input = on_input,
	.failed = on_failed,
	.free_owner = free,
};

static int tcp_start(struct tend_attempt *a, const void *conf)
{
	const struct tcp_conf *c = conf;
	struct run *run = calloc(1, sizeof(*run));
	struct stream_spec spec = {
		.conf = &c->net,
		.handlers = &handlers,
		.owner = run,
		.max_input_bytes = (size_t)c->max_bytes + 65536,
	};

	if (!run)
		return -ENOMEM;
	run->conf = c;
	return stream_start(a, &spec);
}

static size_t tcp_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct tcp_conf *c = conf;
	size_t n = stream_metric_names(&c->net, ret_names);

	ret_names[n++] = "received_bytes";
	if (c->expect)
		ret_names[n++] = "first_byte_seconds";
	return n;
}

static const struct tend_metric_doc tcp_metric_docs[] = {
	STREAM_METRIC_DOCS,
	STREAM_TLS_METRIC_DOCS,
	{"received_bytes", "B", "what came until it was judged", false},
	{"first_byte_seconds", "s", "from the connection to the first byte of the answer", false},
	STREAM_DOCS_END,
};

static const struct tend_reason_doc tcp_reason_docs[] = {
	STREAM_REASON_DOCS,
	STREAM_TLS_REASON_DOCS,
	{TEND_REASON_CONTENT_UNEXPECTED, "something came, but not what expect says"},
	{TEND_REASON_PROTOCOL, "the connection broke, or STARTTLS is not spoken there"},
	{TEND_REASON_CONNECTIONS_FULL, "the server turns everybody away (before STARTTLS)"},
	STREAM_REASONS_END,
};

static const struct tend_probe tcp_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "tcp",
	.doc = "Connects, with TLS or without, sends, and judges what comes back.",
	.options = tcp_options,
	.conf_size = sizeof(struct tcp_conf),
	.check = tcp_check,
	.clear = tcp_clear,
	.start = tcp_start,
	.cancel = stream_cancel,
	.metrics = tcp_metrics,
	.metric_docs = tcp_metric_docs,
	.reason_docs = tcp_reason_docs,
	.example = "host = mail.crm.example\n"
		   "port = 25\n"
		   "starttls = smtp\n"
		   "send = EHLO tend.invalid\\r\\n\n"
		   "expect = (?m)^250[ -]SIZE\n"
		   "quit = QUIT\\r\\n\n",
};
TEND_PROBE(tcp, &tcp_probe);
