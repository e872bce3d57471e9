/* SPDX-License-Identifier: MIT */
#include "compose.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_DEPTH = 32, METHOD_BYTES = 16 };

/* ---- URLs ----------------------------------------------------------------------------------- */

bool compose_is_url(const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	bool is;

	is = u && curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
	     curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	     (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	curl_url_cleanup(u);
	return is;
}

bool compose_same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *ua = curl_url(), *ub = curl_url();
	bool same = ua && ub && curl_url_set(ua, CURLUPART_URL, a, 0) == CURLUE_OK &&
		    curl_url_set(ub, CURLUPART_URL, b, 0) == CURLUE_OK;

	for (size_t i = 0; same && i < sizeof(parts) / sizeof(*parts); i++) {
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

/* ---- headers -------------------------------------------------------------------------------- */

static bool is_token(const char *text)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *text && strspn(text, token) == strlen(text);
}

static int add_line(struct flow_request *q, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 3;
	char *line = malloc(size);
	struct curl_slist *list;

	if (!line)
		return -ENOMEM;
	/* "Name;" is how libcurl sends one that is empty. */
	(void)snprintf(line, size, *value ? "%s: %s" : "%s;", name, value);
	list = curl_slist_append(q->headers, line);
	secrets_wipe(line);
	if (!list)
		return -ENOMEM;
	q->headers = list;
	return 0;
}

static int add_header(const struct secrets *secrets, const char *name, const json_t *value,
	struct flow_request *q, struct tend_error *err)
{
	const char *text = json_string_value(value);
	char *filled;
	int r;

	if (!is_token(name) || !text || strpbrk(text, "\r\n"))
		return tend_error_set(err, -EINVAL,
			"header '%.64s': a name and a text without line breaks", name);
	r = secrets_fill(secrets, text, SECRET_HEADER, &filled, err);
	if (r < 0)
		return r;
	r = add_line(q, name, filled);
	secrets_wipe(filled);
	return r;
}

static bool has_header(const struct flow_request *q, const char *name)
{
	size_t n = strlen(name);

	for (const struct curl_slist *h = q->headers; h; h = h->next)
		if (strncasecmp(h->data, name, n) == 0 && h->data[n] == ':')
			return true;
	return false;
}

static int add_headers(const struct secrets *secrets, const json_t *headers, struct flow_request *q,
	struct tend_error *err)
{
	json_t *object = (json_t *)(uintptr_t)headers, *value;
	const char *name;
	int r = 0;

	if (json_object_size(object) > FLOW_MAX_HEADERS)
		r = tend_error_set(err, -E2BIG, "more than %d headers", FLOW_MAX_HEADERS);
	json_object_foreach (object, name, value) {
		if (r == 0)
			r = add_header(secrets, name, value, q, err);
	}
	return r;
}

/* ---- bodies --------------------------------------------------------------------------------- */

static void wipe_json(json_t *json)
{
	const char *key;
	json_t *value;
	void *next;
	size_t i;

	if (json_is_string(json))
		explicit_bzero(
			(char *)(uintptr_t)json_string_value(json), json_string_length(json));
	json_array_foreach (json, i, value)
		wipe_json(value);
	json_object_foreach_safe(json, next, key, value) wipe_json(value);
}

/* A copy with the secrets in its texts. */
static int fill_json(const struct secrets *secrets, const json_t *from, unsigned depth,
	json_t **ret_json, struct tend_error *err)
{
	json_t *copy = NULL, *one = NULL, *value;
	const char *key;
	char *text;
	size_t i;
	int r = 0;

	if (depth > MAX_DEPTH)
		return tend_error_set(err, -E2BIG, "json is deeper than %d", MAX_DEPTH);
	if (json_is_string(from)) {
		r = secrets_fill(secrets, json_string_value(from), SECRET_PLAIN, &text, err);
		if (r < 0)
			return r;
		copy = json_string(text);
		secrets_wipe(text);
	} else if (json_is_array(from)) {
		copy = json_array();
		json_array_foreach (from, i, value) {
			r = r < 0 ? r : fill_json(secrets, value, depth + 1, &one, err);
			if (r == 0 && json_array_append_new(copy, one) < 0)
				r = -ENOMEM;
		}
	} else if (json_is_object(from)) {
		copy = json_object();
		json_object_foreach ((json_t *)(uintptr_t)from, key, value) {
			r = r < 0 ? r : fill_json(secrets, value, depth + 1, &one, err);
			if (r == 0 && json_object_set_new(copy, key, one) < 0)
				r = -ENOMEM;
		}
	} else {
		copy = json_incref((json_t *)(uintptr_t)from);
	}
	if (r == 0 && !copy)
		r = -ENOMEM;
	if (r == 0)
		*ret_json = copy;
	else
		json_decref(copy);
	return r;
}

static int json_body(const struct secrets *secrets, const json_t *json, struct flow_request *q,
	struct tend_error *err)
{
	json_t *filled;
	int r = fill_json(secrets, json, 0, &filled, err);

	if (r < 0)
		return r;
	q->body = json_dumps(filled, JSON_COMPACT | JSON_ENCODE_ANY);
	/* What has no secrets is shared with what was asked for: nothing of that is wiped. */
	if (json_is_object(filled) || json_is_array(filled))
		wipe_json(filled);
	json_decref(filled);
	if (!q->body)
		return tend_error_set(err, -EINVAL, "json: it cannot be written");
	return has_header(q, "Content-Type") ? 0 : add_line(q, "Content-Type", "application/json");
}

struct form_text {
	char *text;
	size_t len;
};

static int append_encoded(struct form_text *f, const char *text)
{
	static const char plain[] = "*-._", hex[] = "0123456789ABCDEF";
	char *grown = malloc(f->len + 3 * strlen(text) + 2), *out;

	if (!grown)
		return -ENOMEM;
	if (f->text)
		memcpy(grown, f->text, f->len);
	for (out = grown + f->len; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			strchr(plain, c)) {
			*out++ = *text;
		} else if (c == ' ') {
			*out++ = '+';
		} else {
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	*out = '\0';
	secrets_wipe(f->text);
	f->text = grown;
	f->len = (size_t)(out - grown);
	return 0;
}

static int append_char(struct form_text *f, char c)
{
	char *grown = malloc(f->len + 2);

	if (!grown)
		return -ENOMEM;
	if (f->text)
		memcpy(grown, f->text, f->len);
	grown[f->len++] = c;
	grown[f->len] = '\0';
	secrets_wipe(f->text);
	f->text = grown;
	return 0;
}

static int add_field(const struct secrets *secrets, const char *name, const json_t *value,
	struct form_text *f, struct tend_error *err)
{
	char *filled;
	int r;

	if (!json_is_string(value))
		return tend_error_set(err, -EINVAL, "form field '%.64s' is no text", name);
	r = secrets_fill(secrets, json_string_value(value), SECRET_PLAIN, &filled, err);
	if (r < 0)
		return r;
	r = f->len > 0 ? append_char(f, '&') : 0;
	if (r == 0)
		r = append_encoded(f, name);
	if (r == 0)
		r = append_char(f, '=');
	if (r == 0)
		r = append_encoded(f, filled);
	secrets_wipe(filled);
	return r < 0 || f->len <= SECRETS_TEXT_BYTES
		       ? r
		       : tend_error_set(err, -EMSGSIZE, "the form is too long");
}

static int form_body(const struct secrets *secrets, const json_t *form, struct flow_request *q,
	struct tend_error *err)
{
	json_t *object = (json_t *)(uintptr_t)form, *value;
	struct form_text f = {0};
	const char *name;
	int r = 0;

	json_object_foreach (object, name, value) {
		if (r == 0)
			r = add_field(secrets, name, value, &f, err);
	}
	if (r == 0 && !f.text)
		r = append_encoded(&f, "");
	q->body = f.text;
	if (r < 0 || has_header(q, "Content-Type"))
		return r;
	return add_line(q, "Content-Type", "application/x-www-form-urlencoded");
}

static enum secret_place place_of_body(const struct flow_request *q)
{
	for (const struct curl_slist *h = q->headers; h; h = h->next) {
		if (strncasecmp(h->data, "Content-Type:", 13) != 0)
			continue;
		if (strcasestr(h->data, "json"))
			return SECRET_JSON;
		if (strcasestr(h->data, "x-www-form-urlencoded"))
			return SECRET_PERCENT;
	}
	return SECRET_PLAIN;
}

static int add_body(const struct secrets *secrets, const json_t *args, struct flow_request *q,
	struct tend_error *err)
{
	const json_t *json = json_object_get(args, "json"), *form = json_object_get(args, "form");
	const char *body = json_string_value(json_object_get(args, "body"));

	if ((json != NULL) + (form != NULL) + (body != NULL) > 1)
		return tend_error_set(err, -EINVAL, "one of json, form and body");
	if (json)
		return json_body(secrets, json, q, err);
	if (form)
		return form_body(secrets, form, q, err);
	return body ? secrets_fill(secrets, body, place_of_body(q), &q->body, err) : 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int set_method(const json_t *args, struct flow_request *q, struct tend_error *err)
{
	const char *method = json_string_value(json_object_get(args, "method"));
	size_t n;

	method = method ? method : "GET";
	n = strlen(method);
	if (n == 0 || n > METHOD_BYTES || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return tend_error_set(err, -EINVAL, "'%.32s' is no method", method);
	q->method = strdup(method);
	return q->method ? 0 : -ENOMEM;
}

static int set_user(const struct secrets *secrets, const json_t *args, struct flow_request *q,
	struct tend_error *err)
{
	const char *user = json_string_value(json_object_get(args, "user"));
	const char *password = json_string_value(json_object_get(args, "password"));
	int r = user ? secrets_fill(secrets, user, SECRET_PLAIN, &q->user, err) : 0;

	if (r == 0 && password)
		r = secrets_fill(secrets, password, SECRET_PLAIN, &q->password, err);
	return r;
}

int compose(const struct secrets *secrets, const json_t *args, struct flow_request *q,
	struct tend_error *err)
{
	const char *url = json_string_value(json_object_get(args, "url"));
	int r = set_method(args, q, err);

	if (r == 0 && !url)
		r = tend_error_set(err, -EINVAL, "a request needs a url");
	if (r == 0)
		r = secrets_fill(secrets, url, SECRET_PERCENT, &q->url, err);
	q->follow = !json_is_false(json_object_get(args, "follow"));
	if (r == 0)
		r = set_user(secrets, args, q, err);
	if (r == 0)
		r = add_headers(secrets, json_object_get(args, "headers"), q, err);
	return r < 0 ? r : add_body(secrets, args, q, err);
}
