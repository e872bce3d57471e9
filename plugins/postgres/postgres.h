/* SPDX-License-Identifier: MIT */
/*
 * postgres/postgres.h: the configuration, and what the files of this plugin say to each other. The
 * probe logs in, asks one question and judges the answer, or looks at the server's state; the verbs
 * sql.query and sql.terminate_backend go the same way. All memory of an attempt hangs on its
 * session.
 */
#ifndef POSTGRES_POSTGRES_H
#define POSTGRES_POSTGRES_H

#include <tend/plugin.h>

struct postgres_conf {
	char *host, *hostaddr, *dbname, *user, *password, *ca_file, *query, *expect, *metric;
	char **look;
	usec_t max_lock_wait;
	int64_t port;
	int sslmode;
};
extern const struct tend_option postgres_options[];
extern const char *const postgres_sslmodes[];
int postgres_conf_check(void *conf, struct tend_error *err);

/* Why a connection failed, by libpq's message (of verbosity VERBOSE) and whether it lacked a
 * password. */
enum tend_reason postgres_connect_reason(const char *message, bool needs_password);
/* Why a query failed, by its SQLSTATE ("" if unknown). */
enum tend_reason postgres_query_reason(const char *sqlstate);
/* The SQLSTATE in a message of verbosity VERBOSE, "FATAL:  28P01: ..."; false if there is none. */
bool postgres_message_sqlstate(const char *message, char ret_sqlstate[6]);
/* One line for people of such a message: without severity, code and source location. */
const char *postgres_message_text(const char *message, char *buf, size_t size);

/* As its row of the documentation has it; "" for what has none. */
const char *postgres_metric_unit(const char *name);

int postgres_look_start(struct tend_attempt *a, const struct postgres_conf *conf);
int postgres_check_start(struct tend_attempt *a, const struct postgres_conf *conf);
int postgres_call_start(struct tend_attempt *a, const struct postgres_conf *conf,
	const char *method, const struct json_t *args);
int postgres_execute_start(
	struct tend_attempt *a, const struct postgres_conf *conf, const struct json_t *args);

#endif
