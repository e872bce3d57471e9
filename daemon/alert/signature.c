/* SPDX-License-Identifier: MIT */
/* alert/signature.c: Standard Webhooks signatures (symmetric, v1); the glue to libcrypto. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include "alert/private.h"
#include "base/base64.h"
#include "base/str.h"

static int secret_decode(const char *secret, unsigned char **ret_key, size_t *ret_len)
{
	void *key;
	size_t len;

	if (!str_startswith(secret, "whsec_") || base64_decode(secret + 6, &key, &len) < 0)
		return -EINVAL;
	if (len == 0 || len > SIGNATURE_MAX_KEY_BYTES) {
		free(key);
		return -EINVAL;
	}
	*ret_key = key;
	*ret_len = len;
	return 0;
}

static int sign_one(const char *secret, const char *message, size_t len, struct str *out)
{
	unsigned char mac[EVP_MAX_MD_SIZE], *key;
	unsigned mac_len = 0;
	size_t key_len;
	int r = secret_decode(secret, &key, &key_len);

	if (r < 0)
		return r;
	if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)message, len, mac,
		    &mac_len))
		r = -EIO;
	explicit_bzero(key, key_len);
	free(key);
	if (r < 0)
		return r;
	auto_free char *text = base64_encode(mac, mac_len);
	if (!text)
		return -ENOMEM;
	return str_appendf(out, "%sv1,%s", out->len ? " " : "", text);
}

int signature_make(const char *secret, const char *secret_old, const char *id, int64_t timestamp,
	const char *body, char ret_signature[SIGNATURE_MAX_BYTES])
{
	auto_free char *message = str_printf("%s.%" PRId64 ".%s", id, timestamp, body);
	auto_str struct str out = STR_INIT(SIGNATURE_MAX_BYTES - 1);
	int r;

	if (!message)
		return -ENOMEM;
	r = sign_one(secret, message, strlen(message), &out);
	if (r == 0 && secret_old)
		r = sign_one(secret_old, message, strlen(message), &out);
	if (r < 0)
		return r;
	memcpy(ret_signature, str_get(&out), out.len + 1);
	return 0;
}

void signature_digest(const char *text, char ret_digest[17])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};

	(void)EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 8; i++)
		snprintf(ret_digest + (size_t)i * 2, 3, "%02x", digest[i]);
}
