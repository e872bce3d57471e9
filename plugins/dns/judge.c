/* SPDX-License-Identifier: MIT */
#include "judge.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const dns_type_names[] = {
	"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA", NULL};
const unsigned dns_types[] = {
	DNS_A, DNS_AAAA, DNS_CNAME, DNS_MX, DNS_NS, DNS_PTR, DNS_SOA, DNS_SRV, DNS_TXT, DNS_CAA};
const char *const dns_rcode_names[] = {"noerror", "nxdomain", NULL};
static const unsigned wanted_rcodes[] = {DNS_NOERROR, DNS_NXDOMAIN};

void dns_records_text(const struct dns_message *message, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < message->n_records && n < size; i++)
		n += (size_t)snprintf(
			buf + n, size - n, "%s%s", i ? ", " : "", message->records[i]);
	if (n >= size && size > 4)
		memcpy(buf + size - 4, "...", 4);
}

/* A name in the configuration may end with a dot, and be written in any case. */
static bool same_record(const char *record, const char *wanted, unsigned type)
{
	size_t n = strlen(wanted);

	if (type == DNS_TXT || type == DNS_CAA)
		return strcmp(record, wanted) == 0;
	if (n > 1 && wanted[n - 1] == '.')
		n--;
	return strlen(record) == n && strncasecmp(record, wanted, n) == 0;
}

static bool holds(const struct dns_message *m, const char *wanted, unsigned type)
{
	for (size_t i = 0; i < m->n_records; i++)
		if (same_record(m->records[i], wanted, type))
			return true;
	return false;
}

static enum tend_reason judge_failure(const struct dns_answer *answer, char why[DNS_WHY_BYTES])
{
	int r = answer->r;

	/* For c-ares a connection that was taken and then closed is a refused one. */
	if ((answer->heard && r == -ETIMEDOUT) || (answer->taken && r == -ECONNREFUSED))
		r = -EBADMSG;
	switch (r) {
	case -ETIMEDOUT:
		(void)snprintf(why, DNS_WHY_BYTES, "does not answer");
		return TEND_REASON_NO_REPLY;
	case -ECONNREFUSED:
		(void)snprintf(why, DNS_WHY_BYTES, "connection refused");
		return TEND_REASON_CONNECT_REFUSED;
	case -EBADMSG:
		(void)snprintf(why, DNS_WHY_BYTES, "answers what is no answer");
		return TEND_REASON_PROTOCOL;
	case -ENOENT:
		(void)snprintf(why, DNS_WHY_BYTES, "its own name does not resolve");
		return TEND_REASON_DNS_FAILED;
	case -ENOMEM:
		(void)snprintf(why, DNS_WHY_BYTES, "cannot be asked: no memory");
		return TEND_REASON_INTERNAL;
	default:
		(void)snprintf(why, DNS_WHY_BYTES, "cannot be asked: %s", strerror(-r));
		return TEND_REASON_CONNECT_FAILED;
	}
}

static enum tend_reason judge_rcode(
	const struct dns_conf *c, const struct dns_message *m, char why[DNS_WHY_BYTES])
{
	static const struct {
		const char *text;
		enum tend_reason reason;
	} rows[] = {
		[DNS_NOERROR] = {"says that the name exists", TEND_REASON_DNS_UNEXPECTED},
		[DNS_FORMERR] = {"does not understand the question (FORMERR)",
			TEND_REASON_PROTOCOL},
		[DNS_SERVFAIL] = {"cannot find out (SERVFAIL)", TEND_REASON_QUERY_FAILED},
		[DNS_NXDOMAIN] = {"says that there is no such name (NXDOMAIN)",
			TEND_REASON_DNS_FAILED},
		[DNS_NOTIMP] = {"does not do that (NOTIMP)", TEND_REASON_QUERY_FAILED},
		[DNS_REFUSED] = {"refuses to answer us (REFUSED)", TEND_REASON_ACCESS_DENIED},
	};

	if (m->rcode == wanted_rcodes[c->rcode])
		return TEND_REASON_OK;
	if (m->rcode >= sizeof(rows) / sizeof(*rows)) {
		(void)snprintf(why, DNS_WHY_BYTES, "answers with error %u", m->rcode);
		return TEND_REASON_QUERY_FAILED;
	}
	(void)snprintf(why, DNS_WHY_BYTES, "%s", rows[m->rcode].text);
	return rows[m->rcode].reason;
}

static enum tend_reason judge_records(
	const struct dns_conf *c, const struct dns_message *m, char why[DNS_WHY_BYTES])
{
	unsigned type = dns_types[c->type];
	size_t n_wanted = 0;
	char got[150];

	dns_records_text(m, got, sizeof(got));
	for (char **wanted = c->expect; wanted && *wanted; wanted++, n_wanted++)
		if (!holds(m, *wanted, type)) {
			(void)snprintf(why, DNS_WHY_BYTES, "expected %.120s, got %s", *wanted, got);
			return TEND_REASON_DNS_UNEXPECTED;
		}
	if (n_wanted > 0 && c->match == DNS_MATCH_EXACT && m->n_records != n_wanted) {
		(void)snprintf(why, DNS_WHY_BYTES, "expected %zu records, got %zu: %s", n_wanted,
			m->n_records, got);
		return TEND_REASON_DNS_UNEXPECTED;
	}
	return TEND_REASON_OK;
}

enum tend_reason dns_judge(
	const struct dns_conf *c, const struct dns_answer *answer, char why[DNS_WHY_BYTES])
{
	const struct dns_message *m = &answer->message;
	enum tend_reason reason;

	if (answer->r < 0)
		return judge_failure(answer, why);
	reason = judge_rcode(c, m, why);
	if (reason != TEND_REASON_OK)
		return reason;
	if (m->refers || (c->authoritative && !m->authoritative)) {
		(void)snprintf(why, DNS_WHY_BYTES, "is lame: it %s",
			m->refers ? "refers to other servers" : "has no authority over the name");
		return TEND_REASON_DNS_UNEXPECTED;
	}
	if (c->validated && !m->validated) {
		(void)snprintf(why, DNS_WHY_BYTES, "has not validated the answer by DNSSEC");
		return TEND_REASON_DNS_UNEXPECTED;
	}
	if (m->rcode == DNS_NOERROR && m->n_records == 0) {
		(void)snprintf(why, DNS_WHY_BYTES, "has no %s record of the name",
			dns_type_names[c->type]);
		return TEND_REASON_OBJECT_MISSING;
	}
	return m->rcode == DNS_NOERROR ? judge_records(c, m, why) : TEND_REASON_OK;
}

bool dns_same(const struct dns_conf *c, const struct dns_message *a, const struct dns_message *b)
{
	if (dns_types[c->type] == DNS_SOA)
		return a->serial == b->serial;
	if (a->n_records != b->n_records)
		return false;
	for (size_t i = 0; i < a->n_records; i++)
		if (!holds(b, a->records[i], DNS_TXT))
			return false;
	return true;
}
