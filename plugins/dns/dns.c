/* SPDX-License-Identifier: MIT */
/* The dns probe: the same question to each name server, and whether the answers are well. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ask.h"

#define END_MARGIN_USEC (20 * USEC_PER_MSEC)

static const char *const matches[] = {"exact", "contains", NULL};

static const struct tend_option dns_options[] = {
	TEND_OPT(STRING, struct dns_conf, name, "name", NULL,
		"The name to ask for; for PTR an address will do.", .flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct dns_conf, type, "type", "A", "Type of the records.",
		.names = dns_type_names),
	TEND_OPT(LIST, struct dns_conf, servers, "servers", NULL,
		"Name servers, each of which is asked by itself: addresses or names.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(INT, struct dns_conf, port, "port", "53", "Port of the name servers.", .min = 1,
		.max = 65535),
	TEND_OPT(LIST, struct dns_conf, expect, "expect", NULL,
		"Records that must come, one a line, as in a zone file (MX: 10 mail.example.com)."),
	TEND_OPT(ENUM, struct dns_conf, match, "match", "exact",
		"Whether there may be other records beside those expected: contains.",
		.names = matches),
	TEND_OPT(ENUM, struct dns_conf, rcode, "rcode", "noerror",
		"nxdomain: the name must not exist.", .names = dns_rcode_names),
	TEND_OPT(BOOL, struct dns_conf, agree, "agree", "yes",
		"Whether all servers must give the same records; of a SOA, the same serial."),
	TEND_OPT(BOOL, struct dns_conf, authoritative, "authoritative", "no",
		"Whether each server must have authority over the name; one that has none is "
		"lame."),
	TEND_OPT(BOOL, struct dns_conf, recursion, "recursion", "yes",
		"Whether the servers are to find out what they do not know."),
	TEND_OPT(BOOL, struct dns_conf, validated, "validated", "no",
		"Whether each server must say that it has validated the answer by DNSSEC."),
	TEND_OPT(BOOL, struct dns_conf, tcp, "tcp", "no", "Ask by TCP instead of UDP."),
	TEND_OPTION_END,
};

/* An answer has room for the most records there may be, so there are as many as servers. */
struct run {
	struct tend_attempt *attempt;
	const struct dns_conf *conf;
	size_t n_servers;
	bool beginning, over;
	struct dns_answer *answers;
	struct ask asks[];
};

/* "192.0.2.1" -> "1.2.0.192.in-addr.arpa" */
static char *reverse_name(const char *text)
{
	unsigned char b[16];
	char *name = NULL, digits[80];
	int n = 0;

	if (inet_pton(AF_INET, text, b) == 1) {
		if (asprintf(&name, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]) < 0)
			return NULL;
	} else if (inet_pton(AF_INET6, text, b) == 1) {
		for (int i = 15; i >= 0; i--)
			n += snprintf(digits + n, sizeof(digits) - (size_t)n, "%x.%x.",
				(unsigned)b[i] & 0xf, (unsigned)b[i] >> 4);
		if (asprintf(&name, "%sip6.arpa", digits) < 0)
			return NULL;
	}
	return name;
}

static size_t count_servers(const struct dns_conf *c)
{
	size_t n = 0;

	while (c->servers && c->servers[n])
		n++;
	return n;
}

static int dns_check(void *conf, struct tend_error *err)
{
	struct dns_conf *c = conf;
	size_t n;

	n = count_servers(c);
	if (!c->name[0] || strlen(c->name) > 253)
		return tend_error_set(err, -EINVAL, "name has 1 to 253 characters");
	if (n == 0 || n > DNS_MAX_SERVERS)
		return tend_error_set(err, -EINVAL, "servers: 1 to %d of them", DNS_MAX_SERVERS);
	if (c->rcode == 1 && c->expect)
		return tend_error_set(
			err, -EINVAL, "rcode = nxdomain has no records to expect anything of");
	if (dns_types[c->type] == DNS_PTR) {
		char *name = reverse_name(c->name);

		if (name) {
			free(c->name);
			c->name = name;
		}
	}
	return 0;
}

static void run_free(struct run *run)
{
	if (!run)
		return;
	tend_attempt_set_data(run->attempt, NULL);
	run->over = true;
	for (size_t i = 0; i < run->n_servers; i++)
		ask_end(&run->asks[i]);
	free(run->answers);
	free(run);
}

