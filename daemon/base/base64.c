/* SPDX-License-Identifier: MIT */
#include "base/base64.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const unsigned char *p = data;
	char *text = malloc((len + 2) / 3 * 4 + 1), *q = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		v |= i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < len ? p[i + 2] : 0;
		*q++ = alphabet[v >> 18];
		*q++ = alphabet[v >> 12 & 63];
		*q++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		*q++ = i + 2 < len ? alphabet[v & 63] : '=';
	}
	*q = '\0';
	return text;
}

int base64_decode(const char *text, void **ret_data, size_t *ret_len)
{
	size_t len = strlen(text), n_pad = 0, n = 0;
	unsigned char *out;

	if (len % 4 != 0)
		return -EINVAL;
	while (n_pad < 2 && len > n_pad && text[len - 1 - n_pad] == '=')
		n_pad++;
	out = malloc(len / 4 * 3 + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			const char *at = i + j < len - n_pad && text[i + j]
						 ? strchr(alphabet, text[i + j])
						 : NULL;
			if (!at && i + j < len - n_pad) {
				free(out);
				return -EINVAL;
			}
			v = v << 6 | (uint32_t)(at ? at - alphabet : 0);
		}
		out[n++] = (unsigned char)(v >> 16);
		out[n++] = (unsigned char)(v >> 8);
		out[n++] = (unsigned char)v;
	}
	*ret_data = out;
	*ret_len = n - n_pad;
	return 0;
}
