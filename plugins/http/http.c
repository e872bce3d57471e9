/* SPDX-License-Identifier: MIT */
/*
 * The http probe: what is asked one after the other, the redirects it may follow, and how the
 * answer is judged by status, body and JSON. Each running attempt has an easy handle from a small
 * pool; an idle check has none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

enum {
	QUOTE_CHARS = 160,
	READ_MAX_MIB = 16, /* request.c stops there */
	QUIET_MAX_SECONDS = 3600,
};
#define END_MARGIN_USEC (20 * USEC_PER_MSEC)

static void ask_clear(struct ask *ask)
{
	if (ask->body)
		explicit_bzero(ask->body, strlen(ask->body));
	free(ask->body);
	free(ask->url);
	free(ask->referer);
	*ask = (struct ask){0};
}

static void run_free(struct run *run)
{
	if (!run)
		return;
	tend_attempt_set_data(run->attempt, NULL);
	request_release(run);
	ask_clear(&run->ask);
	if (run->body && run->conf->auth == HTTP_AUTH_OAUTH2)
		explicit_bzero(run->body, run->n_body);
	free(run->body);
	free(run);
}

static void http_cancel(struct tend_attempt *a)
{
	run_free(tend_attempt_data(a));
}

const char *run_url(const struct run *run)
{
	return run->ask.url ? run->ask.url : run->conf->url;
}

static double since_start(const struct run *run)
{
	return (double)(tend_now() - tend_attempt_started(run->attempt)) / (double)USEC_PER_SEC;
}

/* ---- the end
 * ---------------------------------------------------------------------------------------- */

/* While the transfer runs, the kernel knows. */
static bool tcp_connected(const struct run *run)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return run->fd >= 0 && getpeername(run->fd, (struct sockaddr *)&peer, &len) == 0;
}

static bool has_phase(const struct run *run, CURLINFO info)
{
	curl_off_t usec = 0;

	return curl_easy_getinfo(run->easy, info, &usec) == CURLE_OK && usec > 0;
}

static void read_progress(struct run *run)
{
	struct http_progress *p = &run->progress;

	p->tls = strncmp(run_url(run), "https:", 6) == 0;
	p->tls_done = has_phase(run, CURLINFO_APPCONNECT_TIME_T);
	p->sent = has_phase(run, CURLINFO_PRETRANSFER_TIME_T);
	/* Of a connection that was kept there is no time. */
	p->connected = p->connected || p->sent || has_phase(run, CURLINFO_CONNECT_TIME_T);
	p->words = run->error;
	(void)curl_easy_getinfo(run->easy, CURLINFO_SSL_VERIFYRESULT, &p->verify_result);
	(void)curl_easy_getinfo(run->easy, CURLINFO_OS_ERRNO, &p->os_errno);
	(void)curl_easy_getinfo(run->easy, CURLINFO_HTTP_CONNECTCODE, &p->proxy_status);
	(void)curl_easy_getinfo(run->easy, CURLINFO_PROXY_ERROR, &p->socks_error);
}

