/* SPDX-License-Identifier: MIT */
/* The ssh probe: how an SSH server introduces itself, and whether it holds its host key. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "banner.h"
#include "common/pattern.h"
#include "common/stream.h"
#include "common/text.h"
#include "kex.h"

struct ssh_conf {
	struct stream_conf net;
	char *version;
	char **host_keys;
	/* prepared by check() */
	struct pattern *pattern;
};

struct run {
	const struct ssh_conf *conf;
	usec_t opened;
	struct kex *kex; /* once the banner is well, if host keys are declared */
	char seen[BANNER_BYTES + 40];
};

static const char ours[] = "SSH-2.0-Tend";

static const struct tend_option ssh_options[] = {
	STREAM_OPTIONS(struct ssh_conf, "22"),
	TEND_OPT(STRING, struct ssh_conf, version, "version", NULL,
		"A PCRE2 expression that the server's software and version must match, as in "
		"^OpenSSH_9."),
	TEND_OPT(LIST, struct ssh_conf, host_keys, "host_keys", NULL,
		"Fingerprints (SHA256:..., of ssh-keygen -l) of the keys the server may have; it "
		"must prove that it holds one."),
	TEND_OPTION_END,
};

static int ssh_check(void *conf, struct tend_error *err)
{
	struct ssh_conf *c = conf;
	int r = stream_conf_check(&c->net, err);

	for (char **key = c->host_keys; r == 0 && key && *key; key++)
		if (strncmp(*key, "SHA256:", 7) != 0 || strlen(*key) != 50)
			r = tend_error_set(err, -EINVAL,
				"host_keys: '%.80s' is no fingerprint: SHA256: and 43 characters",
				*key);
	if (r == 0 && c->version)
		r = pattern_new("version", c->version, err, &c->pattern);
	return r;
}

static void ssh_clear(void *conf)
{
	struct ssh_conf *c = conf;

	c->pattern = pattern_free(c->pattern);
}

static void on_opened(struct stream *s, void *owner)
{
	struct run *run = owner;

	run->opened = tend_now();
	stream_doing(s, "waiting for the banner");
	stream_send(s, ours, sizeof(ours) - 1);
	stream_send(s, "\r\n", 2);
}

static void begin_kex(struct stream *s, struct run *run, const struct banner *banner)
{
	char theirs[BANNER_BYTES + 24];
	unsigned char out[KEX_OUT_BYTES];

	(void)snprintf(theirs, sizeof(theirs), "SSH-%s-%s", banner->protocol, banner->software);
	run->kex = kex_new(ours, theirs);
	if (!run->kex) {
		stream_finish(s, TEND_REASON_INTERNAL, "no key can be exchanged: no memory");
		return;
	}
	stream_doing(s, "exchanging keys");
	stream_send(s, out, kex_begin(run->kex, out));
}

static void judge(struct stream *s, struct run *run, const struct banner *banner)
{
	const struct ssh_conf *c = run->conf;
	char quoted[200];

	stream_metric_seconds(s, "banner_seconds", tend_now() - run->opened);
	(void)text_quote(banner->software, strlen(banner->software), 180, quoted, sizeof(quoted));
	(void)snprintf(run->seen, sizeof(run->seen), "SSH %s, %s", banner->protocol, quoted);
	if (strcmp(banner->protocol, "2.0") != 0 && strcmp(banner->protocol, "1.99") != 0)
		stream_finish(s, TEND_REASON_VERSION_MISMATCH, "it speaks SSH %s, not 2.0: %s",
			banner->protocol, quoted);
	else if (c->pattern &&
		 pattern_match(c->pattern, banner->software, strlen(banner->software)) != 1)
		stream_finish(s, TEND_REASON_VERSION_MISMATCH, "expected /%.100s/, it is %s",
			c->version, quoted);
	else if (c->host_keys)
		begin_kex(s, run, banner);
	else
		stream_finish(s, TEND_REASON_OK, "%s", run->seen);
}

static void judge_key(struct stream *s, const struct run *run)
{
	const char *fingerprint = kex_fingerprint(run->kex);

	for (char **key = run->conf->host_keys; *key; key++)
		if (strcmp(*key, fingerprint) == 0) {
			stream_finish(s, TEND_REASON_OK, "%s, %s %s", run->seen, kex_type(run->kex),
				fingerprint);
			return;
		}
	stream_finish(s, TEND_REASON_UNDECLARED, "its host key, %s %s, is not one of the declared",
		kex_type(run->kex), fingerprint);
}

