/* SPDX-License-Identifier: MIT */
#include "alert/request.h"
#include <string.h>
#include "alert/sign.h"
#include "base/str.h"

enum { PATH_BYTES = 512, POINTER_BYTES = 256, SHOWN = 64 };

struct request *request_free(struct request *request)
{
	if (!request)
		return NULL;
	free(request->url);
	curl_slist_free_all(request->headers);
	free(request->body);
	free(request);
	return NULL;
}

static int add_header(struct request *request, const char *name, const char *value)
{
	auto_free char *line = str_printf("%s: %s", name, value);
	struct curl_slist *list = line ? curl_slist_append(request->headers, line) : NULL;

	if (!list)
		return -ENOMEM;
	request->headers = list;
	return 0;
}

/* ---- the url -------------------------------------------------------------------------------- */

/* A slash in a token stays one: services/T/B/X is one secret. */
static int append_token(struct str *out, const char *token)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/";
	int r = 0;

	for (; *token && r == 0; token++)
		r = strchr(plain, *token) ? str_append(out, token, 1)
					  : str_appendf(out, "%%%02X", (unsigned char)*token);
	return r;
}

char *request_token(const struct conf_receiver *conf)
{
	auto_str struct str out = STR_INIT(REQUEST_URL_BYTES);

	return conf->token && append_token(&out, conf->token) == 0 ? str_take(&out) : NULL;
}

static char *url_with_token(const struct conf_receiver *conf)
{
	static const char place[] = "{token}";
	auto_str struct str out = STR_INIT(REQUEST_URL_BYTES);
	const char *p = conf->url ? conf->url : "", *at;
	int r = 0;

	while (r == 0 && conf->token && (at = strstr(p, place))) {
		r = str_append(&out, p, (size_t)(at - p));
		if (r == 0)
			r = append_token(&out, conf->token);
		p = at + sizeof(place) - 1;
	}
	if (r == 0)
		r = str_append(&out, p, strlen(p));
	return r == 0 ? str_take(&out) : NULL;
}

/* More of the path, as a format gives it: no way up, nothing that ends the path. */
static int check_path(const char *path, struct tend_error *err)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/%";

	if (path[0] != '/' || strlen(path) > PATH_BYTES || strspn(path, plain) != strlen(path) ||
		strstr(path, "//") || strstr(path, "/.") || strstr(path, "%2") ||
		strstr(path, "%0"))
		return tend_error_set(err, -EINVAL,
			"path: '%.*s' is not the end of a path, as in /api/v2/alerts", SHOWN, path);
	return 0;
}

static int append_path(CURLU *url, const char *path)
{
	char *base = NULL;
	auto_free char *whole = NULL;
	size_t len;

	if (curl_url_get(url, CURLUPART_PATH, &base, 0) != CURLUE_OK)
		return -EINVAL;
	len = strlen(base);
	while (len > 0 && base[len - 1] == '/')
		len--;
	whole = str_printf("%.*s%s", (int)len, base, path);
	curl_free(base);
	if (!whole)
		return -ENOMEM;
	return curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK ? 0 : -EINVAL;
}

static int append_query(CURLU *url, const char *name, const char *value)
{
	char *n = curl_easy_escape(NULL, name, 0), *v = curl_easy_escape(NULL, value, 0);
	auto_free char *part = n && v ? str_printf("%s=%s", n, v) : NULL;

	curl_free(n);
	curl_free(v);
	if (!part)
		return -ENOMEM;
	return curl_url_set(url, CURLUPART_QUERY, part, CURLU_APPENDQUERY) == CURLUE_OK ? 0
											: -EINVAL;
}

static int append_all(CURLU *url, const char *path, json_t *query, const struct vec *pairs,
	struct tend_error *err)
{
	json_t *value;
	const char *name;
	size_t n = 0;
	int r = path ? append_path(url, path) : 0;

