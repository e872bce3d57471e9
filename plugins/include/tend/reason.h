/* SPDX-License-Identifier: MIT */
/*
 * tend/reason.h: why a result is what it is. One table for every probe: code, name on the wire and
 * in configuration, default verdict, text for people, value in TEND-MIB. Values are part of the ABI
 * and of the MIB: never renumber, only add before _MAX.
 */
#ifndef TEND_REASON_H
#define TEND_REASON_H

#include <stddef.h>

enum tend_state {
	TEND_STATE_OK = 0,
	TEND_STATE_WARNING = 1,
	TEND_STATE_CRITICAL = 2,
	TEND_STATE_UNKNOWN = 3,
	TEND_STATE_PENDING = 4,	    /* before the first result, or the first report */
	TEND_STATE_UNREACHABLE = 5, /* a dependency is down */
	TEND_STATE_MAX,
};

/* X(CODE, value, "name", default verdict, "text") */
#define TEND_REASONS(X)                                                                            \
	X(OK, 0, "ok", OK, "as expected")                                                          \
	X(DNS_FAILED, 1, "dns-failed", CRITICAL, "the name does not resolve")                      \
	X(CONNECT_REFUSED, 2, "connect-refused", CRITICAL, "connection refused")                   \
	X(CONNECT_TIMEOUT, 3, "connect-timeout", CRITICAL, "no connection in time")                \
	X(CONNECT_FAILED, 4, "connect-failed", CRITICAL, "cannot connect")                         \
	X(TLS_EXPIRED, 5, "tls-expired", CRITICAL, "the certificate has expired")                  \
	X(TLS_UNTRUSTED, 6, "tls-untrusted", CRITICAL, "the certificate is not trusted")           \
	X(TLS_FAILED, 7, "tls-failed", CRITICAL, "the TLS handshake failed")                       \
	X(AUTH_FAILED, 8, "auth-failed", CRITICAL, "the log-in was refused")                       \
	X(PROTOCOL, 9, "protocol", CRITICAL, "the answer breaks the protocol")                     \
	X(STATUS_UNEXPECTED, 10, "status-unexpected", CRITICAL, "unexpected status")               \
	X(CONTENT_UNEXPECTED, 11, "content-unexpected", CRITICAL, "unexpected content")            \
	X(THRESHOLD, 12, "threshold", CRITICAL, "a metric is outside its range")                   \
	X(TOO_SLOW, 13, "too-slow", CRITICAL, "no answer in time")                                 \
	X(OVERRUN, 14, "overrun", UNKNOWN, "the attempt before had not ended")                     \
	X(QUERY_FAILED, 15, "query-failed", CRITICAL, "the query failed")                          \
	X(UNIT_FAILED, 16, "unit-failed", CRITICAL, "the unit has failed")                         \
	X(UNIT_INACTIVE, 17, "unit-inactive", CRITICAL, "the unit is not running")                 \
	X(UNIT_STOPPED, 18, "unit-stopped", CRITICAL, "the unit was stopped by an operator")       \
	X(UNIT_MISSING, 19, "unit-missing", CRITICAL, "there is no such unit")                     \
	X(UNIT_CHANGING, 20, "unit-changing", WARNING, "the unit is starting or stopping")         \
	X(CANCELLED, 21, "cancelled", UNKNOWN, "the attempt was cancelled")                        \
	X(NO_EVIDENCE, 22, "no-evidence", UNKNOWN, "what would tell cannot be read")               \
	X(INTERNAL, 23, "internal", UNKNOWN, "the probe itself failed")                            \
	X(REPORTED_WARNING, 24, "reported-warning", WARNING, "reported as a warning")              \
	X(REPORTED_CRITICAL, 25, "reported-critical", CRITICAL, "reported as critical")            \
	X(REPORTED_UNKNOWN, 26, "reported-unknown", UNKNOWN, "reported as unknown")                \
	X(REPORT_MISSING, 27, "report-missing", CRITICAL, "no report came in time")                \
	X(PROGRAM_WARNING, 28, "program-warning", WARNING, "the program says warning")             \
	X(PROGRAM_CRITICAL, 29, "program-critical", CRITICAL, "the program says critical")         \
	X(PROGRAM_UNKNOWN, 30, "program-unknown", UNKNOWN, "the program cannot tell")              \
	X(PROGRAM_FAILED, 31, "program-failed", UNKNOWN, "the program cannot be run")              \
	X(SPAWN_LOST, 32, "spawn-lost", UNKNOWN, "tend-spawn ended during the attempt")            \
	X(JOB_STUCK, 33, "job-stuck", CRITICAL, "the job began and does not end")                  \
	X(GROUP_DOWN, 34, "group-down", CRITICAL, "too few members of the group are well")         \
	X(TLS_NAME, 35, "tls-name", CRITICAL, "the certificate is for another name")               \
	X(TLS_EXPIRES, 36, "tls-expires", WARNING, "the certificate expires soon")                 \
	X(TLS_WEAK, 37, "tls-weak", CRITICAL, "protocol or cipher below the floor")                \
	X(TLS_REVOKED, 38, "tls-revoked", CRITICAL, "the certificate is revoked")                  \
	X(NO_REPLY, 39, "no-reply", CRITICAL, "the host does not answer")                          \
	X(DNS_UNEXPECTED, 40, "dns-unexpected", CRITICAL, "not the expected records")              \
	X(OBJECT_MISSING, 41, "object-missing", CRITICAL, "what is asked for does not exist")      \
	X(READ_ONLY, 42, "read-only", CRITICAL, "it takes no writes")                              \
	X(LOCKED, 43, "locked", CRITICAL, "it waits for a lock")                                   \
	X(CONNECTIONS_FULL, 44, "connections-full", CRITICAL, "no free connection")                \
	X(REPLICATION_BROKEN, 45, "replication-broken", CRITICAL, "replication does not run")      \
	X(SCHEMA_CHANGED, 46, "schema-changed", CRITICAL, "the schema is not what it was")         \
	X(ROWS_LOST, 47, "rows-lost", CRITICAL, "rows are gone")                                   \
	X(STALE, 48, "stale", CRITICAL, "the last success is too old")                             \
	X(DATA_QUALITY, 49, "data-quality", WARNING, "records break a rule")                       \
	X(OUT_OF_SYNC, 50, "out-of-sync", CRITICAL, "the two sides differ")                        \
	X(VERSION_MISMATCH, 51, "version-mismatch", CRITICAL, "the versions do not fit")           \
	X(PROCESS_MISSING, 52, "process-missing", CRITICAL, "too few processes")                   \
	X(FILE_MISSING, 53, "file-missing", CRITICAL, "there is no such file")                     \
	X(FILE_CHANGED, 54, "file-changed", CRITICAL, "the file is not as declared")               \
	X(PATTERN_SEEN, 55, "pattern-seen", CRITICAL, "the log holds the pattern")                 \
	X(PATTERN_NEW, 56, "pattern-new", WARNING, "a message never seen before")                  \
	X(UNDECLARED, 57, "undeclared", CRITICAL, "not what the baseline declares")                \
	X(NOT_RUN, 58, "not-run", CRITICAL, "it did not run when it was due")                      \
	X(DATABASE_MISSING, 59, "database-missing", CRITICAL, "there is no such database")         \
	X(ACCESS_DENIED, 60, "access-denied", CRITICAL, "the right to do this is missing")         \
	X(QUOTA, 61, "quota", CRITICAL, "the quota is used up")                                    \
	X(OFF_BASELINE, 62, "off-baseline", WARNING, "a metric is far from its usual value")       \
	X(FORECAST, 63, "forecast", WARNING, "a limit will be passed soon")                        \
	X(STARTING, 64, "starting", CRITICAL, "it is starting or shutting down")                   \
	X(STEP_FAILED, 65, "step-failed", CRITICAL, "a step of the flow failed")                   \
	X(REPORT_AWAITED, 66, "report-awaited", PENDING, "nothing was reported yet")

enum tend_reason {
#define X(code, value, name, verdict, text) TEND_REASON_##code = (value),
	TEND_REASONS(X)
#undef X
		TEND_REASON_MAX
};

const char *tend_reason_name(enum tend_reason reason);
const char *tend_reason_text(enum tend_reason reason);
/* What kind of trouble it is: network, tls, ...; for policies that care for no more. */
const char *tend_reason_category(enum tend_reason reason);
enum { TEND_REASON_MAX_CATEGORIES = 16 };
/* Each once; returns how many. */
size_t tend_reason_categories(const char *ret_names[TEND_REASON_MAX_CATEGORIES]);
enum tend_state tend_reason_verdict(enum tend_reason reason);
int tend_reason_from_name(const char *name); /* -ENOENT */
const char *tend_state_name(enum tend_state state);
int tend_state_from_name(const char *name); /* -ENOENT */

#endif
