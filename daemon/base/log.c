/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/str.h"

enum { LOG_LINE_BYTES = 2048, LOG_MAX_FIELDS = 12 };

static int journal_fd = -1;
static int level_max = LOG_INFO;
static const char *identifier = "tend";
static atomic_uint_fast64_t n_dropped;

void log_open(const char *ident, int max_level)
{
	static const struct sockaddr_un address = {
		.sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/socket",
	};

	identifier = ident;
	level_max = max_level;
	if (journal_fd >= 0 || isatty(STDERR_FILENO) || !getenv("JOURNAL_STREAM"))
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		safe_close(fd);
		return;
	}
	journal_fd = fd;
}

void log_set_level(int max_level)
{
	level_max = max_level;
}

void log_to_stderr(void)
{
	journal_fd = safe_close(journal_fd);
}

uint64_t log_dropped(void)
{
	return atomic_load(&n_dropped);
}

static void log_stderr(int level, const char *text)
{
	int n = isatty(STDERR_FILENO) ? fprintf(stderr, "%s\n", text)
				      : fprintf(stderr, "<%d>%s\n", level, text);
	if (n < 0)
		atomic_fetch_add(&n_dropped, 1);
}

/* Text holds no newline (str_sanitize), so the simple form KEY=VALUE\n of the protocol serves. */
static void log_journal(int level, const char *const *fields, const char *text)
{
	char head[128];
	struct iovec iov[4 + 2 * LOG_MAX_FIELDS];
	static const char newline[] = "\n";
	int n = 0, head_len = snprintf(head, sizeof(head),
			   "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=", level, identifier);

	iov[n++] = (struct iovec){head, (size_t)head_len};
	iov[n++] = (struct iovec){(void *)(uintptr_t)text, strlen(text)};
	iov[n++] = (struct iovec){(void *)(uintptr_t)newline, 1};
	for (int i = 0; fields && fields[i] && i < LOG_MAX_FIELDS; i++) {
		if (strchr(fields[i], '\n'))
			continue;
		iov[n++] = (struct iovec){(void *)(uintptr_t)fields[i], strlen(fields[i])};
		iov[n++] = (struct iovec){(void *)(uintptr_t)newline, 1};
	}
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	if (sendmsg(journal_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return;
	if (errno == ECONNREFUSED || errno == ENOTCONN) {
		/* journald was restarted: one try to find its new socket. */
		journal_fd = safe_close(journal_fd);
		log_open(identifier, level_max);
		if (journal_fd >= 0 && sendmsg(journal_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return;
	}
	atomic_fetch_add(&n_dropped, 1);
}

void log_at(int level, const char *const *fields, const char *format, ...)
{
	char raw[LOG_LINE_BYTES], text[LOG_LINE_BYTES];
	int saved = errno;
	va_list ap;

	if (level > level_max)
		return;
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	if (journal_fd >= 0)
		log_journal(level, fields, text);
	else
		log_stderr(level, text);
	errno = saved;
}
