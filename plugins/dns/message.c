/* SPDX-License-Identifier: MIT */
#include "message.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	HEADER_BYTES = 12,
	MAX_JUMPS = 32,
	MAX_WIRE_NAME_BYTES = 255,
	MAX_SECTION_RECORDS = 512,
	MAX_ALIASES = 16
};

static unsigned get16(const struct dns_bytes *m, size_t at)
{
	return (unsigned)(m->data[at] << 8 | m->data[at + 1]);
}

static uint32_t get32(const struct dns_bytes *m, size_t at)
{
	return (uint32_t)get16(m, at) << 16 | get16(m, at + 2);
}

/* One label; what is no plain character is written as in zone files. */
static size_t put_label(const unsigned char *label, size_t len, char *out, size_t n)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = label[i];

		if (c <= ' ' || c >= 0x7f || c == '.' || c == '\\' || c == '"')
			n += (size_t)snprintf(out + n, DNS_NAME_BYTES - n, "\\%03u", (unsigned)c);
		else
			out[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	return n;
}

size_t dns_name(const struct dns_bytes *m, size_t at, char ret_name[DNS_NAME_BYTES])
{
	size_t end = 0, n = 0, wire = 0;

	for (int jumps = 0; at < m->len;) {
		unsigned length = m->data[at];

		if (length == 0) {
			ret_name[n] = '\0';
			return end ? end : at + 1;
		}
		if ((length & 0xc0) == 0xc0) {
			if (at + 1 >= m->len || ++jumps > MAX_JUMPS)
				return 0;
			end = end ? end : at + 2;
			at = (length & 0x3fu) << 8 | m->data[at + 1];
			continue;
		}
		wire += length + 1;
		if (length > 63 || at + 1 + length > m->len || wire > MAX_WIRE_NAME_BYTES)
			return 0;
		if (n > 0)
			ret_name[n++] = '.';
		n = put_label(m->data + at + 1, length, ret_name, n);
		at += 1 + length;
	}
	return 0;
}

struct section {
	const struct dns_bytes *m;
	size_t at;
};
struct record {
	char owner[DNS_NAME_BYTES];
	unsigned type;
	uint32_t ttl;
	size_t data, len;
};

static bool next_record(struct section *s, struct record *ret)
{
	size_t at = dns_name(s->m, s->at, ret->owner);

	if (at == 0 || at + 10 > s->m->len)
		return false;
	ret->type = get16(s->m, at);
	ret->ttl = get32(s->m, at + 4);
	ret->data = at + 10;
	ret->len = get16(s->m, at + 8);
	if (ret->data + ret->len > s->m->len)
		return false;
	s->at = ret->data + ret->len;
	return true;
}

/* One step from a name to what it is an alias of: 1 = taken, 0 = it is none. */
static int follow_alias(struct section s, unsigned count, char name[DNS_NAME_BYTES])
{
	struct record record;

	for (unsigned i = 0; i < count && i < MAX_SECTION_RECORDS && next_record(&s, &record); i++)
		if (record.type == DNS_CNAME && strcmp(record.owner, name) == 0)
			return dns_name(s.m, record.data, name) ? 1 : -EBADMSG;
	return 0;
}

/* In any order, for some servers mix them. */
static int follow_aliases(const struct section *s, unsigned count, char name[DNS_NAME_BYTES])
{
	int r = 1;

	for (int i = 0; r > 0; i++)
		r = i < MAX_ALIASES ? follow_alias(*s, count, name) : -EBADMSG;
	return r;
}

static int take_answers(struct section *s, unsigned count, unsigned type, char name[DNS_NAME_BYTES],
	struct dns_message *message)
{
	struct record record;
	int r = type == DNS_CNAME ? 0 : follow_aliases(s, count, name);

	if (r < 0)
		return r;

	for (unsigned i = 0; i < count; i++) {
		if (i == MAX_SECTION_RECORDS || !next_record(s, &record))
			return -EBADMSG;
		/* CNAMEs on the way and records of other names are no answers. */
		if (record.type != type || strcmp(record.owner, name) != 0 ||
			message->n_records == DNS_MAX_RECORDS)
			continue;
		if (dns_record_text(s->m, type, record.data, record.len,
			    message->records[message->n_records], &message->serial) < 0)
			return -EBADMSG;
		if (message->n_records == 0 || record.ttl < message->min_ttl_sec)
			message->min_ttl_sec = record.ttl;
		message->n_records++;
	}
	return 0;
}

static int take_authority(struct section *s, unsigned count, struct dns_message *message)
{
	struct record record;
	bool soa = false, ns = false;

	for (unsigned i = 0; i < count; i++) {
		if (i == MAX_SECTION_RECORDS || !next_record(s, &record))
			return -EBADMSG;
		soa = soa || record.type == DNS_SOA;
		ns = ns || record.type == DNS_NS;
	}
	message->refers = message->n_records == 0 && ns && !soa && !message->authoritative &&
			  message->rcode == DNS_NOERROR;
	return 0;
}

int dns_message_parse(const void *data, size_t len, unsigned type, struct dns_message *ret_message)
{
	const struct dns_bytes m = {data, len};
	struct section s = {&m, HEADER_BYTES};
	char name[DNS_NAME_BYTES] = "";
	int r;

	if (len < HEADER_BYTES || !(m.data[2] & 0x80))
		return -EBADMSG;
	memset(ret_message, 0, offsetof(struct dns_message, records));
	ret_message->rcode = m.data[3] & 0x0f;
	ret_message->authoritative = m.data[2] & 0x04;
	ret_message->truncated = m.data[2] & 0x02;
	ret_message->validated = m.data[3] & 0x20;
	/* Some servers leave out the question when they refuse. */
	for (unsigned i = 0; i < get16(&m, 4); i++) {
		s.at = dns_name(&m, s.at, name);
		if (s.at == 0 || s.at + 4 > len || get16(&m, s.at) != type || i > 0)
			return -EBADMSG;
		s.at += 4;
	}
	r = take_answers(&s, get16(&m, 6), type, name, ret_message);
	return r < 0 ? r : take_authority(&s, get16(&m, 8), ret_message);
}
