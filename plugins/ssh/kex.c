/* SPDX-License-Identifier: MIT */
#include "kex.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "hostkey.h"

enum {
	MSG_DISCONNECT = 1,
	MSG_IGNORE = 2,
	MSG_DEBUG = 4,
	MSG_KEXINIT = 20,
	MSG_ECDH_INIT = 30,
	MSG_ECDH_REPLY = 31,
	POINT_BYTES = 32,
	COOKIE_BYTES = 16,
	MAX_INIT_BYTES = 1024,
	BLOCK_BYTES = 8,
	N_LISTS = 10,
	MAX_NOISE = 32,
};

static const char exchanges[] = "curve25519-sha256,curve25519-sha256@libssh.org";
static const char key_types[] = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
				"ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";
static const char ciphers[] = "aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com";
static const char macs[] = "hmac-sha2-256";
static const char *const our_lists[N_LISTS] = {
	exchanges, key_types, ciphers, ciphers, macs, macs, "none", "none", "", ""};

struct kex {
	char *ours, *theirs;
	unsigned char init[MAX_INIT_BYTES]; /* payload of our KEXINIT */
	size_t n_init, n_noise;
	unsigned char *their_init;
	size_t n_their_init;
	EVP_PKEY *key;
	unsigned char point[POINT_BYTES];
	const char *why;
	char fingerprint[KEX_FINGERPRINT_BYTES], type[KEX_TYPE_BYTES];
};

/* ---- bytes -------------------------------------------------------------------------------- */

static void put32(unsigned char *p, size_t n)
{
	p[0] = (unsigned char)(n >> 24);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
}

static size_t put_string(unsigned char *p, const void *data, size_t len)
{
	put32(p, len);
	memcpy(p + 4, data, len);
	return 4 + len;
}

/* Length, padding's length, payload, padding: a multiple of 8, with at least 4 of padding. */
static size_t put_packet(unsigned char *out, const unsigned char *payload, size_t len)
{
	size_t padding = BLOCK_BYTES - (5 + len) % BLOCK_BYTES;

	padding += padding < 4 ? BLOCK_BYTES : 0;
	put32(out, 1 + len + padding);
	out[4] = (unsigned char)padding;
	memcpy(out + 5, payload, len);
	memset(out + 5 + len, 0, padding);
	return 5 + len + padding;
}

/* Used bytes of the next packet, its payload; 0 = more, < 0 = bad. */
static ssize_t next_packet(const unsigned char *data, size_t len, struct field *ret_payload)
{
	size_t n, padding;

	if (len < 5)
		return 0;
	n = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
	padding = data[4];
	if (n < 2 + padding || n > KEX_MAX_PACKET_BYTES)
		return -EBADMSG;
	if (len < 4 + n)
		return 0;
	*ret_payload = (struct field){data + 5, n - 1 - padding};
	return (ssize_t)(4 + n);
}

/* ---- life --------------------------------------------------------------------------------- */

static bool make_point(struct kex *kex)
{
	size_t n = sizeof(kex->point);

	kex->key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	return kex->key && EVP_PKEY_get_raw_public_key(kex->key, kex->point, &n) == 1;
}

struct kex *kex_new(const char *ours, const char *theirs)
{
	struct kex *kex = calloc(1, sizeof(*kex));

	if (!kex)
		return NULL;
	kex->ours = strdup(ours);
	kex->theirs = strdup(theirs);
	if (!kex->ours || !kex->theirs || !make_point(kex))
		return kex_free(kex);
	return kex;
}

struct kex *kex_free(struct kex *kex)
{
	if (!kex)
		return NULL;
	EVP_PKEY_free(kex->key);
	free(kex->ours);
	free(kex->theirs);
	free(kex->their_init);
	free(kex);
	return NULL;
}

const char *kex_why(const struct kex *kex)
{
	return kex->why;
}

const char *kex_fingerprint(const struct kex *kex)
{
	return kex->fingerprint;
}

const char *kex_type(const struct kex *kex)
{
	return kex->type;
}

size_t kex_begin(struct kex *kex, unsigned char out[KEX_OUT_BYTES])
{
	unsigned char *p = kex->init;

	*p++ = MSG_KEXINIT;
	(void)RAND_bytes(p, COOKIE_BYTES);
	p += COOKIE_BYTES;
	for (size_t i = 0; i < N_LISTS; i++)
		p += put_string(p, our_lists[i], strlen(our_lists[i]));
	memset(p, 0, 5); /* no guess, reserved */
	p += 5;
	kex->n_init = (size_t)(p - kex->init);
	return put_packet(out, kex->init, kex->n_init);
}

/* ---- the exchange ------------------------------------------------------------------------- */

static enum kex_what broken(struct kex *kex, const char *why)
{
	kex->why = why;
	return KEX_BROKEN;
}

/* Whether one of our words stands in their list. */
static bool shares(const char *ours, struct field theirs)
{
	for (const char *word = ours; *word;
		word += word[strcspn(word, ",")] ? strcspn(word, ",") + 1 : strcspn(word, ",")) {
		size_t n = strcspn(word, ","), at = 0;

		while (at < theirs.len) {
			const unsigned char *comma = memchr(theirs.data + at, ',', theirs.len - at);
			size_t m = comma ? (size_t)(comma - theirs.data) - at : theirs.len - at;

			if (m == n && memcmp(theirs.data + at, word, n) == 0)
				return true;
			at += m + 1;
		}
	}
	return false;
}

