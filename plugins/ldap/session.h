/* SPDX-License-Identifier: MIT */
/*
 * ldap/session.h: one connection: TLS, the log-in, answers within the time. Whatever fails ends the
 * attempt with its reason: the caller then only returns. session_close() frees.
 */
#ifndef LDAP_SESSION_H
#define LDAP_SESSION_H

#include <ldap.h>
#include "dirprobe.h"

struct session {
	struct tend_attempt *attempt;
	const struct dirprobe_conf *conf;
	LDAP *ld;
	int fd;
	usec_t end, begun; /* of the attempt, less a moment; of the step under way */
	enum dirprobe_phase phase;
	bool answered, ended;
	char where[DIRPROBE_WHERE_BYTES];
};

/* False: it has ended the attempt. To be closed in either case. */
bool session_open(struct session *s, struct tend_attempt *a, const struct dirprobe_conf *conf);
bool session_bind(struct session *s);
void session_close(struct session *s);

/* The next message of `id`; its type, or -1: the attempt has ended. Freed by ldap_msgfree(). */
int session_next(struct session *s, int id, LDAPMessage **ret_message);
/* How long a step took, as a metric; the next one begins. */
void session_took(struct session *s, const char *metric);
void session_fail(struct session *s, int code, const char *words);
__attribute__((format(printf, 3, 4))) void session_end(
	struct session *s, enum tend_reason reason, const char *format, ...);

/* search.c */
void session_search(struct session *s);

#endif