static void dns_cancel(struct tend_attempt *a)
{
	run_free(tend_attempt_data(a));
}

/* ---- the end ------------------------------------------------------------------------------ */

static void add_metrics(struct run *run)
{
	struct tend_attempt *a = run->attempt;
	uint32_t ttl = UINT32_MAX;

	(void)tend_attempt_metric(a, "total_seconds",
		(double)(tend_now() - tend_attempt_started(a)) / (double)USEC_PER_SEC, "s");
	for (size_t i = 0; i < run->n_servers; i++) {
		const struct dns_answer *answer = &run->answers[i];
		const struct dns_message *m = &answer->message;

		if (!answer->done || answer->r < 0)
			continue;
		(void)tend_attempt_metric_of(a, "query_seconds", answer->server,
			(double)answer->took / (double)USEC_PER_SEC, "s");
		(void)tend_attempt_metric_of(
			a, "records", answer->server, (double)m->n_records, "");
		if (dns_types[run->conf->type] == DNS_SOA && m->n_records > 0)
			(void)tend_attempt_metric_of(a, "serial", answer->server, m->serial, "");
		if (m->n_records > 0 && m->min_ttl_sec < ttl)
			ttl = m->min_ttl_sec;
	}
	if (ttl != UINT32_MAX)
		(void)tend_attempt_metric(a, "ttl_seconds", ttl, "s");
}

static void finish(struct run *run, enum tend_reason reason, const char *text)
{
	struct tend_attempt *a = run->attempt;

	run_free(run);
	tend_attempt_finish(a, reason, "%s", text);
}

/* The first that differs from the first; n_servers if none does. */
static size_t first_other(const struct run *run)
{
	for (size_t i = 1; run->conf->agree && i < run->n_servers; i++)
		if (!dns_same(run->conf, &run->answers[0].message, &run->answers[i].message))
			return i;
	return run->n_servers;
}

static void finish_well(struct run *run)
{
	const struct dns_message *m = &run->answers[0].message;
	size_t other = first_other(run);
	char got[150], theirs[150], text[600];

	dns_records_text(m, got, sizeof(got));
	if (other == run->n_servers) {
		(void)snprintf(text, sizeof(text), "%s %s: %s%s", run->conf->name,
			dns_type_names[run->conf->type],
			m->rcode == DNS_NXDOMAIN ? "does not exist" : got,
			run->n_servers > 1 && run->conf->agree ? ", from all servers" : "");
		finish(run, TEND_REASON_OK, text);
		return;
	}
	dns_records_text(&run->answers[other].message, theirs, sizeof(theirs));
	(void)snprintf(text, sizeof(text), "%.100s says %s, %.100s says %s", run->answers[0].server,
		got, run->answers[other].server, theirs);
	finish(run, TEND_REASON_OUT_OF_SYNC, text);
}

static void finish_all(struct run *run)
{
	enum tend_reason reason = TEND_REASON_OK;
	char why[DNS_WHY_BYTES], text[700] = "";
	size_t n_bad = 0, first = 0;

	for (size_t i = 0; i < run->n_servers; i++) {
		enum tend_reason its = dns_judge(run->conf, &run->answers[i], why);

		if (its == TEND_REASON_OK || n_bad++ > 0)
			continue;
		reason = its;
		first = i;
		(void)snprintf(text, sizeof(text), "%s %s", run->answers[i].server, why);
	}
	add_metrics(run);
	(void)tend_attempt_metric(run->attempt, "failed_servers", (double)n_bad, "");
	if (n_bad == 0) {
		finish_well(run);
		return;
	}
	if (n_bad > 1 || first > 0 || run->n_servers > 1)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			" (%zu of %zu servers fail)", n_bad, run->n_servers);
	finish(run, reason, text);
}

static void look(void *data)
{
	struct run *run = data;

	if (run->beginning || run->over)
		return;
	for (size_t i = 0; i < run->n_servers; i++)
		if (!run->answers[i].done)
			return;
	finish_all(run);
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct run *run = tend_attempt_data(a);

	if (!run)
		return;
	for (size_t i = 0; i < run->n_servers; i++)
		if (!run->answers[i].done) {
			run->answers[i].done = true;
			run->answers[i].r = -ETIMEDOUT;
		}
	finish_all(run);
}

