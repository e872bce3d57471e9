/* SPDX-License-Identifier: MIT */
/* smtp/reply.h: what an SMTP server says (RFC 5321 section 4.2). Pure; all of it is foreign. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/reason.h>

enum { REPLY_MAX_BYTES = 32 << 10, REPLY_LINE_BYTES = 2048 };

struct reply {
	int code;
	const char *lines; /* all of them, as they came */
	size_t len;
	const char *last; /* the text of the last one, without code and line end */
	size_t last_len;
};
/* How many bytes it takes up; 0: more must come; -EPROTO: this is no SMTP. */
long reply_parse(const char *data, size_t len, struct reply *ret_reply);

struct reply_offers {
	bool starttls, auth_plain, auth_login, auth;
	bool has_size;
	double size_bytes; /* 0: no limit */
};
/* Of the reply to EHLO. */
void reply_offers(const struct reply *reply, struct reply_offers *ret_offers);
/* Whether a line of the reply to EHLO begins with this word. */
bool reply_offers_word(const struct reply *reply, const char *word);

enum reply_step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_AUTH,
	STEP_USER,
	STEP_PASSWORD,
	STEP_FROM,
	STEP_TO,
	STEP_DATA,
	STEP_MAIL,
	STEP_MAX,
};
/* OK, or why this is not what the step needs. */
enum tend_reason reply_reason(enum reply_step step, const struct reply *reply);

#endif
