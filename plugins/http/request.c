/* SPDX-License-Identifier: MIT */
/* What libcurl is told of a request, and what it hands back: body, headers, the way to TLS. */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/tls.h"
#include "run.h"

enum {
	POOL_MAX = 64,
	READ_MAX_BYTES = 16 << 20, /* of a body; what is more does not end */
	/* Each transfer has such a buffer from its start on; libcurl's own is 16 KiB, and most
	   answers have less than one. */
	BUFFER_BYTES = 4 << 10,
};
/* A session that is resumed shows no certificate: it is looked at this often. */
#define TLS_FULL_USEC (3600 * USEC_PER_SEC)

/* Handles that nobody has needed for so long go. */
#define POOL_USEC (10 * USEC_PER_SEC)

static struct {
	CURL *handles[POOL_MAX];
	size_t n, n_unused; /* the fewest that there were since */
	usec_t since;
} pool;

/* What a reset leaves in a handle: cookies of a log-in, and sessions of TLS. libcurl 7.88 loses the
 * latter's memory when a used handle is told to share. */
static bool is_used_once(const struct http_conf *c)
{
	return c->login.url || c->tls_resume;
}

CURL *request_handle(const struct http_conf *c)
{
	if (is_used_once(c))
		return curl_easy_init();
	if (pool.n == 0)
		return curl_easy_init();
	pool.n--;
	pool.n_unused = pool.n_unused < pool.n ? pool.n_unused : pool.n;
	return pool.handles[pool.n];
}

static void pool_put(CURL *easy)
{
	usec_t now = tend_now();

	curl_easy_reset(easy); /* else it would hold on to the check's options */
	pool.handles[pool.n++] = easy;
	if (now < pool.since + POOL_USEC)
		return;
	for (; pool.n_unused > 0; pool.n_unused--)
		curl_easy_cleanup(pool.handles[--pool.n]);
	pool.since = now;
	pool.n_unused = pool.n;
}

void request_release(struct run *run)
{
	CURL *easy = run->easy;

	run->easy = NULL;
	if (!easy)
		return;
	tend_transfer_abort(run->attempt, easy);
	if (pool.n == POOL_MAX || is_used_once(run->conf))
		curl_easy_cleanup(easy);
	else
		pool_put(easy);
}

/* ---- what comes back ---------------------------------------------------------------------- */

/* Called by libcurl. Keeps what may be judged, counts the rest. */
static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct run *run = user;
	size_t room = run->conf->max_body_bytes - run->n_body, keep;

	n *= size;
	run->n_read += n;
	if (run->n_read > READ_MAX_BYTES)
		return 0; /* CURLE_WRITE_ERROR */
	keep = n < room ? n : room;
	if (keep > run->body_cap - run->n_body) {
		size_t cap = (run->n_body + keep) * 2;
		char *body = realloc(run->body, cap);
		if (!body)
			return 0;
		run->body = body;
		run->body_cap = cap;
	}
	if (keep > 0)
		memcpy(run->body + run->n_body, data, keep);
	run->n_body += keep;
	return n;
}

