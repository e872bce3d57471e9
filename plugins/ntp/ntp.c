/* SPDX-License-Identifier: MIT */
/* The ntp probe: some questions to a time server; how far our clock is from its, and how good it
 * is. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <tend/plugin.h>
#include <unistd.h>
#include "packet.h"

#define END_MARGIN_USEC (20 * USEC_PER_MSEC)
enum { MAX_READS = 64 };

struct ntp_conf {
	char *host;
	int64_t port, samples;
	int family;
	usec_t interval, max_offset;
};

struct run {
	struct tend_attempt *attempt;
	const struct ntp_conf *conf;
	int fd;
	struct tend_io *io;
	char where[INET6_ADDRSTRLEN + 16];
	bool resolved;
	usec_t dns_usec, began_usec;
	size_t n_sent, n_bad, n_samples;
	int error; /* what the socket said */
	uint64_t cookies[NTP_MAX_SAMPLES];
	double sent_at[NTP_MAX_SAMPLES];
	struct ntp_reply last;
	struct ntp_sample samples[NTP_MAX_SAMPLES];
};

static const char *const families[] = {"any", "ipv4", "ipv6", NULL};

static const struct tend_option ntp_options[] = {
	TEND_OPT(STRING, struct ntp_conf, host, "host", NULL, "Name or address of the time server.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(INT, struct ntp_conf, port, "port", "123", "Its port.", .min = 1, .max = 65535),
	TEND_OPT(ENUM, struct ntp_conf, family, "family", "any",
		"Which address of the name to use: the first, or the first of this family.",
		.names = families),
	TEND_OPT(INT, struct ntp_conf, samples, "samples", "4",
		"How many times to ask; the answer with the least delay counts.", .min = 1,
		.max = NTP_MAX_SAMPLES),
	TEND_OPT(USEC, struct ntp_conf, interval, "sample_interval", "100ms",
		"Time between two questions.", .min = 10000, .max = 10000000),
	TEND_OPT(USEC, struct ntp_conf, max_offset, "max_offset", "500ms",
		"A clock that is further away than this is out-of-sync."),
	TEND_OPTION_END,
};

static int ntp_check(void *conf, struct tend_error *err)
{
	const struct ntp_conf *c = conf;

	return c->host[0] ? 0 : tend_error_set(err, -EINVAL, "host is empty");
}

static void run_free(struct run *run)
{
	if (!run)
		return;
	tend_attempt_set_data(run->attempt, NULL);
	tend_io_free(run->io);
	if (run->fd >= 0)
		(void)close(run->fd);
	free(run);
}

static void ntp_cancel(struct tend_attempt *a)
{
	run_free(tend_attempt_data(a));
}

static double wall_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the end ------------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static void finish(
	struct run *run, enum tend_reason reason, const char *format, ...)
{
	struct tend_attempt *a = run->attempt;
	char text[400], where[sizeof(run->where)];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)snprintf(where, sizeof(where), "%s", run->where);
	if (run->resolved)
		(void)tend_attempt_metric(
			a, "dns_seconds", (double)run->dns_usec / (double)USEC_PER_SEC, "s");
	run_free(run);
	tend_attempt_finish(a, reason, "%s%s%s", where, where[0] ? ": " : "", text);
}

static void add_metrics(struct run *run, const struct ntp_sample *best, double jitter)
{
	struct tend_attempt *a = run->attempt;

	(void)tend_attempt_metric(a, "offset_seconds", best->offset, "s");
	(void)tend_attempt_metric(a, "delay_seconds", best->delay, "s");
	(void)tend_attempt_metric(a, "jitter_seconds", jitter, "s");
	(void)tend_attempt_metric(a, "stratum", run->last.stratum, "");
	(void)tend_attempt_metric(a, "leap", run->last.leap, "");
	(void)tend_attempt_metric(a, "root_delay_seconds", run->last.root_delay, "s");
	(void)tend_attempt_metric(a, "root_dispersion_seconds", run->last.root_dispersion, "s");
	(void)tend_attempt_metric(a, "loss_pct",
		100.0 * (double)(run->n_sent - run->n_samples) / (double)run->n_sent, "%");
}

static void finish_without_sample(struct run *run)
{
	if (run->last.refused[0])
		finish(run,
			strcmp(run->last.refused, "RATE") == 0 ? TEND_REASON_QUOTA
							       : TEND_REASON_ACCESS_DENIED,
			"the server turns us away (%s)", run->last.refused);
	else if (run->error == ECONNREFUSED)
		finish(run, TEND_REASON_CONNECT_REFUSED, "connection refused");
	else if (run->error)
		finish(run, TEND_REASON_CONNECT_FAILED, "%s", strerror(run->error));
	else if (run->n_bad)
		finish(run, TEND_REASON_PROTOCOL, "what is answered is no answer of NTP");
	else
		finish(run, TEND_REASON_NO_REPLY, "none of %zu questions was answered",
			run->n_sent);
}

