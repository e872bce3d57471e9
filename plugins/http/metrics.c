/* SPDX-License-Identifier: MIT */
/* What an attempt measured. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "run.h"
#include "window.h"

static double info_seconds(CURL *easy, CURLINFO info)
{
	curl_off_t usec = 0;

	(void)curl_easy_getinfo(easy, info, &usec);
	return (double)usec / (double)USEC_PER_SEC;
}

static void add(const struct run *run, const char *name, double value, const char *unit)
{
	(void)tend_attempt_metric(run->attempt, name, value, unit);
}

static void add_span(const struct run *run, const char *name, double from, double to)
{
	if (to > from)
		add(run, name, to - from, "s");
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
		add(run, "certificate_days", difftime(expiry, time(NULL)) / 86400, "");
		return;
	}
}

static void add_quota(const struct quota *q, const struct run *run)
{
	if (q->has_used)
		add(run, "quota_used", q->used, "");
	if (q->has_max)
		add(run, "quota_max", q->max, "");
	if (q->has_left)
		add(run, "quota_remaining", q->left, "");
	if (q->has_used && q->has_max && q->max > 0)
		add(run, "quota_used_pct", q->used / q->max * 100, "%");
	if (run->retry_after > 0)
		add(run, "retry_after_seconds", (double)run->retry_after, "s");
}

/* Without memory the past is forgotten, nothing worse. */
static void add_percentiles(const struct run *run, double seconds, bool answered)
{
	size_t max = (size_t)run->conf->percentiles;
	struct window *w = max > 0 ? malloc(sizeof(*w)) : NULL;
	json_t *doc;

	if (!w)
		return;
	window_load(w, tend_attempt_memory(run->attempt), max);
	if (answered) {
		window_add(w, seconds, max);
		doc = window_save(w);
		if (doc)
			(void)tend_attempt_remember(run->attempt, doc);
	}
	window_sort(w);
	if (w->n > 0) {
		add(run, "total_seconds_p50", window_percentile(w, 50), "s");
		add(run, "total_seconds_p95", window_percentile(w, 95), "s");
		add(run, "total_seconds_p99", window_percentile(w, 99), "s");
	}
	free(w);
}

static void add_phases(const struct run *run)
{
	double connect = info_seconds(run->easy, CURLINFO_CONNECT_TIME_T);
	double tls = info_seconds(run->easy, CURLINFO_APPCONNECT_TIME_T);
	double ready = info_seconds(run->easy, CURLINFO_PRETRANSFER_TIME_T);
	double first = info_seconds(run->easy, CURLINFO_STARTTRANSFER_TIME_T);

	add(run, "dns_seconds", (double)run->dns_usec / (double)USEC_PER_SEC, "s");
	add_span(run, "connect_seconds", 0, connect);
	add_span(run, "tls_seconds", connect, tls);
	add_span(run, "first_byte_seconds", ready, first);
	if (run->token_usec)
		add(run, "token_seconds", (double)run->token_usec / (double)USEC_PER_SEC, "s");
	if (run->login_usec)
		add(run, "login_seconds", (double)run->login_usec / (double)USEC_PER_SEC, "s");
}

void metrics_add(struct run *run)
{
	double seconds =
		(double)(tend_now() - tend_attempt_started(run->attempt)) / (double)USEC_PER_SEC;
	long status = run_status(run), n_connects = 0;
	bool answered = status > 0 && run->ask.stage == ASK_URL;

	add(run, "total_seconds", seconds, "s");
	add_phases(run);
	if (status > 0) {
		add(run, "status", (double)status, "");
		add(run, "body_bytes", (double)run->n_read, "B");
	}
	if (run->tls_seen && run->conf->tls_resume)
		add(run, "tls_resumed", run->tls_resumed, "");
	if (answered && run->conf->keep &&
		curl_easy_getinfo(run->easy, CURLINFO_NUM_CONNECTS, &n_connects) == CURLE_OK)
		add(run, "connection_kept", n_connects == 0, "");
	add_certificate(run);
	add_quota(&run->quota, run);
	add_percentiles(run, seconds, answered);
}

size_t http_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"total_seconds", "dns_seconds", "connect_seconds",
		"tls_seconds", "first_byte_seconds", "status", "body_bytes", "certificate_days",
		"quota_used", "quota_max", "quota_remaining", "quota_used_pct",
		"retry_after_seconds"};
	const struct http_conf *c = conf;
	size_t n = sizeof(names) / sizeof(names[0]);

	memcpy(ret_names, names, sizeof(names));
	if (c->auth == HTTP_AUTH_OAUTH2)
		ret_names[n++] = "token_seconds";
	if (c->login.url)
		ret_names[n++] = "login_seconds";
	if (c->tls_resume)
		ret_names[n++] = "tls_resumed";
	if (c->keep)
		ret_names[n++] = "connection_kept";
	if (c->percentiles > 0) {
		ret_names[n++] = "total_seconds_p50";
		ret_names[n++] = "total_seconds_p95";
		ret_names[n++] = "total_seconds_p99";
	}
	return n;
}
