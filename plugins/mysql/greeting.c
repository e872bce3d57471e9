/* SPDX-License-Identifier: MIT */
/* What a server says first, looked at before the library reads it: that would take the first three
 * bytes of any protocol for a length and wait for so much. */
#include <string.h>
#include "myprobe.h"

enum {
	HEADER_BYTES = 4,
	PROTOCOL_VERSION = 10,
	ERROR_PACKET = 0xff,
	MAX_GREETING_BYTES = 4096,
	SALT_BYTES = 8,
	CLIENT_SSL = 0x0800, /* in the lower half of the capabilities */
};

/* Protocol::HandshakeV10: version 10, the server's version as text, its thread's number (4), salt
 * (8), a zero, the lower half of the capabilities (2), ... */
static enum greeting take_body(const unsigned char *body, size_t have, size_t length, bool *ret_tls)
{
	const unsigned char *end = memchr(body + 1, '\0', have - 1);
	size_t at;

	if (!end)
		return have < length && have < GREETING_PEEK_BYTES - HEADER_BYTES ? GREETING_MORE
										  : GREETING_NONE;
	at = (size_t)(end - body) + 1 + 4 + SALT_BYTES + 1;
	if (at + 2 > length)
		return GREETING_NONE;
	if (at + 2 > have)
		return GREETING_MORE;
	*ret_tls = ((body[at] | body[at + 1] << 8) & CLIENT_SSL) != 0;
	return GREETING_OK;
}

enum greeting myprobe_greeting(const unsigned char *bytes, size_t n, bool *ret_tls)
{
	size_t length;

	if (n <= HEADER_BYTES)
		return GREETING_MORE;
	length = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
	if (length == 0 || length > MAX_GREETING_BYTES || bytes[3] != 0)
		return GREETING_NONE;
	if (bytes[4] == ERROR_PACKET)
		return length >= 3 ? GREETING_ERROR : GREETING_NONE;
	if (bytes[4] != PROTOCOL_VERSION)
		return GREETING_NONE;
	return take_body(bytes + HEADER_BYTES,
		n - HEADER_BYTES < length ? n - HEADER_BYTES : length, length, ret_tls);
}
