/* SPDX-License-Identifier: MIT */
/* What a server answers a flow, and what a flow asks for: the first byte chooses. A secret never
 * comes through, what comes through is text.
 * Parser: plugins/flow/answer.c plugins/flow/compose.c plugins/flow/secrets.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "compose.h"

#define SECRET "s3cr\"et &"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char pair[] = "name=" SECRET;
static char *const pairs[] = {pair, NULL};

static void try_body(const struct secrets *s, const char *text, size_t len)
{
	char *body = malloc(len + 1);
	json_t *json;

	memcpy(body, text, len);
	body[len] = '\0';
	json = answer_body(s, body, &len, false);
	if (!json || strstr(json_string_value(json), SECRET))
		abort();
	json_decref(json);
	free(body);
}

static void try_headers(const struct secrets *s, const char *text, size_t len)
{
	json_t *headers = json_object(), *value;
	const char *name;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) + 1 : len;

		answer_header(headers, text, n);
		text += n;
		len -= n;
	}
	answer_headers_redact(headers, s);
	json_object_foreach (headers, name, value)
		if (strncmp(name, "set-cookie", 11) == 0 ||
			strstr(json_string_value(value), SECRET))
			abort();
	json_decref(headers);
}

/* The mark is known here as "MARK". */
static void try_request(const struct secrets *s, const char *text, size_t len)
{
	json_t *args = json_loadb(text, len, 0, NULL);
	struct flow_request q = {0};
	struct tend_error err = {0};

	if (compose(s, args, &q, &err) == 0) {
		if (!q.url || !q.method)
			abort();
		(void)compose_is_url(q.url);
		(void)compose_same_origin(q.url, "http://localhost/");
	}
	for (const struct curl_slist *h = q.headers; h; h = h->next)
		if (strpbrk(h->data, "\r\n"))
			abort();
	secrets_wipe(q.url);
	secrets_wipe(q.body);
	secrets_wipe(q.user);
	secrets_wipe(q.password);
	curl_slist_free_all(q.headers);
	free(q.method);
	json_decref(args);
}

static void try_hidden(struct secrets *s, const char *text, size_t len)
{
	char *value = strndup(text, len), *all = strdup(value);
	size_t n = strlen(value);

	(void)secrets_hide(s, value);
	secrets_redact(s, all, &n);
	/* What repeats itself may give the end of one and the start of the next. */
	if (n > 3 && strlen(value) >= SECRETS_MIN_BYTES && strlen(value) <= SECRETS_HIDDEN_BYTES)
		abort();
	free(all);
	free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secrets s;
	const char *text = (const char *)data + 1;

	if (size < 1 || size > 65536 || secrets_init(&s, pairs) < 0)
		return 0;
	(void)strcpy(s.mark, "MARK");
	switch (data[0] % 4) {
	case 0:
		try_body(&s, text, size - 1);
		break;
	case 1:
		try_headers(&s, text, size - 1);
		break;
	case 2:
		try_request(&s, text, size - 1);
		break;
	default:
		try_hidden(&s, text, size - 1);
	}
	secrets_clear(&s);
	return 0;
}
