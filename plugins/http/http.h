/* SPDX-License-Identifier: MIT */
/*
 * http/http.h: the configuration of an http check and how the end of a transfer reads. The options
 * are the parser's to free, what check() prepared is freed by http_conf_clear(). Nothing here
 * blocks.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <curl/curl.h>
#include <tend/plugin.h>
#include "expect.h"

enum http_auth { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER };

struct http_conf {
	char *url, *body, *body_secret, *user, *password, *token, *expect_body_text, *ca_file,
		*unix_socket;
	int method, auth;
	char **headers;	       /* "Name=value" */
	char **secret_headers; /* the same */
	char **expect_status;  /* codes and ranges */
	char **expect_json;    /* "/pointer=value" */
	int64_t follow_redirects;
	uint64_t max_body_bytes;
	bool verify_tls, keep;
	/* prepared by check() */
	struct expect *expect;
	struct curl_slist *header_list;
	char *host;
};

extern const struct tend_option http_options[];
extern const char *const http_methods[];
int http_conf_check(void *conf, struct tend_error *err);
void http_conf_clear(void *conf);
/* The host of an http or https URL as a name or [literal]; the caller frees. -EINVAL */
int http_url_host(const char *url, char **ret_host);

/* How far a transfer came, for the reason of its failure. */
struct http_progress {
	bool resolved, connected, tls, tls_done, sent;
	long verify_result; /* of OpenSSL: X509_V_... */
	long os_errno;
};
enum tend_reason http_reason(int curl_code, const struct http_progress *progress);
/* What to call a failure that libcurl has no words for: the phase it was in. */
const char *http_phase_text(const struct http_progress *progress);

#endif
