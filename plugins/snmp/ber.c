/* SPDX-License-Identifier: MIT */
#include "ber.h"
#include <errno.h>
#include <string.h>

size_t ber_left(const struct ber_in *in)
{
	return (size_t)(in->end - in->at);
}

/* At most four bytes of it, which is more than any datagram. */
static int read_length(struct ber_in *in, size_t *ret_len)
{
	size_t n, len = 0;

	if (ber_left(in) == 0)
		return -EBADMSG;
	n = *in->at++;
	if (n < 0x80) {
		*ret_len = n;
		return 0;
	}
	n &= 0x7f;
	if (n == 0 || n > 4 || ber_left(in) < n)
		return -EBADMSG;
	while (n-- > 0)
		len = len << 8 | *in->at++;
	*ret_len = len;
	return 0;
}

int ber_next(struct ber_in *in, unsigned *ret_tag, struct ber_in *ret_content)
{
	struct ber_in rest = *in;
	unsigned tag;
	size_t len;

	if (ber_left(&rest) == 0)
		return -EBADMSG;
	tag = *rest.at++;
	if ((tag & 0x1f) == 0x1f || read_length(&rest, &len) < 0 || len > ber_left(&rest))
		return -EBADMSG;
	*ret_tag = tag;
	*ret_content = (struct ber_in){rest.at, rest.at + len};
	in->at = rest.at + len;
	return 0;
}

int ber_enter(struct ber_in *in, unsigned tag, struct ber_in *ret_content)
{
	struct ber_in rest = *in, content;
	unsigned found;

	if (ber_next(&rest, &found, &content) < 0 || found != tag)
		return -EBADMSG;
	in->at = rest.at;
	*ret_content = content;
	return 0;
}

int ber_number(const struct ber_in *content, uint64_t *ret_value)
{
	const unsigned char *p = content->at;
	size_t n = ber_left(content);
	uint64_t value;

	if (n == 9 && *p == 0) {
		p++;
		n--;
	} else if (n > 0 && *p & 0x80) {
		/* Also what some agents make of a large unsigned number. */
		value = UINT64_MAX;
		for (size_t i = 0; n <= 8 && i < n; i++)
			value = value << 8 | p[i];
		*ret_value = value;
		return n <= 8 ? 0 : -EBADMSG;
	}
	if (n == 0 || n > 8)
		return -EBADMSG;
	value = 0;
	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	*ret_value = value;
	return 0;
}

int ber_read_int(struct ber_in *in, int64_t min, int64_t max, int64_t *ret_value)
{
	struct ber_in rest = *in, content;
	uint64_t value;

	if (ber_enter(&rest, BER_INTEGER, &content) < 0 || ber_left(&content) > 8 ||
		ber_number(&content, &value) < 0 || (int64_t)value < min || (int64_t)value > max)
		return -EBADMSG;
	in->at = rest.at;
	*ret_value = (int64_t)value;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

void ber_out_init(struct ber_out *out, unsigned char *buf, size_t size)
{
	*out = (struct ber_out){buf, buf + size, buf + size, false};
}

static void put(struct ber_out *out, const void *data, size_t len)
{
	if (out->full || len > (size_t)(out->at - out->start)) {
		out->full = true;
		return;
	}
	out->at -= len;
	if (len > 0)
		memcpy(out->at, data, len);
}

static void put_byte(struct ber_out *out, size_t byte)
{
	unsigned char c = (unsigned char)byte;

	put(out, &c, 1);
}

void ber_put_header(struct ber_out *out, unsigned tag, const unsigned char *content_end)
{
	size_t len = (size_t)(content_end - out->at), n = 0;

	if (len < 0x80) {
		put_byte(out, len);
	} else {
		for (; len; len >>= 8, n++)
			put_byte(out, len & 0xff);
		put_byte(out, 0x80 | n);
	}
	put_byte(out, tag);
}

void ber_put_bytes(struct ber_out *out, unsigned tag, const void *data, size_t len)
{
	const unsigned char *end = out->at;

	put(out, data, len);
	ber_put_header(out, tag, end);
}

void ber_put_int(struct ber_out *out, unsigned tag, int64_t value)
{
	const unsigned char *end = out->at;
	int64_t rest = value;

	/* As few bytes as keep the sign. */
	do {
		put_byte(out, (size_t)(rest & 0xff));
		value = rest;
		rest >>= 8;
	} while (!(rest == 0 && !(value & 0x80)) && !(rest == -1 && value & 0x80));
	ber_put_header(out, tag, end);
}

void ber_put_oid(struct ber_out *out, const struct oid *oid)
{
	unsigned char bytes[OID_MAX_BYTES];

	ber_put_bytes(out, BER_OID, bytes, oid_write(oid, bytes));
}
