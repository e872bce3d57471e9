/* SPDX-License-Identifier: MIT */
#include "common/tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "common/text.h"

enum { MAX_CONTEXTS = 8, MAX_NAMES = 4, MAX_DH_BITS = 4096, MIN_STRENGTH_BITS = 112 };

const char *const tls_floor_names[] = {"1.0", "1.1", "1.2", "1.3", NULL};
static const int floor_versions[TLS_FLOOR_MAX] = {
	TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

struct tls {
	SSL *ssl;
	struct tls_facts facts;
	unsigned long error;
	int os_errno;
	bool eof;
	bool asked; /* for a certificate of ours, and there is none */
};

/* ---- contexts, kept ----------------------------------------------------------------------- */

static struct context {
	SSL_CTX *ctx;
	char *ca_file;
	struct timespec changed;
	int floor; /* TLS_FLOOR_MAX: anything */
	uint64_t used;
} contexts[MAX_CONTEXTS];
static uint64_t n_uses;

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	struct tls_facts *f = &tls->facts;
	X509 *cert = X509_STORE_CTX_get_current_cert(store);

	if (ok || f->n_errors == TLS_MAX_ERRORS)
		return 1;
	f->errors[f->n_errors].code = X509_STORE_CTX_get_error(store);
	f->errors[f->n_errors].depth = X509_STORE_CTX_get_error_depth(store);
	if (cert)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
			f->errors[f->n_errors].subject, sizeof(f->errors[0].subject));
	f->n_errors++;
	return 1; /* it is judged after the handshake */
}

static int on_client_certificate(SSL *ssl, X509 **ret_cert, EVP_PKEY **ret_key)
{
	struct tls *tls = SSL_get_app_data(ssl);

	tls->asked = true;
	return 0;
}

static int (*usual_security)(
	const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *extra);

/* The server chooses the prime: one of 9689 bits would hold the loop for a second. */
static int on_security(
	const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *extra)
{
	if (op == SSL_SECOP_TMP_DH && other && EVP_PKEY_get_bits(other) > MAX_DH_BITS)
		return 0;
	return usual_security(ssl, ctx, op, bits, nid, other, extra);
}

