/* SPDX-License-Identifier: MIT */
#include "resp.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "123\r"; -EBADMSG */
static int parse_number(const char *p, size_t len, int64_t *ret_number)
{
	int64_t n = 0;
	size_t i = 0;
	int sign = 1;

	if (len > 0 && p[0] == '-')
		sign = -1, i++;
	if (i == len || len > 19)
		return -EBADMSG;
	for (; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EBADMSG;
		if (n > (INT64_MAX - 9) / 10)
			return -EBADMSG;
		n = n * 10 + (p[i] - '0');
	}
	*ret_number = sign * n;
	return 0;
}

static ssize_t next_bulk(
	const char *data, size_t len, size_t head, int64_t n, struct resp *ret_reply)
{
	if (n == -1) {
		*ret_reply = (struct resp){.type = RESP_NULL, .text = ""};
		return (ssize_t)head;
	}
	if (n < 0 || n > RESP_MAX_BULK_BYTES)
		return -EBADMSG;
	if (len < head + (size_t)n + 2)
		return 0;
	if (memcmp(data + head + n, "\r\n", 2) != 0)
		return -EBADMSG;
	*ret_reply = (struct resp){.type = RESP_BULK, .text = data + head, .len = (size_t)n};
	return (ssize_t)(head + (size_t)n + 2);
}

ssize_t resp_next(const char *data, size_t len, struct resp *ret_reply)
{
	const char *end;
	size_t n;
	int64_t number = 0;

	if (len == 0)
		return 0;
	if (!strchr("+-:$", data[0]) || data[0] == '\0')
		return -EBADMSG;
	end = memchr(data, '\r', len < RESP_MAX_LINE_BYTES ? len : RESP_MAX_LINE_BYTES);
	if (!end)
		return len >= RESP_MAX_LINE_BYTES ? -EBADMSG : 0;
	n = (size_t)(end - data);
	if (len < n + 2)
		return 0;
	if (end[1] != '\n')
		return -EBADMSG;
	if ((data[0] == ':' || data[0] == '$') && parse_number(data + 1, n - 1, &number) < 0)
		return -EBADMSG;
	if (data[0] == '$')
		return next_bulk(data, len, n + 2, number, ret_reply);
	*ret_reply = (struct resp){
		.type = data[0] == ':'	 ? RESP_INTEGER
			: data[0] == '-' ? RESP_ERROR
					 : RESP_STATUS,
		.text = data + 1,
		.len = n - 1,
		.integer = number,
	};
	return (ssize_t)(n + 2);
}

enum tend_reason resp_error_reason(const char *text, size_t len)
{
	static const struct {
		const char *begins;
		enum tend_reason reason;
	} rows[] = {
		{"NOAUTH", TEND_REASON_AUTH_FAILED},
		{"WRONGPASS", TEND_REASON_AUTH_FAILED},
		{"ERR invalid password", TEND_REASON_AUTH_FAILED}, /* before Redis 6 */
		{"ERR AUTH", TEND_REASON_AUTH_FAILED},		   /* there is no password */
		{"ERR Client sent AUTH", TEND_REASON_AUTH_FAILED},
		{"NOPERM", TEND_REASON_ACCESS_DENIED},
		{"DENIED", TEND_REASON_ACCESS_DENIED}, /* protected mode */
		{"LOADING", TEND_REASON_STARTING},
		{"MASTERDOWN", TEND_REASON_REPLICATION_BROKEN},
		{"BUSY", TEND_REASON_LOCKED}, /* by a script */
		{"MISCONF", TEND_REASON_READ_ONLY},
		{"READONLY", TEND_REASON_READ_ONLY},
		{"ERR max number of clients", TEND_REASON_CONNECTIONS_FULL},
		{"ERR DB index", TEND_REASON_DATABASE_MISSING},
		{"ERR invalid DB index", TEND_REASON_DATABASE_MISSING},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t n = strlen(rows[i].begins);

		if (len >= n && memcmp(text, rows[i].begins, n) == 0)
			return rows[i].reason;
	}
	return TEND_REASON_QUERY_FAILED;
}

size_t resp_command(char *buf, size_t size, const char *const *words, size_t n_words)
{
	int n = snprintf(buf, size, "*%zu\r\n", n_words);
	size_t used = (size_t)n;

	for (size_t i = 0; i < n_words && used < size; i++) {
		n = snprintf(buf + used, size - used, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
		used += (size_t)n;
	}
	return used < size ? used : 0;
}
