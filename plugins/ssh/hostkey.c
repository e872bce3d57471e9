/* SPDX-License-Identifier: MIT */
#include "hostkey.h"
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NUMBER_BYTES = 2050, ED25519_BYTES = 32 };

struct field fields_string(struct fields *f)
{
	struct field field = {f->data, 0};
	size_t n;

	if (f->bad || f->len < 4) {
		f->bad = true;
		return field;
	}
	n = (size_t)f->data[0] << 24 | (size_t)f->data[1] << 16 | (size_t)f->data[2] << 8 |
	    f->data[3];
	if (n > f->len - 4) {
		f->bad = true;
		return field;
	}
	field = (struct field){f->data + 4, n};
	f->data += 4 + n;
	f->len -= 4 + n;
	return field;
}

bool field_is(struct field field, const char *text)
{
	return field.len == strlen(text) && memcmp(field.data, text, field.len) == 0;
}

void hostkey_fingerprint(struct field key, char *buf, size_t size)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char text[64];

	(void)SHA256(key.data, key.len, hash);
	(void)EVP_EncodeBlock((unsigned char *)text, hash, sizeof(hash));
	text[strcspn(text, "=")] = '\0';
	(void)snprintf(buf, size, "SHA256:%s", text);
}

/* ---- keys --------------------------------------------------------------------------------- */

static const struct algorithm {
	const char *signature, *key; /* as SSH names them */
	const char *curve, *group;   /* of ecdsa: SSH's and OpenSSL's name */
	const char *digest;	     /* NULL: of ed25519 */
} algorithms[] = {
	{"ssh-ed25519", "ssh-ed25519", NULL, NULL, NULL},
	{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "nistp256", "P-256", "SHA256"},
	{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "nistp384", "P-384", "SHA384"},
	{"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "nistp521", "P-521", "SHA512"},
	{"rsa-sha2-512", "ssh-rsa", NULL, NULL, "SHA512"},
	{"rsa-sha2-256", "ssh-rsa", NULL, NULL, "SHA256"},
};

static EVP_PKEY *key_from(const char *kind, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *ecdsa_key(const struct algorithm *a, struct fields *f)
{
	struct field curve = fields_string(f), point = fields_string(f);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (build && !f->bad && field_is(curve, a->curve) &&
		OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, a->group, 0) ==
			1 &&
		OSSL_PARAM_BLD_push_octet_string(
			build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) == 1)
		key = key_from("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static BIGNUM *number(struct field field)
{
	return field.len > 0 && field.len <= MAX_NUMBER_BYTES && !(field.data[0] & 0x80)
		       ? BN_bin2bn(field.data, (int)field.len, NULL)
		       : NULL;
}

static EVP_PKEY *rsa_key(struct fields *f)
{
	struct field e = fields_string(f), n = fields_string(f);
	BIGNUM *exponent = number(e), *modulus = number(n);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (build && !f->bad && exponent && modulus &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		key = key_from("RSA", build);
	OSSL_PARAM_BLD_free(build);
	BN_free(exponent);
	BN_free(modulus);
	return key;
}

static EVP_PKEY *read_key(const struct algorithm *a, struct field blob)
{
	struct fields f = {blob.data, blob.len, false};

	if (!field_is(fields_string(&f), a->key) || f.bad)
		return NULL;
	if (a->curve)
		return ecdsa_key(a, &f);
	if (a->digest)
		return rsa_key(&f);
	struct field raw = fields_string(&f);
	return !f.bad && raw.len == ED25519_BYTES
		       ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.data, raw.len)
		       : NULL;
}

/* ---- signatures --------------------------------------------------------------------------- */

static bool check(const struct algorithm *a, EVP_PKEY *key, const unsigned char *signature,
	size_t len, const unsigned char *hash, size_t hash_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx &&
		    EVP_DigestVerifyInit_ex(ctx, NULL, a->digest, NULL, NULL, key, NULL) == 1 &&
		    EVP_DigestVerify(ctx, signature, len, hash, hash_len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

/* SSH has r and s as two numbers, OpenSSL wants them in DER. */
static bool check_ecdsa(const struct algorithm *a, EVP_PKEY *key, struct field raw,
	const unsigned char *hash, size_t hash_len)
{
	struct fields f = {raw.data, raw.len, false};
	struct field r = fields_string(&f), s = fields_string(&f);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *bn_r = f.bad ? NULL : number(r), *bn_s = f.bad ? NULL : number(s);
	unsigned char *der = NULL;
	bool good = false;
	int len;

	if (sig && bn_r && bn_s && ECDSA_SIG_set0(sig, bn_r, bn_s) == 1) {
		bn_r = bn_s = NULL;
		len = i2d_ECDSA_SIG(sig, &der);
		good = len > 0 && check(a, key, der, (size_t)len, hash, hash_len);
		OPENSSL_free(der);
	}
	BN_free(bn_r);
	BN_free(bn_s);
	ECDSA_SIG_free(sig);
	return good;
}

bool hostkey_verify(
	struct field key, struct field signature, const unsigned char *hash, size_t hash_len)
{
	struct fields f = {signature.data, signature.len, false};
	struct field name = fields_string(&f), raw = fields_string(&f);
	bool good = false;

	for (size_t i = 0; !f.bad && i < sizeof(algorithms) / sizeof(*algorithms); i++) {
		const struct algorithm *a = &algorithms[i];
		EVP_PKEY *public;

		if (!field_is(name, a->signature))
			continue;
		public = read_key(a, key);
		if (public)
			good = a->curve ? check_ecdsa(a, public, raw, hash, hash_len)
					: check(a, public, raw.data, raw.len, hash, hash_len);
		EVP_PKEY_free(public);
	}
	ERR_clear_error();
	return good;
}