static int context_setup(struct context *c, const char *ca_file, struct tend_error *err)
{
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_client_cert_cb(c->ctx, on_client_certificate);
	usual_security = SSL_CTX_get_security_callback(c->ctx);
	SSL_CTX_set_security_callback(c->ctx, on_security);
	(void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					       SSL_MODE_RELEASE_BUFFERS);
	/* A read ends after one record, whatever is in it: tickets may come without end. */
	(void)SSL_CTX_clear_mode(c->ctx, SSL_MODE_AUTO_RETRY);
	(void)SSL_CTX_set_tlsext_status_type(c->ctx, TLSEXT_STATUSTYPE_ocsp);
	if (c->floor == TLS_FLOOR_MAX) {
		/* What is too weak is to be seen and named, not just not understood. */
		SSL_CTX_set_security_level(c->ctx, 0);
		(void)SSL_CTX_set_min_proto_version(c->ctx, TLS1_VERSION);
		(void)SSL_CTX_set_cipher_list(c->ctx, "ALL:@SECLEVEL=0");
		(void)SSL_CTX_set_options(c->ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	} else {
		if (c->floor < TLS_1_2) {
			SSL_CTX_set_security_level(c->ctx, 0);
			(void)SSL_CTX_set_cipher_list(c->ctx, "DEFAULT:@SECLEVEL=0");
		}
		(void)SSL_CTX_set_min_proto_version(c->ctx, floor_versions[c->floor]);
	}
	if (ca_file ? SSL_CTX_load_verify_file(c->ctx, ca_file) != 1
		    : SSL_CTX_set_default_verify_paths(c->ctx) != 1)
		return tend_error_set(err, -ENOENT, "the authorities cannot be read from '%s'",
			ca_file ? ca_file : "the system's folder");
	return 0;
}

static void context_clear(struct context *c)
{
	SSL_CTX_free(c->ctx);
	free(c->ca_file);
	*c = (struct context){0};
}

static int context_get(const char *ca_file, int floor, struct tend_error *err, SSL_CTX **ret_ctx)
{
	struct stat st = {0};
	struct context *c = &contexts[0];
	int r;

	if (ca_file && stat(ca_file, &st) < 0)
		return tend_error_set(
			err, -ENOENT, "the authorities' file '%s': %s", ca_file, strerror(errno));
	for (size_t i = 0; i < MAX_CONTEXTS; i++) {
		struct context *have = &contexts[i];

		if (have->ctx && have->floor == floor && same_text(have->ca_file, ca_file) &&
			have->changed.tv_sec == st.st_mtim.tv_sec &&
			have->changed.tv_nsec == st.st_mtim.tv_nsec) {
			have->used = ++n_uses;
			*ret_ctx = have->ctx;
			return 0;
		}
		if (have->used < c->used)
			c = have;
	}
	context_clear(c);
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->ca_file = ca_file ? strdup(ca_file) : NULL;
	c->floor = floor;
	c->changed = st.st_mtim;
	r = !c->ctx || (ca_file && !c->ca_file) ? -ENOMEM : context_setup(c, ca_file, err);
	if (r < 0) {
		context_clear(c);
		return r;
	}
	c->used = ++n_uses;
	*ret_ctx = c->ctx;
	return 0;
}

/* ---- a connection ------------------------------------------------------------------------- */

static bool is_literal(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int set_name(struct tls *tls, const char *name)
{
	char plain[256];
	size_t n = strlen(name);

	if (n >= 2 && name[0] == '[' && name[n - 1] == ']') {
		(void)snprintf(plain, sizeof(plain), "%.*s", (int)(n - 2), name + 1);
		name = plain;
	}
	if (is_literal(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), name) == 1 ? 0
											  : -EINVAL;
	/* Not the macro, whose cast clang has no liking for. */
	if (SSL_ctrl(tls->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		    (void *)(uintptr_t)name) != 1)
		return -EINVAL;
	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(tls->ssl, name) == 1 ? 0 : -EINVAL;
}

static int set_client(struct tls *tls, const char *pem)
{
	static char no_password[] = "";
	BIO *bio = BIO_new_mem_buf(pem, -1), *again = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = again ? PEM_read_bio_PrivateKey(again, NULL, NULL, no_password) : NULL;
	bool good = cert && key && SSL_use_certificate(tls->ssl, cert) == 1 &&
		    SSL_use_PrivateKey(tls->ssl, key) == 1;

	for (X509 *more; good && (more = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
		if (SSL_add0_chain_cert(tls->ssl, more) != 1)
			X509_free(more);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(bio);
	BIO_free(again);
	ERR_clear_error();
	return good ? 0 : -EINVAL;
}

int tls_new(int fd, const struct tls_conf *conf, const char *host, bool lowest, int max_version,
	struct tend_error *err, struct tls **ret_tls)
{
	SSL_CTX *ctx = NULL;
	struct tls *tls;
	int r = context_get(conf->ca_file, lowest ? TLS_FLOOR_MAX : conf->floor, err, &ctx);

	ERR_clear_error();
	if (r < 0)
		return r;
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->ssl = SSL_new(ctx);
	if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1) {
		tls_free(tls);
		return -ENOMEM;
	}
	SSL_set_app_data(tls->ssl, tls);
	if (max_version)
		(void)SSL_set_max_proto_version(tls->ssl, max_version);
	SSL_set_connect_state(tls->ssl);
	if (set_name(tls, conf->name ? conf->name : host) < 0)
		r = tend_error_set(err, -EINVAL, "'%.100s' is no name for a certificate",
			conf->name ? conf->name : host);
	else if (conf->client_pem && set_client(tls, conf->client_pem) < 0)
		r = tend_error_set(err, -ENOENT,
			"client_certificate holds no certificate with its key in PEM");
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*ret_tls = tls;
	return 0;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl); /* without a word of good-bye: it could block or break */
	free(tls);
}

/* ---- facts -------------------------------------------------------------------------------- */

static double days_until(const ASN1_TIME *at)
{
	int days = 0, seconds = 0;

	if (!at || ASN1_TIME_diff(&days, &seconds, NULL, at) != 1)
		return 0;
	return days + seconds / 86400.0;
}

static void name_text(const X509_NAME *name, char *buf, size_t size)
{
	if (X509_NAME_get_text_by_NID(name, NID_commonName, buf, (int)size) < 0)
		(void)X509_NAME_oneline(name, buf, (int)size);
}

static void add_name(struct tls_facts *f, const char *text, int len)
{
	size_t have = strlen(f->names);

	(void)snprintf(
		f->names + have, sizeof(f->names) - have, "%s%.*s", have ? ", " : "", len, text);
}

static void read_names(struct tls_facts *f, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names);

	for (int i = 0; i < n && i < MAX_NAMES; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		char ip[INET6_ADDRSTRLEN] = "";

		if (name->type == GEN_DNS) {
			add_name(f, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
				ASN1_STRING_length(name->d.dNSName));
		} else if (name->type == GEN_IPADD) {
			int len = ASN1_STRING_length(name->d.iPAddress);

			if (len == 4 || len == 16)
				(void)inet_ntop(len == 4 ? AF_INET : AF_INET6,
					ASN1_STRING_get0_data(name->d.iPAddress), ip, sizeof(ip));
			add_name(f, ip, (int)strlen(ip));
		}
	}
	if (n > MAX_NAMES)
		add_name(f, "...", 3);
	if (!f->names[0])
		add_name(f, f->subject, (int)strlen(f->subject));
	GENERAL_NAMES_free(names);
}

static enum tls_staple staple_bad(struct tls_facts *f, const char *why)
{
	(void)snprintf(f->staple_why, sizeof(f->staple_why), "%s", why);
	return TLS_STAPLE_BAD;
}

static enum tls_staple staple_status(
	struct tls_facts *f, OCSP_BASICRESP *basic, X509 *cert, X509 *issuer)
{
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, issuer);
	int status = -1, why = -1;
	ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
	bool found = id && OCSP_resp_find_status(
				   basic, id, &status, &why, &revoked, &this_update, &next_update);

	OCSP_CERTID_free(id);
	if (!found)
		return staple_bad(f, "the OCSP staple is about another certificate");
	f->staple_days = next_update ? days_until(next_update) : 0;
	if (status == V_OCSP_CERTSTATUS_REVOKED) {
		(void)snprintf(f->staple_why, sizeof(f->staple_why),
			"the authority revoked it %.1f days ago%s%s", -days_until(revoked),
			why >= 0 ? ": " : "", why >= 0 ? OCSP_crl_reason_str(why) : "");
		return TLS_STAPLE_REVOKED;
	}
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return staple_bad(f, "the authority does not know the certificate");
	if (OCSP_check_validity(this_update, next_update, 300, -1) != 1) {
		ERR_clear_error();
		(void)snprintf(f->staple_why, sizeof(f->staple_why),
			"the OCSP staple ended %.1f days ago", -f->staple_days);
		return TLS_STAPLE_EXPIRED;
	}
	return TLS_STAPLE_GOOD;
}