static size_t feed_kex(struct stream *s, struct run *run, const char *data, size_t len)
{
	unsigned char out[KEX_OUT_BYTES];
	size_t all = 0, used = 0, n_out = 0;
	enum kex_what what = KEX_SEND;

	while (what == KEX_SEND && !stream_ended(s)) {
		what = kex_feed(
			run->kex, (const unsigned char *)data + all, len - all, &used, out, &n_out);
		all += used;
		if (what == KEX_SEND)
			stream_send(s, out, n_out);
	}
	if (what == KEX_DONE)
		judge_key(s, run);
	else if (what == KEX_BROKEN)
		stream_finish(s, TEND_REASON_PROTOCOL, "%s", kex_why(run->kex));
	return all;
}

static size_t on_input(struct stream *s, const char *data, size_t len, bool eof, void *owner)
{
	struct run *run = owner;
	struct banner banner;
	char quoted[140];

	if (run->kex)
		return feed_kex(s, run, data, len);
	switch (banner_find(data, len, &banner)) {
	case BANNER_FOUND:
		judge(s, run, &banner);
		return run->kex && !stream_ended(s)
			       ? banner.used +
					 feed_kex(s, run, data + banner.used, len - banner.used)
			       : 0;
	case BANNER_FULL:
		stream_finish(s, TEND_REASON_CONNECTIONS_FULL,
			"too many others are logging in (MaxStartups)");
		break;
	case BANNER_DENIED:
		stream_finish(s, TEND_REASON_ACCESS_DENIED, "the server does not let us in now");
		break;
	case BANNER_BROKEN:
		stream_finish(s, TEND_REASON_PROTOCOL, "it does not speak SSH: %s",
			text_quote(data, len, 120, quoted, sizeof(quoted)));
		break;
	case BANNER_MORE:
		break;
	}
	return 0;
}

static void run_free(void *owner)
{
	struct run *run = owner;

	kex_free(run->kex);
	free(run);
}

static const struct stream_handlers handlers = {
	.opened = on_opened, .input = on_input, .free_owner = run_free};

static int ssh_start(struct tend_attempt *a, const void *conf)
{
	const struct ssh_conf *c = conf;
	struct run *run = calloc(1, sizeof(*run));
	struct stream_spec spec = {
		.conf = &c->net,
		.handlers = &handlers,
		.owner = run,
		.max_input_bytes =
			BANNER_MAX_LINES * (BANNER_MAX_LINE_BYTES + 2) + KEX_MAX_PACKET_BYTES,
	};

	if (!run)
		return -ENOMEM;
	run->conf = c;
	return stream_start(a, &spec);
}

static size_t ssh_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct ssh_conf *c = conf;
	size_t n = stream_metric_names(&c->net, ret_names);

	ret_names[n++] = "banner_seconds";
	return n;
}

static const struct tend_metric_doc ssh_metric_docs[] = {
	STREAM_METRIC_DOCS,
	{"banner_seconds", "s", "from the connection to the banner", false},
	STREAM_DOCS_END,
};

static const struct tend_reason_doc ssh_reason_docs[] = {
	STREAM_REASON_DOCS,
	{TEND_REASON_VERSION_MISMATCH, "another software or protocol than expected"},
	{TEND_REASON_UNDECLARED, "its host key is not one of host_keys"},
	{TEND_REASON_CONNECTIONS_FULL, "too many others are logging in (MaxStartups)"},
	{TEND_REASON_PROTOCOL, "it does not speak SSH, hangs up, or cannot prove its host key"},
	STREAM_REASONS_END,
};

static const struct tend_probe ssh_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "ssh",
	.doc = "Reads how an SSH server introduces itself, and has it prove its host key.",
	.options = ssh_options,
	.conf_size = sizeof(struct ssh_conf),
	.check = ssh_check,
	.clear = ssh_clear,
	.start = ssh_start,
	.cancel = stream_cancel,
	.metrics = ssh_metrics,
	.metric_docs = ssh_metric_docs,
	.reason_docs = ssh_reason_docs,
	.example = "host = db1.crm.example\n"
		   "version = ^OpenSSH_9\\.\n",
};
TEND_PROBE(ssh, &ssh_probe);
