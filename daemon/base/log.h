/* SPDX-License-Identifier: MIT */
/*
 * base/log.h: one line says who, what and what happens next. Goes to journald by our own
 * non-blocking datagrams in its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/): when
 * its queue is full the line is dropped and counted, the caller never waits. Without journald, or
 * when log_to_stderr was asked for, to stderr as "<N>text" (sd-daemon) or plain on a terminal.
 * Never a secret. Not for signal handlers; from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>
#include <syslog.h>

void log_open(const char *identifier, int max_level); /* LOG_INFO by default */
void log_set_level(int max_level);
void log_to_stderr(void);
uint64_t log_dropped(void); /* lines lost to a full journald since start */

/* Extra fields: "TEND_CHECK=sales/db/login", ended by NULL; see log_fields. */
__attribute__((format(printf, 3, 4))) void log_at(
	int level, const char *const *fields, const char *format, ...);

#define log_debug(...)	 log_at(LOG_DEBUG, NULL, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_INFO, NULL, __VA_ARGS__)
#define log_notice(...)	 log_at(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, NULL, __VA_ARGS__)
#define log_error(...)	 log_at(LOG_ERR, NULL, __VA_ARGS__)

/* MESSAGE_IDs for what people filter by (128-bit, see sd-id128). */
#define LOG_ID_STATE	"MESSAGE_ID=5c1c3b0e7a3d4c5e9a52d1f2c8a0b7e1"
#define LOG_ID_INCIDENT "MESSAGE_ID=8e7f0c1d2b3a49f6b0d4e5c6a7f81921"
#define LOG_ID_RUN	"MESSAGE_ID=1f2e3d4c5b6a47988796a5b4c3d2e1f0"
#define LOG_ID_ACTION	"MESSAGE_ID=c0ffee5a7b8c4d9eaf01b2c3d4e5f607"
#define LOG_ID_DELIVERY "MESSAGE_ID=77aa66bb55cc44dd93ee22ff11008899"

#endif
