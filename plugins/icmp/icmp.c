/* SPDX-License-Identifier: MIT */
/* The icmp probe: some echo requests; how many came back, how fast, how evenly. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>

#define END_MARGIN_USEC (20 * USEC_PER_MSEC)

struct icmp_conf {
	char *host;
	int family;
	int64_t packets;
	uint64_t payload_bytes;
	usec_t interval;
};

struct run {
	const struct icmp_conf *conf;
	struct tend_address address;
	char where[INET6_ADDRSTRLEN];
	usec_t dns_usec;
	bool resolved;
};

static const char *const families[] = {"any", "ipv4", "ipv6", NULL};

static const struct tend_option icmp_options[] = {
	TEND_OPT(STRING, struct icmp_conf, host, "host", NULL, "Name or address of the host.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct icmp_conf, family, "family", "any",
		"Which address of the name to use: the first, or the first of this family.",
		.names = families),
	TEND_OPT(INT, struct icmp_conf, packets, "packets", "5", "How many echo requests.",
		.min = 1, .max = TEND_PING_MAX),
	TEND_OPT(BYTES, struct icmp_conf, payload_bytes, "payload", "56",
		"Bytes of data in each; more than 1472 need fragments on most networks.", .min = 16,
		.max = 16384),
	TEND_OPT(USEC, struct icmp_conf, interval, "packet_interval", "100ms",
		"Time between two requests.", .min = 10000, .max = 10000000),
	TEND_OPTION_END,
};

static int icmp_check(void *conf, struct tend_error *err)
{
	const struct icmp_conf *c = conf;

	if (!c->host[0])
		return tend_error_set(err, -EINVAL, "host is empty");
	return 0;
}

static void icmp_cancel(struct tend_attempt *a)
{
	free(tend_attempt_data(a));
	tend_attempt_set_data(a, NULL);
}

__attribute__((format(printf, 3, 4))) static void finish(
	struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	icmp_cancel(a);
	tend_attempt_finish(a, reason, "%s", text);
}

struct summary {
	size_t n_sent, n_replies;
	double min, max, sum, jitter; /* seconds; jitter: mean difference of neighbours */
};

static struct summary sum_up(const usec_t *rtt, size_t n_sent)
{
	struct summary s = {.n_sent = n_sent};
	double before = 0;

	for (size_t i = 0; i < n_sent; i++) {
		double seconds = (double)rtt[i] / (double)USEC_PER_SEC;

		if (rtt[i] == USEC_INFINITY)
			continue;
		s.min = s.n_replies == 0 || seconds < s.min ? seconds : s.min;
		s.max = seconds > s.max ? seconds : s.max;
		s.sum += seconds;
		if (s.n_replies > 0)
			s.jitter += fabs(seconds - before);
		before = seconds;
		s.n_replies++;
	}
	if (s.n_replies > 1)
		s.jitter /= (double)(s.n_replies - 1);
	return s;
}

static void add_metrics(struct tend_attempt *a, const struct run *run, const struct summary *s)
{
	double loss = 100.0 * (double)(s->n_sent - s->n_replies) / (double)s->n_sent;

	(void)tend_attempt_metric(a, "loss_pct", loss, "%");
	if (run->resolved)
		(void)tend_attempt_metric(
			a, "dns_seconds", (double)run->dns_usec / (double)USEC_PER_SEC, "s");
	if (s->n_replies == 0)
		return;
	(void)tend_attempt_metric(a, "rtt_min_seconds", s->min, "s");
	(void)tend_attempt_metric(a, "rtt_avg_seconds", s->sum / (double)s->n_replies, "s");
	(void)tend_attempt_metric(a, "rtt_max_seconds", s->max, "s");
	(void)tend_attempt_metric(a, "jitter_seconds", s->jitter, "s");
}

static void cannot_send(struct tend_attempt *a, const struct run *run, int r)
{
	if (r == -ENOTCONN || r == -EACCES)
		finish(a, TEND_REASON_NO_EVIDENCE,
			"there is no socket for ICMP: tend-spawn gives none, and "
			"net.ipv4.ping_group_range allows none");
	else if (r == -EPERM)
		finish(a, TEND_REASON_ACCESS_DENIED,
			"%s: a packet filter of this host forbids echo requests", run->where);
	else if (r == -EBUSY || r == -ENOMEM || r == -EINVAL)
		finish(a, TEND_REASON_INTERNAL, "%s: no echo request can be sent: %s", run->where,
			strerror(-r));
	else
		finish(a, TEND_REASON_CONNECT_FAILED, "%s: %s", run->where, strerror(-r));
}