static void finish_all(struct run *run)
{
	double jitter = 0, most = (double)run->conf->max_offset / (double)USEC_PER_SEC;
	struct ntp_sample best;

	if (run->n_samples == 0) {
		finish_without_sample(run);
		return;
	}
	best = ntp_best(run->samples, run->n_samples, &jitter);
	add_metrics(run, &best, jitter);
	if (run->last.leap == NTP_LEAP_UNKNOWN || run->last.stratum >= 16 || run->last.stratum == 0)
		finish(run, TEND_REASON_OUT_OF_SYNC,
			"the server's own clock is not synchronised (stratum %u)",
			run->last.stratum);
	else if (fabs(best.offset) > most)
		finish(run, TEND_REASON_OUT_OF_SYNC,
			"our clock is %.3f s %s the server's, stratum %u", fabs(best.offset),
			best.offset > 0 ? "behind" : "ahead of", run->last.stratum);
	else
		finish(run, TEND_REASON_OK, "offset %+.6f s, stratum %u, %zu of %zu answered",
			best.offset, run->last.stratum, run->n_samples, run->n_sent);
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct run *run = tend_attempt_data(a);

	if (!run)
		return;
	if (!run->resolved)
		finish(run, TEND_REASON_DNS_FAILED, "%s: the name servers do not answer in time",
			run->conf->host);
	else
		finish_all(run);
}

/* ---- asking ------------------------------------------------------------------------------- */

static double received_at(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec at;

			memcpy(&at, CMSG_DATA(c), sizeof(at));
			return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
		}
	return wall_now();
}

static void take(struct run *run, const unsigned char *data, size_t len, double at)
{
	struct ntp_reply reply;

	if (!ntp_reply_parse(data, len, at, &reply)) {
		run->n_bad++;
		return;
	}
	for (size_t i = 0; i < run->n_sent; i++) {
		if (run->cookies[i] != reply.cookie || reply.cookie == 0)
			continue;
		run->cookies[i] = 0; /* once */
		run->last = reply;
		if (!reply.refused[0])
			run->samples[run->n_samples++] = ntp_sample_of(&reply, run->sent_at[i], at);
		return;
	}
	run->n_bad++;
}

