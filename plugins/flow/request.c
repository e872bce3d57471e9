/* SPDX-License-Identifier: MIT */
/* flow.http: one request, its redirects, its answer. What it sends may hold secrets and is wiped;
 * what comes back has none. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include "answer.h"
#include "compose.h"
#include "flow.h"

/* ---- what is kept of it --------------------------------------------------------------------- */

static void wipe_list(struct curl_slist *list)
{
	for (struct curl_slist *one = list; one; one = one->next)
		explicit_bzero(one->data, strlen(one->data));
	curl_slist_free_all(list);
}

void request_clear(struct flow_run *run)
{
	struct flow_request *q = &run->request;

	if (run->easy && q->id)
		tend_transfer_abort(run->attempt, run->easy);
	if (run->easy) /* else it would hold on to what is freed here; cookies stay */
		curl_easy_reset(run->easy);
	secrets_wipe(q->url);
	secrets_wipe(q->body);
	secrets_wipe(q->user);
	secrets_wipe(q->password);
	wipe_list(q->headers);
	free(q->method);
	if (q->answer)
		explicit_bzero(q->answer, q->answer_cap);
	free(q->answer);
	json_decref(q->answer_headers);
	*q = (struct flow_request){.fd = -1};
}

static double seconds_of(const struct flow_request *q)
{
	return (double)(tend_now() - q->started) / (double)USEC_PER_SEC;
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct flow_run *run, enum tend_reason reason, const char *format, ...)
{
	char text[FLOW_TEXT_BYTES];
	uint64_t id = run->request.id;
	va_list ap;

	va_start(ap, format);
	flow_vshow(run, text, format, ap);
	va_end(ap);
	request_clear(run);
	flow_answer_failed(run, id, reason, "%s", text);
}

/* The URL, in a text that has room for other things too. */
static const char *shown(const struct flow_run *run, char buf[FLOW_SHOWN_BYTES])
{
	secrets_show(&run->secrets, run->request.url, buf, FLOW_SHOWN_BYTES);
	return buf;
}

/* ---- how it failed -------------------------------------------------------------------------- */

/* While it runs, the kernel knows. */
static bool tcp_connected(const struct flow_request *q)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return q->fd >= 0 && getpeername(q->fd, (struct sockaddr *)&peer, &len) == 0;
}

static bool has_phase(CURL *easy, CURLINFO info)
{
	curl_off_t usec = 0;

	return curl_easy_getinfo(easy, info, &usec) == CURLE_OK && usec > 0;
}

static void read_progress(struct flow_run *run)
{
	struct http_progress *p = &run->request.progress;

	p->tls = strncasecmp(run->request.url, "https:", 6) == 0;
	p->tls_done = has_phase(run->easy, CURLINFO_APPCONNECT_TIME_T);
	p->sent = has_phase(run->easy, CURLINFO_PRETRANSFER_TIME_T);
	p->connected = p->connected || p->sent || has_phase(run->easy, CURLINFO_CONNECT_TIME_T);
	p->resolved = p->connected || run->request.fd >= 0;
	p->words = run->request.error;
	(void)curl_easy_getinfo(run->easy, CURLINFO_SSL_VERIFYRESULT, &p->verify_result);
	(void)curl_easy_getinfo(run->easy, CURLINFO_OS_ERRNO, &p->os_errno);
}

static void fail_transfer(struct flow_run *run, int code)
{
	struct flow_request *q = &run->request;
	const char *what = q->error[0] ? q->error : curl_easy_strerror((CURLcode)code);
	char url[FLOW_SHOWN_BYTES], words[FLOW_SHOWN_BYTES];
	size_t n = strlen(q->error);

	read_progress(run);
	if (n >= CURL_ERROR_SIZE - 1) /* libcurl cuts, too */
		secrets_redact_cut(&run->secrets, q->error, &n);
	q->progress.resolved = true;
	q->progress.connected = code != CURLE_COULDNT_CONNECT;
	if (code == CURLE_COULDNT_CONNECT && q->progress.os_errno)
		what = strerror((int)q->progress.os_errno);
	secrets_show(&run->secrets, what, words, sizeof(words));
	fail(run, http_reason(code, &q->progress), "%s %s: %s", q->method, shown(run, url), words);
}

static void fail_late(struct flow_run *run)
{
	struct flow_request *q = &run->request;
	char url[FLOW_SHOWN_BYTES];

	read_progress(run);
	fail(run, http_reason(CURLE_OPERATION_TIMEDOUT, &q->progress),
		"%s %s: no full answer within %.3f s, still %s", q->method, shown(run, url),
		seconds_of(q), q->n_read ? "reading" : http_phase_text(&q->progress));
}

static void watch_deadline(struct flow_run *run);

