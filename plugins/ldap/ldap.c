/* SPDX-License-Identifier: MIT */
/* The ldap probe: what the core sees of this plugin. */
#include "session.h"

static void dirprobe_work(
	struct tend_attempt *a, const void *conf, const char *method, const struct json_t *args)
{
	struct session s;

	if (method)
		tend_attempt_finish(a, TEND_REASON_INTERNAL, "ldap serves no verbs");
	else if (session_open(&s, a, conf) && session_bind(&s)) {
		if (dirprobe_searches(conf))
			session_search(&s);
		else
			session_end(&s, TEND_REASON_OK, "%s: logged in%s", s.where,
				s.conf->bind_dn ? "" : " anonymously");
	}
	if (!method)
		session_close(&s);
}

static const char *dirprobe_host(const void *conf)
{
	const struct dirprobe_conf *c = conf;

	return c->hostaddr ? c->hostaddr : c->host;
}

static size_t dirprobe_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct dirprobe_conf *c = conf;
	size_t n = 0;

	ret_names[n++] = "total_seconds";
	ret_names[n++] = "connect_seconds";
	if (c->tls != DIRPROBE_PLAIN)
		ret_names[n++] = "tls_seconds";
	ret_names[n++] = "bind_seconds";
	if (dirprobe_searches(c)) {
		ret_names[n++] = "search_seconds";
		ret_names[n++] = "entries";
	}
	return n;
}

static const struct tend_metric_doc metric_docs[] = {
	{"total_seconds", "s", "the whole attempt, with the wait for a free tend-work", false},
	{"connect_seconds", "s", "the TCP connection", false},
	{"tls_seconds", "s", "the TLS handshake", false},
	{"bind_seconds", "s", "the log-in", false},
	{"search_seconds", "s", "the search", false},
	{"entries", "", "entries that were found", false},
	{0},
};

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_DNS_FAILED, "the name of the host does not resolve"},
	{TEND_REASON_CONNECT_REFUSED, "nobody listens"},
	{TEND_REASON_CONNECT_TIMEOUT, "no connection in time"},
	{TEND_REASON_CONNECT_FAILED, "no connection for another cause"},
	{TEND_REASON_PROTOCOL, "what answers is no LDAP server, or it hung up"},
	{TEND_REASON_TLS_FAILED, "the server cannot TLS, or the handshake failed"},
	{TEND_REASON_TLS_EXPIRED, "its certificate has expired"},
	{TEND_REASON_TLS_UNTRUSTED, "its certificate is of no authority in ca_file"},
	{TEND_REASON_TLS_NAME, "its certificate is for another name"},
	{TEND_REASON_AUTH_FAILED, "the log-in was refused, or wants TLS first"},
	{TEND_REASON_ACCESS_DENIED, "the search is not allowed"},
	{TEND_REASON_OBJECT_MISSING, "there is no such base, or it may not be seen"},
	{TEND_REASON_STARTING, "the server is busy or unavailable, it says"},
	{TEND_REASON_QUERY_FAILED, "the search failed, for instance by its filter"},
	{TEND_REASON_CONTENT_UNEXPECTED,
		"too few or too many entries, or none has the expected value"},
	{TEND_REASON_NO_EVIDENCE, "no tend-work process was free in time"},
	{0},
};

static const struct tend_probe dirprobe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "ldap",
	.doc = "Logs in to an LDAP server, searches and judges what it finds.",
	.options = dirprobe_options,
	.conf_size = sizeof(struct dirprobe_conf),
	.check = dirprobe_conf_check,
	.metrics = dirprobe_metrics,
	.work = dirprobe_work,
	.work_host = dirprobe_host,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "host = ldap.example\ntls = starttls\n"
		   "bind_dn = uid=tend,ou=services,dc=example,dc=com\n"
		   "password = file:/etc/tend/secrets/ldap\n"
		   "base = ou=people,dc=example,dc=com\nfilter = (uid=alice)\n",
};
TEND_PROBE(ldap, &dirprobe);
