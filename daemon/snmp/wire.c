/* SPDX-License-Identifier: MIT */
#include "snmp/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

enum { VERSION = 1, FIRST_BYTES = 4096 };

/* "internet", which a prefix stands for (RFC 2741, 5.1). */
static const uint32_t internet[] = {1, 3, 6, 1};
enum { N_INTERNET = 4 };

/* ---- object identifiers --------------------------------------------------------------------- */

int wire_oid_compare(const struct wire_oid *a, const struct wire_oid *b)
{
	unsigned n = MIN(a->n, b->n);

	for (unsigned i = 0; i < n; i++)
		if (a->ids[i] != b->ids[i])
			return a->ids[i] < b->ids[i] ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

int wire_oid_parse(const char *text, struct wire_oid *ret_oid)
{
	struct wire_oid oid = {0};

	do {
		char *end;
		unsigned long id = strtoul(text, &end, 10);

		if (*text < '0' || *text > '9' || id > UINT32_MAX || oid.n == WIRE_MAX_IDS)
			return -EINVAL;
		oid.ids[oid.n++] = (uint32_t)id;
		text = end;
	} while (*text++ == '.');
	if (text[-1])
		return -EINVAL;
	*ret_oid = oid;
	return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool has(struct wire_reader *r, size_t n)
{
	if (!r->failed && (size_t)(r->end - r->at) < n)
		r->failed = true;
	return !r->failed;
}

uint16_t wire_read_16(struct wire_reader *r)
{
	const unsigned char *p = r->at;

	if (!has(r, 2))
		return 0;
	r->at += 2;
	return (uint16_t)(r->big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

uint32_t wire_read_32(struct wire_reader *r)
{
	const unsigned char *p = r->at;

	if (!has(r, 4))
		return 0;
	r->at += 4;
	if (r->big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

void wire_read_oid(struct wire_reader *r, struct wire_oid *oid)
{
	unsigned n_ids, prefix;

	oid->n = 0;
	oid->include = false;
	if (!has(r, 4))
		return;
	n_ids = r->at[0];
	prefix = r->at[1];
	oid->include = r->at[2] != 0;
	r->at += 4;
	if (n_ids + (prefix ? N_INTERNET + 1 : 0) > WIRE_MAX_IDS || !has(r, n_ids * 4)) {
		r->failed = true;
		return;
	}
	if (prefix) {
		memcpy(oid->ids, internet, sizeof(internet));
		oid->ids[N_INTERNET] = prefix;
		oid->n = N_INTERNET + 1;
	}
	while (n_ids-- > 0)
		oid->ids[oid->n++] = wire_read_32(r);
}

void wire_skip_text(struct wire_reader *r)
{
	size_t len = wire_read_32(r);

	len += (4 - len % 4) % 4;
	if (has(r, len))
		r->at += len;
}

int wire_read_header(const void *data, size_t len, struct wire_header *ret_header)
{
	const unsigned char *p = data;
	struct wire_reader r = {.at = p + 4, .end = p + WIRE_HEADER_BYTES};
	struct wire_header h;

	if (len < WIRE_HEADER_BYTES)
		return -EAGAIN;
	h.type = p[1];
	h.flags = p[2];
	r.big_endian = h.flags & WIRE_FLAG_BIG_ENDIAN;
	h.session = wire_read_32(&r);
	h.transaction = wire_read_32(&r);
	h.packet = wire_read_32(&r);
	h.length = wire_read_32(&r);
	if (p[0] != VERSION || h.length > WIRE_MAX_PAYLOAD_BYTES || h.length % 4 != 0)
		return -EPROTO;
	if (len - WIRE_HEADER_BYTES < h.length)
		return -EAGAIN;
	*ret_header = h;
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

void wire_writer_clear(struct wire_writer *w)
{
	free(w->data);
	*w = (struct wire_writer){0};
}

static unsigned char *grow(struct wire_writer *w, size_t n)
{
	size_t cap = w->cap ? w->cap : FIRST_BYTES;
	unsigned char *data;

	while (cap < w->len + n)
		cap *= 2;
	if (cap > w->cap && !w->failed) {
		data = realloc(w->data, cap);
		if (data) {
			w->data = data;
			w->cap = cap;
		} else {
			w->failed = true;
		}
	}
	if (w->failed)
		return NULL;
	w->len += n;
	return w->data + w->len - n;
}

void wire_write_8x4(struct wire_writer *w, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	unsigned char *p = grow(w, 4);

	if (p)
		memcpy(p, (const unsigned char[]){a, b, c, d}, 4);
}

void wire_write_16(struct wire_writer *w, uint16_t value)
{
	unsigned char *p = grow(w, 2);

	if (p)
		memcpy(p,
			(const unsigned char[]){(unsigned char)(value >> 8), (unsigned char)value},
			2);
}

void wire_write_32(struct wire_writer *w, uint32_t value)
{
	wire_write_8x4(w, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
		(uint8_t)value);
}

void wire_write_text(struct wire_writer *w, const void *data, size_t len)
{
	size_t padding = (4 - len % 4) % 4;
	unsigned char *p;

	wire_write_32(w, (uint32_t)len);
	p = grow(w, len + padding);
	if (p && len > 0)
		memcpy(p, data, len);
	if (p)
		memset(p + len, 0, padding);
}

void wire_write_oid(struct wire_writer *w, const struct wire_oid *oid)
{
	unsigned first = 0;
	uint8_t prefix = 0;

	if (oid->n > N_INTERNET && oid->ids[N_INTERNET] > 0 && oid->ids[N_INTERNET] <= UINT8_MAX &&
		memcmp(oid->ids, internet, sizeof(internet)) == 0) {
		prefix = (uint8_t)oid->ids[N_INTERNET];
		first = N_INTERNET + 1;
	}
	wire_write_8x4(w, (uint8_t)(oid->n - first), prefix, oid->include, 0);
	for (unsigned i = first; i < oid->n; i++)
		wire_write_32(w, oid->ids[i]);
}

/* Always in network byte order, whatever the other side writes. */
size_t wire_begin(struct wire_writer *w, const struct wire_header *h)
{
	size_t begin = w->len;

	wire_write_8x4(w, VERSION, h->type, WIRE_FLAG_BIG_ENDIAN, 0);
	wire_write_32(w, h->session);
	wire_write_32(w, h->transaction);
	wire_write_32(w, h->packet);
	wire_write_32(w, 0);
	return begin;
}

void wire_end(struct wire_writer *w, size_t begin)
{
	size_t len = w->len;

	if (w->failed)
		return;
	w->len = begin + WIRE_HEADER_BYTES - 4;
	wire_write_32(w, (uint32_t)(len - begin - WIRE_HEADER_BYTES));
	w->len = len;
}

void wire_write_varbind(
	struct wire_writer *w, const struct wire_oid *name, const struct wire_value *value)
{
	wire_write_16(w, (uint16_t)value->type);
	wire_write_16(w, 0);
	wire_write_oid(w, name);
	switch (value->type) {
	case WIRE_INTEGER:
	case WIRE_COUNTER32:
	case WIRE_GAUGE32:
	case WIRE_TICKS:
		wire_write_32(w, (uint32_t)value->number);
		break;
	case WIRE_COUNTER64:
		wire_write_32(w, (uint32_t)(value->number >> 32));
		wire_write_32(w, (uint32_t)value->number);
		break;
	case WIRE_TEXT:
		wire_write_text(w, value->data, value->len);
		break;
	case WIRE_OID:
		wire_write_oid(w, &value->oid);
		break;
	default:
		break;
	}
}