	json_object_foreach (query, name, value) {
		if (!json_is_string(value) || ++n > REQUEST_MAX_QUERY)
			return tend_error_set(err, -EINVAL,
				"query: '%.*s' is no text, or there are more than %d", SHOWN, name,
				REQUEST_MAX_QUERY);
		if (r == 0)
			r = append_query(url, name, json_string_value(value));
	}
	VEC_FOREACH (pairs, const struct sign_pair *, pair)
		if (r == 0)
			r = append_query(url, pair->name, pair->value);
	return r;
}

static int make_url(const struct conf_receiver *conf, const char *path, json_t *query,
	const struct vec *pairs, char **ret_url, struct tend_error *err)
{
	auto_free char *base = url_with_token(conf);
	char *whole = NULL;
	CURLU *url;
	int r;

	if (!base)
		return tend_error_set(err, -EINVAL, "url: longer than %d bytes", REQUEST_URL_BYTES);
	/* As it was written, when there is nothing to add. */
	if (!path && json_object_size(query) == 0 && pairs->len == 0) {
		*ret_url = TAKE(base);
		return 0;
	}
	url = curl_url();
	if (!url)
		return -ENOMEM;
	r = curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK ? 0 : -EINVAL;
	if (r == 0)
		r = append_all(url, path, query, pairs, err);
	if (r == 0 && curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK)
		r = -EINVAL;
	curl_url_cleanup(url);
	if (r == 0 && strlen(whole) > REQUEST_URL_BYTES)
		r = -EINVAL;
	if (r == 0)
		r = (*ret_url = strdup(whole)) ? 0 : -ENOMEM;
	curl_free(whole);
	if (r == -EINVAL && err && !err->text[0])
		return tend_error_set(err, r, "the url, with what belongs to it, is none");
	return r;
}

/* ---- headers -------------------------------------------------------------------------------- */

static bool is_token(const char *name)
{
	return *name && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789!#$%&'*+-.^_`|~") == strlen(name);
}

/* What frames the message, says where it goes, or is a signature, is not the format's to say. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"host", "content-length", "content-type",
		"transfer-encoding", "connection", "upgrade", "expect", "te", "trailer",
		"authorization", "proxy-authorization", "cookie"};

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return true;
	return strncasecmp(name, "webhook-", 8) == 0;
}

static int check_header(const char *name, const json_t *value, struct tend_error *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!is_token(name) || is_reserved(name))
		return tend_error_set(err, -EINVAL,
			"headers: '%.*s' is no header that a format may set", SHOWN, name);
	if (!text || len == 0 || len > REQUEST_HEADER_BYTES)
		return tend_error_set(err, -EINVAL,
			"headers: the value of '%.*s' is no text of 1 to %d bytes", SHOWN, name,
			REQUEST_HEADER_BYTES);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return tend_error_set(err, -EINVAL,
				"headers: the value of '%.*s' has a control character", SHOWN,
				name);
	return 0;
}

static int add_headers(struct request *request, json_t *headers, struct tend_error *err)
{
	json_t *value;
	const char *name;
	int r = 0;

	if (json_object_size(headers) > REQUEST_MAX_HEADERS)
		return tend_error_set(
			err, -EINVAL, "headers: there are more than %d", REQUEST_MAX_HEADERS);
	json_object_foreach (headers, name, value) {
		r = check_header(name, value, err);
		if (r == 0)
			r = add_header(request, name, json_string_value(value));
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_content_type(struct request *request, const char *type, struct tend_error *err)
{
	size_t len = strlen(type);

	if (len == 0 || len > 128 || !strchr(type, '/'))
		return tend_error_set(err, -EINVAL, "content_type: '%.*s' is none", SHOWN, type);
	for (size_t i = 0; i < len; i++)
		if (type[i] < ' ' || type[i] > '~')
			return tend_error_set(
				err, -EINVAL, "content_type: it has a character that none has");
	return add_header(request, "Content-Type", type);
}

/* ---- the body ------------------------------------------------------------------------------- */

static const char *secret_of(const struct conf_receiver *conf, const char *name)
{
	return strcmp(name, "secret") == 0  ? conf->secret
	       : strcmp(name, "token") == 0 ? conf->token
					    : NULL;
}

