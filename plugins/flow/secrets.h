/* SPDX-License-Identifier: MIT */
/*
 * flow/secrets.h: what a flow may use but never see. `${secret:MARK:NAME}` in what it sends becomes
 * the secret, escaped for the place where it stands; in what comes back, and in all texts, the
 * secret becomes ***, also where it is escaped. Pure. Values are wiped when they are freed, by
 * secrets_clear() or, of filled texts, by secrets_wipe().
 */
#ifndef FLOW_SECRETS_H
#define FLOW_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/error.h>
#include "base/needles.h"

enum {
	SECRETS_MARK_BYTES = 33,
	SECRETS_MAX_HIDDEN = 32,	       /* values that a flow has learned: tokens */
	SECRETS_MIN_BYTES = NEEDLES_MIN_BYTES, /* a shorter one is not looked for in answers */
	SECRETS_HIDDEN_BYTES = 8192,	       /* longer ones are none */
	SECRETS_TEXT_BYTES = 1 << 20,	       /* of a text that was filled in */
};

enum secret_place {
	SECRET_PLAIN,
	SECRET_HEADER,	/* no line breaks: refused */
	SECRET_PERCENT, /* in a URL or a form */
	SECRET_JSON,	/* between the quotes of a JSON text */
};

struct secrets {
	char *const *pairs; /* "NAME=value", NULL-terminated, borrowed; NULL: none */
	char mark[SECRETS_MARK_BYTES];
	struct needles needles; /* what to look for in answers */
	size_t n_hidden;
};
/* -ENOMEM; or of getrandom(). */
int secrets_init(struct secrets *s, char *const *pairs);
void secrets_clear(struct secrets *s);
/* One more value to be kept out of texts; what is too short or too long is left out. -E2BIG: too
 * many. */
int secrets_hide(struct secrets *s, const char *value);
/* A copy of the text, filled in. -ENOENT: there is no such secret, -EINVAL: it cannot stand there,
 * -EMSGSIZE, -ENOMEM. */
int secrets_fill(const struct secrets *s, const char *text, enum secret_place place,
	char **ret_text, struct tend_error *err);
/* In place; the text gets no longer. A text is redacted first and cut then: secrets_show(). One
 * that came cut may end within a secret: secrets_redact_cut() drops what is the beginning of one.
 */
void secrets_redact(const struct secrets *s, char *text, size_t *len);
void secrets_redact_cut(const struct secrets *s, char *text, size_t *len);
/* Redacted, then what fits into buf. */
void secrets_show(const struct secrets *s, const char *text, char *buf, size_t size);
void secrets_wipe(char *text); /* wipes and frees; NULL is fine */

#endif
