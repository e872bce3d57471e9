/* SPDX-License-Identifier: MIT */
/*
 * alert/webhook.c: one try of one notice at a webhook: a CloudEvent, signed as Standard Webhooks.
 * No redirects, no proxy from the environment; of the answer the status and Retry-After count, 64
 * KiB of the body are read at most.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/net.h"

enum { ANSWER_MAX_BYTES = 65536, ANSWER_SHOWN_BYTES = 160 };

struct webhook_try {
	struct delivery *d;
	try_fn done;
	struct net_transfer *transfer;
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	size_t n_answer_bytes;
	bool cut; /* the answer was longer than we read */
	char answer[ANSWER_SHOWN_BYTES];
	char retry_after[64];
	char error[CURL_ERROR_SIZE];
};

/* ---- what an answer means ------------------------------------------------------------------- */

static usec_t parse_retry_after(const char *text, usec_t wall)
{
	char *end;
	unsigned long long seconds;
	time_t at;

	if (!text || !*text)
		return 0;
	seconds = strtoull(text, &end, 10);
	if (*text != '-' && end != text && *end == '\0')
		return MIN(seconds, 86400ull) * USEC_PER_SEC;
	at = curl_getdate(text, NULL);
	if (at < 0 || (usec_t)at * USEC_PER_SEC <= wall)
		return 0;
	return MIN((usec_t)at * USEC_PER_SEC - wall, 86400 * USEC_PER_SEC);
}

void webhook_judge(
	long status, const char *retry_after, usec_t wall, struct judgement *ret_judgement)
{
	static const struct {
		long from, to;
		enum verdict verdict;
		const char *text;
	} rows[] = {
		{200, 299, VERDICT_DELIVERED, ""},
		{300, 399, VERDICT_FAILED, "a redirect, which is not followed"},
		{408, 408, VERDICT_RETRY, "the receiver timed out"},
		{410, 410, VERDICT_GONE, "the receiver is gone"},
		{425, 425, VERDICT_RETRY, "too early"},
		{429, 429, VERDICT_RETRY, "too many notices"},
		{400, 499, VERDICT_FAILED, "the receiver refuses the notice"},
		{500, 599, VERDICT_RETRY, "the receiver failed"},
	};
	struct judgement j = {.verdict = VERDICT_RETRY};
	const char *text = "an answer that is no HTTP status";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (status >= rows[i].from && status <= rows[i].to) {
			j.verdict = rows[i].verdict;
			text = rows[i].text;
			break;
		}
	if (j.verdict == VERDICT_RETRY)
		j.retry_after = parse_retry_after(retry_after, wall);
	if (j.verdict != VERDICT_DELIVERED)
		snprintf(j.error, sizeof(j.error), "HTTP %ld: %s", status, text);
	*ret_judgement = j;
}

static void judge(struct webhook_try *try, int result, struct judgement *ret_judgement)
{
	struct judgement j = {.verdict = VERDICT_RETRY};
	char answer[ANSWER_SHOWN_BYTES];
	long status = 0;

	(void)curl_easy_getinfo(try->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result < 0) {
		snprintf(
			j.error, sizeof(j.error), "cannot look up the host: %s", strerror(-result));
	} else if (result != CURLE_OK && !(try->cut && status)) {
		snprintf(j.error, sizeof(j.error), "%s",
			try->error[0] ? try->error : curl_easy_strerror((CURLcode)result));
	} else {
		webhook_judge(status, try->retry_after, clock_wall(), &j);
		str_sanitize(answer, sizeof(answer), try->answer, strlen(try->answer));
		if (j.verdict != VERDICT_DELIVERED && answer[0]) {
			size_t len = strlen(j.error);
			snprintf(j.error + len, sizeof(j.error) - len, ": %.*s",
				(int)str_cut_utf8(
					answer, strlen(answer), sizeof(j.error) - len - 3),
				answer);
		}
	}
	*ret_judgement = j;
}

/* ---- the transfer --------------------------------------------------------------------------- */

static size_t on_answer(char *data, size_t size, size_t n, void *user)
{
	struct webhook_try *try = user;
	size_t len = size * n, kept = strlen(try->answer);
	size_t room = sizeof(try->answer) - 1 - kept, take = strnlen(data, MIN(len, room));

	memcpy(try->answer + kept, data, take);
	try->n_answer_bytes += len;
	if (try->n_answer_bytes <= ANSWER_MAX_BYTES)
		return len;
	try->cut = true;
	return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	static const char name[] = "retry-after:";
	struct webhook_try *try = user;
	size_t len = size * n, at = sizeof(name) - 1;

	if (len <= at || strncasecmp(data, name, at) != 0)
		return len;
	while (at < len && (data[at] == ' ' || data[at] == '\t'))
		at++;
	size_t end = len;
	while (end > at && (data[end - 1] == '\r' || data[end - 1] == '\n' || data[end - 1] == ' '))
		end--;
	if (end - at < sizeof(try->retry_after)) {
		memcpy(try->retry_after, data + at, end - at);
		try->retry_after[end - at] = '\0';
	}
	return len;
}

