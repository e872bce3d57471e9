/* SPDX-License-Identifier: MIT */
/* The tls probe: a handshake, and what it shows of the certificate and of the server's taste. */
#include <errno.h>
#include <stdlib.h>
#include "common/starttls.h"
#include "judge.h"

static const char *const ocsps[] = {"ignore", "check", "require", NULL};

static const struct tend_option tls_options[] = {
	STREAM_OPTIONS(struct tls_probe_conf, "443"),
	STREAM_STARTTLS_OPTION(struct tls_probe_conf),
	STREAM_VERIFY_OPTIONS(struct tls_probe_conf),
	STREAM_SECURE_OPTIONS(struct tls_probe_conf),
	TEND_OPT(USEC, struct tls_probe_conf, expires, "expires", "21d",
		"A certificate of the chain that ends sooner is tls-expires; for another severity "
		"use critical.chain_days."),
	TEND_OPT(INT, struct tls_probe_conf, min_cipher_bits, "min_cipher_bits", "128",
		"Fewer bits of the cipher that is agreed on are tls-weak.", .min = 0, .max = 256),
	TEND_OPT(ENUM, struct tls_probe_conf, ocsp, "ocsp", "check",
		"The OCSP answer that the server staples: ignore it, check it when there is one, "
		"or "
		"require one.",
		.names = ocsps),
	TEND_OPT(BOOL, struct tls_probe_conf, older_refused, "older_refused", "no",
		"Whether to shake hands a second time, offering only what is below tls_floor: the "
		"server must refuse."),
	TEND_OPTION_END,
};

static int tls_check(void *conf, struct tend_error *err)
{
	struct tls_probe_conf *c = conf;

	c->net.tls = c->net.starttls == STARTTLS_NO;
	return stream_conf_check(&c->net, err);
}

struct run {
	const struct tls_probe_conf *conf;
	bool again;		   /* the second handshake, with what is below the floor */
	char text[TLS_TEXT_BYTES]; /* what the first has shown */
};

/* The version just below the floor; 0: there is none. */
static int version_below(int floor)
{
	static const int below[TLS_FLOOR_MAX] = {0, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION};

	return below[floor];
}

static void on_opened(struct stream *s, void *owner)
{
	struct run *run = owner;
	const struct tls_probe_conf *conf = run->conf;
	const struct tls_facts *f = stream_tls(s);
	struct tend_attempt *a = stream_attempt(s);
	enum tend_reason reason;

	if (run->again) {
		stream_finish(s, TEND_REASON_TLS_WEAK,
			"the server still speaks %s when it is offered, the floor is TLSv%s",
			f->version_text, tls_floor_names[conf->net.secure.floor]);
		return;
	}
	reason = tls_probe_judge(conf, f, run->text);
	if (f->has_certificate)
		(void)tend_attempt_metric(a, "chain_days", f->chain_days, "");
	if (f->staple != TLS_STAPLE_NONE)
		(void)tend_attempt_metric(a, "ocsp_days", f->staple_days, "");
	(void)tend_attempt_metric(a, "tls_version", tls_version_number(f->version), "");
	(void)tend_attempt_metric(a, "cipher_bits", f->cipher_bits, "");
	if (reason != TEND_REASON_OK || !conf->older_refused ||
		version_below(conf->net.secure.floor) == 0) {
		stream_finish(s, reason, "%s", run->text);
		return;
	}
	run->again = true;
	stream_again(s, version_below(conf->net.secure.floor));
}

/* That the server refuses the second handshake is what is wanted; another failure shows nothing. */
static bool on_failed(struct stream *s, enum tend_reason reason, const char *text, void *owner)
{
	struct run *run = owner;

	if (!run->again || (reason != TEND_REASON_TLS_FAILED && reason != TEND_REASON_TLS_WEAK))
		return true;
	stream_finish(s, TEND_REASON_OK, "%s; nothing older", run->text);
	return false;
}

static size_t on_input(struct stream *s, const char *data, size_t len, bool eof, void *owner)
{
	return len; /* the attempt ends before */
}

static const struct stream_handlers handlers = {
	.opened = on_opened,
	.input = on_input,
	.failed = on_failed,
	.free_owner = free,
};

static int tls_start(struct tend_attempt *a, const void *conf)
{
	struct run *run = calloc(1, sizeof(*run));
	struct stream_spec spec = {
		.conf = &((const struct tls_probe_conf *)conf)->net,
		.handlers = &handlers,
		.owner = run,
		.max_input_bytes = 65536,
		.only_look = true,
	};

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	return stream_start(a, &spec);
}

static size_t tls_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct tls_probe_conf *c = conf;
	size_t n = stream_metric_names(&c->net, ret_names);

	ret_names[n++] = "chain_days";
	ret_names[n++] = "ocsp_days";
	ret_names[n++] = "tls_version";
	ret_names[n++] = "cipher_bits";
	return n;
}

static const struct tend_metric_doc tls_metric_docs[] = {
	STREAM_METRIC_DOCS,
	STREAM_TLS_METRIC_DOCS,
	{"chain_days", "", "days until the first certificate of the chain ends", false},
	{"ocsp_days", "", "days until the stapled answer ends", false},
	{"tls_version", "", "1.0 to 1.3", false},
	{"cipher_bits", "", "bits of the cipher that was agreed on", false},
	STREAM_DOCS_END,
};

static const struct tend_reason_doc tls_reason_docs[] = {
	STREAM_REASON_DOCS,
	STREAM_TLS_REASON_DOCS,
	{TEND_REASON_TLS_EXPIRES, "a certificate of the chain ends sooner than `expires`"},
	{TEND_REASON_PROTOCOL, "STARTTLS is not spoken there"},
	{TEND_REASON_CONNECTIONS_FULL, "the server turns everybody away (before STARTTLS)"},
	STREAM_REASONS_END,
};

static const struct tend_probe tls_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "tls",
	.doc = "Shakes hands by TLS and judges certificate, chain, staple, version and cipher.",
	.options = tls_options,
	.conf_size = sizeof(struct tls_probe_conf),
	.check = tls_check,
	.start = tls_start,
	.cancel = stream_cancel,
	.metrics = tls_metrics,
	.metric_docs = tls_metric_docs,
	.reason_docs = tls_reason_docs,
	.example = "host = crm.example\n"
		   "expires = 21d\n"
		   "critical.chain_days = 7:\n"
		   "ocsp = require\n",
};
TEND_PROBE(tls, &tls_probe);
