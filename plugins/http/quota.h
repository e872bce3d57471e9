/* SPDX-License-Identifier: MIT */
/*
 * http/quota.h: what the headers of an answer say of a quota: used and allowed, what is left.
 * Pure; header values are foreign.
 */
#ifndef HTTP_QUOTA_H
#define HTTP_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

struct quota {
	bool has_used, has_max, has_left;
	double used, max, left;
};
/* "api-usage=18/5000", "18/5000", "18": the first number, and the one after a slash. */
void quota_read_used(struct quota *q, const char *value, size_t len);
void quota_read_max(struct quota *q, const char *value, size_t len);
void quota_read_left(struct quota *q, const char *value, size_t len);
/* What follows from the others. */
void quota_complete(struct quota *q);
bool quota_is_used_up(const struct quota *q);

#endif
