/* SPDX-License-Identifier: MIT */
/*
 * imap/answer.h: what an IMAP server says (RFC 9051 section 7), as far as a check needs it. Pure;
 * all of it is foreign and bounded. Spans point into the data that was given.
 */
#ifndef IMAP_ANSWER_H
#define IMAP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tend/reason.h>

enum { ANSWER_MAX_BYTES = 128 << 10, ANSWER_MAX_LITERAL = 64 << 10, ANSWER_MAX_UIDS = 64 };

enum answer_kind { ANSWER_UNTAGGED, ANSWER_TAGGED, ANSWER_CONTINUE };
enum answer_status { STATUS_NONE, STATUS_OK, STATUS_NO, STATUS_BAD, STATUS_BYE, STATUS_PREAUTH };

struct answer {
	enum answer_kind kind;
	enum answer_status status; /* NONE: data */
	unsigned long tag;	   /* of "t12" */
	const char *text;	   /* behind tag and status, without line end */
	size_t len;
	const char *code; /* "AUTHENTICATIONFAILED" of "[AUTHENTICATIONFAILED]"; "" */
	size_t code_len;
};
/* How many bytes it takes up, literals included; 0: more must come; -EPROTO: this is no IMAP. */
long answer_parse(const char *data, size_t len, struct answer *ret_answer);

/* Whether "CAPABILITY ..." names it. */
bool answer_has_capability(const struct answer *answer, const char *name);
bool answer_is(const struct answer *answer, const char *word); /* its first word */
/* "23 EXISTS" */
bool answer_exists(const struct answer *answer, uint64_t *ret_n);
/* "QUOTA root (STORAGE used max)", in bytes. */
bool answer_quota(const struct answer *answer, double *ret_used, double *ret_max);
/* "SEARCH 2 5 9": returns how many were put into `uids`, the first ones. */
size_t answer_search(const struct answer *answer, uint32_t uids[ANSWER_MAX_UIDS]);
/* Of a FETCH: the time in the header X-Tend-Sent, and when the server took it (0: not told);
 * seconds since 1970. False: there is none. */
bool answer_sent(const struct answer *answer, double *ret_sent, double *ret_taken);

enum answer_step { ANSWER_GREETING, ANSWER_LOGIN, ANSWER_SELECT, ANSWER_OTHER };
/* Of a refusal (NO, BAD, BYE). */
enum tend_reason answer_reason(enum answer_step step, const struct answer *answer);

#endif
