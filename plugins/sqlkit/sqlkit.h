/* SPDX-License-Identifier: MIT */
/*
 * sqlkit/sqlkit.h: what the probes that ask a database by tend_sql() share: one question after
 * another, and tables of foreign values. A probe's run begins with a struct sqlkit and is the data
 * of its attempt; it is freed by sqlkit_finish() or by sqlkit_cancel(), whichever comes first.
 * Nothing blocks. Every failure of a question ends the attempt with the database's own reason.
 */
#ifndef SQLKIT_SQLKIT_H
#define SQLKIT_SQLKIT_H

#include <jansson.h>
#include <tend/error.h>
#include <tend/plugin.h>

enum { SQLKIT_MAX_ROWS = 1000, SQLKIT_TEXT_BYTES = 512 };

/* An answer: every row an array of n_columns cells. Borrowed from the JSON. */
struct sqlkit_table {
	const json_t *columns, *rows;
	size_t n_columns, n_rows;
	bool truncated; /* there were more rows */
};
/* false: it has not this shape. */
bool sqlkit_table_read(const json_t *doc, struct sqlkit_table *ret_table);
int sqlkit_column(const struct sqlkit_table *table, const char *name); /* -1; any case */
const char *sqlkit_column_name(const struct sqlkit_table *table, size_t column);
/* NULL: there is none there. */
const json_t *sqlkit_cell(const struct sqlkit_table *table, size_t row, int column);
/* Numbers, booleans and texts that are a number. */
bool sqlkit_number(const json_t *cell, double *ret_value);
/* "" for NULL; cut at a character. */
const char *sqlkit_text(const json_t *cell, char *buf, size_t size);
/* A column's name as the name of a metric: small letters, digits and _; false: it cannot be. */
bool sqlkit_metric_name(const char *column, char ret_name[32]);

struct sqlkit;
typedef void (*sqlkit_fn)(struct sqlkit *kit, const struct sqlkit_table *table);
struct sqlkit {
	struct tend_attempt *attempt;
	void (*clear)(struct sqlkit *kit); /* frees the run, `kit` included */
	sqlkit_fn fn;
	unsigned n_asked;
};
/* Takes `kit`, which is the beginning of a run from calloc(). */
void sqlkit_begin(struct sqlkit *kit, struct tend_attempt *a, void (*clear)(struct sqlkit *kit));
/* `params` is stolen; NULL: none. fn is called once with the rows, unless the attempt ends before.
 * Ends the attempt when the question cannot be put. */
void sqlkit_ask(struct sqlkit *kit, const char *database, const char *sql, json_t *params,
	size_t max_rows, sqlkit_fn fn);
/* Frees the run and ends the attempt. */
__attribute__((format(printf, 3, 4))) void sqlkit_finish(
	struct sqlkit *kit, enum tend_reason reason, const char *format, ...);
void sqlkit_cancel(struct tend_attempt *a); /* .cancel of the probe */
double sqlkit_wall(void); /* seconds since 1970: what is remembered outlives a restart */

/* Rows of reason_docs: how the database itself may fail, whatever it is asked. */
#define SQLKIT_REASON_DOCS                                                                         \
	{TEND_REASON_DNS_FAILED, "the host of the database has no address"},                       \
		{TEND_REASON_CONNECT_REFUSED, "the database is down: nobody listens"},             \
		{TEND_REASON_CONNECT_TIMEOUT, "no connection in time"},                            \
		{TEND_REASON_CONNECT_FAILED, "the connection cannot be made"},                     \
		{TEND_REASON_TLS_FAILED, "TLS is wanted, and fails"},                              \
		{TEND_REASON_TLS_EXPIRED, "the certificate of the database has expired"},          \
		{TEND_REASON_TLS_UNTRUSTED, "the certificate of the database is not trusted"},     \
		{TEND_REASON_TLS_NAME, "the certificate of the database is for another name"},     \
		{TEND_REASON_TLS_WEAK, "TLS of the database is below the floor"},                  \
		{TEND_REASON_TLS_REVOKED, "the certificate of the database is revoked"},           \
		{TEND_REASON_AUTH_FAILED, "wrong password, or a role that may not log in"},        \
		{TEND_REASON_PROTOCOL,                                                             \
			"what answers is no such database, or the connection broke"},              \
		{TEND_REASON_DATABASE_MISSING, "the server has no database of this name"},         \
		{TEND_REASON_ACCESS_DENIED, "the role may not read this"},                         \
		{TEND_REASON_OBJECT_MISSING, "a table, a column or a function is not there"},      \
		{TEND_REASON_CONNECTIONS_FULL, "no free connection"},                              \
		{TEND_REASON_STARTING, "the server starts up or shuts down"},                      \
		{TEND_REASON_LOCKED, "a lock was waited for, for most of the time"},               \
		{TEND_REASON_READ_ONLY, "the statement writes, and nothing may be written"},       \
		{TEND_REASON_QUERY_FAILED, "the statement is wrong"},                              \
	{                                                                                          \
		TEND_REASON_NO_EVIDENCE, "the [database] is gone from the configuration"           \
	}

/* The words in which the databases differ. */
enum sqlkit_dialect { SQLKIT_POSTGRES, SQLKIT_MYSQL, SQLKIT_DIALECT_MAX };
extern const char *const sqlkit_dialects[]; /* for TEND_OPT_ENUM */
/* What SQLKIT_VERSION has answered. */
#define SQLKIT_VERSION "select version()"
enum sqlkit_dialect sqlkit_dialect_of(const struct sqlkit_table *table);
/* Replaces {since COL} and {since_utc COL} (seconds since a time without zone, local or UTC),
 * {now}, {utc}, {unix} (seconds since 1970) and {prefix} (NULL: none). NULL: out of memory, or an
 * unknown {word}. */
char *sqlkit_expand(const char *sql, enum sqlkit_dialect dialect, const char *prefix);

/* Does `name` match one of these patterns (as a shell's)? */
bool sqlkit_matches(char *const *patterns, const char *name);
/* "key=value" of a MAP; NULL. */
const char *sqlkit_map_get(char *const *map, const char *key);
/* Spans as people write them: "90 s", "12 min", "3 h", "2 d". */
enum { SQLKIT_SPAN_BYTES = 32 };
const char *sqlkit_span(double seconds, char buf[SQLKIT_SPAN_BYTES]);

/* Names for a sentence: "a, b, c and 12 more". */
struct sqlkit_names {
	char text[320];
	size_t n, shown, max_shown;
};
void sqlkit_names_add(struct sqlkit_names *names, const char *name);
const char *sqlkit_names_text(struct sqlkit_names *names);

#endif