long run_status(const struct run *run)
{
	long status = 0;

	(void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static const char *stage_text(const struct run *run)
{
	static const char *const texts[] = {[ASK_TOKEN] = "for the token: ",
		[ASK_FORM] = "for the log-in page: ",
		[ASK_LOGIN] = "logging in: ",
		[ASK_URL] = ""};

	return texts[run->ask.stage];
}

void run_finish(struct run *run, enum tend_reason reason, const char *text)
{
	struct tend_attempt *a = run->attempt;
	const char *stage = stage_text(run);

	if (run->hop_started)
		metrics_add(run);
	run_free(run);
	tend_attempt_finish(a, reason, "%s%s", stage, text);
}

/* What is connected to: the server, or the proxy before it. */
static const char *connects_to(const struct run *run)
{
	return run->conf->proxy ? run->conf->proxy : run_url(run);
}

static void connect_text(const struct run *run, const char *what, char *buf, size_t size)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL;
	char at[INET6_ADDRSTRLEN + 40] = "";

	if (u && curl_url_set(u, CURLUPART_URL, connects_to(run), CURLU_NON_SUPPORT_SCHEME) ==
			 CURLUE_OK) {
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
		(void)snprintf(buf, size, "cannot connect to %s%s%s port %s: %s",
			run->conf->proxy ? "the proxy " : "", host ? host : "?", at,
			port ? port : "?", what);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
}

void run_finish_failed(struct run *run, int code)
{
	enum tend_reason reason;
	char text[CURL_ERROR_SIZE + 300];
	const char *what = run->error[0] ? run->error : curl_easy_strerror((CURLcode)code);

	read_progress(run);
	/* libcurl tells the time of a connection only once TLS is up. */
	run->progress.connected = code != CURLE_COULDNT_CONNECT;
	reason = http_reason(code, &run->progress);
	if (code == CURLE_COULDNT_CONNECT && run->progress.os_errno)
		what = strerror((int)run->progress.os_errno);
	if (code == CURLE_OUT_OF_MEMORY && run->progress.sent)
		what = "a header is too long";
	if (code == CURLE_COULDNT_CONNECT)
		connect_text(run, what, text, sizeof(text));
	else if (run->progress.proxy_status >= 300)
		(void)snprintf(text, sizeof(text), "%.300s: the proxy answers CONNECT with %ld",
			run_url(run), run->progress.proxy_status);
	else
		(void)snprintf(text, sizeof(text), "%.200s: %.200s, %s", run_url(run), what,
			http_phase_text(&run->progress));
	run_finish(run, reason, text);
}

void run_finish_timeout(struct run *run)
{
	char text[CURL_ERROR_SIZE + 200];
	char size[64] = "";

	read_progress(run);
	if (run->n_read > 0)
		(void)snprintf(size, sizeof(size), ", %llu bytes of the body had come",
			(unsigned long long)run->n_read);
	(void)snprintf(text, sizeof(text), "no full answer within %.3f s, still %s%s: %.300s",
		since_start(run), run->n_read ? "reading" : http_phase_text(&run->progress), size,
		run_url(run));
	run_finish(run, http_reason(CURLE_OPERATION_TIMEDOUT, &run->progress), text);
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct run *run = tend_attempt_data(a);

	if (!run)
		return;
	run->progress.connected = tcp_connected(run);
	tend_transfer_abort(a, run->easy);
	run_finish_timeout(run);
}

/* nginx takes any client through TLS and says in a 400 that it wants a certificate. */
static bool wants_certificate(const struct run *run, long status)
{
	return status == 400 && strncmp(run_url(run), "https:", 6) == 0 && run->n_body > 0 &&
	       memmem(run->body, run->n_body, "SSL certificate", 15);
}

static enum tend_reason status_reason(const struct run *run, long status)
{
	if (status == 401 || status == 403 || status == 407 || wants_certificate(run, status))
		return TEND_REASON_AUTH_FAILED;
	return status == 429 ? TEND_REASON_QUOTA : TEND_REASON_STATUS_UNEXPECTED;
}

void run_finish_status(struct run *run, long status)
{
	char expected[128] = "200-299", quoted[QUOTE_CHARS * 2], text[800];
	char where[200] = "", wait[64] = "";
	char *location = NULL;

	if (run->ask.stage == ASK_URL)
		expect_status_text(run->conf->expect, expected, sizeof(expected));
	(void)curl_easy_getinfo(run->easy, CURLINFO_REDIRECT_URL, &location);
	if (location)
		(void)snprintf(where, sizeof(where), " to %.160s", location);
	if (run->retry_after > 0)
		(void)snprintf(wait, sizeof(wait), ", to be asked again in %lld s",
			(long long)run->retry_after);
	if (run->n_body > 0)
		(void)snprintf(text, sizeof(text), "expected status %s, got %ld%s%s: %s", expected,
			status, where, wait,
			expect_quote(run->body, run->n_body, QUOTE_CHARS, quoted, sizeof(quoted)));
	else
		(void)snprintf(text, sizeof(text), "expected status %s, got %ld%s%s with no body",
			expected, status, where, wait);
	run_finish(run, status_reason(run, status), text);
}

/* ---- the answer
 * ------------------------------------------------------------------------------------- */

/* A server that asks for quiet gets it, within reason. */
static void keep_quiet(struct run *run)
{
	curl_off_t wait =
		run->retry_after < QUIET_MAX_SECONDS ? run->retry_after : QUIET_MAX_SECONDS;

	if (wait > 0)
		run->conf->session->quiet_until = tend_now() + (usec_t)wait * USEC_PER_SEC;
}

/* True: the attempt has ended. */
static bool judge_fault(struct run *run, long status, bool status_is_well)
{
	char why[FAULT_WHY_BYTES], text[FAULT_WHY_BYTES + 32];
	enum tend_reason reason;

	if (!run->conf->error_pointer)
		return false;
	reason = fault_judge(
		&run->conf->fault, run->body ? run->body : "", run->n_body, status_is_well, why);
	if (reason == TEND_REASON_OK)
		return false;
	if (reason == TEND_REASON_QUOTA)
		keep_quiet(run);
	(void)snprintf(text, sizeof(text), "status %ld: %s", status, why);
	run_finish(run, reason, text);
	return true;
}

static bool judge_version(struct run *run)
{
	long version = 0;

	(void)curl_easy_getinfo(run->easy, CURLINFO_HTTP_VERSION, &version);
	if (run->conf->version != HTTP_VERSION_2 || version == CURL_HTTP_VERSION_2_0)
		return false;
	run_finish(run, TEND_REASON_PROTOCOL, "expected HTTP/2, the server speaks HTTP/1");
	return true;
}

static bool judge_quota(struct run *run)
{
	char text[160];

	quota_complete(&run->quota);
	if (!quota_is_used_up(&run->quota))
		return false;
	keep_quiet(run);
	if (run->quota.has_max)
		(void)snprintf(text, sizeof(text), "the quota is used up: %.0f of %.0f",
			run->quota.used, run->quota.max);
	else
		(void)snprintf(text, sizeof(text), "the quota is used up: nothing is left");
	run_finish(run, TEND_REASON_QUOTA, text);
	return true;
}

static bool judge_status(struct run *run, long status, bool status_is_well)
{
	if (status_is_well)
		return false;
	if (status == 429)
		keep_quiet(run);
	run_finish_status(run, status);
	return true;
}

static bool judge_body(struct run *run, long status)
{
	char why[EXPECT_WHY_BYTES], text[EXPECT_WHY_BYTES + 32];
	bool cut = run->n_read > run->n_body;

	if (expect_body(run->conf->expect, run->body ? run->body : "", run->n_body, cut, why) == 0)
		return false;
	(void)snprintf(text, sizeof(text), "status %ld: %s", status, why);
	run_finish(run, TEND_REASON_CONTENT_UNEXPECTED, text);
	return true;
}

static void judge(struct run *run)
{
	long status = run_status(run);
	bool is_well = expect_status(run->conf->expect, status);
	char text[128];

	/* Revoked before its time, or the server has forgotten: one new one is worth a try. */
	if (status == 401 && run->conf->auth == HTTP_AUTH_OAUTH2 && !run->token_is_new) {
		oauth_begin(run);
		return;
	}
	if (judge_fault(run, status, is_well) || judge_status(run, status, is_well) ||
		judge_version(run) || judge_body(run, status) || judge_quota(run))
		return;
	(void)snprintf(text, sizeof(text), "status %ld, %llu bytes in %.3f s", status,
		(unsigned long long)run->n_read, since_start(run));
	run_finish(run, TEND_REASON_OK, text);
}

static void answered(struct run *run)
{
	(void)curl_easy_getinfo(run->easy, CURLINFO_RETRY_AFTER, &run->retry_after);
	switch (run->ask.stage) {
	case ASK_TOKEN:
		run->token_usec += tend_now() - run->ask_started;
		oauth_answer(run);
		break;
	case ASK_FORM:
		run->login_usec += tend_now() - run->ask_started;
		login_page(run);
		break;
	case ASK_LOGIN:
		run->login_usec += tend_now() - run->ask_started;
		login_answer(run);
		break;
	case ASK_URL:
		judge(run);
		break;
	}
}

/* ---- the request
 * ------------------------------------------------------------------------------------ */

static int start_hop(struct run *run);

static void forget_answer(struct run *run)
{
	if (run->body && run->ask.stage == ASK_TOKEN)
		explicit_bzero(run->body, run->n_body);
	run->n_body = 0;
	run->n_read = 0;
	run->quota = (struct quota){0};
}

/* True if another hop was started, or the attempt has ended. Not libcurl's own following: that
 * would resolve the new host by itself. */
static bool follow(struct run *run)
{
	struct ask *ask = &run->ask;
	long status = run_status(run);
	char *location = NULL, *copy;

	if (ask->n_redirects >= ask->max_redirects || status < 301 || status > 308)
		return false;
	(void)curl_easy_getinfo(run->easy, CURLINFO_REDIRECT_URL, &location);
	if (!location || status == 304 || !(copy = strdup(location)))
		return false;
	ask->n_redirects++;
	ask->foreign = ask->foreign || !http_same_origin(run->conf->url, copy);
	/* As browsers do: 303 always, 301 and 302 for POST. */
	if (status == 303 || (status <= 302 && strcmp(ask->method, "POST") == 0))
		ask->get = true;
	free(ask->url);
	ask->url = copy;
	forget_answer(run);
	if (ask->foreign && !ask->get && run_body(run))
		run_finish(run, TEND_REASON_PROTOCOL,
			"the redirect would take the body to another server");
	else if (start_hop(run) < 0)
		run_finish(run, TEND_REASON_PROTOCOL, "the redirect leads to no http or https URL");
	return true;
}

static void on_transferred(struct tend_attempt *a, void *easy, int result, void *data)
{
	struct run *run = data;
	char text[128];

	if (result == CURLE_OK) {
		if (!follow(run))
			answered(run);
	} else if (result == CURLE_OPERATION_TIMEDOUT) {
		run_finish_timeout(run);
	} else if (result == CURLE_WRITE_ERROR && run->n_read > (READ_MAX_MIB << 20)) {
		(void)snprintf(text, sizeof(text), "the body does not end: more than %d MiB came",
			READ_MAX_MIB);
		run_finish(run, TEND_REASON_CONTENT_UNEXPECTED, text);
	} else if (result < 0) {
		(void)snprintf(text, sizeof(text), "cannot start: %s", strerror(-result));
		run_finish(run, TEND_REASON_INTERNAL, text);
	} else {
		run_finish_failed(run, result);
	}
}

static void on_resolved(
	struct tend_attempt *a, int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct run *run = data;
	char text[400];

	run->dns_usec += tend_now() - run->hop_started;
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "%.300s: %s", connects_to(run),
			r == -ENOENT ? "there is no such name" : strerror(-r));
		run_finish(run, TEND_REASON_DNS_FAILED, text);
		return;
	}
	run->progress.resolved = true;
	run->n_addresses = n;
	(void)inet_ntop(addresses->sa.sa_family,
		addresses->sa.sa_family == AF_INET6 ? (const void *)&addresses->in6.sin6_addr
						    : (const void *)&addresses->in.sin_addr,
		run->address, sizeof(run->address));
	request_prepare(run);
	/* Finds the name in the cache. */
	r = (run->conf->proxy ? tend_transfer_start_proxied : tend_transfer_start)(
		a, run->easy, connects_to(run), on_transferred, run);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "cannot start the transfer: %s", strerror(-r));
		run_finish(run, TEND_REASON_INTERNAL, text);
	}
}