/* The next step of a JSON pointer (RFC 6901), ~1 and ~0 resolved. */
static const char *next_step(const char *pointer, char step[POINTER_BYTES])
{
	size_t n = 0;

	for (pointer++; *pointer && *pointer != '/' && n + 1 < POINTER_BYTES; pointer++) {
		if (*pointer == '~' && (pointer[1] == '0' || pointer[1] == '1'))
			step[n++] = *++pointer == '1' ? '/' : '~';
		else
			step[n++] = *pointer;
	}
	step[n] = '\0';
	return pointer;
}

static int index_of(const json_t *list, const char *step, size_t *ret_index)
{
	char *end;
	unsigned long index = strtoul(step, &end, 10);

	if (*step < '0' || *step > '9' || *end || index >= json_array_size(list))
		return -ENOENT;
	*ret_index = index;
	return 0;
}

static int put_value(json_t *body, const char *pointer, const char *value)
{
	char step[POINTER_BYTES];
	size_t index;

	if (pointer[0] != '/' || strlen(pointer) >= POINTER_BYTES)
		return -EINVAL;
	for (;;) {
		pointer = next_step(pointer, step);
		if (!*pointer)
			break;
		if (json_is_array(body))
			body = index_of(body, step, &index) == 0 ? json_array_get(body, index)
								 : NULL;
		else
			body = json_object_get(body, step);
	}
	if (json_is_array(body) && index_of(body, step, &index) == 0)
		return json_array_set_new(body, index, json_string(value));
	if (json_is_object(body))
		return json_object_set_new(body, step, json_string(value));
	return -ENOENT;
}

static int fill_secrets(
	const struct conf_receiver *conf, json_t *body, json_t *secrets, struct tend_error *err)
{
	json_t *value;
	const char *pointer;

	if (json_object_size(secrets) > REQUEST_MAX_SECRETS)
		return tend_error_set(
			err, -EINVAL, "secrets: there are more than %d", REQUEST_MAX_SECRETS);
	json_object_foreach (secrets, pointer, value) {
		const char *name = json_string_value(value);
		const char *secret = name ? secret_of(conf, name) : NULL;

		if (!secret)
			return tend_error_set(err, -EKEYREJECTED,
				"secrets: [receiver %.*s] has no '%.*s', and the format needs it",
				SHOWN, conf->name, SHOWN, name ? name : "?");
		if (put_value(body, pointer, secret) < 0)
			return tend_error_set(err, -EINVAL,
				"secrets: '%.*s' leads nowhere in the body", SHOWN, pointer);
	}
	return 0;
}

static int check_size(const struct request_context *c, const char *body, struct tend_error *err)
{
	size_t max = c->max_bytes ? c->max_bytes : REQUEST_DEFAULT_BYTES, len = strlen(body);

	if (len <= max)
		return 0;
	return tend_error_set(
		err, -EMSGSIZE, "body: it has %zu bytes, and the limit is %zu", len, max);
}

