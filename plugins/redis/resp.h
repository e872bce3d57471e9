/* SPDX-License-Identifier: MIT */
/* redis/resp.h: replies of Redis (RESP2) as they come, and what its errors mean. Pure. */
#ifndef REDIS_RESP_H
#define REDIS_RESP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tend/reason.h>

enum { RESP_MAX_BULK_BYTES = 512 << 10, RESP_MAX_LINE_BYTES = 4096 };

enum resp_type { RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_BULK, RESP_NULL };
struct resp {
	enum resp_type type;
	const char *text; /* of status, error and bulk; lies in the input */
	size_t len;
	int64_t integer;
};
/* How many bytes the next reply takes; 0: it is not all there yet; -EBADMSG: it is none. Arrays are
 * none: nothing is asked that gives one. */
ssize_t resp_next(const char *data, size_t len, struct resp *ret_reply);
/* Of an error's text: its first word says which. */
enum tend_reason resp_error_reason(const char *text, size_t len);
/* *N $n arg ... into buf; returns the bytes, 0 = it does not fit. */
size_t resp_command(char *buf, size_t size, const char *const *words, size_t n_words);

#endif
