/* SPDX-License-Identifier: MIT */
/*
 * flow/flow.h: one attempt of a flow: the script that asks, the one HTTP session that serves it,
 * the steps and their time. Everything runs on tendd's loop; nothing blocks. A run belongs to its
 * attempt and is freed by run_free(), which ends what is under way.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include <stdarg.h>
#include <curl/curl.h>
#include <jansson.h>
#include <tend/plugin.h>
#include "http/http.h"
#include "secrets.h"

enum {
	FLOW_NAME_BYTES = 64,	     /* of a step */
	FLOW_TEXT_BYTES = 512,	     /* of a reason */
	FLOW_SHOWN_BYTES = 201,	     /* of a URL in one */
	FLOW_BODY_BYTES = 384 << 10, /* of an answer, that a flow gets; its JSON fits into a line */
	FLOW_READ_BYTES = 16 << 20,  /* of an answer; what is more does not end */
	FLOW_MAX_STEPS = 128,
	FLOW_MAX_HEADERS = 64,
	FLOW_MAX_REDIRECTS = 10,
	FLOW_MAX_REQUESTS = 1000,
	FLOW_MAX_SLEEPS = 1000, /* the timer of each stays until the attempt ends */
};

struct flow_conf {
	char *file, *ca_file;
	char **params;	/* "NAME=value" */
	char **secrets; /* the same */
	int64_t cleanup_share;
	bool verify_tls;
};
extern const struct tend_option flow_options[];
extern const struct tend_metric_doc flow_metrics[];
extern const struct tend_reason_doc flow_reasons[];

/* The request under way. */
struct flow_request {
	uint64_t id; /* of the script's question; 0: none */
	char *method, *url, *body;
	struct curl_slist *headers;
	char *user, *password;
	unsigned n_redirects;
	bool follow, foreign, plain_get; /* foreign: a redirect led to another origin */
	usec_t started, deadline;
	struct http_progress progress;
	int fd;
	char error[CURL_ERROR_SIZE];
	char *answer;
	size_t n_answer, answer_cap, n_read;
	json_t *answer_headers;
};

struct flow_step {
	char name[FLOW_NAME_BYTES];
	usec_t started; /* 0: no step is under way */
	bool cleanup;
};

struct flow_run {
	struct tend_attempt *attempt;
	const struct flow_conf *conf;
	struct tend_script *script;
	struct secrets secrets;
	CURL *easy; /* one for all requests: it keeps the cookies */
	struct flow_request request;
	uint64_t sleeping; /* the question that is answered when the timer fires; 0: none */
	struct flow_step step;
	unsigned n_steps, n_requests, n_sleeps;
	usec_t watched; /* when the timer of requests fires; 0: it is off */
	bool has_cleanup, failed;
	enum tend_reason failed_reason;
	char failed_text[FLOW_TEXT_BYTES];
};

void flow_run_free(struct flow_run *run);
/* Until when what is under way may take: of steps less what is reserved for the clean-up. */
usec_t flow_run_deadline(const struct flow_run *run);
/* Steals. */
void flow_answer(struct flow_run *run, uint64_t id, json_t *answer);
/* Without secrets, and only then cut. */
__attribute__((format(printf, 3, 0))) void flow_vshow(
	const struct flow_run *run, char buf[FLOW_TEXT_BYTES], const char *format, va_list ap);
/* {"failed": REASON, "message": TEXT}: what the library makes an error of. */
__attribute__((format(printf, 4, 5))) void flow_answer_failed(
	struct flow_run *run, uint64_t id, enum tend_reason reason, const char *format, ...);
/* Frees the run; secrets are taken out of the text. */
void flow_finish(struct flow_run *run, enum tend_reason reason, const char *text);

void flow_on_call(
	struct tend_attempt *a, uint64_t id, const char *call, const json_t *args, void *data);
/* Closes the step under way: its metric. */
void flow_step_close(struct flow_run *run);

/* request.c */
void request_start(struct flow_run *run, uint64_t id, const json_t *args);
void request_clear(struct flow_run *run);

#endif
