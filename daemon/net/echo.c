/* SPDX-License-Identifier: MIT */
#include "net/echo.h"
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>

static uint16_t checksum(const unsigned char *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(unsigned char *p, uint16_t value)
{
	p[0] = (unsigned char)(value >> 8);
	p[1] = (unsigned char)value;
}

size_t echo_build(
	int family, const struct echo *echo, size_t payload_bytes, unsigned char *buf, size_t size)
{
	size_t len = ECHO_HEADER_BYTES + payload_bytes;

	if (payload_bytes < ECHO_NONCE_BYTES || len > size)
		return 0;
	memset(buf, 0, ECHO_HEADER_BYTES);
	buf[0] = family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	put16(buf + 4, echo->id);
	put16(buf + 6, echo->sequence);
	memcpy(buf + ECHO_HEADER_BYTES, &echo->nonce, ECHO_NONCE_BYTES);
	for (size_t i = ECHO_HEADER_BYTES + ECHO_NONCE_BYTES; i < len; i++)
		buf[i] = (unsigned char)i;
	if (family != AF_INET6)
		put16(buf + 2, checksum(buf, len));
	return len;
}

bool echo_parse(int family, bool with_ip, const void *data, size_t len, struct echo *ret_echo)
{
	const unsigned char *p = data;
	size_t header;

	if (with_ip) {
		header = len > 0 ? (size_t)(p[0] & 0x0f) * 4 : 0;
		if (header < 20 || header > len || p[0] >> 4 != 4)
			return false;
		p += header;
		len -= header;
	}
	if (len < ECHO_HEADER_BYTES + ECHO_NONCE_BYTES)
		return false;
	if (p[0] != (family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) || p[1] != 0)
		return false;
	ret_echo->id = (uint16_t)(p[4] << 8 | p[5]);
	ret_echo->sequence = (uint16_t)(p[6] << 8 | p[7]);
	memcpy(&ret_echo->nonce, p + ECHO_HEADER_BYTES, ECHO_NONCE_BYTES);
	return true;
}
