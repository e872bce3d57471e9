/* SPDX-License-Identifier: MIT */
/*
 * snmp/usm.h: keys, digests and encryption of SNMPv3's user-based security model (RFC 3414, 3826,
 * 7860), by OpenSSL. Weak ones (MD5, SHA-1, SHA-224, DES) are left out on purpose. The digests are
 * at least as long as the longest key of AES, so no key has to be lengthened, which RFC 3826 leaves
 * open and makers do in two ways. Making a key of a password hashes a megabyte: a few are kept. For
 * one thread.
 */
#ifndef SNMP_USM_H
#define SNMP_USM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum usm_auth { USM_SHA256, USM_SHA384, USM_SHA512, USM_AUTH_MAX };
enum usm_priv { USM_NO_PRIV, USM_AES128, USM_AES192, USM_AES256, USM_PRIV_MAX };

enum {
	USM_KEY_BYTES = 64, /* of the longest digest */
	USM_DIGEST_MAX_BYTES = 48,
	USM_SALT_BYTES = 8,
	USM_ENGINE_MAX_BYTES = 32, /* SnmpEngineID, RFC 3411 */
	USM_NAME_MAX_BYTES = 32,
	USM_PASSWORD_MIN_CHARS = 8,
	USM_PASSWORD_MAX_CHARS = 256,
};

struct usm_engine {
	unsigned char id[USM_ENGINE_MAX_BYTES];
	size_t len; /* 0: not known */
	uint32_t boots, time;
};

struct usm_keys { /* localized: of one user of one engine */
	enum usm_auth auth;
	enum usm_priv priv;
	unsigned char auth_key[USM_KEY_BYTES], priv_key[USM_KEY_BYTES];
};

size_t usm_digest_bytes(enum usm_auth auth);
/* `priv_password` may be NULL without privacy. -EIO: OpenSSL refuses. */
int usm_make_keys(struct usm_keys *keys, const char *auth_password, const char *priv_password,
	const struct usm_engine *engine);
void usm_wipe(struct usm_keys *keys);
int usm_digest(const struct usm_keys *keys, const unsigned char *message, size_t len,
	unsigned char ret_digest[USM_DIGEST_MAX_BYTES]);
/* In place; the same both ways but for `encrypt`. */
int usm_crypt(const struct usm_keys *keys, uint32_t boots, uint32_t time,
	const unsigned char salt[USM_SALT_BYTES], bool encrypt, unsigned char *data, size_t len);

#endif
