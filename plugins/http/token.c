/* SPDX-License-Identifier: MIT */
#include "token.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "expect.h"

enum { DEFAULT_SECONDS = 300, MAX_SECONDS = 86400, MARGIN_SECONDS = 30 };

/* Visible ASCII only (RFC 6749 appendix A.12): it goes into a header. */
static bool is_token(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++)
		if (text[n] <= ' ' || text[n] >= 0x7f || n >= TOKEN_MAX_BYTES)
			return false;
	return n > 0;
}

/* A margin of a tenth at most, so that short ones are of use. */
static usec_t lasts(const json_t *expires)
{
	double seconds = json_is_number(expires)   ? json_number_value(expires)
			 : json_is_string(expires) ? strtod(json_string_value(expires), NULL)
						   : DEFAULT_SECONDS;
	double margin;

	if (!(seconds > 0))
		return 0;
	if (seconds > MAX_SECONDS)
		seconds = MAX_SECONDS;
	margin = seconds / 10 < MARGIN_SECONDS ? seconds / 10 : MARGIN_SECONDS;
	return (usec_t)((seconds - margin) * (double)USEC_PER_SEC);
}

static enum tend_reason refused(json_t *root, long status, char why[TOKEN_WHY_BYTES])
{
	const char *error = json_string_value(json_object_get(root, "error"));
	const char *text = json_string_value(json_object_get(root, "error_description"));
	char a[100], b[160];

	(void)snprintf(why, TOKEN_WHY_BYTES, "error %s%s%s",
		error ? expect_quote(error, strlen(error), 60, a, sizeof(a)) : "of no name",
		text ? ": " : "", text ? expect_quote(text, strlen(text), 120, b, sizeof(b)) : "");
	if (status == 429)
		return TEND_REASON_QUOTA;
	/* RFC 6749 section 5.2: of the rest, the request of ours is at fault. */
	if (status >= 500 || (error && strcmp(error, "temporarily_unavailable") == 0))
		return TEND_REASON_STATUS_UNEXPECTED;
	return TEND_REASON_AUTH_FAILED;
}

static enum tend_reason take(json_t *root, struct token *ret_token, char why[TOKEN_WHY_BYTES])
{
	const char *text = json_string_value(json_object_get(root, "access_token"));
	const char *type = json_string_value(json_object_get(root, "token_type"));

	if (!text || !is_token(text)) {
		(void)snprintf(why, TOKEN_WHY_BYTES, "there is no access_token in the answer");
		return TEND_REASON_CONTENT_UNEXPECTED;
	}
	if (type && strcasecmp(type, "bearer") != 0) {
		(void)snprintf(why, TOKEN_WHY_BYTES, "the token is not of type Bearer");
		return TEND_REASON_CONTENT_UNEXPECTED;
	}
	ret_token->lasts_usec = lasts(json_object_get(root, "expires_in"));
	ret_token->text = strdup(text);
	return ret_token->text ? TEND_REASON_OK : TEND_REASON_INTERNAL;
}

enum tend_reason token_read(const char *body, size_t len, long status, struct token *ret_token,
	char why[TOKEN_WHY_BYTES])
{
	json_t *root = json_loadb(body, len, 0, NULL);
	enum tend_reason reason;
	char quoted[160];

	(void)snprintf(why, TOKEN_WHY_BYTES, "no memory");
	if (!json_is_object(root)) {
		(void)snprintf(why, TOKEN_WHY_BYTES, "expected JSON, got %s",
			len ? expect_quote(body, len, 120, quoted, sizeof(quoted))
			    : "an empty body");
		reason = status == 401 || status == 403	  ? TEND_REASON_AUTH_FAILED
			 : status >= 200 && status <= 299 ? TEND_REASON_CONTENT_UNEXPECTED
							  : TEND_REASON_STATUS_UNEXPECTED;
	} else if (status >= 200 && status <= 299 && !json_object_get(root, "error")) {
		reason = take(root, ret_token, why);
	} else {
		reason = refused(root, status, why);
	}
	json_decref(root);
	return reason;
}
