/* SPDX-License-Identifier: MIT */
/*
 * mysql/session.h: one connection of one attempt. Everything waits here, at most until shortly
 * before the attempt's deadline; what cannot be waited for so (a TLS handshake) is ended by
 * tend-work's own end. Whatever fails ends the attempt with its reason: the caller then only
 * returns. Owns the connection; session_close() frees.
 */
#ifndef MYSQL_SESSION_H
#define MYSQL_SESSION_H

#include <mysql.h>
#include "myprobe.h"

struct session {
	struct tend_attempt *attempt;
	const struct myprobe_conf *conf;
	MYSQL *mysql;
	bool mariadb; /* else MySQL */
	usec_t started, connect_usec, query_started, query_usec;
	/* private */
	bool connecting, greeted, garbage, no_tls, timed_out, ended;
	size_t n_addresses, i_address;
	struct tend_address peer; /* who greeted; length 0: nobody */
};

/* NULL: it has ended the attempt. */
struct session *session_open(struct tend_attempt *a, const struct myprobe_conf *conf);
void session_close(struct session *s);

/* Waits for what the library waits for; the value for its _cont(). */
int session_wait(struct session *s, int status);
/* SESSION_AWAIT(s, mysql_x_start(&ret, ...), mysql_x_cont(&ret, ..., session_wait(s, st))) */
#define SESSION_AWAIT(start, cont)                                                                 \
	for (int st = (start); st;)                                                                \
	st = (cont)

/* The text protocol. False: the attempt has ended. */
bool session_query(struct session *s, const char *sql);
/* Its result, row by row; *ret_result NULL: it has none. Free it by session_drop(). */
bool session_result(struct session *s, MYSQL_RES **ret_result);
bool session_row(struct session *s, MYSQL_RES *result, MYSQL_ROW *ret_row); /* NULL: no more */
void session_drop(struct session *s, MYSQL_RES *result);
/* The same for a statement that has no rows. */
bool session_do(struct session *s, const char *sql);

struct session_error {
	unsigned number;
	char text[512];
};

/* The last error of the connection, or of a statement. */
void session_fail(struct session *s);
void session_stmt_error(const struct session *s, MYSQL_STMT *stmt, struct session_error *ret_error);
void session_fail_error(struct session *s, const struct session_error *error);
/* Like session_query(), but the error's number is the caller's matter; 0: none. */
unsigned session_try(struct session *s, const char *sql);
__attribute__((format(printf, 3, 4))) void session_end(
	struct session *s, enum tend_reason reason, const char *format, ...);

#endif
