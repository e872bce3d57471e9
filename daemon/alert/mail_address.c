/* SPDX-License-Identifier: MIT */
#include "alert/mail_address.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "base/str.h"

enum { LOCAL_BYTES = 64, LABEL_BYTES = 63 }; /* RFC 5321, 4.5.3.1; RFC 1035 */

/* atext of RFC 5322 and dots between. */
static bool is_local(const char *text, size_t len)
{
	if (len == 0 || len > LOCAL_BYTES || text[0] == '.' || text[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80 || (!isalnum(c) && !strchr("!#$%&'*+-/=?^_`{|}~.", c)) || c == '\0')
			return false;
		if (c == '.' && text[i + 1] == '.')
			return false;
	}
	return true;
}

static bool is_domain(const char *text)
{
	for (const char *label = text;; label++) {
		size_t n = strcspn(label, ".");

		if (n == 0 || n > LABEL_BYTES || label[0] == '-' || label[n - 1] == '-')
			return false;
		for (size_t i = 0; i < n; i++) {
			unsigned char c = (unsigned char)label[i];

			if (c >= 0x80 || (!isalnum(c) && c != '-'))
				return false;
		}
		label += n;
		if (!*label)
			return true;
	}
}

static int set_address(struct mail_address *ret, const char *text, size_t len)
{
	const char *at;

	if (len >= sizeof(ret->address))
		return -EINVAL;
	memcpy(ret->address, text, len);
	ret->address[len] = '\0';
	at = strchr(ret->address, '@');
	if (!at || !is_local(ret->address, (size_t)(at - ret->address)) || !is_domain(at + 1))
		return -EINVAL;
	return 0;
}

static int set_name(struct mail_address *ret, const char *text, size_t len)
{
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(ret->name) || !str_utf8_valid(text, len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f || strchr("<>\"\\", text[i]))
			return -EINVAL;
	memcpy(ret->name, text, len);
	ret->name[len] = '\0';
	return 0;
}

int mail_address_parse(const char *text, struct mail_address *ret_address)
{
	struct mail_address one = {0};
	size_t len;
	int r;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && strchr(" \t", text[len - 1]))
		len--;
	if (len > 0 && text[len - 1] == '>') {
		const char *open = memchr(text, '<', len);
		size_t n = open ? (size_t)(open - text) : 0;

		if (!open)
			return -EINVAL;
		r = set_address(&one, open + 1, len - n - 2);
		while (n > 0 && strchr(" \t", text[n - 1]))
			n--;
		if (r == 0)
			r = set_name(&one, text, n);
	} else {
		r = set_address(&one, text, len);
	}
	if (r == 0)
		*ret_address = one;
	return r;
}
