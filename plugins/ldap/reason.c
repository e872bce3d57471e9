/* SPDX-License-Identifier: MIT */
#include <ldap.h>
#include <string.h>
#include "dirprobe.h"

static const struct {
	int code;
	enum tend_reason reason;
} known[] = {
	{LDAP_INVALID_CREDENTIALS, TEND_REASON_AUTH_FAILED},
	{LDAP_INAPPROPRIATE_AUTH, TEND_REASON_AUTH_FAILED},
	{LDAP_AUTH_METHOD_NOT_SUPPORTED, TEND_REASON_AUTH_FAILED},
	{LDAP_STRONG_AUTH_REQUIRED, TEND_REASON_AUTH_FAILED},
	{LDAP_CONFIDENTIALITY_REQUIRED, TEND_REASON_AUTH_FAILED}, /* it wants TLS first */
	{LDAP_AUTH_UNKNOWN, TEND_REASON_AUTH_FAILED},
	{LDAP_INSUFFICIENT_ACCESS, TEND_REASON_ACCESS_DENIED},
	{LDAP_NO_SUCH_OBJECT, TEND_REASON_OBJECT_MISSING},
	{LDAP_BUSY, TEND_REASON_STARTING},
	{LDAP_UNAVAILABLE, TEND_REASON_STARTING},
	{LDAP_TIMELIMIT_EXCEEDED, TEND_REASON_TOO_SLOW},
	{LDAP_TIMEOUT, TEND_REASON_TOO_SLOW},
	{LDAP_SERVER_DOWN, TEND_REASON_PROTOCOL}, /* after it was up */
	{LDAP_DECODING_ERROR, TEND_REASON_PROTOCOL},
	{LDAP_PROTOCOL_ERROR, TEND_REASON_PROTOCOL},
	{LDAP_NO_MEMORY, TEND_REASON_INTERNAL},
};

/* The library's one word for a certificate that it refused is that it has none. */
bool dirprobe_certificate_refused(int code, const char *words)
{
	return code == LDAP_CONNECT_ERROR && strstr(words, "unknown error code");
}

static enum tend_reason tls_reason(int code)
{
	return code == LDAP_TIMEOUT ? TEND_REASON_TOO_SLOW : TEND_REASON_TLS_FAILED;
}

enum tend_reason dirprobe_reason(enum dirprobe_phase phase, int code)
{
	if (phase == DIRPROBE_TLS)
		return tls_reason(code);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == code)
			return known[i].reason;
	return TEND_REASON_QUERY_FAILED;
}
