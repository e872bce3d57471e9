/* SPDX-License-Identifier: MIT */
/*
 * common/starttls.h: how each protocol asks for TLS on a plain connection. Pure: fed with what the
 * server says, it says what to send and when TLS begins. Nothing may be left over when it begins:
 * what was injected before must not be read as if it came by TLS (CVE-2011-0411).
 */
#ifndef COMMON_STARTTLS_H
#define COMMON_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>

enum starttls {
	STARTTLS_NO,
	STARTTLS_SMTP,
	STARTTLS_IMAP,
	STARTTLS_POP3,
	STARTTLS_FTP,
	STARTTLS_LDAP,
	STARTTLS_POSTGRES,
	STARTTLS_MYSQL,
	STARTTLS_XMPP,
	STARTTLS_MAX
};
extern const char *const starttls_names[]; /* NULL-terminated */

enum { STARTTLS_MAX_INPUT_BYTES = 16384 };
enum starttls_what {
	STARTTLS_MORE,	  /* read on */
	STARTTLS_SEND,	  /* send `out`, then go on with what is left */
	STARTTLS_READY,	  /* all is said: TLS begins */
	STARTTLS_REFUSED, /* the server has no TLS, or will not */
	STARTTLS_BROKEN,  /* not this protocol */
	STARTTLS_BUSY,	  /* the server turns everybody away just now */
};
struct starttls_talk {
	enum starttls protocol;
	unsigned step;
	const char *host; /* for xmpp: of the domain */
	char out[512];
	size_t n_out;
	const char *why; /* of REFUSED, BROKEN and BUSY: a static text */
};

/* Begins; says at once what is to be sent first (n_out may be 0). */
void starttls_begin(struct starttls_talk *talk, enum starttls protocol, const char *host);
/* *ret_used: how much of the input is taken. */
enum starttls_what starttls_feed(
	struct starttls_talk *talk, const char *data, size_t len, size_t *ret_used);

#endif
