/* SPDX-License-Identifier: MIT */
#include "alert/sign.h"
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include "alert/private.h"
#include "base/base64.h"
#include "base/str.h"

struct scheme {
	bool needs_secret;
	int (*body)(const struct sign_input *in, json_t *body, struct tend_error *err);
	int (*request)(const struct sign_input *in, const char *body, struct sign_output *out,
		struct tend_error *err);
};

/* ---- what comes out ------------------------------------------------------------------------- */

static struct sign_pair *pair_free(struct sign_pair *pair)
{
	if (!pair)
		return NULL;
	free(pair->name);
	free(pair->value);
	free(pair);
	return NULL;
}
DEFINE_AUTO(struct sign_pair *, pair_free)

void sign_output_clear(struct sign_output *output)
{
	VEC_FOREACH (&output->headers, struct sign_pair *, pair)
		pair_free(pair);
	VEC_FOREACH (&output->query, struct sign_pair *, pair)
		pair_free(pair);
	vec_clear(&output->headers);
	vec_clear(&output->query);
}

static int add(struct vec *pairs, const char *name, const char *value)
{
	auto(pair_free) struct sign_pair *pair = calloc(1, sizeof(*pair));
	int r;

	if (!pair || !value)
		return -ENOMEM;
	pair->name = strdup(name);
	pair->value = strdup(value);
	r = pair->name && pair->value ? vec_push(pairs, pair) : -ENOMEM;
	if (r == 0)
		TAKE(pair);
	return r;
}

static int hmac_sha256(const char *key, size_t key_len, const char *message, size_t len,
	unsigned char mac[EVP_MAX_MD_SIZE], unsigned *ret_len)
{
	return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)message, len, mac,
		       ret_len)
		       ? 0
		       : -EIO;
}

static char *hmac_base64(const char *key, size_t key_len, const char *message, size_t len)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return hmac_sha256(key, key_len, message, len, mac, &n) == 0 ? base64_encode(mac, n) : NULL;
}

/* ---- schemes -------------------------------------------------------------------------------- */

/* https://www.standardwebhooks.com; the id and the time are there without a secret as well. */
static int standard_request(const struct sign_input *in, const char *body, struct sign_output *out,
	struct tend_error *err)
{
	int64_t timestamp = (int64_t)(in->wall / USEC_PER_SEC);
	char signature[SIGNATURE_MAX_BYTES], stamp[24];
	int r;

	snprintf(stamp, sizeof(stamp), "%" PRId64, timestamp);
	r = add(&out->headers, "webhook-id", in->id);
	if (r == 0)
		r = add(&out->headers, "webhook-timestamp", stamp);
	if (r < 0 || !in->secret)
		return r;
	r = signature_make(in->secret, in->secret_old, in->id, timestamp, body, signature);
	if (r == -EINVAL)
		return tend_error_set(err, -EKEYREJECTED, "the secret is not whsec_ and base64");
	return r < 0 ? r : add(&out->headers, "webhook-signature", signature);
}

static int bearer_request(const struct sign_input *in, const char *body, struct sign_output *out,
	struct tend_error *err)
{
	auto_free char *value = str_printf("Bearer %s", in->secret);

	for (const char *p = in->secret; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~')
			return tend_error_set(err, -EKEYREJECTED,
				"the secret has a character that no header may have");
	return add(&out->headers, "Authorization", value);
}

/* HMAC over the body, in hexadecimal: as GitHub signs, which many receivers can verify. */
static int hmac_request(const struct sign_input *in, const char *body, struct sign_output *out,
	struct tend_error *err)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char text[8 + 2 * EVP_MAX_MD_SIZE] = "sha256=";
	unsigned n = 0;

	if (hmac_sha256(in->secret, strlen(in->secret), body, strlen(body), mac, &n) < 0)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		snprintf(text + 7 + (size_t)i * 2, 3, "%02x", mac[i]);
	return add(&out->headers, "X-Hub-Signature-256", text);
}

/* Key: the secret; message: milliseconds, a newline, the secret. In the query. */
static int dingtalk_request(const struct sign_input *in, const char *body, struct sign_output *out,
	struct tend_error *err)
{
	char stamp[24];
	int r;

	snprintf(stamp, sizeof(stamp), "%" PRIu64, in->wall / USEC_PER_MSEC);
	auto_free char *message = str_printf("%s\n%s", stamp, in->secret);
	if (!message)
		return -ENOMEM;
	auto_free char *sign =
		hmac_base64(in->secret, strlen(in->secret), message, strlen(message));
	r = add(&out->query, "timestamp", stamp);
	return r < 0 ? r : add(&out->query, "sign", sign);
}

/* The reverse of it: key: seconds, a newline, the secret; message: nothing. In the body. */
static int feishu_body(const struct sign_input *in, json_t *body, struct tend_error *err)
{
	char stamp[24];

	if (!json_is_object(body))
		return tend_error_set(
			err, -EINVAL, "the scheme feishu signs in the body, which must be a table");
	snprintf(stamp, sizeof(stamp), "%" PRIu64, in->wall / USEC_PER_SEC);
	auto_free char *key = str_printf("%s\n%s", stamp, in->secret);
	if (!key)
		return -ENOMEM;
	auto_free char *sign = hmac_base64(key, strlen(key), "", 0);
	if (!sign || json_object_set_new(body, "timestamp", json_string(stamp)) < 0 ||
		json_object_set_new(body, "sign", json_string(sign)) < 0)
		return -ENOMEM;
	return 0;
}

static const struct scheme schemes[SIGN_MAX] = {
	[SIGN_NONE] = {false, NULL, NULL},
	[SIGN_STANDARD] = {true, NULL, standard_request},
	[SIGN_BEARER] = {false, NULL, bearer_request},
	[SIGN_DINGTALK] = {false, NULL, dingtalk_request},
	[SIGN_FEISHU] = {false, feishu_body, NULL},
	[SIGN_HMAC_SHA256] = {true, NULL, hmac_request},
};

int sign_body(const struct sign_input *input, json_t *body, struct tend_error *err)
{
	const struct scheme *scheme = &schemes[input->scheme];

	return scheme->body && input->secret ? scheme->body(input, body, err) : 0;
}

int sign_request(const struct sign_input *input, const char *body, struct sign_output *output,
	struct tend_error *err)
{
	const struct scheme *scheme = &schemes[input->scheme];

	if (!scheme->request || (!input->secret && input->scheme != SIGN_STANDARD))
		return 0;
	return scheme->request(input, body, output, err);
}

int sign_from_name(const char *name)
{
	for (int i = 0; i < SIGN_MAX; i++)
		if (strcmp(conf_sign_names[i], name) == 0)
			return i;
	return -ENOENT;
}

bool sign_needs_secret(enum conf_sign scheme)
{
	return schemes[scheme].needs_secret;
}
