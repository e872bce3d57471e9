/* SPDX-License-Identifier: MIT */
/* The data of a record as text (message.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "message.h"

static unsigned get16(const struct dns_bytes *m, size_t at)
{
	return (unsigned)(m->data[at] << 8 | m->data[at + 1]);
}

static uint32_t get32(const struct dns_bytes *m, size_t at)
{
	return (uint32_t)get16(m, at) << 16 | get16(m, at + 2);
}

static int address_text(const struct dns_bytes *m, int family, size_t at, size_t len, char *text)
{
	if (len != (family == AF_INET ? 4u : 16u))
		return -EBADMSG;
	return inet_ntop(family, m->data + at, text, DNS_TEXT_BYTES) ? 0 : -EBADMSG;
}

/* `n_numbers` of 16 bits, then a name. */
static int numbers_and_name(
	const struct dns_bytes *m, size_t n_numbers, size_t at, size_t len, char *text)
{
	char name[DNS_NAME_BYTES];
	int n = 0;

	if (len < n_numbers * 2 + 1)
		return -EBADMSG;
	for (size_t i = 0; i < n_numbers; i++)
		n += snprintf(text + n, DNS_TEXT_BYTES - (size_t)n, "%u ", get16(m, at + i * 2));
	if (dns_name(m, at + n_numbers * 2, name) != at + len)
		return -EBADMSG;
	(void)snprintf(text + n, DNS_TEXT_BYTES - (size_t)n, "%.260s", name[0] ? name : ".");
	return 0;
}

static void put_bytes(const unsigned char *p, size_t len, char *text, size_t *n)
{
	for (size_t i = 0; i < len && *n + 5 < DNS_TEXT_BYTES; i++) {
		if (p[i] < ' ' || p[i] >= 0x7f)
			*n += (size_t)snprintf(
				text + *n, DNS_TEXT_BYTES - *n, "\\%03u", (unsigned)p[i]);
		else
			text[(*n)++] = (char)p[i];
	}
	text[*n] = '\0';
}

/* Strings are joined, as SPF and DKIM want it (RFC 7208 section 3.3). */
static int txt_text(const struct dns_bytes *m, size_t at, size_t len, char *text)
{
	size_t n = 0, end = at + len;

	text[0] = '\0';
	while (at < end) {
		size_t length = m->data[at];

		if (at + 1 + length > end)
			return -EBADMSG;
		put_bytes(m->data + at + 1, length, text, &n);
		at += 1 + length;
	}
	return 0;
}

static int soa_text(
	const struct dns_bytes *m, size_t at, size_t len, char *text, uint32_t *ret_serial)
{
	char primary[DNS_NAME_BYTES], mail[DNS_NAME_BYTES];
	size_t end = at + len;

	at = dns_name(m, at, primary);
	at = at ? dns_name(m, at, mail) : 0;
	if (at == 0 || at + 20 != end)
		return -EBADMSG;
	*ret_serial = get32(m, at);
	(void)snprintf(text, DNS_TEXT_BYTES, "%.110s %.110s %u %u %u %u %u", primary, mail,
		get32(m, at), get32(m, at + 4), get32(m, at + 8), get32(m, at + 12),
		get32(m, at + 16));
	return 0;
}

/* flags, length of the tag, tag, value (RFC 8659 section 4) */
static int caa_text(const struct dns_bytes *m, size_t at, size_t len, char *text)
{
	size_t tag = len >= 2 ? m->data[at + 1] : 0, n;

	if (len < 2 || tag == 0 || 2 + tag > len)
		return -EBADMSG;
	n = (size_t)snprintf(text, DNS_TEXT_BYTES, "%u ", (unsigned)m->data[at]);
	put_bytes(m->data + at + 2, tag, text, &n);
	if (n + 1 < DNS_TEXT_BYTES)
		text[n++] = ' ';
	put_bytes(m->data + at + 2 + tag, len - 2 - tag, text, &n);
	return 0;
}

int dns_record_text(const struct dns_bytes *m, unsigned type, size_t at, size_t len,
	char ret_text[DNS_TEXT_BYTES], uint32_t *ret_serial)
{
	switch (type) {
	case DNS_A:
		return address_text(m, AF_INET, at, len, ret_text);
	case DNS_AAAA:
		return address_text(m, AF_INET6, at, len, ret_text);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return numbers_and_name(m, 0, at, len, ret_text);
	case DNS_MX:
		return numbers_and_name(m, 1, at, len, ret_text);
	case DNS_SRV:
		return numbers_and_name(m, 3, at, len, ret_text);
	case DNS_TXT:
		return txt_text(m, at, len, ret_text);
	case DNS_SOA:
		return soa_text(m, at, len, ret_text, ret_serial);
	case DNS_CAA:
		return caa_text(m, at, len, ret_text);
	default:
		return -EBADMSG;
	}
}