static void on_pinged(struct tend_attempt *a, int r, const usec_t *rtt, size_t n_sent, void *data)
{
	const struct run *run = data;
	struct summary s;

	if (r < 0 || n_sent == 0) {
		cannot_send(a, run, r < 0 ? r : -EIO);
		return;
	}
	s = sum_up(rtt, n_sent);
	add_metrics(a, run, &s);
	if (s.n_replies == 0)
		finish(a, TEND_REASON_NO_REPLY, "%s: none of %zu echo requests was answered",
			run->where, n_sent);
	else
		finish(a, TEND_REASON_OK,
			"%s: %zu of %zu echo requests answered, %.2f ms on average", run->where,
			s.n_replies, n_sent, s.sum / (double)s.n_replies * 1000);
}

/* The last reply is waited for until shortly before the deadline. */
static void ping(struct tend_attempt *a, struct run *run)
{
	usec_t now = tend_now(), end = tend_attempt_deadline(a) - END_MARGIN_USEC;
	usec_t sending = (usec_t)(run->conf->packets - 1) * run->conf->interval, wait;
	int r;

	if (end <= now + sending) {
		finish(a, TEND_REASON_INTERNAL,
			"the timeout leaves no time for %lld packets: fewer, sooner, or more time",
			(long long)run->conf->packets);
		return;
	}
	wait = end - now - sending;
	r = tend_ping(a, &run->address, (unsigned)run->conf->packets,
		(size_t)run->conf->payload_bytes, run->conf->interval, wait, on_pinged, run);
	if (r < 0)
		cannot_send(a, run, r);
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	static const int wanted[] = {AF_UNSPEC, AF_INET, AF_INET6};
	struct run *run = data;
	int family = wanted[run->conf->family];

	run->dns_usec = tend_now() - tend_attempt_started(a);
	if (r < 0) {
		finish(a, TEND_REASON_DNS_FAILED, "%s: %s", run->conf->host,
			r == -ENOENT ? "there is no such name" : strerror(-r));
		return;
	}
	run->resolved = true;
	for (size_t i = 0; i < n; i++) {
		const struct tend_address *address = &addresses[i];

		if (family != AF_UNSPEC && address->sa.sa_family != family)
			continue;
		run->address = *address;
		(void)inet_ntop(address->sa.sa_family,
			address->sa.sa_family == AF_INET6 ? (const void *)&address->in6.sin6_addr
							  : (const void *)&address->in.sin_addr,
			run->where, sizeof(run->where));
		ping(a, run);
		return;
	}
	finish(a, TEND_REASON_DNS_FAILED, "%s: the name has no address of this family",
		run->conf->host);
}

static void on_late(struct tend_attempt *a, void *data)
{
	const struct run *run = tend_attempt_data(a);

	if (run && !run->resolved)
		finish(a, TEND_REASON_DNS_FAILED, "%s: the name servers do not answer in time",
			run->conf->host);
}

static int icmp_start(struct tend_attempt *a, const void *conf)
{
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	tend_attempt_set_data(a, run);
	r = tend_timer_new(a, tend_attempt_deadline(a) - END_MARGIN_USEC / 2, on_late, NULL, NULL);
	return r < 0 ? r : tend_resolve(a, run->conf->host, on_resolved, run);
}

static size_t icmp_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"loss_pct", "dns_seconds", "rtt_min_seconds",
		"rtt_avg_seconds", "rtt_max_seconds", "jitter_seconds"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(*names);
}

static const struct tend_metric_doc icmp_metric_docs[] = {
	{"loss_pct", "%", "requests that were not answered", false},
	{"dns_seconds", "s", "until the name was resolved", false},
	{"rtt_min_seconds", "s", "there and back, the fastest", false},
	{"rtt_avg_seconds", "s", "there and back, on average", false},
	{"rtt_max_seconds", "s", "there and back, the slowest", false},
	{"jitter_seconds", "s", "mean difference between one and the next", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc icmp_reason_docs[] = {
	{TEND_REASON_NO_REPLY, "no request was answered"},
	{TEND_REASON_DNS_FAILED, "the name has no address, or the name servers do not answer"},
	{TEND_REASON_CONNECT_FAILED, "there is no way to the host"},
	{TEND_REASON_ACCESS_DENIED, "a packet filter of this host forbids it"},
	{TEND_REASON_NO_EVIDENCE, "there is no socket for ICMP"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe icmp_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "icmp",
	.doc = "Sends echo requests (ping) and judges loss, time and jitter.",
	.options = icmp_options,
	.conf_size = sizeof(struct icmp_conf),
	.check = icmp_check,
	.start = icmp_start,
	.cancel = icmp_cancel,
	.metrics = icmp_metrics,
	.metric_docs = icmp_metric_docs,
	.reason_docs = icmp_reason_docs,
	.example = "host = router.crm.example\n"
		   "warning.loss_pct = 20\n"
		   "critical.rtt_avg_seconds = 0.5\n",
};
TEND_PROBE(icmp, &icmp_probe);
