/* SPDX-License-Identifier: MIT */
/*
 * dns/message.h: the answer of a name server as it came over the wire (RFC 1035). Pure; every byte
 * is foreign. Bounds: 64 records of the wanted type, names as RFC 1035 has them.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_MAX_RECORDS = 64, DNS_TEXT_BYTES = 300, DNS_NAME_BYTES = 1025 };
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_CAA = 257,
};
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

struct dns_message {
	unsigned rcode;
	bool authoritative, truncated, validated;
	bool refers; /* no answer, but name servers of a zone below or above: a referral */
	size_t n_records;
	uint32_t min_ttl_sec;
	uint32_t serial; /* of a SOA */
	char records[DNS_MAX_RECORDS]
		    [DNS_TEXT_BYTES]; /* as in a zone file, names without end dot */
};

struct dns_bytes {
	const unsigned char *data;
	size_t len;
};
/* -EBADMSG: it is no answer to a question of this type. */
int dns_message_parse(const void *data, size_t len, unsigned type, struct dns_message *ret_message);
/* The name at `at`, in lower case and without its end dot; where it ends, 0 = bad. */
size_t dns_name(const struct dns_bytes *m, size_t at, char ret_name[DNS_NAME_BYTES]);
/* The text of a record's data; < 0 = bad. */
int dns_record_text(const struct dns_bytes *m, unsigned type, size_t at, size_t len,
	char ret_text[DNS_TEXT_BYTES], uint32_t *ret_serial);

#endif
