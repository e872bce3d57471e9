/* SPDX-License-Identifier: MIT */
#include "http.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const http_methods[] = {
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL};
static const char *const auths[] = {"none", "basic", "bearer", NULL};

const struct tend_option http_options[] = {
	TEND_OPT(STRING, struct http_conf, url, "url", NULL,
		"What to ask for: an http:// or https:// URL, without user and password.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct http_conf, method, "method", "GET", "Request method.",
		.names = http_methods),
	TEND_OPT(MAP, struct http_conf, headers, "header", NULL,
		"header.NAME = VALUE adds a request header; an empty value takes one away. "
		"What identifies somebody belongs into auth or header_secret."),
	TEND_OPT(SECRET_MAP, struct http_conf, secret_headers, "header_secret", NULL,
		"header_secret.NAME = VALUE adds a request header that holds a secret, such as a "
		"key of an API; the value is file:PATH or cred:NAME."),
	TEND_OPT(STRING, struct http_conf, body, "body", NULL, "Request body."),
	TEND_OPT(SECRET, struct http_conf, body_secret, "body_secret", NULL,
		"Request body that holds a secret, such as the password of a log-in; instead of "
		"body."),
	TEND_OPT(ENUM, struct http_conf, auth, "auth", "none",
		"How to log in: basic needs user and password, bearer needs token.",
		.names = auths),
	TEND_OPT(STRING, struct http_conf, user, "user", NULL, "User name for auth = basic."),
	TEND_OPT(
		SECRET, struct http_conf, password, "password", NULL, "Password for auth = basic."),
	TEND_OPT(SECRET, struct http_conf, token, "token", NULL, "Token for auth = bearer."),
	TEND_OPT(LIST, struct http_conf, expect_status, "expect_status", "200-299",
		"Statuses that are well: codes and ranges, as in 200, 204 or 200-299 or 2xx."),
	TEND_OPT(STRING, struct http_conf, expect_body_text, "expect_body", NULL,
		"A PCRE2 expression that the body must match somewhere."),
	TEND_OPT(MAP, struct http_conf, expect_json, "expect_json", NULL,
		"expect_json.POINTER = VALUE: what stands at a JSON Pointer (RFC 6901) of the "
		"body; "
		"VALUE is a JSON scalar or a plain text, * is anything but null."),
	TEND_OPT(INT, struct http_conf, follow_redirects, "follow_redirects", "0",
		"How many redirects to follow; each may lead to another host.", .max = 10),
	TEND_OPT(STRING, struct http_conf, ca_file, "ca_file", NULL,
		"PEM file of the authorities to trust instead of the system's."),
	TEND_OPT(BOOL, struct http_conf, verify_tls, "verify_tls", "yes",
		"Whether the certificate must be trusted, valid and of this host."),
	TEND_OPT(BOOL, struct http_conf, keep, "keep", "no",
		"Whether to keep the connection for the next attempt instead of making a fresh "
		"one, "
		"which proves more."),
	TEND_OPT(BYTES, struct http_conf, max_body_bytes, "max_body_bytes", "64K",
		"How much of the body is kept for expect_body and expect_json; the rest is read "
		"and "
		"counted.",
		.min = 1024, .max = 4 << 20),
	TEND_OPT(STRING, struct http_conf, unix_socket, "unix_socket", NULL,
		"Connect to this unix socket; the URL's host must then be localhost."),
	TEND_OPTION_END,
};

/* ---- URL
 * ------------------------------------------------------------------------------------------- */

static char *url_part(CURLU *u, CURLUPart part)
{
	char *text = NULL, *copy;

	if (curl_url_get(u, part, &text, 0) != CURLUE_OK)
		return NULL;
	copy = strdup(text);
	curl_free(text);
	return copy;
}

int http_url_host(const char *url, char **ret_host)
{
	CURLU *u = curl_url();
	int r = -EINVAL;

	if (!u)
		return -ENOMEM;
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK) {
		char *scheme = url_part(u, CURLUPART_SCHEME);
		char *host = url_part(u, CURLUPART_HOST);

		if (scheme && host && host[0] &&
			(strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)) {
			*ret_host = host;
			host = NULL;
			r = 0;
		}
		free(scheme);
		free(host);
	}
	curl_url_cleanup(u);
	return r;
}

static int check_url(struct http_conf *c, struct tend_error *err)
{
	int r = http_url_host(c->url, &c->host);

	if (r == -ENOMEM)
		return tend_error_set(err, r, "no memory");
	if (r < 0)
		return tend_error_set(err, r,
			"url '%s' is no http:// or https:// URL with a host; user and password are "
			"options of their own",
			c->url);
	if (c->body && c->body_secret)
		return tend_error_set(err, -EINVAL, "body and body_secret exclude each other");
	if (c->unix_socket && strcmp(c->host, "localhost") != 0)
		return tend_error_set(err, -EINVAL,
			"with unix_socket the url's host is localhost, not '%s'; set header.Host "
			"to "
			"ask for another",
			c->host);
	return 0;
}