static void on_deadline(struct tend_attempt *a, void *data)
{
	struct flow_run *run = data;
	struct flow_request *q = &run->request;

	run->watched = 0;
	if (!q->id)
		return;
	if (tend_now() < q->deadline) {
		watch_deadline(run);
		return;
	}
	q->progress.connected = tcp_connected(q);
	fail_late(run);
}

/* Timers of an attempt end with it only: there is seldom more than one. */
static void watch_deadline(struct flow_run *run)
{
	struct tend_timer *timer;

	if (run->watched && run->watched <= run->request.deadline)
		return;
	if (tend_timer_new(run->attempt, run->request.deadline, on_deadline, run, &timer) == 0)
		run->watched = run->request.deadline;
}

/* ---- what comes back ------------------------------------------------------------------------ */

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct flow_request *q = user;
	size_t room = FLOW_BODY_BYTES - q->n_answer, keep;

	n *= size;
	q->n_read += n;
	if (q->n_read > FLOW_READ_BYTES)
		return 0; /* CURLE_WRITE_ERROR */
	keep = n < room ? n : room;
	if (q->n_answer + keep + 1 > q->answer_cap) {
		size_t cap = (q->n_answer + keep + 1) * 2;
		char *answer = realloc(q->answer, cap);

		if (!answer)
			return 0;
		q->answer = answer;
		q->answer_cap = cap;
	}
	memcpy(q->answer + q->n_answer, data, keep);
	q->n_answer += keep;
	q->answer[q->n_answer] = '\0';
	return n;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
	struct flow_request *q = user;

	n *= size;
	/* Those of an answer before (100, a redirect) do not count. */
	if (n > 5 && strncmp(line, "HTTP/", 5) == 0) {
		json_decref(q->answer_headers);
		q->answer_headers = json_object();
	} else {
		answer_header(q->answer_headers, line, n);
	}
	return n;
}

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
	struct flow_request *q = user;

	q->fd = fd;
	return CURL_SOCKOPT_OK;
}

