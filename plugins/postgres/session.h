/* SPDX-License-Identifier: MIT */
/*
 * postgres/session.h: one connection of one attempt, never blocking: names are resolved by the
 * core, libpq gets an address, its socket is polled by the loop. Owns the PGconn; is the data of
 * the attempt. Every handler may free the session: it then returns false, and nothing of it is
 * touched any more.
 */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include <libpq-fe.h>
#include "postgres.h"

struct session;
struct session_handlers {
	bool (*connected)(struct session *s, void *owner);
	/* Each result, a row at a time (PGRES_SINGLE_TUPLE), the last one without rows. */
	bool (*result)(struct session *s, const PGresult *result, void *owner);
	bool (*done)(struct session *s, void *owner); /* of one query */
	/* The end: no connection, no answer, an error of the server. */
	void (*failed)(struct session *s, enum tend_reason reason, const char *text, void *owner);
	void (*free_owner)(void *owner);
};

/* Takes over `owner`, also on failure. */
int session_start(struct tend_attempt *a, const struct postgres_conf *conf,
	const struct session_handlers *handlers, void *owner);
/* One statement by the extended protocol; values as text, NULL is null. -EIO. */
int session_query(struct session *s, const char *sql, int n_values, const char *const *values);
void session_free(struct session *s); /* NULL is fine */

struct tend_attempt *session_attempt(struct session *s);
usec_t session_connect_usec(const struct session *s);
usec_t session_query_usec(const struct session *s); /* of all queries, so far */

/* Of the last error that the server told of; "" if it told of none. */
const char *session_sqlstate(const struct session *s);

/* The end of an attempt, with the metrics of what was reached; frees the session. */
void session_finish(struct session *s, enum tend_reason reason, const char *text);

#endif
