/* SPDX-License-Identifier: MIT */
/* alert/verdict.c: what an answer to a webhook means: by HTTP, and by what a format said. Pure. */
#include <curl/curl.h>
#include <string.h>
#include "alert/private.h"
#include "base/str.h"

enum { WHY_BYTES = 160 };

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
	struct judgement j = {.verdict = VERDICT_RETRY, .code = status};
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

void webhook_judge_more(
	const json_t *said, const char *retry_after, usec_t wall, struct judgement *judgement)
{
	static const struct word {
		const char *name, *why; /* what is told if it does not say why */
		enum verdict verdict;
	} rows[] = {{"delivered", NULL, VERDICT_DELIVERED},
		{"retry", "the answer says no", VERDICT_RETRY},
		{"failed", "the answer says no", VERDICT_FAILED},
		{"unclear", "it is none of the service's", VERDICT_MAX}};
	const struct word *row = NULL;
	const char *verdict = json_string_value(json_object_get(said, "verdict"));
	const char *why = json_string_value(json_object_get(said, "why"));
	const json_t *after = json_object_get(said, "after");
	double seconds = json_is_number(after) ? json_number_value(after) : -1;
	char text[WHY_BYTES];

	for (size_t i = 0; verdict && i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, verdict) == 0)
			row = &rows[i];
	judgement->verdict = row ? row->verdict : VERDICT_MAX;
	judgement->retry_after = 0;
	judgement->error[0] = '\0';
	if (!why || !row)
		why = row ? row->why : "its verdict is none of delivered, retry, failed, unclear";
	if (!why || judgement->verdict == VERDICT_DELIVERED)
		return;
	str_sanitize(text, sizeof(text), why, strlen(why));
	if (judgement->verdict == VERDICT_MAX)
		snprintf(judgement->error, sizeof(judgement->error), "%s", text);
	else
		snprintf(judgement->error, sizeof(judgement->error), "HTTP %ld: %s",
			judgement->code, text);
	if (judgement->verdict == VERDICT_RETRY)
		judgement->retry_after =
			seconds >= 0 ? (usec_t)(MIN(seconds, 86400.0) * (double)USEC_PER_SEC)
				     : parse_retry_after(retry_after, wall);
}

/* Asked of 2xx, and of what HTTP calls a failure of ours: a vendor may say more in the body. */
bool webhook_has_more(const struct judgement *j)
{
	return j->verdict == VERDICT_DELIVERED ||
	       (j->verdict == VERDICT_FAILED && j->code >= 400 && j->code < 500);
}

/* The answer as text that JSON may carry: no zero bytes, no broken characters. */
static json_t *answer_json(const struct str *answer)
{
	size_t len = answer->len;
	auto_free char *text = malloc(len + 1);
	size_t at = 0;

	if (!text)
		return NULL;
	memcpy(text, str_get(answer), len);
	text[len] = '\0';
	/* Often it is whole; else byte by byte, keeping what is ASCII. */
	if (strlen(text) != len || !str_utf8_valid(text, len))
		for (; at < len; at++)
			if (text[at] == '\0' || (unsigned char)text[at] >= 0x80)
				text[at] = '?';
	return json_stringn(text, len);
}

json_t *webhook_judge_args(
	long code, const char *retry_after, const struct str *answer, json_t *options)
{
	return json_pack("{s:{s:i, s:{s:s*}, s:o}, s:o}", "response", "status", (int)code,
		"headers", "retry-after", *retry_after ? retry_after : NULL, "body",
		answer_json(answer), "options", options);
}