/* Resolves by itself first, to know how long that takes. */
static int start_hop(struct run *run)
{
	const struct http_conf *c = run->conf;
	char *host = NULL;
	int r = run->ask.url ? http_url_host(run->ask.url, &host) : 0;

	if (r < 0)
		return r;
	run->hop_started = tend_now();
	run->progress = (struct http_progress){0};
	run->fd = -1;
	r = tend_resolve(run->attempt,
		c->proxy ? c->proxy_host
		: host	 ? host
			 : c->host,
		on_resolved, run);
	free(host);
	return r;
}

void run_ask(struct run *run, const struct ask *ask)
{
	struct ask next = *ask;

	forget_answer(run);
	ask_clear(&run->ask);
	run->ask = next;
	/* The token's is elsewhere, and gets the client's own secret only. */
	run->ask.foreign =
		next.url && next.stage != ASK_TOKEN && !http_same_origin(run->conf->url, next.url);
	run->ask_started = tend_now();
	if (start_hop(run) < 0)
		run_finish(run, TEND_REASON_INTERNAL, "cannot look up the host");
}

void run_go_on(struct run *run)
{
	const struct http_conf *c = run->conf;
	struct ask ask = {.stage = ASK_URL,
		.method = http_methods[c->method],
		.max_redirects = c->follow_redirects};

	if (c->login.url && run->ask.stage < ASK_FORM)
		login_begin(run);
	else
		run_ask(run, &ask);
}

