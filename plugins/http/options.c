/* SPDX-License-Identifier: MIT */
#include "common/tls.h"
#include "http.h"

const char *const http_methods[] = {
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL};
static const char *const auths[] = {"none", "basic", "bearer", "oauth2", NULL};
static const char *const versions[] = {"1.1", "2", NULL};
static const char *const client_auths[] = {"basic", "body", NULL};

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
		"How to log in: basic needs user and password, bearer needs token, oauth2 needs "
		"oauth.url.",
		.names = auths),
	TEND_OPT(STRING, struct http_conf, user, "user", NULL, "User name for auth = basic."),
	TEND_OPT(
		SECRET, struct http_conf, password, "password", NULL, "Password for auth = basic."),
	TEND_OPT(SECRET, struct http_conf, token, "token", NULL, "Token for auth = bearer."),
	TEND_OPT(STRING, struct http_conf, oauth.url, "oauth.url", NULL,
		"Token endpoint of OAuth 2 (client credentials); the token is kept in memory until "
		"shortly before it ends."),
	TEND_OPT(STRING, struct http_conf, oauth.id, "oauth.client_id", NULL, "Client id."),
	TEND_OPT(SECRET, struct http_conf, oauth.secret, "oauth.client_secret", NULL,
		"Client secret."),
	TEND_OPT(STRING, struct http_conf, oauth.scope, "oauth.scope", NULL,
		"Scope to ask for; several are separated by blanks."),
	TEND_OPT(MAP, struct http_conf, oauth.params, "oauth.param", NULL,
		"oauth.param.NAME = VALUE adds a parameter to the request for a token, such as "
		"audience."),
	TEND_OPT(ENUM, struct http_conf, oauth.client_auth, "oauth.client_auth", "basic",
		"How the client shows who it is: in the header (basic) or in the body.",
		.names = client_auths),
	TEND_OPT(STRING, struct http_conf, login.url, "login.url", NULL,
		"Log in by the form of this page before asking: the page is read, its form is "
		"filled in and sent with all hidden fields, cookies are kept for url."),
	TEND_OPT(STRING, struct http_conf, login.form, "login.form", NULL,
		"The id or name of the form; by default the first one with a password."),
	TEND_OPT(MAP, struct http_conf, login.fields, "login.field", NULL,
		"login.field.NAME = VALUE fills in a field, such as the user's name."),
	TEND_OPT(SECRET_MAP, struct http_conf, login.secrets, "login.secret", NULL,
		"login.secret.NAME = VALUE fills in a field that is a secret, such as the "
		"password; "
		"the value is file:PATH or cred:NAME."),
	TEND_OPT(STRING, struct http_conf, login.expect, "login.expect", NULL,
		"A PCRE2 expression that the page after the log-in must match; without it, the "
		"log-in has failed when that page asks for a password again."),
	TEND_OPT(LIST, struct http_conf, expect_status, "expect_status", "200-299",
		"Statuses that are well: codes and ranges, as in 200, 204 or 200-299 or 2xx."),
	TEND_OPT(STRING, struct http_conf, expect_body_text, "expect_body", NULL,
		"A PCRE2 expression that the body must match somewhere."),
	TEND_OPT(MAP, struct http_conf, expect_json, "expect_json", NULL,
		"expect_json.POINTER = VALUE: what stands at a JSON Pointer (RFC 6901) of the "
		"body; "
		"VALUE is a JSON scalar or a plain text, * is anything but null."),
	TEND_OPT(STRING, struct http_conf, error_pointer, "error_pointer", NULL,
		"JSON Pointer to the error code that an API puts into the body, whatever the "
		"status. No such place, null, false, 0 and what is empty are no error."),
	TEND_OPT(LIST, struct http_conf, error_ok, "error_ok", NULL,
		"The codes at error_pointer that are no error, instead of false, 0 and what is "
		"empty."),
	TEND_OPT(LIST, struct http_conf, error_auth, "error_auth", NULL,
		"The codes at error_pointer that mean a refused log-in."),
	TEND_OPT(LIST, struct http_conf, error_quota, "error_quota", NULL,
		"The codes at error_pointer that mean a quota used up."),
	TEND_OPT(STRING, struct http_conf, error_text, "error_text", NULL,
		"JSON Pointer to what the error means, for the text of the result."),
	TEND_OPT(STRING, struct http_conf, quota.used, "quota_used", NULL,
		"Response header with what is used of a quota, alone or as USED/MAX."),
	TEND_OPT(STRING, struct http_conf, quota.max, "quota_max", NULL,
		"Response header with the whole quota."),
	TEND_OPT(STRING, struct http_conf, quota.left, "quota_remaining", NULL,
		"Response header with what is left of a quota."),
	TEND_OPT(INT, struct http_conf, follow_redirects, "follow_redirects", "0",
		"How many redirects to follow; each may lead to another host.", .max = 10),
	TEND_OPT(STRING, struct http_conf, ca_file, "ca_file", NULL,
		"PEM file of the authorities to trust instead of the system's."),
	TEND_OPT(BOOL, struct http_conf, verify_tls, "verify_tls", "yes",
		"Whether the certificate must be trusted, valid and of this host."),
	TEND_OPT(ENUM, struct http_conf, tls_floor, "tls_floor", "1.2",
		"Lowest version of TLS that is accepted.", .names = tls_floor_names),
	TEND_OPT(SECRET, struct http_conf, client_pem, "client_certificate", NULL,
		"PEM text of a certificate and its key, to show to the server."),
	TEND_OPT(BOOL, struct http_conf, tls_resume, "tls_resume", "no",
		"Whether to resume the TLS session of the attempt before, which is cheaper; the "
		"certificate is then seen once an hour only."),
	TEND_OPT(ENUM, struct http_conf, version, "http_version", "1.1",
		"Version of HTTP: 1.1, or 2 and nothing else.", .names = versions),
	TEND_OPT(BOOL, struct http_conf, keep, "keep", "no",
		"Whether to keep the connection for the next attempt instead of making a fresh "
		"one, "
		"which proves more."),
	TEND_OPT(STRING, struct http_conf, proxy, "proxy", NULL,
		"http:// or socks5h:// URL of a proxy to go through; none is taken from the "
		"environment."),
	TEND_OPT(STRING, struct http_conf, proxy_user, "proxy_user", NULL, "User of the proxy."),
	TEND_OPT(SECRET, struct http_conf, proxy_password, "proxy_password", NULL,
		"Password for the proxy."),
	TEND_OPT(BYTES, struct http_conf, max_body_bytes, "max_body_bytes", "64K",
		"How much of the body is kept for expect_body and expect_json; the rest is read "
		"and "
		"counted.",
		.min = 1024, .max = 4 << 20),
	TEND_OPT(INT, struct http_conf, percentiles, "percentiles", "0",
		"Of how many of the last answers to tell total_seconds_p50, _p95 and _p99; 0: not.",
		.max = 1000),
	TEND_OPT(STRING, struct http_conf, unix_socket, "unix_socket", NULL,
		"Connect to this unix socket; the URL's host must then be localhost."),
	TEND_OPTION_END,
};
