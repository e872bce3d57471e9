/* SPDX-License-Identifier: MIT */
/*
 * alert/mail_compose.h: a view (alert/view.h) as a mail: headers, a plain and an HTML part. What is
 * in it is foreign: it is escaped, encoded (everything on the wire is ASCII, in lines of at most 78
 * bytes, or 250 with an id, none of which begins with a dot), and cannot make a header or a part.
 * The HTML loads nothing and sets no colour of text or ground, so that it is readable in dark
 * clients too. Pure; the text is the caller's; -EINVAL: an address is none, -ENOBUFS: more than
 * MAIL_BYTES.
 */
#ifndef ALERT_MAIL_COMPOSE_H
#define ALERT_MAIL_COMPOSE_H

#include <jansson.h>
#include <tend/option.h>
#include "base/str.h"

enum {
	MAIL_BYTES = 2 << 20,
	MAIL_ROWS = 200,	     /* notices that a group's mail lists; the rest is counted */
	MAIL_ROWS_BYTES = 160 << 10, /* the same by the size of their texts */
	MAIL_HOST_BYTES = 128,
};

struct mail_source {
	json_t *view;
	const char *from;
	char *const *to; /* NULL-terminated */
	usec_t wall;	 /* when it is sent */
};
int mail_compose(const struct mail_source *source, struct str *ret_mail);
/* What a mail server may be told that we are: letters, digits, '-' and '.'; "localhost". */
void mail_host(const char *host, char ret_host[MAIL_HOST_BYTES]);

#endif
