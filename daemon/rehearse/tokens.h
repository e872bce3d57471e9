/* SPDX-License-Identifier: MIT */
/*
 * rehearse/tokens.h: a Lua source as tokens, for looking at it without running it. Comments are
 * kept; what is no Lua ends the list (tend-run says so better). Pure; owns its texts.
 */
#ifndef REHEARSE_TOKENS_H
#define REHEARSE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"

enum token_kind { TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL, TOKEN_COMMENT, TOKEN_END };

struct token {
	enum token_kind kind;
	unsigned line;
	char *text; /* of a string: its value; of a comment: without the dashes */
};

struct tokens {
	struct token *list; /* ended by a TOKEN_END; without comments */
	size_t n, cap;
	struct token *comments; /* likewise */
	size_t n_comments, cap_comments;
};

int tokens_read(const char *source, struct tokens *ret_tokens);
void tokens_clear(struct tokens *tokens);
bool token_is(const struct token *token, const char *text); /* a name or a symbol */

#endif
