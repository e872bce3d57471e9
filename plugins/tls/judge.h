/* SPDX-License-Identifier: MIT */
/* tls/judge.h: what is asked of a TLS server, and whether it holds. Pure. */
#ifndef TLS_JUDGE_H
#define TLS_JUDGE_H

#include "common/stream.h"

enum tls_ocsp { TLS_OCSP_IGNORE, TLS_OCSP_CHECK, TLS_OCSP_REQUIRE };

struct tls_probe_conf {
	struct stream_conf net;
	usec_t expires;
	int64_t min_cipher_bits;
	int ocsp;
	bool older_refused;
};

/* TEND_REASON_OK: `text` says what was seen. */
enum tend_reason tls_probe_judge(const struct tls_probe_conf *conf, const struct tls_facts *facts,
	char text[TLS_TEXT_BYTES]);
double tls_version_number(int version); /* 1.3; 0 = unknown */

#endif
