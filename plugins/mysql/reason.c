/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "myprobe.h"

/* The server's numbers, of MariaDB and MySQL, below 2000 and above 2999; the library's between. */
static const struct {
	unsigned number;
	enum tend_reason reason;
} known[] = {
	{1040, TEND_REASON_CONNECTIONS_FULL}, /* too many connections */
	{1203, TEND_REASON_CONNECTIONS_FULL}, /* of this user */
	{1226, TEND_REASON_CONNECTIONS_FULL}, /* max_user_connections of the account */
	{1044, TEND_REASON_ACCESS_DENIED},    /* to the database */
	{1142, TEND_REASON_ACCESS_DENIED},    /* to the table */
	{1143, TEND_REASON_ACCESS_DENIED},    /* to the column */
	{1227, TEND_REASON_ACCESS_DENIED},    /* a privilege is missing */
	{1370, TEND_REASON_ACCESS_DENIED},    /* to the routine */
	{1045, TEND_REASON_AUTH_FAILED}, {1130, TEND_REASON_AUTH_FAILED}, /* from this host */
	{1129, TEND_REASON_AUTH_FAILED}, /* this host is blocked: too many errors */
	{1251, TEND_REASON_AUTH_FAILED}, /* authentication protocol */
	{1698, TEND_REASON_AUTH_FAILED},
	{1820, TEND_REASON_AUTH_FAILED}, /* the password has expired */
	{1862, TEND_REASON_AUTH_FAILED},
	{2059, TEND_REASON_AUTH_FAILED}, /* the authentication plugin cannot be loaded */
	{2061, TEND_REASON_AUTH_FAILED},
	{3118, TEND_REASON_AUTH_FAILED},      /* the account is locked: MySQL */
	{4151, TEND_REASON_AUTH_FAILED},      /* MariaDB */
	{1046, TEND_REASON_DATABASE_MISSING}, /* none was chosen */
	{1049, TEND_REASON_DATABASE_MISSING},
	{1053, TEND_REASON_STARTING},	    /* the server is being shut down */
	{1054, TEND_REASON_OBJECT_MISSING}, /* column */
	{1109, TEND_REASON_OBJECT_MISSING}, {1146, TEND_REASON_OBJECT_MISSING}, /* table */
	{1305, TEND_REASON_OBJECT_MISSING},					/* routine */
	{1205, TEND_REASON_LOCKED},				     /* lock wait timeout */
	{1213, TEND_REASON_LOCKED},				     /* deadlock */
	{3572, TEND_REASON_LOCKED},				     /* nowait */
	{1290, TEND_REASON_READ_ONLY},				     /* --read-only */
	{1792, TEND_REASON_READ_ONLY},				     /* the transaction */
	{1836, TEND_REASON_READ_ONLY}, {1969, TEND_REASON_TOO_SLOW}, /* max_statement_time */
	{3024, TEND_REASON_TOO_SLOW},				     /* max_execution_time */
	{2006, TEND_REASON_PROTOCOL},				     /* the server has gone away */
	{2013, TEND_REASON_PROTOCOL},				     /* lost connection */
	{2014, TEND_REASON_PROTOCOL}, {2020, TEND_REASON_PROTOCOL},  /* packet too large */
	{2027, TEND_REASON_PROTOCOL},				     /* malformed packet */
};

static bool find(unsigned number, enum tend_reason *ret_reason)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].number == number) {
			*ret_reason = known[i].reason;
			return true;
		}
	}
	return false;
}

/* "Can't connect to server on '127.0.0.1' (111)": the system's number. */
static enum tend_reason system_reason(const char *text)
{
	const char *p = strrchr(text, '(');

	switch (p ? atoi(p + 1) : 0) {
	case ECONNREFUSED:
	case ENOENT: /* no socket: nobody listens either */
		return TEND_REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
	case EINPROGRESS:
	case EALREADY:
		return TEND_REASON_CONNECT_TIMEOUT;
	default:
		return TEND_REASON_CONNECT_FAILED;
	}
}

/* As OpenSSL and the library word it. */
static enum tend_reason tls_reason(const char *text)
{
	static const struct {
		const char *words;
		enum tend_reason reason;
	} rows[] = {
		{"has expired", TEND_REASON_TLS_EXPIRED},
		{"not yet valid", TEND_REASON_TLS_EXPIRED},
		{"revoked", TEND_REASON_TLS_REVOKED},
		{"host name", TEND_REASON_TLS_NAME},
		{"hostname", TEND_REASON_TLS_NAME},
		{"Validation of SSL server certificate failed", TEND_REASON_TLS_NAME},
		{"certificate verify failed", TEND_REASON_TLS_UNTRUSTED},
		{"self-signed", TEND_REASON_TLS_UNTRUSTED},
		{"self signed", TEND_REASON_TLS_UNTRUSTED},
		{"unable to get", TEND_REASON_TLS_UNTRUSTED},
		{"unsupported protocol", TEND_REASON_TLS_WEAK},
		{"no protocols available", TEND_REASON_TLS_WEAK},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strstr(text, rows[i].words))
			return rows[i].reason;
	return TEND_REASON_TLS_FAILED;
}

enum tend_reason myprobe_connect_reason(unsigned number, const char *text)
{
	enum tend_reason reason;

	switch (number) {
	case 2001: /* no socket can be made */
	case 2002: /* by the unix socket */
	case 2003: /* by TCP */
	case 2004:
		return system_reason(text);
	case 2005:
		return TEND_REASON_DNS_FAILED;
	case 2026:
		return tls_reason(text);
	default:
		return find(number, &reason) ? reason : TEND_REASON_CONNECT_FAILED;
	}
}

enum tend_reason myprobe_query_reason(unsigned number)
{
	enum tend_reason reason;

	return find(number, &reason) ? reason : TEND_REASON_QUERY_FAILED;
}
