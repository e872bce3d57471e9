/* SPDX-License-Identifier: MIT */
#include "common/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *text_quote(const char *data, size_t len, size_t max, char *buf, size_t size)
{
	size_t n = 0, i = 0;

	if (size < max + 6)
		max = size > 6 ? size - 6 : 0;
	if (size < 7)
		return "";
	buf[n++] = '\'';
	for (; i < len && n <= max; i++) {
		char c = data[i];

		if (c == ' ' || c == '\r' || c == '\n' || c == '\t') {
			if (n > 1 && buf[n - 1] != ' ' && i + 1 < len)
				buf[n++] = ' ';
		} else {
			buf[n++] = c > 0x20 && c < 0x7f ? c : '.';
		}
	}
	while (n > 1 && buf[n - 1] == ' ')
		n--;
	if (i < len) {
		memcpy(buf + n, "...", 3);
		n += 3;
	}
	buf[n++] = '\'';
	buf[n] = '\0';
	return buf;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of what follows a backslash: the byte, and how many characters it took; 0 = no such escape. */
static size_t unescape_one(const char *p, char *ret_byte)
{
	static const char names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	const char *at = *p ? strchr(names, *p) : NULL;

	if (at) {
		*ret_byte = bytes[at - names];
		return 1;
	}
	if (*p != 'x' || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
		return 0;
	*ret_byte = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
	return 3;
}

int text_unescape(const char *text, char **ret_data, size_t *ret_len)
{
	char *data = malloc(strlen(text) + 1);
	size_t n = 0;

	if (!data)
		return -ENOMEM;
	for (const char *p = text; *p;) {
		size_t took;

		if (*p != '\\') {
			data[n++] = *p++;
			continue;
		}
		took = unescape_one(p + 1, &data[n++]);
		if (took == 0) {
			free(data);
			return -EINVAL;
		}
		p += 1 + took;
	}
	data[n] = '\0';
	*ret_data = data;
	*ret_len = n;
	return 0;
}