static void answered(struct flow_run *run)
{
	struct flow_request *q = &run->request;
	json_t *headers = q->answer_headers ? json_incref(q->answer_headers) : json_object();
	size_t len = q->n_answer;
	bool cut = q->n_read > q->n_answer;
	uint64_t id = q->id;
	json_t *answer;
	long status = 0;

	(void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	answer_headers_redact(headers, &run->secrets);
	answer = json_pack("{s:I, s:o, s:o, s:o, s:b, s:f}", "status", (json_int_t)status, "url",
		answer_text(&run->secrets, q->url, strlen(q->url)), "headers", headers, "body",
		answer_body(&run->secrets, q->answer, &len, cut), "truncated", cut, "seconds",
		seconds_of(q));
	request_clear(run);
	flow_answer(run, id, answer);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static int start_hop(struct flow_run *run);

/* What tells of the body goes with it; what tells who asks stays. */
static void become_get(struct flow_request *q)
{
	struct curl_slist **at = &q->headers;

	q->plain_get = true;
	while (*at) {
		struct curl_slist *one = *at;

		if (strncasecmp(one->data, "Content-", 8) != 0) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		one->next = NULL;
		wipe_list(one);
	}
}

/* True: another hop was started, or it has failed. Not libcurl's own following, which would look
 * the new host up by itself. */
static bool follow(struct flow_run *run)
{
	struct flow_request *q = &run->request;
	char *location = NULL, *copy, url[FLOW_SHOWN_BYTES];
	long status = 0;

	(void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(run->easy, CURLINFO_REDIRECT_URL, &location);
	if (!q->follow || !location || status < 301 || status > 308 || status == 304)
		return false;
	if (++q->n_redirects > FLOW_MAX_REDIRECTS) {
		fail(run, TEND_REASON_PROTOCOL, "%s: more than %d redirects", shown(run, url),
			FLOW_MAX_REDIRECTS);
		return true;
	}
	copy = strdup(location);
	if (!copy)
		return false;
	q->foreign = q->foreign || !compose_same_origin(q->url, copy);
	/* As browsers do: 303 always, 301 and 302 for POST. */
	if (status == 303 || (status <= 302 && strcmp(q->method, "POST") == 0))
		become_get(q);
	secrets_wipe(q->url);
	q->url = copy;
	q->n_answer = q->n_read = 0;
	if (q->foreign && q->body && !q->plain_get)
		fail(run, TEND_REASON_PROTOCOL,
			"%s: the redirect would take what was sent to "
			"another server",
			shown(run, url));
	else if (start_hop(run) < 0)
		fail(run, TEND_REASON_PROTOCOL, "%s: the redirect leads to no http or https URL",
			shown(run, url));
	return true;
}

static void on_transferred(struct tend_attempt *a, void *easy, int result, void *data)
{
	struct flow_run *run = data;
	struct flow_request *q = &run->request;
	char url[FLOW_SHOWN_BYTES];

	if (result == CURLE_OK) {
		if (!follow(run))
			answered(run);
	} else if (result == CURLE_OPERATION_TIMEDOUT) {
		fail_late(run);
	} else if (result == CURLE_WRITE_ERROR && q->n_read > FLOW_READ_BYTES) {
		fail(run, TEND_REASON_CONTENT_UNEXPECTED,
			"%s %s: the body does not end: more "
			"than %d MiB came",
			q->method, shown(run, url), FLOW_READ_BYTES >> 20);
	} else if (result < 0) {
		fail(run, TEND_REASON_DNS_FAILED, "%s %s: %s", q->method, shown(run, url),
			result == -ENOENT ? "there is no such name" : strerror(-result));
	} else {
		fail_transfer(run, result);
	}
}

static void set_tls(const struct flow_run *run)
{
	const struct flow_conf *c = run->conf;

	(void)curl_easy_setopt(run->easy, CURLOPT_SSL_VERIFYPEER, c->verify_tls ? 1L : 0L);
	(void)curl_easy_setopt(run->easy, CURLOPT_SSL_VERIFYHOST, c->verify_tls ? 2L : 0L);
	/* The server would choose the prime, and a long one holds the loop for a second. */
	(void)curl_easy_setopt(run->easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT:!kDHE");
	if (c->ca_file)
		(void)curl_easy_setopt(run->easy, CURLOPT_CAINFO, c->ca_file);
}

/* Only the first server gets what was meant for it. */
static void set_content(struct flow_run *run)
{
	const struct flow_request *q = &run->request;
	const char *method = q->plain_get ? "GET" : q->method;
	CURL *easy = run->easy;

	if (strcmp(method, "HEAD") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		if (!q->plain_get && (q->body || strcmp(method, "POST") == 0)) {
			const char *body = q->body ? q->body : "";

			(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
			(void)curl_easy_setopt(
				easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
			(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
		}
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	}
	if (q->foreign)
		return;
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, q->headers);
	if (q->user) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(easy, CURLOPT_USERNAME, q->user);
		(void)curl_easy_setopt(easy, CURLOPT_PASSWORD, q->password ? q->password : "");
	}
}

static int start_hop(struct flow_run *run)
{
	struct flow_request *q = &run->request;
	CURL *easy = run->easy;

	if (!compose_is_url(q->url))
		return -EINVAL;
	if (run->n_requests == FLOW_MAX_REQUESTS)
		return -E2BIG;
	curl_easy_reset(easy);
	q->error[0] = '\0';
	q->fd = -1;
	q->progress = (struct http_progress){0};
	(void)curl_easy_setopt(easy, CURLOPT_URL, q->url);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "tend/" TEND_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, q->error);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, q);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, q);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, q);
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	/* A new user's first request comes by a new connection; the rest keep it. */
	(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, run->n_requests == 0 ? 1L : 0L);
	set_tls(run);
	set_content(run);
	run->n_requests++;
	return tend_transfer_start(run->attempt, easy, q->url, on_transferred, run);
}

void request_start(struct flow_run *run, uint64_t id, const json_t *args)
{
	struct flow_request *q = &run->request;
	double seconds = json_number_value(json_object_get(args, "timeout"));
	struct tend_error err = {0};
	char url[FLOW_SHOWN_BYTES];
	usec_t end = flow_run_deadline(run);
	int r;

	request_clear(run);
	q->id = id;
	q->started = tend_now();
	q->deadline = end;
	if (seconds > 0 && seconds < 3600)
		q->deadline = q->started + (usec_t)(seconds * (double)USEC_PER_SEC);
	/* In the clean-up one that hangs leaves time for the others. */
	if (run->step.cleanup && end > q->started)
		end -= (end - q->started) / 2;
	q->deadline = q->deadline < end ? q->deadline : end;
	r = compose(&run->secrets, args, q, &err);
	if (r < 0) {
		fail(run, TEND_REASON_STEP_FAILED, "%s", err.text[0] ? err.text : strerror(-r));
		return;
	}
	if (q->started >= end) {
		fail(run, TEND_REASON_TOO_SLOW, "%s %s: no time is left for it", q->method,
			shown(run, url));
		return;
	}
	watch_deadline(run);
	r = start_hop(run);
	if (r == -EINVAL)
		fail(run, TEND_REASON_STEP_FAILED,
			"'%s' is no http:// or https:// URL with a host and without a user",
			shown(run, url));
	else if (r == -E2BIG)
		fail(run, TEND_REASON_STEP_FAILED, "more than %d requests", FLOW_MAX_REQUESTS);
	else if (r < 0)
		fail(run, TEND_REASON_INTERNAL, "the request cannot be started: %s", strerror(-r));
}
