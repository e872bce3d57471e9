/* SPDX-License-Identifier: MIT */
#include "message.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

enum { FLAG_AUTH = 1, FLAG_PRIV = 2, FLAG_REPORTABLE = 4, MODEL_USM = 3 };

static bool is_secured(const struct message_way *way)
{
	return way->engine.len > 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

static int put_scoped(const struct message_way *way, uint64_t salt, const struct pdu_ask *ask,
	struct ber_out *out, unsigned char ret_salt[USM_SALT_BYTES])
{
	const unsigned char *end = out->at;
	const char *context = is_secured(way) && way->context ? way->context : "";
	int r;

	pdu_put(out, ask);
	ber_put_bytes(out, BER_OCTETS, context, strlen(context));
	ber_put_bytes(out, BER_OCTETS, way->engine.id, way->engine.len);
	ber_put_header(out, BER_SEQUENCE, end);
	memcpy(ret_salt, &salt, USM_SALT_BYTES);
	if (!is_secured(way) || way->keys.priv == USM_NO_PRIV || out->full)
		return 0;
	r = usm_crypt(&way->keys, way->engine.boots, way->engine.time, ret_salt, true, out->at,
		(size_t)(end - out->at));
	ber_put_header(out, BER_OCTETS, end);
	return r;
}

/* `ret_digest`: where the digest goes, from the end of the buffer. */
static void put_security(const struct message_way *way, const unsigned char salt[USM_SALT_BYTES],
	struct ber_out *out, const unsigned char **ret_digest)
{
	static const unsigned char zeros[USM_DIGEST_MAX_BYTES];
	const unsigned char *end = out->at;
	bool secured = is_secured(way), private = secured && way->keys.priv != USM_NO_PRIV;

	ber_put_bytes(out, BER_OCTETS, salt, private ? (size_t)USM_SALT_BYTES : 0);
	*ret_digest = out->at;
	ber_put_bytes(out, BER_OCTETS, zeros, secured ? usm_digest_bytes(way->keys.auth) : 0);
	ber_put_bytes(out, BER_OCTETS, way->user, secured ? strlen(way->user) : 0);
	ber_put_int(out, BER_INTEGER, way->engine.time);
	ber_put_int(out, BER_INTEGER, way->engine.boots);
	ber_put_bytes(out, BER_OCTETS, way->engine.id, way->engine.len);
	ber_put_header(out, BER_SEQUENCE, end);
	ber_put_header(out, BER_OCTETS, end);
}

static void put_head(const struct message_way *way, uint32_t msg_id, struct ber_out *out)
{
	const unsigned char *end = out->at;
	unsigned char flags = FLAG_REPORTABLE;

	if (is_secured(way))
		flags |= FLAG_AUTH | (way->keys.priv != USM_NO_PRIV ? FLAG_PRIV : 0);
	ber_put_int(out, BER_INTEGER, MODEL_USM);
	ber_put_bytes(out, BER_OCTETS, &flags, 1);
	ber_put_int(out, BER_INTEGER, MESSAGE_MAX_BYTES);
	ber_put_int(out, BER_INTEGER, msg_id);
	ber_put_header(out, BER_SEQUENCE, end);
}

static int put_v3(const struct message_way *way, uint32_t msg_id, uint64_t salt,
	const struct pdu_ask *ask, struct ber_out *out)
{
	unsigned char salt_bytes[USM_SALT_BYTES], digest[USM_DIGEST_MAX_BYTES];
	const unsigned char *digest_end;
	size_t n = usm_digest_bytes(way->keys.auth);
	int r = put_scoped(way, salt, ask, out, salt_bytes);

	if (r < 0)
		return r;
	put_security(way, salt_bytes, out, &digest_end);
	put_head(way, msg_id, out);
	ber_put_int(out, BER_INTEGER, way->version);
	ber_put_header(out, BER_SEQUENCE, out->end);
	if (out->full || !is_secured(way))
		return 0;
	r = usm_digest(&way->keys, out->at, (size_t)(out->end - out->at), digest);
	if (r == 0)
		memcpy(out->start + (digest_end - out->start) - n, digest, n);
	return r;
}

int message_write(const struct message_way *way, uint32_t msg_id, uint64_t salt,
	const struct pdu_ask *ask, unsigned char buf[MESSAGE_ASK_BYTES],
	const unsigned char **ret_start, size_t *ret_len)
{
	struct ber_out out;
	int r = 0;

	ber_out_init(&out, buf, MESSAGE_ASK_BYTES);
	if (way->version == MESSAGE_V3) {
		r = put_v3(way, msg_id, salt, ask, &out);
	} else {
		pdu_put(&out, ask);
		ber_put_bytes(&out, BER_OCTETS, way->community, strlen(way->community));
		ber_put_int(&out, BER_INTEGER, way->version);
		ber_put_header(&out, BER_SEQUENCE, out.end);
	}
	if (r < 0 || out.full)
		return r < 0 ? r : -EMSGSIZE;
	*ret_start = out.at;
	*ret_len = (size_t)(out.end - out.at);
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

struct header {
	int64_t msg_id;
	unsigned flags;
	struct ber_in engine, user, digest, salt;
	int64_t boots, time;
};

static bool same(const struct ber_in *bytes, const void *data, size_t len)
{
	return ber_left(bytes) == len && (len == 0 || memcmp(bytes->at, data, len) == 0);
}

static int read_header(struct ber_in *in, struct header *h)
{
	struct ber_in head, flags, security, outer;
	int64_t max_size, model;

	if (ber_enter(in, BER_SEQUENCE, &head) < 0 ||
		ber_read_int(&head, 0, INT32_MAX, &h->msg_id) < 0 ||
		ber_read_int(&head, 0, INT32_MAX, &max_size) < 0 ||
		ber_enter(&head, BER_OCTETS, &flags) < 0 || ber_left(&flags) != 1 ||
		ber_read_int(&head, MODEL_USM, MODEL_USM, &model) < 0)
		return -EBADMSG;
	h->flags = flags.at[0];
	if (ber_enter(in, BER_OCTETS, &outer) < 0 ||
		ber_enter(&outer, BER_SEQUENCE, &security) < 0 ||
		ber_enter(&security, BER_OCTETS, &h->engine) < 0 ||
		ber_left(&h->engine) > USM_ENGINE_MAX_BYTES ||
		ber_read_int(&security, 0, INT32_MAX, &h->boots) < 0 ||
		ber_read_int(&security, 0, INT32_MAX, &h->time) < 0 ||
		ber_enter(&security, BER_OCTETS, &h->user) < 0 ||
		ber_enter(&security, BER_OCTETS, &h->digest) < 0 ||
		ber_enter(&security, BER_OCTETS, &h->salt) < 0)
		return -EBADMSG;
	return 0;
}

/* The digest is over the message with zeros in its own place (RFC 7860, 4.2.2). */
static bool digest_is_right(
	const struct message_way *way, const struct header *h, unsigned char *data, size_t len)
{
	size_t n = usm_digest_bytes(way->keys.auth);
	unsigned char came[USM_DIGEST_MAX_BYTES], should[USM_DIGEST_MAX_BYTES];

	if (ber_left(&h->digest) != n)
		return false;
	memcpy(came, h->digest.at, n);
	memset(data + (h->digest.at - data), 0, n);
	return usm_digest(&way->keys, data, len, should) == 0 &&
	       CRYPTO_memcmp(came, should, n) == 0;
}

static int open_scoped(const struct message_way *way, const struct header *h, unsigned char *data,
	struct ber_in *in)
{
	struct ber_in sealed;

	if (!(h->flags & FLAG_PRIV))
		return 0;
	if (way->keys.priv == USM_NO_PRIV || ber_left(&h->salt) != USM_SALT_BYTES ||
		ber_enter(in, BER_OCTETS, &sealed) < 0 ||
		usm_crypt(&way->keys, (uint32_t)h->boots, (uint32_t)h->time, h->salt.at, false,
			data + (sealed.at - data), ber_left(&sealed)) < 0)
		return -EBADMSG;
	*in = sealed;
	return 0;
}

static int read_scoped(struct ber_in *in, struct pdu_answer *ret_answer)
{
	struct ber_in scoped, engine, context;

	if (ber_enter(in, BER_SEQUENCE, &scoped) < 0 ||
		ber_enter(&scoped, BER_OCTETS, &engine) < 0 ||
		ber_enter(&scoped, BER_OCTETS, &context) < 0)
		return -EBADMSG;
	return pdu_read(&scoped, ret_answer);
}

static int read_v3(const struct message_way *way, unsigned char *data, size_t len,
	struct ber_in *in, struct message *m)
{
	struct header h = {0};
	bool wants_priv = is_secured(way) && way->keys.priv != USM_NO_PRIV;
	int r;

	if (read_header(in, &h) < 0)
		return -EBADMSG;
	m->msg_id = (uint32_t)h.msg_id;
	m->engine.len = ber_left(&h.engine);
	memcpy(m->engine.id, h.engine.at, m->engine.len);
	m->engine.boots = (uint32_t)h.boots;
	m->engine.time = (uint32_t)h.time;
	if (h.flags & FLAG_AUTH) {
		if (!is_secured(way) || !same(&h.engine, way->engine.id, way->engine.len) ||
			!same(&h.user, way->user, strlen(way->user)) ||
			!digest_is_right(way, &h, data, len))
			return -EKEYREJECTED;
		m->authentic = true;
		r = open_scoped(way, &h, data, in);
		if (r < 0)
			return r;
	} else if (h.flags & FLAG_PRIV) {
		return -EBADMSG;
	}
	r = read_scoped(in, &m->answer);
	if (r < 0)
		return r;
	if (m->answer.type == PDU_RESPONSE &&
		(!m->authentic || (wants_priv && !(h.flags & FLAG_PRIV))))
		return -EKEYREJECTED;
	return 0;
}

int message_read(
	const struct message_way *way, unsigned char *data, size_t len, struct message *ret_message)
{
	struct ber_in all = {data, data + len}, in, community;
	int64_t version;

	ret_message->authentic = false;
	ret_message->msg_id = 0;
	if (ber_enter(&all, BER_SEQUENCE, &in) < 0 || ber_read_int(&in, 0, 3, &version) < 0 ||
		version != (int64_t)way->version)
		return -EBADMSG;
	if (way->version == MESSAGE_V3)
		return read_v3(way, data, len - ber_left(&all), &in, ret_message);
	if (ber_enter(&in, BER_OCTETS, &community) < 0)
		return -EBADMSG;
	if (!same(&community, way->community, strlen(way->community)))
		return -EKEYREJECTED;
	ret_message->authentic = true;
	return pdu_read(&in, &ret_message->answer);
}
