/* SPDX-License-Identifier: MIT */
#include "judge.h"
#include <stdio.h>

double tls_version_number(int version)
{
	switch (version) {
	case TLS1_VERSION:
		return 1.0;
	case TLS1_1_VERSION:
		return 1.1;
	case TLS1_2_VERSION:
		return 1.2;
	case TLS1_3_VERSION:
		return 1.3;
	default:
		return 0;
	}
}

static enum tend_reason judge_staple(
	const struct tls_probe_conf *conf, const struct tls_facts *f, char text[TLS_TEXT_BYTES])
{
	bool required = conf->ocsp == TLS_OCSP_REQUIRE || f->must_staple;

	if (conf->ocsp == TLS_OCSP_IGNORE)
		return TEND_REASON_OK;
	switch (f->staple) {
	case TLS_STAPLE_GOOD:
		return TEND_REASON_OK;
	case TLS_STAPLE_NONE:
		if (!required)
			return TEND_REASON_OK;
		(void)snprintf(text, TLS_TEXT_BYTES, "the server staples no OCSP answer%s",
			f->must_staple ? ", though its certificate says that it must" : "");
		return TEND_REASON_TLS_UNTRUSTED;
	case TLS_STAPLE_REVOKED:
		(void)snprintf(text, TLS_TEXT_BYTES, "the certificate of '%.64s' is revoked: %s",
			f->subject, f->staple_why);
		return TEND_REASON_TLS_REVOKED;
	default:
		(void)snprintf(text, TLS_TEXT_BYTES, "%s", f->staple_why);
		return TEND_REASON_TLS_UNTRUSTED;
	}
}

static enum tend_reason judge_strength(
	const struct tls_probe_conf *conf, const struct tls_facts *f, char text[TLS_TEXT_BYTES])
{
	static const int versions[] = {
		TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

	if (f->version < versions[conf->net.secure.floor]) {
		(void)snprintf(text, TLS_TEXT_BYTES,
			"the server speaks %s at best, the floor is TLSv%s", f->version_text,
			tls_floor_names[conf->net.secure.floor]);
		return TEND_REASON_TLS_WEAK;
	}
	if (f->cipher_bits < conf->min_cipher_bits) {
		(void)snprintf(text, TLS_TEXT_BYTES, "the cipher %s has %d bits, the floor is %lld",
			f->cipher, f->cipher_bits, (long long)conf->min_cipher_bits);
		return TEND_REASON_TLS_WEAK;
	}
	/* Whoever takes an older version takes what came with it. */
	if (f->weak[0] && conf->net.secure.floor >= TLS_1_2) {
		(void)snprintf(text, TLS_TEXT_BYTES, "%s", f->weak);
		return TEND_REASON_TLS_WEAK;
	}
	return TEND_REASON_OK;
}

static enum tend_reason judge_days(
	const struct tls_probe_conf *conf, const struct tls_facts *f, char text[TLS_TEXT_BYTES])
{
	double wanted = (double)conf->expires / (double)USEC_PER_SEC / 86400;

	if (f->chain_days >= wanted)
		return TEND_REASON_OK;
	(void)snprintf(text, TLS_TEXT_BYTES, "%s '%.64s' ends in %.1f days",
		f->chain_days < f->days ? "an authority of the certificate of"
					: "the certificate of",
		f->subject, f->chain_days);
	return TEND_REASON_TLS_EXPIRES;
}

enum tend_reason tls_probe_judge(
	const struct tls_probe_conf *conf, const struct tls_facts *f, char text[TLS_TEXT_BYTES])
{
	const struct stream_conf *net = &conf->net;
	enum tend_reason reason = TEND_REASON_OK;

	if (net->secure.verify)
		reason = tls_judge(f, net->secure.name ? net->secure.name : net->host, text);
	if (reason == TEND_REASON_OK)
		reason = judge_staple(conf, f, text);
	if (reason == TEND_REASON_OK)
		reason = judge_strength(conf, f, text);
	if (reason == TEND_REASON_OK && f->has_certificate)
		reason = judge_days(conf, f, text);
	if (reason == TEND_REASON_OK)
		(void)snprintf(text, TLS_TEXT_BYTES,
			"'%.64s' by '%.64s', %.1f days left, %s, %.40s%s", f->subject, f->issuer,
			f->days, f->version_text, f->cipher,
			f->staple == TLS_STAPLE_GOOD ? ", stapled" : "");
	return reason;
}