/* ---- the attempt
 * ------------------------------------------------------------------------------------ */

static int begin(struct run *run)
{
	const struct http_conf *c = run->conf;
	usec_t now = tend_now(), quiet_until = c->session->quiet_until;
	char text[160];

	if (now < quiet_until) {
		(void)snprintf(text, sizeof(text),
			"the server asked not to be asked for another %" PRIu64 " s, so it was not",
			(quiet_until - now) / USEC_PER_SEC + 1);
		run->ask.stage = ASK_URL;
		run_finish(run, TEND_REASON_QUOTA, text);
	} else if (oauth_needs_token(run)) {
		oauth_begin(run);
	} else {
		run_go_on(run);
	}
	return 0;
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
	run->fd = -1;
	run->easy = request_handle(conf);
	tend_attempt_set_data(a, run);
	if (!run->easy)
		return -ENOMEM;
	/* A little before the core's deadline, which knows nothing of phases. */
	margin = margin < END_MARGIN_USEC ? margin : END_MARGIN_USEC;
	r = tend_timer_new(a, deadline - margin, on_late, run, &late);
	return r < 0 ? r : begin(run);
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
	.metric_docs = http_metric_docs,
	.reason_docs = http_reason_docs,
	.example = "url = https://crm.example/home\n"
		   "login.url = https://crm.example/login\n"
		   "login.field.username = probe\n"
		   "login.secret.password = file:/etc/tend/secrets/crm-probe\n"
		   "expect_body = Welcome, probe\n"
		   "warning.total_seconds = 2\n"
		   "critical.certificate_days = 14:\n",
};
TEND_PROBE(http, &http_probe);
