/* SPDX-License-Identifier: MIT */
/*
 * http/run.h: one attempt of an http check: up to four things asked one after the other (a token, a
 * log-in form, the log-in, the url), each with its redirects. A struct run is the attempt's data,
 * freed by run_free(); its easy handle goes back to a pool. Nothing blocks; run_finish() ends both.
 */
#ifndef HTTP_RUN_H
#define HTTP_RUN_H

#include <netinet/in.h>
#include "http.h"
#include "quota.h"

enum ask_stage { ASK_TOKEN, ASK_FORM, ASK_LOGIN, ASK_URL };

struct ask {
	enum ask_stage stage;
	char *url;	    /* NULL: the check's own */
	const char *method; /* of http_methods */
	char *body;	    /* a form's; wiped */
	char *referer;
	int64_t max_redirects, n_redirects;
	bool foreign; /* a redirect led to another origin: it gets no credentials */
	bool get;     /* a redirect made it a GET */
};

struct run {
	struct tend_attempt *attempt;
	const struct http_conf *conf;
	CURL *easy;
	struct ask ask;
	bool token_is_new;
	usec_t ask_started, token_usec, login_usec;
	char *body;
	size_t n_body, body_cap;
	uint64_t n_read;
	struct quota quota;
	curl_off_t retry_after; /* seconds; 0: the server has not said */
	struct http_progress progress;
	usec_t hop_started, dns_usec;
	bool tls_seen, tls_resumed;
	int fd; /* of the last connection that was begun; valid only while the transfer runs */
	char address[INET6_ADDRSTRLEN]; /* the first the name has */
	size_t n_addresses;
	char error[CURL_ERROR_SIZE];
};

const char *run_url(const struct run *run);
const char *run_body(const struct run *run); /* NULL: none */
long run_status(const struct run *run);
/* Ends the attempt. */
void run_finish(struct run *run, enum tend_reason reason, const char *text);
/* Of a transfer that is over. */
void run_finish_failed(struct run *run, int curl_code);
void run_finish_timeout(struct run *run);
void run_finish_status(struct run *run, long status);
/* Asks for it; takes over what `ask` owns. A failure ends the attempt. */
void run_ask(struct run *run, const struct ask *ask);
/* What comes next: the log-in, or the url. */
void run_go_on(struct run *run);

/* request.c: the easy handle. */
CURL *request_handle(const struct http_conf *c);
void request_release(struct run *run);
void request_prepare(struct run *run);

/* metrics.c */
void metrics_add(struct run *run);
size_t http_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX]);

/* docs.c */
extern const struct tend_metric_doc http_metric_docs[];
extern const struct tend_reason_doc http_reason_docs[];

/* login.c: begin, and what to do with an answer. */
void login_begin(struct run *run);
void login_page(struct run *run);
void login_answer(struct run *run);

/* oauth.c */
bool oauth_needs_token(const struct run *run);
void oauth_begin(struct run *run);
void oauth_answer(struct run *run);
void oauth_forget(struct run *run);

#endif