static void forget(struct webhook_try *try)
{
	struct vec *tries = &try->d->receiver->tries;

	for (size_t i = 0; i < tries->len; i++)
		if (tries->items[i] == try) {
			vec_remove(tries, i);
			break;
		}
}

static struct webhook_try *try_free(struct webhook_try *try)
{
	if (!try)
		return NULL;
	if (try->easy)
		curl_easy_cleanup(try->easy);
	curl_slist_free_all(try->headers);
	free(try->body);
	delivery_unref(try->d);
	free(try);
	return NULL;
}
DEFINE_AUTO(struct webhook_try *, try_free)

void webhook_cancel(struct webhook_try *try)
{
	if (!try)
		return;
	net_transfer_cancel(try->transfer);
	forget(try);
	try_free(try);
}

static void on_transferred(CURL *easy, int result, void *data)
{
	auto(try_free) struct webhook_try *try = data;
	struct judgement j;

	try->transfer = NULL;
	forget(try);
	judge(try, result, &j);
	try->done(try->d, &j);
}

static int add_header(struct webhook_try *try, const char *name, const char *value)
{
	auto_free char *line = str_printf("%s: %s", name, value);
	struct curl_slist *list = line ? curl_slist_append(try->headers, line) : NULL;

	if (!list)
		return -ENOMEM;
	try->headers = list;
	return 0;
}

static int add_headers(struct webhook_try *try, const struct conf_receiver *conf)
{
	const char *id = try->d->record->notice.id;
	int64_t timestamp = (int64_t)(clock_wall() / USEC_PER_SEC);
	char signature[SIGNATURE_MAX_BYTES], stamp[24];
	int r;

	snprintf(stamp, sizeof(stamp), "%lld", (long long)timestamp);
	r = add_header(try, "Content-Type", "application/cloudevents+json");
	if (r == 0)
		r = add_header(try, "webhook-id", id);
	if (r == 0)
		r = add_header(try, "webhook-timestamp", stamp);
	if (r < 0 || !conf->secret)
		return r;
	r = signature_make(conf->secret, conf->secret_old, id, timestamp, try->body, signature);
	if (r < 0)
		return r == -EINVAL ? -EKEYREJECTED : r;
	return add_header(try, "webhook-signature", signature);
}

static int compose(struct webhook_try *try, struct alert *alert)
{
	const struct delivery *d = try->d;
	const struct event_context context = {.host = alert->host,
		.epoch = store_epoch(alert->deps.store),
		.sequence = d->sequence,
		.undurable = d->undurable,
		.merged = d->merged};

	return notice_compose_event(&d->record->notice, &context, &try->body);
}

static int set_options(struct webhook_try *try, const struct conf_receiver *conf)
{
	CURL *easy = try->easy;
	bool ok = true;

#define SET(option, value) ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK
	SET(CURLOPT_URL, conf->url);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(try->body));
	SET(CURLOPT_POSTFIELDS, try->body);
	SET(CURLOPT_HTTPHEADER, try->headers);
	SET(CURLOPT_USERAGENT, "tend/" TEND_VERSION);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_WRITEFUNCTION, on_answer);
	SET(CURLOPT_WRITEDATA, try);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, try);
	SET(CURLOPT_ERRORBUFFER, try->error);
	if (conf->ca_file)
		SET(CURLOPT_CAINFO, conf->ca_file);
#undef SET
	return ok ? 0 : -EINVAL;
}

int webhook_start(
	const struct try_context *context, struct delivery *d, struct webhook_try **ret_try)
{
	auto(try_free) struct webhook_try *try = calloc(1, sizeof(*try));
	const struct conf_receiver *conf = context->conf;
	int r;

	if (!try)
		return -ENOMEM;
	try->d = delivery_ref(d);
	try->done = context->done;
	try->easy = curl_easy_init();
	r = try->easy ? compose(try, context->alert) : -ENOMEM;
	if (r == 0)
		r = add_headers(try, conf);
	/* No "Expect: 100-continue": it costs a round trip, and some servers never answer it. */
	if (r == 0)
		r = add_header(try, "Expect", "");
	if (r == 0)
		r = set_options(try, conf);
	if (r == 0)
		r = vec_push(&d->receiver->tries, try);
	if (r < 0)
		return r;
	r = net_transfer_start(context->alert->deps.net, try->easy, conf->url,
		clock_now() + conf->timeout, on_transferred, try, &try->transfer);
	if (r < 0) {
		forget(try);
		return r;
	}
	*ret_try = TAKE(try);
	return 0;
}
