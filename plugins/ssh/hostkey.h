/* SPDX-License-Identifier: MIT */
/* ssh/hostkey.h: public host keys as SSH writes them, their fingerprints, and signatures. Pure. */
#ifndef SSH_HOSTKEY_H
#define SSH_HOSTKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reader of SSH's fields (RFC 4251 section 5); `bad` once something did not fit. */
struct fields {
	const unsigned char *data;
	size_t len;
	bool bad;
};
struct field {
	const unsigned char *data;
	size_t len;
};
struct field fields_string(struct fields *f);
bool field_is(struct field field, const char *text);

/* "SHA256:" and 43 characters of base64. */
void hostkey_fingerprint(struct field key, char *buf, size_t size);
/* Whether `signature` is one of `hash` by the key: ed25519, ecdsa on three curves, rsa-sha2. */
bool hostkey_verify(
	struct field key, struct field signature, const unsigned char *hash, size_t hash_len);

#endif
