/* SPDX-License-Identifier: MIT */
/*
 * common/tls.h: OpenSSL on a non-blocking socket, and what is known of the other side after the
 * handshake. The handshake itself accepts any certificate; tls_judge() says afterwards what is
 * wrong with it, before a byte of ours is sent. Contexts are kept by authorities and floor, and
 * made anew when the file of authorities has changed: reading it is the only file that is read on
 * the loop, when it changed. A struct tls is freed by tls_free(). Errors of OpenSSL are turned into
 * reasons in tls_judge.c alone.
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <tend/error.h>
#include <tend/option.h>
#include <tend/reason.h>

struct tls_conf {
	char *name, *ca_file, *client_pem;
	bool verify;
	int floor; /* enum tls_floor */
};
enum tls_floor { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_FLOOR_MAX };
extern const char *const tls_floor_names[];

#define STREAM_SECURE_OPTIONS(structure)                                                           \
	TEND_OPT(STRING, structure, net.secure.name, "tls_name", NULL,                             \
		"Name to ask for and to find in the certificate; host by default."),               \
		TEND_OPT(STRING, structure, net.secure.ca_file, "ca_file", NULL,                   \
			"PEM file of the authorities to trust instead of the system's."),          \
		TEND_OPT(SECRET, structure, net.secure.client_pem, "client_certificate", NULL,     \
			"PEM text of a certificate and its key, to show to the server.")
#define STREAM_VERIFY_OPTIONS(structure)                                                           \
	TEND_OPT(BOOL, structure, net.secure.verify, "verify_tls", "yes",                          \
		"Whether the certificate must be trusted, valid and of this host."),               \
		TEND_OPT(ENUM, structure, net.secure.floor, "tls_floor", "1.2",                    \
			"Lowest version of TLS that is accepted.", .names = tls_floor_names)

enum { TLS_MAX_ERRORS = 8, TLS_TEXT_BYTES = 300 };
enum tls_staple {
	TLS_STAPLE_NONE,
	TLS_STAPLE_GOOD,
	TLS_STAPLE_REVOKED,
	TLS_STAPLE_EXPIRED,
	TLS_STAPLE_BAD
};

/* What the handshake has shown. */
struct tls_facts {
	size_t n_errors;
	struct {
		int code; /* X509_V_ERR_... */
		int depth;
		char subject[64];
	} errors[TLS_MAX_ERRORS];
	bool has_certificate;
	double days;	   /* until the server's own certificate ends */
	double chain_days; /* until the first of the chain ends */
	char subject[128], issuer[128], names[200];
	int version; /* TLS1_2_VERSION, ... */
	char version_text[16], cipher[64];
	int cipher_bits;
	char weak[160]; /* the first key or signature of the chain below 112 bits of strength */
	bool must_staple;
	enum tls_staple staple;
	double staple_days; /* until it ends */
	char staple_why[120];
};

struct tls;
enum tls_step { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_BROKEN };
/* `host` is the name when the configuration gives none. `lowest`: takes any version and cipher.
 * `max_version`: offers no higher one; 0 = any.
 * -ENOENT with err: a file or a certificate of ours cannot be used. */
int tls_new(int fd, const struct tls_conf *conf, const char *host, bool lowest, int max_version,
	struct tend_error *err, struct tls **ret_tls);
void tls_free(struct tls *tls);
enum tls_step tls_handshake(struct tls *tls);
enum tls_step tls_read(struct tls *tls, void *buf, size_t size, size_t *ret_n);
/* Bytes are held that tls_read() gives without the socket. */
bool tls_pending(const struct tls *tls);
enum tls_step tls_write(struct tls *tls, const void *data, size_t len, size_t *ret_n);
/* After TLS_BROKEN: why; `done`: the handshake was over. */
enum tend_reason tls_broken_reason(const struct tls *tls, bool done, char text[TLS_TEXT_BYTES]);
/* After TLS_BROKEN of a write: the other side has gone. */
bool tls_hung_up(const struct tls *tls);
/* Valid after the handshake. */
const struct tls_facts *tls_facts(const struct tls *tls);

/* Pure. TEND_REASON_OK, or what is wrong with the certificate. */
enum tend_reason tls_judge(
	const struct tls_facts *facts, const char *name, char text[TLS_TEXT_BYTES]);
/* Pure: of the last error in OpenSSL's queue and of errno. */
enum tend_reason tls_error_reason(
	unsigned long error, int os_errno, bool done, bool eof, char text[TLS_TEXT_BYTES]);

#endif