static enum tls_staple read_staple(struct tls *tls, X509 *cert, STACK_OF(X509) * chain)
{
	struct tls_facts *f = &tls->facts;
	const unsigned char *der = NULL;
	long len = SSL_get_tlsext_status_ocsp_resp(tls->ssl, &der);
	OCSP_RESPONSE *response;
	OCSP_BASICRESP *basic;
	enum tls_staple staple;

	if (len <= 0 || !der)
		return TLS_STAPLE_NONE;
	response = d2i_OCSP_RESPONSE(NULL, &der, len);
	basic = response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL
			? OCSP_response_get1_basic(response)
			: NULL;
	if (!basic)
		staple = staple_bad(f, "the OCSP staple cannot be read");
	else if (sk_X509_num(chain) < 2)
		staple = staple_bad(f, "the OCSP staple cannot be checked without its authority");
	else if (OCSP_basic_verify(
			 basic, chain, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(tls->ssl)), 0) != 1)
		staple = staple_bad(f, "the OCSP staple is not signed by the authority");
	else
		staple = staple_status(f, basic, cert, sk_X509_value(chain, 1));
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return staple;
}

/* What level 2 of OpenSSL would refuse, which is not asked so that it can be named. */
static void read_strength(struct tls_facts *f, X509 *cert)
{
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	char subject[128] = "";
	int digest = NID_undef, bits = 0;

	name_text(X509_get_subject_name(cert), subject, sizeof(subject));
	if (key && EVP_PKEY_get_security_bits(key) < MIN_STRENGTH_BITS)
		(void)snprintf(f->weak, sizeof(f->weak), "the key of '%.64s' has %d bits", subject,
			EVP_PKEY_get_bits(key));
	/* Nobody has to believe the signature of a root. */
	else if (!(X509_get_extension_flags(cert) & EXFLAG_SS) &&
		 X509_get_signature_info(cert, &digest, NULL, &bits, NULL) == 1 &&
		 bits < MIN_STRENGTH_BITS)
		(void)snprintf(f->weak, sizeof(f->weak),
			"the certificate of '%.64s' is signed with %s", subject,
			digest == NID_undef ? "a weak algorithm" : OBJ_nid2sn(digest));
}

