/* SPDX-License-Identifier: MIT */
/* What the manual says of metrics and reasons. */
#include "run.h"

const struct tend_metric_doc http_metric_docs[] = {
	{"total_seconds", "s", "from the start of the attempt to its end", TEND_COMES_ALWAYS},
	{"total_seconds_p50", "s", "of the last answers, the half is not slower", false},
	{"total_seconds_p95", "s", "of the last answers, 95 % are not slower", false},
	{"total_seconds_p99", "s", "of the last answers, 99 % are not slower", false},
	{"dns_seconds", "s", "to look up the names", false},
	{"connect_seconds", "s", "until the connection stood; none when it was kept", false},
	{"tls_seconds", "s", "for the TLS handshake", false},
	{"first_byte_seconds", "s", "from the request to the first byte of the answer", false},
	{"token_seconds", "s", "to get a token; none when one was at hand", false},
	{"login_seconds", "s", "to log in by the form", false},
	{"status", "", "of the answer", TEND_COMES_ALWAYS},
	{"body_bytes", "B", "of the answer", false},
	{"certificate_days", "", "until the server's certificate ends", false},
	{"tls_resumed", "", "1: the TLS session was resumed (tls_resume)", false},
	{"connection_kept", "", "1: it came over the connection of the attempt before (keep)",
		false},
	{"quota_used", "", "what the headers say is used", false},
	{"quota_max", "", "what the headers say is allowed", false},
	{"quota_remaining", "", "what the headers say is left", false},
	{"quota_used_pct", "%", "used of what is allowed", false},
	{"retry_after_seconds", "s", "when it wants to be asked again", false},
	{NULL, NULL, NULL, false},
};

const struct tend_reason_doc http_reason_docs[] = {
	{TEND_REASON_DNS_FAILED, "the name does not resolve, that of the proxy included"},
	{TEND_REASON_CONNECT_REFUSED, "nobody listens"},
	{TEND_REASON_CONNECT_TIMEOUT, "no connection in time"},
	{TEND_REASON_CONNECT_FAILED, "no way there, or the proxy finds none"},
	{TEND_REASON_TOO_SLOW, "connected, but no full answer in time"},
	{TEND_REASON_TLS_NAME, "the certificate is for another name"},
	{TEND_REASON_TLS_EXPIRED, "the certificate has ended, or has not begun"},
	{TEND_REASON_TLS_UNTRUSTED, "nobody that is trusted has signed the certificate"},
	{TEND_REASON_TLS_REVOKED, "the certificate is revoked"},
	{TEND_REASON_TLS_WEAK, "TLS below tls_floor, or a weak key"},
	{TEND_REASON_TLS_FAILED, "the handshake failed otherwise; no TLS there, perhaps"},
	{TEND_REASON_AUTH_FAILED, "401, 403, 407, the log-in, the token or our certificate is "
				  "refused, or a code of error_auth"},
	{TEND_REASON_ACCESS_DENIED, "the proxy or a packet filter forbids it"},
	{TEND_REASON_QUOTA, "429, a code of error_quota, nothing left by the headers, or quiet is "
			    "kept because it was asked for"},
	{TEND_REASON_STATUS_UNEXPECTED, "another status"},
	{TEND_REASON_CONTENT_UNEXPECTED, "another body, an error code in it, no such form"},
	{TEND_REASON_PROTOCOL, "garbage, half an answer, HTTP/1 where 2 was expected"},
	{TEND_REASON_NO_EVIDENCE, "ca_file or client_certificate cannot be used"},
	{TEND_REASON_OK, NULL},
};