/* False: nothing more is there. */
static bool read_one(struct run *run)
{
	unsigned char data[512], control[128];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	/* What poll() announced may be gone by now: a datagram with a bad checksum is. */
	ssize_t n = recvmsg(run->fd, &m, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		run->error = errno;
	else
		take(run, data, (size_t)n, received_at(&m));
	return true;
}

static bool all_asked(const struct run *run)
{
	return run->n_sent == (size_t)run->conf->samples;
}

static void on_io(struct tend_attempt *a, int fd, uint32_t events, void *data)
{
	struct run *run = data;

	for (int i = 0; i < MAX_READS && read_one(run); i++)
		;
	if (run->last.refused[0] || run->error == ECONNREFUSED ||
		(all_asked(run) && run->n_samples == run->n_sent))
		finish_all(run);
}

static void ask(struct tend_attempt *a, void *data)
{
	struct run *run = tend_attempt_data(a);
	unsigned char packet[NTP_PACKET_BYTES];
	uint64_t cookie = 0;

	if (!run || all_asked(run))
		return;
	while (cookie == 0)
		if (getrandom(&cookie, sizeof(cookie), GRND_NONBLOCK) != sizeof(cookie))
			cookie = tend_now();
	ntp_request(cookie, packet);
	run->cookies[run->n_sent] = cookie;
	run->sent_at[run->n_sent] = wall_now();
	run->n_sent++;
	if (send(run->fd, packet, sizeof(packet), MSG_NOSIGNAL) < 0)
		run->error = errno;
	if (run->error && run->n_samples == 0) {
		finish_all(run);
		return;
	}
	if (!all_asked(run))
		(void)tend_timer_new(
			a, run->began_usec + run->n_sent * run->conf->interval, ask, NULL, NULL);
}

static int open_socket(struct run *run, const struct tend_address *address)
{
	struct tend_address to = *address;
	int one = 1, r;

	if (to.sa.sa_family == AF_INET6)
		to.in6.sin6_port = htons((uint16_t)run->conf->port);
	else
		to.in.sin_port = htons((uint16_t)run->conf->port);
	run->fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (run->fd < 0)
		return -errno;
	(void)setsockopt(run->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	/* So only what this server sends is heard, and that nobody listens there. */
	r = connect(run->fd, &to.sa, to.length) < 0
		    ? -errno
		    : tend_io_new(run->attempt, run->fd, EPOLLIN, on_io, run, &run->io);
	if (r < 0) {
		(void)close(run->fd);
		run->fd = -1;
	}
	return r;
}

static void set_where(struct run *run, const struct tend_address *address)
{
	(void)inet_ntop(address->sa.sa_family,
		address->sa.sa_family == AF_INET6 ? (const void *)&address->in6.sin6_addr
						  : (const void *)&address->in.sin_addr,
		run->where, sizeof(run->where));
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	static const int wanted[] = {AF_UNSPEC, AF_INET, AF_INET6};
	struct run *run = data;
	int family = wanted[run->conf->family];

	run->dns_usec = tend_now() - tend_attempt_started(a);
	run->resolved = r == 0;
	if (r < 0) {
		finish(run, TEND_REASON_DNS_FAILED, "%s: %s", run->conf->host,
			r == -ENOENT ? "there is no such name" : strerror(-r));
		return;
	}
	r = -EAFNOSUPPORT;
	for (size_t i = 0; i < n && r < 0; i++) {
		if (family != AF_UNSPEC && addresses[i].sa.sa_family != family)
			continue;
		set_where(run, &addresses[i]);
		r = open_socket(run, &addresses[i]); /* a family may have no route */
	}
	if (r == -EAFNOSUPPORT)
		finish(run, TEND_REASON_DNS_FAILED, "%s: the name has no address of this family",
			run->conf->host);
	else if (r < 0)
		finish(run, TEND_REASON_CONNECT_FAILED, "%s", strerror(-r));
	else {
		run->began_usec = tend_now();
		ask(a, NULL);
	}
}

static int ntp_start(struct tend_attempt *a, const void *conf)
{
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->attempt = a;
	run->conf = conf;
	run->fd = -1;
	tend_attempt_set_data(a, run);
	r = tend_timer_new(a, tend_attempt_deadline(a) - END_MARGIN_USEC, on_late, NULL, NULL);
	return r < 0 ? r : tend_resolve(a, run->conf->host, on_resolved, run);
}

static size_t ntp_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"dns_seconds", "offset_seconds", "delay_seconds",
		"jitter_seconds", "stratum", "leap", "root_delay_seconds",
		"root_dispersion_seconds", "loss_pct"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(*names);
}

static const struct tend_metric_doc ntp_metric_docs[] = {
	{"dns_seconds", "s", "until the name was resolved", false},
	{"offset_seconds", "s", "how far the server's clock is ahead of ours", false},
	{"delay_seconds", "s", "the way there and back, of the best answer", false},
	{"jitter_seconds", "s", "how far the other answers are from the best", false},
	{"stratum", "", "the server's distance from a reference clock", false},
	{"leap", "", "1, 2: a leap second comes; 3: it is not synchronised", false},
	{"root_delay_seconds", "s", "from the server to its reference clock", false},
	{"root_dispersion_seconds", "s", "how far the server may be wrong", false},
	{"loss_pct", "%", "questions that were not answered", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc ntp_reason_docs[] = {
	{TEND_REASON_OUT_OF_SYNC, "the clocks differ by more than max_offset, or the server's own "
				  "is not synchronised"},
	{TEND_REASON_QUOTA, "the server says that we ask too often (RATE)"},
	{TEND_REASON_ACCESS_DENIED, "the server turns us away (DENY, RSTR, ...)"},
	{TEND_REASON_NO_REPLY, "no question was answered"},
	{TEND_REASON_DNS_FAILED, "the name has no address, or the name servers do not answer"},
	{TEND_REASON_CONNECT_REFUSED, "nobody listens there"},
	{TEND_REASON_CONNECT_FAILED, "there is no way to the server"},
	{TEND_REASON_PROTOCOL, "what is answered is no answer to our questions"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe ntp_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "ntp",
	.doc = "Compares this machine's clock with a time server's, and judges that server.",
	.options = ntp_options,
	.conf_size = sizeof(struct ntp_conf),
	.check = ntp_check,
	.start = ntp_start,
	.cancel = ntp_cancel,
	.metrics = ntp_metrics,
	.metric_docs = ntp_metric_docs,
	.reason_docs = ntp_reason_docs,
	.example = "host = ntp.crm.example\n"
		   "max_offset = 100ms\n"
		   "warning.stratum = 4\n",
};
TEND_PROBE(ntp, &ntp_probe);