static void look_at_tls(struct run *run)
{
	const struct curl_tlssessioninfo *info = NULL;

	run->tls_seen = curl_easy_getinfo(run->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK &&
			info && info->backend == CURLSSLBACKEND_OPENSSL && info->internals;
	run->tls_resumed = run->tls_seen && SSL_session_reused(info->internals) == 1;
}

/* The value of a line "NAME: VALUE"; false: another. */
static bool header_is(
	const char *name, const char *line, size_t len, const char **ret_value, size_t *ret_len)
{
	size_t n = name ? strlen(name) : 0;

	if (n == 0 || len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return false;
	line += n + 1;
	len -= n + 1;
	for (; len > 0 && (*line == ' ' || *line == '\t'); line++)
		len--;
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		len--;
	*ret_value = line;
	*ret_len = len;
	return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
	struct run *run = user;
	const struct http_quota_names *names = &run->conf->quota;
	const char *value;
	size_t len;

	n *= size;
	/* The headers of an answer before (100, of a proxy) do not count. */
	if (n > 5 && strncmp(line, "HTTP/", 5) == 0) {
		run->quota = (struct quota){0};
		look_at_tls(run);
	}
	if (header_is(names->used, line, n, &value, &len))
		quota_read_used(&run->quota, value, len);
	if (header_is(names->max, line, n, &value, &len))
		quota_read_max(&run->quota, value, len);
	if (header_is(names->left, line, n, &value, &len))
		quota_read_left(&run->quota, value, len);
	return n;
}

/* A call for each line of each answer is not for nothing. */
static bool wants_headers(const struct http_conf *c)
{
	return c->tls_resume || c->quota.used || c->quota.max || c->quota.left;
}

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
	struct run *run = user;

	run->fd = fd;
	return CURL_SOCKOPT_OK;
}

/* ---- what is asked ------------------------------------------------------------------------ */

static void set_body(const struct run *run, const char *body)
{
	(void)curl_easy_setopt(run->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	(void)curl_easy_setopt(run->easy, CURLOPT_POSTFIELDS, body);
}

const char *run_body(const struct run *run)
{
	const struct http_conf *c = run->conf;

	if (run->ask.body || run->ask.stage != ASK_URL)
		return run->ask.body;
	return c->body ? c->body : c->body_secret;
}

static void set_method(const struct run *run)
{
	const char *method = run->ask.get ? "GET" : run->ask.method;
	const char *body = run_body(run);

	if (strcmp(method, "HEAD") == 0) {
		(void)curl_easy_setopt(run->easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (!run->ask.get && (body || strcmp(method, "POST") == 0)) {
		(void)curl_easy_setopt(run->easy, CURLOPT_POST, 1L);
		set_body(run, body ? body : "");
	}
	(void)curl_easy_setopt(run->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_basic(CURL *easy, const char *user, const char *password)
{
	(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	(void)curl_easy_setopt(easy, CURLOPT_USERNAME, user);
	(void)curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
}

static void set_token(CURL *easy, const char *token)
{
	(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
	(void)curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, token);
}

/* Only what belongs to this origin goes to it. */
static void set_credentials(struct run *run)
{
	const struct http_conf *c = run->conf;

	if (run->ask.foreign)
		return;
	if (run->ask.stage == ASK_TOKEN) {
		if (c->oauth.client_auth == HTTP_CLIENT_BASIC)
			set_basic(run->easy, c->oauth.id, c->oauth.secret);
		return;
	}
	(void)curl_easy_setopt(run->easy, CURLOPT_HTTPHEADER,
		run->ask.stage == ASK_URL ? c->header_list : c->login_header_list);
	if (c->auth == HTTP_AUTH_BASIC)
		set_basic(run->easy, c->user, c->password);
	else if (c->auth == HTTP_AUTH_BEARER)
		set_token(run->easy, c->token);
	else if (c->auth == HTTP_AUTH_OAUTH2 && c->session->token)
		set_token(run->easy, c->session->token);
}

static void set_session(struct run *run)
{
	struct http_session *session = run->conf->session;
	usec_t now = tend_now();

	if (!run->conf->tls_resume)
		return;
	/* Only one attempt of a check runs, and its handle is not in use now. */
	if (session->tls && now - session->tls_since > TLS_FULL_USEC) {
		(void)curl_easy_setopt(run->easy, CURLOPT_SHARE, NULL);
		if (curl_share_cleanup(session->tls) == CURLSHE_OK)
			session->tls = NULL;
	}
	if (!session->tls) {
		session->tls = curl_share_init();
		session->tls_since = now;
		(void)curl_share_setopt(
			session->tls, CURLSHOPT_SHARE, (int)CURL_LOCK_DATA_SSL_SESSION);
	}
	(void)curl_easy_setopt(run->easy, CURLOPT_SHARE, session->tls);
}

static void set_tls(struct run *run)
{
	static const long floors[] = {[TLS_1_0] = CURL_SSLVERSION_TLSv1_0,
		[TLS_1_1] = CURL_SSLVERSION_TLSv1_1,
		[TLS_1_2] = CURL_SSLVERSION_TLSv1_2,
		[TLS_1_3] = CURL_SSLVERSION_TLSv1_3};
	const struct http_conf *c = run->conf;
	CURL *easy = run->easy;

	(void)curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->verify_tls ? 1L : 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->verify_tls ? 2L : 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, floors[c->tls_floor]);
	/* OpenSSL's own level of security forbids the old versions by default. Without kDHE: the
	 * server would choose the prime, and a long one holds the loop for a second. */
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST,
		c->tls_floor < TLS_1_2 ? "DEFAULT:!kDHE@SECLEVEL=0" : "DEFAULT:!kDHE");
	if (c->ca_file)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
	if (c->client_pem && !run->ask.foreign) {
		struct curl_blob pem = {c->client_pem, strlen(c->client_pem), CURL_BLOB_NOCOPY};

		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &pem);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &pem);
	}
	set_session(run);
}

static void set_way(struct run *run)
{
	const struct http_conf *c = run->conf;
	bool tls = strncmp(run_url(run), "https:", 6) == 0;
	long version = c->version == HTTP_VERSION_1_1 ? (long)CURL_HTTP_VERSION_1_1
		       : tls			      ? (long)CURL_HTTP_VERSION_2TLS
						      : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;

	(void)curl_easy_setopt(run->easy, CURLOPT_HTTP_VERSION, version);
	if (c->unix_socket)
		(void)curl_easy_setopt(run->easy, CURLOPT_UNIX_SOCKET_PATH, c->unix_socket);
	if (c->proxy_user)
		(void)curl_easy_setopt(run->easy, CURLOPT_PROXYUSERNAME, c->proxy_user);
	if (c->proxy_password)
		(void)curl_easy_setopt(run->easy, CURLOPT_PROXYPASSWORD, c->proxy_password);
	if (!c->keep) {
		(void)curl_easy_setopt(run->easy, CURLOPT_FRESH_CONNECT, 1L);
		(void)curl_easy_setopt(run->easy, CURLOPT_FORBID_REUSE, 1L);
	}
}

void request_prepare(struct run *run)
{
	CURL *easy = run->easy;

	curl_easy_reset(easy);
	run->error[0] = '\0';
	(void)curl_easy_setopt(easy, CURLOPT_URL, run_url(run));
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "tend/" TEND_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->error);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
	if (wants_headers(run->conf)) {
		(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
		(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, run);
	}
	(void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, run);
	if (run->conf->login.url)
		/* Starts the engine. CURLOPT_COOKIEFILE would lose memory with each reset. */
		(void)curl_easy_setopt(easy, CURLOPT_COOKIELIST,
			"Set-Cookie: tend=; Max-Age=0; Domain=tend.invalid");
	if (run->ask.referer)
		(void)curl_easy_setopt(easy, CURLOPT_REFERER, run->ask.referer);
	set_tls(run);
	set_way(run);
	set_method(run);
	set_credentials(run);
}
