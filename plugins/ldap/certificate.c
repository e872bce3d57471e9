/* SPDX-License-Identifier: MIT */
/* Why libldap did not like a certificate: it has one error for all of that. It has decided already;
 * this only names what it was. */
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "dirprobe.h"

static bool fits_name(X509 *certificate, const char *host)
{
	return X509_check_ip_asc(certificate, host, 0) == 1 ||
	       X509_check_host(certificate, host, 0, 0, NULL) == 1;
}

static bool is_signed_by(X509 *certificate, const char *ca_file)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool well = store && context && X509_STORE_load_file(store, ca_file) == 1 &&
		    X509_STORE_CTX_init(context, store, certificate, NULL) == 1;

	if (well) {
		X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
		well = X509_verify_cert(context) == 1;
	}
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return well;
}

enum tend_reason dirprobe_certificate_reason(
	const unsigned char *der, size_t n, const char *ca_file, const char *host)
{
	X509 *certificate = d2i_X509(NULL, &der, (long)n);
	enum tend_reason reason = TEND_REASON_TLS_UNTRUSTED;

	if (!certificate)
		return TEND_REASON_TLS_FAILED;
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 ||
		X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		reason = TEND_REASON_TLS_EXPIRED;
	else if (is_signed_by(certificate, ca_file) && !fits_name(certificate, host))
		reason = TEND_REASON_TLS_NAME;
	X509_free(certificate);
	return reason;
}
