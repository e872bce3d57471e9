/* SPDX-License-Identifier: MIT */
#include "exec/launch.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-";
static const char hex[] = "0123456789ABCDEF";

static char *encode_arg(const char *arg)
{
	char *text = malloc(3 * strlen(arg) + 2), *p = text;

	if (!text)
		return NULL;
	/* An empty argument must stay one. */
	if (!*arg)
		*p++ = '=';
	for (; *arg; arg++) {
		unsigned char c = (unsigned char)*arg;

		if (strchr(plain, c)) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '=';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p = '\0';
	return text;
}

int launch_encode(const char *self, char *const *argv, char ***ret_argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	auto(strv_free) char **encoded = calloc(n + 3, sizeof(char *));
	if (!encoded || !(encoded[0] = strdup(self)) || !(encoded[1] = strdup(LAUNCH_OPTION)))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!(encoded[i + 2] = encode_arg(argv[i])))
			return -ENOMEM;
	*ret_argv = TAKE(encoded);
	return 0;
}

static int digit(char c)
{
	const char *p = c ? strchr(hex, c) : NULL;

	return p ? (int)(p - hex) : -1;
}

int launch_decode(const char *text, char **ret_arg)
{
	auto_free char *arg = malloc(strlen(text) + 1);
	char *p = arg;

	if (!arg)
		return -ENOMEM;
	if (strcmp(text, "=") == 0)
		text++;
	while (*text) {
		int c = (unsigned char)*text;

		if (c == '=') {
			int high = digit(text[1]), low = high < 0 ? -1 : digit(text[2]);

			c = high < 0 || low < 0 ? 0 : high << 4 | low;
			text += 3;
		} else if (strchr(plain, c)) {
			text++;
		} else {
			return -EINVAL;
		}
		if (c == 0)
			return -EINVAL;
		*p++ = (char)c;
	}
	*p = '\0';
	*ret_arg = TAKE(arg);
	return 0;
}

int launch_run(char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	auto(strv_free) char **decoded = calloc(n + 1, sizeof(char *));
	for (size_t i = 0; decoded && i < n; i++) {
		int r = launch_decode(argv[i], &decoded[i]);

		if (r < 0) {
			(void)fprintf(stderr, "tend-exec: argument %zu: %s\n", i, strerror(-r));
			return LAUNCH_FAILED;
		}
	}
	if (!decoded || n == 0 || decoded[0][0] != '/')
		return LAUNCH_FAILED;
	(void)execv(decoded[0], decoded);
	(void)fprintf(stderr, "tend-exec: cannot execute %s: %s\n", decoded[0], strerror(errno));
	return LAUNCH_FAILED;
}
