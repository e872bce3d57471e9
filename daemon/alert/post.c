/* SPDX-License-Identifier: MIT */
#include "alert/post.h"
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "net/net.h"

enum { ANSWER_SHOWN_BYTES = 160 };

struct post {
	struct post_order order;
	post_fn fn;
	void *data;
	CURL *easy;
	struct net_transfer *transfer;
	struct net_guard guard;
	char *const *lists[2]; /* of the guard */
	struct str answer;
	bool cut; /* the answer was longer than we read */
	char retry_after[64];
	char error[CURL_ERROR_SIZE];
};

static void append_answer(const struct post *post, struct judgement *j)
{
	char answer[ANSWER_SHOWN_BYTES];
	size_t len = strlen(j->error);

	str_sanitize(answer, sizeof(answer), str_get(&post->answer), post->answer.len);
	if (answer[0] && len + 8 < sizeof(j->error))
		snprintf(j->error + len, sizeof(j->error) - len, ": %.*s",
			(int)str_cut_utf8(answer, strlen(answer), sizeof(j->error) - len - 3),
			answer);
}

/* True when there was an answer. */
static bool judge_http(struct post *post, int result, struct judgement *j)
{
	long status = 0;

	(void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == -EACCES) {
		snprintf(j->error, sizeof(j->error), "%s", post->guard.refusal);
	} else if (result < 0) {
		snprintf(j->error, sizeof(j->error), "cannot look up the host: %s",
			strerror(-result));
	} else if (result != CURLE_OK && !(post->cut && status)) {
		snprintf(j->error, sizeof(j->error), "%s",
			post->error[0] ? post->error : curl_easy_strerror((CURLcode)result));
	} else {
		webhook_judge(status, post->retry_after, clock_wall(), j);
		if (j->verdict != VERDICT_DELIVERED)
			append_answer(post, j);
		return true;
	}
	return false;
}

/* ---- the transfer --------------------------------------------------------------------------- */

static size_t on_answer(char *data, size_t size, size_t n, void *user)
{
	struct post *post = user;
	size_t len = size * n, room = POST_ANSWER_BYTES - post->answer.len;

	if (str_append(&post->answer, data, MIN(len, room)) < 0)
		return CURL_WRITEFUNC_ERROR;
	if (len <= room)
		return len;
	post->cut = true;
	return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	static const char name[] = "retry-after:";
	struct post *post = user;
	size_t len = size * n, at = sizeof(name) - 1;

	if (len <= at || strncasecmp(data, name, at) != 0)
		return len;
	while (at < len && (data[at] == ' ' || data[at] == '\t'))
		at++;
	size_t end = len;
	while (end > at && (data[end - 1] == '\r' || data[end - 1] == '\n' || data[end - 1] == ' '))
		end--;
	if (end - at < sizeof(post->retry_after)) {
		memcpy(post->retry_after, data + at, end - at);
		post->retry_after[end - at] = '\0';
	}
	return len;
}

static int set_options(struct post *post)
{
	const struct conf_receiver *conf = post->order.conf;
	const struct request *request = post->order.request;
	CURL *easy = post->easy;
	bool ok = true;

#define SET(option, value) ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
	SET(CURLOPT_POSTFIELDS, request->body);
	SET(CURLOPT_HTTPHEADER, request->headers);
	SET(CURLOPT_USERAGENT, "tend/" TEND_VERSION);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_WRITEFUNCTION, on_answer);
	SET(CURLOPT_WRITEDATA, post);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, post);
	SET(CURLOPT_ERRORBUFFER, post->error);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (conf->ca_file)
		SET(CURLOPT_CAINFO, conf->ca_file);
	if (conf->cert_file)
		SET(CURLOPT_SSLCERT, conf->cert_file);
	if (conf->key_file)
		SET(CURLOPT_SSLKEY, conf->key_file);
#undef SET
	return ok ? 0 : -EINVAL;
}

static void on_transferred(CURL *easy, int result, void *data)
{
	struct post *post = data;
	struct post_answer answer = {.judgement = {.verdict = VERDICT_RETRY},
		.retry_after = post->retry_after,
		.body = &post->answer};

	post->transfer = NULL;
	/* Before anybody cuts it, or a format cites it. */
	if (post->answer.len > 0)
		secrets_redact_bytes(post->order.conf, post->answer.data, post->answer.len);
	answer.answered = judge_http(post, result, &answer.judgement);
	post->fn(&answer, post->data);
}

struct post *post_free(struct post *post)
{
	if (!post)
		return NULL;
	net_transfer_cancel(post->transfer);
	if (post->easy)
		curl_easy_cleanup(post->easy);
	str_clear(&post->answer);
	free(post);
	return NULL;
}

static int post_new(const struct post_order *order, struct post **ret_post)
{
	auto(post_free) struct post *post = calloc(1, sizeof(*post));

	if (!post)
		return -ENOMEM;
	post->order = *order;
	post->answer.max = POST_ANSWER_BYTES;
	post->easy = curl_easy_init();
	if (!post->easy)
		return -ENOMEM;
	*ret_post = TAKE(post);
	return 0;
}

int post_start(const struct post_order *order, post_fn fn, void *data, struct post **ret_post)
{
	auto(post_free) struct post *post = NULL;
	const char *url = order->request->url;
	int r = post_new(order, &post);

	if (r == 0)
		r = set_options(post);
	if (r < 0)
		return r;
	post->fn = fn;
	post->data = data;
	post->lists[0] = order->conf->allow;
	post->lists[1] = order->daemon->allow_addresses;
	post->guard = (struct net_guard){.lists = post->lists,
		.n_lists = ARRAY_SIZE(post->lists),
		.listed_only = str_startswith(url, "http://") && !order->conf->insecure};
	r = net_transfer_start_guarded(order->net, post->easy, url,
		clock_now() + order->conf->timeout, &post->guard, on_transferred, post,
		&post->transfer);
	if (r < 0)
		return r;
	*ret_post = TAKE(post);
	return 0;
}
