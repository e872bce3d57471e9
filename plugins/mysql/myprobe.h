/* SPDX-License-Identifier: MIT */
/*
 * mysql/myprobe.h: the configuration, and what the files of this plugin say to each other. All of
 * it runs in a tend-work process and may block; what waits for the server waits in session.c, until
 * the attempt's deadline. Pure: reason.c, greeting.c, placeholders.c.
 */
#ifndef MYSQL_MYPROBE_H
#define MYSQL_MYPROBE_H

#include <tend/plugin.h>

enum myprobe_role { ROLE_ANY, ROLE_PRIMARY, ROLE_REPLICA };
enum myprobe_sslmode { SSL_DISABLE, SSL_PREFER, SSL_REQUIRE, SSL_VERIFY_CA, SSL_VERIFY_FULL };

/* What a look at the server's state needs a right for; locks: transactions, too. */
enum myprobe_sight { SIGHT_LOCKS, SIGHT_REPLICATION, SIGHT_MAX };
extern const char *const myprobe_sights[];

struct myprobe_conf {
	char *host, *hostaddr, *socket, *dbname, *user, *password, *ca_file, *query, *expect,
		*metric;
	char **may_lack; /* of myprobe_sights */
	int64_t port;
	int sslmode, role;
	usec_t max_lock_wait;
};
extern const struct tend_option myprobe_options[];
int myprobe_conf_check(void *conf, struct tend_error *err);
bool myprobe_may_lack(const struct myprobe_conf *conf, enum myprobe_sight sight);

/* Why a connection, or a statement, failed: by the error's number and text. */
enum tend_reason myprobe_connect_reason(unsigned number, const char *text);
enum tend_reason myprobe_query_reason(unsigned number);

/* The first bytes that a server says. */
enum greeting { GREETING_MORE, GREETING_OK, GREETING_ERROR, GREETING_NONE };
enum { GREETING_PEEK_BYTES = 256 };
/* MORE: too few to tell. OK: *ret_tls says whether it offers TLS. ERROR: it refuses to talk. */
enum greeting myprobe_greeting(const unsigned char *bytes, size_t n, bool *ret_tls);

/* $1, $2, ... become question marks, but in quotes and comments; ret_order[i] is which parameter
 * (from 0) the i-th mark takes. A statement with question marks of its own and no $N keeps them, in
 * order. Returns how many, -EINVAL: a number out of range, or both kinds; -ENOSPC, -ENOMEM. */
enum { PLACEHOLDERS_MAX = 64 };
int myprobe_placeholders(const char *sql, size_t n_params, char **ret_sql,
	unsigned char ret_order[PLACEHOLDERS_MAX]);

struct session;
void myprobe_check(struct session *s);
void myprobe_state(struct session *s);
void myprobe_call(struct session *s, const char *method, const struct json_t *args);
void myprobe_execute(struct session *s, const struct json_t *args);

#endif
