/* SPDX-License-Identifier: MIT */
#include "http.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

bool http_same_origin(const char *a, const char *b)
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

/* As that of url, but of an option that may be left out. */
static int check_other_url(const char *option, const char *url, struct tend_error *err)
{
	char *host = NULL;
	int r = url ? http_url_host(url, &host) : 0;

	free(host);
	return r < 0 ? tend_error_set(err, r,
			       "%s '%s' is no http:// or https:// URL with a host, without user "
			       "and password",
			       option, url)
		     : 0;
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

static int append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static int add_header(struct http_conf *c, const char *line)
{
	int r = append(&c->header_list, line);

	/* The form's is another body. */
	if (r == 0 && c->login.url && strncasecmp(line, "Content-", 8) != 0)
		r = append(&c->login_header_list, line);
	return r;
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
	const struct http_oauth *o = &c->oauth;

	if (c->auth == HTTP_AUTH_BASIC && (!c->user || !c->password))
		return tend_error_set(err, -EINVAL, "auth = basic needs user and password");
	if (c->auth == HTTP_AUTH_BEARER && !c->token)
		return tend_error_set(err, -EINVAL, "auth = bearer needs token");
	if (c->auth != HTTP_AUTH_BASIC && (c->user || c->password))
		return tend_error_set(err, -EINVAL, "user and password need auth = basic");
	if (c->auth != HTTP_AUTH_BEARER && c->token)
		return tend_error_set(err, -EINVAL, "token needs auth = bearer");
	if (c->auth == HTTP_AUTH_OAUTH2 && (!o->url || !o->id || !o->secret))
		return tend_error_set(err, -EINVAL,
			"auth = oauth2 needs oauth.url, oauth.client_id and oauth.client_secret");
	if (c->auth != HTTP_AUTH_OAUTH2 && (o->url || o->id || o->secret || o->scope || o->params))
		return tend_error_set(err, -EINVAL, "oauth.* need auth = oauth2");
	return check_other_url("oauth.url", o->url, err);
}

static int check_login(struct http_conf *c, struct tend_error *err)
{
	const struct http_login *l = &c->login;

	if (!l->url && (l->form || l->fields || l->secrets || l->expect))
		return tend_error_set(err, -EINVAL, "login.* need login.url");
	if (!l->url)
		return 0;
	if (!l->secrets)
		return tend_error_set(err, -EINVAL,
			"login.url needs login.secret.NAME, the field of the password");
	int r = check_other_url("login.url", l->url, err);
	if (r == 0 && !http_same_origin(l->url, c->url))
		r = tend_error_set(err, -EINVAL,
			"login.url and url are not of one scheme, host and port: cookies and "
			"passwords stay where they belong");
	if (r == 0 && l->expect)
		r = pattern_new("login.expect", l->expect, err, &c->login_expect);
	return r;
}

static int check_proxy(struct http_conf *c, struct tend_error *err)
{
	CURLU *u;
	char *scheme = NULL, *host = NULL, *user = NULL;
	bool good;

	if (!c->proxy)
		return c->proxy_user || c->proxy_password
			       ? tend_error_set(
					 err, -EINVAL, "proxy_user and proxy_password need proxy")
			       : 0;
	if (c->unix_socket)
		return tend_error_set(err, -EINVAL, "proxy and unix_socket exclude each other");
	u = curl_url();
	good = u &&
	       curl_url_set(u, CURLUPART_URL, c->proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] &&
	       curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_OK &&
	       (strcmp(scheme, "http") == 0 || strcmp(scheme, "socks5h") == 0);
	c->proxy_host = good ? strdup(host) : NULL;
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(u);
	return c->proxy_host
		       ? 0
		       : tend_error_set(err, -EINVAL,
				 "proxy is no http:// or socks5h:// URL with a host; user and "
				 "password are options of their own");
}

static int prepare_session(struct http_conf *c, struct tend_error *err)
{
	c->session = calloc(1, sizeof(*c->session));
	return c->session ? 0 : tend_error_set(err, -ENOMEM, "no memory");
}

static int check_fault(struct http_conf *c, struct tend_error *err)
{
	c->fault = (struct fault_spec){.pointer = c->error_pointer,
		.text = c->error_text,
		.ok = c->error_ok,
		.auth = c->error_auth,
		.quota = c->error_quota};
	return fault_check(&c->fault, err);
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
		r = check_login(c, err);
	if (r == 0)
		r = check_proxy(c, err);
	if (r == 0)
		r = check_headers(c, err);
	if (r == 0)
		r = check_fault(c, err);
	if (r == 0)
		r = prepare_session(c, err);
	if (r == 0)
		r = expect_new(&spec, err, &c->expect);
	if (r == 0 && strcmp(http_methods[c->method], "HEAD") == 0 &&
		(expect_wants_body(c->expect) || c->error_pointer))
		r = tend_error_set(
			err, -EINVAL, "method = HEAD has no body to expect anything of; use GET");
	return r;
}

static void clear_headers(struct curl_slist **list)
{
	for (struct curl_slist *h = *list; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(*list);
	*list = NULL;
}

static void session_free(struct http_session *session)
{
	if (!session)
		return;
	curl_share_cleanup(session->tls);
	if (session->token)
		explicit_bzero(session->token, strlen(session->token));
	free(session->token);
	free(session);
}

void http_conf_clear(void *conf)
{
	struct http_conf *c = conf;

	c->expect = expect_free(c->expect);
	c->login_expect = pattern_free(c->login_expect);
	clear_headers(&c->header_list);
	clear_headers(&c->login_header_list);
	free(c->host);
	free(c->proxy_host);
	c->host = c->proxy_host = NULL;
	session_free(c->session);
	c->session = NULL;
}