static int make_body(const struct request_context *c, json_t *made, const struct sign_input *sign,
	char **ret_body, struct tend_error *err)
{
	const json_t *given = json_object_get(made, "body");
	const char *text = json_string_value(given);
	auto_json json_t *body = text ? NULL : json_deep_copy(given);
	auto_free char *made_text = NULL;
	int r;

	if (!text && !json_is_object(body) && !json_is_array(body))
		return tend_error_set(err, -EINVAL, "body: it is neither a table nor a text");
	if (text && json_string_length(given) != strlen(text))
		return tend_error_set(err, -EINVAL, "body: it has a zero byte");
	r = fill_secrets(c->conf, body, json_object_get(made, "secrets"), err);
	if (r == 0)
		r = sign_body(sign, body, err);
	if (r < 0)
		return r;
	made_text = text ? strdup(text) : json_dumps(body, JSON_COMPACT);
	if (!made_text)
		return -ENOMEM;
	r = check_size(c, made_text, err);
	if (r == 0)
		*ret_body = TAKE(made_text);
	return r;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Known keys only: a slip of the finger would lose a header without a word. */
static int check_shape(json_t *made, struct tend_error *err)
{
	static const struct {
		const char *name;
		json_type type;
	} fields[] = {{"content_type", JSON_STRING}, {"headers", JSON_OBJECT},
		{"query", JSON_OBJECT}, {"path", JSON_STRING}, {"secrets", JSON_OBJECT}};
	static const char *const names[] = {
		"body", "content_type", "headers", "query", "path", "secrets"};
	json_t *value;
	const char *name, *near;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		value = json_object_get(made, fields[i].name);
		if (value && json_typeof(value) != fields[i].type)
			return tend_error_set(err, -EINVAL, "%s: it must be a %s", fields[i].name,
				fields[i].type == JSON_STRING ? "text" : "table NAME = text");
	}
	json_object_foreach (made, name, value) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			known = known || strcmp(names[i], name) == 0;
		if (known)
			continue;
		near = str_nearest(name, names, ARRAY_SIZE(names));
		return tend_error_set(err, -EINVAL, "unknown key '%.*s'%s%s%s", SHOWN, name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return 0;
}

static struct sign_input sign_input_of(const struct request_context *c)
{
	return (struct sign_input){.scheme = c->scheme,
		.secret = c->conf->secret,
		.secret_old = c->conf->secret_old,
		.id = c->id,
		.wall = c->wall};
}

static int finish(const struct request_context *c, json_t *made, const struct sign_input *sign,
	struct request *request, struct tend_error *err)
{
	auto(sign_output_clear) struct sign_output output = {0};
	int r = sign_request(sign, request->body, &output, err);

	if (r == 0)
		r = make_url(c->conf, json_string_value(json_object_get(made, "path")),
			json_object_get(made, "query"), &output.query, &request->url, err);
	VEC_FOREACH (&output.headers, const struct sign_pair *, pair)
		if (r == 0)
			r = add_header(request, pair->name, pair->value);
	/* No "Expect: 100-continue": it costs a round trip, and some servers never answer it. */
	return r < 0 ? r : add_header(request, "Expect", "");
}

static int explain(int r, struct tend_error *err)
{
	if (r < 0 && err && !err->text[0])
		(void)tend_error_set(err, r, "%s", strerror(-r));
	return r;
}

int request_of_event(const struct request_context *context, const char *body, bool may_be_unsigned,
	struct request **ret_request, struct tend_error *err)
{
	auto(request_free) struct request *request = calloc(1, sizeof(*request));
	struct sign_input sign = sign_input_of(context);
	int r = request ? 0 : -ENOMEM;

	if (may_be_unsigned && sign.secret && !str_startswith(sign.secret, "whsec_"))
		sign.secret = NULL;
	if (r == 0)
		r = (request->body = strdup(body)) ? 0 : -ENOMEM;
	if (r == 0)
		r = add_header(request, "Content-Type", "application/cloudevents+json");
	if (r == 0)
		r = finish(context, NULL, &sign, request, err);
	if (r < 0)
		return explain(r, err);
	*ret_request = TAKE(request);
	return 0;
}

int request_of_format(const struct request_context *context, json_t *made,
	struct request **ret_request, struct tend_error *err)
{
	auto(request_free) struct request *request = calloc(1, sizeof(*request));
	const struct sign_input sign = sign_input_of(context);
	const char *type = json_string_value(json_object_get(made, "content_type"));
	const char *path = json_string_value(json_object_get(made, "path"));
	int r = request ? check_shape(made, err) : -ENOMEM;

	if (r == 0 && path)
		r = check_path(path, err);
	if (r == 0)
		r = make_body(context, made, &sign, &request->body, err);
	if (r == 0 && !type)
		type = json_is_string(json_object_get(made, "body")) ? "text/plain; charset=utf-8"
								     : "application/json";
	if (r == 0)
		r = add_content_type(request, type, err);
	if (r == 0)
		r = add_headers(request, json_object_get(made, "headers"), err);
	if (r == 0)
		r = finish(context, made, &sign, request, err);
	if (r < 0)
		return explain(r, err);
	*ret_request = TAKE(request);
	return 0;
}
