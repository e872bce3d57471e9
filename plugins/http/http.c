/* SPDX-License-Identifier: MIT */
/*
 * The http probe: one request (and the redirects it may follow), judged by status, body and JSON.
 * Each running attempt has an easy handle from a small pool; an idle check has none.
 */
#include "http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	POOL_MAX = 64,
	READ_MAX_BYTES = 16 << 20, /* of a body; what is more does not end */
	QUOTE_CHARS = 160,
};
#define END_MARGIN_USEC (10 * USEC_PER_MSEC)

struct run {
	struct tend_attempt *attempt;
	const struct http_conf *conf;
	CURL *easy;
	char *url;    /* NULL: the check's own */
	bool foreign; /* a redirect led to another origin: it gets no credentials */
	bool get;     /* a redirect made it a GET */
	int64_t n_redirects;
	char *body;
	size_t n_body, body_cap;
	uint64_t n_read;
	struct http_progress progress;
	usec_t hop_started, dns_usec;
	int fd; /* of the last connection that was begun; valid only while the transfer runs */
	char address[INET6_ADDRSTRLEN]; /* the first the name has */
	size_t n_addresses;
	char error[CURL_ERROR_SIZE];
};

static CURL *pool[POOL_MAX];
static size_t n_pool;

static CURL *pool_get(void)
{
	return n_pool > 0 ? pool[--n_pool] : curl_easy_init();
}

static void pool_put(CURL *easy)
{
	if (!easy)
		return;
	if (n_pool == POOL_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy); /* else it would hold on to the check's options */
	pool[n_pool++] = easy;
}

static void run_free(struct run *run)
{
	if (!run)
		return;
	tend_attempt_set_data(run->attempt, NULL);
	if (run->easy)
		tend_transfer_abort(run->attempt, run->easy);
	pool_put(run->easy);
	free(run->url);
	free(run->body);
	free(run);
}

static void http_cancel(struct tend_attempt *a)
{
	run_free(tend_attempt_data(a));
}

static const char *run_url(const struct run *run)
{
	return run->url ? run->url : run->conf->url;
}

/* ---- metrics
 * --------------------------------------------------------------------------------------- */

static double info_seconds(CURL *easy, CURLINFO info)
{
	curl_off_t usec = 0;

	(void)curl_easy_getinfo(easy, info, &usec);
	return (double)usec / (double)USEC_PER_SEC;
}

static void add_span(struct tend_attempt *a, const char *name, double from, double to)
{
	if (to > from)
		(void)tend_attempt_metric(a, name, to - from, "s");
}

/* libcurl writes "Nov 22 02:35:00 2027 GMT". */
static bool expiry_of(const char *line, time_t *ret_expiry)
{
	static const char key[] = "Expire date:";
	struct tm tm = {0};

	if (strncmp(line, key, sizeof(key) - 1) != 0)
		return false;
	line += sizeof(key) - 1;
	const char *end = strptime(line, "%b %d %H:%M:%S %Y", &tm);
	if (!end)
		return false;
	*ret_expiry = timegm(&tm);
	return true;
}

/* Of the server's own certificate: the first of the chain. */
static void add_certificate(const struct run *run)
{
	struct curl_certinfo *info = NULL;
	time_t expiry = 0;

	if (curl_easy_getinfo(run->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
		info->num_of_certs < 1)
		return;
	for (const struct curl_slist *s = info->certinfo[0]; s; s = s->next) {
		if (!expiry_of(s->data, &expiry))
			continue;
		(void)tend_attempt_metric(
			run->attempt, "certificate_days", difftime(expiry, time(NULL)) / 86400, "");
		return;
	}
}

static void add_metrics(const struct run *run, long status)
{
	struct tend_attempt *a = run->attempt;
	double connect = info_seconds(run->easy, CURLINFO_CONNECT_TIME_T);
	double tls = info_seconds(run->easy, CURLINFO_APPCONNECT_TIME_T);
	double ready = info_seconds(run->easy, CURLINFO_PRETRANSFER_TIME_T);
	double first = info_seconds(run->easy, CURLINFO_STARTTRANSFER_TIME_T);

	(void)tend_attempt_metric(a, "total_seconds",
		(double)(tend_now() - tend_attempt_started(a)) / (double)USEC_PER_SEC, "s");
	(void)tend_attempt_metric(
		a, "dns_seconds", (double)run->dns_usec / (double)USEC_PER_SEC, "s");
	add_span(a, "connect_seconds", 0, connect);
	add_span(a, "tls_seconds", connect, tls);
	add_span(a, "first_byte_seconds", ready, first);
	if (status > 0) {
		(void)tend_attempt_metric(a, "status", (double)status, "");
		(void)tend_attempt_metric(a, "body_bytes", (double)run->n_read, "B");
	}
	add_certificate(run);
}

/* ---- the end
 * ---------------------------------------------------------------------------------------- */

/* libcurl tells the time of a connection only once TLS is up. While the transfer runs, the kernel
 * knows. */
static bool tcp_connected(const struct run *run)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return run->fd >= 0 && getpeername(run->fd, (struct sockaddr *)&peer, &len) == 0;
}

