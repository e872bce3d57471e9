/* SPDX-License-Identifier: MIT */
/*
 * http/http.h: the configuration of an http check, what of it lasts from attempt to attempt, and
 * how the end of a transfer reads. The options are the parser's to free, what check() prepared is
 * freed by http_conf_clear(). Nothing here blocks.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <curl/curl.h>
#include <tend/plugin.h>
#include "common/pattern.h"
#include "expect.h"
#include "fault.h"

enum http_auth { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER, HTTP_AUTH_OAUTH2 };
enum http_version { HTTP_VERSION_1_1, HTTP_VERSION_2 };
enum http_client_auth { HTTP_CLIENT_BASIC, HTTP_CLIENT_BODY };

struct http_login {
	char *url, *form, *expect;
	char **fields;	/* "name=value" */
	char **secrets; /* the same */
};
struct http_oauth {
	char *url, *id, *secret, *scope;
	char **params; /* "name=value" */
	int client_auth;
};
struct http_quota_names {
	char *used, *max, *left;
};

/* Of a check, in memory only: nothing of this may reach the store. */
struct http_session {
	CURLSH *tls; /* holds sessions of TLS; NULL */
	usec_t tls_since;
	char *token;
	usec_t token_until;
	usec_t quiet_until; /* the server asked not to be asked before */
};

struct http_conf {
	char *url, *body, *body_secret, *user, *password, *token, *expect_body_text, *ca_file,
		*unix_socket, *proxy, *proxy_user, *proxy_password, *client_pem;
	int method, auth, version, tls_floor;
	char **headers;	       /* "Name=value" */
	char **secret_headers; /* the same */
	char **expect_status;  /* codes and ranges */
	char **expect_json;    /* "/pointer=value" */
	char *error_pointer, *error_text;
	char **error_ok, **error_auth, **error_quota;
	int64_t follow_redirects, percentiles;
	uint64_t max_body_bytes;
	bool verify_tls, keep, tls_resume;
	struct http_login login;
	struct http_oauth oauth;
	struct http_quota_names quota;
	/* prepared by check() */
	struct expect *expect;
	struct fault_spec fault;
	struct pattern *login_expect;
	struct curl_slist *header_list;
	struct curl_slist *login_header_list; /* without what says what the body is */
	char *host, *proxy_host;
	struct http_session *session;
};

extern const struct tend_option http_options[];
extern const char *const http_methods[];
int http_conf_check(void *conf, struct tend_error *err);
void http_conf_clear(void *conf);
/* The host of an http or https URL as a name or [literal]; the caller frees. -EINVAL */
int http_url_host(const char *url, char **ret_host);
bool http_same_origin(const char *a, const char *b);

/* How far a transfer came, for the reason of its failure. */
struct http_progress {
	bool resolved, connected, tls, tls_done, sent;
	long verify_result; /* of OpenSSL: X509_V_... */
	long os_errno;
	long proxy_status; /* of CONNECT; 0 = none */
	long socks_error;  /* CURLPX_... */
	const char *words; /* of libcurl and OpenSSL; NULL */
};
enum tend_reason http_reason(int curl_code, const struct http_progress *progress);
/* What to call a failure that libcurl has no words for: the phase it was in. */
const char *http_phase_text(const struct http_progress *progress);

#endif
