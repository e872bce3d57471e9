/* SPDX-License-Identifier: MIT */
#include "postgres.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_code(const char *p)
{
	for (int i = 0; i < 5; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'A' && p[i] <= 'Z')))
			return false;
	return p[5] == ':' && p[6] == ' ';
}

/* "FATAL:  28P01: password authentication failed": the code stands after the first ":  ", however
 * the severity is called in the server's language. */
static const char *find_code(const char *message)
{
	for (const char *p = strstr(message, ":  "); p; p = strstr(p + 1, ":  "))
		if (is_code(p + 3))
			return p + 3;
	return NULL;
}

bool postgres_message_sqlstate(const char *message, char ret_sqlstate[6])
{
	const char *code = find_code(message);

	if (!code)
		return false;
	memcpy(ret_sqlstate, code, 5);
	ret_sqlstate[5] = '\0';
	return true;
}

/* libpq's own words repeat where it tried to connect, and guess on a second line. */
static const char *after_preamble(const char *message)
{
	static const char failed[] = " failed: ";
	const char *p = strstr(message, failed);

	return strncmp(message, "connection to server ", 21) == 0 && p ? p + sizeof(failed) - 1
								       : message;
}

const char *postgres_message_text(const char *message, char *buf, size_t size)
{
	const char *code = find_code(message);
	const char *start = code ? code + 7 : after_preamble(message);
	size_t n = strcspn(start, "\n");

	(void)snprintf(buf, size, "%.*s", (int)(n < size ? n : size - 1), start);
	return buf;
}

static bool starts(const char *sqlstate, const char *class)
{
	return strncmp(sqlstate, class, strlen(class)) == 0;
}

static enum tend_reason local_reason(const char *message)
{
	if (strstr(message, strerror(ECONNREFUSED)) || strstr(message, strerror(ENOENT)))
		return TEND_REASON_CONNECT_REFUSED; /* no socket file: nobody listens either */
	if (strstr(message, strerror(ETIMEDOUT)))
		return TEND_REASON_CONNECT_TIMEOUT;
	if (strstr(message, "expected authentication request") ||
		strstr(message, "invalid response"))
		return TEND_REASON_PROTOCOL;
	if (strstr(message, "certificate has expired") || strstr(message, "not yet valid"))
		return TEND_REASON_TLS_EXPIRED;
	if (strstr(message, "does not match host name"))
		return TEND_REASON_TLS_NAME;
	if (strstr(message, "certificate verify failed"))
		return TEND_REASON_TLS_UNTRUSTED;
	if (strstr(message, "SSL"))
		return TEND_REASON_TLS_FAILED;
	return TEND_REASON_CONNECT_FAILED;
}

/* What the server says of itself, whenever it says so: of a code, or of a class of them. */
static const struct {
	const char *sqlstate;
	enum tend_reason reason;
} server_reasons[] = {
	{"28", TEND_REASON_AUTH_FAILED}, /* password, pg_hba, NOLOGIN */
	{"08P", TEND_REASON_PROTOCOL}, {"3D000", TEND_REASON_DATABASE_MISSING},
	{"42501", TEND_REASON_ACCESS_DENIED}, {"42P01", TEND_REASON_OBJECT_MISSING}, /* table */
	{"42703", TEND_REASON_OBJECT_MISSING},					     /* column */
	{"42883", TEND_REASON_OBJECT_MISSING},					     /* function */
	{"3F000", TEND_REASON_OBJECT_MISSING},					     /* schema */
	{"53300", TEND_REASON_CONNECTIONS_FULL},
	{"57P01", TEND_REASON_STARTING}, /* admin_shutdown */
	{"57P02", TEND_REASON_STARTING}, /* crash_shutdown */
	{"57P03", TEND_REASON_STARTING}, /* cannot_connect_now */
	{"55P03", TEND_REASON_LOCKED},	 /* our lock_timeout */
	{"25006", TEND_REASON_READ_ONLY},
	{"57014", TEND_REASON_TOO_SLOW}, /* our statement_timeout */
};

static enum tend_reason server_reason(const char *sqlstate, enum tend_reason other)
{
	for (size_t i = 0; i < sizeof(server_reasons) / sizeof(server_reasons[0]); i++)
		if (starts(sqlstate, server_reasons[i].sqlstate))
			return server_reasons[i].reason;
	return other;
}

enum tend_reason postgres_connect_reason(const char *message, bool needs_password)
{
	char sqlstate[6];

	if (needs_password)
		return TEND_REASON_AUTH_FAILED;
	if (!postgres_message_sqlstate(message, sqlstate))
		return local_reason(message);
	return server_reason(sqlstate, TEND_REASON_CONNECT_FAILED);
}

enum tend_reason postgres_query_reason(const char *sqlstate)
{
	return server_reason(sqlstate, TEND_REASON_QUERY_FAILED);
}
