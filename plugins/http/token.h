/* SPDX-License-Identifier: MIT */
/* http/token.h: what a token endpoint of OAuth 2 answers. Pure; the answer is foreign. */
#ifndef HTTP_TOKEN_H
#define HTTP_TOKEN_H

#include <stddef.h>
#include <tend/option.h>
#include <tend/reason.h>

enum { TOKEN_WHY_BYTES = 300, TOKEN_MAX_BYTES = 16384 };

struct token {
	char *text;	   /* the caller's; a secret */
	usec_t lasts_usec; /* less a margin */
};
/* OK, or why there is none. */
enum tend_reason token_read(const char *body, size_t len, long status, struct token *ret_token,
	char why[TOKEN_WHY_BYTES]);

#endif