static void read_facts(struct tls *tls)
{
	struct tls_facts *f = &tls->facts;
	X509 *cert = SSL_get0_peer_certificate(tls->ssl);
	STACK_OF(X509) *chain = SSL_get0_verified_chain(tls->ssl);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
	TLS_FEATURE *feature;

	f->version = SSL_version(tls->ssl);
	(void)snprintf(f->version_text, sizeof(f->version_text), "%s", SSL_get_version(tls->ssl));
	(void)snprintf(f->cipher, sizeof(f->cipher), "%s", SSL_CIPHER_get_name(cipher));
	f->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
	if (!cert)
		return;
	f->has_certificate = true;
	f->days = f->chain_days = days_until(X509_get0_notAfter(cert));
	name_text(X509_get_subject_name(cert), f->subject, sizeof(f->subject));
	name_text(X509_get_issuer_name(cert), f->issuer, sizeof(f->issuer));
	read_names(f, cert);
	read_strength(f, cert);
	for (int i = 1; i < sk_X509_num(chain); i++) {
		if (!f->weak[0])
			read_strength(f, sk_X509_value(chain, i));
		double days = days_until(X509_get0_notAfter(sk_X509_value(chain, i)));
		f->chain_days = days < f->chain_days ? days : f->chain_days;
	}
	feature = X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
	f->must_staple = sk_ASN1_INTEGER_num(feature) > 0;
	TLS_FEATURE_free(feature);
	f->staple = read_staple(tls, cert, chain);
	ERR_clear_error();
}

const struct tls_facts *tls_facts(const struct tls *tls)
{
	return &tls->facts;
}

/* ---- steps -------------------------------------------------------------------------------- */

static enum tls_step step_of(struct tls *tls, int ret)
{
	int saved = errno;

	switch (SSL_get_error(tls->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		break;
	}
	tls->error = ERR_peek_error();
	tls->os_errno = saved;
	tls->eof = tls->error == 0 && saved == 0;
	ERR_clear_error();
	/* Many servers close without TLS's good-bye. */
	if (SSL_is_init_finished(tls->ssl) &&
		(tls->eof ||
			(ERR_GET_LIB(tls->error) == ERR_LIB_SSL &&
				ERR_GET_REASON(tls->error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)))
		return TLS_CLOSED;
	return TLS_BROKEN;
}

enum tls_step tls_handshake(struct tls *tls)
{
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(tls->ssl);
	if (ret != 1)
		return step_of(tls, ret);
	read_facts(tls);
	return TLS_DONE;
}

enum tls_step tls_read(struct tls *tls, void *buf, size_t size, size_t *ret_n)
{
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_read_ex(tls->ssl, buf, size, ret_n);
	return ret == 1 ? TLS_DONE : step_of(tls, ret);
}

bool tls_pending(const struct tls *tls)
{
	return SSL_pending(tls->ssl) > 0;
}

enum tls_step tls_write(struct tls *tls, const void *data, size_t len, size_t *ret_n)
{
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_write_ex(tls->ssl, data, len, ret_n);
	return ret == 1 ? TLS_DONE : step_of(tls, ret);
}

enum tend_reason tls_broken_reason(const struct tls *tls, bool done, char text[TLS_TEXT_BYTES])
{
	unsigned long error = tls->error;

	/* Before TLS 1.3 there is no alert of its own for that it wants one. */
	if (tls->asked && !done && ERR_GET_LIB(error) == ERR_LIB_SSL &&
		ERR_GET_REASON(error) == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE)
		error = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
	return tls_error_reason(error, tls->os_errno, done, tls->eof, text);
}

bool tls_hung_up(const struct tls *tls)
{
	return tls->error == 0 && (tls->os_errno == EPIPE || tls->os_errno == ECONNRESET);
}
