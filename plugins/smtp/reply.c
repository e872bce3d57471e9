/* SPDX-License-Identifier: MIT */
#include "reply.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The line's length with its end; 0: more must come, -EPROTO. `ret_more`: "250-". */
static long line_parse(const char *data, size_t len, int *ret_code, bool *ret_more)
{
	const char *end = memchr(data, '\n', len < REPLY_LINE_BYTES ? len : REPLY_LINE_BYTES);
	size_t known = end ? (size_t)(end - data) : len;

	for (size_t i = 0; i < 3 && i < known; i++)
		if (!is_digit(data[i]))
			return -EPROTO;
	if (!end)
		return len >= REPLY_LINE_BYTES ? -EPROTO : 0;
	if (known < 3 || data[0] < '2' || data[0] > '5')
		return -EPROTO;
	if (known > 3 && data[3] != '-' && data[3] != ' ' && data[3] != '\r')
		return -EPROTO;
	*ret_code = (data[0] - '0') * 100 + (data[1] - '0') * 10 + (data[2] - '0');
	*ret_more = known > 3 && data[3] == '-';
	return (long)known + 1;
}

/* Without code, line end and blanks. */
static const char *line_text(const char *line, size_t len, size_t *ret_len)
{
	while (len > 0 && strchr("\r\n ", line[len - 1]))
		len--;
	*ret_len = len > 4 ? len - 4 : 0;
	return len > 4 ? line + 4 : line + len;
}

long reply_parse(const char *data, size_t len, struct reply *ret_reply)
{
	size_t at = 0;
	int first = 0;

	for (;;) {
		int code = 0;
		bool more = false;
		long n = line_parse(data + at, len - at, &code, &more);

		if (n <= 0)
			return n == 0 && at >= REPLY_MAX_BYTES ? -EPROTO : n;
		if (at > 0 && code != first)
			return -EPROTO;
		first = code;
		if (!more) {
			ret_reply->last = line_text(data + at, (size_t)n, &ret_reply->last_len);
			at += (size_t)n;
			break;
		}
		at += (size_t)n;
		if (at > REPLY_MAX_BYTES)
			return -EPROTO;
	}
	ret_reply->code = first;
	ret_reply->lines = data;
	ret_reply->len = at;
	return (long)at;
}

/* ---- offers ------------------------------------------------------------------------------- */

/* The next line's text; false: there is none. */
static bool next_line(const char **at, const char *end, const char **ret_text, size_t *ret_len)
{
	const char *newline;

	if (*at >= end)
		return false;
	newline = memchr(*at, '\n', (size_t)(end - *at));
	newline = newline ? newline + 1 : end;
	*ret_text = line_text(*at, (size_t)(newline - *at), ret_len);
	*at = newline;
	return true;
}

static bool begins(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && strncasecmp(text, word, n) == 0 &&
	       (len == n || text[n] == ' ' || text[n] == '=');
}

bool reply_offers_word(const struct reply *reply, const char *word)
{
	const char *at = reply->lines, *end = reply->lines + reply->len, *text;
	size_t len;

	while (next_line(&at, end, &text, &len))
		if (begins(text, len, word))
			return true;
	return false;
}

static bool has_word(const char *text, size_t len, const char *word)
{
	while (len > 0) {
		size_t n = 0;

		while (n < len && text[n] != ' ' && text[n] != '=')
			n++;
		if (n == strlen(word) && strncasecmp(text, word, n) == 0)
			return true;
		n += n < len;
		text += n;
		len -= n;
	}
	return false;
}

static double number(const char *text, size_t len)
{
	double value = 0;

	for (size_t i = 0; i < len && i < 15 && is_digit(text[i]); i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

void reply_offers(const struct reply *reply, struct reply_offers *ret_offers)
{
	const char *at = reply->lines, *end = reply->lines + reply->len, *text;
	struct reply_offers o = {0};
	size_t len;

	while (next_line(&at, end, &text, &len)) {
		if (begins(text, len, "STARTTLS"))
			o.starttls = true;
		if (begins(text, len, "AUTH")) {
			o.auth = true;
			o.auth_plain = o.auth_plain || has_word(text, len, "PLAIN");
			o.auth_login = o.auth_login || has_word(text, len, "LOGIN");
		}
		if (begins(text, len, "SIZE")) {
			o.has_size = true;
			o.size_bytes = len > 5 ? number(text + 5, len - 5) : 0;
		}
	}
	*ret_offers = o;
}

/* ---- reasons ------------------------------------------------------------------------------ */

static bool says(const struct reply *reply, const char *enhanced)
{
	return memmem(reply->last, reply->last_len, enhanced, strlen(enhanced)) == reply->last &&
	       reply->last_len > 0;
}

static enum tend_reason refused(enum reply_step step, const struct reply *r)
{
	bool logging_in = step == STEP_AUTH || step == STEP_USER || step == STEP_PASSWORD;

	if (logging_in && r->code >= 500)
		return TEND_REASON_AUTH_FAILED;
	switch (r->code) {
	case 421:
		return TEND_REASON_CONNECTIONS_FULL;
	case 452:
	case 552:
		return TEND_REASON_QUOTA;
	case 530:
	case 534:
	case 535:
		return TEND_REASON_AUTH_FAILED;
	default:
		break;
	}
	if (step == STEP_GREETING && r->code == 554)
		return TEND_REASON_ACCESS_DENIED;
	if (says(r, "5.7.") || says(r, "4.7.") ||
		(r->code == 554 && (step == STEP_FROM || step == STEP_TO)))
		return TEND_REASON_ACCESS_DENIED;
	if (r->code == 550 && step == STEP_TO)
		return TEND_REASON_OBJECT_MISSING;
	return TEND_REASON_STATUS_UNEXPECTED;
}

enum tend_reason reply_reason(enum reply_step step, const struct reply *reply)
{
	static const int wanted[STEP_MAX] = {[STEP_GREETING] = 220,
		[STEP_EHLO] = 250,
		[STEP_AUTH] = 235,
		[STEP_USER] = 334,
		[STEP_PASSWORD] = 334,
		[STEP_FROM] = 250,
		[STEP_TO] = 250,
		[STEP_DATA] = 354,
		[STEP_MAIL] = 250};

	if (reply->code == wanted[step] || (step == STEP_TO && reply->code == 251))
		return TEND_REASON_OK;
	if (reply->code < 400)
		return TEND_REASON_PROTOCOL;
	return refused(step, reply);
}