static enum kex_what take_init(
	struct kex *kex, struct field payload, unsigned char out[KEX_OUT_BYTES], size_t *ret_out)
{
	struct fields f = {payload.data + 1 + COOKIE_BYTES, 0, false};
	unsigned char init[1 + 4 + POINT_BYTES] = {MSG_ECDH_INIT};

	if (kex->their_init || payload.len < 1 + COOKIE_BYTES)
		return broken(kex, "the key exchange begins badly");
	f.len = payload.len - 1 - COOKIE_BYTES;
	for (size_t i = 0; i < 2; i++) {
		struct field list = fields_string(&f);

		if (f.bad)
			return broken(kex, "the key exchange begins badly");
		if (!shares(our_lists[i], list))
			return broken(kex, i == 0 ? "no way to exchange keys in common"
						  : "no type of host key in common");
	}
	kex->their_init = malloc(payload.len);
	if (!kex->their_init)
		return broken(kex, "no memory");
	memcpy(kex->their_init, payload.data, payload.len);
	kex->n_their_init = payload.len;
	(void)put_string(init + 1, kex->point, POINT_BYTES);
	*ret_out = put_packet(out, init, sizeof(init));
	return KEX_SEND;
}

static bool shared_secret(struct kex *kex, struct field point, unsigned char secret[POINT_BYTES])
{
	EVP_PKEY *theirs =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point.data, point.len);
	EVP_PKEY_CTX *ctx = theirs ? EVP_PKEY_CTX_new(kex->key, NULL) : NULL;
	size_t n = POINT_BYTES;
	bool good = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		    EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
		    EVP_PKEY_derive(ctx, secret, &n) == 1 && n == POINT_BYTES;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	return good;
}

static void hash_string(EVP_MD_CTX *ctx, const void *data, size_t len)
{
	unsigned char head[4];

	put32(head, len);
	(void)EVP_DigestUpdate(ctx, head, sizeof(head));
	(void)EVP_DigestUpdate(ctx, data, len);
}

/* RFC 8731 section 3.1: as a number, so leading zeros go and a sign bit needs one. */
static void hash_number(EVP_MD_CTX *ctx, const unsigned char secret[POINT_BYTES])
{
	unsigned char bytes[POINT_BYTES + 1] = {0};
	size_t skip = 0;

	memcpy(bytes + 1, secret, POINT_BYTES);
	while (skip < POINT_BYTES && bytes[skip] == 0 && !(bytes[skip + 1] & 0x80))
		skip++;
	hash_string(ctx, bytes + skip, sizeof(bytes) - skip);
}

static bool exchange_hash(struct kex *kex, struct field key, struct field point,
	unsigned char hash[EVP_MAX_MD_SIZE], unsigned *ret_len)
{
	unsigned char secret[POINT_BYTES];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && shared_secret(kex, point, secret) &&
		    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	if (good) {
		hash_string(ctx, kex->ours, strlen(kex->ours));
		hash_string(ctx, kex->theirs, strlen(kex->theirs));
		hash_string(ctx, kex->init, kex->n_init);
		hash_string(ctx, kex->their_init, kex->n_their_init);
		hash_string(ctx, key.data, key.len);
		hash_string(ctx, kex->point, POINT_BYTES);
		hash_string(ctx, point.data, point.len);
		hash_number(ctx, secret);
		good = EVP_DigestFinal_ex(ctx, hash, ret_len) == 1;
	}
	EVP_MD_CTX_free(ctx);
	return good;
}

static enum kex_what take_reply(struct kex *kex, struct field payload)
{
	struct fields f = {payload.data + 1, payload.len - 1, false};
	struct field key = fields_string(&f), point = fields_string(&f), sig = fields_string(&f);
	struct fields of_key = {key.data, key.len, false};
	struct field type = fields_string(&of_key);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (f.bad || of_key.bad || !kex->their_init || point.len != POINT_BYTES ||
		type.len >= sizeof(kex->type))
		return broken(kex, "the answer to the key exchange is broken");
	if (!exchange_hash(kex, key, point, hash, &len))
		return broken(kex, "the server's half of the key exchange cannot be used");
	if (!hostkey_verify(key, sig, hash, len))
		return broken(kex, "the server does not hold the host key that it shows");
	memcpy(kex->type, type.data, type.len);
	kex->type[type.len] = '\0';
	hostkey_fingerprint(key, kex->fingerprint, sizeof(kex->fingerprint));
	return KEX_DONE;
}

enum kex_what kex_feed(struct kex *kex, const unsigned char *data, size_t len, size_t *ret_used,
	unsigned char out[KEX_OUT_BYTES], size_t *ret_out)
{
	struct field payload;
	ssize_t n;

	*ret_used = *ret_out = 0;
	while ((n = next_packet(data + *ret_used, len - *ret_used, &payload)) > 0) {
		*ret_used += (size_t)n;
		switch (payload.data[0]) {
		case MSG_KEXINIT:
			return take_init(kex, payload, out, ret_out);
		case MSG_ECDH_REPLY:
			return take_reply(kex, payload);
		case MSG_IGNORE:
		case MSG_DEBUG:
			if (++kex->n_noise > MAX_NOISE)
				return broken(kex, "the server only babbles");
			break;
		case MSG_DISCONNECT:
			return broken(kex, "the server breaks the key exchange off");
		default:
			return broken(kex, "what comes does not belong into a key exchange");
		}
	}
	return n < 0 ? broken(kex, "a packet's length is not possible") : KEX_MORE;
}