/* ---- the beginning ------------------------------------------------------------------------ */

static void on_server(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct ask *ask = data;
	struct run *run = tend_attempt_data(a);
	usec_t now = tend_now(), end = tend_attempt_deadline(a) - 2 * END_MARGIN_USEC;

	if (r < 0 || n == 0) {
		ask->answer->done = true;
		ask->answer->r = r == -ETIMEDOUT ? -ETIMEDOUT : -ENOENT;
	} else {
		ask_begin(ask, &addresses[0], end > now ? end - now : 1);
	}
	look(run);
}

static struct run *run_new(struct tend_attempt *a, const struct dns_conf *c)
{
	size_t n = count_servers(c);
	struct run *run = calloc(1, sizeof(*run) + n * sizeof(run->asks[0]));

	if (!run)
		return NULL;
	run->attempt = a;
	run->conf = c;
	run->answers = calloc(n ? n : 1, sizeof(*run->answers));
	if (run->answers)
		return run;
	free(run);
	return NULL;
}

static int dns_start(struct tend_attempt *a, const void *conf)
{
	const struct dns_conf *c = conf;
	struct run *run = run_new(a, c);
	int r;

	if (!run)
		return -ENOMEM;
	tend_attempt_set_data(a, run);
	r = tend_timer_new(a, tend_attempt_deadline(a) - END_MARGIN_USEC, on_late, NULL, NULL);
	run->beginning = true;
	for (; r == 0 && c->servers[run->n_servers]; run->n_servers++) {
		size_t i = run->n_servers;
		struct ask *ask = &run->asks[i];

		*ask = (struct ask){.attempt = a,
			.conf = c,
			.answer = &run->answers[i],
			.turned = look,
			.data = run};
		(void)snprintf(run->answers[i].server, sizeof(run->answers[i].server), "%s",
			c->servers[i]);
		r = tend_resolve(a, c->servers[i], on_server, ask);
	}
	run->beginning = false;
	if (r == 0)
		look(run);
	return r;
}

static size_t dns_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"total_seconds", "query_seconds", "records", "serial",
		"ttl_seconds", "failed_servers"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(*names);
}

static const struct tend_metric_doc dns_metric_docs[] = {
	{"total_seconds", "s", "the whole attempt", false},
	{"query_seconds", "s", "until a server's answer", true},
	{"records", "", "records of the type that a server gave", true},
	{"serial", "", "of a SOA", true},
	{"ttl_seconds", "s", "the shortest of all records", false},
	{"failed_servers", "", "servers that are not well", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc dns_reason_docs[] = {
	{TEND_REASON_DNS_FAILED,
		"there is no such name (NXDOMAIN), or a server's own name is none"},
	{TEND_REASON_DNS_UNEXPECTED,
		"other records than expected, a lame server, or not validated"},
	{TEND_REASON_OBJECT_MISSING, "the name has no record of this type"},
	{TEND_REASON_QUERY_FAILED, "the server cannot find out (SERVFAIL, NOTIMP)"},
	{TEND_REASON_ACCESS_DENIED, "the server refuses to answer us (REFUSED)"},
	{TEND_REASON_OUT_OF_SYNC, "the servers give different records, or serials of the SOA"},
	{TEND_REASON_NO_REPLY, "a server does not answer"},
	{TEND_REASON_CONNECT_REFUSED, "no name server listens there"},
	{TEND_REASON_CONNECT_FAILED, "there is no way to the server"},
	{TEND_REASON_PROTOCOL, "what is answered is no answer"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe dns_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "dns",
	.doc = "Asks each name server by itself and judges the records.",
	.options = dns_options,
	.conf_size = sizeof(struct dns_conf),
	.check = dns_check,
	.start = dns_start,
	.cancel = dns_cancel,
	.metrics = dns_metrics,
	.metric_docs = dns_metric_docs,
	.reason_docs = dns_reason_docs,
	.example = "name = crm.example\n"
		   "type = SOA\n"
		   "servers = ns1.crm.example, ns2.crm.example\n"
		   "authoritative = yes\n"
		   "recursion = no\n",
};
TEND_PROBE(dns, &dns_probe);
