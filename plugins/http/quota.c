/* SPDX-License-Identifier: MIT */
#include "quota.h"
#include <string.h>

enum { VALUE_BYTES = 128, MAX_DIGITS = 15 };

/* The first number from *text on; moves behind it. */
static bool number(const char **text, double *ret_value)
{
	const char *p = *text + strcspn(*text, "0123456789");
	double value = 0;
	unsigned n = 0;

	if (!*p)
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (++n <= MAX_DIGITS)
			value = value * 10 + (*p - '0');
	*text = p;
	*ret_value = value;
	return true;
}

static const char *copy(const char *value, size_t len, char buf[VALUE_BYTES])
{
	size_t n = len < VALUE_BYTES - 1 ? len : VALUE_BYTES - 1;

	memcpy(buf, value, n);
	buf[n] = '\0';
	return buf;
}

void quota_read_used(struct quota *q, const char *value, size_t len)
{
	char buf[VALUE_BYTES];
	const char *p = copy(value, len, buf);

	if (!number(&p, &q->used))
		return;
	q->has_used = true;
	p += strspn(p, " ");
	if (*p == '/')
		q->has_max = number(&p, &q->max) || q->has_max;
}

void quota_read_max(struct quota *q, const char *value, size_t len)
{
	char buf[VALUE_BYTES];
	const char *p = copy(value, len, buf);

	q->has_max = number(&p, &q->max) || q->has_max;
}

void quota_read_left(struct quota *q, const char *value, size_t len)
{
	char buf[VALUE_BYTES];
	const char *p = copy(value, len, buf);

	/* Below zero is nothing left, too. */
	if (!number(&p, &q->left))
		return;
	q->has_left = true;
	if (strchr(buf, '-') && strchr(buf, '-') < p)
		q->left = 0;
}

void quota_complete(struct quota *q)
{
	if (q->has_max && q->has_used && !q->has_left) {
		q->left = q->max > q->used ? q->max - q->used : 0;
		q->has_left = true;
	} else if (q->has_max && q->has_left && !q->has_used) {
		q->used = q->max > q->left ? q->max - q->left : 0;
		q->has_used = true;
	}
}

bool quota_is_used_up(const struct quota *q)
{
	return q->has_left && q->left <= 0;
}
