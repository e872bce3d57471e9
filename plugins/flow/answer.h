/* SPDX-License-Identifier: MIT */
/* flow/answer.h: what a server said, as a flow may see it: without secrets, as text. Pure. */
#ifndef FLOW_ANSWER_H
#define FLOW_ANSWER_H

#include <jansson.h>
#include "secrets.h"

/* "Name: value\r\n" into the object, the name in small letters; cookies stay out. */
void answer_header(json_t *headers, const char *line, size_t len);
void answer_headers_redact(json_t *headers, const struct secrets *secrets);
/* Redacts and cleans in place: bad UTF-8 is '?', control characters are blanks. NULL is "". `cut`:
 * it is only the first part of what came, and may end within a secret. */
json_t *answer_body(const struct secrets *secrets, char *body, size_t *len, bool cut);
json_t *answer_text(const struct secrets *secrets, const char *text, size_t len);

#endif
