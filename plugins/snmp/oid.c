/* SPDX-License-Identifier: MIT */
#include "oid.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first two parts share one number on the wire. */
static bool head_is_good(const struct oid *oid)
{
	if (oid->n < 2 || oid->parts[0] > 2)
		return false;
	return oid->parts[0] < 2 ? oid->parts[1] < 40 : oid->parts[1] <= UINT32_MAX - 80;
}

int oid_parse(const char *text, struct oid *ret_oid)
{
	struct oid oid = {0};
	const char *p = *text == '.' ? text + 1 : text;

	for (;; p++) {
		uint64_t part = 0;

		if (*p < '0' || *p > '9' || oid.n == OID_MAX_PARTS)
			return -EINVAL;
		for (; *p >= '0' && *p <= '9'; p++) {
			part = part * 10 + (uint64_t)(*p - '0');
			if (part > UINT32_MAX)
				return -EINVAL;
		}
		oid.parts[oid.n++] = (uint32_t)part;
		if (*p == '\0')
			break;
		if (*p != '.')
			return -EINVAL;
	}
	if (!head_is_good(&oid))
		return -EINVAL;
	*ret_oid = oid;
	return 0;
}

int oid_read(const unsigned char *data, size_t len, struct oid *ret_oid)
{
	struct oid oid = {0};
	uint64_t part = 0;

	if (len == 0 || data[len - 1] & 0x80)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		part = part << 7 | (data[i] & 0x7f);
		if (part > UINT32_MAX || oid.n == OID_MAX_PARTS)
			return -EBADMSG;
		if (data[i] & 0x80)
			continue;
		if (oid.n == 0) {
			oid.parts[0] = part < 80 ? (uint32_t)part / 40 : 2;
			part -= oid.parts[0] * 40;
			oid.n = 1;
		}
		oid.parts[oid.n++] = (uint32_t)part;
		part = 0;
	}
	*ret_oid = oid;
	return 0;
}

static size_t write_part(uint32_t part, unsigned char *buf)
{
	size_t n = 1, at;

	for (uint32_t rest = part >> 7; rest; rest >>= 7)
		n++;
	for (at = n; at > 0; at--, part >>= 7)
		buf[at - 1] = (unsigned char)((part & 0x7f) | (at < n ? 0x80 : 0));
	return n;
}

size_t oid_write(const struct oid *oid, unsigned char buf[OID_MAX_BYTES])
{
	size_t n = write_part(oid->parts[0] * 40 + oid->parts[1], buf);

	for (size_t i = 2; i < oid->n; i++)
		n += write_part(oid->parts[i], buf + n);
	return n;
}

int oid_compare(const struct oid *a, const struct oid *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->parts[i] != b->parts[i])
			return a->parts[i] < b->parts[i] ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

bool oid_below(const struct oid *oid, const struct oid *top)
{
	return oid->n > top->n &&
	       memcmp(oid->parts, top->parts, top->n * sizeof(oid->parts[0])) == 0;
}

void oid_index(const struct oid *oid, const struct oid *top, struct oid *ret_index)
{
	ret_index->n = oid->n - top->n;
	memcpy(ret_index->parts, oid->parts + top->n, ret_index->n * sizeof(oid->parts[0]));
}

const char *oid_text(const struct oid *oid, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < oid->n && used + 1 < size; i++) {
		int n = snprintf(
			buf + used, size - used, "%s%u", i ? "." : "", (unsigned)oid->parts[i]);

		used += n > 0 ? (size_t)n : 0;
	}
	return buf;
}
