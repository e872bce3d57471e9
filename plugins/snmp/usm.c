/* SPDX-License-Identifier: MIT */
#include "usm.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum { EXPANDED_BYTES = 1 << 20, KEPT = 32 };

static const struct {
	const EVP_MD *(*md)(void);
	size_t key_bytes, digest_bytes;
} auths[USM_AUTH_MAX] = {
	[USM_SHA256] = {EVP_sha256, 32, 24},
	[USM_SHA384] = {EVP_sha384, 48, 32},
	[USM_SHA512] = {EVP_sha512, 64, 48},
};

static const EVP_CIPHER *(*const ciphers[USM_PRIV_MAX])(void) = {
	[USM_AES128] = EVP_aes_128_cfb128,
	[USM_AES192] = EVP_aes_192_cfb128,
	[USM_AES256] = EVP_aes_256_cfb128,
};

size_t usm_digest_bytes(enum usm_auth auth)
{
	return auths[auth].digest_bytes;
}

/* RFC 3414, A.2: the password again and again, up to a megabyte. */
static int expand(enum usm_auth auth, const char *password, unsigned char *ret_key)
{
	size_t len = strlen(password), size = 0, n;
	unsigned char block[16 * USM_PASSWORD_MAX_CHARS];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && len > 0 && len <= USM_PASSWORD_MAX_CHARS &&
		    EVP_DigestInit_ex(ctx, auths[auth].md(), NULL) == 1;

	for (; good && size + len <= sizeof(block); size += len)
		memcpy(block + size, password, len);
	for (size_t left = EXPANDED_BYTES; good && left > 0; left -= n) {
		n = left < size ? left : size;
		good = EVP_DigestUpdate(ctx, block, n) == 1;
	}
	good = good && EVP_DigestFinal_ex(ctx, ret_key, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_cleanse(block, sizeof(block));
	return good ? 0 : -EIO;
}

/* A few milliseconds each, on tendd's loop: many checks share a user, and each asks often. */
static int password_key(enum usm_auth auth, const char *password, unsigned char *ret_key)
{
	static struct {
		bool used;
		enum usm_auth auth;
		unsigned char mark[32]; /* SHA-256 of the password */
		unsigned char key[USM_KEY_BYTES];
	} kept[KEPT];
	static size_t next;
	unsigned char mark[32];
	int r;

	if (EVP_Digest(password, strlen(password), mark, NULL, EVP_sha256(), NULL) != 1)
		return -EIO;
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].used && kept[i].auth == auth &&
			CRYPTO_memcmp(kept[i].mark, mark, sizeof(mark)) == 0) {
			memcpy(ret_key, kept[i].key, USM_KEY_BYTES);
			return 0;
		}
	r = expand(auth, password, ret_key);
	if (r < 0)
		return r;
	kept[next].used = true;
	kept[next].auth = auth;
	memcpy(kept[next].mark, mark, sizeof(mark));
	memcpy(kept[next].key, ret_key, USM_KEY_BYTES);
	next = (next + 1) % KEPT;
	return 0;
}

/* RFC 3414, 2.6. */
static int localize(enum usm_auth auth, const char *password, const struct usm_engine *engine,
	unsigned char ret_key[USM_KEY_BYTES])
{
	unsigned char key[USM_KEY_BYTES] = {0}, input[2 * USM_KEY_BYTES + USM_ENGINE_MAX_BYTES];
	size_t n = auths[auth].key_bytes;
	int r = password_key(auth, password, key);

	if (r == 0) {
		memcpy(input, key, n);
		memcpy(input + n, engine->id, engine->len);
		memcpy(input + n + engine->len, key, n);
		r = EVP_Digest(input, 2 * n + engine->len, ret_key, NULL, auths[auth].md(), NULL) ==
				    1
			    ? 0
			    : -EIO;
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(input, sizeof(input));
	return r;
}

int usm_make_keys(struct usm_keys *keys, const char *auth_password, const char *priv_password,
	const struct usm_engine *engine)
{
	int r = localize(keys->auth, auth_password, engine, keys->auth_key);

	if (r == 0 && keys->priv != USM_NO_PRIV)
		r = localize(keys->auth, priv_password, engine, keys->priv_key);
	return r;
}

void usm_wipe(struct usm_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

int usm_digest(const struct usm_keys *keys, const unsigned char *message, size_t len,
	unsigned char ret_digest[USM_DIGEST_MAX_BYTES])
{
	unsigned char full[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!HMAC(auths[keys->auth].md(), keys->auth_key, (int)auths[keys->auth].key_bytes, message,
		    len, full, &n))
		return -EIO;
	memcpy(ret_digest, full, auths[keys->auth].digest_bytes);
	return 0;
}

static void put_number(unsigned char *p, uint32_t number)
{
	for (size_t i = 4; i > 0; i--, number >>= 8)
		p[i - 1] = (unsigned char)number;
}

int usm_crypt(const struct usm_keys *keys, uint32_t boots, uint32_t time,
	const unsigned char salt[USM_SALT_BYTES], bool encrypt, unsigned char *data, size_t len)
{
	unsigned char iv[16]; /* RFC 3826, 3.1.2.1 */
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;
	bool good;

	put_number(iv, boots);
	put_number(iv + 4, time);
	memcpy(iv + 8, salt, USM_SALT_BYTES);
	good = ctx &&
	       EVP_CipherInit_ex(ctx, ciphers[keys->priv](), NULL, keys->priv_key, iv, encrypt) ==
		       1 &&
	       EVP_CipherUpdate(ctx, data, &n, data, (int)len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return good ? 0 : -EIO;
}
