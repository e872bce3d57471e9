/* SPDX-License-Identifier: MIT */
#include "http.h"
#include <errno.h>

/* Of OpenSSL's x509_vfy.h; the plugin has no other use for it. */
enum { VERIFY_NOT_YET_VALID = 9, VERIFY_EXPIRED = 10 };

static enum tend_reason connect_reason(long os_errno)
{
	switch (os_errno) {
	case ECONNREFUSED:
		return TEND_REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
		return TEND_REASON_CONNECT_TIMEOUT;
	default:
		return TEND_REASON_CONNECT_FAILED;
	}
}

static enum tend_reason timeout_reason(const struct http_progress *p)
{
	if (!p->resolved)
		return TEND_REASON_DNS_FAILED;
	return p->connected ? TEND_REASON_TOO_SLOW : TEND_REASON_CONNECT_TIMEOUT;
}

/* A connection that breaks before TLS is up is TLS's failure; after that, HTTP's. */
static enum tend_reason broken_reason(const struct http_progress *p)
{
	return p->tls && !p->tls_done ? TEND_REASON_TLS_FAILED : TEND_REASON_PROTOCOL;
}

static enum tend_reason verify_reason(const struct http_progress *p)
{
	if (p->verify_result == VERIFY_EXPIRED || p->verify_result == VERIFY_NOT_YET_VALID)
		return TEND_REASON_TLS_EXPIRED;
	return TEND_REASON_TLS_UNTRUSTED;
}

enum tend_reason http_reason(int curl_code, const struct http_progress *p)
{
	switch (curl_code) {
	case CURLE_OK:
		return TEND_REASON_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
		return TEND_REASON_DNS_FAILED;
	case CURLE_COULDNT_CONNECT:
		return connect_reason(p->os_errno);
	case CURLE_OPERATION_TIMEDOUT:
		return timeout_reason(p);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return verify_reason(p);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_SHUTDOWN_FAILED:
		return TEND_REASON_TLS_FAILED;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return TEND_REASON_INTERNAL;
	case CURLE_LOGIN_DENIED:
		return TEND_REASON_AUTH_FAILED;
	default:
		return broken_reason(p);
	}
}

const char *http_phase_text(const struct http_progress *p)
{
	if (!p->resolved)
		return "waiting for the name servers";
	if (!p->connected)
		return "connecting";
	if (p->tls && !p->tls_done)
		return "in the TLS handshake";
	return p->sent ? "waiting for the answer" : "sending the request";
}