/* ---- the rest
 * ---------------------------------------------------------------------------------------- */

static bool is_token(const char *text, size_t n)
{
	static const char more[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 section 5.6.2 */

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		bool alnum =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && !strchr(more, c))
			return false;
	}
	return n > 0;
}

static int add_header(struct http_conf *c, const char *line)
{
	struct curl_slist *list = curl_slist_append(c->header_list, line);

	if (!list)
		return -ENOMEM;
	c->header_list = list;
	return 0;
}

/* Names whose values would be shown to everybody who may see the configuration. */
static bool is_credential(const char *entry, size_t n)
{
	static const char *const names[] = {"authorization", "proxy-authorization", "cookie"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == n && strncasecmp(names[i], entry, n) == 0)
			return true;
	return false;
}

static int check_plain_header(const char *entry, struct tend_error *err)
{
	size_t n = strcspn(entry, "=");

	if (!is_credential(entry, n) || !entry[n] || !entry[n + 1])
		return 0;
	return tend_error_set(err, -EINVAL,
		"header.%.*s: a secret does not stand here; use auth = basic or bearer, or "
		"header_secret.%.*s",
		(int)n, entry, (int)n, entry);
}

static int prepare_header(struct http_conf *c, const char *entry, struct tend_error *err)
{
	size_t n = strcspn(entry, "=");
	const char *value = entry[n] ? entry + n + 1 : "";

	if (!is_token(entry, n))
		return tend_error_set(
			err, -EINVAL, "header.%.*s: no name of a header", (int)n, entry);
	if (strpbrk(value, "\r\n"))
		return tend_error_set(err, -EINVAL, "header.%.*s: the value has more than one line",
			(int)n, entry);
	char *line = NULL;
	if (asprintf(&line, "%.*s:%s%s", (int)n, entry, value[0] ? " " : "", value) < 0)
		return tend_error_set(err, -ENOMEM, "no memory");
	int r = add_header(c, line);
	explicit_bzero(line, strlen(line));
	free(line);
	return r < 0 ? tend_error_set(err, r, "no memory") : 0;
}

static int check_headers(struct http_conf *c, struct tend_error *err)
{
	int r = add_header(c, "Expect:"); /* no wait for 100 Continue */

	if (r < 0)
		return tend_error_set(err, r, "no memory");
	for (char **entry = c->headers; entry && *entry; entry++) {
		r = check_plain_header(*entry, err);
		if (r == 0)
			r = prepare_header(c, *entry, err);
		if (r < 0)
			return r;
	}
	for (char **entry = c->secret_headers; entry && *entry; entry++) {
		r = prepare_header(c, *entry, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_auth(const struct http_conf *c, struct tend_error *err)
{
	if (c->auth == HTTP_AUTH_BASIC && (!c->user || !c->password))
		return tend_error_set(err, -EINVAL, "auth = basic needs user and password");
	if (c->auth == HTTP_AUTH_BEARER && !c->token)
		return tend_error_set(err, -EINVAL, "auth = bearer needs token");
	if (c->auth != HTTP_AUTH_BASIC && (c->user || c->password))
		return tend_error_set(err, -EINVAL, "user and password need auth = basic");
	if (c->auth != HTTP_AUTH_BEARER && c->token)
		return tend_error_set(err, -EINVAL, "token needs auth = bearer");
	return 0;
}

int http_conf_check(void *conf, struct tend_error *err)
{
	struct http_conf *c = conf;
	struct expect_spec spec = {
		.status = c->expect_status, .body = c->expect_body_text, .json = c->expect_json};
	int r = check_url(c, err);

	if (r == 0)
		r = check_auth(c, err);
	if (r == 0)
		r = check_headers(c, err);
	if (r == 0)
		r = expect_new(&spec, err, &c->expect);
	if (r == 0 && strcmp(http_methods[c->method], "HEAD") == 0 && expect_wants_body(c->expect))
		r = tend_error_set(
			err, -EINVAL, "method = HEAD has no body to expect anything of; use GET");
	return r;
}

void http_conf_clear(void *conf)
{
	struct http_conf *c = conf;

	c->expect = expect_free(c->expect);
	for (struct curl_slist *h = c->header_list; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(c->header_list);
	c->header_list = NULL;
	free(c->host);
	c->host = NULL;
}