static void read_progress(struct run *run)
{
	struct http_progress *p = &run->progress;

	p->connected = p->connected || info_seconds(run->easy, CURLINFO_CONNECT_TIME_T) > 0;
	p->tls = strncmp(run_url(run), "https:", 6) == 0;
	p->tls_done = info_seconds(run->easy, CURLINFO_APPCONNECT_TIME_T) > 0;
	p->sent = info_seconds(run->easy, CURLINFO_PRETRANSFER_TIME_T) > 0;
	(void)curl_easy_getinfo(run->easy, CURLINFO_SSL_VERIFYRESULT, &p->verify_result);
	(void)curl_easy_getinfo(run->easy, CURLINFO_OS_ERRNO, &p->os_errno);
}

static long run_status(const struct run *run)
{
	long status = 0;

	(void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static void finish(struct run *run, enum tend_reason reason, const char *text)
{
	struct tend_attempt *a = run->attempt;

	add_metrics(run, run_status(run));
	run_free(run);
	tend_attempt_finish(a, reason, "%s", text);
}

static void connect_text(const struct run *run, const char *what, char *buf, size_t size)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL;
	char at[INET6_ADDRSTRLEN + 40] = "";

	if (u && curl_url_set(u, CURLUPART_URL, run_url(run), 0) == CURLUE_OK) {
		(void)curl_url_get(u, CURLUPART_HOST, &host, 0);
		(void)curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	}
	if (run->n_addresses > 1)
		(void)snprintf(
			at, sizeof(at), " (%s and %zu more)", run->address, run->n_addresses - 1);
	else if (host && host[0] != '[' && strcmp(host, run->address) != 0)
		(void)snprintf(at, sizeof(at), " (%s)", run->address);
	if (run->conf->unix_socket)
		(void)snprintf(buf, size, "cannot connect to %s: %s", run->conf->unix_socket, what);
	else
		(void)snprintf(buf, size, "cannot connect to %s%s port %s: %s", host ? host : "?",
			at, port ? port : "?", what);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
}

static void finish_failed(struct run *run, int code)
{
	enum tend_reason reason;
	char text[CURL_ERROR_SIZE + 200];
	const char *what = run->error[0] ? run->error : curl_easy_strerror((CURLcode)code);

	read_progress(run);
	reason = http_reason(code, &run->progress);
	if (code == CURLE_COULDNT_CONNECT && run->progress.os_errno)
		what = strerror((int)run->progress.os_errno);
	if (code == CURLE_COULDNT_CONNECT)
		connect_text(run, what, text, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "%s: %s, %s", run_url(run), what,
			http_phase_text(&run->progress));
	finish(run, reason, text);
}

static void finish_timeout(struct run *run)
{
	char text[CURL_ERROR_SIZE + 200];
	char size[64] = "";
	usec_t spent = tend_now() - tend_attempt_started(run->attempt);

	read_progress(run);
	if (run->n_read > 0)
		(void)snprintf(size, sizeof(size), ", %llu bytes of the body had come",
			(unsigned long long)run->n_read);
	(void)snprintf(text, sizeof(text), "no full answer within %.3f s, still %s%s: %s",
		(double)spent / (double)USEC_PER_SEC,
		run->n_read ? "reading" : http_phase_text(&run->progress), size, run_url(run));
	finish(run, http_reason(CURLE_OPERATION_TIMEDOUT, &run->progress), text);
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct run *run = tend_attempt_data(a);

	if (!run)
		return;
	run->progress.connected = tcp_connected(run);
	tend_transfer_abort(a, run->easy);
	finish_timeout(run);
}

static void finish_status(struct run *run, long status)
{
	char expected[128], quoted[QUOTE_CHARS * 2], text[700], where[200] = "";
	char *location = NULL;
	bool denied = status == 401 || status == 403;

	expect_status_text(run->conf->expect, expected, sizeof(expected));
	(void)curl_easy_getinfo(run->easy, CURLINFO_REDIRECT_URL, &location);
	if (location)
		(void)snprintf(where, sizeof(where), " to %.160s", location);
	if (run->n_body > 0)
		(void)snprintf(text, sizeof(text), "expected status %s, got %ld%s: %s", expected,
			status, where,
			expect_quote(run->body, run->n_body, QUOTE_CHARS, quoted, sizeof(quoted)));
	else
		(void)snprintf(text, sizeof(text), "expected status %s, got %ld%s with no body",
			expected, status, where);
	finish(run, denied ? TEND_REASON_AUTH_FAILED : TEND_REASON_STATUS_UNEXPECTED, text);
}

static void judge(struct run *run)
{
	const struct http_conf *c = run->conf;
	long status = run_status(run);
	char why[EXPECT_WHY_BYTES], text[EXPECT_WHY_BYTES + 32];
	bool cut = run->n_read > run->n_body;

	if (!expect_status(c->expect, status)) {
		finish_status(run, status);
		return;
	}
	if (expect_body(c->expect, run->body ? run->body : "", run->n_body, cut, why) < 0) {
		(void)snprintf(text, sizeof(text), "status %ld: %s", status, why);
		finish(run, TEND_REASON_CONTENT_UNEXPECTED, text);
		return;
	}
	(void)snprintf(text, sizeof(text), "status %ld, %llu bytes in %.3f s", status,
		(unsigned long long)run->n_read,
		(double)(tend_now() - tend_attempt_started(run->attempt)) / (double)USEC_PER_SEC);
	finish(run, TEND_REASON_OK, text);
}

/* ---- the request
 * ------------------------------------------------------------------------------------ */

/* Called by libcurl. Keeps what may be judged, counts the rest. */
static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct run *run = user;
	size_t room = run->conf->max_body_bytes - run->n_body, keep;

	n *= size;
	run->n_read += n;
	if (run->n_read > READ_MAX_BYTES)
		return 0; /* CURLE_WRITE_ERROR */
	keep = n < room ? n : room;
	if (keep > run->body_cap - run->n_body) {
		size_t cap = (run->n_body + keep) * 2;
		char *body = realloc(run->body, cap);
		if (!body)
			return 0;
		run->body = body;
		run->body_cap = cap;
	}
	if (keep > 0)
		memcpy(run->body + run->n_body, data, keep);
	run->n_body += keep;
	return n;
}

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
	struct run *run = user;

	run->fd = fd;
	return CURL_SOCKOPT_OK;
}

