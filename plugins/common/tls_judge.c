/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include "common/tls.h"

static enum tend_reason verify_reason(int code)
{
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TEND_REASON_TLS_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TEND_REASON_TLS_NAME;
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

/* Of several, what is told: what no other mending would hide. */
static int reason_rank(enum tend_reason reason)
{
	switch (reason) {
	case TEND_REASON_TLS_REVOKED:
		return 5;
	case TEND_REASON_TLS_EXPIRED:
		return 4;
	case TEND_REASON_TLS_UNTRUSTED:
		return 3;
	case TEND_REASON_TLS_NAME:
		return 2;
	default:
		return 1;
	}
}

static void days_text(double days, char *buf, size_t size)
{
	if (days < 0)
		(void)snprintf(buf, size, "%.1f days ago", -days);
	else
		(void)snprintf(buf, size, "in %.1f days", days);
}

static void judge_text(const struct tls_facts *f, size_t i, enum tend_reason reason,
	const char *name, char text[TLS_TEXT_BYTES])
{
	char when[40];
	bool own = f->errors[i].depth == 0;
	int code = f->errors[i].code;

	if (code == X509_V_ERR_CERT_HAS_EXPIRED && own) {
		days_text(f->days, when, sizeof(when));
		(void)snprintf(text, TLS_TEXT_BYTES, "the certificate of '%.64s' ended %s",
			f->errors[i].subject, when);
	} else if (reason == TEND_REASON_TLS_NAME) {
		(void)snprintf(text, TLS_TEXT_BYTES,
			"the certificate is not for '%.80s' but for %.150s", name,
			f->names[0] ? f->names : "nobody");
	} else {
		(void)snprintf(text, TLS_TEXT_BYTES, "the certificate of %s'%.64s': %.120s",
			own ? "" : "the authority ", f->errors[i].subject,
			X509_verify_cert_error_string(code));
	}
}

enum tend_reason tls_judge(
	const struct tls_facts *facts, const char *name, char text[TLS_TEXT_BYTES])
{
	size_t worst = 0;

	if (!facts->has_certificate) {
		(void)snprintf(text, TLS_TEXT_BYTES, "the server shows no certificate");
		return TEND_REASON_TLS_UNTRUSTED;
	}
	if (facts->n_errors == 0)
		return TEND_REASON_OK;
	for (size_t i = 1; i < facts->n_errors; i++)
		if (reason_rank(verify_reason(facts->errors[i].code)) >
			reason_rank(verify_reason(facts->errors[worst].code)))
			worst = i;
	enum tend_reason reason = verify_reason(facts->errors[worst].code);
	judge_text(facts, worst, reason, name, text);
	return reason;
}

/* ---- what breaks -------------------------------------------------------------------------- */

static const struct {
	int code; /* of ERR_LIB_SSL */
	enum tend_reason reason;
	const char *text;
} breaks[] = {
	{SSL_R_UNSUPPORTED_PROTOCOL, TEND_REASON_TLS_WEAK,
		"the server speaks no version of TLS that is accepted"},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TEND_REASON_TLS_WEAK,
		"the server speaks no version of TLS that is accepted"},
	{SSL_R_VERSION_TOO_LOW, TEND_REASON_TLS_WEAK,
		"the server speaks no version of TLS that is accepted"},
	{SSL_R_DH_KEY_TOO_SMALL, TEND_REASON_TLS_WEAK,
		"the server's key exchange is too weak, or longer than 4096 bits"},
	{SSL_R_EE_KEY_TOO_SMALL, TEND_REASON_TLS_WEAK, "the server's key is too short"},
	{SSL_R_CA_MD_TOO_WEAK, TEND_REASON_TLS_WEAK, "a signature of the chain is too weak"},
	{SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, TEND_REASON_TLS_WEAK,
		"the server wants stronger ciphers"},
	{SSL_R_WRONG_VERSION_NUMBER, TEND_REASON_TLS_FAILED, "the server does not answer in TLS"},
	{SSL_R_HTTP_REQUEST, TEND_REASON_TLS_FAILED, "the server does not answer in TLS"},
	{SSL_R_BAD_RECORD_TYPE, TEND_REASON_TLS_FAILED, "the server does not answer in TLS"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, TEND_REASON_AUTH_FAILED,
		"the server wants a certificate of ours"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, TEND_REASON_AUTH_FAILED,
		"the server does not take our certificate"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, TEND_REASON_AUTH_FAILED,
		"the server does not know the authority of our certificate"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, TEND_REASON_AUTH_FAILED,
		"our certificate has expired"},
	{SSL_R_TLSV1_ALERT_ACCESS_DENIED, TEND_REASON_ACCESS_DENIED, "the server denies access"},
	{SSL_R_TLSV1_UNRECOGNIZED_NAME, TEND_REASON_TLS_NAME,
		"the server has no certificate for this name"},
};

enum tend_reason tls_error_reason(
	unsigned long error, int os_errno, bool done, bool eof, char text[TLS_TEXT_BYTES])
{
	enum tend_reason otherwise = done ? TEND_REASON_PROTOCOL : TEND_REASON_TLS_FAILED;
	const char *words;

	if (eof || (error != 0 && ERR_GET_LIB(error) == ERR_LIB_SSL &&
			   ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
		(void)snprintf(text, TLS_TEXT_BYTES, "the server closed the connection%s",
			done ? "" : " in the TLS handshake");
		return otherwise;
	}
	if (error == 0) {
		(void)snprintf(text, TLS_TEXT_BYTES, "%s%s", strerror(os_errno ? os_errno : EPROTO),
			done ? "" : " in the TLS handshake");
		return otherwise;
	}
	for (size_t i = 0;
		ERR_GET_LIB(error) == ERR_LIB_SSL && i < sizeof(breaks) / sizeof(*breaks); i++)
		if (breaks[i].code == ERR_GET_REASON(error)) {
			(void)snprintf(text, TLS_TEXT_BYTES, "%s", breaks[i].text);
			return breaks[i].reason;
		}
	words = ERR_reason_error_string(error);
	(void)snprintf(text, TLS_TEXT_BYTES, "the TLS %s failed: %.150s",
		done ? "connection" : "handshake", words ? words : "unknown error");
	return otherwise;
}
