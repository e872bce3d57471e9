/* SPDX-License-Identifier: MIT */
/*
 * alert/mail_encode.h: foreign UTF-8 in what a mail is made of: header values (RFC 2047), bodies
 * (quoted-printable or base64, whichever is shorter), HTML. All of them drop control characters and
 * those that turn the direction of text. Pure; they append, and fail with -ENOMEM or -ENOBUFS.
 */
#ifndef ALERT_MAIL_ENCODE_H
#define ALERT_MAIL_ENCODE_H

#include <stdbool.h>
#include "base/str.h"

enum { MAIL_LINE_BYTES = 76 };

/* One line: line ends and tabs are spaces, runs of them are one. With `lines`, line ends stay. */
int mail_clean(struct str *out, const char *text, bool lines);
/* "Name: value" folded, and a CRLF. The value is one line of UTF-8. */
int mail_header(struct str *out, const char *name, const char *value);
/* Words of a phrase: as they are, quoted, or encoded. */
int mail_phrase(struct str *out, const char *text);
int mail_html(struct str *out, const char *text); /* escaped; line ends become <br> */
/* "Content-Transfer-Encoding: ...", an empty line, and the text in it, lines ended by CRLF. */
int mail_body(struct str *out, const char *text, size_t len);

#endif