static void set_method(struct run *run)
{
	const struct http_conf *c = run->conf;
	const char *method = run->get ? "GET" : http_methods[c->method];
	const char *body = c->body_secret ? c->body_secret : c->body;
	bool with_body = !run->get && (body || strncmp(method, "P", 1) == 0);

	(void)curl_easy_setopt(run->easy, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
	if (with_body) {
		body = body ? body : "";
		(void)curl_easy_setopt(run->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
		(void)curl_easy_setopt(run->easy, CURLOPT_POSTFIELDS, body);
	}
	(void)curl_easy_setopt(run->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* Only what belongs to this origin goes to it. */
static void set_credentials(struct run *run)
{
	const struct http_conf *c = run->conf;

	if (run->foreign)
		return;
	(void)curl_easy_setopt(run->easy, CURLOPT_HTTPHEADER, c->header_list);
	if (c->auth == HTTP_AUTH_BASIC) {
		(void)curl_easy_setopt(run->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(run->easy, CURLOPT_USERNAME, c->user);
		(void)curl_easy_setopt(run->easy, CURLOPT_PASSWORD, c->password);
	} else if (c->auth == HTTP_AUTH_BEARER) {
		(void)curl_easy_setopt(run->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		(void)curl_easy_setopt(run->easy, CURLOPT_XOAUTH2_BEARER, c->token);
	}
}

static void set_options(struct run *run)
{
	const struct http_conf *c = run->conf;
	CURL *easy = run->easy;

	curl_easy_reset(easy);
	run->error[0] = '\0';
	(void)curl_easy_setopt(easy, CURLOPT_URL, run_url(run));
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "tend/" TEND_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->error);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, run);
	(void)curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->verify_tls ? 1L : 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->verify_tls ? 2L : 0L);
	if (c->ca_file)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
	if (c->unix_socket)
		(void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, c->unix_socket);
	if (!c->keep) {
		(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	set_method(run);
	set_credentials(run);
}

static int start_hop(struct run *run);

static bool same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *ua = curl_url(), *ub = curl_url();
	bool same = ua && ub && curl_url_set(ua, CURLUPART_URL, a, 0) == CURLUE_OK &&
		    curl_url_set(ub, CURLUPART_URL, b, 0) == CURLUE_OK;

	for (size_t i = 0; same && i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *pa = NULL, *pb = NULL;
		same = curl_url_get(ua, parts[i], &pa, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       curl_url_get(ub, parts[i], &pb, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       strcasecmp(pa, pb) == 0;
		curl_free(pa);
		curl_free(pb);
	}
	curl_url_cleanup(ua);
	curl_url_cleanup(ub);
	return same;
}

/* True if another hop was started, or the attempt has ended. Not libcurl's own following: that
 * would resolve the new host by itself. */
static bool follow(struct run *run)
{
	long status = run_status(run);
	char *location = NULL, *copy;

	if (run->n_redirects >= run->conf->follow_redirects || status < 301 || status > 308)
		return false;
	(void)curl_easy_getinfo(run->easy, CURLINFO_REDIRECT_URL, &location);
	if (!location || status == 304 || !(copy = strdup(location)))
		return false;
	run->n_redirects++;
	run->foreign = run->foreign || !same_origin(run->conf->url, copy);
	/* As browsers do: 303 always, 301 and 302 for POST. */
	if (status == 303 ||
		(status <= 302 && strcmp(http_methods[run->conf->method], "POST") == 0))
		run->get = true;
	free(run->url);
	run->url = copy;
	run->n_body = 0;
	run->n_read = 0;
	if (start_hop(run) < 0)
		finish(run, TEND_REASON_PROTOCOL, "the redirect leads to no http or https URL");
	return true;
}

static void on_transferred(struct tend_attempt *a, void *easy, int result, void *data)
{
	struct run *run = data;
	char text[128];

	if (result == CURLE_OK) {
		if (!follow(run))
			judge(run);
	} else if (result == CURLE_OPERATION_TIMEDOUT) {
		finish_timeout(run);
	} else if (result == CURLE_WRITE_ERROR && run->n_read > READ_MAX_BYTES) {
		(void)snprintf(text, sizeof(text), "the body does not end: more than %d MiB came",
			READ_MAX_BYTES >> 20);
		finish(run, TEND_REASON_CONTENT_UNEXPECTED, text);
	} else if (result < 0) {
		(void)snprintf(text, sizeof(text), "cannot start: %s", strerror(-result));
		finish(run, TEND_REASON_INTERNAL, text);
	} else {
		finish_failed(run, result);
	}
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct run *run = data;
	char text[400];

	run->dns_usec += tend_now() - run->hop_started;
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "%.300s: %s", run_url(run),
			r == -ENOENT ? "there is no such name" : strerror(-r));
		finish(run, TEND_REASON_DNS_FAILED, text);
		return;
	}
	run->progress.resolved = true;
	run->n_addresses = n;
	(void)inet_ntop(addresses->sa.sa_family,
		addresses->sa.sa_family == AF_INET6 ? (const void *)&addresses->in6.sin6_addr
						    : (const void *)&addresses->in.sin_addr,
		run->address, sizeof(run->address));
	set_options(run);
	/* Finds the name in the cache. */
	r = tend_transfer_start(a, run->easy, run_url(run), on_transferred, run);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "cannot start the transfer: %s", strerror(-r));
		finish(run, TEND_REASON_INTERNAL, text);
	}
}

/* Resolves by itself first, to know how long that takes. */
static int start_hop(struct run *run)
{
	char *host = NULL;
	int r = http_url_host(run_url(run), &host);

	if (r < 0)
		return r;
	run->hop_started = tend_now();
	run->progress = (struct http_progress){0};
	run->fd = -1;
	r = tend_resolve(run->attempt, host, on_resolved, run);
	free(host);
	return r;
}

static int http_start(struct tend_attempt *a, const void *conf)
{
	usec_t started = tend_attempt_started(a), deadline = tend_attempt_deadline(a);
	usec_t margin = (deadline - started) / 10;
	struct tend_timer *late = NULL;
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->attempt = a;
	run->conf = conf;
	run->easy = pool_get();
	tend_attempt_set_data(a, run);
	if (!run->easy)
		return -ENOMEM;
	/* A little before the core's deadline, which knows nothing of phases. */
	margin = margin < END_MARGIN_USEC ? margin : END_MARGIN_USEC;
	r = tend_timer_new(a, deadline - margin, on_late, run, &late);
	return r < 0 ? r : start_hop(run);
}

static size_t http_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"total_seconds", "dns_seconds", "connect_seconds",
		"tls_seconds", "first_byte_seconds", "status", "body_bytes", "certificate_days"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(names[0]);
}

static const struct tend_probe http_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "http",
	.doc = "Asks a web server and judges status, body and JSON of the answer.",
	.options = http_options,
	.conf_size = sizeof(struct http_conf),
	.check = http_conf_check,
	.clear = http_conf_clear,
	.start = http_start,
	.cancel = http_cancel,
	.metrics = http_metrics,
};
TEND_PROBE(http, &http_probe);
