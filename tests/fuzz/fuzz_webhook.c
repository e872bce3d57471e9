/* SPDX-License-Identifier: MIT */
/*
 * What a webhook reads from others: what a format made of a notice (m), what it says of an answer
 * (j), what it declares (d), and the answer itself, status and Retry-After in its first line (a).
 * The first byte chooses; of m the second is the scheme of the signature. Parser:
 * daemon/alert/request.c daemon/alert/verdict.c daemon/alert/format_spec.c daemon/alert/sign.c.
 * Parser: daemon/alert/format_spec.c, daemon/alert/request.c, daemon/alert/sign.c,
 * daemon/alert/verdict.c.
 */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include "alert/format.h"
#include "alert/private.h"
#include "alert/request.h"
#include "alert/sign.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BODY_BYTES = 4096 };
#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="

static char name[] = "r", url[] = "https://h.example/p/{token}?k=v", secret[] = SECRET,
	    token[] = "t/o&ken", option[] = "a=b";
static char *options[] = {option, NULL};

static struct conf_receiver receiver(void)
{
	return (struct conf_receiver){.name = name,
		.url = url,
		.secret = secret,
		.token = token,
		.sign = -1,
		.format_options = options};
}

static void check_request(const struct request *request)
{
	static const char head[] = "https://h.example/p/t/o%26ken";
	size_t n = 0;

	/* It goes where the configuration says, whatever the format says. */
	assert(strncasecmp(request->url, head, strlen(head)) == 0);
	assert(strlen(request->url) <= REQUEST_URL_BYTES);
	for (const char *p = request->url; *p; p++)
		assert((unsigned char)*p > ' ' && (unsigned char)*p < 0x7f);
	for (const struct curl_slist *h = request->headers; h; h = h->next, n++) {
		assert(!strpbrk(h->data, "\r\n"));
		assert(strchr(h->data, ':'));
		assert(strncasecmp(h->data, "Host:", 5) != 0);
	}
	assert(n <= REQUEST_MAX_HEADERS + 6);
	assert(strlen(request->body) <= MAX_BODY_BYTES);
}

static void try_made(char scheme, const char *text, size_t len)
{
	auto_json json_t *made = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	const struct conf_receiver conf = receiver();
	const struct request_context context = {.conf = &conf,
		.id = "id",
		.wall = 1700000000 * USEC_PER_SEC,
		.scheme = (enum conf_sign)((unsigned char)scheme % SIGN_MAX),
		.max_bytes = MAX_BODY_BYTES};
	auto(request_free) struct request *request = NULL;
	struct tend_error err = {0};

	if (!made)
		return;
	if (request_of_format(&context, made, &request, &err) == 0) {
		check_request(request);
		return;
	}
	/* The secret is told by nobody but the fuzzer, who found it in memory. */
	assert(err.text[0]);
	assert(!strstr(err.text, SECRET) || memmem(text, len, SECRET, strlen(SECRET)));
}

static void try_said(const char *text, size_t len)
{
	auto_json json_t *said = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	struct judgement j = {.verdict = VERDICT_DELIVERED, .code = 200};

	webhook_judge_more(said, "3", 1700000000 * USEC_PER_SEC, &j);
	assert(j.verdict <= VERDICT_MAX && j.verdict != VERDICT_GONE);
	assert(j.retry_after <= 86400 * USEC_PER_SEC);
	assert(j.retry_after == 0 || j.verdict == VERDICT_RETRY);
	for (const char *p = j.error; *p; p++)
		assert((unsigned char)*p >= ' ');
}

static void try_declared(const char *text, size_t len)
{
	auto_json json_t *doc = json_loadb(text, len, 0, NULL);
	const struct conf_receiver conf = receiver();
	struct format_spec spec = {0};
	struct tend_error err = {0};
	const char *key;

	if (!doc || format_spec_parse(doc, &spec, &err) < 0)
		return;
	assert(spec.sign < SIGN_MAX);
	(void)format_check_receiver(&spec, &conf, &key, &err);
	format_spec_clear(&spec);
}

static void try_answer(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	auto_free char *line = end ? strndup(text, (size_t)(end - text)) : NULL;
	struct str body = STR_INIT(65536);
	struct judgement j;
	char *retry_after;
	long status;

	if (!line)
		return;
	status = strtol(line, &retry_after, 10);
	retry_after += strspn(retry_after, " ");
	webhook_judge(status, retry_after, 1700000000 * USEC_PER_SEC, &j);
	if (!webhook_has_more(&j))
		return;
	(void)str_append(&body, end + 1, len - (size_t)(end + 1 - text));
	json_t *args = webhook_judge_args(j.code,
		str_utf8_valid(retry_after, strlen(retry_after)) ? retry_after : "", &body,
		json_object());
	auto_free char *dumped = json_dumps(args, JSON_COMPACT);
	assert(dumped);
	json_decref(args);
	str_clear(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (size < 2)
		return 0;
	if (text[0] == 'm')
		try_made(text[1], text + 2, size - 2);
	else if (text[0] == 'j')
		try_said(text + 1, size - 1);
	else if (text[0] == 'd')
		try_declared(text + 1, size - 1);
	else if (text[0] == 'a')
		try_answer(text + 1, size - 1);
	return 0;
}
