/* SPDX-License-Identifier: MIT */
#include "http.h"
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include "common/reason.h"

static enum tend_reason timeout_reason(const struct http_progress *p)
{
	if (!p->resolved)
		return TEND_REASON_DNS_FAILED;
	return p->connected ? TEND_REASON_TOO_SLOW : TEND_REASON_CONNECT_TIMEOUT;
}

/* libcurl hands OpenSSL's errors on as words only. */
static enum tend_reason words_reason(const char *words, enum tend_reason otherwise)
{
	static const struct {
		const char *words;
		enum tend_reason reason;
	} known[] = {
		{"alert certificate required", TEND_REASON_AUTH_FAILED},
		{"alert bad certificate", TEND_REASON_AUTH_FAILED},
		{"alert unknown ca", TEND_REASON_AUTH_FAILED},
		{"alert certificate expired", TEND_REASON_AUTH_FAILED},
		{"alert access denied", TEND_REASON_ACCESS_DENIED},
		{"unrecognized name", TEND_REASON_TLS_NAME},
		{"unsupported protocol", TEND_REASON_TLS_WEAK},
		{"alert protocol version", TEND_REASON_TLS_WEAK},
		{"version too low", TEND_REASON_TLS_WEAK},
		{"key too small", TEND_REASON_TLS_WEAK},
		{"md too weak", TEND_REASON_TLS_WEAK},
		{"insufficient security", TEND_REASON_TLS_WEAK},
	};

	for (size_t i = 0; words && i < sizeof(known) / sizeof(*known); i++)
		if (strcasestr(words, known[i].words))
			return known[i].reason;
	return otherwise;
}

/* A connection that breaks before TLS is up is TLS's failure; after that, HTTP's. */
static enum tend_reason broken_reason(const struct http_progress *p)
{
	if (p->proxy_status == 407 || p->proxy_status == 401)
		return TEND_REASON_AUTH_FAILED;
	if (p->proxy_status == 403)
		return TEND_REASON_ACCESS_DENIED;
	if (p->proxy_status >= 300)
		return TEND_REASON_CONNECT_FAILED;
	return words_reason(
		p->words, p->tls && !p->tls_done ? TEND_REASON_TLS_FAILED : TEND_REASON_PROTOCOL);
}

static enum tend_reason verify_reason(const struct http_progress *p)
{
	switch (p->verify_result) {
	/* libcurl looks at the name by itself, before it asks for OpenSSL's verdict. */
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED:
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TEND_REASON_TLS_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TEND_REASON_TLS_EXPIRED;
	case X509_V_ERR_CERT_REVOKED:
		return TEND_REASON_TLS_REVOKED;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return TEND_REASON_TLS_WEAK;
	default:
		return TEND_REASON_TLS_UNTRUSTED;
	}
}

static enum tend_reason socks_reason(long error)
{
	switch (error) {
	case CURLPX_USER_REJECTED:
	case CURLPX_NO_AUTH:
		return TEND_REASON_AUTH_FAILED;
	case CURLPX_REPLY_NOT_ALLOWED:
		return TEND_REASON_ACCESS_DENIED;
	case CURLPX_REPLY_CONNECTION_REFUSED:
		return TEND_REASON_CONNECT_REFUSED;
	case CURLPX_BAD_VERSION:
	case CURLPX_BAD_ADDRESS_TYPE:
	case CURLPX_CLOSED:
	case CURLPX_RECV_AUTH:
	case CURLPX_RECV_CONNECT:
	case CURLPX_RECV_REQACK:
	case CURLPX_RECV_ADDRESS:
		return TEND_REASON_PROTOCOL;
	default:
		return TEND_REASON_CONNECT_FAILED;
	}
}

enum tend_reason http_reason(int curl_code, const struct http_progress *p)
{
	switch (curl_code) {
	case CURLE_OK:
		return TEND_REASON_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TEND_REASON_DNS_FAILED;
	case CURLE_COULDNT_CONNECT:
		return connect_errno_reason((int)p->os_errno);
	case CURLE_OPERATION_TIMEDOUT:
		return timeout_reason(p);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return verify_reason(p);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_SHUTDOWN_FAILED:
		return words_reason(p->words, TEND_REASON_TLS_FAILED);
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM: /* of our own */
		return TEND_REASON_NO_EVIDENCE;
	case CURLE_OUT_OF_MEMORY: /* libcurl says so of a header without end, too */
		return p->sent ? TEND_REASON_PROTOCOL : TEND_REASON_INTERNAL;
	case CURLE_FAILED_INIT:
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return TEND_REASON_INTERNAL;
	case CURLE_LOGIN_DENIED:
		return TEND_REASON_AUTH_FAILED;
	case CURLE_PROXY:
		return socks_reason(p->socks_error);
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
